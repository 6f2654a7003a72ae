"""Streams: the corpus as B parallel lanes, cut into windows of T steps.

Every piece is read as START, its ids, END. The target of a step is the next id; the target of
END is nothing, for END as an input only means: forget. That also serves where a lane takes
over in the middle of a piece, so the state is clean at every seam.

Comes from: `seqgen.corpus`. Next: `seqgen.training`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from seqgen.corpus import Corpus, Segment, Segments, Split

#: A target that no loss counts; the value that PyTorch's cross-entropy ignores by default.
IGNORE = -100

#: Steps that are prepared at once, so that a piece without features may be of any length.
CHUNK = 2**12


@dataclass(frozen=True)
class Batch:
    """One window of every lane.

    Attributes
    ----------
    inputs : int64 array (B, T)
        Ids read, START and END among them.
    targets : int64 array (B, T)
        The id to predict at each step, or `IGNORE`.
    features : int64 array (B, T, K)
        Features that belong to the targets.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    features: NDArray[np.int64]

    @property
    def counted(self) -> int:
        """How many targets the loss counts."""
        return int((self.targets != IGNORE).sum())


def training_stream(corpus: Corpus, lanes: int, window: int, seed: int) -> Iterator[Batch]:
    """Yield windows for ever; order and augmentation are drawn afresh for every epoch.

    Parameters
    ----------
    corpus : Corpus
        Its training split is read.
    lanes, window : int
        B and T.
    seed : int
        With the epoch and the piece it fixes every draw.
    """
    segments = corpus.segments("train")

    # Lanes begin an epoch at about the same time.
    @lru_cache(maxsize=2)
    def epoch_shares(epoch: int) -> list[Segments]:
        shuffled = segments[np.random.default_rng((seed, epoch)).permutation(len(segments))]
        # With fewer tokens than lanes some have no share: they read everything.
        return [share or shuffled for share in shuffled.shares(lanes)]

    def lane(number: int) -> Iterator[_Rows]:
        for epoch in itertools.count():
            for segment in epoch_shares(epoch)[number]:
                rng = np.random.default_rng((seed, epoch, segment.piece))
                yield from _rows(corpus, segment, rng)

    return _windows(corpus, [lane(number) for number in range(lanes)], window)


def held_out_stream(corpus: Corpus, split: Split, lanes: int, window: int) -> Iterator[Batch]:
    """Yield windows that pass over a split once, in order and as it is."""

    def lane(segments: Segments) -> Iterator[_Rows]:
        for segment in segments:
            yield from _rows(corpus, segment, None)

    shares = corpus.segments(split).shares(lanes)
    return _windows(corpus, [lane(share) for share in shares], window)


#: Inputs, targets and features of consecutive steps: (n,), (n,), (n, K).
_Rows = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def _rows(corpus: Corpus, segment: Segment, rng: np.random.Generator | None) -> Iterator[_Rows]:
    """Yield the steps of a segment in chunks, and END after them."""
    codec, vocab = corpus.codec, corpus.vocab
    raw = corpus.piece(segment.piece)
    ids = raw if rng is None else codec.augment(raw, rng)
    width = len(codec.feature_sizes)
    features = codec.features(ids) if width else None
    # An augmentation may stretch the piece: the same share of it is read.
    start, stop = (round(at * len(ids) / len(raw)) for at in (segment.start, segment.stop))
    # Steps are counted in START ids END, where step 0 is START and row i of features belongs.
    first = 0 if start == 0 else start + 1
    for low in range(first, stop + 1, CHUNK):
        high = min(low + CHUNK, stop + 1)
        opening = [vocab.start] if low == 0 else []
        closing = [vocab.end] if high > len(ids) else []
        steps = np.concatenate([opening, ids[max(low - 1, 0) : high], closing]).astype(np.int64)
        rows = np.zeros((high - low, 0), np.int64) if features is None else features[low:high]
        yield steps[:-1], steps[1:], rows
    yield np.array([vocab.end]), np.array([IGNORE]), np.zeros((1, width), np.int64)


def _windows(corpus: Corpus, lanes: list[Iterator[_Rows]], window: int) -> Iterator[Batch]:
    """Cut lanes into windows side by side until the last lane ends; END fills the others."""
    readers = [_LaneReader(lane, corpus) for lane in lanes]
    while any(reader.fill(window) for reader in readers):
        parts = [reader.take(window) for reader in readers]
        inputs, targets, features = (np.stack(column) for column in zip(*parts, strict=True))
        yield Batch(inputs, targets, features)


class _LaneReader:
    """Regroups the chunks of a lane into windows."""

    def __init__(self, lane: Iterator[_Rows], corpus: Corpus) -> None:
        self._lane = lane
        self._end = corpus.vocab.end
        self._width = len(corpus.codec.feature_sizes)
        self._buffer = self._filling(0)

    def fill(self, window: int) -> bool:
        """Read on until there are enough steps for a window; tell whether there are any."""
        parts, count = [self._buffer], len(self._buffer[0])
        while count < window and (rows := next(self._lane, None)) is not None:
            parts.append(rows)
            count += len(rows[0])
        self._buffer = _joined(parts)
        return count > 0

    def take(self, window: int) -> _Rows:
        """Return the next window, filled up with END."""
        self.fill(window)
        missing = max(window - len(self._buffer[0]), 0)
        inputs, targets, features = _joined([self._buffer, self._filling(missing)])
        self._buffer = (inputs[window:], targets[window:], features[window:])
        return inputs[:window], targets[:window], features[:window]

    def _filling(self, count: int) -> _Rows:
        features = np.zeros((count, self._width), np.int64)
        return np.full(count, self._end), np.full(count, IGNORE), features


def _joined(parts: list[_Rows]) -> _Rows:
    inputs, targets, features = (np.concatenate(column) for column in zip(*parts, strict=True))
    return inputs, targets, features
