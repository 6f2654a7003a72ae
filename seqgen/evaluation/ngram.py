"""The baseline: interpolated n-gram counts, ready in seconds. A network should beat it.

Witten and Bell's smoothing (1991, method C): a context that was followed by D different ids
gives D / (D + its count) of its probability to the next shorter context.

Counts may grow while they are read, as `seqgen.evaluation.adaptive` needs. They are in one hash
table with one entry for every sequence of ids: a context and its next id are one sequence, which is
itself a context one step later. Comes from: `seqgen.data.spans`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Self

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.data.batches import IGNORE, held_out_stream
from seqgen.data.corpus import Corpus
from seqgen.data.lanes import piece_steps
from seqgen.data.spans import EVALUATED, Span, evaluated, spans_of
from seqgen.plugin import Ids
from seqgen.vocab import Vocab

#: Highest order that `baseline` tries.
LONGEST = 8

#: Most tokens that `baseline` counts.
COUNTED = 2**22

#: Slots of the largest table: 336 MB, and half as much again while it is made.
MOST_SLOTS = 2**24

#: Multiplier of the polynomial hash of a sequence, and the hash of the empty sequence.
_MULTIPLIER, _EMPTY = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03)

#: Spreads hashes over the slots of the table.
_SPREAD = np.uint64(0xBF58476D1CE4E5B9)

#: Steps that are counted or predicted at once.
CHUNK = 2**16

#: Columns of the table: how often a sequence occurred, how often an id followed it, and how many
#: different ids followed it.
_CAME, _FOLLOWED, _DIFFERENT = 0, 1, 2


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
        self._used = 0
        self._keys = np.zeros(2**12, np.uint64)
        self._table = np.zeros((2**12, 3), np.uint32)
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
            arrays = (self._keys, self._table, self._context, probabilities)
            _distribute(inputs, self._ends, *arrays)
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
            costs = -np.log(self.read(steps.inputs, steps.targets, learn=False)[:, -1])
            ends = steps.targets == self._vocab.end
            nats, end_nats = nats + float(costs[~ends].sum()), end_nats + float(costs[ends].sum())
        return nats, end_nats

    def read(self, inputs: Ids, targets: Ids, *, learn: bool) -> NDArray[np.float64]:
        """Predict the target of every step, and then count it if `learn` is true.

        The context is carried from call to call.

        Parameters
        ----------
        inputs : int64 array (N,)
            Ids read, START and END included.
        targets : int64 array (N,)
            The id after each, or `seqgen.data.batches.IGNORE`.
        learn : bool
            Whether to count the targets, as long as the table has room.

        Returns
        -------
        float64 array (N, order)
            Column n is the probability of each target given the n ids before it; 1 for an
            ignored target.
        """
        learn = learn and self._has_room(len(inputs) * (self.order + 1))
        probabilities = np.ones((len(inputs), self.order))
        self._used += _read(
            *(
                inputs,
                targets,
                self._ends,
                learn,
                self._keys,
                self._table,
                self._context,
                probabilities,
            )
        )
        if learn:
            self.counted += int(((targets != IGNORE) & (targets != self._vocab.end)).sum())
        return probabilities

    def forget(self) -> None:
        """Reset the context, as END does; the counts stay."""
        _open(self._context, self._vocab.start)

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

    def _has_room(self, entries: int) -> bool:
        """Double the table until half of it suffices; return whether it does."""
        slots = len(self._keys)
        while self._used + entries > slots // 2 and slots < MOST_SLOTS:
            slots *= 2
        if slots > len(self._keys):
            keys, table = np.zeros(slots, np.uint64), np.zeros((slots, 3), np.uint32)
            _copy(self._keys, self._table, keys, table)
            self._keys, self._table = keys, table
        return self._used + entries <= slots // 2


@dataclass(frozen=True)
class Baseline:
    """The n-gram model with the lowest loss on the validation split.

    Attributes
    ----------
    order : int
        Its order.
    nats_per_token : float
        Its loss on the spans that `seqgen.evaluation.loss.evaluate` reads; END is a token.
    tokens : int
        Number of training tokens counted.
    model : NgramModel
    """

    order: int
    nats_per_token: float
    tokens: int
    model: NgramModel = field(repr=False)


def baseline(corpus: Corpus, most: int = EVALUATED) -> Baseline:
    """Count the training split and choose the order with the lowest validation loss.

    The spans are those that evaluations read: a sample if the split has more than `most` tokens,
    and training pieces if it is empty.
    """
    model = count(corpus)
    nats, counted = np.zeros(LONGEST), 0
    for span in spans_of(corpus, evaluated(corpus, most)):
        for steps in span.chunks(CHUNK):
            nats -= np.log(model.read(steps.inputs, steps.targets, learn=False)).sum(axis=0)
            counted += int((steps.targets != IGNORE).sum())
        model.forget()
    model.shorten(int(nats.argmin()) + 1)
    return Baseline(model.order, float(nats.min()) / counted, model.counted, model)


def count(corpus: Corpus) -> NgramModel:
    """Count the first `COUNTED` tokens of the training split, as far as the table has room.

    They are counted without augmentation.
    """
    model = NgramModel(corpus.vocab, LONGEST)
    for inputs, targets in _training_steps(corpus):
        model.read(inputs, targets, learn=True)
    return model


def _training_steps(corpus: Corpus) -> Iterator[tuple[Ids, Ids]]:
    """Yield inputs ``(T,)`` and targets ``(T,)`` of the first training tokens."""
    for batch in islice(held_out_stream(corpus, "train", 1, CHUNK), COUNTED // CHUNK):
        yield batch.inputs[0], batch.targets[0]


@compiled
def _read(
    inputs: Ids,
    targets: Ids,
    ends: tuple[int, int],
    learn: bool,
    keys: NDArray[np.uint64],
    table: NDArray[np.uint32],
    context: NDArray[np.uint64],
    probabilities: NDArray[np.float64],
) -> int:
    """Do the work of `NgramModel.read`; return the number of new entries."""
    order, new = len(context), 0
    for step in range(len(inputs)):
        _advance(context, inputs[step], ends)
        target = targets[step]
        if target < 0:
            continue
        _interpolate(keys, table, context, target, ends[1], probabilities[step])
        if learn:
            for length in range(order):
                new += _count(keys, table, context[length], target)
    return new


@compiled
def _distribute(
    inputs: Ids,
    ends: tuple[int, int],
    keys: NDArray[np.uint64],
    table: NDArray[np.uint32],
    context: NDArray[np.uint64],
    probabilities: NDArray[np.float64],
) -> None:
    """Fill in the probabilities ``(N, V')`` of all ids after each input ``(N,)``."""
    orders = np.empty(len(context))
    for step in range(len(inputs)):
        _advance(context, inputs[step], ends)
        for target in range(probabilities.shape[1]):
            _interpolate(keys, table, context, target, ends[1], orders)
            probabilities[step, target] = orders[-1]


@compiled
def _advance(context: NDArray[np.uint64], token: int, ends: tuple[int, int]) -> None:
    """Append an id to the contexts of all lengths; START and END begin them anew."""
    if token == ends[0] or token == ends[1]:
        _open(context, ends[0])
    else:
        for length in range(len(context) - 1, 0, -1):
            context[length] = _longer(context[length - 1], token)


@compiled
def _interpolate(
    keys: NDArray[np.uint64],
    table: NDArray[np.uint32],
    context: NDArray[np.uint64],
    target: int,
    end: int,
    probabilities: NDArray[np.float64],
) -> None:
    """Fill in the probability of a target given 0, 1, 2 ... ids before it, ``(order,)``."""
    # START is never predicted, so V' = END + 1 ids share the probability.
    probability = 1.0 / (end + 1)
    for length in range(len(context)):
        slot = _find(keys, context[length])
        if keys[slot]:
            came = table[_find(keys, _longer(context[length], target)), _CAME]
            followed, different = table[slot, _FOLLOWED], table[slot, _DIFFERENT]
            if followed:
                probability = (came + different * probability) / (followed + different)
        probabilities[length] = probability


@compiled
def _count(
    keys: NDArray[np.uint64], table: NDArray[np.uint32], context: np.uint64, target: int
) -> int:
    """Count an id that followed a context; return the number of new entries."""
    new, before = 0, _find(keys, context)
    if not keys[before]:
        keys[before] = context
        new += 1
    sequence = _longer(context, target)
    after = _find(keys, sequence)
    if not keys[after]:
        keys[after] = sequence
        new += 1
    table[before, _FOLLOWED] += 1
    if not table[after, _CAME]:
        table[before, _DIFFERENT] += 1
    table[after, _CAME] += 1
    return new


@compiled
def _open(context: NDArray[np.uint64], start: int) -> None:
    """Set the contexts of all lengths to those before the first id of a piece."""
    context[0] = _EMPTY
    for length in range(1, len(context)):
        context[length] = _longer(context[length - 1], start)


@compiled
def _longer(sequence: np.uint64, token: int) -> np.uint64:
    """Return the hash of a sequence and one more id."""
    return np.uint64(sequence * _MULTIPLIER + np.uint64(token + 1))


@compiled
def _find(keys: NDArray[np.uint64], key: np.uint64) -> int:
    """Return the slot of a key, or the free slot for it."""
    last = len(keys) - 1
    slot = np.int64((key * _SPREAD) >> np.uint64(20)) & last
    while keys[slot] and keys[slot] != key:
        slot = (slot + 1) & last
    return int(slot)


@compiled
def _copy(
    keys: NDArray[np.uint64],
    table: NDArray[np.uint32],
    new_keys: NDArray[np.uint64],
    new_table: NDArray[np.uint32],
) -> None:
    """Copy all entries into a larger table."""
    for slot in range(len(keys)):
        if keys[slot]:
            place = _find(new_keys, keys[slot])
            new_keys[place] = keys[slot]
            new_table[place] = table[slot]
