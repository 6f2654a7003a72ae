"""One track of a MIDI file as notes and marks, in one compiled pass over its bytes.

It is lenient: bytes that are too large are cut to 127, and damage ends a track, with all that
came before it kept. The pedal counts when all tracks are known, in passes over their notes.
Next: `midi_reading` makes a piece of it.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

#: A note as it was played, in ticks; `part` counts what one channel plays with one program.
PLAYED = np.dtype(
    [
        ("onset", np.int64),
        ("end", np.int64),
        ("part", np.int32),
        ("channel", np.uint8),
        ("pitch", np.uint8),
        ("velocity", np.uint8),
    ],
    align=True,
)

#: The track, channel and program of a part.
PART = np.dtype([("track", np.int32), ("channel", np.int32), ("program", np.int32)], align=True)

#: Another event that matters: one of the kinds below and its two values.
MARK = np.dtype(
    [
        ("tick", np.int64),
        ("track", np.int32),
        ("kind", np.int32),
        ("first", np.int32),
        ("second", np.int32),
    ],
    align=True,
)

#: Name: place and length of its bytes. Tempo: microseconds a quarter. Metre: numerator, power of
#: two. Key: sharps, minor. Pedal: channel, whether it is down.
NAME, TEMPO, METRE, KEY, PEDAL = 0x03, 0x51, 0x58, 0x59, 0x40

#: The first status byte of events that belong to no channel, that of meta events, and their last.
SYSTEM, META, END_OF_TRACK = 0xF0, 0xFF, 0x2F

#: Upper half of the status byte of the events of a channel that count.
NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x8, 0x9, 0xB, 0xC

#: Bytes that a note or a mark takes at least.
SHORTEST_EVENT = 3

#: How a pass ended.
WHOLE, DAMAGED, TOO_LONG, TOO_MANY_NOTES, TOO_MANY_PARTS = range(5)

#: When a pitch is played again that is not.
NEVER = np.iinfo(np.int64).max

_compiled = numba.njit(cache=True, nogil=True)


@_compiled
def scan(
    data: Any,
    start: int,
    stop: int,
    track: int,
    longest: int,
    notes: Any,
    parts: Any,
    marks: Any,
    counts: Any,
) -> tuple[int, int]:
    """Append the events of one track to arrays.

    A note-off ends the note of its channel and pitch that began first; what is open at the end of
    the track ends there. A note belongs to the program with which it began.

    Parameters
    ----------
    data : uint8 array
        The file.
    start, stop : int
        Where the events of the track are.
    track : int
        Its number.
    longest : int
        Ticks that it may have.
    notes, parts, marks : arrays of `PLAYED`, `PART`, `MARK`
        Written from `counts` on; `marks` has room for an event every `SHORTEST_EVENT` bytes.
    counts : int64 array (3,)
        How much of the three is filled.

    Returns
    -------
    tuple of int
        How it ended, and at which byte.
    """
    part_of = np.full((16, 128), -1, np.int32)
    program = np.zeros(16, np.int32)
    # The open notes of a channel and pitch are a queue, linked through `following`.
    first = np.full((16, 128), -1, np.int32)
    last = np.full((16, 128), -1, np.int32)
    following = np.full((stop - start) // SHORTEST_EVENT + 1, -1, np.int32)
    base, tick, at, running, result = counts[0], 0, start, 0, WHOLE
    while at < stop:
        delta, event, kind, data_at, size = _event(data, at, stop, running)
        tick += delta
        if tick > longest:
            return TOO_LONG, at
        if data_at < 0:
            result = DAMAGED
            break
        place, at = at, data_at + size
        if event == META:
            if kind == END_OF_TRACK:
                break
            one, two = _meta(data, data_at, size, kind)
            if one >= 0:
                _mark(marks, counts, tick, track, kind, one, two)
        if event >= SYSTEM:
            continue
        running = event
        channel, kind = event & 15, event >> 4
        pitch = min(int(data[data_at]), 127)
        velocity = min(int(data[at - 1]), 127)
        if kind == NOTE_ON and velocity > 0:
            number = counts[0]
            if number == len(notes):
                return TOO_MANY_NOTES, place
            part = _part(parts, part_of, counts, track, channel, program[channel])
            if part < 0:
                return TOO_MANY_PARTS, place
            notes[number].onset = tick
            notes[number].end = -1
            notes[number].part = part
            notes[number].channel = channel
            notes[number].pitch = pitch
            notes[number].velocity = velocity
            counts[0] += 1
            if first[channel, pitch] < 0:
                first[channel, pitch] = number - base
            else:
                following[last[channel, pitch]] = number - base
            last[channel, pitch] = number - base
        elif kind in (NOTE_OFF, NOTE_ON):
            opened = first[channel, pitch]
            if opened >= 0:
                notes[base + opened].end = tick
                first[channel, pitch] = following[opened]
        elif kind == PROGRAM:
            program[channel] = pitch
        elif kind == CONTROL and pitch == PEDAL:
            _mark(marks, counts, tick, track, PEDAL, channel, 1 if velocity >= 64 else 0)
    for number in range(base, counts[0]):
        if notes[number].end < 0:
            notes[number].end = tick
    return result, at


@_compiled
def _event(data: Any, at: int, stop: int, running: int) -> tuple[int, int, int, int, int]:
    """Return the event at a byte: ticks before it, status, and if it is meta its kind.

    Then come where its data begin, or -1 if there is no whole event, and how many bytes they are.
    """
    delta, at = _number(data, at, stop)
    if at < 0 or at >= stop:
        return 0, 0, 0, -1, 0
    event = int(data[at])
    if event >= 0x80:
        at += 1
    else:
        event = running
    kind = 0
    if event == META:
        if at >= stop:
            return delta, event, kind, -1, 0
        kind = int(data[at])
        at += 1
    if event == META or event == 0xF0 or event == 0xF7:
        size, at = _number(data, at, stop)
    elif event >= SYSTEM:
        size = 2 if event == 0xF2 else 1 if event == 0xF1 or event == 0xF3 else 0
    else:
        size = 1 if event >> 4 == PROGRAM or event >> 4 == 0xD else 2
    if event < 0x80 or at < 0 or at + size > stop:
        return delta, event, kind, -1, 0
    return delta, event, kind, at, size


@_compiled
def _part(parts: Any, part_of: Any, counts: Any, track: int, channel: int, program: int) -> int:
    """Return the number of the part that a channel and program are, a new one if need be.

    -1 says that there is no room for it.
    """
    part = part_of[channel, program]
    if part < 0 and counts[1] < len(parts):
        part = counts[1]
        parts[part].track = track
        parts[part].channel = channel
        parts[part].program = program
        part_of[channel, program] = part
        counts[1] += 1
    return int(part)


@_compiled
def sustain(played: Any, order: Any, ticks: Any, channels: Any, downs: Any) -> None:
    """Let notes last while the pedal is down, or until their pitch is played again.

    A pedal that never comes up does so when the last note of its channel ends.

    Parameters
    ----------
    played : array of `PLAYED`
        Their ends are changed.
    order : int64 array
        The notes that count, sorted by onset.
    ticks, channels, downs : int array (P,)
        When pedals move, sorted, which, and whether it is down then.
    """
    for channel in np.unique(channels):
        moves = np.empty(len(ticks) + 1, np.int64)
        count = 0
        for number in range(len(ticks)):
            # Down and up by turns: what repeats the one before is no move.
            if channels[number] == channel and downs[number] != count % 2:
                moves[count] = ticks[number]
                count += 1
        last = 0
        for number in order:
            if played[number].channel == channel:
                last = max(last, played[number].end)
        # When each pitch is next played, and when after that.
        following = np.full(128, NEVER)
        later = np.full(128, NEVER)
        for number in order[::-1]:
            note = played[number]
            if note.channel != channel:
                continue
            if note.onset != following[note.pitch]:
                later[note.pitch] = following[note.pitch]
                following[note.pitch] = note.onset
            moved = np.searchsorted(moves[:count], note.end, side="right")
            if moved % 2:
                released = moves[moved] if moved < count else last
                note.end = max(note.end, min(released, later[note.pitch]))


@_compiled
def arrange(played: Any, order: Any, notes: Any) -> None:
    """Write the played notes in this order as those of a piece."""
    for row in range(len(order)):
        one, note = played[order[row]], notes[row]
        note.onset = one.onset
        note.duration = one.end - one.onset
        note.pitch = one.pitch
        note.velocity = one.velocity
        note.track = one.part


@_compiled
def _number(data: Any, at: int, stop: int) -> tuple[int, int]:
    """Return a number of variable length and where it ends, or -1 if it does not."""
    value = 0
    for place in range(at, min(at + 4, stop)):
        byte = int(data[place])
        value = value << 7 | byte & 127
        if byte < 128:
            return value, place + 1
    return 0, -1


@_compiled
def _meta(data: Any, at: int, size: int, kind: int) -> tuple[int, int]:
    """Return the values of a mark, -1 first if it is none."""
    if kind == NAME:
        return at, size
    if kind == TEMPO and size == 3:
        return int(data[at]) << 16 | int(data[at + 1]) << 8 | int(data[at + 2]), 0
    if kind == METRE and size >= 2:
        return int(data[at]), int(data[at + 1])
    if kind == KEY and size == 2:
        # Flats are negative bytes; 128 is added so that -1 still means none.
        return (int(data[at]) + 128) % 256, int(data[at + 1])
    return -1, 0


@_compiled
def _mark(
    marks: Any, counts: Any, tick: int, track: int, kind: int, first: int, second: int
) -> None:
    mark = marks[counts[2]]
    mark.tick = tick
    mark.track = track
    mark.kind = kind
    mark.first = first
    mark.second = second
    counts[2] += 1
