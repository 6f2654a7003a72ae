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
from numpy.typing import NDArray

from seqgen.bounds import checked
from seqgen.data.rows import codec_rows
from seqgen.data.spans import Span
from seqgen.evaluation.loss import grouped, read
from seqgen.generation.given import Pieces, given_pieces
from seqgen.plugin import Ids, Piece
from seqgen.plugins.faults import naming_faults
from seqgen.run.folder import Run
from seqgen.unknown import OrError


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
    forbidden : int
        Tokens, END included, that the grammar forbids; each costs what the model says without it.
    free : pair of float, or None
        `nats` and `end_nats` without the grammar; None for a codec without masks.
    """

    tokens: int
    nats: float
    end_nats: float
    units: dict[str, float]
    forbidden: int = 0
    free: tuple[float, float] | None = None


@naming_faults
@checked
def score(run: Run[Piece], pieces: Pieces[Piece], *, unknown: OrError = "error") -> Iterator[Score]:
    """Score pieces, in order; only their ids take more memory for longer pieces.

    Parameters
    ----------
    run : Run
        A trained model with its codec.
    pieces : iterable of piece, Generated or Path
        One piece is a list of one.
    unknown : {"error", "skip", "nearest"}
        What to do with symbols that the model does not know: refuse the piece, leave them out, or
        take the nearest known ones.

    Raises
    ------
    DataError
        If the codec cannot encode a piece.
    """
    return score_ids(run, map(run.codec.encode, given_pieces(run, pieces, unknown=unknown)))


def score_ids(run: Run, encoded: Iterable[Ids]) -> Iterator[Score]:
    """Score encoded pieces: arrays ``(N,)`` of the codec's ids."""
    return score_spans(run, (Span(run.vocab, ids, codec_rows(run.codec, ids)) for ids in encoded))


def score_spans(run: Run, spans: Iterable[Span]) -> Iterator[Score]:
    """Score spans; each is predicted from the tokens before it in its piece."""
    for group in grouped(spans):
        totals, free, forbidden = _totals(run, group)
        for number, span in enumerate(group):
            yield Score(
                span.stop - span.start,
                *_pair(totals[number]),
                span_units(run, span),
                int(forbidden[number]),
                None if free is None else _pair(free[number]),
            )


def span_units(run: Run, span: Span) -> dict[str, float]:
    """Return the units of a span: those of the piece up to its end, minus those before it."""
    units = run.codec.units(span.until(span.stop))
    if not span.start:
        return units
    before = run.codec.units(span.until(span.start))
    return {name: amount - before.get(name, 0.0) for name, amount in units.items()}


@torch.no_grad()
def _totals(
    run: Run, group: list[Span]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.int64]]:
    """Return the nats ``(B, 2)`` of ids and END, the same without grammar, and forbidden ``(B,)``.

    The second is None for a codec without masks.
    """
    totals, free = np.zeros((2, len(group), 2))  # columns: ids, END
    forbidden, has_masks = np.zeros(len(group), np.int64), False
    for predicted in read(run.model.eval(), group):
        ends = (predicted.targets == run.vocab.end).long().cpu().numpy()
        cells = (predicted.lanes, ends)
        np.add.at(totals, cells, predicted.nats.cpu().numpy())
        if predicted.allowed.shape[1]:
            has_masks = True
            np.add.at(free, cells, predicted.without_grammar().nats.cpu().numpy())
            np.add.at(forbidden, predicted.lanes, (~predicted.permitted).cpu().numpy())
    return totals, free if has_masks else None, forbidden


def _pair(row: NDArray[np.float64]) -> tuple[float, float]:
    nats, end_nats = row.tolist()
    return nats, end_nats
