"""Prompts that end inside a token: all ways to spell their end, each with its probability.

The last tokens of the prompt "hel" are not those of "hello". So the text of the open end is spelled
anew (`seqgen.open_end`): a way is some tokens whose text begins with it, such as "hello", or "h"
and "elmet". Only the last one reaches beyond that text. Each way has the probability that the model
gives it. A way is drawn by these, so a piece is drawn from the model's distribution, given the text
of the prompt.

The ways are found from left to right: at each position of the text the likeliest beginnings are
continued by all tokens that agree with it. Comes from: `seqgen.generation.writer`.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.generation.pieces import Draft
from seqgen.open_end import OpenEnd

#: Most beginnings that are continued at one position of the text.
WIDTH = 16

#: A beginning with a smaller share of the probability of all ways found so far is dropped.
NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class Way:
    """One way to spell an open end.

    Attributes
    ----------
    ids : list of int
    log_probability : float
        Of these ids after the ids that stay.
    state : int
        Number of the state before the last id.
    """

    ids: list[int]
    log_probability: float
    state: int


@dataclass(order=True)
class _Beginning:
    """Some ids, all of whose text is the beginning of the open end."""

    unlikelihood: float
    number: int
    draft: Draft = field(compare=False)
    ids: list[int] = field(compare=False)
    state: Any = field(compare=False)  # before the last id of the draft


def ways_to_spell(
    end: OpenEnd,
    spelled: list[int],
    draft: Draft,
    state: Any,
    read: Callable[[Draft, Any], tuple[NDArray[np.float64], Any]],
    branch: Callable[[Draft, int], Draft],
) -> tuple[list[Way], list[Any]]:
    """Return the ways to spell an open end, and the states before their last ids.

    Parameters
    ----------
    end : OpenEnd
    spelled : list of int
        The ids of the prompt for it.
    draft : Draft
        It has the ids that stay, and a tracker that has seen them.
    state : object
        The stepper's state before the last of these ids.
    read : callable
        Reads the last id of a draft from a state: returns the log-probabilities ``(V',)`` of the
        next id, minus infinity for those that may not come, and the state after it.
    branch : callable
        Returns a copy of a draft with one more id.
    """
    waiting = defaultdict[int, list[_Beginning]](list)
    waiting[0].append(_Beginning(0.0, 0, draft, [], state))
    ways, states, found, number = list[Way](), list[Any](), 0.0, 0
    whole = end.text.encode("utf-8", "surrogatepass")
    for position in range(len(whole)):
        rest, here = whole[position:], waiting.pop(position, [])
        heapq.heapify(here)
        for _ in range(WIDTH):
            if not here:
                break
            one = heapq.heappop(here)
            if math.exp(-one.unlikelihood) < NEGLIGIBLE * found:
                continue
            scores, after = read(one.draft, one.state)
            states.append(after)
            texts = end.spellings(np.array(one.draft.ids, np.int64))
            for token in np.flatnonzero(scores[: len(texts)] > -np.inf).tolist():
                text, likelihood = texts[token], float(scores[token]) - one.unlikelihood
                if text.startswith(rest):
                    ways.append(Way([*one.ids, token], likelihood, len(states) - 1))
                    found += math.exp(likelihood)
                elif rest.startswith(text):
                    number += 1
                    ids = [*one.ids, token]
                    longer = _Beginning(-likelihood, number, branch(one.draft, token), ids, after)
                    place = here if not text else waiting[position + len(text)]
                    heapq.heappush(place, longer)
    if ways:
        return ways, states
    # A grammar that this prompt breaks allows none.
    for token in spelled:
        _, state = read(draft, state)
        draft = branch(draft, token)
    return [Way(spelled, 0.0, 0)], [state]
