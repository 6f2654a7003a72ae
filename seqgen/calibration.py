"""How sure of itself a trained model should be: one temperature, fitted on held-out pieces.

A network that has begun to learn its corpus by heart is surer than it is right. Dividing its logits
by one number mends most of that (Guo et al. 2017), and changes no order of likelihood. The number
goes into the weights, so that nothing else has to know of it. Comes from: `seqgen.run`.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from seqgen.batches import IGNORE
from seqgen.corpus import Corpus
from seqgen.model import SequenceLSTM
from seqgen.training import validation_windows

#: Sharpness, one over temperature, at which the loss is measured. It is nearly a parabola of it.
SHARPNESS = np.arange(13, 26) / 20


@torch.no_grad()
def fit_temperature(model: SequenceLSTM, corpus: Corpus, lanes: int) -> float:
    """Return the temperature at which the loss of the validation split is least, to a hundredth.

    Parameters
    ----------
    model : SequenceLSTM
    corpus : Corpus
    lanes : int
        Streams that are read side by side.
    """
    was_training = model.training
    model.eval()
    state = model.start_state(lanes)
    device = state[0].device
    losses = np.zeros(len(SHARPNESS))
    for batch in validation_windows(corpus, lanes):
        inputs, targets, features = (
            torch.from_numpy(array).to(device)
            for array in (batch.inputs, batch.targets, batch.features)
        )
        logits, state = model(inputs, features, state)  # (B, T, V')
        logits, counted = logits.flatten(0, 1), targets.flatten() != IGNORE
        logits, targets = logits[counted], targets.flatten()[counted]
        losses += [
            F.cross_entropy(logits * sharpness, targets, reduction="sum").item()
            for sharpness in SHARPNESS.tolist()
        ]
    model.train(was_training)
    return round(1 / _lowest(SHARPNESS, losses), 2)


def _lowest(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return where a parabola through the lowest point and its neighbours is lowest."""
    at = int(np.argmin(y))
    if at in (0, len(y) - 1):
        return float(x[at])
    left, middle, right = y[at - 1 : at + 2]
    return float(x[at] + (x[1] - x[0]) * (left - right) / (2 * (left - 2 * middle + right)))
