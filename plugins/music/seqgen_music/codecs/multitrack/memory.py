"""The memory of the codec `multitrack`: what followed when the same tokens came before.

Music repeats its bars, and an LSTM does not look them up. The memory looks up the last tokens among
all tokens before, the longest stretch first. The token that followed then, and the length of the
stretch, are two features.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from seqgen.plugin import Ids

#: Tokens of the stretches that are looked up: 2, 4, 8 ... 512.
SIZES = tuple(2**power for power in range(1, 10))

#: Tokens after which a stretch is dropped; streams may be endless.
FARTHEST = 2**15

#: A stretch is hashed by a polynomial, modulo a prime that makes collisions improbable.
BASE, PRIME = 1_000_003, 2**61 - 1

#: The weight of the token that leaves a stretch, by size.
LEAVING = [pow(BASE, size - 1, PRIME) for size in SIZES]


def expectations(ids: Ids) -> Ids:
    """Return the expected token at every position, and the stretch that it follows.

    Parameters
    ----------
    ids : int64 array (N,)

    Returns
    -------
    int64 array (N + 1, 2)
        The token plus one, and the index in `SIZES` plus one; zeros if the last tokens have not
        come before.
    """
    expected = np.zeros((len(ids) + 1, 2), np.int64)
    # The number of the stretch before each position; a number of its own if there is none.
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
        expected[order[1:][again], 0] = ids[order[:-1][again]] + 1
        expected[order[1:][again], 1] = number
    return expected


class TokenMemory:
    """Gives the rows of `expectations` token by token.

    Attributes
    ----------
    expected : (int, int)
        The row of the next position.
    """

    def __init__(self) -> None:
        self.expected = (0, 0)
        self._recent: deque[int] = deque([0] * SIZES[-1], SIZES[-1])
        self._count = 0
        # For each size, by stretch: the token that followed, and its position.
        self._known: list[dict[int, tuple[int, int]]] = [{} for _ in SIZES]
        self._stretches = [0] * len(SIZES)

    def push(self, token: int) -> None:
        """Update the memory with a token."""
        self.expected = (0, 0)
        for number, size in enumerate(SIZES):
            known, stretch = self._known[number], self._stretches[number]
            if self._count >= size:
                # Moved to the end, so that the first entry is the oldest.
                known.pop(stretch, None)
                known[stretch] = token, self._count
            gone = self._recent[-size] * LEAVING[number] if self._count >= size else 0
            stretch = ((stretch - gone) * BASE + token + 1) % PRIME
            self._stretches[number] = stretch
            while known and self._count + 1 - next(iter(known.values()))[1] > FARTHEST:
                del known[next(iter(known))]
            if self._count + 1 >= size and stretch in known:
                self.expected = known[stretch][0] + 1, number + 1
        self._recent.append(token + 1)
        self._count += 1
