"""Lanes: the corpus as B rows of steps side by side, each with its own place.

Every piece is read as START, its ids, END. The target of a step is the next id. END as an input
has no target; it only resets the state. A lane that starts inside a piece also reads END first, so
the state is zero at every seam.

Comes from: `seqgen.data.corpus`. Next: `seqgen.data.batches` cuts lanes into windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.data.corpus import Corpus
from seqgen.data.rows import CodecRows, codec_rows
from seqgen.data.splits import Segment
from seqgen.plugin import Codec
from seqgen.plugins.checks import checked_beginnings, checked_ids
from seqgen.vocab import Vocab

#: A target without a loss: the value that PyTorch's cross-entropy ignores by default.
IGNORE = -100

#: Training begins anew inside long pieces once for so many tokens: often enough to learn how pieces
#: begin, and seldom enough that the loss stays the same (docs/history.md).
BEGIN_EVERY = 2048

#: Epoch, number of the segment in the lane's share, and number of steps read in the segment.
Place: TypeAlias = tuple[int, int, int]


class Steps(NamedTuple):
    """Consecutive steps of a lane, or of B lanes side by side.

    Attributes
    ----------
    inputs : int64 array (..., T)
        Ids to read, including START and END.
    targets : int64 array (..., T)
        Id to predict at each step, or `IGNORE`.
    features : int64 array (..., T, K)
        Features of the targets.
    allowed : uint8 array (..., T, W)
        Packed masks of the targets that the grammar allows; W is 0 without a grammar.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    features: NDArray[np.int64]
    allowed: NDArray[np.uint8]

    def cut(self, low: int, high: int) -> Steps:
        """Return the steps ``low .. high`` of one lane."""
        part = slice(low, high)
        return Steps(self.inputs[part], self.targets[part], self.features[part], self.allowed[part])


def joined(parts: Sequence[Steps]) -> Steps:
    """Return consecutive parts of a lane as one."""
    if len(parts) == 1:
        return parts[0]
    return Steps(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def forgetting(corpus: Corpus, count: int) -> Steps:
    """Return `count` steps of END, which reset the state and have no targets."""
    features = np.zeros((count, len(corpus.codec.feature_sizes)), np.int64)
    allowed = np.full((count, corpus.mask_width), 255, np.uint8)
    return Steps(np.full(count, corpus.vocab.end), np.full(count, IGNORE), features, allowed)


def piece_steps(
    vocab: Vocab, ids: NDArray[Any], low: int, high: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return inputs and targets ``(T,)`` of steps ``low .. high`` of a piece: START, ids, END."""
    steps = ids[max(low - 1, 0) : high].astype(np.int64)
    if low == 0:
        steps = np.insert(steps, 0, vocab.start)
    if high > len(ids):
        steps = np.append(steps, vocab.end)
    return steps[:-1], steps[1:]


class Lane:
    """Reads segment after segment and epoch after epoch, starting from any place.

    Parameters
    ----------
    corpus : Corpus
    share : function of int
        Returns the segments of an epoch in order; an empty share ends the lane.
    seed : int, optional
        Seed, epoch, piece and repeat determine each augmentation. Without a seed pieces are not
        augmented.
    place : Place
        The place to start from, such as the saved `place` of another lane.
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
        """Place of the next step."""
        return self._epoch, self._number, self._read

    @property
    def segments(self) -> int:
        """Number of segments of the lane in this epoch."""
        return len(self._segments)

    def read(self, count: int) -> Steps:
        """Return the next `count` steps; fewer only at the end of the lane."""
        parts = []
        while count and (opened := self._current()) is not None:
            stop = min(self._read + count, len(opened))
            parts.append(opened.cut(self._read, stop))
            count -= stop - self._read
            self._read = stop
        return joined(parts) if parts else forgetting(self._corpus, 0)

    def read_targets(self, count: int) -> Steps:
        """Return the steps up to and including the next `count` targets.

        Steps of END have no target. Counting targets makes every target equally often the last.
        """
        steps = self.read(count)
        while missing := count - int((steps.targets != IGNORE).sum()):
            more = self.read(missing)
            if not len(more.inputs):
                break
            steps = joined([steps, more])
        stop = int(np.flatnonzero(steps.targets != IGNORE).max(initial=-1)) + 1
        return steps.cut(0, stop)

    def _current(self) -> _Opened | None:
        """Return the segment of the next step, or None at the end."""
        while self._segments:
            if self._opened is None:
                segment = self._segments[self._number]
                rng = None
                if self._seed is not None:
                    repeat = (segment.repeat,) if segment.repeat else ()
                    key = (self._seed, self._epoch, segment.piece, *repeat)
                    rng = np.random.default_rng(key)
                self._opened = _Opened(self._corpus, segment, rng)
            if self._read < len(self._opened):
                return self._opened
            self._opened, self._number, self._read = None, self._number + 1, 0
            if self._number == len(self._segments):
                self._epoch, self._number = self._epoch + 1, 0
                self._segments = self._share(self._epoch)
        return None


class _Opened:
    """The steps of one segment, cut when they are needed.

    In training a long piece also begins at some of the places that `Codec.beginnings` offers. There
    the segment is divided: the state is reset, and START and the rest of the piece follow.

    Parameters
    ----------
    corpus : Corpus
    segment : Segment
    rng : Generator, optional
        Draws the augmentation and the beginnings; without it there are none.
    """

    def __init__(self, corpus: Corpus, segment: Segment, rng: np.random.Generator | None) -> None:
        codec = corpus.codec
        # Slices of a plain array are several times as fast as those of a memory map.
        raw = np.asarray(corpus.piece(segment.piece))
        ids = raw if rng is None else _varied(codec, raw, rng)
        # An augmentation may change the length: read the same share of the piece.
        share = len(ids) / len(raw)
        start, stop = round(segment.start * share), round(segment.stop * share)
        begins = np.zeros(0, np.int64) if rng is None else _begins(codec, ids, start, stop, rng)
        whole = ids.astype(np.int64, copy=False) if len(begins) else ids[:0]
        # Step 0 reads START, step i the id i - 1; row i of the codec belongs to step i.
        first = 0 if start == 0 else start + 1
        ends = [*begins.tolist(), max(stop + 1, first)]
        number = segment.piece if ids is raw else None
        self._parts = [_Part(corpus, ids, first, ends[0], number)]
        for low, high in pairwise(ends):
            rest = checked_ids(
                codec, codec.continuation(whole[:high], low), "ids of a continuation"
            )
            again = rest.astype(ids.dtype)
            # END is no id: its step comes after the last one.
            self._parts.append(_Part(corpus, again, 0, len(again) + (high > len(ids))))
        self._ends = np.cumsum([len(part) for part in self._parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def cut(self, low: int, high: int) -> Steps:
        """Return steps ``low .. high`` of this segment."""
        found = []
        first, last = np.searchsorted(self._ends, [low, high - 1], side="right").tolist()
        for number in range(first, last + 1):
            part = self._parts[number]
            before = int(self._ends[number]) - len(part)
            found.append(part.cut(max(low - before, 0), min(high - before, len(part))))
        return joined(found)


class _Part:
    """The steps ``first .. end`` of a piece ``(N,)`` and a final END, cut when they are needed.

    Without features and masks a piece may have any length: only the cut part of the memory map is
    read. `number` is that of a piece as it is in the corpus, not varied.
    """

    def __init__(
        self, corpus: Corpus, ids: NDArray[Any], first: int, end: int, number: int | None = None
    ) -> None:
        self._corpus, self._ids, self._number = corpus, ids, number
        self._first, self._end = first, end

    @cached_property
    def _rows(self) -> CodecRows:
        if self._number is None:
            return codec_rows(self._corpus.codec, self._ids)
        return self._corpus.rows(self._number)

    def __len__(self) -> int:
        return self._end - self._first + 1

    def cut(self, low: int, high: int) -> Steps:
        """Return steps ``low .. high`` of this part."""
        first, end = self._first + low, min(self._first + high, self._end)
        inputs, targets = piece_steps(self._corpus.vocab, self._ids, first, end)
        steps = Steps(inputs, targets, *self._rows.cut(first, end))
        missing = high - low - len(inputs)
        return joined([steps, forgetting(self._corpus, missing)]) if missing else steps


def _varied(codec: Codec, raw: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Return a variation of a piece ``(N,)`` in the type of the corpus, an eighth of int64."""
    if type(codec).augment is Codec.augment:
        return raw
    whole = raw.astype(np.int64)
    whole.flags.writeable = False
    varied = codec.augment(whole, rng)
    if varied is whole:
        return raw
    return checked_ids(codec, varied, "ids of a variation").astype(raw.dtype)


def _begins(
    codec: Codec, ids: NDArray[Any], start: int, stop: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw where the segment ``start .. stop`` of a piece ``(N,)`` begins anew.

    With the beginning of the piece there is one for each `BEGIN_EVERY` tokens on average, if the
    codec offers as many.
    """
    if len(ids) <= BEGIN_EVERY:
        return np.zeros(0, np.int64)
    wanted = int((stop - start) / BEGIN_EVERY + rng.random()) - (start == 0)
    if wanted < 1:
        return np.zeros(0, np.int64)
    found = codec.beginnings(ids.astype(np.int64, copy=False))
    offered = checked_beginnings(codec, found, len(ids))
    inside = offered[(offered > start + 1) & (offered < stop)]
    return np.sort(rng.choice(inside, min(wanted, len(inside)), replace=False))
