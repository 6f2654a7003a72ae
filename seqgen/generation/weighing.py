"""Draws a token, and weighs all that was allowed: for candidates that wait for each other.

Comes from: `seqgen.generation.writer`. B sequences, V' ids.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.drawing.filters import log_softmax
from seqgen.drawing.parts import look, look_again, parts_of
from seqgen.drawing.rules import Positions, Rules
from seqgen.drawing.sampling import choose_each
from seqgen.plugin import Ids
from seqgen.stepping.stepper import Stepper


def write_weighed(
    stepper: Stepper,
    positions: Positions,
    draws: NDArray[np.float64],
    rules: Rules,
    state: Any,
) -> tuple[Ids, NDArray[np.float64], Any, NDArray[np.float64]]:
    """Read the last id of each sequence and draw the next.

    Parameters
    ----------
    stepper : Stepper
    positions : Positions
        Its arrays are overwritten.
    draws : float64 array (B, 1)
    rules : Rules
    state : object

    Returns
    -------
    ids, log_probabilities, state
        As from `Stepper.write`.
    log_masses : float64 array (B,)
        Logarithm of the probability of all ids that were allowed, under the model.
    """
    read = positions.ids[:, None], positions.features[:, None]
    logits, state = stepper.read(*read, state, positions.possible)  # (B, V')
    log_masses = np.array([*map(_log_mass, logits, positions.possible, positions.allowed)])
    parts = parts_of((), logits.shape[1])
    new, log_probabilities = np.full(draws.shape, logits.shape[1] - 1), np.zeros(draws.shape)
    views = look(parts, positions, rules)
    look_again(views, positions, 0)
    choose_each(logits, parts, views, positions, draws, 0, rules, new, log_probabilities)
    return new, log_probabilities, state, log_masses


def _log_mass(
    logits: NDArray[np.float32], possible: NDArray[np.bool_], allowed: NDArray[np.bool_]
) -> float:
    """Return the logarithm of the probability of the allowed ids among the possible ones."""
    if (allowed >= possible).all():
        return 0.0
    scores = log_softmax(np.where(possible, logits, np.float32(-np.inf)))
    return float(np.logaddexp.reduce(scores[allowed]))
