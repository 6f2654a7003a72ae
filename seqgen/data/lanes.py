"""Lanes: the steps of a corpus in B rows side by side, and the place where each row stands.

Every piece is read as START, its ids, END. The target of a step is the next id; the target of
END is nothing, for END as an input only means: forget. That also serves where a lane takes
over in the middle of a piece, so the state is clean at every seam.

Comes from: `seqgen.data.corpus`. Next: `seqgen.data.batches` cuts lanes into windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.data.corpus import Corpus
from seqgen.data.splits import Segment
from seqgen.plugin_checks import checked_features
from seqgen.vocab import Vocab

#: A target that no loss counts; the value that PyTorch's cross-entropy ignores by default.
IGNORE = -100

#: Epoch, number of the segment in the lane's share of it, and steps of that which were read.
Place: TypeAlias = tuple[int, int, int]


class Steps(NamedTuple):
    """Consecutive steps of a lane, or of B lanes side by side.

    Attributes
    ----------
    inputs : int64 array (..., T)
        Ids read, START and END among them.
    targets : int64 array (..., T)
        The id to predict at each step, or `IGNORE`.
    features : int64 array (..., T, K)
        Features that belong to the targets.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    features: NDArray[np.int64]


def joined(parts: Sequence[Steps]) -> Steps:
    """Return one row of steps after another as one."""
    if len(parts) == 1:
        return parts[0]
    return Steps(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def forgetting(corpus: Corpus, count: int) -> Steps:
    """Return END so many times: steps that forget and count for nothing."""
    features = np.zeros((count, len(corpus.codec.feature_sizes)), np.int64)
    return Steps(np.full(count, corpus.vocab.end), np.full(count, IGNORE), features)


def piece_steps(
    vocab: Vocab, ids: NDArray[Any], low: int, high: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return inputs and targets of the steps ``low .. high`` of a whole piece: START, ids, END."""
    steps = ids[max(low - 1, 0) : high].astype(np.int64)
    if low == 0:
        steps = np.insert(steps, 0, vocab.start)
    if high > len(ids):
        steps = np.append(steps, vocab.end)
    return steps[:-1], steps[1:]


class Lane:
    """Reads segment after segment and epoch after epoch, from any place on.

    Parameters
    ----------
    corpus : Corpus
    share : function of int
        The segments to read in an epoch, in order; none at all ends the lane.
    seed : int, optional
        With the epoch and the piece it fixes each augmentation; pieces are read as they are
        without one.
    place : Place
        Where to go on: what `place` was.
    """

    def __init__(
        self,
        corpus: Corpus,
        share: Callable[[int], Sequence[Segment]],
        seed: int | None = None,
        place: Place = (0, 0, 0),
    ) -> None:
        self._corpus = corpus
        self._share = share
        self._seed = seed
        self._epoch, self._number, self._read = place
        self._segments = share(self._epoch)
        self._opened: _Opened | None = None

    @property
    def place(self) -> Place:
        """Where the next step is."""
        return self._epoch, self._number, self._read

    @property
    def segments(self) -> int:
        """How many segments the lane has in this epoch."""
        return len(self._segments)

    def read(self, count: int) -> Steps:
        """Return the next steps, fewer only where the lane ends."""
        parts = []
        while count and (opened := self._current()) is not None:
            stop = min(self._read + count, len(opened))
            parts.append(opened.cut(self._read, stop))
            count -= stop - self._read
            self._read = stop
        return joined(parts) if parts else forgetting(self._corpus, 0)

    def read_targets(self, count: int) -> Steps:
        """Return the steps up to the one with the count-th target from here.

        In steps END would come in between: every target is the last one as often as any other
        only if targets are counted.
        """
        steps = self.read(count)
        while missing := count - int((steps.targets != IGNORE).sum()):
            more = self.read(missing)
            if not len(more.inputs):
                break
            steps = joined([steps, more])
        stop = int(np.flatnonzero(steps.targets != IGNORE).max(initial=-1)) + 1
        return Steps(*(column[:stop] for column in steps))

    def _current(self) -> _Opened | None:
        """Return the segment that the next step is in, or None at the end."""
        while self._segments:
            if self._opened is None:
                segment = self._segments[self._number]
                rng = None
                if self._seed is not None:
                    rng = np.random.default_rng((self._seed, self._epoch, segment.piece))
                self._opened = _Opened(self._corpus, segment, rng)
            if self._read < len(self._opened):
                return self._opened
            self._opened, self._number, self._read = None, self._number + 1, 0
            if self._number == len(self._segments):
                self._epoch, self._number = self._epoch + 1, 0
                self._segments = self._share(self._epoch)
        return None


class _Opened:
    """The steps of one segment and END after them, cut out as they are needed.

    A piece without features may be of any length: of the memory map only the cut is read.
    """

    def __init__(self, corpus: Corpus, segment: Segment, rng: np.random.Generator | None) -> None:
        codec, raw = corpus.codec, corpus.piece(segment.piece)
        self._corpus = corpus
        # A plain array, for slices of a memory map take several times as long.
        self._ids = np.asarray(raw if rng is None else codec.augment(raw, rng))
        self._features = None
        if codec.feature_sizes:
            rows = codec.features(self._ids)
            self._features = checked_features(codec, rows, len(self._ids) + 1)
        # An augmentation may stretch the piece: the same share of it is read.
        share = len(self._ids) / len(raw)
        start, stop = round(segment.start * share), round(segment.stop * share)
        # Steps are counted in START ids END, where step 0 is START and row i of features belongs.
        self._first = 0 if start == 0 else start + 1
        self._end = max(stop + 1, self._first)

    def __len__(self) -> int:
        return self._end - self._first + 1

    def cut(self, low: int, high: int) -> Steps:
        """Return steps ``low .. high`` of this segment."""
        first, end = self._first + low, min(self._first + high, self._end)
        inputs, targets = piece_steps(self._corpus.vocab, self._ids, first, end)
        features = np.zeros((end - first, 0), np.int64)
        if self._features is not None:
            features = self._features[first:end]
        steps = Steps(inputs, targets, features)
        missing = high - low - len(inputs)
        return joined([steps, forgetting(self._corpus, missing)]) if missing else steps
