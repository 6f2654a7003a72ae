"""Letters and words of what is said."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from seqgen_speech.sound import GAP, PAUSES, Sound, Times


def words_of(times: Times) -> list[tuple[str, float, float]]:
    """Return the words of symbols with times, each with its begin and end; no gaps and pauses."""
    words: list[tuple[str, float, float]] = []
    is_open = False
    for symbol, begin, end in times:
        if symbol == GAP or symbol in PAUSES:
            is_open = False
        elif is_open:
            words[-1] = words[-1][0] + symbol, words[-1][1], end
        else:
            words.append((symbol, begin, end))
            is_open = True
    return words


def sounded(symbols: Iterable[str]) -> str:
    """Return symbols, or the letters of a text, without gaps and pauses."""
    return "".join(symbol for symbol in symbols if symbol != GAP and symbol not in PAUSES)


def has_letters(sound: Sound) -> bool:
    """Return whether the symbols with times are the letters of the text, small or capital."""
    symbols = (symbol for symbol, *_ in timed_letters(sound.times))
    return sounded(symbols) == sounded(letters_of(sound.text))


def timed_letters(times: Times) -> Times:
    """Return letters with times in the form of `letters_of`, which leaves some signs out."""
    small = (symbol if symbol == GAP else letters_of(symbol) for symbol, *_ in times)
    found = zip(small, times, strict=True)
    return tuple((symbol, begin, end) for symbol, (_, begin, end) in found if symbol)


def letters_of(text: str) -> str:
    """Return a text in small letters, digits, pauses and single gaps, without other signs.

    Marks that combine with letters stay: they are vowels of Hindi, Thai and Hebrew.
    """
    small = unicodedata.normalize("NFC", text).lower()
    kept = (sign if _is_said(sign) else GAP * sign.isspace() for sign in small)
    return " ".join("".join(kept).split())


def _is_said(sign: str) -> bool:
    return sign.isalnum() or sign in PAUSES or unicodedata.category(sign).startswith("M")
