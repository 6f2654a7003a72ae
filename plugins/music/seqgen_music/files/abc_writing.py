"""Writing ABC: tunes, lead sheets and scores as text.

The piece is laid out as for MusicXML. Source: The abc music standard 2.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from seqgen.files import write_atomic
from seqgen_music.bars import NOTE_VALUES, Metre, bar_length, beat_length, metre_name
from seqgen_music.files.abc_fields import ACCIDENTALS
from seqgen_music.files.lyrics import written
from seqgen_music.files.notated_voices import Segment, cut, score_lines, voices_of, written_metres
from seqgen_music.files.notation_grid import GRID, on_grid
from seqgen_music.files.score_bars import signature
from seqgen_music.music import DRUM_CHANNEL, Music
from seqgen_music.spelling import key_name, spelled

#: The unit length is an eighth.
UNIT = GRID // 2

#: Bars in a line, and characters of a line of words.
BARS, LONGEST_WORDS = 4, 800

#: Tuplets: so many notes take the time of so many.
TUPLETS = ((3, 2), (5, 4))

#: Text and kind of syllables by place.
Syllables: TypeAlias = dict[int, tuple[str, str]]

#: Stands for all octaves of a letter.
ANY = -99

_SIGNS = {semitones: sign for sign, semitones in ACCIDENTALS.items()}


def write_abc(music: Music, path: Path) -> None:
    """Write a tune, see `abc`."""
    write_atomic(path, abc(music))


def abc(music: Music) -> str:
    """Return a piece as one tune of ABC.

    It has the notes of `on_grid`, metre, key, tempo, chord symbols, verses, fermatas, and name
    and program of each track. Tracks are voices; notes that overlap in a track are overlays
    (``&``). Loudness and pedals are lost.
    """
    notated = on_grid(music)
    lines = score_lines(music, notated)
    metres = _usual(written_metres(notated))
    beams = {tick: _beam(metre) for tick, metre in metres.items()}
    tempos = {tick: f"1/4={qpm:.6g}" for tick, qpm in notated.tempo_changes().tolist()}
    played = [number for number in range(len(music.tracks)) if _plays(notated, number)]
    title = music.tracks[played[0]].label if played else ""
    head = ["X:1", f"T:{_plain(title) or 'Untitled'}"]
    head += [f"M:{metre_name(metres.pop(0, (4, 4)))}", "L:1/8", f"Q:{tempos.pop(0)}"]
    names = [_plain(music.tracks[number].label) for number in played]
    head += [f'V:{at} name="{name}"' if name else f"V:{at}" for at, name in enumerate(names, 1)]
    keys = {tick: key_name(sharps, minor) for tick, sharps, minor in notated.keys}
    head.append(f"K:{keys.pop(0, 'C')}")
    fields = _fields(("M", {tick: metre_name(each) for tick, each in metres.items()}), ("K", keys))
    body = list[str]()
    for at, number in enumerate(played, 1):
        track = music.tracks[number]
        body.append(f"V:{at}")
        body += [f"%%MIDI channel {DRUM_CHANNEL + 1}"] if track.drums else []
        body += [f"%%MIDI program {track.program}"] if track.program else []
        above = _above(notated, tempos) if at == 1 else {}
        body += _Voice(notated, number, lines, fields, above, beams).lines()
    return "\n".join([*head, *body]) + "\n"


def _plays(music: Music, number: int) -> bool:
    return bool((music.notes["track"] == number).any())


def _plain(text: str) -> str:
    """Return a text without the signs that mean something in a field."""
    return " ".join(text.replace('"', "'").replace("%", "").replace("\\", "").split())


def _usual(metres: Mapping[int, Metre]) -> dict[int, Metre]:
    """Return the metres that ABC has."""
    return {tick: metre for tick, metre in metres.items() if metre[1] in NOTE_VALUES}


def _beam(metre: Metre) -> int:
    """Return the length in which notes share a beam: in 3/8 and 6/8 a dotted quarter."""
    beats, unit = metre
    compound = beats % 3 == 0 and unit >= 8
    return bar_length((3, unit), GRID) if compound else max(beat_length(metre, GRID), GRID)


def _fields(*kinds: tuple[str, Mapping[int, str]]) -> dict[int, str]:
    """Return inline fields by place."""
    found: dict[int, str] = {}
    for letter, values in kinds:
        for tick, value in values.items():
            found[tick] = f"{found.get(tick, '')}[{letter}:{value}]"
    return found


def _above(music: Music, tempos: Mapping[int, str]) -> dict[int, str]:
    """Return what stands before notes of the first voice by place: tempos and chord symbols."""
    found = _fields(("Q", tempos))
    for tick, name in music.chord_symbols():
        found[tick] = f'{found.get(tick, "")}"{name}"'
    return found


class _Voice:
    """Writes a track of a piece on the grid, bar by bar.

    Parameters
    ----------
    music : Music
    number : int
        The track.
    bars : list of int
        The bar lines.
    fields : dict of int to str
        Inline fields at bar lines.
    above : dict of int to str
        What stands before notes, by place.
    beams : dict of int to int
        The length in which notes share a beam, by the place from which it holds.
    """

    def __init__(
        self,
        music: Music,
        number: int,
        bars: list[int],
        fields: dict[int, str],
        above: dict[int, str],
        beams: dict[int, int],
    ) -> None:
        self._bars, self._fields, self._above, self._beams = bars, fields, above, beams
        self._beam = GRID
        notes = music.notes[music.notes["track"] == number]
        held = {at for at, track in music.fermatas if track == number}
        first, *others = voices_of(notes)
        self._voices = [cut(first, bars, held, sorted(above))]
        self._voices += [cut(voice, bars, held) for voice in others]
        self._signatures = {tick: sharps for tick, sharps, _ in music.keys}
        self._sharps = 0
        self._verses = [
            {tick: _syllable(*kind) for tick, kind in syllables.items()}
            for syllables in _in_turn(written(music, number))
        ]
        # Accidentals of the bar by letter and octave, and by letter alone: programs do not agree on
        # how far an accidental holds.
        self._signs: dict[tuple[str, int], int] = {}
        self._tied: dict[tuple[str, int], int] = {}

    def lines(self) -> Iterator[str]:
        """Yield lines of music, each followed by its words."""
        count = len(self._bars) - 1
        for first in range(0, count, BARS):
            numbers = range(first, min(first + BARS, count))
            bars = [self._bar(number) for number in numbers]
            yield " | ".join(bars) + (" |" if first + BARS < count else " |]")
            lines = [
                [word for number in numbers for word in self._words_of(number, verse)]
                for verse in self._verses
            ]
            while lines and all(word == "*" for word in lines[-1]):
                lines.pop()
            for words in lines:
                yield from _word_lines(words)

    def _bar(self, number: int) -> str:
        start = self._bars[number]
        self._sharps = self._signatures.get(start, self._sharps)
        self._beam = self._beams.get(start, self._beam)
        self._signs = dict(self._tied)
        self._tied = {}
        heard = [
            voice[number]
            for at, voice in enumerate(self._voices)
            if not at or any(segment.sound for segment in voice[number])
        ]
        written = [
            self._music(segments, start, self._above if not at else {})
            for at, segments in enumerate(heard)
        ]
        return self._fields.get(start, "") + " & ".join(written)

    def _music(self, segments: list[Segment], start: int, above: Mapping[int, str]) -> str:
        """Return the notes and rests of a voice in a bar, tuplets together."""
        text = ""
        for (_, notes), group in groupby(segments, self._group):
            some = list(group)
            text += " " * bool(text)
            for at, segment in enumerate(some):
                text += above.get(start + segment.offset, "")
                if notes and not at:
                    text += f"({notes}:{dict(TUPLETS)[notes]}:{len(some)}"
                text += self._segment(segment, notes)
        return text

    def _group(self, segment: Segment) -> tuple[int, int]:
        """Return what notes that are written together have in common: a beam, or a tuplet."""
        notes = _tuplet(segment.length)
        return segment.offset // (GRID if notes else self._beam), notes

    def _segment(self, segment: Segment, notes: int) -> str:
        factor = Fraction(notes, dict(TUPLETS)[notes]) if notes else Fraction(1)
        length = _length(Fraction(segment.length, UNIT) * factor)
        if not segment.sound:
            return f"z{length}"
        goes_on = segment.tie in ("start", "continue")
        names = [self._note(pitch, goes_on) for pitch, _ in segment.sound]
        chord = names[0] if len(names) == 1 else f"[{''.join(names)}]"
        return f"{'!fermata!' * segment.fermata}{chord}{length}{'-' * goes_on}"

    def _note(self, pitch: int, goes_on: bool) -> str:
        """Return a pitch with its accidental, unless it has the same one for all programs."""
        name, octave = spelled(pitch, self._sharps)
        letter, alter = name[0], name.count("#") - name.count("-")
        usual = signature(self._sharps)[letter]
        # An overlay forgets them, or does not.
        known = {self._signs.get((letter, one), usual) for one in (octave, ANY)}
        known |= {usual} if len(self._voices) > 1 else set()
        sign = "" if known == {alter} else _SIGNS[alter]
        if sign:
            self._signs[letter, octave] = self._signs[letter, ANY] = alter
        if goes_on:
            self._tied[letter, octave] = alter
        if octave > 4:
            return f"{sign}{letter.lower()}{(octave - 5) * chr(39)}"
        return f"{sign}{letter}{(4 - octave) * ','}"

    def _words_of(self, number: int, verse: Mapping[int, str]) -> Iterator[str]:
        for segment in self._voices[0][number]:
            if segment.sound:
                begins = segment.tie in ("", "start")
                yield verse.get(self._bars[number] + segment.offset, "*") if begins else "*"


def _in_turn(verses: Mapping[int, Syllables]) -> list[Syllables]:
    """Return the verses from the first to the last: the lines of words have no numbers."""
    return [verses.get(verse, {}) for verse in range(1, max(verses, default=0) + 1)]


def _tuplet(length: int) -> int:
    """Return the notes of the tuplet that a length is in; 0 if it is in none."""
    written = Fraction(length, UNIT)
    if written.denominator.bit_count() == 1:
        return 0
    fitting = (n for n, time in TUPLETS if (written * n / time).denominator.bit_count() == 1)
    return next(fitting, 0)


def _length(units: Fraction) -> str:
    above = "" if units.numerator == 1 else str(units.numerator)
    return above + (f"/{units.denominator}" if units.denominator > 1 else "")


def _syllable(text: str, kind: str) -> str:
    """Return a syllable as it stands in a line of words."""
    plain = re.sub(r"[_*|%\\]", "", text).replace("-", "\\-").replace(" ", "~")
    return (plain or "*") + ("-" if plain and kind in ("begin", "middle") else "")


def _word_lines(words: Iterable[str]) -> Iterator[str]:
    """Yield words as fields, the first with ``w:`` and those that go on with ``+:``."""
    line = "w:"
    for word in words:
        if len(line) + len(word) > LONGEST_WORDS:
            yield line
            line = "+:"
        line += f" {word}"
    yield line
