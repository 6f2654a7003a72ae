"""The loss of given pieces under a trained model, each from its own START.

Pieces are read side by side, in windows with carried state, so memory does not grow with their
length. Next: `seqgen.evaluation.adaptive`, where the model learns from the tokens it has read, and
`seqgen.evaluation.table`, where both are compared with a baseline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from seqgen.data.spans import Span, piece_features
from seqgen.evaluation.loss import grouped, read
from seqgen.plugin import Ids, Piece
from seqgen.run.folder import Run


@dataclass(frozen=True)
class Score:
    """The loss of a piece, or of a span of one.

    Attributes
    ----------
    tokens : int
        Predicted tokens, without END.
    nats : float
        Their negative log-probability.
    end_nats : float
        The same of END; 0 for a span that ends before its piece.
    units : dict of str to float
        Amounts of the codec's units, such as characters, by which `nats` may be divided.
    """

    tokens: int
    nats: float
    end_nats: float
    units: dict[str, float]


def score(run: Run, pieces: Iterable[Piece]) -> Iterator[Score]:
    """Score pieces, in order; only their ids take more memory for longer pieces.

    Parameters
    ----------
    run : Run
        A trained model with its codec.
    pieces : iterable of piece

    Raises
    ------
    DataError
        If the codec cannot encode a piece.
    """
    return score_ids(run, (run.codec.encode(piece) for piece in pieces))


def score_ids(run: Run, encoded: Iterable[Ids]) -> Iterator[Score]:
    """Score encoded pieces: arrays ``(N,)`` of the codec's ids."""
    return score_spans(
        run, (Span(run.vocab, ids, piece_features(run.codec, ids)) for ids in encoded)
    )


def score_spans(run: Run, spans: Iterable[Span]) -> Iterator[Score]:
    """Score spans; each is predicted from the tokens before it in its piece."""
    for group in grouped(spans):
        for span, (nats, end_nats) in zip(group, _totals(run, group), strict=True):
            yield Score(span.stop - span.start, nats, end_nats, span_units(run, span))


def span_units(run: Run, span: Span) -> dict[str, float]:
    """Return the units of a span: those of the piece up to its end, minus those before it."""
    units = run.codec.units(span.until(span.stop))
    if not span.start:
        return units
    before = run.codec.units(span.until(span.start))
    return {name: amount - before.get(name, 0.0) for name, amount in units.items()}


@torch.no_grad()
def _totals(run: Run, group: list[Span]) -> list[tuple[float, float]]:
    """Return the nats of the ids, and of END, of each span."""
    totals = np.zeros((len(group), 2))  # columns: ids, END
    for predicted in read(run.model.eval(), group):
        ends = (predicted.targets == run.vocab.end).long().cpu().numpy()
        np.add.at(totals, (predicted.lanes, ends), predicted.nats.cpu().numpy())
    return [(float(nats), float(end_nats)) for nats, end_nats in totals]
