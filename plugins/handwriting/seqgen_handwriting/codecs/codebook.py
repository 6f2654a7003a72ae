"""Codebooks of pen steps: learned by k-means, and used in a closed loop.

The k-means is our own: forty lines that numba compiles, and the same result in any order of the
pieces. scikit-learn's would bring 30 MB, and SciPy with it, for the one function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.plugin import Ids
from seqgen_handwriting.codecs.trace import Trace

#: Most different steps that k-means looks at, and most times that it improves the centres.
LOOKED_AT, ROUNDS = 2**16, 30

#: Residuals are counted in such parts of a side: sums of whole numbers have no order.
GRAIN = 1e-5

#: Residuals that every code has beside its own, spread as those of all codes of its book are.
BORROWED = 20

#: Digits after the point of a centre, in sides.
DIGITS = 6

#: Kinds of steps: with ink, and without.
DRAW, MOVE = 0, 1

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Books:
    """The steps that a pen can make on the paper and those it can make in the air.

    A code's id is its row in `draw`, or the number of those plus its row in `move`. So the book
    of a code is the state of the pen, and no token is spent on it.

    Attributes
    ----------
    draw, move : float64 array (D, 2), (M, 2)
        Steps in sides; at least one of each.
    spread : float64 array (D + M, 3)
        Covariance of what each code leaves over, as xx, xy, yy: of steps in the closed loop.
    """

    draw: Points
    move: Points
    spread: Points

    @classmethod
    def fit(cls, traces: Sequence[Trace], draw: int, move: int) -> Self:
        """Learn both books from traces in sides.

        If nothing is ever drawn, or the pen never lifted, the one book stands in for the other.
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
        """Return the kind and the step of every code."""
        kinds = np.repeat([DRAW, MOVE], [len(self.draw), len(self.move)])
        return kinds, np.concatenate([self.draw, self.move])

    def quantise(self, trace: Trace) -> Ids:
        """Return the code of every point but the first ``(P - 1,)``.

        What is coded is the step from where the codes so far have led to where the point is,
        so that errors do not add up.
        """
        ids = np.empty(len(trace.points) - 1, np.int64)
        _quantise(trace.points, trace.lifted, self.draw, self.move, ids)
        return ids

    def state(self) -> dict[str, Any]:
        """Return the books as plain JSON."""
        return {name: getattr(self, name).tolist() for name in ("draw", "move", "spread")}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild the books."""
        return cls(*(np.array(state[name]) for name in ("draw", "move", "spread")))


def k_means(points: Points, count: int) -> Points:
    """Return at most `count` centres ``(C, 2)``, sorted: fewer if there are fewer points.

    Parameters
    ----------
    points : float64 array (N, 2), N > 0
        In any order.
    count : int
    """
    found, amounts = np.unique(points[:, 0] + 1j * points[:, 1], return_counts=True)
    stride = -(-len(found) // LOOKED_AT)
    points = np.stack([found.real, found.imag], 1)[::stride].copy()
    weights = amounts[::stride].astype(np.float64)
    centres = points
    if len(points) > count:
        centres = _scattered(points, weights, count)
        labels = np.empty(len(points), np.int64)
        for _ in range(ROUNDS):
            _label(points, centres, labels)
            amounts = np.bincount(labels, weights, count)
            sums = [np.bincount(labels, weights * points[:, axis], count) for axis in (0, 1)]
            better = np.stack(sums, 1) / np.maximum(amounts, 1)[:, None]
            better = np.where(amounts[:, None] > 0, better, centres)
            settled = np.abs(better - centres).max() < 10**-DIGITS
            centres = better
            if settled:
                break
    # Adding 0 makes one zero of two.
    return np.unique(centres.round(DIGITS) + 0.0, axis=0)


def _scattered(points: Points, weights: NDArray[np.float64], count: int) -> Points:
    """Choose points far from one another (k-means++, Arthur and Vassilvitskii 2007)."""
    rng = np.random.default_rng(0)
    chosen = [int(rng.choice(len(points), p=weights / weights.sum()))]
    distances = np.full(len(points), np.inf)
    for draw in rng.random(count - 1):
        distances = np.minimum(distances, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        mass = np.cumsum(weights * distances)
        chosen.append(min(int(np.searchsorted(mass, draw * mass[-1], "right")), len(points) - 1))
    return points[chosen]


def _spread(draw: Points, move: Points, traces: Iterable[Trace]) -> Points:
    """Return the covariance of what each code leaves over in the closed loop ``(D + M, 3)``."""
    codes = len(draw) + len(move)
    sums, counts = np.zeros((codes, 3), np.int64), np.zeros(codes, np.int64)
    for trace in traces:
        _add_residuals(trace.points, trace.lifted, draw, move, sums, counts)
    spread = np.empty((codes, 3))
    for book in (slice(0, len(draw)), slice(len(draw), codes)):
        mean = sums[book].sum(axis=0) / max(int(counts[book].sum()), 1)
        total = sums[book] + BORROWED * mean
        spread[book] = total / (counts[book] + BORROWED)[:, None] * GRAIN**2
    return spread


@compiled
def nearest(x: float, y: float, centres: Points) -> int:
    """Return the row of the centre that is nearest, the first of several."""
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
    """Add the squares of what the codes leave over, in grains, and how many there are."""
    x, y = points[0, 0], points[0, 1]
    for row in range(1, len(points)):
        book = move if lifted[row] else draw
        code = nearest(points[row, 0] - x, points[row, 1] - y, book)
        x += book[code, 0]
        y += book[code, 1]
        # A step that no code comes near, damage mostly, is no more than a side off.
        over_x = round(min(max((points[row, 0] - x) / GRAIN, -1e5), 1e5))
        over_y = round(min(max((points[row, 1] - y) / GRAIN, -1e5), 1e5))
        number = code + len(draw) if lifted[row] else code
        sums[number, 0] += over_x * over_x
        sums[number, 1] += over_x * over_y
        sums[number, 2] += over_y * over_y
        counts[number] += 1
