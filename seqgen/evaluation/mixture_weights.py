"""Weights of a geometric mixture, learned online: compiled.

The mixture of M models has probabilities proportional to ``exp(sum_m w_m log p_m)`` (Mattern 2013;
for two outcomes it is the logistic mixing of PAQ, Mahoney 2005). The gradient of an id's
log-probability is ``log p_m - E[log p_m]`` for each model. A weight moves by an online Newton step
(Hazan, Agarwal and Kale 2007): along the inverse of the summed products of gradients. So weights of
models that say nearly the same settle as fast as others, and the steps get shorter by themselves.

Two mixtures are mixed again in the same way: one for all tokens, and one for each last token.

M models, V ids read, N ids to choose from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled

#: Variance of each weight before anything is learned; that of the two mixtures' weights.
VARIANCE, FINAL_VARIANCE = 0.02, 0.02

#: By how much the variance of all weights grows at every step, as long as it is below that of the
#: beginning: the weights remember about ten thousand steps.
GROWTH = 1.0001

#: Weights of the trained network and of its learning copy before anything is learned. All others
#: share the rest to 1.
TRAINED, LEARNING = 0.2, 0.5


class Weights(NamedTuple):
    """What a geometric mixture has learned.

    Attributes
    ----------
    weights : float64 array (1 + V, M)
        Row 0 is for all tokens; the others are for each last token.
    variances : float64 array (1 + V, M, M)
        Covariance of each row.
    final, final_variance : float64 array (2,) and (2, 2)
        Weights of the two mixtures, and their covariance.
    """

    weights: NDArray[np.float64]
    variances: NDArray[np.float64]
    final: NDArray[np.float64]
    final_variance: NDArray[np.float64]


class Room(NamedTuple):
    """Space for the distributions of one step.

    Attributes
    ----------
    each : float64 array (2, V')
        Log-probabilities under the two mixtures.
    mixed : float64 array (V',)
        Log-probabilities under both.
    """

    each: NDArray[np.float64]
    mixed: NDArray[np.float64]


def weights_of(models: int, ids: int) -> Weights:
    """Return the weights of M models before anything is learned; the networks come first."""
    weights = np.full(models, (1 - TRAINED - LEARNING) / max(models - 2, 1))
    weights[:2] = TRAINED, LEARNING
    return Weights(
        np.tile(weights, (1 + ids, 1)),
        np.tile(VARIANCE * np.eye(models), (1 + ids, 1, 1)),
        np.full(2, 0.5),
        FINAL_VARIANCE * np.eye(2),
    )


@compiled
def blend(given: NDArray[np.float64], last: int, weights: Weights, room: Room) -> None:
    """Fill in the log-probabilities of N ids.

    Parameters
    ----------
    given : float64 array (M, N)
        Log-probabilities under each model, up to a constant.
    last : int
        The last token.
    """
    count = given.shape[1]
    for number, row in enumerate((0, 1 + last)):
        _combine(weights.weights[row], given, room.each[number, :count])
    _combine(weights.final, room.each[:, :count], room.mixed[:count])


@compiled
def learn(given: NDArray[np.float64], last: int, target: int, weights: Weights, room: Room) -> None:
    """Move the weights after `blend`, towards the target: a place among the N ids."""
    count = given.shape[1]
    _step(weights.final, weights.final_variance, room.each[:, :count], room.mixed[:count], target)
    for number, row in enumerate((0, 1 + last)):
        mixture = room.each[number, :count]
        _step(weights.weights[row], weights.variances[row], given, mixture, target)


@compiled
def _combine(
    weights: NDArray[np.float64], given: NDArray[np.float64], mixed: NDArray[np.float64]
) -> None:
    """Fill in log-probabilities ``(N,)``: the weighted sum of ``(M, N)``, normalised."""
    mixed[:] = 0.0
    for model in range(len(weights)):
        for place in range(len(mixed)):
            mixed[place] += weights[model] * given[model, place]
    mixed -= mixed.max()
    mixed -= np.log(np.exp(mixed).sum())


@compiled
def _step(
    weights: NDArray[np.float64],
    variance: NDArray[np.float64],
    given: NDArray[np.float64],
    mixed: NDArray[np.float64],
    target: int,
) -> None:
    """Move weights ``(M,)`` by a Newton step and update their covariance ``(M, M)``."""
    models = len(weights)
    shares = np.exp(mixed)
    gradient, step = np.empty(models), np.zeros(models)
    for model in range(models):
        gradient[model] = given[model, target] - (shares * given[model]).sum()
    for model in range(models):
        for other in range(models):
            step[model] += variance[model, other] * gradient[other]
    scale = 1.0 + (step * gradient).sum()
    total = 0.0
    for model in range(models):
        weights[model] += step[model] / scale
        total += variance[model, model] - step[model] * step[model] / scale
    growth = GROWTH if total < models * VARIANCE else 1.0
    for model in range(models):
        for other in range(models):
            variance[model, other] -= step[model] * step[other] / scale
            variance[model, other] *= growth
