"""The codec `characters`: one token a Unicode character, and one a blank line if wanted."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Codec

#: Signs that typesetting has and keyboards have not.
PLAIN = str.maketrans("‘’‚‛“”„‟«»‐‑‒–—―−×", 4 * "'" + 6 * '"' + 7 * "-" + "x")

#: What each kind of boundary is written as.
BOUNDARIES = {"none": "", "line": "\n", "paragraph": "\n\n", "page": "\f"}


@dataclass(frozen=True)
class CharacterOptions:
    """What counts as a character."""

    rarest: int = 1
    """Characters that occur less often than this in the corpus are left out of it."""
    boundary: Literal["none", "line", "paragraph", "page"] = "none"
    """The model forgets everything after a line, a blank line (two newlines in a row, which become
    one token), a form feed, or nothing of these."""


class CharacterCodec(Codec):
    """Text as the characters that occur in the corpus, in the order of their code points.

    Lossless, but for characters rarer than the option `rarest`, which are dropped. The option
    `boundary` brings its characters with it, however rare. With "paragraph", the last token stands
    for two newlines, from the left in every run of them, and is named so: no character has that
    name.

    Parameters
    ----------
    characters : str
        The alphabet, sorted.
    dropped : str
        Characters that the corpus has and the alphabet has not.
    """

    options_type: ClassVar[type[Any]] = CharacterOptions
    # Chosen by counted faults: docs/sampling.md.
    temperature: ClassVar[float] = 0.8

    def __init__(self, characters: str, dropped: str, options: CharacterOptions) -> None:
        boundary = BOUNDARIES[options.boundary]
        self.options = options
        self.vocab = (*characters, boundary) if len(boundary) > 1 else tuple(characters)
        self.boundaries = (self.vocab.index(boundary),) if boundary else ()
        self._characters = characters
        self._dropped = dropped
        self._points = np.array([ord(character) for character in characters], np.int64)
        self._lengths = np.array([len(text) for text in self.vocab], np.int64)
        sizes = [len(text.encode("utf-8", "surrogatepass")) for text in self.vocab]
        self._bytes = np.array(sizes, np.int64)

    @classmethod
    def fit(cls, pieces: Iterable[str], options: CharacterOptions) -> Self:
        """Collect the alphabet."""
        counts: Counter[str] = Counter()
        for piece in pieces:
            counts.update(piece)
        kept = {character for character, count in counts.items() if count >= options.rarest}
        kept.update(BOUNDARIES[options.boundary])
        dropped = counts.keys() - kept
        return cls("".join(sorted(kept)), "".join(sorted(dropped)), options)

    def encode(self, piece: str) -> NDArray[np.int64]:
        """Return one id a character, or for two newlines if they are the boundary.

        Raises
        ------
        DataError
            For a character that the corpus did not have, with its position.
        """
        points = np.frombuffer(piece.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)
        ids = np.searchsorted(self._points, points)
        known = self._points[np.minimum(ids, len(self._points) - 1)] == points
        dropped = np.isin(points, [ord(character) for character in self._dropped])
        unknown = np.flatnonzero(~known & ~dropped)
        if len(unknown):
            position = int(unknown[0])
            raise DataError(
                f"character {piece[position]!r} at position {position} is not in this model's "
                f"alphabet of {len(self._characters)}; use --unknown skip or --unknown nearest, or "
                f"train on text that has it"
            )
        ids = ids[known]
        return self._paired(ids) if self.options.boundary == "paragraph" else ids

    def _paired(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return ids with one in the place of two newlines, from the left in every run of them."""
        newline = np.append(ids == self._characters.index("\n"), False)
        places = np.arange(len(newline))
        # How many newlines come directly before each place.
        before = places - np.maximum.accumulate(np.where(newline, -1, places)) - 1
        first = np.flatnonzero(newline[:-1] & newline[1:] & (before[:-1] % 2 == 0))
        paired = ids.copy()
        paired[first] = self.boundaries[0]
        return np.delete(paired, first + 1)

    def adapt(self, piece: str, unknown: Literal["skip", "nearest"]) -> str:
        """Leave out unknown characters, or write them as known ones where there are any.

        The nearest are plain quotes and dashes for typographic ones, what a character is made of
        (e of é, letters of ligatures), and the other case.
        """
        known = set(self._characters + self._dropped)
        stand_in = self._nearest if unknown == "nearest" else lambda _: ""
        return "".join(each if each in known else stand_in(each) for each in piece)

    def _nearest(self, character: str) -> str:
        """Return known characters for an unknown one, or none."""
        plain = unicodedata.normalize("NFKD", character.translate(PLAIN))
        for candidate in (plain, plain.swapcase()):
            kept = "".join(each for each in candidate if each in self._characters)
            if kept:
                return kept
        return ""

    def decode(self, ids: NDArray[np.int64]) -> str:
        """Return the text of all tokens."""
        return "".join(self.vocab[token] for token in ids)

    def text_stream(self) -> Callable[[int], str]:
        """Return the text of each id."""
        return self.vocab.__getitem__

    def state(self) -> dict[str, Any]:
        """Return the alphabet."""
        return {"characters": self._characters, "dropped": self._dropped}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: CharacterOptions) -> Self:
        """Rebuild the codec."""
        return cls(state["characters"], state["dropped"], options)

    def units(self, ids: NDArray[np.int64]) -> dict[str, float]:
        """Count characters and, for losses per byte, UTF-8 bytes."""
        return {
            "characters": float(self._lengths[ids].sum()),
            "bytes": float(self._bytes[ids].sum()),
        }
