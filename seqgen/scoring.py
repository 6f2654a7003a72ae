"""The loss of given pieces under a trained model: every piece from its own START, exactly."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from seqgen.batches import IGNORE
from seqgen.plugin import Piece
from seqgen.run import Run

#: Pieces read side by side, and steps of each in one call.
LANES, WINDOW = 32, 256


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
    """Score pieces, in order.

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
    encoded = (run.codec.encode(piece) for piece in pieces)
    while group := list(itertools.islice(encoded, LANES)):
        for ids, nats in zip(group, _token_nats(run, group), strict=True):
            units = run.codec.units(ids)
            yield Score(len(ids), float(nats[:-1].sum()), float(nats[-1]), units)


@torch.inference_mode()
def _token_nats(run: Run, group: list[NDArray[np.int64]]) -> list[NDArray[np.float64]]:
    """Return the negative log-probability of every id and END of each piece."""
    model, vocab = run.model.eval(), run.vocab
    device = next(model.parameters()).device
    width, longest = len(run.codec.feature_sizes), max(map(len, group)) + 1
    inputs = np.full((len(group), longest), vocab.end)
    targets = np.full((len(group), longest), IGNORE)
    features = np.zeros((len(group), longest, width), np.int64)
    for row, ids in enumerate(group):
        inputs[row, : len(ids) + 1] = [vocab.start, *ids]
        targets[row, : len(ids) + 1] = [*ids, vocab.end]
        if width:
            features[row, : len(ids) + 1] = run.codec.features(ids)
    state = model.start_state(len(group))
    columns = []
    for low in range(0, longest, WINDOW):
        x, y, k = (
            torch.from_numpy(array[:, low : low + WINDOW]).to(device)
            for array in (inputs, targets, features)
        )
        logits, state = model(x, k, state)  # (B, T, V')
        nats = F.cross_entropy(
            logits.flatten(0, 1).double(), y.flatten(), ignore_index=IGNORE, reduction="none"
        )
        columns.append(nats.view(y.shape).cpu().numpy())
    table = np.concatenate(columns, axis=1)
    return [table[row, : len(ids) + 1] for row, ids in enumerate(group)]
