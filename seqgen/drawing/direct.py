"""Drawing where the settings look at ids one by one: nothing is sorted; compiled.

Temperature, min-p, bias, bans and masks are such settings. It gives what
`seqgen.drawing.sampling` gives with all its steps, up to the last bits of probabilities. Comes
from: `seqgen.drawing.sampling`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled_choosing, compiled_inside, compiled_summing
from seqgen.compiling import compiled_contracting as compiled
from seqgen.drawing.exponentials import exponential
from seqgen.drawing.filters import temperature_at
from seqgen.drawing.rules import Floats, Positions, Rules
from seqgen.plugin import Ids

#: Returned in place of an id: a score is not a number; all allowed ids are banned.
NOT_FINITE, NOTHING_LEFT = -1, -2

#: Sums of weights beyond which they are made again, from the highest score that may come.
SMALLEST, LARGEST = 1e-200, 1e200


@compiled_inside
def draw_each(
    scores: NDArray[np.float32],
    positions: Positions,
    draws: Floats,
    step: int,
    rules: Rules,
    factors: Floats,
    weights: Floats,
    new: Ids,
    log_probabilities: Floats,
) -> bool:
    """Draw the id of one step in every sequence that has not ended.

    The parameters are those of `seqgen.drawing.sampling.choose_each` and `draw_directly`.

    Returns
    -------
    bool
        Whether there was no error, and a sequence goes on.
    """
    goes_on, end = False, len(weights) - 1
    for lane in range(len(positions.ids)):
        if step > 0 and positions.ids[lane] == end:
            continue
        token, log_probability = draw_directly(
            scores,
            lane,
            positions.possible,
            positions.allowed,
            draws[lane, step],
            temperature_at(positions.drawn[lane] + step, rules),
            rules,
            factors,
            weights,
        )
        positions.ids[lane] = new[lane, step] = token
        log_probabilities[lane, step] = log_probability
        if token < 0:
            return False
        goes_on |= token != end
    return goes_on


@compiled
def draw_directly(
    scores: NDArray[np.float32],
    lane: int,
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    draw: float,
    temperature: float,
    rules: Rules,
    factors: Floats,
    weights: Floats,
) -> tuple[int, float]:
    """Draw an id of an output without clusters.

    Parameters
    ----------
    scores : float32 array (B, columns)
    lane : int
        The sequence.
    possible, allowed : bool array (B, V')
        Ids over which probabilities are taken, and ids that may be drawn.
    draw : float
        Uniform in [0, 1).
    temperature : float
    rules : Rules
    factors : float64 array (V',)
        The exponentials of `rules.bias`.
    weights : float64 array (V',)
        Scratch.

    Returns
    -------
    id : int
        Or `NOT_FINITE`, `NOTHING_LEFT`.
    log_probability : float
    """
    is_finite, choices = _look(scores, lane, allowed)
    if not is_finite:
        return NOT_FINITE, 0.0
    if choices == 0:
        return NOTHING_LEFT, 0.0
    highest = _highest(scores, lane, possible)
    total, sum_here = _weigh(scores, lane, highest, possible, allowed, factors, weights)
    if choices == 1:
        token = int(np.argmax(allowed[lane]))
    else:
        if temperature != 1 or rules.min_p > 0 or not SMALLEST < sum_here < LARGEST:
            highest_here = _highest_biased(scores, lane, rules.bias, possible, allowed, weights)
            if highest_here == -np.inf:
                return NOTHING_LEFT, 0.0
            sum_here = _sharpen(weights, highest_here, temperature, rules.min_p)
        token = _drawn(weights, draw * sum_here)
    if not possible[lane, token]:
        return token, -np.inf
    return token, np.float64(scores[lane, token]) - highest - np.log(total)


@compiled_summing
def _look(scores: NDArray[np.float32], lane: int, allowed: NDArray[np.bool_]) -> tuple[bool, int]:
    """Return whether all scores are finite, and the number of allowed ids."""
    nothing, choices = np.float32(0), np.int32(0)
    for token in range(allowed.shape[1]):
        nothing += scores[lane, token] * np.float32(0)  # NaN, if the score is infinite or NaN
        choices += np.int32(allowed[lane, token])
    return nothing == 0, int(choices)


@compiled_choosing
def _highest(scores: NDArray[np.float32], lane: int, possible: NDArray[np.bool_]) -> float:
    """Return the highest score of possible ids."""
    highest = np.float32(-np.inf)
    for token in range(possible.shape[1]):
        score = scores[lane, token] if possible[lane, token] else np.float32(-np.inf)
        highest = max(highest, score)
    return np.float64(highest)


@compiled_summing
def _weigh(
    scores: NDArray[np.float32],
    lane: int,
    highest: float,
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    factors: Floats,
    weights: Floats,
) -> tuple[float, float]:
    """Fill in weights, as at temperature 1; return the sum of the model's, and of these."""
    total = sum_here = 0.0
    for token in range(len(weights)):
        weight = exponential(scores[lane, token] - highest)
        weight = weight if possible[lane, token] else 0.0
        total += weight
        weights[token] = weight * factors[token] if allowed[lane, token] else 0.0
        sum_here += weights[token]
    return total, sum_here


@compiled_choosing
def _highest_biased(
    scores: NDArray[np.float32],
    lane: int,
    bias: Floats,
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    weights: Floats,
) -> float:
    """Fill in scores with bias of ids that may come; return the highest."""
    highest = -np.inf
    for token in range(len(weights)):
        may_come = possible[lane, token] and allowed[lane, token]
        weights[token] = scores[lane, token] + bias[token] if may_come else -np.inf
        highest = max(highest, weights[token])
    return highest


@compiled_summing
def _sharpen(weights: Floats, highest: float, temperature: float, least: float) -> float:
    """Replace scores by weights, 1 for the highest and 0 below `least`; return their sum."""
    if temperature == 0:
        for token in range(len(weights)):
            weights[token] = weights[token] == highest
        return 1.0
    total, factor = 0.0, 1 / temperature
    for token in range(len(weights)):
        weight = exponential((weights[token] - highest) * factor)
        weights[token] = weight if weight >= least else 0.0
        total += weights[token]
    return total


@compiled
def _drawn(weights: Floats, target: float) -> int:
    """Return the first place where the sum of weights exceeds the target, or the last weight."""
    cumulated, last = 0.0, 0
    for token in range(len(weights)):
        cumulated += weights[token]
        if cumulated > target:
            return token
        if weights[token] > 0:
            last = token
    return last
