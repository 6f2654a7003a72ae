"""A text as words and the gaps between them, and a word as its lower case with a mark.

A word is a run of letters, digits, combining marks and underscores; it may have apostrophes inside.
A gap is everything between two words: blanks, punctuation, line ends.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Literal, TypeAlias

#: How a word is written: as it is, with one capital first, or in capitals.
Case: TypeAlias = Literal["", "cap", "upper"]

#: Characters that may be inside a word, such as that of "don't".
APOSTROPHES = "'\u2019"

#: Planes of Unicode with combining marks: up to U+1FFFF, and the variation selectors.
_MARKED = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))


@cache
def combining_marks() -> str:
    """Return all combining marks of Unicode."""
    points = (chr(point) for plane in _MARKED for point in plane)
    return "".join(each for each in points if unicodedata.category(each).startswith("M"))


@cache
def _word() -> re.Pattern[str]:
    letters = rf"[\w{combining_marks()}]+"
    return re.compile(rf"{letters}(?:[{APOSTROPHES}]{letters})*")


def split(text: str) -> Iterator[tuple[str, str]]:
    """Yield each gap with the word after it, which is empty at the end; joined, they are the text.

    The gap at the beginning may be empty, and that at the end.
    """
    stop = 0
    for found in _word().finditer(text):
        yield text[stop : found.start()], found[0]
        stop = found.end()
    yield text[stop:], ""


def word_characters(characters: Iterable[str]) -> set[str]:
    """Return those characters that may be in words."""
    return {each for each in characters if _word().match(each) or each in APOSTROPHES}


@lru_cache(2**16)
def uncased(word: str) -> tuple[Case, str]:
    """Return the case of a word and what `cased` makes the word of."""
    low = word.lower()
    if low != word:
        cases: tuple[Case, ...] = ("cap", "upper")
        for case in cases:
            if cased(case, low) == word:
                return case, low
    return "", word


def cased(case: Case, word: str) -> str:
    """Return a word with its capitals."""
    if case == "upper":
        return word.upper()
    return word[:1].upper() + word[1:] if case else word
