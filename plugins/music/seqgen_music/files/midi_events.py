"""The events of a MIDI file, in one compiled pass over its bytes.

Reading is lenient: data bytes are cut to 127, and damage ends a track but keeps the events before
it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seqgen.compiling import compiled
from seqgen_music.files.midi_bytes import (
    CONTROL,
    DAMAGED,
    LATE,
    META,
    NOTE_OFF,
    NOTE_ON,
    PROGRAM,
    SYSTEM,
    TOO_MANY_NOTES,
    TOO_MANY_PARTS,
    event_at,
    word,
)
from seqgen_music.music import DRUM_CHANNEL

#: A note in ticks. A part is what one channel plays in one track with one program and one class of
#: banks: those of drum kits, of melodic instruments, and all others.
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

#: A move of the pedal of a channel; from `PEDAL_DOWN` on it is down.
PEDAL_MOVE = np.dtype([("tick", np.int64), ("channel", np.int32), ("value", np.int32)], align=True)
PEDAL_DOWN = 64

#: A tempo in microseconds per quarter.
TEMPO_EVENT = np.dtype([("tick", np.int64), ("microseconds", np.int64)])

#: Another event: one of the kinds below and its two values.
MARK = np.dtype([(name, np.int64) for name in ("tick", "track", "kind", "first", "second")])

#: Kinds of marks and their values. Text, name and lyric: first byte and length. Metre: numerator
#: and power of two. Key: sharps as a byte, and minor. Player: channel and program. Rhythm: channel,
#: and whether it plays drums. Bank: channel and number. Yamaha: the file is for their instruments.
TEXT, NAME, LYRIC, METRE, KEY, PLAYER = 0x01, 0x03, 0x05, 0x58, 0x59, 0xC0
RHYTHM, YAMAHA, BANK = 0xF0, 0xF1, 0xB0

#: Banks of drum kits in GM2 and XG, and of melodic instruments in GM2. Source: General MIDI 2
#: (RP-024) and the XG specification, bank select MSB.
KITS, XG_KITS, MELODIC = (120,), (126, 127), 121

#: A note's program where its track has set none; the first one.
UNSET = -1

#: Kinds of meta events that are not marks.
END_OF_TRACK, TEMPO_CHANGE = 0x2F, 0x51

#: The numbers of the controls that are the pedal, and the bank of the next program.
PEDAL, BANK_SELECT = 0x40, 0x00

#: Controls that end the notes of a channel: All Sound Off, All Notes Off, and the changes of mode.
ALL_SOUND_OFF, ALL_NOTES_OFF, LAST_MODE = 120, 123, 127

#: Fewest bytes of a note or pedal move, of a tempo, and of a mark.
SHORTEST_EVENT, TEMPO_BYTES, SHORTEST_MARK = 3, 7, 2

#: Messages before their value: Roland's "use for rhythm part", whose part is in the lower half of
#: a byte; Yamaha's "part mode" and "XG system on". `ANY_BYTE` is the number of a device.
ANY_BYTE, ANY_PART = 256, 257
RHYTHM_PART = np.array([0x41, ANY_BYTE, 0x42, 0x12, 0x40, ANY_PART, 0x15])
PART_MODE = np.array([0x43, ANY_BYTE, 0x4C, 0x08, ANY_PART, 0x07])
XG_ON = np.array([0x43, ANY_BYTE, 0x4C, 0x00, 0x00, 0x7E])

#: Indices of the counts.
NOTES, PARTS, PEDALS, TEMPOS, MARKS = range(5)


class Events(NamedTuple):
    """The events of the tracks of a file.

    Attributes
    ----------
    played : array (N,) of `PLAYED`
        Track by track, by onset.
    ended : int32 array (N,)
        Indices of notes, track by track in the order of their ends; those without end come last,
        and their end is -1.
    parts : array (P,) of `PART`
        In the order of their first notes.
    pedals : array of `PEDAL_MOVE`
        Track by track.
    tempos : array of `TEMPO_EVENT`
        Track by track.
    marks : array of `MARK`
    """

    played: Any
    ended: Any
    parts: Any
    pedals: Any
    tempos: Any
    marks: Any


@compiled
def read_tracks(data: Any, tracks: Any, longest: int, most_notes: int, most_parts: int) -> Events:
    """Return the `Events` of tracks, up to the first track that exceeds a limit.

    A note-off ends the note of its channel and pitch that began first. A note belongs to the
    program with which it began.

    Parameters
    ----------
    data : uint8 array
        The file.
    tracks : array of `TRACK`
        Their endings are filled in.
    longest : int
        Most ticks of a track; what comes later is damage.
    most_notes, most_parts : int
        Limits for all tracks together.
    """
    room = len(data) // SHORTEST_EVENT + 1
    most_notes = min(most_notes, room)
    events = Events(
        np.empty(most_notes, PLAYED),
        np.empty(most_notes, np.int32),
        np.empty(most_parts, PART),
        np.empty(room, PEDAL_MOVE),
        np.empty(len(data) // TEMPO_BYTES + 1, TEMPO_EVENT),
        np.empty(len(data) // SHORTEST_MARK + 1, MARK),
    )
    # The open notes of a channel and pitch are a queue: each note links to the next.
    following = np.full(most_notes, -1, np.int32)
    counts = np.zeros(5, np.int64)
    for number in range(len(tracks)):
        _read_track(data, tracks[number], number, longest, events, following, counts)
        if tracks[number].ending > LATE:
            break
    return Events(
        events.played[: counts[NOTES]],
        events.ended[: counts[NOTES]],
        events.parts[: counts[PARTS]],
        events.pedals[: counts[PEDALS]],
        events.tempos[: counts[TEMPOS]],
        events.marks[: counts[MARKS]],
    )


@compiled
def _read_track(
    data: Any, track: Any, number: int, longest: int, events: Events, following: Any, counts: Any
) -> None:
    """Append the events of a track, and set its ending."""
    played, ended, parts, pedals, tempos, marks = events
    part_of, program = np.full((16, 3, 129), -1, np.int32), np.full(16, UNSET, np.int32)
    bank = np.zeros(16, np.int32)
    first, last = np.full((16, 128), -1, np.int32), np.empty((16, 128), np.int32)
    count = count_ended = counts[NOTES]
    tick, at, stop, running = 0, track.start, track.stop, 0
    while at < stop:
        delta, event, kind, data_at, size = event_at(data, at, stop, running)
        if data_at < 0 or tick + delta > longest:
            track.ending = DAMAGED if data_at < 0 else LATE
            break
        tick, at = tick + delta, data_at + size
        if event == META:
            if kind == END_OF_TRACK:
                break
            _meta(data, data_at, size, kind, tick, number, tempos, marks, counts)
        elif event == SYSTEM:
            _rhythm(data, data_at, size, tick, number, marks, counts)
        if event >= SYSTEM:
            continue
        running, channel, kind = event, event & 15, event >> 4
        pitch, value = min(int(data[data_at]), 127), min(int(data[at - 1]), 127)
        if kind == NOTE_ON and value > 0:
            if count == len(played):
                track.ending = TOO_MANY_NOTES
                return
            part = part_of[channel, bank[channel], program[channel] - UNSET]
            if part < 0:
                part = _part(number, channel, program[channel], parts, counts)
                part_of[channel, bank[channel], program[channel] - UNSET] = part
            if part < 0:
                track.ending = TOO_MANY_PARTS
                return
            note = played[count]
            note.onset, note.end, note.part = tick, -1, part
            note.channel, note.pitch, note.velocity = channel, pitch, value
            _open(count, first[channel], last[channel], pitch, following)
            count += 1
        elif kind in (NOTE_OFF, NOTE_ON):
            opened = first[channel, pitch]
            if opened >= 0:
                played[opened].end, ended[count_ended] = tick, opened
                count_ended += 1
                first[channel, pitch] = following[opened]
        elif kind == PROGRAM:
            program[channel] = pitch
            _mark(marks, counts, tick, number, PLAYER, channel, pitch)
        elif kind == CONTROL and pitch == PEDAL:
            _move(pedals, counts, tick, channel, value)
        elif kind == CONTROL and pitch == BANK_SELECT:
            bank[channel] = _bank_class(value)
            _mark(marks, counts, tick, number, BANK, channel, value)
        elif kind == CONTROL and (pitch == ALL_SOUND_OFF or ALL_NOTES_OFF <= pitch <= LAST_MODE):
            count_ended = _end_channel(played, ended, first[channel], following, tick, count_ended)
    track.at = at
    _leave_open(played, ended, counts[NOTES], count, count_ended)
    counts[NOTES] = count


@compiled
def _bank_class(number: int) -> int:
    """Return 1 for a bank of drum kits, 2 for one of melodic instruments, else 0."""
    if number in KITS or number in XG_KITS:
        return 1
    return 2 if number == MELODIC else 0


@compiled
def _open(number: int, first: Any, last: Any, pitch: int, following: Any) -> None:
    """Append a note to the open ones of its pitch in a channel."""
    if first[pitch] < 0:
        first[pitch] = number
    else:
        following[last[pitch]] = number
    last[pitch] = number


@compiled
def _end_channel(played: Any, ended: Any, first: Any, following: Any, tick: int, count: int) -> int:
    """End the open notes of a channel; return how many notes of all have ended."""
    for pitch in range(len(first)):
        opened = first[pitch]
        while opened >= 0:
            played[opened].end, ended[count] = tick, opened
            count += 1
            opened = following[opened]
        first[pitch] = -1
    return count


@compiled
def _leave_open(played: Any, ended: Any, first: int, stop: int, count: int) -> None:
    """Append the open notes of a track to those that have ended."""
    for number in range(first, stop):
        if played[number].end < 0:
            ended[count] = number
            count += 1


@compiled
def _move(pedals: Any, counts: Any, tick: int, channel: int, value: int) -> None:
    """Append a move of a pedal."""
    move = pedals[counts[PEDALS]]
    move.tick, move.channel, move.value = tick, channel, value
    counts[PEDALS] += 1


@compiled
def _mark(
    marks: Any, counts: Any, tick: int, track: int, kind: int, first: int, second: int
) -> None:
    """Append a mark."""
    mark = marks[counts[MARKS]]
    mark.tick, mark.track, mark.kind, mark.first, mark.second = tick, track, kind, first, second
    counts[MARKS] += 1


@compiled
def _rhythm(data: Any, at: int, size: int, tick: int, track: int, marks: Any, counts: Any) -> None:
    """Append a mark if a message says which part plays drums, or that the file is for XG."""
    part, value = _part_of(data, at, size, RHYTHM_PART)
    if part >> 4 == 1:
        # Part 0 is channel 10; the others are numbered from 1 and leave it out.
        part &= 15
        channel = DRUM_CHANNEL if part == 0 else part - 1 if part <= DRUM_CHANNEL else part
        _mark(marks, counts, tick, track, RHYTHM, channel, int(value > 0))
    part, value = _part_of(data, at, size, PART_MODE)
    if 0 <= part < 16:
        _mark(marks, counts, tick, track, RHYTHM, part, int(value > 0))
    part, _ = _part_of(data, at, size, XG_ON)
    if part >= 0:
        _mark(marks, counts, tick, track, YAMAHA, 0, 0)


@compiled
def _part_of(data: Any, at: int, size: int, pattern: Any) -> tuple[int, int]:
    """Return the byte at `ANY_PART`, 0 without one, and the value; -1 for another message."""
    if size < len(pattern) + 1:
        return -1, 0
    part = 0
    for place in range(len(pattern)):
        byte, wanted = int(data[at + place]), pattern[place]
        if wanted == ANY_PART:
            part = byte
        elif wanted != ANY_BYTE and wanted != byte:
            return -1, 0
    value = int(data[at + len(pattern)])
    return (part, value) if value < 0x80 else (-1, 0)


@compiled
def _meta(
    data: Any,
    at: int,
    size: int,
    kind: int,
    tick: int,
    track: int,
    tempos: Any,
    marks: Any,
    counts: Any,
) -> None:
    """Append a tempo or a mark."""
    if kind == TEMPO_CHANGE and size == 3:
        tempo = tempos[counts[TEMPOS]]
        tempo.tick, tempo.microseconds = tick, int(data[at]) << 16 | word(data, at + 1)
        counts[TEMPOS] += 1
        return
    if kind in (NAME, LYRIC, TEXT):
        _mark(marks, counts, tick, track, kind, at, size)
    elif (kind == METRE and size >= 2) or (kind == KEY and size == 2):
        _mark(marks, counts, tick, track, kind, int(data[at]), int(data[at + 1]))


@compiled
def _part(track: int, channel: int, program: int, parts: Any, counts: Any) -> int:
    """Append a part and return its number; -1 if there is no room."""
    number = counts[PARTS]
    if number == len(parts):
        return -1
    part = parts[number]
    part.track, part.channel, part.program = track, channel, program
    counts[PARTS] += 1
    return int(number)
