"""Writing MIDI files tick for tick, with mido."""

from __future__ import annotations

import io
from collections.abc import Collection, Hashable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.files import write_atomic
from seqgen_music.joining import DOWN
from seqgen_music.music import (
    CHORD,
    DRUM_CHANNEL,
    FAMILY,
    FERMATA,
    LONGEST_TICKS,
    MOST_TICKS_PER_QUARTER,
    Music,
)
from seqgen_music.spelling import key_name

if TYPE_CHECKING:
    import mido

    #: A message and its tick.
    Timed = tuple[int, mido.Message | mido.MetaMessage]

#: The fifteen channels that are not drums.
CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)

#: The control of the sustain pedal.
SUSTAIN = 64

#: Longest quarter note of a MIDI file in microseconds, and microseconds in a minute.
_LONGEST_QUARTER, _MINUTE = 2**24 - 1, 60_000_000


def write_midi(music: Music, path: Path) -> None:
    """Write a MIDI file, see `midi_bytes`."""
    write_atomic(path, midi_bytes(music))


def midi_bytes(music: Music) -> bytes:
    """Return a MIDI file: a track of tempos, metres and keys, then the tracks of the piece.

    Chord symbols are texts such as ``chord: Am7``. Where a pedal holds notes, the keys and the
    pedal are written as they were played. Notes without duration are left out, and so are metres
    whose denominator is not a power of two. `playable` shortens notes that overlap.

    Raises
    ------
    DataError
        If the piece has more than `LONGEST_TICKS` ticks, more than `MOST_TICKS_PER_QUARTER`, or a
        pitch above 127.
    """
    import mido

    if music.length > LONGEST_TICKS:
        raise DataError(f"the piece is {music.length:,} ticks long; {LONGEST_TICKS:,} is the most")
    if not 0 < music.ticks_per_quarter <= MOST_TICKS_PER_QUARTER:
        raise DataError(
            f"a MIDI file has 1 to {MOST_TICKS_PER_QUARTER:,} ticks per quarter, found "
            f"{music.ticks_per_quarter:,}"
        )
    if music.notes["pitch"].max(initial=0) > 127:
        raise DataError(f"a MIDI file has pitches up to 127, found {music.notes['pitch'].max()}")
    file = mido.MidiFile(ticks_per_beat=music.ticks_per_quarter, charset="utf-8")
    file.tracks.append(_track_of([*_timing(music), *_words(music, -1), *_chords(music)]))
    places, played = channels(music), music.played
    for number, channel in enumerate(places):
        name = mido.MetaMessage("track_name", name=music.tracks[number].name)
        program = mido.Message(
            "program_change", program=music.tracks[number].program, channel=channel
        )
        notes = playable(played[played["track"] == number])
        pedal: list[Timed] = []
        if places.index(channel) == number:
            shared = np.isin(music.notes["track"], np.flatnonzero(np.array(places) == channel))
            released = _released(music.notes[shared], played[shared])
            pedal = _pedal(music, number, channel, released)
        file.tracks.append(
            _track_of(
                [
                    *((0, name), (0, program), *_words(music, number)),
                    *pedal,
                    *_played(notes, channel),
                ]
            )
        )
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def channels(music: Music) -> list[int]:
    """Return the channel of each track, 0 to 15.

    Up to fifteen melodic tracks have a channel each, but tracks of one program and pedal share it:
    the hands of a pianist. If there are more, tracks of one program share a channel, or else tracks
    of one family.
    """
    numbers = [number for number, track in enumerate(music.tracks) if not track.drums]
    programs = {number: music.tracks[number].program for number in numbers}
    groupings: list[dict[int, Hashable]] = [
        {number: _foot(music, number) or number for number in numbers},
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


def _foot(music: Music, number: int) -> Hashable:
    """Return the program and the pedal of a track; None if it has no pedal."""
    moves = music.pedals[music.pedals["track"] == number]
    if not len(moves):
        return None
    return music.tracks[number].program, moves["tick"].tobytes(), moves["value"].tobytes()


def playable(notes: NDArray[np.void]) -> NDArray[np.void]:
    """Return the notes of one track ``(M,)``, each pitch sounding once at a time.

    A note-off names a pitch, not a note, so readers differ on overlaps. A note ends where its pitch
    begins again, and the longer of two notes that begin together stays.
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
        (tick, mido.MetaMessage("key_signature", key=key_name(sharps, minor)))
        for tick, sharps, minor in music.keys
        if abs(sharps) <= 7
    ]
    return messages


def _quarter(qpm: float) -> int:
    """Return the length of a quarter note in microseconds, within the range of MIDI files."""
    return min(max(round(_MINUTE / qpm), 1), _LONGEST_QUARTER)


def _words(music: Music, number: int) -> list[Timed]:
    """Return the syllables and the fermatas of a track; for a fermata MIDI has only a text."""
    import mido

    lyrics = [("lyrics", *lyric) for lyric in music.lyrics]
    fermatas = [("text", tick, track, FERMATA) for tick, track in music.fermatas]
    return [
        (tick, mido.MetaMessage(kind, text=text))
        for kind, tick, track, text in (*lyrics, *fermatas)
        if track == number
    ]


def _chords(music: Music) -> list[Timed]:
    """Return the chord symbols, for which MIDI has only a text."""
    import mido

    return [
        (tick, mido.MetaMessage("text", text=f"{CHORD} {name}"))
        for tick, name in music.chord_symbols()
    ]


def _pedal(music: Music, number: int, channel: int, released: Collection[int]) -> list[Timed]:
    """Return the moves of the pedal of a track.

    Programs hold a note that ends as the pedal goes down. Where one ends in the piece, the pedal
    goes down a tick later.

    Parameters
    ----------
    music : Music
    number, channel : int
    released : collection of int
        Ticks at which notes of the channel end that no pedal holds.
    """
    import mido

    moves = music.pedals[music.pedals["track"] == number][["tick", "value"]].tolist()
    messages: list[Timed] = []
    for (tick, value), (following, _) in zip(moves, [*moves[1:], (LONGEST_TICKS, 0)], strict=False):
        is_late = value >= DOWN and tick in released and tick + 1 < following
        move = mido.Message("control_change", control=SUSTAIN, value=value, channel=channel)
        messages.append((tick + is_late, move))
    return messages


def _released(notes: NDArray[np.void], pressed: NDArray[np.void]) -> set[int]:
    """Return the ticks at which notes end with their keys, and their pitch does not begin again."""
    free = notes[notes["duration"] == pressed["duration"]]
    ends = zip((free["onset"] + free["duration"]).tolist(), free["pitch"].tolist(), strict=True)
    begun = set(notes[["onset", "pitch"]].tolist())
    return {tick for tick, pitch in ends if (tick, pitch) not in begun}


def _played(notes: NDArray[np.void], channel: int) -> list[Timed]:
    """Return the messages that begin and end notes ``(N,)``."""
    import mido

    messages: list[Timed] = []
    for onset, duration, pitch, velocity, _ in notes.tolist():
        # A velocity of 0 would end the note.
        loud = min(max(velocity, 1), 127)
        begin = mido.Message("note_on", note=pitch, velocity=loud, channel=channel)
        end = mido.Message("note_off", note=pitch, velocity=0, channel=channel)
        messages += [(onset, begin), (onset + duration, end)]
    # A note ends before the next one of its pitch begins at the same tick.
    return sorted(messages, key=lambda pair: (pair[0], pair[1].type == "note_on"))


def _track_of(messages: list[Timed]) -> mido.MidiTrack:
    """Return a track of messages, each with the ticks since the one before."""
    import mido

    track = mido.MidiTrack()
    last = 0
    for tick, message in sorted(messages, key=lambda pair: pair[0]):
        track.append(message.copy(time=tick - last))
        last = tick
    return track
