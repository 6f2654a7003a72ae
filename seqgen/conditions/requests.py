"""Requests for a new piece in words, such as ``composer=bach, bars=8``.

A codec declares what can be requested (`seqgen.plugin.Codec.requests`); the core adds labels. Help,
`seqgen info` and errors come from these declarations. `count`, `number` and `names` are readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from seqgen.errors import DataError
from seqgen.wording import meant, shown

#: Largest number of values that a message lists.
MOST_LISTED = 20

#: Largest whole number that can be requested, such as bars of a piece.
MOST_COUNT = 100_000


@dataclass(frozen=True)
class Request:
    """What can be requested under one name.

    Attributes
    ----------
    about : str
        One sentence.
    example : str
        A value that can be requested.
    read : callable, optional
        Reads a value from text, and raises ValueError with what it expected. Without it the text
        must be one of `values`.
    values : mapping of str to object
        Everything that can be requested: names, and what they mean. If it is empty, all that `read`
        accepts can be requested.
    """

    about: str
    example: str
    read: Callable[[str], Any] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def value(self, text: str) -> Any:
        """Return the requested value.

        Raises
        ------
        ValueError
            With what was expected.
        """
        if self.read is None:
            if text in self.values:
                return self.values[text]
        else:
            found = self.read(text)
            if not self.values or found in self.values.values():
                return found
        raise ValueError(f"this model knows {listed(self.values)}{meant(text, self.values)}")

    @property
    def offer(self) -> str:
        """The values, or an example, in one line."""
        return listed(self.values) if self.values else f"such as {self.example}"


def parse(condition: Any, known: Mapping[str, Request]) -> dict[str, Any]:
    """Return the requested values by name.

    Parameters
    ----------
    condition : object
        Text of ``NAME=VALUE`` parts, separated by commas. None requests nothing.
    known : mapping of str to Request

    Raises
    ------
    DataError
        If the condition is not text, or a part of it has no name, an unknown or repeated name, or
        a value that cannot be requested.
    """
    if condition is None:
        return {}
    if not isinstance(condition, str):
        raise DataError(f"this codec follows words such as {example(known)!r}, found {condition!r}")
    requested: dict[str, Any] = {}
    for part in condition.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or name not in known:
            raise DataError(
                f"cannot follow {part.strip()!r} in {condition!r}: expected NAME=VALUE, where "
                f"NAME is one of {', '.join(known)}, such as {example(known)!r}{meant(name, known)}"
            )
        if name in requested:
            raise DataError(f"{name} is given twice in {condition!r}; give it once")
        try:
            requested[name] = known[name].value(value)
        except ValueError as error:
            raise DataError(f"cannot follow {part.strip()!r} in {condition!r}: {error}") from error
    return requested


def example(known: Mapping[str, Request]) -> str:
    """Return text that requests an example of each."""
    return ", ".join(f"{name}={request.example}" for name, request in known.items())


def listed(values: Iterable[str]) -> str:
    """Return the first values in one line."""
    names = list(values)
    return ", ".join([*names[:MOST_LISTED], *["..."] * (len(names) > MOST_LISTED)])


def count(text: str) -> int:
    """Read a whole number from 1 to `MOST_COUNT`."""
    digits = text.lstrip("0") if text.isascii() and text.isdigit() else ""
    if not digits or len(digits) > len(str(MOST_COUNT)) or int(digits) > MOST_COUNT:
        raise ValueError(
            f"expected a whole number from 1 to {MOST_COUNT:,}, such as 8, found {shown(text)}"
        )
    return int(digits)


def number(text: str) -> float:
    """Read a number above 0, such as a tempo or seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"expected a number above 0, such as 90, found {text!r}")
    return value


def names(text: str) -> tuple[str, ...]:
    """Read names joined by +, such as ``piano+bass``."""
    found = tuple(name.strip() for name in text.split("+"))
    if not all(found):
        raise ValueError(f"expected names joined by +, such as piano+bass, found {text!r}")
    return found
