"""Notes on a grid of steps, in compiled passes: rounding, cutting silence, sorting.

`score` builds on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqgen.compiling import compiled
from seqgen_music.rounding import rounded

#: The program of drums, before all others.
DRUMS = -1

#: Longest note, in quarters.
LONGEST_NOTE = 32

#: Bits of a packed note, from the highest: step, program and pitch, duration, velocity.
_PITCH, _VOICE, _DURATION, _VELOCITY = 7, 15, 12, 7
_TAIL = _DURATION + _VELOCITY


@compiled
def on_grid(notes: Any, programs: Any, steps: int, quarter: int) -> Any:
    """Return step, program and duration of the notes ``(3, N)``; drums last one step.

    Parameters
    ----------
    notes : array (N,) of `NOTE`
    programs : int64 array
        Program of each track.
    steps, quarter : int
        Steps and ticks in a quarter.
    """
    found = np.empty((3, len(notes)), np.int64)
    for row in range(len(notes)):
        note = notes[row]
        step, program = rounded(note.onset, steps, quarter), programs[note.track]
        end = step + 1 if program == DRUMS else rounded(note.onset + note.duration, steps, quarter)
        found[0, row], found[1, row], found[2, row] = step, program, end - step
    return found


@compiled
def cut_silence(step: Any, starts: Any, moments: Any, most: int) -> Any:
    """Remove the bars before the first note, and empty bars after `most` in a row.

    All three arrays are changed in place.

    Parameters
    ----------
    step : int64 array (N,)
        Step of each note, sorted.
    starts : int64 array (B,)
        First step of each bar.
    moments : int64 array (T,)
        Steps at which tempos start, sorted. Those in a removed bar move to its start.

    Returns
    -------
    bool array (B,)
        Whether each bar is kept.
    """
    kept = np.empty(len(starts), np.bool_)
    row, moment, lost, empty = 0, 0, 0, most
    for bar in range(len(starts)):
        start, last = starts[bar], bar + 1 == len(starts)
        stop = np.iinfo(np.int64).max if last else starts[bar + 1]
        empty = 0 if row < len(step) and step[row] < stop else empty + 1
        kept[bar] = empty <= most
        starts[bar] -= lost
        while row < len(step) and step[row] < stop:
            step[row] -= lost
            row += 1
        while moment < len(moments) and moments[moment] < stop:
            moments[moment] = (moments[moment] if kept[bar] else start) - lost
            moment += 1
        if not kept[bar]:
            lost += stop - start
    return kept


@compiled
def packed(step: Any, program: Any, pitch: Any, duration: Any, velocity: Any, longest: int) -> Any:
    """Pack each note into one number ``(N,)``: sorting numbers is faster than sorting by an index.

    Notes of one step, program and pitch are sorted by duration, then velocity.
    """
    numbers = np.empty(len(step), np.int64)
    for row in range(len(step)):
        place = step[row] << _VOICE | (program[row] + 1) << _PITCH | np.int64(pitch[row] & 127)
        length = min(max(duration[row], 1), longest)
        numbers[row] = (place << _DURATION | length) << _VELOCITY | np.int64(velocity[row] & 127)
    return numbers


@compiled
def unpacked(numbers: Any) -> Any:
    """Return step, program, pitch, duration and velocity of packed notes ``(5, M)``.

    The last of several notes with one step, program and pitch stays. A note ends where the next
    one of its program and pitch begins.

    Parameters
    ----------
    numbers : int64 array (N,)
        Sorted.
    """
    notes = np.empty((5, len(numbers)), np.int64)
    latest = np.full(1 << _VOICE, -1, np.int32)
    count = 0
    for row in range(len(numbers)):
        number = numbers[row]
        place = number >> _TAIL
        if row + 1 < len(numbers) and numbers[row + 1] >> _TAIL == place:
            continue
        step, voice = place >> _VOICE, place & ((1 << _VOICE) - 1)
        before = latest[voice]
        if before >= 0:
            notes[3, before] = min(notes[3, before], step - notes[0, before])
        latest[voice] = count
        notes[0, count] = step
        notes[1, count] = (voice >> _PITCH) - 1
        notes[2, count] = voice & ((1 << _PITCH) - 1)
        notes[3, count] = number >> _VELOCITY & ((1 << _DURATION) - 1)
        notes[4, count] = number & ((1 << _VELOCITY) - 1)
        count += 1
    return notes[:, :count]
