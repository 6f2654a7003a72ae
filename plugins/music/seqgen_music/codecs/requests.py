"""Requests for a new piece in words, such as ``bars=8, metre=3/4``.

Each codec has a reader for the value of each name that it knows. `count`, `metre`, `number` and
`names` are readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from seqgen.errors import DataError
from seqgen_music.bars import Metre


def parse(
    condition: Any, known: Mapping[str, Callable[[str], Any]], example: str
) -> dict[str, Any]:
    """Return the requests by name.

    Parameters
    ----------
    condition : object
        Text of ``NAME=VALUE`` parts, separated by commas.
    known : mapping of str to callable
        The reader of each name. It raises ValueError with what it expected.
    example : str
        A condition that can be read, for messages.

    Raises
    ------
    DataError
        If the condition is not text, or a part of it has no name, an unknown or repeated name, or
        a value that cannot be read.
    """
    if not isinstance(condition, str):
        raise DataError(f"this codec follows words such as {example!r}, found {condition!r}")
    requests: dict[str, Any] = {}
    for part in condition.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or name not in known:
            raise DataError(
                f"cannot follow {part.strip()!r} in {condition!r}: expected NAME=VALUE, where "
                f"NAME is one of {', '.join(known)}, such as {example!r}"
            )
        if name in requests:
            raise DataError(f"{name} is given twice in {condition!r}; give it once")
        try:
            requests[name] = known[name](value)
        except ValueError as error:
            raise DataError(f"cannot follow {part.strip()!r} in {condition!r}: {error}") from error
    return requests


def count(text: str) -> int:
    """Read a whole number of at least 1."""
    if not (text.isascii() and text.isdigit()) or not int(text):
        raise ValueError(f"expected a whole number of at least 1, such as 8, found {text!r}")
    return int(text)


def number(text: str) -> float:
    """Read a number above 0, such as a tempo or seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"expected a number above 0, such as 90, found {text!r}")
    return value


def metre(text: str) -> Metre:
    """Read a metre such as 3/4, with a power of 2 below."""
    beats, _, unit = text.partition("/")
    parts = [part.strip() for part in (beats, unit)]
    if all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        above, below = map(int, parts)
        if above and below.bit_count() == 1:
            return above, below
    raise ValueError(f"expected a metre such as 3/4, found {text!r}")


def names(text: str) -> tuple[str, ...]:
    """Read names joined by +, such as ``piano+bass``."""
    found = tuple(name.strip() for name in text.split("+"))
    if not all(found):
        raise ValueError(f"expected names joined by +, such as piano+bass, found {text!r}")
    return found
