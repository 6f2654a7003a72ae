"""Candidates: several versions of a piece side by side; those that fit the given tokens are kept.

The model sees a given token, such as a note of a melody, only when its turn comes: tokens drawn
before could not take it into account. So several candidates are written side by side. The weight of
a candidate is the probability of its given tokens under the model. When few candidates have most of
the weight, all are resampled by weight: good ones are copied, bad ones are dropped (sequential
Monte Carlo: Gordon et al. 1993; Doucet and Johansen 2011, section 3.5). A step counts only if all
candidates are given their token, because other weights cannot be compared.

With many candidates, the probability of a piece is that of its drawn tokens under the sampler times
that of its given tokens under the model, normalised. At temperature 1 without filters this is the
model's own distribution, conditioned on the given tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from seqgen.generation.pieces import Draft
from seqgen.generation.writer import Writer
from seqgen.plugin import Codec, Ids

#: Candidates are resampled when the effective number is below this share of the number.
WORN = 0.5


def write_guided(writer: Writer, drafts: list[Draft], count: int, codec: Codec) -> Iterator[int]:
    """Write one piece; yield after each step how many tokens were drawn for all candidates.

    Parameters
    ----------
    writer : Writer
    drafts : list of Draft
        The one draft of the piece. After each step it is replaced by the candidate with the
        largest weight, and in the end by one drawn by weight.
    count : int
        Number of candidates.
    codec : Codec
        Shared by the candidates.
    """
    [draft] = drafts
    chooser, bits = draft.random, cast(np.random.Philox, draft.random.bit_generator)
    streams = [np.random.Generator(bits.jumped(slot + 1)) for slot in range(count)]
    candidates = _continued([draft], [0] * count, streams, codec)
    active, state = candidates, writer.start(candidates)
    weights = np.zeros(count)
    while active:
        step = writer.step(active, state, most=1)
        state = step.state
        if len(active) == count and step.given.all():
            weights += step.log_probabilities
            if are_worn(weights) and not any(each.stopped_by for each in candidates):
                rows = resampled(weights, chooser.random())
                candidates = _continued(candidates, rows.tolist(), streams, codec)
                active, state = candidates, writer.select(state, rows)
                weights[:] = 0.0
        drafts[0] = candidates[int(np.argmax(weights))]
        yield step.drawn
        active, state = writer.going(active, state)
    drafts[0] = candidates[chooser.choice(count, p=_shares(weights))]


def _continued(
    drafts: list[Draft], rows: list[int], streams: list[np.random.Generator], codec: Codec
) -> list[Draft]:
    """Return the drafts of some rows, each with its random numbers; repeated rows are copied."""
    continued, named = [], set[int]()
    for row, stream in zip(rows, streams, strict=True):
        draft = drafts[row].branch(codec) if row in named else drafts[row]
        named.add(row)
        draft.random = stream
        continued.append(draft)
    return continued


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.exp(weights - weights.max())
    return np.asarray(shares / shares.sum())


def are_worn(weights: NDArray[np.float64]) -> bool:
    """Return whether the effective number of candidates is low (Kong et al. 1994)."""
    return bool(1 / np.square(_shares(weights)).sum() < WORN * len(weights))


def resampled(weights: NDArray[np.float64], draw: float) -> Ids:
    """Return rows resampled by weight with one draw: each about its share times the number."""
    places = (np.arange(len(weights)) + draw) / len(weights)
    rows = np.searchsorted(np.cumsum(_shares(weights)), places, side="right")
    return np.minimum(rows, len(weights) - 1)
