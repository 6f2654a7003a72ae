"""The baseline: interpolated n-gram counts, ready in seconds. A network has to beat it.

Witten and Bell's smoothing (1991, method C): a context that was followed by D different ids
gives D / (D + its count) of its probability to the next shorter context.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Ids
from seqgen.vocab import Vocab

#: Odd multiplier of the polynomial hash of contexts (64 bits: no collision to be expected).
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class NgramModel:
    """Predicts an id from the ``order - 1`` ids before it.

    Parameters
    ----------
    vocab : Vocab
    order : int
        Length of the longest n-gram.
    """

    def __init__(self, vocab: Vocab, order: int) -> None:
        self._vocab = vocab
        self.order = order
        self._tables: list[_Table] = []

    def fit(self, pieces: Iterable[Ids]) -> Self:
        """Count the n-grams of pieces, END included."""
        rows = [self._contexts(piece) for piece in pieces]
        targets = np.concatenate([piece for _, piece in rows])
        self._tables = [
            _Table(np.concatenate([contexts[length] for contexts, _ in rows]), targets)
            for length in range(self.order)
        ]
        return self

    def log_probabilities(self, piece: Ids) -> NDArray[np.float64]:
        """Return the log-probability of every id and END ``(N + 1,)``, in nats."""
        contexts, targets = self._contexts(piece)
        probabilities = np.full(len(targets), 1 / self._vocab.targets)
        for table, keys in zip(self._tables, contexts, strict=True):
            probabilities = table.interpolate(keys, targets, probabilities)
        return np.asarray(np.log(probabilities))

    def _contexts(self, piece: Ids) -> tuple[list[NDArray[np.uint64]], Ids]:
        """Return hashes of the contexts of each length, and what follows them."""
        before = np.concatenate([np.full(self.order, self._vocab.start), piece]).astype(np.uint64)
        count = len(piece) + 1
        hashes = [np.zeros(count, np.uint64)]
        for length in range(1, self.order):
            first = self.order - length
            symbols = before[first : first + count] + np.uint64(1)
            hashes.append(hashes[-1] * _MULTIPLIER + symbols)
        return hashes, np.concatenate([piece, [self._vocab.end]]).astype(np.int64)


class _Table:
    """Counts of (context, id) for contexts of one length."""

    def __init__(self, contexts: NDArray[np.uint64], targets: Ids) -> None:
        self._pairs, self._pair_counts = np.unique(_join(contexts, targets), return_counts=True)
        self._contexts, self._counts = np.unique(contexts, return_counts=True)
        order = np.lexsort((targets, contexts))
        ordered_contexts, ordered_targets = contexts[order], targets[order]
        fresh = np.ones(len(order), bool)
        fresh[1:] = (np.diff(ordered_targets) != 0) | (
            ordered_contexts[1:] != ordered_contexts[:-1]
        )
        starts = np.searchsorted(ordered_contexts, self._contexts)
        self._different = np.add.reduceat(fresh.astype(np.int64), starts)

    def interpolate(
        self, contexts: NDArray[np.uint64], targets: Ids, shorter: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Mix this length's counts with the probabilities of the next shorter contexts."""
        pairs = _lookup(self._pairs, self._pair_counts, _join(contexts, targets))
        counts = _lookup(self._contexts, self._counts, contexts)
        different = _lookup(self._contexts, self._different, contexts)
        total = counts + different
        mixed = (pairs + different * shorter) / np.maximum(total, 1)
        return np.where(total > 0, mixed, shorter)


def _join(contexts: NDArray[np.uint64], targets: Ids) -> NDArray[np.uint64]:
    mixed = (contexts ^ (contexts >> np.uint64(29))) * _MULTIPLIER
    return np.asarray(mixed + targets.astype(np.uint64) * np.uint64(0xD1B54A32D192ED03))


def _lookup(keys: NDArray[np.uint64], values: Ids, wanted: NDArray[np.uint64]) -> Ids:
    """Return the value of each wanted key, 0 where there is none."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0)
