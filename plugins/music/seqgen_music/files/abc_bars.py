"""Bars of an ABC voice, and what holds for its next notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from seqgen_music.bars import Metre
from seqgen_music.files.abc_fields import Key


@dataclass(slots=True)
class Sound:
    """A note of a bar.

    Attributes
    ----------
    at, length : Fraction
        From the start of the bar, in whole notes.
    pitch, velocity, program : int
    drums : bool
    place : tuple of (str, int)
        Letter and octave as written.
    tied : bool
        Whether the next note of this pitch goes on sounding.
    """

    at: Fraction
    length: Fraction
    pitch: int
    velocity: int
    program: int
    drums: bool
    place: tuple[str, int]
    tied: bool = False


@dataclass(slots=True)
class Bar:
    """What stands between two bar lines.

    Attributes
    ----------
    metre : (int, int) or None
    key : Key
    line : int
        Line of the file where the bar begins.
    sounds : list of Sound
    length : Fraction
        In whole notes.
    keys, tempos : list
        Changes within the bar: the place, and the key or the quarters per minute.
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
    line: int
    sounds: list[Sound] = field(default_factory=list)
    length: Fraction = Fraction(0)
    keys: list[tuple[Fraction, Key]] = field(default_factory=list)
    tempos: list[tuple[Fraction, float]] = field(default_factory=list)
    opens: bool = False
    closes: int = 0
    ending: tuple[int, ...] = ()
    section: bool = False
    part: str = ""


@dataclass
class Setting:
    """What holds for the next notes of a voice.

    Attributes
    ----------
    key : Key
    metre : (int, int) or None
    unit : Fraction
        Unit length, in whole notes.
    shift : int
        Semitones between written and sounding notes, by clef, octave and transposition.
    midi_shift : int
        Semitones that ``%%MIDI transpose`` adds.
    program, velocity : int
    channel_drums : bool
        Whether the pitches are drums, as on MIDI channel 10.
    staff : dict of (str, int) to int, or None
        The drum at each place of a percussion staff.
    accidentals : str
        How far an accidental holds: ``not``, ``octave`` or ``pitch``.
    """

    key: Key
    metre: Metre | None
    unit: Fraction
    velocity: int
    shift: int = 0
    midi_shift: int = 0
    program: int = 0
    channel_drums: bool = False
    staff: dict[tuple[str, int], int] | None = None
    accidentals: str = "pitch"
