"""Twins: pieces that share a passage, such as a tune in another key, in one group.

Comes from: `seqgen.data.corpus`, which is told by the codec what passages a piece has, and keeps
every group on one side of the split.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Passages of a piece that count: those of the smallest hashes. Of long pieces that have a tenth of
#: all their passages in common one pair in eight hundred shares none of these.
PASSAGES = 64


class Twins:
    """Gathers the passages of all pieces, in 16 bytes each."""

    def __init__(self) -> None:
        self._hashes, self._pieces = array("q"), array("q")

    def add(self, piece: int, passages: NDArray[np.int64]) -> None:
        """Take note of the passages ``(P,)`` of a piece, by its number."""
        kept = np.unique(passages)[:PASSAGES].tolist()
        self._hashes.extend(kept)
        self._pieces.extend([piece] * len(kept))

    def leaders(self, ranks: Sequence[int]) -> NDArray[np.int64]:
        """Return for every piece the one of its group that has the lowest rank.

        Parameters
        ----------
        ranks : sequence of int (pieces,)
            One number a piece.

        Returns
        -------
        int64 array (pieces,)
            Twins have the same leader, and so have their twins; a piece without is its own.
        """
        first = self._first_of_groups(len(ranks))
        order = np.lexsort((np.asarray(ranks), first))
        groups, begins = np.unique(first[order], return_index=True)
        return np.asarray(order[begins][np.searchsorted(groups, first)])

    def _first_of_groups(self, pieces: int) -> NDArray[np.int64]:
        """Return the lowest number of a piece in the group of each ``(pieces,)``."""
        one, two = self._pairs()
        first = np.arange(pieces)
        while True:
            lower = np.minimum(first[one], first[two])
            joined = first.copy()
            np.minimum.at(joined, one, lower)
            np.minimum.at(joined, two, lower)
            joined = joined[joined]
            if np.array_equal(joined, first):
                return first
            first = joined

    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return pieces that share a passage: each with the first that has it."""
        hashes, pieces = np.array(self._hashes, np.int64), np.array(self._pieces, np.int64)
        order = np.argsort(hashes, kind="stable")
        hashes, pieces = hashes[order], pieces[order]
        new = np.ones(len(hashes), bool)
        new[1:] = hashes[1:] != hashes[:-1]
        begins = np.maximum.accumulate(np.where(new, np.arange(len(hashes)), 0))
        return pieces[begins[~new]], pieces[~new]
