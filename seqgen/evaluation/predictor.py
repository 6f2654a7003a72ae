"""The network of a run as plugins see it: ids in, log-probabilities out.

A plugin is handed a `seqgen.plugin.Predictor` and never a run, so it needs no PyTorch. An
`seqgen.evaluation.ngram.NgramModel` is one as well. Comes from: `seqgen.evaluation.loss`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from seqgen.data.rows import codec_rows
from seqgen.data.spans import Span
from seqgen.evaluation.loss import grouped, read
from seqgen.plugin import Ids
from seqgen.run.folder import Run

#: Most log-probabilities that are held at once, unless one piece has more: 128 MB.
HELD = 2**24


class NetworkPredictor:
    """Predicts ids with the network of a run.

    Parameters
    ----------
    run : Run
        A trained model with its codec; it stays as it is.
    grammar : bool
        Whether ids that the codec's masks forbid get no probability.
    """

    def __init__(self, run: Run, grammar: bool = True) -> None:
        self._run, self._grammar = run, grammar

    def log_probabilities(self, pieces: Iterable[Ids]) -> Iterator[NDArray[np.float64]]:
        """Yield the log-probabilities of every id at every position of each piece.

        A few pieces are read side by side, in windows. Only the arrays that are yielded grow with
        the length of a piece.

        Parameters
        ----------
        pieces : iterable of int64 array (N,)

        Yields
        ------
        float64 array (N + 1, V')
            Row i predicts position i from the ids before it. The last column is END. With
            `grammar`, ids that the codec's masks forbid are -inf, unless the piece has one there.
        """
        codec, vocab = self._run.codec, self._run.vocab
        spans = (Span(vocab, ids, codec_rows(codec, ids)) for ids in pieces)
        for group in grouped(spans, HELD // vocab.targets):
            yield from self._predicted(group)

    @torch.no_grad()
    def _predicted(self, group: list[Span]) -> list[NDArray[np.float64]]:
        """Return the log-probabilities ``(N + 1, V')`` of each piece of a group."""
        model = self._run.model.eval()
        rows = [np.empty((len(span), model.targets)) for span in group]
        filled = [0] * len(group)
        for part in read(model, group):
            shown = part if self._grammar else part.without_grammar()
            found = shown.log_probabilities().cpu().numpy()  # (N, V')
            for lane in np.unique(part.lanes).tolist():
                own = found[part.lanes == lane]
                rows[lane][filled[lane] : filled[lane] + len(own)] = own
                filled[lane] += len(own)
        return rows
