"""Drawing where the settings look at ids one by one: nothing is sorted; compiled.

Temperature, min-p, bias, bans and masks are such settings. It gives what
`seqgen.generation.sampling` gives with all its steps, up to the last bits of probabilities. Comes
from: `seqgen.generation.sampling`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled_choosing, compiled_inside, compiled_summing
from seqgen.compiling import compiled_contracting as compiled
from seqgen.generation.exponentials import exponential
from seqgen.generation.filters import temperature_at
from seqgen.generation.rules import Floats, Positions, Rules
from seqgen.plugin import Ids

#: Returned in place of an id: a score is not a number; all allowed ids are banned.
NOT_FINITE, NOTHING_LEFT = -1, -2


@compiled_inside
def draw_each(
    scores: NDArray[np.float32],
    positions: Positions,
    draws: Floats,
    step: int,
    rules: Rules,
    weights: Floats,
    new: Ids,
    log_probabilities: Floats,
) -> bool:
    """Draw the id of one step in every sequence that has not ended.

    The parameters are those of `seqgen.generation.sampling.choose_each`; `weights` as below.

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
    weights : float64 array (V',)
        Scratch.

    Returns
    -------
    id : int
        Or `NOT_FINITE`, `NOTHING_LEFT`.
    log_probability : float
    """
    if not _are_finite(scores, lane, len(weights)):
        return NOT_FINITE, 0.0
    choices = _count(allowed, lane)
    if choices == 0:
        return NOTHING_LEFT, 0.0
    highest = _highest(scores, lane, possible, weights)
    total = _sum_of_powers(weights, highest, 1.0, 0.0)
    if choices == 1:
        token = int(np.argmax(allowed[lane]))
    else:
        highest_here = _highest_biased(scores, lane, rules.bias, allowed, weights)
        if highest_here == -np.inf:
            return NOTHING_LEFT, 0.0
        if temperature == 0:
            token = _place_of(weights, highest_here)
        else:
            sum_here = _sum_of_powers(weights, highest_here, temperature, rules.min_p)
            token = _drawn(weights, draw * sum_here)
    return token, float(scores[lane, token]) - highest - np.log(total) if possible[
        lane, token
    ] else -np.inf


@compiled_summing
def _are_finite(scores: NDArray[np.float32], lane: int, targets: int) -> bool:
    """Return whether all scores are finite; only these give 0 times 0."""
    total = np.float32(0)
    for token in range(targets):
        total += scores[lane, token] * np.float32(0)
    return bool(total == 0)


@compiled
def _count(allowed: NDArray[np.bool_], lane: int) -> int:
    count = 0
    for token in range(allowed.shape[1]):
        count += allowed[lane, token]
    return count


@compiled_choosing
def _highest(
    scores: NDArray[np.float32], lane: int, possible: NDArray[np.bool_], weights: Floats
) -> float:
    """Fill in the scores (V',) of possible ids, minus infinity for others; return the highest."""
    highest = -np.inf
    for token in range(len(weights)):
        weights[token] = scores[lane, token] if possible[lane, token] else -np.inf
        highest = max(highest, weights[token])
    return highest


@compiled_choosing
def _highest_biased(
    scores: NDArray[np.float32],
    lane: int,
    bias: Floats,
    allowed: NDArray[np.bool_],
    weights: Floats,
) -> float:
    """Do the same for allowed ids, with bias."""
    highest = -np.inf
    for token in range(len(weights)):
        weights[token] = scores[lane, token] + bias[token] if allowed[lane, token] else -np.inf
        highest = max(highest, weights[token])
    return highest


@compiled_summing
def _sum_of_powers(weights: Floats, highest: float, temperature: float, least: float) -> float:
    """Replace scores by weights, 1 for the highest and 0 below `least`; return their sum."""
    total, factor = 0.0, 1 / temperature
    for token in range(len(weights)):
        weight = exponential((weights[token] - highest) * factor)
        weights[token] = weight if weight >= least else 0.0
        total += weights[token]
    return total


@compiled
def _place_of(weights: Floats, wanted: float) -> int:
    """Return the first place of a number that is there."""
    token = 0
    while weights[token] != wanted:
        token += 1
    return token


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
