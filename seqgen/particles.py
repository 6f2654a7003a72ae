"""Particles: of many candidates for a piece those go on from which what is given follows best.

The model is told of a token that is given, of a melody say, when its turn comes: what was drawn
before could not reckon with it. So several candidates are written side by side. Each weighs as
much as its given tokens are likely; once few of them weigh most, all are drawn anew by weight, so
that good ones go on in several copies (sequential Monte Carlo: Gordon et al. 1993; Doucet and
Johansen 2011, section 3.5). A step counts only if it gives a token to all candidates at once, for
else their weights could not be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Codec, Ids
from seqgen.task import Lane, Task

#: Candidates are drawn anew once they are worth no more than this share of as many equal ones.
WORN = 0.5


def write(task: Task, lanes: list[Lane], particles: int, codec: Codec) -> Iterator[int]:
    """Write one piece, and yield after each step how many tokens were drawn for all candidates.

    Parameters
    ----------
    task : Task
    lanes : list of Lane
        The one lane of the piece; after each step the candidate that weighs most takes its place,
        and in the end one that is drawn by weight.
    particles : int
        How many candidates.
    codec : Codec
        Shared by them.
    """
    [lane] = lanes
    chooser, bits = lane.random, cast(np.random.Philox, lane.random.bit_generator)
    streams = [np.random.Generator(bits.jumped(slot + 1)) for slot in range(particles)]
    candidates = _copies([lane] * particles, streams, codec)
    active, state = candidates, task.start(particles)
    weights = np.zeros(particles)
    while active:
        step = task.step(active, state)
        state = step.state
        if len(active) == particles and step.given.all():
            weights += step.log_probabilities
            if _are_worn(weights) and not any(each.stopped_by for each in candidates):
                rows = _resampled(weights, chooser.random())
                candidates = _copies([candidates[row] for row in rows], streams, codec)
                active, state = candidates, task.select(state, rows)
                weights[:] = 0.0
        active, state = task.going(active, state)
        lanes[0] = candidates[int(np.argmax(weights))]
        yield step.drawn
    lanes[0] = candidates[chooser.choice(particles, p=_shares(weights))]


def particles_for(codec: Codec, condition: Any) -> int:
    """Return how many candidates suit a codec, if the user does not say."""
    return 1 if condition is None else codec.particles


def _copies(lanes: list[Lane], streams: list[np.random.Generator], codec: Codec) -> list[Lane]:
    """Return copies of lanes, each with a stream of draws of its own."""
    copies = [lane.branch(codec) for lane in lanes]
    for copy, stream in zip(copies, streams, strict=True):
        copy.random = stream
    return copies


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.exp(weights - weights.max())
    return np.asarray(shares / shares.sum())


def _are_worn(weights: NDArray[np.float64]) -> bool:
    """Tell whether the effective number of candidates is low (Kong et al. 1994)."""
    return bool(1 / np.square(_shares(weights)).sum() < WORN * len(weights))


def _resampled(weights: NDArray[np.float64], draw: float) -> Ids:
    """Return rows drawn by weight with one draw, each as often as is due to it, rounded."""
    places = (np.arange(len(weights)) + draw) / len(weights)
    rows = np.searchsorted(np.cumsum(_shares(weights)), places, side="right")
    return np.minimum(rows, len(weights) - 1)
