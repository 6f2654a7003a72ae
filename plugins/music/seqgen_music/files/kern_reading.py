"""Reading kern: spines become tracks, and rows of tokens sound together.

Source: The Humdrum user guide, https://www.humdrum.org/guide/, and
https://www.humdrum.org/rep/kern/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from seqgen.errors import DataError
from seqgen.plugin import Note
from seqgen_music.bars import NOTE_VALUES, Metre
from seqgen_music.files.alignment import name_lanes
from seqgen_music.files.assembling import MOST_BEATS, Part, assembled, disagreements
from seqgen_music.files.lyrics import syllable
from seqgen_music.files.notation_values import DYNAMICS, VELOCITY
from seqgen_music.files.score_bars import SEMITONES, Bar, Key, Sound
from seqgen_music.music import LONGEST_QUARTERS, Music

#: Most spines of a row, bars and notes.
MOST_SPINES, MOST_BARS, MOST_NOTES = 256, 2**16, 2**20

#: Programs of instrument codes such as ``*Ivioln``.
PROGRAMS = {
    "piano": 0,
    "cemba": 6,
    "organ": 19,
    "guitr": 24,
    "liuto": 24,
    "violn": 40,
    "viola": 41,
    "cello": 42,
    "cbass": 43,
    "arpa": 46,
    "vox": 52,
    "soprn": 52,
    "alto": 52,
    "tenor": 52,
    "bass": 52,
    "tromp": 56,
    "tromb": 57,
    "cor": 60,
    "sax": 66,
    "oboe": 68,
    "fagot": 70,
    "clars": 71,
    "clarn": 71,
    "flt": 73,
    "recdr": 74,
}

#: What spines beside those of notes have.
BESIDE = {"**dynam": "dynamics", "**text": "words", "**silbe": "words"}

_DURATION = re.compile(r"(\d{1,5})(?:%(\d{1,5}))?(\.*)")
_PITCH = re.compile(r"(([a-gA-G])\2*)(#{1,2}|-{1,2}|n)?")


@dataclass
class Staff:
    """A ``**kern`` spine of the start of the piece.

    Attributes
    ----------
    bars : list of Bar
    bar : Bar
        The bar that is being read.
    syllables : dict of int to str
        What the next note of the row sings in each verse.
    """

    bars: list[Bar]
    bar: Bar
    name: str = ""
    program: int = 0
    velocity: int = VELOCITY
    metre: Metre | None = None
    key: Key = Key(0, False, {})  # noqa: RUF009 (it is frozen)
    latest: Fraction = Fraction(0)
    syllables: dict[int, str] = field(default_factory=dict)


@dataclass
class Spine:
    """A column: of a staff, of one of the voices into which its spine has split, or of other data.

    Attributes
    ----------
    staff : Staff or None
        None if the data is not music.
    voice : int
    end : Fraction
        When its note ends.
    beside : str
        "dynamics" or "words" if it has those of the staff; empty for notes.
    verse : int
        The number of the verse of words.
    """

    staff: Staff | None
    voice: int = 1
    end: Fraction = Fraction(0)
    beside: str = ""
    verse: int = 0


def read_kern(text: str, play_repeats: bool = False) -> Iterator[Music | DataError | Note]:
    """Read the pieces of a file.

    Each ``**kern`` spine is a track, the last one first. All tokens of a row begin together. Two
    spines that are split into two voices throughout are four tracks. Grace notes are left out. The
    words of a spine are those of the ``**text`` or ``**silbe`` spines that follow it, a verse each.

    Yields
    ------
    Music, DataError or Note
        The pieces, and what does not add up.
    """
    lines = text.splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("**")]
    if not starts:
        raise DataError("the file has no **kern spine")
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        score = _Score()
        try:
            for number, line in enumerate(lines[start:stop], start + 1):
                score.line(line, number)
            parts = score.parts()
            piece = assembled(parts, play_repeats)
        except DataError as error:
            yield error
            continue
        if len(piece.notes):
            yield piece
        if faults := [*score.faults, *disagreements(parts)]:
            yield Note("; ".join(faults))


class _Score:
    """Reads the rows of a piece."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._spines: list[Spine] = []
        self._staves: list[Staff] = []
        self._begin = Fraction(0)
        self._notes = 0
        self._place = "the first bar"

    def parts(self) -> list[Part]:
        """Return the parts, the highest first."""
        self._bar_line("==")
        parts = [Part(staff.name, staff.bars) for staff in reversed(self._staves)]
        name_lanes([part.bars for part in parts])
        return parts

    def line(self, line: str, number: int) -> None:
        """Read a row.

        Raises
        ------
        DataError
            If it has another number of tokens than there are spines, or a token makes no sense.
        """
        if not line or line.startswith("!"):
            return
        tokens = line.split("\t")
        if line.startswith("**"):
            self._start(tokens)
            return
        if len(tokens) != len(self._spines):
            raise DataError(f"line {number:,}: {len(tokens)} tokens for {len(self._spines)} spines")
        try:
            if tokens[0].startswith("*"):
                self._interpretations(tokens)
            elif tokens[0].startswith("="):
                self._bar_line(tokens[0])
            else:
                self._row(tokens)
        except DataError as error:
            raise DataError(f"line {number:,}: {error}") from error

    def _start(self, tokens: list[str]) -> None:
        if len(tokens) > MOST_SPINES:
            raise DataError(f"{len(tokens):,} spines; {MOST_SPINES} is the most")
        staff, verse = None, 0
        for token in tokens:
            if token == "**kern":
                staff = Staff([], Bar(None, Key(0, False, {}), self._place))
                self._staves.append(staff)
                self._spines.append(Spine(staff))
                verse = 0
            elif token in BESIDE:
                verse += BESIDE[token] == "words"
                self._spines.append(Spine(staff, beside=BESIDE[token], verse=verse))
            else:
                self._spines.append(Spine(None))

    # Interpretations.

    def _interpretations(self, tokens: list[str]) -> None:
        for spine, token in zip(self._spines, tokens, strict=True):
            if spine.staff is not None and not spine.beside:
                self._interpretation(spine.staff, token)
        if {"*^", "*v", "*x", "*-", "*+"} & set(tokens):
            self._spines = self._paths(tokens)
            if len(self._spines) > MOST_SPINES:
                raise DataError(f"more than {MOST_SPINES} spines")

    def _paths(self, tokens: list[str]) -> list[Spine]:
        """Return the spines after they split, join, change places or end."""
        spines: list[Spine] = []
        exchanged: int | None = None
        for at, (spine, token) in enumerate(zip(self._spines, tokens, strict=True)):
            joins = token == "*v" and at and tokens[at - 1] == "*v"
            if token == "*-":
                continue
            if joins and spines[-1].staff is spine.staff and spines[-1].beside == spine.beside:
                spines[-1].end = max(spines[-1].end, spine.end)
                spines[-1].voice = min(spines[-1].voice, spine.voice)
                continue
            spines.append(spine)
            if token == "*^":
                spines.append(replace(spine, voice=spine.voice + 1))
            elif token == "*+":
                spines.append(Spine(None))
            elif token == "*x" and exchanged is None:
                exchanged = len(spines) - 1
            elif token == "*x" and exchanged is not None:
                spines[exchanged], spines[-1] = spines[-1], spines[exchanged]
                exchanged = None
        return spines

    def _interpretation(self, staff: Staff, token: str) -> None:
        at = self._now() - self._begin
        if found := re.fullmatch(r"\*M(\d{1,3})/(\d{1,2})(%\d)?", token):
            metre = int(found[1]), int(found[2])
            if not 0 < metre[0] <= MOST_BEATS or metre[1] not in NOTE_VALUES or found[3]:
                raise DataError(f"{token} is no metre that can be read")
            staff.metre = metre
            if not at:
                staff.bar.metre = metre
        elif found := re.fullmatch(r"\*k\[((?:[a-g](?:#|-|n))*)\]", token):
            sharps = found[1].count("#") - found[1].count("-")
            self._set_key(staff, Key(sharps, False, {}), at)
        elif found := re.fullmatch(r"\*([a-gA-G])[#-]?:.*", token):
            self._set_key(staff, Key(staff.key.sharps, found[1].islower(), {}), at)
        elif found := re.fullmatch(r"\*MM(\d{1,4}(?:\.\d{1,3})?)", token):
            if 4 <= float(found[1]) <= 4000:
                staff.bar.tempos.append((at, float(found[1])))
        elif token.startswith('*I"'):
            staff.name = token[3:].strip()[:80]
        elif token[2:].split("&")[0] in PROGRAMS and token.startswith("*I"):
            staff.program = PROGRAMS[token[2:].split("&")[0]]

    def _set_key(self, staff: Staff, key: Key, at: Fraction) -> None:
        staff.key = key
        if at:
            staff.bar.keys.append((at, key))
        else:
            staff.bar.key = key

    # Notes.

    def _now(self) -> Fraction:
        """Return when the next row begins: when the first of the sounding notes ends."""
        ends = [spine.end for spine in self._spines if spine.staff and not spine.beside]
        return min(ends, default=self._begin)

    def _row(self, tokens: list[str]) -> None:
        now = self._now()
        for spine, token in zip(self._spines, tokens, strict=True):
            if spine.staff is not None and spine.beside == "dynamics" and token in DYNAMICS:
                spine.staff.velocity = DYNAMICS[token]
            if spine.staff is not None and spine.beside == "words":
                spine.staff.syllables[spine.verse] = _syllable(token)
        for spine, token in zip(self._spines, tokens, strict=True):
            if spine.staff is None or spine.beside or token == "." or "q" in token.lower():
                continue
            if spine.end != now:
                self._complain(f"a token comes while the one before it sounds, in {self._place}")
            spine.end = now + self._token(spine, spine.staff, token, now)
            spine.staff.latest = max(spine.staff.latest, spine.end)
            if 4 * spine.end > LONGEST_QUARTERS:
                raise DataError(f"more than {LONGEST_QUARTERS:,} quarters")

    def _token(self, spine: Spine, staff: Staff, token: str, now: Fraction) -> Fraction:
        """Add the notes of a token, and return the length of the first."""
        lengths: list[Fraction] = []
        for part in token.split(" "):
            length = _length(part) or (lengths[0] if lengths else None)
            if length is None:
                raise DataError(f"expected a note or rest with a length, found {part[:20]!r}")
            lengths.append(length)
            pitch = None if "r" in part else _pitch(part)
            if pitch is not None:
                self._notes += 1
                if self._notes > MOST_NOTES:
                    raise DataError(f"more than {MOST_NOTES:,} notes")
                tied = "[" in part or "_" in part
                lane = (1, str(spine.voice))
                at = now - self._begin
                staff.bar.sounds.append(
                    Sound(
                        *(at, length, pitch, staff.velocity, staff.program, False),
                        *(tied, lane, ";" in token),
                        lyrics=tuple(filter(all, staff.syllables.items()))
                        if spine.voice == 1
                        else (),
                    )
                )
                if spine.voice == 1:
                    staff.syllables.clear()
        return lengths[0]

    def _complain(self, fault: str) -> None:
        if len(self.faults) < 3 and fault not in self.faults:
            self.faults.append(fault)

    # Bars.

    def _bar_line(self, token: str) -> None:
        """End the bar in all staves, where the longest of them ends."""
        end = max((staff.latest for staff in self._staves), default=self._begin)
        if end == self._begin:
            for staff in self._staves:
                if staff.bars:
                    _mark(staff.bars[-1], token)
                staff.bar.opens |= "|:" in token
            self._name_bar(token)
            return
        for staff in self._staves:
            staff.bar.length = end - self._begin
            staff.bar.gap = end - max(staff.latest, self._begin)
            _mark(staff.bar, token)
            staff.bars.append(staff.bar)
            if len(staff.bars) > MOST_BARS:
                raise DataError(f"more than {MOST_BARS:,} bars")
            staff.bar = Bar(staff.metre, staff.key, "")
            staff.bar.opens = "|:" in token
            staff.latest = end
        for spine in self._spines:
            spine.end = end
        self._begin = end
        self._name_bar(token)

    def _name_bar(self, token: str) -> None:
        found = re.match(r"=+(\d{1,6})", token)
        self._place = f"bar {found[1]}" if found else f"the bar after {self._place}"[:60]
        for staff in self._staves:
            staff.bar.place = self._place


def _mark(bar: Bar, token: str) -> None:
    bar.closes = max(bar.closes, int(":|" in token))
    bar.section |= "||" in token or token.startswith("==") or ":|" in token


def _syllable(token: str) -> str:
    """Return a token of words as `Music.lyrics` has it; empty if none begins here.

    A hyphen joins syllables: ``Hal-``, ``-le-``, ``-lu-``, ``-jah``. A lone sign goes on singing.
    """
    text = token.strip()
    plain = text.strip("-").rstrip("_|").strip()
    return syllable(plain, text.endswith("-")) if plain and text != "." else ""


def _length(token: str) -> Fraction | None:
    """Return a length in whole notes: 4 is a quarter, 0 two whole notes, 3%2 two thirds."""
    found = _DURATION.search(token)
    if found is None:
        return None
    if set(found[1]) == {"0"}:
        length = Fraction(2 ** min(len(found[1]), 4))
    elif found[2] and not int(found[2]):
        return None
    else:
        length = Fraction(int(found[2] or 1), int(found[1]))
    return length * (2 - Fraction(1, 2 ** min(len(found[3]), 8)))


def _pitch(token: str) -> int | None:
    """Return the MIDI pitch of a token; None if it has none."""
    found = _PITCH.search(token)
    if found is None:
        return None
    letters, letter = found[1], found[2]
    octave = 5 + len(letters) - 1 if letter.islower() else 5 - len(letters)
    alter = {"#": 1, "-": -1}.get((found[3] or "n")[0], 0) * len(found[3] or "")
    pitch = SEMITONES[letter.upper()] + 12 * octave + alter
    return pitch if 0 <= pitch < 128 else None
