"""Calibration: one temperature, fitted on the validation split, that divides all logits.

A network that starts to memorise its corpus is overconfident. One temperature corrects most of that
(Guo et al. 2017) and keeps the order of the ids. `SequenceModel.temper` puts it into the weights,
so no other code has to know it. Comes from: `seqgen.training.session`.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from seqgen.data.corpus import Corpus
from seqgen.data.spans import EVALUATED
from seqgen.evaluation.loss import predictions
from seqgen.evaluation.nats import nats_of
from seqgen.network.model import SequenceModel

#: Values of 1 / temperature at which the loss is measured: the loss is nearly a parabola in them.
SHARPNESS = np.arange(13, 26) / 20


@torch.no_grad()
def fit_temperature(model: SequenceModel, corpus: Corpus, most: int = EVALUATED) -> float:
    """Return the temperature with the lowest validation loss, rounded to 0.01.

    Parameters
    ----------
    model : SequenceModel
    corpus : Corpus
    most : int
        Most tokens to read; of a larger validation split a sample is read.
    """
    was_training = model.training
    model.eval()
    losses = np.zeros(len(SHARPNESS))
    for predicted in predictions(model, corpus, most):
        losses += [
            nats_of([choice.scaled(sharpness) for choice in predicted.choices], "sum").item()
            for sharpness in SHARPNESS.tolist()
        ]
    model.train(was_training)
    return round(1 / _lowest(SHARPNESS, losses), 2)


def _lowest(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the minimum of a parabola through the lowest point and its neighbours."""
    at = int(np.argmin(y))
    if at in (0, len(y) - 1):
        return float(x[at])
    left, middle, right = y[at - 1 : at + 2]
    return float(x[at] + (x[1] - x[0]) * (left - right) / (2 * (left - 2 * middle + right)))
