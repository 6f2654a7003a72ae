"""The symbols of ABC music: a pattern that finds them, and what their numbers mean.

Source: The abc music standard 2.1, section 4.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import floor

from seqgen.errors import DataError
from seqgen_music.files.abc_fields import ACCIDENTALS

_LENGTH = r"[ ]?\d*(?:[ ]?/\d*)*"
# A fraction of a semitone may follow the sign: "^/c" or "_3/4e".
PITCH = r"(?:(?:\^\^|\^|__|_|=)(?:\d{0,2}/\d{0,2})?)?[A-Ga-g][,']*"
QUOTED = r'"[^"]*"'

# One symbol. The order matters: an inline field before a chord, an ending before a bar line.
SYMBOL = re.compile(
    rf"""
      (?P<space>[\s`$*\\;]+)
    | (?P<text>{QUOTED}?)
    | \[(?P<field>[A-Za-z]):(?P<value>[^\]\[]*)\]
    | \[\s*(?P<passes>\d+(?:[,\-]\d+)*)
    | (?P<bar>:*\.?\[?\|+\]?:*|:{{2,}}|\[\|?\])(?:\s*(?P<bar_passes>\d+(?:[,\-]\d+)*))?
    | \[(?P<chord>(?:{QUOTED}|[^\]\[|"])*)\](?P<chord_length>{_LENGTH})
    | (?P<note>{PITCH})(?P<length>{_LENGTH})
    | [zx](?P<rest>{_LENGTH})
    | [ZX][ ]?(?P<bars>\d*)
    | (?P<spacer>y\d*(?:/\d*)*)
    | (?P<tie>\.?-)
    | (?P<broken>>+|<+)
    | \((?P<tuplet>\d+(?::\d*){{0,2}})
    | (?P<slur>\.?\(|&?\))
    | (?P<overlay>&(?!\)))
    | \{{/?(?P<grace>[^}}{{]*)\}}
    | (?P<decoration>![^!\s|]+!|\+[^+\s|]+\+)
    | (?P<sign>[.~H-Wh-w])
    | (?P<old_line_break>!)
    """,
    re.VERBOSE,
)
NOTE = re.compile(rf"({PITCH})({_LENGTH})(\.?-)?")


def place_of(text: str) -> tuple[tuple[str, int], int | None]:
    """Return letter and octave of a note, and the nearest semitones of its accidental."""
    sign = text.rstrip(",'")[:-1]
    letter = text[len(sign)]
    octave = 5 + letter.islower() + text.count("'") - text.count(",")
    part = re.search(r"(\d*)/(\d*)$", sign)
    accidental = ACCIDENTALS.get(sign[: part.start()] if part else sign)
    if part and accidental is not None:
        exact = Fraction(accidental * int(part[1] or 1), int(part[2] or 2) or 2)
        accidental = floor(exact + Fraction(1, 2))
    return (letter.upper(), octave), accidental


def length_of(text: str) -> Fraction:
    """Return a length such as ``3/2``, ``/`` or ``//``, in units."""
    if not text:
        return Fraction(1)
    above, *below = text.replace(" ", "").split("/")
    if len(below) > 8:
        raise DataError(f"a note of length {text[:20]!r}")
    length = Fraction(number_of(above or "1"))
    for part in below:
        if not (divisor := number_of(part or "2")):
            raise DataError(f"a note of length {text[:20]!r}")
        length /= divisor
    return length


def number_of(text: str, default: int | None = None) -> int:
    """Return a number of up to four digits."""
    if re.fullmatch(r"\d{1,4}", text) and (default is not None or int(text) or text == "0"):
        return int(text)
    if default is not None:
        return default
    raise DataError(f"the number {text[:20]!r} is too large")


def passes_of(text: str) -> tuple[int, ...]:
    """Return the passes of an ending such as ``1,3`` or ``1-3``."""
    passes: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        passes += range(number_of(first), min(number_of(last or first), 16) + 1)
    return tuple(passes)
