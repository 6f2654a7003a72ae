"""The bytes of a MIDI file: where its tracks are, and what the event at a byte is."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqgen.compiling import compiled

#: First and last byte of a track's events, how its reading ended, and at which byte.
TRACK = np.dtype([(name, np.int64) for name in ("start", "stop", "ending", "at")])

#: How a track ends. The time of a late event is wrong: no piece is that long.
WHOLE, DAMAGED, LATE, TOO_MANY_NOTES, TOO_MANY_PARTS = range(5)

#: The first status byte of events without channel, and that of meta events.
SYSTEM, META = 0xF0, 0xFF

#: Upper half of the status byte of channel events.
NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x8, 0x9, 0xB, 0xC

#: The four letters that open a track.
TRACK_MARK = int.from_bytes(b"MTrk")


@compiled
def find_tracks(data: Any, tracks: Any) -> int:
    """Find the tracks of a file by their mark, so that a wrong length costs at most one of them.

    Parameters
    ----------
    data : uint8 array
        The file.
    tracks : array of `TRACK`
        Filled as far as it goes; a track without end counts as damaged.

    Returns
    -------
    int
        The number of tracks in the file.
    """
    count, at = 0, _next_track(data, 0)
    while at + 8 <= len(data):
        start = at + 8
        stop = start + (word(data, at + 4) << 16 | word(data, at + 6))
        ending = WHOLE
        if stop > len(data):
            stop, ending = _next_track(data, start), DAMAGED
        if count < len(tracks):
            track = tracks[count]
            track.start, track.stop, track.ending, track.at = start, stop, ending, start
        count += 1
        at = _next_track(data, stop)
    return count


@compiled
def _next_track(data: Any, start: int) -> int:
    """Return the byte of the next track mark; the length of the file if there is none."""
    letters = 0
    for at in range(start, len(data)):
        letters = (letters << 8 | int(data[at])) & 0xFFFFFFFF
        if letters == TRACK_MARK:
            return at - 3
    return len(data)


@compiled
def word(data: Any, at: int) -> int:
    """Return the number in two bytes."""
    return int(data[at]) << 8 | int(data[at + 1])


@compiled
def event_at(data: Any, at: int, stop: int, running: int) -> tuple[int, int, int, int, int]:
    """Return the event at a byte: ticks before it, status, kind if it is meta, data and size.

    Data is the first byte of its data, or -1 if the event is incomplete; size is their number.
    """
    delta, at = number_at(data, at, stop)
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
        size, at = number_at(data, at, stop)
    elif event >= SYSTEM:
        size = 2 if event == 0xF2 else 1 if event == 0xF1 or event == 0xF3 else 0
    else:
        size = 1 if event >> 4 == PROGRAM or event >> 4 == 0xD else 2
    if event < 0x80 or at < 0 or at + size > stop:
        return delta, event, kind, -1, 0
    return delta, event, kind, at, size


@compiled
def number_at(data: Any, at: int, stop: int) -> tuple[int, int]:
    """Return a number of variable length and the byte after it, or -1 if it does not end."""
    value = 0
    for place in range(at, min(at + 4, stop)):
        byte = int(data[place])
        value = value << 7 | byte & 127
        if byte < 128:
            return value, place + 1
    return 0, -1
