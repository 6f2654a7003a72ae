"""What the codecs of text share: their default temperature, places and units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids


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
            f"{error.start}; only whole characters can be encoded"
        ) from None
