"""Near-duplicates: pieces that share a passage, such as one tune in two keys, as groups.

A codec hashes passages of each piece; a group always goes into one split, so that no held-out
piece resembles a training piece.

Comes from: `seqgen.data.corpus`. Next: `seqgen.data.splits`.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Passages kept of each piece: those with the smallest hashes. If two long pieces share a tenth of
#: all their passages, one such pair in eight hundred shares none of the kept ones.
PASSAGES = 64


class NearDuplicates:
    """Collects the passages of all pieces and groups the pieces that share one.

    A passage takes 16 bytes.
    """

    def __init__(self) -> None:
        self._hashes, self._pieces = array("q"), array("q")

    def add(self, piece: int, passages: NDArray[np.int64]) -> None:
        """Add the passage hashes ``(P,)`` of a piece, given by its number."""
        kept = np.unique(passages)[:PASSAGES].tolist()
        self._hashes.extend(kept)
        self._pieces.extend([piece] * len(kept))

    def leaders(self, ranks: Sequence[int]) -> NDArray[np.int64]:
        """Return the leader of each piece: the piece with the lowest rank in its group.

        Sharing is transitive: if A shares a passage with B, and B another one with C, all three
        are one group. A piece that shares nothing is its own leader.

        Parameters
        ----------
        ranks : sequence of int (pieces,)
            One number for each piece.

        Returns
        -------
        int64 array (pieces,)
        """
        first = self._first_of_groups(len(ranks))
        order = np.lexsort((np.asarray(ranks), first))
        groups, begins = np.unique(first[order], return_index=True)
        return np.asarray(order[begins][np.searchsorted(groups, first)])

    def _first_of_groups(self, pieces: int) -> NDArray[np.int64]:
        """Return the lowest piece number in the group of each piece ``(pieces,)``."""
        one, two = self._pairs()
        first = np.arange(pieces)
        while True:
            lower = np.minimum(first[one], first[two])  # (pairs,)
            joined = first.copy()
            np.minimum.at(joined, one, lower)
            np.minimum.at(joined, two, lower)
            joined = joined[joined]
            if np.array_equal(joined, first):
                return first
            first = joined

    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return pairs ``(pairs,)`` of pieces that share a passage.

        The first piece with a passage is paired with every other piece that has it.
        """
        hashes, pieces = np.array(self._hashes, np.int64), np.array(self._pieces, np.int64)
        order = np.argsort(hashes, kind="stable")
        hashes, pieces = hashes[order], pieces[order]
        new = np.ones(len(hashes), bool)
        new[1:] = hashes[1:] != hashes[:-1]
        begins = np.maximum.accumulate(np.where(new, np.arange(len(hashes)), 0))
        return pieces[begins[~new]], pieces[~new]
