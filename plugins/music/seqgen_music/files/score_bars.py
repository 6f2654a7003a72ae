"""A score as its readers write it down: bars of parts, before it becomes a piece."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from seqgen_music.bars import Metre
from seqgen_music.chords import Chord

#: Semitones above C of the letters of notes.
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

#: Letters of notes on the circle of fifths; C has no sharps.
FIFTHS = "FCGDAEB"


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes
    ----------
    sharps : int
        Flats are negative.
    minor : bool
    accidentals : dict of str to int
        Semitones by the capital letter of the note.
    """

    sharps: int
    minor: bool
    accidentals: dict[str, int]


def signature(sharps: int) -> dict[str, int]:
    """Return the semitones of each letter in a key with this many sharps."""
    return {letter: (sharps - place + 6) // 7 for place, letter in enumerate(FIFTHS)}


def moved_sharps(sharps: int, semitones: int, steps: int | None = None) -> int:
    """Return the sharps of a key that is moved by semitones.

    Where they are more than seven, the key is spelled as the one that sounds the same: E major
    moved up by four semitones is A flat, not G sharp.

    Parameters
    ----------
    sharps : int
        Of the key.
    semitones : int
    steps : int, optional
        By how many letters its notes move; by default the nearest number.
    """
    steps = round(semitones * 7 / 12) if steps is None else steps
    moved = sharps + 7 * semitones - 12 * steps
    return moved if abs(moved) <= 7 or moved == sharps else (moved + 6) % 12 - 6


@dataclass(slots=True)
class Sound:
    """A note of a bar.

    Attributes
    ----------
    at, length : Fraction
        From the start of the bar, in whole notes.
    pitch, velocity, program : int
    drums : bool
    tied : bool
        Whether the next note of this pitch goes on sounding.
    lane : tuple of (int, str)
        Staff and voice, where a part has several; each lane is a track.
    fermata : bool
        Whether it has a fermata.
    lyrics : tuple of (int, str)
        Number of the verse and syllable, as in `Music.lyrics`, of each verse that has one here.
    """

    at: Fraction
    length: Fraction
    pitch: int
    velocity: int
    program: int
    drums: bool
    tied: bool = False
    lane: tuple[int, str] = (0, "")
    fermata: bool = False
    lyrics: tuple[tuple[int, str], ...] = ()


@dataclass(slots=True)
class Bar:
    """What stands between two bar lines.

    Attributes
    ----------
    metre : (int, int) or None
    key : Key
    place : str
        Where it is in the file, such as ``line 6`` or ``bar 12``.
    sounds : list of Sound
    length : Fraction
        In whole notes.
    gap : Fraction
        By how much the notes and rests fall short of the same bar in other parts.
    keys, tempos, chords : list
        Changes within the bar: the place, and the key, the quarters per minute or the chord.
    pedals : list of (Fraction, bool)
        Where the sustain pedal moves, and whether it goes down.
    opens : bool
        Whether a repeated section begins here.
    closes : int
        How many times the section that ends here is repeated.
    ending : tuple of int
        The passes in which the ending that begins here is played; empty if none begins.
    section : bool
        Whether a double bar line follows.
    part : str
        The part that begins here, as in ``P:A``.
    """

    metre: Metre | None
    key: Key
    place: str
    sounds: list[Sound] = field(default_factory=list)
    length: Fraction = Fraction(0)
    gap: Fraction = Fraction(0)
    keys: list[tuple[Fraction, Key]] = field(default_factory=list)
    tempos: list[tuple[Fraction, float]] = field(default_factory=list)
    chords: list[tuple[Fraction, Chord | None]] = field(default_factory=list)
    pedals: list[tuple[Fraction, bool]] = field(default_factory=list)
    opens: bool = False
    closes: int = 0
    ending: tuple[int, ...] = ()
    section: bool = False
    part: str = ""
