"""Drawings to learn steps from: as many of a corpus as are enough, for memory is not endless."""

from __future__ import annotations

import hashlib
import heapq

from seqgen_handwriting.ink import Ink

#: Points that are enough.
ENOUGH = 2_000_000


class Sample:
    """Keeps drawings until they have enough points: the same, in whatever order they come.

    Kept are those whose digests are the smallest.
    """

    def __init__(self) -> None:
        self._points = self._added = 0
        #: Negative digest, number and drawing: the largest digest comes first.
        self._kept: list[tuple[int, int, Ink]] = []

    def add(self, ink: Ink) -> None:
        """Keep a drawing, if it belongs to the sample; leave out what it makes needless."""
        heapq.heappush(self._kept, (-_digest(ink), self._added, ink))
        self._points, self._added = self._points + ink.points, self._added + 1
        while self._points - self._kept[0][2].points >= ENOUGH:
            self._points -= heapq.heappop(self._kept)[2].points

    def inks(self) -> list[Ink]:
        """Return the drawings by their digests."""
        return [ink for _, _, ink in sorted(self._kept, key=lambda kept: kept[:2], reverse=True)]


def _digest(ink: Ink) -> int:
    digest = hashlib.sha256(ink.text.encode("utf-8", "surrogatepass"))
    for stroke in ink.strokes:
        digest.update(stroke.tobytes())
    return int.from_bytes(digest.digest()[:8], "little")
