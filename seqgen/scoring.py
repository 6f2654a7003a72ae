"""The loss of given pieces under a trained model: every piece from its own START, exactly.

Pieces are read side by side, in windows whose state is carried, so that memory does not grow
with their length. Next: `seqgen.adaptive`, where the model learns from what it has read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seqgen.batches import IGNORE, Batch
from seqgen.lanes import piece_steps
from seqgen.model import SequenceLSTM, State
from seqgen.plugin import Codec, Ids, Piece
from seqgen.run import Run

#: Pieces read side by side, and most steps of each in one call.
LANES, WINDOW = 32, 256

#: Most logits of one call: with a large vocabulary a call has fewer steps.
LOGITS = 2**22


@dataclass(frozen=True)
class Score:
    """What a model thinks of a piece.

    Attributes
    ----------
    tokens : int
        Tokens of the piece, END not counted.
    nats : float
        Their negative log-probability.
    end_nats : float
        That of END after them.
    units : dict of str to float
        What else `nats` may be divided by, from the codec.
    """

    tokens: int
    nats: float
    end_nats: float
    units: dict[str, float]


def score(run: Run, pieces: Iterable[Piece]) -> Iterator[Score]:
    """Score pieces, in order, in memory that does not grow with their length but for their ids.

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
    """Score pieces that are encoded already: arrays ``(N,)`` of the codec's ids."""
    remaining = iter(encoded)
    while group := list(itertools.islice(remaining, LANES)):
        for ids, (nats, end_nats) in zip(group, _totals(run, group), strict=True):
            yield Score(len(ids), nats, end_nats, run.codec.units(ids))


@torch.inference_mode()
def _totals(run: Run, group: list[Ids]) -> list[tuple[float, float]]:
    """Return the nats of all ids, and of END, of each piece."""
    model = run.model.eval()
    features = [piece_features(run.codec, ids) for ids in group]
    totals = [(0.0, 0.0)] * len(group)
    window = max(min(WINDOW, LOGITS // (len(group) * run.vocab.targets)), 1)
    lanes, state, low = list(range(len(group))), model.start_state(len(group)), 0
    while lanes:
        batch = _window(run, [(group[lane], features[lane]) for lane in lanes], low, window)
        costs, state = token_nats(model, batch, state)
        for row, lane in zip(costs.cpu().numpy(), lanes, strict=True):
            # END is the target of the step after the last id.
            end, (nats, end_nats) = len(group[lane]) - low, totals[lane]
            totals[lane] = (nats + row[:end].sum(), end_nats + row[end : end + 1].sum())
        low += window
        # Pieces that have ended leave the batch.
        going = [row for row, lane in enumerate(lanes) if low <= len(group[lane])]
        lanes = [lanes[row] for row in going]
        state = (state[0][:, going], state[1][:, going])
    return [(float(nats), float(end_nats)) for nats, end_nats in totals]


def _window(run: Run, pieces: list[tuple[Ids, Ids]], low: int, window: int) -> Batch:
    """Return the steps from `low` on of pieces and their features, filled up with END."""
    longest = min(window, max(len(ids) for ids, _ in pieces) + 1 - low)
    inputs = np.full((len(pieces), longest), run.vocab.end)
    targets = np.full((len(pieces), longest), IGNORE)
    features = np.zeros((len(pieces), longest, len(run.codec.feature_sizes)), np.int64)
    for row, (ids, rows) in enumerate(pieces):
        high = min(low + longest, len(ids) + 1)
        count = high - low
        inputs[row, :count], targets[row, :count] = piece_steps(run.vocab, ids, low, high)
        features[row, :count] = rows[low:high]
    return Batch(inputs, targets, features)


def piece_features(codec: Codec, ids: Ids) -> Ids:
    """Return the features ``(N + 1, K)`` of a piece; K may be 0."""
    return codec.features(ids) if codec.feature_sizes else np.zeros((len(ids) + 1, 0), np.int64)


def token_nats(model: SequenceLSTM, batch: Batch, state: State) -> tuple[Tensor, State]:
    """Return the nats of every target ``(B, T)``, in double precision, and the state after them."""
    inputs, targets, features = (
        torch.from_numpy(array).to(state[0].device)
        for array in (batch.inputs, batch.targets, batch.features)
    )
    logits, state = model(inputs, features, state)  # (B, T, V')
    nats = F.cross_entropy(
        logits.flatten(0, 1).double(), targets.flatten(), ignore_index=IGNORE, reduction="none"
    )
    return nats.view(targets.shape), state
