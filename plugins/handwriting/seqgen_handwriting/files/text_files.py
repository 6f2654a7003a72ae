"""Text files whose bad bytes cost only the line that they are in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from seqgen.errors import DataError
from seqgen_handwriting.ink import MOST_POINTS, MOST_STROKES

#: What stands for a byte that is not UTF-8.
BAD_BYTE = re.compile("[\udc80-\udcff]")

#: Limit of the commas of a drawing in JSON: three values for each point, and four lists per stroke.
MOST_COMMAS = 3 * MOST_POINTS + 4 * MOST_STROKES

#: Limit of its quotation marks.
MOST_QUOTES = 1_000_000


def opened_text(path: Path, newline: str | None = None) -> TextIO:
    """Open a file of UTF-8, or of UTF-16 with a byte order mark; bad bytes become `BAD_BYTE`."""
    with path.open("rb") as file:
        is_wide = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
    encoding = "utf-16" if is_wide else "utf-8-sig"
    return path.open(encoding=encoding, errors="surrogateescape", newline=newline)


def bounded_lines(file: TextIO, longest: int, most: int) -> Iterator[str | None]:
    """Yield the lines of a file; None in the place of one with `longest` characters or more.

    Raises
    ------
    DataError
        After `most` lines, if there are more.
    """
    number = 0
    while line := file.readline(longest):
        number += 1
        if number > most:
            raise DataError(f"it has more than {most:,} lines; split it")
        if len(line) < longest or line.endswith("\n"):
            yield line
            continue
        while len(line) == longest and not line.endswith("\n"):
            line = file.readline(longest)
        yield None


def check_json(text: str | bytes, most_lists: int) -> None:
    """Refuse JSON that would take far more memory than a drawing of `MOST_POINTS`.

    A list or a string takes 56 bytes, and two or three bytes in the text.

    Raises
    ------
    DataError
        If it has more lists and objects, commas or quotation marks.
    """
    lists = sum(_count(text, sign) for sign in "[{")
    for name, number, most in (
        ("lists", lists, most_lists),
        ("commas", _count(text, ","), MOST_COMMAS),
        ("quotation marks", _count(text, '"'), MOST_QUOTES),
    ):
        if number > most:
            raise DataError(
                f"it has {number:,} {name}; {most:,} is the most for {MOST_POINTS:,} points; "
                f"split it"
            )


def _count(text: str | bytes, sign: str) -> int:
    return text.count(sign) if isinstance(text, str) else text.count(sign.encode())
