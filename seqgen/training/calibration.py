"""How sure of itself a trained model should be: one temperature, fitted on held-out pieces.

A network that has begun to learn its corpus by heart is surer than it is right. Dividing its logits
by one number mends most of that (Guo et al. 2017), and changes no order of likelihood. The number
goes into the weights, so that nothing else has to know of it. Comes from: `seqgen.run.folder`.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from seqgen.data.corpus import Corpus
from seqgen.data.spans import EVALUATED
from seqgen.evaluation.loss import predictions
from seqgen.model import SequenceLSTM

#: Sharpness, one over temperature, at which the loss is measured. It is nearly a parabola of it.
SHARPNESS = np.arange(13, 26) / 20


@torch.no_grad()
def fit_temperature(model: SequenceLSTM, corpus: Corpus, most: int = EVALUATED) -> float:
    """Return the temperature with the lowest validation loss, rounded to 0.01.

    Parameters
    ----------
    model : SequenceLSTM
    corpus : Corpus
    most : int
        Tokens to read; of a larger validation split a sample is read.
    """
    was_training = model.training
    model.eval()
    losses = np.zeros(len(SHARPNESS))
    for predicted in predictions(model, corpus, most):
        losses += [
            F.cross_entropy(predicted.logits * sharpness, predicted.targets, reduction="sum").item()
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
