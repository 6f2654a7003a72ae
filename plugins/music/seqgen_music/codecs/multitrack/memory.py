"""What the codec `multitrack` remembers: how it went on when the same tokens came before.

Music repeats its bars, and an LSTM does not look them up. Here the last tokens are looked up in all
that came before, the longest stretch first; what followed it then, and how long the stretch is,
are two features. Endless streams forget what is long past.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from seqgen.plugin import Ids

#: Tokens of the stretches that are looked up: the first doubled, again and again.
SIZES = tuple(2**power for power in range(1, 10))

#: Tokens after which it is forgotten what came.
FARTHEST = 2**15

#: Stretches are told apart by polynomials, modulo a prime that makes equal ones improbable.
BASE, PRIME = 1_000_003, 2**61 - 1

#: The weight of the token that leaves a stretch, by size.
LEAVING = [pow(BASE, size - 1, PRIME) for size in SIZES]


def expectations(ids: Ids) -> Ids:
    """Return the token expected at every place and after the last one, and why.

    Parameters
    ----------
    ids : int64 array (N,)

    Returns
    -------
    int64 array (N + 1, 2)
        The token plus one, and the number of the stretch's size plus one; zeros if the last tokens
        have not come before.
    """
    said = np.zeros((len(ids) + 1, 2), np.int64)
    # Of every place the number of the stretch before it; where there is none, one of its own.
    stretch = np.append(-1, ids)
    for number, size in enumerate(SIZES, 1):
        half = size // 2
        if size > len(ids):
            break
        pairs = stretch[half:-half] * (stretch.max() + 1) + stretch[size:]
        _, found = np.unique(pairs, return_inverse=True)
        stretch = np.concatenate([-1 - np.arange(size), found])
        order = np.argsort(stretch, kind="stable")
        again = (stretch[order[1:]] == stretch[order[:-1]]) & (np.diff(order) <= FARTHEST)
        said[order[1:][again], 0] = ids[order[:-1][again]] + 1
        said[order[1:][again], 1] = number
    return said


class Memory:
    """Follows the tokens one by one, for the same result.

    Attributes
    ----------
    said : tuple of (int, int)
        A row of `expectations` for the token to come.
    """

    def __init__(self) -> None:
        self.said = (0, 0)
        self._recent: deque[int] = deque([0] * SIZES[-1], SIZES[-1])
        self._count = 0
        # By size, and by stretch: the token that came then, and when.
        self._known: list[dict[int, tuple[int, int]]] = [{} for _ in SIZES]
        self._stretches = [0] * len(SIZES)

    def push(self, token: int) -> None:
        """Take note of a token."""
        self.said = (0, 0)
        for number, size in enumerate(SIZES):
            known, stretch = self._known[number], self._stretches[number]
            if self._count >= size:
                # Moved to the end: the first one is always the oldest.
                known.pop(stretch, None)
                known[stretch] = token, self._count
            gone = self._recent[-size] * LEAVING[number] if self._count >= size else 0
            stretch = ((stretch - gone) * BASE + token + 1) % PRIME
            self._stretches[number] = stretch
            while known and self._count + 1 - next(iter(known.values()))[1] > FARTHEST:
                del known[next(iter(known))]
            if self._count + 1 >= size and stretch in known:
                self.said = known[stretch][0] + 1, number + 1
        self._recent.append(token + 1)
        self._count += 1
