"""THE SAMPLER: from a model's logits to the drawn id, one sequence at a time, compiled by numba.

The order is: bias and bans, repetition penalty, mask, no repeated n-gram, temperature, top-k,
typical-p, top-p, min-p, draw. Each filter keeps at least one token and renormalises. An id that is
the only one allowed is taken, whatever the settings.

With token groups, temperature and filters apply within each group, and each group keeps the
model's probability. A low temperature then affects which pitch a note has, not whether there is
one. An adaptive output is drawn from in parts (`seqgen.drawing.parts`): the scores of rare ids
are computed if they matter. Both steppers draw with this code. B sequences, T steps, V' ids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.drawing.direct import NOT_FINITE, NOTHING_LEFT
from seqgen.drawing.filters import distribution, penalised, temperature_at
from seqgen.drawing.parts import WANTING, Parts, View, Views, entries_of, finite, place_of
from seqgen.drawing.proposals import REJECTED, TRIES, another, drawn_at, is_light, propose
from seqgen.drawing.rules import Floats, Positions, Rules
from seqgen.plugin import Ids


@compiled
def choose_each(
    scores: NDArray[np.float32],
    parts: Parts,
    views: Views,
    positions: Positions,
    draws: Floats,
    step: int,
    rules: Rules,
    new: Ids,
    log_probabilities: Floats,
) -> bool:
    """Draw the id of one step in every sequence whose wanted scores are there.

    Parameters
    ----------
    scores : float32 array (B, columns of the parts)
    parts : Parts
    views : Views
        Filled in: what a sequence still wants has to be computed before the next call.
    positions : Positions
        Its ids, recent tokens and counts are updated.
    draws, step : float64 array (B, T) uniform in [0, 1), and int below T
    rules : Rules
    new, log_probabilities : int64 and float64 array (B, T)
        Filled in; an id below 0 is an error code, after which nothing more is drawn.

    Returns
    -------
    bool
        Whether there was no error.
    """
    for lane in range(len(positions.ids)):
        if not views.wanted[lane].any():
            continue
        views.opened[lane] |= views.wanted[lane]
        views.wanted[lane] = False
        count = positions.counts[lane]
        first = max(count - rules.repetition_window, 0) if rules.repetition_window else 0
        token, log_probability = choose(
            scores[lane],
            parts,
            View(
                views.alive[lane],
                views.mixed[lane],
                views.biased[lane],
                views.opened[lane],
                views.wanted[lane],
            ),
            positions.possible[lane],
            positions.allowed[lane],
            positions.recent[lane, first:count],
            positions.drawn[lane] + step,
            draws[lane, step],
            rules,
        )
        if token == WANTING:
            continue
        positions.ids[lane] = new[lane, step] = token
        log_probabilities[lane, step] = log_probability
        if token < 0:
            return False
        if count < positions.recent.shape[1]:
            positions.recent[lane, count] = token
            positions.counts[lane] += 1
    return True


@compiled
def choose(
    scores: NDArray[np.float32],
    parts: Parts,
    view: View,
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    recent: Ids,
    drawn: int,
    draw: float,
    rules: Rules,
) -> tuple[int, float]:
    """Draw one id.

    A cluster that is not opened counts as one entry with all its probability. If the settings drop
    it, they drop all its ids. If they keep it, it has to be opened. Temperatures up to 1 and min-p
    need no more than the clusters that are drawn. So every id has the probability that it has with
    all clusters open.

    Parameters
    ----------
    scores : float32 array (columns of the parts,)
    parts : Parts
    view : View
        If scores are wanted, it says of which parts.
    possible, allowed : bool array (V',)
        Ids over which probabilities are taken, and ids that may be drawn.
    recent : int64 array (N,)
        The last tokens of the piece, `Rules.look_back` at most.
    drawn, draw : number of tokens drawn so far, and float uniform in [0, 1)
    rules : Rules

    Returns
    -------
    id : int
        `NOT_FINITE` if a score is not a number, `NOTHING_LEFT` if all allowed ids are banned,
        `WANTING` if more scores are wanted.
    log_probability : float
        Of the id under the model, without settings.
    """
    if not finite(scores, parts, view):
        return NOT_FINITE, 0.0
    temperature = temperature_at(drawn, rules)
    choices = allowed.sum()
    if choices == 0:
        return NOTHING_LEFT, 0.0
    only = int(np.argmax(allowed)) if choices == 1 else -1
    if only < 0 and len(view.opened) > 1 and is_light(view, temperature, rules):
        token, log_probability = propose(
            scores, parts, view, possible, allowed, draw, temperature, rules.min_p
        )
        if token != REJECTED:
            return token, log_probability
        draw = another(draw, 2 * TRIES)
    _want(parts, view, only, recent, temperature, rules)
    if view.wanted.any():
        return WANTING, 0.0
    entries, firsts, model, _ = entries_of(scores, parts, view, possible)  # (N,), (C + 1,), (N,)
    if only >= 0:
        return only, model[place_of(only, parts, firsts)]
    ids = np.maximum(entries, 0)  # of closed clusters, which have no bias and no group
    bias, may_come = rules.bias[ids], allowed[ids]
    for place in range(len(entries)):
        if entries[place] < 0:
            bias[place], may_come[place] = 0.0, True
    before = np.array([place_of(token, parts, firsts) for token in recent], np.int64)
    weighed = penalised(model, bias, may_come, before, rules)
    if weighed.max() == -np.inf:
        return NOTHING_LEFT, 0.0
    groups = rules.groups[ids] if len(rules.groups) else rules.groups
    kept = distribution(weighed, temperature, groups, rules)  # (N,)
    chosen = drawn_at(np.cumsum(kept), draw)
    for place in range(len(entries)):
        # Without filters only the cluster that is drawn matters.
        matters = kept[place] > 0 if _has_filters(temperature, rules) else place == chosen
        if entries[place] < 0 and matters:
            view.wanted[-entries[place]] = True
    if view.wanted.any():
        return WANTING, 0.0
    return int(entries[chosen]), model[chosen]


@compiled
def _want(
    parts: Parts, view: View, only: int, recent: Ids, temperature: float, rules: Rules
) -> None:
    """Want the closed parts of which no settings can be known to drop all ids, or keep them."""
    if only >= 0:
        part = parts.of[only]
        view.wanted[part] = not view.opened[part]
        return
    grouped = len(rules.groups) > 0 and temperature != 0
    # These look at all probabilities, and those of a closed cluster are not known.
    shares = rules.typical_p < 1 or (rules.top_p < 1 and temperature != 1)
    whole = grouped or (shares and not rules.top_k and temperature != 0)
    for part in range(len(view.opened)):
        view.wanted[part] = view.alive[part] and (whole or view.mixed[part] or view.biased[part])
    if rules.repetition_penalty != 1 or rules.no_repeat_ngram:
        for token in recent:
            view.wanted[parts.of[token]] = True
    for part in range(len(view.opened)):
        view.wanted[part] &= not view.opened[part]


@compiled
def _has_filters(temperature: float, rules: Rules) -> bool:
    """Return whether probabilities depend on those of ids in other clusters."""
    return bool(
        temperature != 1
        or rules.top_k > 0
        or rules.typical_p < 1
        or rules.top_p < 1
        or rules.min_p > 0
    )
