"""What a user may ask of a new piece in words, such as ``bars=16, metre=3/4``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from seqgen.errors import DataError


def read_condition(
    condition: Any, readers: Mapping[str, Callable[[str], Any]], example: str
) -> dict[str, Any]:
    """Return what a condition names, by name.

    Parameters
    ----------
    condition : object
        Text: ``name=value``, separated by commas.
    readers : mapping of str to callable
        What reads the value of each name; a `ValueError` says what it expected.
    example : str
        A condition that would be understood, for messages.

    Raises
    ------
    DataError
        If it is no text, or names something twice, unknown, or with a value that is not understood.
    """
    if not isinstance(condition, str):
        raise DataError(f"what is given is words here, such as {example!r}; found {condition!r}")
    wanted: dict[str, Any] = {}
    for part in condition.split(","):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in readers or name in wanted:
            reason = "is given twice" if name in wanted else "is not known"
            raise DataError(
                f"{name!r} {reason} in {condition!r}; known are {', '.join(readers)}: {example!r}"
            )
        try:
            wanted[name] = readers[name](value)
        except ValueError as error:
            raise DataError(
                f"{name}={value} is not understood: {error}; try {example!r}"
            ) from error
    return wanted


def positive_number(text: str) -> float:
    """Read a number above 0.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError("expected a number above 0")
    return number


def positive_count(text: str) -> int:
    """Read a whole number above 0.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not (text.isdecimal() and int(text)):
        raise ValueError("expected a whole number above 0")
    return int(text)
