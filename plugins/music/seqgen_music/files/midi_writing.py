"""MIDI files out, tick for tick, by mido."""

from __future__ import annotations

import io
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.files import write_atomic
from seqgen_music.music import Music

if TYPE_CHECKING:
    import mido

    #: A message and the tick at which it comes.
    Timed = tuple[int, mido.Message | mido.MetaMessage]

#: Longest piece that every library reads; pretty_midi sets the limit.
LONGEST_TICKS = 10**7

#: Most ticks a quarter note that a MIDI file can say.
FINEST = 2**15 - 1

#: The channel whose pitches are drums, counted from 0, and the fifteen others.
DRUM_CHANNEL = 9
CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)

#: General MIDI has families of eight programs: pianos, mallets, organs ...
FAMILY = 8

#: Longest quarter note in microseconds that a MIDI file can say, and their number in a minute.
_LONGEST_QUARTER, _MINUTE = 2**24 - 1, 60_000_000

#: Keys by number of sharps, -7 to 7, as MIDI files name them.
_MAJOR = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")


def write_midi(music: Music, path: Path) -> None:
    """Write a MIDI file: tempo, metre and key in a track in front, then one track each.

    Left out is what a MIDI file cannot say: notes without duration, metres whose lower number is
    no power of two. Of two notes of one track and pitch that overlap, the first ends where the
    second begins; of two that begin together, the longer one stays.

    Raises
    ------
    DataError
        If the piece is longer than `LONGEST_TICKS`, or finer than `FINEST` ticks a quarter, or
        a pitch is above 127.
    """
    import mido

    if music.length > LONGEST_TICKS:
        raise DataError(f"the piece is {music.length:,} ticks long; {LONGEST_TICKS:,} is the most")
    if not 0 < music.ticks_per_quarter <= FINEST:
        raise DataError(
            f"a MIDI file has 1 to {FINEST:,} ticks a quarter, found {music.ticks_per_quarter:,}"
        )
    if music.notes["pitch"].max(initial=0) > 127:
        raise DataError(f"a MIDI file has pitches up to 127, found {music.notes['pitch'].max()}")
    file = mido.MidiFile(ticks_per_beat=music.ticks_per_quarter, charset="utf-8")
    file.tracks.append(_track_of(_timing(music)))
    for number, channel in enumerate(channels(music)):
        name = mido.MetaMessage("track_name", name=music.tracks[number].name)
        program = mido.Message(
            "program_change", program=music.tracks[number].program, channel=channel
        )
        notes = playable(music.notes[music.notes["track"] == number])
        file.tracks.append(_track_of([(0, name), (0, program), *_played(notes, channel)]))
    buffer = io.BytesIO()
    file.save(file=buffer)
    write_atomic(path, buffer.getvalue())


def channels(music: Music) -> list[int]:
    """Return the channel of each track, 0 to 15.

    Every melodic track has its own while the fifteen last; where they do not, tracks of one
    program share one, or else tracks of one family.
    """
    numbers = [number for number, track in enumerate(music.tracks) if not track.drums]
    programs = {number: music.tracks[number].program for number in numbers}
    groupings: list[dict[int, Hashable]] = [
        {number: number for number in numbers},
        dict(programs),
        {number: program // FAMILY for number, program in programs.items()},
    ]
    for grouping in groupings:
        groups = list(dict.fromkeys(grouping.values()))
        if len(groups) <= len(CHANNELS):
            break
    place = {group: CHANNELS[at % len(CHANNELS)] for at, group in enumerate(groups)}
    return [
        DRUM_CHANNEL if track.drums else place[grouping[number]]
        for number, track in enumerate(music.tracks)
    ]


def playable(notes: NDArray[np.void]) -> NDArray[np.void]:
    """Return the notes ``(N,)`` of one track so that no two of a pitch sound at once.

    A note-off names a pitch and not a note, and every reader has its own guess at overlaps.
    """
    notes = notes[notes["duration"] > 0]
    notes = notes[np.lexsort((-notes["duration"], notes["onset"], notes["pitch"]))]
    same = notes["pitch"][1:] == notes["pitch"][:-1]
    again = same & (notes["onset"][1:] == notes["onset"][:-1])
    notes = notes[np.concatenate([[True], ~again])[: len(notes)]]
    same = notes["pitch"][1:] == notes["pitch"][:-1]
    room = np.where(same, np.diff(notes["onset"]), LONGEST_TICKS)
    notes["duration"][:-1] = np.minimum(notes["duration"][:-1], room)
    return notes[np.lexsort((notes["pitch"], notes["onset"]))]


def _timing(music: Music) -> list[Timed]:
    import mido

    messages: list[Timed] = [
        (tick, mido.MetaMessage("set_tempo", tempo=_quarter(qpm)))
        for tick, qpm in music.tempo_changes().tolist()
    ]
    messages += [
        (tick, mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator))
        for tick, numerator, denominator in music.metres
        if 0 < numerator < 256 and denominator.bit_count() == 1
    ]
    messages += [
        (tick, mido.MetaMessage("key_signature", key=_key_name(sharps, minor)))
        for tick, sharps, minor in music.keys
        if abs(sharps) <= 7
    ]
    return messages


def _quarter(qpm: float) -> int:
    """Return the length of a quarter note in microseconds, as near as a file can say."""
    return min(max(round(_MINUTE / qpm), 1), _LONGEST_QUARTER)


def _key_name(sharps: int, minor: bool) -> str:
    return _MINOR[sharps + 7] + "m" if minor else _MAJOR[sharps + 7]


def _played(notes: NDArray[np.void], channel: int) -> list[Timed]:
    """Return the messages that begin and end notes ``(N,)``."""
    import mido

    messages: list[Timed] = []
    for onset, duration, pitch, velocity, _ in notes.tolist():
        # A velocity of 0 would end a note.
        loud = min(max(velocity, 1), 127)
        begin = mido.Message("note_on", note=pitch, velocity=loud, channel=channel)
        end = mido.Message("note_off", note=pitch, velocity=0, channel=channel)
        messages += [(onset, begin), (onset + duration, end)]
    # Where notes of a pitch touch, the first ends before the second begins.
    return sorted(messages, key=lambda pair: (pair[0], pair[1].type == "note_on"))


def _track_of(messages: list[Timed]) -> mido.MidiTrack:
    """Return a track of messages, each with its distance to the one before."""
    import mido

    track = mido.MidiTrack()
    last = 0
    for tick, message in sorted(messages, key=lambda pair: pair[0]):
        track.append(message.copy(time=tick - last))
        last = tick
    return track
