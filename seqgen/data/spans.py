"""Spans: parts of a piece whose tokens are predicted from everything before them in the piece.

A span is a whole piece, or the held-out end of a long piece. The network and the n-gram baseline
read the same spans, in training and in `seqgen score`, so their losses are comparable.

Comes from: `seqgen.data.corpus`. Next: `seqgen.evaluation.loss` reads spans with the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.data.corpus import Corpus
from seqgen.data.lanes import IGNORE, Steps, piece_steps
from seqgen.data.rows import CodecRows
from seqgen.data.splits import Segments, Split
from seqgen.plugin import Ids
from seqgen.vocab import Vocab

#: Tokens read before a span inside a piece, to compute the state. The state of a trained network
#: forgets: after 128 tokens of text it equals the state after the whole beginning.
CONTEXT = 4096

#: Longer spans of a corpus are cut into spans of this length, which are read side by side.
LONGEST = 4 * CONTEXT

#: Default number of tokens in an evaluation.
EVALUATED = 2**17

#: Most bytes of masks that are held at once, but for one step.
MASK_BYTES = 2**26

#: Seed of the order in which the spans of an evaluation are drawn.
SEED = 0


class Span:
    """The tokens ``start .. stop`` of a piece, and END if the piece ends there.

    Parameters
    ----------
    vocab : Vocab
    ids : integer array (N,)
        The whole piece.
    rows : CodecRows
        Features and masks of the piece.
    start, stop : int
        The ids whose loss counts; by default all.
    """

    def __init__(
        self,
        vocab: Vocab,
        ids: NDArray[Any],
        rows: CodecRows,
        start: int = 0,
        stop: int | None = None,
    ) -> None:
        self.start, self.stop = start, len(ids) if stop is None else stop
        self._vocab, self._ids, self._rows = vocab, ids, rows
        # Step i reads the id before position i (START for i = 0) and predicts position i.
        self._first = max(start - CONTEXT, 0)
        #: Steps that only compute the state.
        self.before = start - self._first
        #: Number of ENDs that count: 1 if the piece ends with the span.
        self.ends = int(self.stop == len(ids))
        self._end = self.stop + self.ends

    def __len__(self) -> int:
        """Return the number of steps to read, including those before `start`."""
        return self._end - self._first

    @property
    def is_whole(self) -> bool:
        """Whether all of the piece counts."""
        return not self.start and bool(self.ends)

    def until(self, position: int) -> Ids:
        """Return the ids ``(position,)`` of the piece before a position."""
        return np.asarray(self._ids[:position], np.int64)

    def chunks(self, size: int) -> Iterator[Steps]:
        """Yield all steps in order, `size` at a time, or fewer if their masks are large."""
        width = self._rows.allowed[:0].shape[1]
        size = max(min(size, MASK_BYTES // max(width, 1)), 1)
        for low in range(0, len(self), size):
            yield self.cut(low, low + size)

    def cut(self, low: int, high: int) -> Steps:
        """Return steps ``low .. high``, fewer at the end; targets before `start` are `IGNORE`.

        Returns
        -------
        Steps
            One lane: inputs and targets (T,), features (T, K), masks (T, W).
        """
        first, end = self._first + low, min(self._first + high, self._end)
        inputs, targets = piece_steps(self._vocab, self._ids, first, end)
        if first < self.start:
            # Inputs and targets are views of one array.
            targets = targets.copy()
            targets[: self.start - first] = IGNORE
        return Steps(inputs, targets, *self._rows.cut(first, end))


def spans_of(corpus: Corpus, segments: Segments) -> Iterator[Span]:
    """Yield the spans of segments, in order; features and masks come from the whole piece."""
    for segment in segments:
        # Slices of a plain array are several times as fast as those of a memory map.
        ids = np.asarray(corpus.piece(segment.piece))
        rows = corpus.rows(segment.piece)
        yield Span(corpus.vocab, ids, rows, segment.start, segment.stop)


def evaluated_split(corpus: Corpus) -> Split:
    """Return the split that evaluations read: validation, or training if that is empty."""
    return "valid" if corpus.size("valid") else "train"


def evaluated(corpus: Corpus, most: int = EVALUATED) -> Segments:
    """Return the segments that an evaluation reads: the validation split, or a sample of it.

    The sample is drawn with a fixed seed from pieces, and from parts of `LONGEST` tokens of longer
    pieces. All evaluations of a corpus read the same tokens, whatever the batch.

    Parameters
    ----------
    corpus : Corpus
    most : int
        Largest number of tokens, without those before a span; 0 means `EVALUATED`.
    """
    segments = corpus.segments(evaluated_split(corpus)).cut(LONGEST)
    if segments.tokens > (most or EVALUATED):
        segments = segments.sample(most or EVALUATED, SEED)
    # Spans of similar length waste few steps when they are read side by side.
    return segments.longest_first()
