"""How few pitches a performance stays on: no new one is to get stuck in a trill or on a chord."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

import numpy as np

from seqgen.plugin import Ids

#: Of how many notes on end the different pitches are counted.
LENGTHS = (16, 64, 256)

#: Share of a corpus's pieces that stay on fewer pitches somewhere than a new one may.
UNUSUAL = 0.05


def fewest_pitches(pitches: Ids, length: int) -> int | None:
    """Return how many different pitches so many notes on end have at least, if there are so many.

    Parameters
    ----------
    pitches : int array (notes,)
    length : int
    """
    count = len(pitches)
    if count < length:
        return None
    order = np.argsort(pitches, kind="stable")
    again = np.flatnonzero(np.diff(pitches[order]) == 0)
    before = np.full(count, -1)
    before[order[again + 1]] = order[again]
    # A note is the first of its pitch in the passages that begin after the one before it.
    note = np.arange(count)
    first = np.maximum(before, note - length) + 1
    different = np.cumsum(np.bincount(first, minlength=count) - np.bincount(note + 1)[:count])
    return int(different[: count - length + 1].min())


def usual_fewest(pieces: Sequence[Sequence[int | None]]) -> tuple[int, ...]:
    """Return how many different pitches all but a few pieces have in each of `LENGTHS`.

    Parameters
    ----------
    pieces : sequence of sequences of int or None
        `fewest_pitches` of each piece, by length.
    """
    long_enough = ([one for one in fewest if one] for fewest in zip(*pieces, strict=True))
    return tuple(
        int(np.quantile(fewest, UNUSUAL, method="lower")) if fewest else 1 for fewest in long_enough
    )


class Variety:
    """Follows the pitches of a new piece.

    Parameters
    ----------
    fewest : tuple of int
        How many different ones each of `LENGTHS` has to have.
    """

    def __init__(self, fewest: tuple[int, ...]) -> None:
        self._fewest = fewest
        self._latest: deque[int] = deque(maxlen=max(LENGTHS) - 1)

    def push(self, pitch: int) -> None:
        """Take note of the pitch of a note that begins."""
        self._latest.appendleft(pitch)

    def worn(self) -> list[int]:
        """Return the pitches that have come so often that another one has to come."""
        worn: set[int] = set()
        for length, fewest in zip(LENGTHS, self._fewest, strict=True):
            if len(self._latest) < length - 1:
                break
            different = set(islice(self._latest, length - 1))
            if len(different) < fewest:
                worn |= different
        return sorted(worn)
