"""Macros of ABC (``m:``): what stands for a note and its ornament.

A static macro such as ``m:~G3 = G{A}G{F}G`` stands for itself. In a transposing one, such as
``m:~n3 = n{o}n{m}n``, n is any note, and the letters from h to z are as many steps above or below.
Source: The abc music standard 2.1, section 9.
"""

from __future__ import annotations

import re
from functools import partial

from seqgen.errors import DataError
from seqgen_music.files.abc_symbols import PITCH, QUOTED

#: Most macros of a tune, characters of one, and characters of a line that has some.
MOST_MACROS, LONGEST_MACRO, LONGEST_LINE = 64, 200, 2**14

#: What no macro changes: texts in quotes, inline fields and decorations.
_UNCHANGED = rf"{QUOTED}|\[[A-Za-z]:[^\]\[]*\]|![^!\s|]+!"

#: The letters of a scale from low to high, and the one that is the note itself.
_SCALE, _SELF = "CDEFGAB", "n"


class Macros:
    """The macros of a tune."""

    def __init__(self) -> None:
        self._macros: list[tuple[re.Pattern[str], str]] = []

    def define(self, field: str) -> None:
        """Add the macro of a field.

        Raises
        ------
        DataError
            If there are too many, or one is too long.
        """
        left, equals, right = (part.strip() for part in field.partition("="))
        if not left or not equals:
            return
        if len(self._macros) >= MOST_MACROS or len(left) + len(right) > LONGEST_MACRO:
            raise DataError(
                f"more than {MOST_MACROS} macros, or one of more than {LONGEST_MACRO} characters"
            )
        before, is_transposing, after = left.partition(_SELF)
        note = PITCH if is_transposing else ""
        pattern = f"{re.escape(before)}(?P<note>{note}){re.escape(after)}"
        # A macro of a length is not that of a longer one: ~G3 does not stand in ~G32.
        self._macros.append((re.compile(rf"{pattern}(?![\d/,'])|{_UNCHANGED}"), right))

    def expanded(self, line: str) -> str:
        """Return a line of music with what its macros stand for; later macros come first.

        Raises
        ------
        DataError
            If the line becomes too long.
        """
        for pattern, right in reversed(self._macros):
            line = pattern.sub(partial(_written, right), line)
            # Macros that stand in others could grow without end.
            if len(line) > LONGEST_LINE:
                raise DataError(f"a line with macros has more than {LONGEST_LINE:,} characters")
        return line


def _written(right: str, found: re.Match[str]) -> str:
    """Return what a macro stands for at a note; a static one has none."""
    note = found["note"]
    if note is None:
        return found[0]
    if not note:
        return right
    return re.sub("[h-z]", lambda letter: _steps(note, ord(letter[0]) - ord(_SELF)), right)


def _steps(note: str, steps: int) -> str:
    """Return the note that is some steps of the scale above; only the note itself has a sign."""
    if not steps:
        return note
    plain = note.lstrip("^_=0123456789/")
    octave = plain[0].islower() + plain.count("'") - plain.count(",")
    octaves, place = divmod(_SCALE.index(plain[0].upper()) + steps, len(_SCALE))
    octave += octaves
    return _SCALE[place] + "'" * octave + "," * -octave
