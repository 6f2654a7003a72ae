"""Chord symbols: what stands above a lead sheet, such as ``Am7/G``.

A chord is a root, a kind and a bass. The kinds are those of MusicXML that are chords by themselves:
Neapolitan, Tristan, pedal and the like are not. Source: MusicXML 4.0, ``kind-value``, and the abc
music standard 2.1, section 4.18.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from seqgen_music.spelling import root_name


@dataclass(frozen=True)
class Kind:
    """A kind of chord.

    Attributes
    ----------
    suffix : str
        How it is written behind the root.
    above : tuple of int
        Semitones of its pitches above the root.
    also : tuple of str
        Other ways to write it.
    """

    suffix: str
    above: tuple[int, ...]
    also: tuple[str, ...] = ()


#: The kinds by their names in MusicXML. "a" and "d" are from the Nottingham collection.
KINDS = {
    "major": Kind("", (0, 4, 7), ("maj", "ma", "M", "major")),
    "minor": Kind("m", (0, 3, 7), ("min", "mi", "-", "minor")),
    "augmented": Kind("aug", (0, 4, 8), ("+", "a")),
    "diminished": Kind("dim", (0, 3, 6), ("o", "°", "d")),
    "dominant": Kind("7", (0, 4, 7, 10), ("dom7", "dom")),
    "major-seventh": Kind(
        "maj7", (0, 4, 7, 11), ("ma7", "M7", "Maj7", "j7", "Δ", "Δ7", "∆", "∆7", "^", "^7")
    ),
    "minor-seventh": Kind("m7", (0, 3, 7, 10), ("min7", "mi7", "-7")),
    "diminished-seventh": Kind("dim7", (0, 3, 6, 9), ("o7", "°7", "d7")),
    "augmented-seventh": Kind("aug7", (0, 4, 8, 10), ("+7", "7+", "7#5", "a7")),
    "half-diminished": Kind("m7b5", (0, 3, 6, 10), ("min7b5", "mi7b5", "-7b5", "ø", "ø7", "h7")),
    "major-minor": Kind("mmaj7", (0, 3, 7, 11), ("mM7", "mMaj7", "minmaj7", "-maj7", "-M7")),
    "major-sixth": Kind("6", (0, 4, 7, 9), ("maj6", "ma6", "M6", "69")),
    "minor-sixth": Kind("m6", (0, 3, 7, 9), ("min6", "mi6", "-6", "m69")),
    "dominant-ninth": Kind("9", (0, 2, 4, 7, 10)),
    "major-ninth": Kind("maj9", (0, 2, 4, 7, 11), ("ma9", "M9", "Maj9")),
    "minor-ninth": Kind("m9", (0, 2, 3, 7, 10), ("min9", "mi9", "-9")),
    "dominant-11th": Kind("11", (0, 2, 4, 5, 7, 10)),
    "major-11th": Kind("maj11", (0, 2, 4, 5, 7, 11), ("ma11", "M11")),
    "minor-11th": Kind("m11", (0, 2, 3, 5, 7, 10), ("min11", "mi11", "-11")),
    "dominant-13th": Kind("13", (0, 2, 4, 5, 7, 9, 10)),
    "major-13th": Kind("maj13", (0, 2, 4, 5, 7, 9, 11), ("ma13", "M13")),
    "minor-13th": Kind("m13", (0, 2, 3, 5, 7, 9, 10), ("min13", "mi13", "-13")),
    "suspended-second": Kind("sus2", (0, 2, 7)),
    "suspended-fourth": Kind("sus4", (0, 5, 7), ("sus", "7sus4", "7sus", "9sus4", "9sus")),
    "power": Kind("5", (0, 7)),
}

#: Kinds by what may stand behind a root.
SUFFIXES = {text: name for name, kind in KINDS.items() for text in (kind.suffix, *kind.also)}

#: What says that no chord sounds.
NO_CHORD = "N.C."

#: Longest chord symbol that is read.
LONGEST = 24

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
#: Semitones of signs; Nottingham writes "f+" for a bass on F sharp.
_SIGNS = {"": 0, "#": 1, "♯": 1, "+": 1, "b": -1, "♭": -1}
_CHORD = re.compile(r"(?P<root>[A-G])(?P<sign>[#b♯♭]?)(?P<kind>[^/]*)(?:/(?P<bass>.*))?")
_BASS = re.compile(r"(?P<root>[A-Ga-g])(?P<sign>[#b♯♭+]?)")
_ADDED = re.compile(r"(?:,|add|no|omit|[b#♭♯+-])(?:2|3|4|5|6|9|11|13)$|alt$")


@dataclass(frozen=True)
class Chord:
    """A chord.

    Attributes
    ----------
    root : int
        Pitch class, 0 for C.
    kind : str
        A name in `KINDS`.
    bass : int
        Pitch class; -1 stands for the root.
    """

    root: int
    kind: str = "major"
    bass: int = -1

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """The pitch classes, from the root up."""
        return tuple((self.root + above) % 12 for above in KINDS[self.kind].above)

    def moved(self, semitones: int) -> Chord:
        """Return the chord that is some semitones above."""
        bass = self.bass if self.bass < 0 else (self.bass + semitones) % 12
        return Chord((self.root + semitones) % 12, self.kind, bass)

    def name(self, sharps: int = 0) -> str:
        """Return the symbol, spelled near a key with this many sharps."""
        bass = f"/{_name(self.bass, sharps)}" if self.bass >= 0 else ""
        return f"{_name(self.root, sharps)}{KINDS[self.kind].suffix}{bass}"

    def __str__(self) -> str:
        return self.name()


def _name(pitch_class: int, sharps: int) -> str:
    return root_name(pitch_class, sharps).replace("-", "b")


def nearest_kind(kind: str, kinds: Sequence[str]) -> str:
    """Return the one of some kinds that shares most pitches with a kind; the first of several."""
    own = {*KINDS[kind].above}

    def likeness(other: str) -> float:
        theirs = {*KINDS[other].above}
        return len(own & theirs) / len(own | theirs)

    return max(kinds, key=likeness)


def chord_named(text: str) -> Chord | None:
    """Read a chord symbol such as ``Am7/G`` or ``F#dim``; None is "no chord", ``N.C.``.

    Notes that are added or altered are left out: ``E7b9`` is ``E7``. Of ``G(Em)`` the first counts.

    Raises
    ------
    ValueError
        If it is no chord symbol.
    """
    plain = text.strip().replace("6/9", "69")
    if re.fullmatch(r"(?i)n\.?\s?c\.?", plain):
        return None
    if plain.startswith("(") and plain.endswith(")"):
        plain = plain[1:-1].strip()
    found = _CHORD.fullmatch(plain) if len(plain) <= LONGEST else None
    kind = None if found is None else _kind(found["kind"])
    bass = None if found is None else _BASS.fullmatch((found["bass"] or "").strip())
    if found is None or kind is None or (bass is None and found["bass"] is not None):
        raise ValueError(f"expected a chord such as Am7 or C/E, found {text.strip()[:LONGEST]!r}")
    root = _pitch_class(found)
    low = root if bass is None else _pitch_class(bass)
    return Chord(root, kind, -1 if low == root else low)


def _pitch_class(found: re.Match[str]) -> int:
    return (_LETTERS[found["root"].upper()] + _SIGNS[found["sign"]]) % 12


def _kind(text: str) -> str | None:
    """Return the kind that a suffix names, without added notes; None if it names none."""
    tried = [re.sub(r"[()\s]", "", text), re.sub(r"\(.*", "", text).strip()]
    for plain in tried:
        shorter = plain
        while True:
            if shorter in SUFFIXES:
                return SUFFIXES[shorter]
            if shorter == (cut := _ADDED.sub("", shorter)):
                break
            shorter = cut
    return None
