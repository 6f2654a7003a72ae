"""Wording of messages: numbers with their noun ("1,200 pieces"), and what a mistyped name means."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable

#: Longest value that a message shows, in characters.
LONGEST_SHOWN = 400

#: Longest value that a message about its kind shows, in characters.
LONGEST_BRIEF = 100


def counted(number: int, noun: str) -> str:
    """Return a number with a noun that takes an s in the plural."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def shown(value: object) -> str:
    """Return the first line of a value as Python writes it, of at most `LONGEST_SHOWN` characters.

    `reprlib.repr` would leave out the middle of a short one, such as ``Criticism(faults=(1,),
    rarity=nan)``. It stands in for a value that cannot be written.
    """
    try:
        lines = repr(value).splitlines()
    except Exception:
        return reprlib.repr(value)
    first = lines[0] if lines else ""
    return f"{first[:LONGEST_SHOWN]} ..." if len(lines) > 1 or len(first) > LONGEST_SHOWN else first


def brief(value: object) -> str:
    """Return a value as Python writes it, or the name of its class if that is too long."""
    text = shown(value)
    return type(value).__name__ if len(text) > LONGEST_BRIEF or " at 0x" in text else text


def closest(name: str, known: Iterable[str]) -> str:
    """Return the known name that a mistyped or shortened one means; empty if none is close.

    The shortest that begins with it comes first: "temp" means "temperature".
    """
    import difflib

    names = list(known)
    longer = sorted((each for each in names if name and each.startswith(name)), key=len)
    return next(iter([*longer, *difflib.get_close_matches(name, names, 1)]), "")


def meant(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'music'?" for a mistyped name, or "" if nothing is close."""
    close = closest(name, known)
    return f"; did you mean {close!r}?" if close else ""
