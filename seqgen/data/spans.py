"""Spans: runs of a piece's tokens, each predicted from all that comes before it in the piece.

A whole piece is a span, and so is the held-out end of a long piece. The network and the n-gram
baseline both read spans, in training and in `seqgen score`, so their losses are comparable.

Comes from: `seqgen.data.corpus`. Next: `seqgen.evaluation.loss` reads spans with the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.data.corpus import Corpus
from seqgen.data.lanes import IGNORE, Steps, piece_steps
from seqgen.data.splits import Segments, Split
from seqgen.plugin import Codec, Ids
from seqgen.plugin_checks import checked_features
from seqgen.vocab import Vocab

#: Tokens that are read before a span in the middle of a piece, for the state. The state of a
#: trained network forgets: after 128 tokens of text it equals that of the whole piece.
CONTEXT = 4096

#: Longer spans of a corpus are cut into spans of this many tokens, to be read side by side.
LONGEST = 4 * CONTEXT

#: Most tokens of an evaluation.
EVALUATED = 2**17

#: Seed of the order in which the spans of an evaluation are drawn.
SEED = 0


class Span:
    """The tokens ``start .. stop`` of a piece, END as well if the piece ends there.

    Parameters
    ----------
    vocab : Vocab
    ids : integer array (N,)
        The whole piece.
    features : int64 array (N + 1, K)
        Its features; K may be 0.
    start, stop : int
        Which of its ids count; by default all.
    """

    def __init__(
        self,
        vocab: Vocab,
        ids: NDArray[Any],
        features: Ids,
        start: int = 0,
        stop: int | None = None,
    ) -> None:
        self.start, self.stop = start, len(ids) if stop is None else stop
        self._vocab, self._ids, self._features = vocab, ids, features
        # Step i reads the id before position i, START at first, and predicts position i.
        self._first = max(start - CONTEXT, 0)
        #: Steps that are read for the state alone.
        self.before = start - self._first
        #: How many ENDs count: one if the piece ends with the span.
        self.ends = int(self.stop == len(ids))
        self._end = self.stop + self.ends

    def __len__(self) -> int:
        """Return the number of steps to read, those before `start` included."""
        return self._end - self._first

    def until(self, position: int) -> Ids:
        """Return the ids ``(position,)`` of the piece before a position."""
        return np.asarray(self._ids[:position], np.int64)

    def chunks(self, size: int) -> Iterator[Steps]:
        """Yield all steps in order, `size` at a time."""
        for low in range(0, len(self), size):
            yield self.cut(low, low + size)

    def cut(self, low: int, high: int) -> Steps:
        """Return steps ``low .. high``, fewer at the end; the targets before `start` are ignored.

        Returns
        -------
        Steps
            Of one lane: inputs and targets (T,), features (T, K).
        """
        first, end = self._first + low, min(self._first + high, self._end)
        inputs, targets = piece_steps(self._vocab, self._ids, first, end)
        if first < self.start:
            # Inputs and targets are views of one array.
            targets = targets.copy()
            targets[: self.start - first] = IGNORE
        return Steps(inputs, targets, self._features[first:end])


def spans_of(corpus: Corpus, segments: Segments) -> Iterator[Span]:
    """Yield the spans of segments, in order; features are computed on the whole piece."""

    # The parts of one long piece follow each other.
    @lru_cache(maxsize=1)
    def opened(index: int) -> tuple[NDArray[Any], Ids]:
        # A plain array: slices of a memory map take several times as long.
        ids = np.asarray(corpus.piece(index))
        return ids, piece_features(corpus.codec, ids)

    for segment in segments:
        yield Span(corpus.vocab, *opened(segment.piece), segment.start, segment.stop)


def piece_features(codec: Codec, ids: Ids) -> Ids:
    """Return the features ``(N + 1, K)`` of a piece; K may be 0."""
    rows = codec.features(ids) if codec.feature_sizes else ()
    return checked_features(codec, rows, len(ids) + 1)


def evaluated_split(corpus: Corpus) -> Split:
    """Return the split that evaluations read: validation, or training where that is empty."""
    return "valid" if corpus.size("valid") else "train"


def evaluated(corpus: Corpus, most: int = EVALUATED) -> Segments:
    """Return what an evaluation reads: the validation split, or a sample of so many tokens.

    The sample is drawn by a fixed seed from the pieces, and from parts of `LONGEST` tokens of
    longer ones: evaluations of one corpus all read the same, whatever the batch.

    Parameters
    ----------
    corpus : Corpus
    most : int
        Tokens that are read at most, not counting those before a span; 0 takes `EVALUATED`.
    """
    segments = corpus.segments(evaluated_split(corpus)).cut(LONGEST)
    if segments.tokens > (most or EVALUATED):
        segments = segments.sample(most or EVALUATED, SEED)
    # Spans of about the same length waste no steps when they are read side by side.
    return segments.longest_first()
