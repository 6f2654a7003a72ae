"""Candidates: of many candidates for a piece those go on from which what is given follows best.

The model is told of a token that is given, of a melody say, when its turn comes: what was drawn
before could not reckon with it. So several candidates are written side by side. Each weighs as
much as its given tokens are likely under the model; once few of them weigh most, all are drawn anew
by weight, so that good ones go on in several copies (sequential Monte Carlo: Gordon et al. 1993;
Doucet and Johansen 2011, section 3.5). A step counts only if it leaves no candidate a choice, for
else their weights could not be compared.

With many candidates a piece comes as often as the sampler draws what is drawn of it, times how
likely the model takes what is given: at temperature 1 and without filters, as often as among all
the pieces of the model that have what is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from seqgen.generation.pieces import Draft
from seqgen.generation.writer import Writer
from seqgen.plugin import Codec, Ids

#: Candidates are drawn anew once they are worth no more than this share of as many equal ones.
WORN = 0.5


def write_guided(writer: Writer, drafts: list[Draft], count: int, codec: Codec) -> Iterator[int]:
    """Write one piece, and yield after each step how many tokens were drawn for all candidates.

    Parameters
    ----------
    writer : Writer
    drafts : list of Draft
        The one draft of the piece; after each step the first of the candidates that weigh most
        takes its place, and in the end one that is drawn by weight.
    count : int
        How many candidates.
    codec : Codec
        Shared by them.
    """
    [draft] = drafts
    chooser, bits = draft.random, cast(np.random.Philox, draft.random.bit_generator)
    streams = [np.random.Generator(bits.jumped(slot + 1)) for slot in range(count)]
    candidates = _continued([draft], [0] * count, streams, codec)
    active, state = candidates, writer.start(count)
    weights = np.zeros(count)
    while active:
        step = writer.step(active, state)
        state = step.state
        if len(active) == count and step.given.all():
            weights += step.log_probabilities
            if _are_worn(weights) and not any(each.stopped_by for each in candidates):
                rows = _resampled(weights, chooser.random())
                candidates = _continued(candidates, rows.tolist(), streams, codec)
                active, state = candidates, writer.select(state, rows)
                weights[:] = 0.0
        active, state = writer.going(active, state)
        drafts[0] = candidates[int(np.argmax(weights))]
        yield step.drawn
    drafts[0] = candidates[chooser.choice(count, p=_shares(weights))]


def _continued(
    drafts: list[Draft], rows: list[int], streams: list[np.random.Generator], codec: Codec
) -> list[Draft]:
    """Return some drafts, copied where one is named again, each with a stream of draws."""
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


def _are_worn(weights: NDArray[np.float64]) -> bool:
    """Tell whether the effective number of candidates is low (Kong et al. 1994)."""
    return bool(1 / np.square(_shares(weights)).sum() < WORN * len(weights))


def _resampled(weights: NDArray[np.float64], draw: float) -> Ids:
    """Return rows drawn by weight with one draw, each as often as is due to it, rounded."""
    places = (np.arange(len(weights)) + draw) / len(weights)
    rows = np.searchsorted(np.cumsum(_shares(weights)), places, side="right")
    return np.minimum(rows, len(weights) - 1)
