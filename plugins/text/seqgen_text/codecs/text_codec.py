"""What the codecs of text share: their default temperature, places and units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids
from seqgen.unknown import unknown_text

#: Fewest tokens for each paragraph of a text in which paragraphs are its beginnings.
FEWEST = 10_000


class TextCodec(Codec):
    """A codec whose pieces are text, shown while they are written."""

    # Chosen by counting faults: docs/sampling.md.
    temperature: float = 0.8

    def text_stream(self) -> Callable[[int], str]:
        """Return a function from the next id to the text that it adds."""
        raise NotImplementedError

    def decode(self, ids: Ids) -> str:
        """Return the text that `text_stream` shows."""
        return "".join(map(self.text_stream(), np.asarray(ids).tolist()))

    @cached_property
    def _line_ends(self) -> tuple[NDArray[np.int8], NDArray[np.bool_], NDArray[np.bool_]]:
        """How many newlines end the name of each token, at most two; whether it has only those; and
        whether it begins with a blank. What adds newlines is named by its text.
        """
        ends = [min(len(name) - len(name.rstrip("\n")), 2) for name in self.vocab]
        only = [name.strip("\n") == "" for name in self.vocab]
        blank = [name[:1].isspace() for name in self.vocab]
        return np.array(ends, np.int8), np.array(only), np.array(blank)

    def beginnings(self, ids: Ids) -> Ids:
        """Return where paragraphs begin: after an empty line, without indentation.

        In a text with few of these (`FEWEST`), lines begin there.
        """
        ends, only, blank = self._line_ends
        if len(ids) < 2:
            return np.zeros(0, np.int64)
        before = ends[ids[:-1]]  # (N - 1,), of the token before each position from 1 on
        is_second = np.append(False, only[ids[1:-1]] & (before[1:] == 1) & (before[:-1] > 0))
        begins = ~blank[ids[1:]]
        found = np.flatnonzero(((before == 2) | is_second) & begins)
        if len(found) * FEWEST < len(ids):
            found = np.flatnonzero((before > 0) & ~only[ids[1:]])
        return found + 1

    def place(self, ids: Ids, position: int) -> str:
        """Return the line number."""
        newlines = self.decode(ids[:position]).count("\n")
        return f"line {newlines + 1:,}"

    def units(self, ids: Ids) -> dict[str, float]:
        """Count words (what is between blanks), characters and UTF-8 bytes."""
        text = self.decode(ids)
        return {
            "words": float(len(text.split())),
            "characters": float(len(text)),
            "bytes": float(len(text.encode("utf-8", "surrogatepass"))),
        }


def numbered_letters(texts: Iterable[str]) -> tuple[int, ...]:
    """Return the word number of each character: one for both cases of a letter, 0 for others."""
    numbers = dict[str, int]()
    return tuple(
        numbers.setdefault(text.lower(), len(numbers) + 1) if text[:1].isalpha() else 0
        for text in texts
    )


def unknown_characters(text: str, unknown: Set[str], known: int) -> DataError:
    """Return the error for a text with unknown characters, for a model that knows some."""
    several = len(unknown) > 1
    return DataError(
        f"character{'s' * several} {unknown_text(text, unknown)} {'are' if several else 'is'} not "
        f'in this model\'s alphabet of {known}; use `unknown="skip"` or `unknown="nearest"`, or '
        f"train on text that has {'them' if several else 'it'}"
    )


def is_whole(text: str) -> bool:
    """Return whether a text has whole characters only, no lone surrogate."""
    try:
        check_whole_characters(text)
    except DataError:
        return False
    return True


def check_whole_characters(text: str) -> None:
    """Raise `DataError` if a text has half a character (a lone surrogate)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"the text has half a character ({text[error.start]!r}, a lone surrogate) at position "
            f"{error.start + 1:,}; only whole characters can be encoded"
        ) from None
