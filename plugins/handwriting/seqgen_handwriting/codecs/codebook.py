"""Codebooks of pen steps: learned by k-means, used in a closed loop.

The k-means is our own: forty lines that numba compiles, with the same result for any order of the
pieces. scikit-learn would add 30 MB and SciPy for this one function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.plugin import Ids
from seqgen_handwriting.codecs.pen_states import DRAW, MOVE
from seqgen_handwriting.codecs.trace import Trace

#: Limits of k-means: distinct steps that it uses, and iterations.
MAX_STEPS, MAX_ROUNDS = 2**16, 30

#: Residuals are counted in this fraction of a side: sums of integers do not depend on the order.
GRAIN = 1e-5

#: Prior of a code's covariance: this many residuals with the mean covariance of its codebook.
PRIOR = 20

#: Decimals of a centre, in sides.
DIGITS = 6

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Books:
    """Two codebooks: steps of the pen on the paper, and steps in the air.

    A code's id is its row in `draw`, or D plus its row in `move`. The codebook of a code says
    whether the pen is down, so no token is spent on that.

    Attributes
    ----------
    draw, move : float64 array (D, 2), (M, 2)
        Steps in sides; at least one of each.
    spread : float64 array (D + M, 3)
        Covariance (xx, xy, yy) of the residuals of each code in the closed loop.
    """

    draw: Points
    move: Points
    spread: Points

    @classmethod
    def fit(cls, traces: Sequence[Trace], draw: int, move: int) -> Self:
        """Learn both codebooks from traces in sides, with at most `draw` and `move` codes.

        If all steps are on the paper, or all in the air, both codebooks learn from the same steps.
        """
        steps = np.concatenate([np.diff(trace.points, axis=0) for trace in traces])
        lifted = np.concatenate([trace.lifted[1:] for trace in traces])
        drawn, moved = steps[~lifted], steps[lifted]
        centres = (
            k_means(drawn if len(drawn) else moved, draw),
            k_means(moved if len(moved) else drawn, move),
        )
        return cls(*centres, _spread(*centres, traces))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the codes."""
        drawn = [f"draw {number}" for number in range(len(self.draw))]
        return (*drawn, *(f"move {number}" for number in range(len(self.move))))

    def tables(self) -> tuple[Ids, Points]:
        """Return the action ``(D + M,)`` and the step ``(D + M, 2)`` of every code."""
        actions = np.repeat([DRAW, MOVE], [len(self.draw), len(self.move)])
        return actions, np.concatenate([self.draw, self.move])

    def quantise(self, trace: Trace) -> Ids:
        """Return the code of every point but the first ``(P - 1,)``.

        Each step goes from where the codes so far have led to the point, so errors do not add up.
        """
        ids = np.empty(len(trace.points) - 1, np.int64)
        _quantise(trace.points, trace.lifted, self.draw, self.move, ids)
        return ids

    def state(self) -> dict[str, Any]:
        """Return the codebooks as plain JSON."""
        return {name: getattr(self, name).tolist() for name in ("draw", "move", "spread")}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild the codebooks."""
        return cls(*(np.array(state[name]) for name in ("draw", "move", "spread")))


def k_means(points: Points, count: int) -> Points:
    """Return the sorted centres of k-means ``(C, 2)``.

    Parameters
    ----------
    points : float64 array (N, 2), N > 0
        In any order.
    count : int
        The largest C; with fewer distinct points C is smaller.
    """
    # Complex numbers, because np.unique sorts them faster than rows.
    found, amounts = np.unique(points[:, 0] + 1j * points[:, 1], return_counts=True)
    stride = -(-len(found) // MAX_STEPS)
    points = np.stack([found.real, found.imag], 1)[::stride].copy()
    weights = amounts[::stride].astype(np.float64)
    centres = points
    if len(points) > count:
        centres = _scattered(points, weights, count)
        labels = np.empty(len(points), np.int64)
        for _ in range(MAX_ROUNDS):
            _label(points, centres, labels)
            amounts = np.bincount(labels, weights, count)
            sums = [np.bincount(labels, weights * points[:, axis], count) for axis in (0, 1)]
            better = np.stack(sums, 1) / np.maximum(amounts, 1)[:, None]
            better = np.where(amounts[:, None] > 0, better, centres)
            settled = np.abs(better - centres).max() < 10**-DIGITS
            centres = better
            if settled:
                break
    # Adding 0 turns -0 into 0.
    return np.unique(centres.round(DIGITS) + 0.0, axis=0)


def _scattered(points: Points, weights: NDArray[np.float64], count: int) -> Points:
    """Choose initial centres (k-means++, Arthur and Vassilvitskii 2007)."""
    rng = np.random.default_rng(0)
    chosen = [int(rng.choice(len(points), p=weights / weights.sum()))]
    distances = np.full(len(points), np.inf)
    for draw in rng.random(count - 1):
        distances = np.minimum(distances, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        mass = np.cumsum(weights * distances)
        chosen.append(min(int(np.searchsorted(mass, draw * mass[-1], "right")), len(points) - 1))
    return points[chosen]


def _spread(draw: Points, move: Points, traces: Iterable[Trace]) -> Points:
    """Return the covariance of each code's residuals in the closed loop ``(D + M, 3)``."""
    codes = len(draw) + len(move)
    sums, counts = np.zeros((codes, 3), np.int64), np.zeros(codes, np.int64)
    for trace in traces:
        _add_residuals(trace.points, trace.lifted, draw, move, sums, counts)
    spread = np.empty((codes, 3))
    for book in (slice(0, len(draw)), slice(len(draw), codes)):
        mean = sums[book].sum(axis=0) / max(int(counts[book].sum()), 1)
        total = sums[book] + PRIOR * mean
        spread[book] = total / (counts[book] + PRIOR)[:, None] * GRAIN**2
    return spread


@compiled
def nearest(x: float, y: float, centres: Points) -> int:
    """Return the row of the nearest centre; the first one of a tie."""
    best, least = 0, np.inf
    for row in range(len(centres)):
        distance = (x - centres[row, 0]) ** 2 + (y - centres[row, 1]) ** 2
        if distance < least:
            best, least = row, distance
    return best


@compiled
def _label(points: Points, centres: Points, labels: Ids) -> None:
    for row in range(len(points)):
        labels[row] = nearest(points[row, 0], points[row, 1], centres)


@compiled
def _quantise(
    points: Points, lifted: NDArray[np.bool_], draw: Points, move: Points, ids: Ids
) -> None:
    x, y = points[0, 0], points[0, 1]
    for row in range(1, len(points)):
        book = move if lifted[row] else draw
        code = nearest(points[row, 0] - x, points[row, 1] - y, book)
        ids[row - 1] = code + len(draw) if lifted[row] else code
        x += book[code, 0]
        y += book[code, 1]


@compiled
def _add_residuals(
    points: Points,
    lifted: NDArray[np.bool_],
    draw: Points,
    move: Points,
    sums: NDArray[np.int64],
    counts: Ids,
) -> None:
    """Add the products of residuals (C, 3), in grains, and their counts (C,)."""
    x, y = points[0, 0], points[0, 1]
    for row in range(1, len(points)):
        book = move if lifted[row] else draw
        code = nearest(points[row, 0] - x, points[row, 1] - y, book)
        x += book[code, 0]
        y += book[code, 1]
        # At most a side: larger residuals come from damaged data.
        over_x = round(min(max((points[row, 0] - x) / GRAIN, -1e5), 1e5))
        over_y = round(min(max((points[row, 1] - y) / GRAIN, -1e5), 1e5))
        number = code + len(draw) if lifted[row] else code
        sums[number, 0] += over_x * over_x
        sums[number, 1] += over_x * over_y
        sums[number, 2] += over_y * over_y
        counts[number] += 1
