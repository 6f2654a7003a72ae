"""Notes on a grid of steps, in compiled passes: rounded, without long silence, and settled.

Next: `score` makes a piece of it, and of a piece this.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqgen.compiling import compiled
from seqgen_music.codecs.rounding import rounded

#: The program of drums, which stand before all others.
DRUMS = -1

#: Longest note, in quarters.
LONGEST_NOTE = 32

#: Bits in which a note is packed to be sorted: step, program and pitch, duration, velocity.
_PITCH, _VOICE, _DURATION, _VELOCITY = 7, 15, 12, 7
_TAIL = _DURATION + _VELOCITY


@compiled
def on_grid(notes: Any, programs: Any, steps: int, quarter: int) -> Any:
    """Return step, program and duration ``(3, N)`` of the notes of a piece; drums last one step.

    Parameters
    ----------
    notes : array (N,) of `NOTE`
    programs : int64 array
        Of every track.
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
    """Cut the bars before the first note, and of more empty bars on end than `most` the rest.

    Parameters
    ----------
    step : int64 array (N,)
        Of every note, sorted; moved by what is cut before it.
    starts : int64 array (B,)
        First steps of the bars; likewise.
    moments : int64 array (T,)
        When tempos begin, sorted; likewise. In a bar that is cut, it is where that was.

    Returns
    -------
    bool array (B,)
        Which bars are kept.
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
    """Return notes as one number each ``(N,)``, which are sorted faster than by an index.

    Those of one step, program and pitch are sorted by duration, then velocity.
    """
    numbers = np.empty(len(step), np.int64)
    for row in range(len(step)):
        place = step[row] << _VOICE | (program[row] + 1) << _PITCH | np.int64(pitch[row] & 127)
        length = min(max(duration[row], 1), longest)
        numbers[row] = (place << _DURATION | length) << _VELOCITY | np.int64(velocity[row] & 127)
    return numbers


@compiled
def unpacked(numbers: Any) -> Any:
    """Return step, program, pitch, duration and velocity ``(5, M)`` of packed notes.

    Of notes at one place the last one stays; a note ends where the next one of its program and
    pitch begins.

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
