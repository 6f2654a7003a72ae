"""Bars and metres: how long a bar is, which metre fits a length, and where an upbeat ends."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias

from seqgen_music.rounding import rounded

#: Numerator and denominator, such as (3, 4).
Metre: TypeAlias = tuple[int, int]

#: Denominators of metres, from a whole note to a 64th.
NOTE_VALUES = (1, 2, 4, 8, 16, 32, 64)


def bar_length(metre: Metre, quarter: int) -> int:
    """Return the length of a bar in ticks or steps, at least 1.

    Parameters
    ----------
    metre : (int, int)
    quarter : int
        Ticks or steps in a quarter note.
    """
    beats, unit = metre
    return max(4 * quarter * beats // unit, 1)


def beat_length(metre: Metre, quarter: int) -> int:
    """Return the length of a beat in ticks or steps, at least 1: in 6/8 a dotted quarter.

    Parameters
    ----------
    metre : (int, int)
    quarter : int
        Ticks or steps in a quarter note.
    """
    beats, unit = metre
    is_compound = unit >= 8 and beats > 3 and beats % 3 == 0
    return bar_length((3 if is_compound else 1, unit), quarter)


def metre_of(length: Fraction) -> Metre | None:
    """Return the metre of a bar, in quarters or shorter notes.

    None means that there is none: no metre has a bar of a third of a whole note.

    Parameters
    ----------
    length : Fraction
        In whole notes.
    """
    for unit in NOTE_VALUES:
        if unit >= 4 and (length * unit).denominator == 1:
            return int(length * unit), unit
    return None


def metre_name(metre: Metre) -> str:
    """Return a metre as text, such as ``3/4``."""
    beats, unit = metre
    return f"{beats}/{unit}"


def metre_named(text: str) -> Metre:
    """Read a metre such as 3/4, with a power of 2 below.

    Raises
    ------
    ValueError
        If the text is not a metre.
    """
    beats, _, unit = text.partition("/")
    parts = [part.strip() for part in (beats, unit)]
    if all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        above, below = map(int, parts)
        if above and below.bit_count() == 1:
            return above, below
    raise ValueError(f"expected a metre such as 3/4, found {text!r}")


def metre_and_upbeat(
    changes: Sequence[tuple[int, int, int]], quarter: int, steps: int
) -> tuple[Metre, int]:
    """Return the metre of the first full bar, and the steps of an upbeat before it.

    An upbeat is a first bar in a shorter metre of its own.

    Parameters
    ----------
    changes : sequence of (tick, numerator, denominator)
        The metres from tick 0 on.
    quarter, steps : int
        Ticks and steps in a quarter note.
    """
    first = changes[0][1:]
    if len(changes) > 1:
        length, second = changes[1][0], changes[1][1:]
        upbeat = int(rounded(length, steps, quarter))
        if length == bar_length(first, quarter) and upbeat < bar_length(second, steps):
            return second, upbeat
    return first, 0
