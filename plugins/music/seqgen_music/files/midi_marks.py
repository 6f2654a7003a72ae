"""What a MIDI file says besides notes: names, lyrics, metres, keys, and who plays which part."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqgen_music.bars import NOTE_VALUES
from seqgen_music.chords import LONGEST, Chord, chord_named
from seqgen_music.files.midi_events import (
    BANK,
    KEY,
    KITS,
    LYRIC,
    MELODIC,
    METRE,
    NAME,
    PLAYER,
    RHYTHM,
    TEXT,
    UNSET,
    XG_KITS,
    YAMAHA,
    Events,
)
from seqgen_music.music import CHORD, DRUM_CHANNEL, FERMATA, changes

#: Most syllables and chord symbols that are kept.
MOST_LYRICS = MOST_CHORDS = 2**16

#: Most bytes of a text with a chord symbol.
LONGEST_CHORD = len(CHORD) + 4 * LONGEST

#: The track of a karaoke file whose texts are the lyrics, and the sign before texts that are none.
WORDS, NO_LYRIC = "words", "@"


@dataclass
class Marks:
    """The marks of a file.

    Attributes
    ----------
    names : dict
        By track.
    metres, keys : tuple
        As in `Music`; values outside notation are dropped.
    lyrics : list of (tick, track, text)
        By track of the file.
    fermatas : list of (tick, track)
        By track of the file.
    chords : tuple of (tick, Chord or None)
        Of all tracks.
    """

    names: dict[int, str] = field(default_factory=dict)
    metres: tuple[Any, ...] = ()
    keys: tuple[Any, ...] = ()
    lyrics: list[tuple[int, int, str]] = field(default_factory=list)
    fermatas: list[tuple[int, int]] = field(default_factory=list)
    chords: tuple[tuple[int, Chord | None], ...] = ()

    @classmethod
    def of(cls, data: bytes, events: Events) -> Self:
        """Return the marks of a file."""
        marks, kinds = cls(), events.marks["kind"]
        metres, keys = [], []
        for _, track, _, first, second in events.marks[kinds == NAME].tolist():
            marks.names[track] = text_of_bytes(data[first : first + second])
        for tick, _, _, first, second in events.marks[kinds == METRE].tolist():
            if first > 0 and second < len(NOTE_VALUES):
                metres.append((tick, first, NOTE_VALUES[second]))
        for tick, _, _, first, second in events.marks[kinds == KEY].tolist():
            # Flats are negative numbers of eight bits.
            sharps = first - 256 if first > 127 else first
            if -7 <= sharps <= 7:
                keys.append((tick, sharps, bool(second)))
        marks.metres, marks.keys = changes(metres), changes(keys)
        words = [track for track, name in marks.names.items() if name.strip().lower() == WORDS]
        is_text = (kinds == TEXT) & np.isin(events.marks["track"], words)
        for tick, track, _, first, second in events.marks[(kinds == LYRIC) | is_text].tolist():
            text = text_of_bytes(data[first : first + second])
            if not text.startswith(NO_LYRIC) and len(marks.lyrics) < MOST_LYRICS:
                marks.lyrics.append((tick, track, text))
        for tick, track, _, first, second in events.marks[kinds == TEXT].tolist():
            if data[first : first + second].lower() == FERMATA.encode():
                marks.fermatas.append((tick, track))
        marks.chords = _chords(data, events.marks[kinds == TEXT])
        return marks

    def lyrics_of(self, tracks: Sequence[int]) -> tuple[tuple[int, int, str], ...]:
        """Return the lyrics by part, given the track of each part; -1 if no part is theirs."""
        part_of = _part_of(tracks)
        lyrics = [(tick, part_of.get(track, -1), text) for tick, track, text in self.lyrics]
        return tuple(sorted(lyrics, key=lambda lyric: lyric[0]))

    def fermatas_of(self, tracks: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Return the fermatas by part, given the track of each part."""
        part_of = _part_of(tracks)
        found = {(tick, part_of[track]) for tick, track in self.fermatas if track in part_of}
        return tuple(sorted(found))


def _chords(data: bytes, texts: NDArray[np.void]) -> tuple[tuple[int, Chord | None], ...]:
    """Return the chord symbols among texts; those that are no chord are left out."""
    found: list[tuple[int, Chord | None]] = []
    for tick, _, _, first, size in texts.tolist():
        if size > LONGEST_CHORD or len(found) >= MOST_CHORDS:
            continue
        text = text_of_bytes(data[first : first + size])
        if text[: len(CHORD)].lower() == CHORD:
            with suppress(ValueError):
                found.append((tick, chord_named(text[len(CHORD) :])))
    return changes(found)


def _part_of(tracks: Sequence[int]) -> dict[int, int]:
    """Return the first part of each track."""
    return {track: part for part, track in reversed(list(enumerate(tracks)))}


def players_of(events: Events) -> list[tuple[int, int, int, bool]]:
    """Return track, channel, program and whether it is drums for each part.

    A part whose track has set no program has the last one that a track without notes on its
    channel has set for it.
    """
    first = np.full(len(events.parts), np.iinfo(np.int64).max)
    np.minimum.at(first, events.played["part"], events.played["onset"])
    marks = events.marks[np.argsort(events.marks["tick"], kind="stable")]
    programs, rhythms = marks[marks["kind"] == PLAYER], _rhythms(marks)
    plays = np.unique(_lines(events.parts["track"], events.parts["channel"]))
    programs = programs[~np.isin(_lines(programs["track"], programs["first"]), plays)]
    program_of, rhythm_of = _by_channel(programs), _by_channel(rhythms)
    players = []
    for (track, channel, program), tick in zip(events.parts.tolist(), first.tolist(), strict=True):
        if program == UNSET:
            program = _last(program_of[channel], tick, 0)
        drums = _last(rhythm_of[channel], tick, int(channel == DRUM_CHANNEL))
        players.append((track, channel, program, bool(drums)))
    return players


def _rhythms(marks: NDArray[np.void]) -> NDArray[np.void]:
    """Return the marks that say which channels play drums, in order.

    A bank of drum kits is one of GM2, or in a file for XG one of Yamaha's. The next other bank ends
    it, and a bank of melodic instruments ends drums on any channel.
    """
    kinds, banks = marks["kind"], marks["second"]
    kits = KITS + (XG_KITS if (kinds == YAMAHA).any() else ())
    said = kinds == RHYTHM
    marks = marks.copy()
    for channel in range(16):
        mine = np.flatnonzero((kinds == BANK) & (marks["first"] == channel))
        drums = np.isin(banks[mine], kits)
        melodic = banks[mine] == MELODIC
        ends = np.append(False, drums[:-1]) & ~drums
        said[mine] = drums | melodic | ends
        marks["second"][mine] = drums | (ends & ~melodic & (channel == DRUM_CHANNEL))
    return np.asarray(marks[said])


def _lines(track: NDArray[Any], channel: NDArray[Any]) -> NDArray[np.int64]:
    """Return track and channel in one number."""
    return np.asarray(track.astype(np.int64) * 16 + channel)


def _by_channel(marks: NDArray[np.void]) -> list[NDArray[np.void]]:
    return [marks[marks["first"] == channel] for channel in range(16)]


def _last(marks: NDArray[np.void], tick: int, default: int) -> int:
    """Return the value of the last mark up to a tick."""
    row = int(np.searchsorted(marks["tick"], tick, side="right")) - 1
    return default if row < 0 else int(marks["second"][row])


def text_of_bytes(text: bytes) -> str:
    """Return a text in UTF-8, Shift-JIS or Latin-1.

    Bytes from 128 to 159 are no characters in Latin-1; in Shift-JIS kana begin with some of them.
    """
    try:
        return text.decode()
    except UnicodeDecodeError:
        pass
    if any(0x80 < byte < 0xA0 for byte in text):
        try:
            japanese = text.decode("cp932")
        except UnicodeDecodeError:
            return text.decode("latin-1")
        wide = sum(letter > "\u3000" for letter in japanese)
        if any("\u3040" < letter < "\u3100" for letter in japanese) or 2 * wide > len(japanese):
            return japanese
    return text.decode("latin-1")
