"""Drops symbols that a model does not know, or replaces them by the nearest known ones.

Unicode defines what is near: a composed or decomposed form, a compatible form, the base letter, the
digit, another sign of the same class of punctuation, the other case. For example, "ê" becomes "e".
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

#: How to treat unknown symbols: drop them, or take the nearest known ones.
Unknown: TypeAlias = Literal["skip", "nearest"]

#: The same, or raise an error.
OrError: TypeAlias = Literal["error", "skip", "nearest"]

#: Most changes listed one by one.
LISTED = 10

_SINGLE = "'’‘‛‚′`´ʼʻ‹›"
_DOUBLE = '"”“„‟″«»「」『』〝〞〟'

#: Signs of one class of punctuation, and their substitutes; the plainest first.
_CLASSES = (
    (_SINGLE, _DOUBLE),
    (_DOUBLE, _SINGLE),
    ("-–—−‐‑‒―⁃", ""),
    ("*•·∙‣●▪◦", "-"),
    ("/⁄∕÷", ""),
    ("x×", ""),
    (",،、", ""),
    (".。", ""),
    ("?¿؟", ""),
    ("!¡", ""),
    (":∶", ""),
    (";؛", ""),
    ("~∼˜", ""),
)

#: Letters that Unicode does not decompose.
_LETTERS = {
    "ß": "ss",
    "ẞ": "SS",
    "æ": "ae",
    "Æ": "AE",
    "œ": "oe",
    "Œ": "OE",
    "ĳ": "ij",
    "Ĳ": "IJ",
    "ı": "i",
    "ȷ": "j",
    "ð": "d",
    "Ð": "D",
    "þ": "th",
    "Þ": "Th",
    "ŋ": "n",
    "Ŋ": "N",
    "ĸ": "k",
    "ſ": "s",
    "ə": "e",
    "Ə": "E",
}

#: Line ends, and spaces between words.
_NEWLINES, _BLANKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", " \t"


@dataclass(frozen=True)
class Mended:
    """A piece without unknown symbols, and the changes that were made.

    Attributes
    ----------
    piece : piece
        A piece for `Codec.encode`.
    changes : mapping of (str, str) to int
        Number of times a symbol (first) became another (second), or "" if it was dropped.
    """

    piece: Any
    changes: Mapping[tuple[str, str], int] = field(default_factory=dict)


def mend_text(text: str, known: Collection[str], unknown: Unknown) -> Mended:
    """Return a text that has only known characters.

    Parameters
    ----------
    text : str
    known : collection of str
        The known characters.
    unknown : {"skip", "nearest"}
        Drop unknown characters, or take the nearest known ones where there are any.
    """
    known = frozenset(known)
    if known.issuperset(text):
        return Mended(text)
    parts, changes = [], Counter[tuple[str, str]]()
    # Cached for this text only: comparing alphabets takes longer than computing again.
    stand_in = functools.cache(functools.partial(nearest, known=known))
    for sign in text if unknown == "skip" else _clusters(text):
        kept = sign if known.issuperset(sign) else ""
        if not kept and unknown == "nearest":
            kept = stand_in(sign)
        if kept != sign:
            changes[sign, kept] += 1
        parts.append(kept)
    return Mended("".join(parts), changes)


def nearest(sign: str, known: frozenset[str]) -> str:
    """Return known characters for an unknown one with its accents, or ""."""
    forms = [unicodedata.normalize(form, sign) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    for written in forms:
        if written and known.issuperset(written):
            return written
    plain = [each for each in forms[-1] if not _is_mark(each)]
    found = [_stand_in(each, known) for each in plain]
    if all(found):
        return "".join(found)
    other = sign.swapcase()
    if other != sign:
        for form in ("NFC", "NFD"):
            if known.issuperset(written := unicodedata.normalize(form, other)):
                return written
    return "".join(
        one or "".join(_stand_in(part, known) for part in each.swapcase())
        for one, each in zip(found, plain, strict=True)
    )


def unknown_text(text: Sequence[str], unknown: Iterable[str]) -> str:
    """Return unknown symbols of a text, each with its first position: "'é' at position 3"."""
    places = sorted((text.index(symbol) + 1, symbol) for symbol in unknown)
    return _first([f"{symbol!r} at position {place:,}" for place, symbol in places])


def changes_text(changes: Mapping[tuple[str, str], int]) -> str:
    """Return the changes of unknown symbols in words, the most frequent first."""
    ordered = sorted(changes.items(), key=lambda item: (-item[1], item[0]))
    became = [f"{was!r} became {now!r} {_times(count)}" for (was, now), count in ordered if now]
    gone = [f"{was!r} {_times(count)}" for (was, now), count in ordered if not now]
    total = sum(count for (_, now), count in ordered if not now)
    parts = [_first(became)] if became else []
    if gone:
        were = "symbol was" if total == 1 else "symbols were"
        parts.append(f"{total:,} {were} left out: {_first(gone)}")
    return "; ".join(parts)


def changes_as_json(changes: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    """Return the changes of unknown symbols for JSON, the most frequent first."""
    ordered = sorted(changes.items(), key=lambda item: (-item[1], item[0]))
    return [{"symbol": was, "became": now, "count": count} for (was, now), count in ordered]


def _first(parts: list[str]) -> str:
    more = f", and {len(parts) - LISTED} others" if len(parts) > LISTED else ""
    return ", ".join(parts[:LISTED]) + more


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _clusters(text: str) -> Iterator[str]:
    """Yield each character with the combining marks after it."""
    begin = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not _joins(text[at]):
            yield text[begin:at]
            begin = at


def _joins(character: str) -> bool:
    """Return whether a character belongs to the one before it, such as an accent."""
    # Korean vowels and final consonants compose with the consonant before them.
    return _is_mark(character) or "\u1160" <= character <= "\u11ff"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _stand_in(sign: str, known: frozenset[str]) -> str:
    """Return known characters of the same case for a single character, or ""."""
    return next((one for one in _candidates(sign) if one and known.issuperset(one)), "")


def _candidates(sign: str) -> Iterator[str]:
    yield sign
    if sign in _NEWLINES:
        yield from _NEWLINES
    if sign in _BLANKS or unicodedata.category(sign) == "Zs":
        yield from _BLANKS
    for members, others in _CLASSES:
        if sign in members:
            yield from members + others
    yield _LETTERS.get(sign, "")
    if (digit := unicodedata.digit(sign, None)) is not None:
        yield str(digit)
    base, _, rest = unicodedata.name(sign, "").partition(" WITH ")
    if rest:
        try:
            yield unicodedata.lookup(base)
        except KeyError:
            return
