"""The baseline: interpolated n-gram counts, ready in seconds. A network should beat it.

Witten and Bell's smoothing (1991, method C): a context that was followed by D different ids
gives D / (D + its count) of its probability to the next shorter context.

Counts may grow while they are read, as `seqgen.evaluation.adaptive` needs. They are in one hash
table with one entry for every sequence of ids: a context and its next id are one sequence, which is
itself a context one step later. Comes from: `seqgen.data.spans`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.data.batches import IGNORE
from seqgen.data.corpus import Corpus
from seqgen.data.lanes import Steps, piece_steps
from seqgen.data.spans import EVALUATED, Span, evaluated, spans_of
from seqgen.evaluation.ngram_table import (
    COLUMNS,
    Table,
    copy_entries,
    distribute,
    open_context,
    read_steps,
)
from seqgen.grammar import unpacked
from seqgen.plugin import Ids
from seqgen.vocab import Vocab

#: Highest order that `baseline` tries.
LONGEST = 8

#: Most tokens that `baseline` counts.
COUNTED = 2**22

#: Slots of the largest table: 470 MB in 32 bits, and half as much again while it is made.
MOST_SLOTS = 2**24

#: Steps that are counted or predicted at once.
CHUNK = 2**16

#: Number of ids that each byte of a packed mask allows ``(256,)``.
ALLOWED = unpacked(np.arange(256, dtype=np.uint8)[:, None], 8).sum(axis=1).astype(np.uint8)


class CountTable:
    """Counts of sequences of ids, in a hash table that grows up to a bound.

    Parameters
    ----------
    most : int
        Slots of the largest table.
    columns : int
        `COLUMNS`, or `seqgen.evaluation.ngram_table.ALONE`.
    dtype : type
        Type of the counts.

    Attributes
    ----------
    keys : uint64 array (slots,)
    table : array (slots, columns)
    used : int
        Number of slots that are taken; whoever counts adds to it.
    """

    def __init__(
        self,
        most: int,
        columns: int = COLUMNS,
        dtype: type[np.unsignedinteger[Any]] = np.uint32,
    ) -> None:
        self.used, self._most = 0, most
        self.keys = np.zeros(2**12, np.uint64)
        self.table: Table = np.zeros((2**12, columns), dtype)

    def has_room(self, entries: int) -> bool:
        """Double the table until half of it suffices for more entries; return whether it does."""
        slots = len(self.keys)
        while self.used + entries > slots // 2 and slots < self._most:
            slots *= 2
        if slots > len(self.keys):
            keys = np.zeros(slots, np.uint64)
            table = np.zeros((slots, self.table.shape[1]), self.table.dtype)
            copy_entries(self.keys, self.table, keys, table)
            self.keys, self.table = keys, table
        return self.used + entries <= slots // 2


class NgramModel:
    """Predicts an id from the ``order - 1`` ids before it.

    It reads steps as the network does: START and END reset the context. It is a
    `seqgen.plugin.Predictor`.

    Parameters
    ----------
    vocab : Vocab
    order : int
        Length of the longest n-gram.

    Attributes
    ----------
    counted : int
        Number of ids counted so far, without START and END.
    """

    def __init__(self, vocab: Vocab, order: int) -> None:
        self.order, self.counted = order, 0
        self._vocab, self._ends = vocab, (vocab.start, vocab.end)
        self._counts = CountTable(MOST_SLOTS)
        self._context = np.zeros(order, np.uint64)
        self.forget()

    def fit(self, pieces: Iterable[Ids]) -> Self:
        """Count the n-grams of pieces, END included."""
        for piece in pieces:
            self._losses(piece, learn=True)
        return self

    def log_probabilities(self, pieces: Iterable[Ids]) -> Iterator[NDArray[np.float64]]:
        """Yield ``(N + 1, V')`` for each piece, as a `seqgen.plugin.Predictor` does."""
        for piece in pieces:
            inputs, _ = piece_steps(self._vocab, piece, 0, len(piece) + 1)
            probabilities = np.empty((len(inputs), self._vocab.targets))
            arrays = (self._counts.keys, self._counts.table, self._context, probabilities)
            distribute(inputs, self._ends, *arrays)
            yield np.log(probabilities)

    def losses(self, piece: Ids) -> NDArray[np.float64]:
        """Return the nats of every id of a piece and of END ``(N + 1,)``."""
        return self._losses(piece, learn=False)

    def nats(self, piece: Ids) -> float:
        """Return the sum of the nats of a piece's ids, without END."""
        return float(self.losses(piece)[:-1].sum())

    def span_nats(self, span: Span) -> tuple[float, float]:
        """Return the nats of a span's ids, and of END, if it ends its piece."""
        nats = end_nats = 0.0
        self.forget()
        for steps in span.chunks(CHUNK):
            probabilities = self.read(steps.inputs, steps.targets, steps.allowed, learn=False)
            costs = -np.log(probabilities[:, -1])
            ends = steps.targets == self._vocab.end
            nats, end_nats = nats + float(costs[~ends].sum()), end_nats + float(costs[ends].sum())
        return nats, end_nats

    def read(
        self,
        inputs: Ids,
        targets: Ids,
        allowed: NDArray[np.uint8] | None = None,
        *,
        learn: bool,
    ) -> NDArray[np.float64]:
        """Predict the target of every step, and then count it if `learn` is true.

        The context is carried from call to call.

        Parameters
        ----------
        inputs : int64 array (N,)
            Ids read, START and END included.
        targets : int64 array (N,)
            The id after each, or `seqgen.data.batches.IGNORE`.
        allowed : uint8 array (N, W), optional
            Packed masks of the ids that share the probability; a forbidden target has its
            probability without the mask. By default all ids share it.
        learn : bool
            Whether to count the targets, as long as the table has room.

        Returns
        -------
        float64 array (N, order)
            Column n is the probability of each target given the n ids before it; 1 for an
            ignored target.
        """
        if allowed is None:
            allowed = np.zeros((len(inputs), 0), np.uint8)
        learn = learn and self._counts.has_room(len(inputs) * (self.order + 1))
        probabilities = np.ones((len(inputs), self.order))
        self._counts.used += read_steps(
            *(
                inputs,
                targets,
                np.ascontiguousarray(allowed),
                self._ends,
                learn,
                self._counts.keys,
                self._counts.table,
                self._context,
                probabilities,
            )
        )
        if learn:
            self.counted += int(((targets != IGNORE) & (targets != self._vocab.end)).sum())
        return probabilities

    def forget(self) -> None:
        """Reset the context, as END does; the counts stay."""
        open_context(self._context, self._vocab.start)

    def shorten(self, order: int) -> None:
        """Lower the order and keep the counts."""
        self.order = order
        self._context = self._context[:order]

    def _losses(self, piece: Ids, learn: bool) -> NDArray[np.float64]:
        result = np.empty(len(piece) + 1)
        for low in range(0, len(result), CHUNK):
            inputs, targets = piece_steps(self._vocab, piece, low, min(low + CHUNK, len(result)))
            predicted = self.read(inputs, targets, learn=learn)[:, -1]
            result[low : low + CHUNK] = -np.log(predicted)
        return result


@dataclass(frozen=True)
class Baseline:
    """The n-gram model with the lowest loss on the validation split.

    Attributes
    ----------
    order : int
        Its order.
    nats_per_token : float
        Its loss on the spans that `seqgen.evaluation.loss.evaluate` reads; END is a token.
    uniform : float
        The loss if all allowed ids were equally likely.
    tokens : int
        Number of training tokens counted.
    model : NgramModel
    """

    order: int
    nats_per_token: float
    uniform: float
    tokens: int
    model: NgramModel = field(repr=False)


def baseline(corpus: Corpus, most: int = EVALUATED, seconds: float = math.inf) -> Baseline:
    """Count the training split and choose the order with the lowest validation loss.

    The spans are those that evaluations read: a sample if the split has more than `most` tokens,
    and training pieces if it is empty. Counting ends after some `seconds`.
    """
    model = count(corpus, seconds)
    nats, uniform, counted = np.zeros(LONGEST), 0.0, 0
    for span in spans_of(corpus, evaluated(corpus, most)):
        for steps in span.chunks(CHUNK):
            probabilities = model.read(steps.inputs, steps.targets, steps.allowed, learn=False)
            nats -= np.log(probabilities).sum(axis=0)
            uniform += uniform_nats(steps, corpus.vocab.targets)
            counted += int((steps.targets != IGNORE).sum())
        model.forget()
    model.shorten(int(nats.argmin()) + 1)
    return Baseline(
        model.order, float(nats.min()) / counted, uniform / counted, model.counted, model
    )


def uniform_nats(steps: Steps, targets: int) -> float:
    """Return the nats of steps ``(T,)`` if all allowed ids of each were equally likely.

    Parameters
    ----------
    steps : Steps
    targets : int
        V', the number of ids without a grammar; a forbidden target costs its logarithm.
    """
    wanted = np.flatnonzero(steps.targets != IGNORE)
    if not steps.allowed.shape[1]:
        return len(wanted) * math.log(targets)
    masks, ids = steps.allowed[wanted], steps.targets[wanted]  # (N, W), (N,)
    permitted = masks[np.arange(len(ids)), ids // 8] >> (7 - ids % 8) & 1  # (N,)
    counts = ALLOWED[masks].sum(axis=1, dtype=np.int64)  # (N,)
    return float(np.log(np.where(permitted, counts, targets)).sum())


def count(corpus: Corpus, seconds: float = math.inf) -> NgramModel:
    """Count the first `COUNTED` tokens of the training split, as far as time and the table suffice.

    They are counted without augmentation, each piece as often as its weight says.
    """
    model, began = NgramModel(corpus.vocab, LONGEST), time.monotonic()
    for inputs, targets in training_steps(corpus):
        model.read(inputs, targets, learn=True)
        if time.monotonic() - began >= seconds:
            break
    return model


def training_steps(corpus: Corpus) -> Iterator[tuple[Ids, Ids]]:
    """Yield inputs ``(T,)`` and targets ``(T,)`` of the first training tokens."""
    waiting, count, left = list[tuple[Ids, Ids]](), 0, COUNTED
    for part in _training_parts(corpus):
        waiting.append(part)
        count += len(part[0])
        if count >= min(CHUNK, left):
            inputs, targets = (
                np.concatenate(column)[:left] for column in zip(*waiting, strict=True)
            )
            yield inputs, targets
            waiting, count, left = [], 0, left - len(inputs)
        if not left:
            return
    if waiting:
        inputs, targets = (np.concatenate(column) for column in zip(*waiting, strict=True))
        yield inputs, targets


def _training_parts(corpus: Corpus) -> Iterator[tuple[Ids, Ids]]:
    """Yield inputs and targets of the training split, with END after each segment, as lanes do.

    Lanes read features and masks too, which take long with many ids and are not counted here.
    """
    vocab = corpus.vocab
    for segment in corpus.segments("train").repeated(corpus.weights, 0, 0):
        ids = np.asarray(corpus.piece(segment.piece))
        first, end = segment.start + (segment.start > 0), segment.stop + 1
        for low in range(first, end, CHUNK):
            yield piece_steps(vocab, ids, low, min(low + CHUNK, end))
        yield np.array([vocab.end]), np.array([IGNORE])
