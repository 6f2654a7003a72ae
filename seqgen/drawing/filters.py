"""What the settings of sampling do to log-probabilities, compiled: penalties, then filters.

Each filter keeps at least one id and renormalises. Comes from: `seqgen.drawing.sampling`, which
has their order. N ids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.drawing.rules import Floats, Rules
from seqgen.plugin import Ids

#: Smallest probability whose logarithm is taken.
IMPOSSIBLE = 1e-300


@compiled
def penalised(
    model: Floats, bias: Floats, allowed: NDArray[np.bool_], recent: Ids, rules: Rules
) -> Floats:
    """Return log-probabilities ``(N,)`` after bias, bans, penalty, mask and n-grams."""
    scores = model + bias
    # Keskar et al. 2019 divide logits, whose zero is arbitrary; this divides the probability.
    if rules.repetition_penalty != 1:
        for token in recent:
            scores[token] = model[token] + bias[token] - np.log(rules.repetition_penalty)
    for token in range(len(scores)):
        if not allowed[token]:
            scores[token] = -np.inf
    if rules.no_repeat_ngram:
        remaining = without_repeats(scores, recent, rules.no_repeat_ngram)
        if remaining.max() > -np.inf:
            return remaining
    return scores


@compiled
def without_repeats(scores: Floats, recent: Ids, n: int) -> Floats:
    """Exclude ids that would repeat an n-gram of the recent tokens (Paulus et al. 2018, 2.5)."""
    remaining = scores.copy()
    start = len(recent) - n + 1
    for before in range(start):
        if np.array_equal(recent[before : before + n - 1], recent[start:]):
            remaining[recent[before + n - 1]] = -np.inf
    return remaining


@compiled
def temperature_at(drawn: int, rules: Rules) -> float:
    """Return the temperature after some tokens: a straight line, then constant."""
    progress = min(drawn / rules.cooling, 1.0)
    return rules.temperature + progress * (rules.final_temperature - rules.temperature)


@compiled
def distribution(scores: Floats, temperature: float, groups: Ids, rules: Rules) -> Floats:
    """Return the probabilities ``(N,)`` to draw from: `filtered`, group by group."""
    kept = np.zeros(len(scores))
    if temperature == 0:
        kept[np.argmax(scores)] = 1.0
        return kept
    # A mask may leave few of many ids.
    ids = np.flatnonzero(scores != -np.inf)
    scores = scores[ids]
    if not len(groups):
        for place, probability in enumerate(filtered(scores, temperature, rules)):
            kept[ids[place]] = probability
        return kept
    groups = groups[ids]
    probabilities, shares = softmax(scores), np.zeros(groups.max() + 1)
    for place in range(len(ids)):
        shares[groups[place]] += probabilities[place]
    for group in np.flatnonzero(shares):
        places = np.flatnonzero(groups == group)
        for at, probability in enumerate(filtered(scores[places], temperature, rules)):
            kept[ids[places[at]]] = shares[group] * probability
    return kept


@compiled
def filtered(scores: Floats, temperature: float, rules: Rules) -> Floats:
    """Return probabilities after temperature, top-k, typical-p, top-p and min-p."""
    kept = softmax(scores / temperature)
    if 0 < rules.top_k < len(kept):
        kept = normalised(top_k(kept, rules.top_k))
    if rules.typical_p < 1:
        kept = normalised(typical(kept, rules.typical_p))
    if rules.top_p < 1:
        kept = normalised(top_p(kept, rules.top_p))
    if rules.min_p:
        kept = normalised(min_p(kept, rules.min_p))
    return kept


@compiled
def log_softmax(scores: NDArray[np.floating]) -> Floats:
    """Return normalised log-probabilities ``(N,)``."""
    shifted: Floats = scores.astype(np.float64) - scores.max()
    total = 0.0
    for value in shifted:
        if value != -np.inf:  # a mask may leave few of many ids
            total += np.exp(value)
    normalisation: float = np.log(total)
    return shifted - normalisation


@compiled
def softmax(scores: Floats) -> Floats:
    """Return probabilities ``(N,)``."""
    weights: Floats = np.exp(scores - scores.max())
    return normalised(weights)


@compiled
def top_k(probabilities: Floats, k: int) -> Floats:
    """Keep the k most likely ids (Fan et al. 2018); of equal ones the smaller id."""
    return first_of(probabilities, np.argsort(-probabilities, kind="mergesort"), 2.0, k)


@compiled
def top_p(probabilities: Floats, p: float) -> Floats:
    """Keep the most likely ids that together have probability p (Holtzman et al. 2020)."""
    order = np.argsort(-probabilities, kind="mergesort")
    return first_of(probabilities, order, p, len(order))


@compiled
def typical(probabilities: Floats, p: float) -> Floats:
    """Keep ids of probability p whose surprise is nearest its mean (Meister et al. 2023)."""
    surprise = -np.log(np.maximum(probabilities, IMPOSSIBLE))
    expected = np.sum(probabilities * surprise)
    order = np.argsort(np.abs(surprise - expected), kind="mergesort")
    return first_of(probabilities, order, p, len(order))


@compiled
def min_p(probabilities: Floats, share: float) -> Floats:
    """Drop ids below a share of the highest probability (Nguyen et al. 2024)."""
    kept = probabilities.copy()
    least = share * kept.max()
    for token in range(len(kept)):
        if kept[token] < least:
            kept[token] = 0.0
    return kept


@compiled
def first_of(probabilities: Floats, order: Ids, p: float, count: int) -> Floats:
    """Keep ids in the given order until they have probability p, at most `count` ids."""
    kept = np.zeros(len(probabilities))
    mass = 0.0
    for token in order[:count]:
        if mass >= p:
            break
        kept[token] = probabilities[token]
        mass += probabilities[token]
    return kept


@compiled
def normalised(probabilities: Floats) -> Floats:
    """Scale probabilities to sum to 1."""
    total: float = probabilities.sum()
    return probabilities / total
