"""Drawing from clusters by proposals: ids of the model are drawn until one is accepted, compiled.

Most draws open no cluster, with any temperature up to 1 and min-p, and whatever may not come. Comes
from: `seqgen.drawing.sampling`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.drawing.parts import WANTING, Parts, View, entries_of
from seqgen.drawing.rules import Floats, Rules

#: Ids to draw and reject before all probabilities are computed, and what is returned then.
TRIES, REJECTED = 16, -4


@compiled
def is_light(view: View, temperature: float, rules: Rules) -> bool:
    """Return whether the settings lower probabilities one by one: ids can be drawn and rejected."""
    return bool(
        0 < temperature <= 1
        and rules.top_k == 0
        and rules.typical_p == 1
        and rules.top_p == 1
        and rules.repetition_penalty == 1
        and rules.no_repeat_ngram == 0
        and len(rules.groups) == 0
        and not view.biased.any()
    )


@compiled
def propose(
    scores: NDArray[np.float32],
    parts: Parts,
    view: View,
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    draw: float,
    temperature: float,
    share: float,
) -> tuple[int, float]:
    """Draw ids of the model until one is accepted (von Neumann 1951); open clusters that are drawn.

    With temperature t an id of probability p is accepted as often as p ** (1 / t - 1) says, in
    proportion to its highest value. Min-p accepts what has the `share` of the highest probability.
    So accepted ids have the probabilities that the settings give them.

    Returns
    -------
    id : int
        `WANTING` if more scores are wanted, `REJECTED` after too many tries.
    log_probability : float
    """
    entries, _, model, masses = entries_of(scores, parts, view, possible)
    cumulated = np.cumsum(np.exp(model))
    shortlist, best = parts.starts[1], -np.inf
    # No probability is above `bound`, and it is the same whatever is open.
    bound = masses.max()
    for place in range(len(entries)):
        if entries[place] >= 0 and allowed[entries[place]]:
            best = max(best, model[place])
            if place < shortlist:
                bound = max(bound, model[place])
    least = np.log(share) if share else -np.inf
    for number in range(TRIES):
        chosen = drawn_at(cumulated, draw if number == 0 else another(draw, 2 * number))
        token, found = entries[chosen], model[chosen]
        # Min-p may drop all ids of a closed cluster.
        if found < best + temperature * least or (token >= 0 and not allowed[token]):
            continue
        if token < 0:
            view.wanted[-token] = True
            return WANTING, 0.0
        if temperature < 1:
            accepted = np.exp((found - bound) * (1 / temperature - 1))
            if another(draw, 2 * number + 1) >= accepted:
                continue
        if found < bound + temperature * least:
            # A closed cluster may have an id so much likelier that this one is dropped.
            for place in range(len(entries)):
                likelier = found < model[place] + temperature * least
                if entries[place] < 0 and likelier:
                    view.wanted[-entries[place]] = True
            if view.wanted.any():
                return WANTING, 0.0
        return int(token), found
    return REJECTED, 0.0


@compiled
def drawn_at(cumulated: Floats, draw: float) -> int:
    """Return the first entry whose cumulated probability exceeds the draw: inverse transform."""
    return int(np.searchsorted(cumulated, draw * cumulated[-1], side="right"))


@compiled
def another(draw: float, count: int) -> float:
    """Return another number in [0, 1) that a draw determines (splitmix64; Steele et al. 2014)."""
    mixed = np.float64(draw).view(np.uint64) + np.uint64(count) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return float(mixed >> np.uint64(11)) * 2.0**-53
