"""The match model: what followed the last place where the same tokens came before.

It sees repeats that are longer than any n-gram: a refrain, a licence, a boilerplate. How much it is
believed depends on how often matches of that length were right (Mahoney 2005). Next:
`seqgen.evaluation.geometric_mixture`, of which it is a part.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.plugin import Ids

#: Tokens of the shortest match, and length from which matches are no longer told apart.
SHORTEST, LONGEST = 10, 32

#: Tokens that are remembered, and places of matches: 16 and 32 MB. Both are powers of two.
REMEMBERED, PLACES = 2**22, 2**22

#: Matches after which half of the evidence for their length is forgotten.
EVIDENCE = 1000.0

#: The hash is a polynomial, whose bits alone are spread badly.
_MULTIPLIER, _SPREAD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


class Matches(NamedTuple):
    """What the match model remembers.

    Attributes
    ----------
    tokens : int32 array (REMEMBERED,)
        The last tokens read, the oldest overwritten first.
    places : int64 array (PLACES,)
        By hash of `SHORTEST` tokens, the number of tokens read when they came last, or 0.
    right, tried : float64 array (LONGEST + 1,)
        By length, how many matches predicted the next token, and how many there were.
    now : int64 array (3,)
        Number of tokens read; length and prediction of the match here, 0 and -1 without one.
    """

    tokens: NDArray[np.int32]
    places: Ids
    right: NDArray[np.float64]
    tried: NDArray[np.float64]
    now: Ids


def matches() -> Matches:
    """Return a match model that has read nothing."""
    return Matches(
        np.zeros(REMEMBERED, np.int32),
        np.zeros(PLACES, np.int64),
        np.full(LONGEST + 1, 0.5),
        np.ones(LONGEST + 1),
        np.array([0, 0, -1]),
    )


@compiled
def follow_match(matches: Matches, token: int, learn: bool) -> None:
    """Read a token and find the match there; other matches may begin after it if `learn`."""
    tokens, now = matches.tokens, matches.now
    last = len(tokens) - 1
    count = now[0]
    tokens[count & last] = token
    now[0], now[1], now[2] = count + 1, 0, -1
    if count + 1 < SHORTEST:
        return
    slot = _slot(matches, tokens, count)
    place, length = matches.places[slot], 0
    if learn:
        matches.places[slot] = count + 1
    oldest = max(count + 1 - len(tokens), 0)
    while (
        length < LONGEST
        and place - 1 - length >= oldest
        and tokens[(place - 1 - length) & last] == tokens[(count - length) & last]
    ):
        length += 1
    if length >= SHORTEST:
        now[1], now[2] = length, tokens[place & last]


@compiled
def look_up(matches: Matches, recent: Ids, count: int) -> None:
    """Find the match of another text, of which the last `count` tokens end `recent` ``(N,)``."""
    tokens, now, end = matches.tokens, matches.now, len(recent)
    now[1], now[2] = 0, -1
    if count < SHORTEST:
        return
    last = len(tokens) - 1
    oldest = max(now[0] - len(tokens), 0)
    place, length = matches.places[_slot(matches, recent, end - 1)], 0
    while (
        length < min(LONGEST, count)
        and place - 1 - length >= oldest
        and tokens[(place - 1 - length) & last] == recent[end - 1 - length]
    ):
        length += 1
    if length >= SHORTEST:
        now[1], now[2] = length, tokens[place & last]


@compiled
def _slot(matches: Matches, tokens: NDArray[np.signedinteger[Any]], at: int) -> int:
    """Return the slot of the `SHORTEST` tokens up to a position; `tokens` is a ring."""
    key, last = np.uint64(0), len(tokens) - 1
    for back in range(SHORTEST):
        key = np.uint64(key * _MULTIPLIER + np.uint64(tokens[(at - back) & last] + 1))
    spread = np.int64(((key ^ (key >> np.uint64(29))) * _SPREAD) >> np.uint64(32))
    return int(spread & (len(matches.places) - 1))


@compiled
def believed(matches: Matches, ids: int) -> float:
    """Return by what log-odds the predicted token leads each other one of `ids`; 0 without."""
    length = matches.now[1]
    if not length:
        return 0.0
    share = matches.right[length] / matches.tried[length]
    return float(np.log(share / (1 - share) * (ids - 1)))


@compiled
def learn_match(matches: Matches, target: int) -> None:
    """Note whether the match predicted the target."""
    length = matches.now[1]
    if length:
        matches.tried[length] += 1
        matches.right[length] += matches.now[2] == target
        if matches.tried[length] > EVIDENCE:
            matches.tried[length] /= 2
            matches.right[length] /= 2
