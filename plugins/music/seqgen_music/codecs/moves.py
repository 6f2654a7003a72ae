"""How many onsets of a corpus a grid moves, and how far; chooses a grid that keeps triplets.

Codecs that round to a grid report it (`Codec.fit_note`).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum
from typing import Any

import numpy as np

from seqgen_music.rounding import rounded

#: Steps in a quarter: sixteenths, and sixteenths with triplets.
SIXTEENTHS, TRIPLETS = 4, 12

#: Triplets are worth their steps if they keep this share of the onsets that sixteenths move ...
LEAST_TRIPLETS = 0.02

#: ... and move at most this part of what sixteenths move; a performance is off both grids.
MOST_LEFT = 0.5


class Moves:
    """Counts the onsets that a grid moves.

    Attributes
    ----------
    steps : int
        Steps in a quarter.
    onsets, moved : int
        Number of onsets, and of those that are not on the grid.
    most : float
        The longest way that one is moved, in quarters.
    """

    def __init__(self, steps: int) -> None:
        self.steps, self.onsets, self.moved, self.most = steps, 0, 0, 0.0
        self._ways: list[float] = []

    def add(self, onsets: Any, quarter: int) -> None:
        """Count the onsets ``(N,)`` of a piece with `quarter` ticks in a quarter."""
        ticks = np.asarray(onsets, np.int64)
        # In parts of a step, so that nothing is rounded before it is compared.
        ways = np.abs(rounded(ticks, self.steps, quarter) * quarter - ticks * self.steps)
        self.onsets += len(ticks)
        self.moved += int(np.count_nonzero(ways))
        self.most = max(self.most, int(ways.max(initial=0)) / (self.steps * quarter))
        self._ways.append(int(ways.sum()) / (self.steps * quarter))

    @property
    def share(self) -> float:
        """The share of the onsets that are moved."""
        return self.moved / max(self.onsets, 1)

    @property
    def average(self) -> float:
        """How far those that are moved are moved on average, in quarters."""
        # The order of the pieces makes no difference to this sum.
        return fsum(self._ways) / max(self.moved, 1)

    def __str__(self) -> str:
        grid = f"the grid of {self.steps} steps a quarter moves"
        if not self.moved:
            return f"{grid} none of {self.onsets:,} onsets"
        return (
            f"{grid} {percent(self.share)} of {self.onsets:,} onsets, by {self.average:.3g} "
            f"quarters on average and {self.most:.3g} at most"
        )


def percent(share: float) -> str:
    """Return a share as text: "3.14 %"."""
    return f"{100 * share:.3g} %"


def choose_grid(moves: Mapping[int, Moves]) -> tuple[int, str]:
    """Return `TRIPLETS` if the corpus has triplets, else `SIXTEENTHS`, with the reason.

    Parameters
    ----------
    moves : mapping of int to Moves
        What each of the two grids moves.
    """
    coarse, fine = moves[SIXTEENTHS], moves[TRIPLETS]
    kept = coarse.share - fine.share
    if kept >= LEAST_TRIPLETS and fine.share <= MOST_LEFT * coarse.share:
        return TRIPLETS, f"{fine}; {SIXTEENTHS} steps would move {percent(coarse.share)}"
    if fine.moved < coarse.moved:
        return SIXTEENTHS, f"{coarse}; steps={TRIPLETS} would move {percent(fine.share)}"
    return SIXTEENTHS, str(coarse)
