"""The sample of a corpus that a codec learns from, and measures of its letters."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

import numpy as np

from seqgen.errors import DataError
from seqgen_handwriting.alignment import spread
from seqgen_handwriting.codecs.trace import Trace, trace_of
from seqgen_handwriting.ink import Ink

#: Number of points at which a sample is full.
ENOUGH = 2_000_000


class Sample:
    """Keeps drawings until they have `ENOUGH` points; the result does not depend on their order.

    It keeps the drawings with the smallest digests.
    """

    def __init__(self) -> None:
        self._points = self._added = 0
        #: Negated digest, number and drawing: a heap with the largest digest on top.
        self._kept: list[tuple[int, int, Ink]] = []

    def add(self, ink: Ink) -> None:
        """Keep a drawing if it belongs to the sample, and drop those that it replaces."""
        heapq.heappush(self._kept, (-_digest(ink), self._added, ink))
        self._points, self._added = self._points + ink.points, self._added + 1
        while self._points - self._kept[0][2].points >= ENOUGH:
            self._points -= heapq.heappop(self._kept)[2].points

    def inks(self) -> list[Ink]:
        """Return the drawings, sorted by digest."""
        return [ink for _, _, ink in sorted(self._kept, key=lambda kept: kept[:2], reverse=True)]


def trace_with_text(ink: Ink, with_text: bool) -> Trace:
    """Return the trace of a piece, with its text or without.

    Raises
    ------
    DataError
        If the letters have to be spread over the ink, and it has fewer points than letters.
    """
    if not with_text:
        return trace_of(replace(ink, text=""))
    return trace_of(spread(ink) if ink.text and ink.letters is None else ink)


def traces_of(inks: Iterable[Ink], with_text: bool) -> Iterator[Trace]:
    """Yield the traces of those pieces that can be encoded."""
    for ink in inks:
        with suppress(DataError):
            yield trace_with_text(ink, with_text)


class Letters:
    """Counts the letters of a corpus.

    Parameters
    ----------
    known : mapping of str to int
        Letters that a codec knows already, and the largest number of points of each.

    Attributes
    ----------
    any_marked : bool
        Whether a piece so far says which points belong to which letter.
    """

    def __init__(self, known: Mapping[str, int]) -> None:
        self._most = dict(known)
        self.any_marked = False
        self._lines = 0

    def add(self, ink: Ink) -> None:
        """Count the letters of a piece; unmarked ones are spread over its ink."""
        self.any_marked |= bool(ink.text) and ink.letters is not None
        self._lines += " " in ink.text
        for trace in traces_of([ink], with_text=True):
            counts = np.bincount(trace.letters, minlength=len(trace.text)).tolist()
            for letter, count in zip(trace.text, counts, strict=False):
                self._most[letter] = max(self._most.get(letter, 0), count)

    @property
    def most(self) -> dict[str, int]:
        """The letters, sorted, and the largest number of points of each; empty without text."""
        return dict(sorted(({"\n": 0} | self._most).items())) if self._most else {}

    @property
    def advice(self) -> str:
        """What to do with texts that are not learned; empty without texts of several words."""
        if not self._lines or self.any_marked:
            return ""
        return (
            f"{self._lines:,} pieces have a text, but do not say which points belong to which "
            f"letter: the model will draw freely; to write given text, begin with a model that "
            f"writes (`start`), such as that of seqgen demo handwriting, or use "
            f'`options={{"text": "spread"}}`'
        )


def _digest(ink: Ink) -> int:
    digest = hashlib.sha256(ink.text.encode("utf-8", "surrogatepass"))
    for stroke in ink.strokes:
        digest.update(stroke.tobytes())
    return int.from_bytes(digest.digest()[:8], "little")
