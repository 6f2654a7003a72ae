"""k-means in any number of dimensions: the same centres for any order of the points.

The k-means is our own: forty lines that numba compiles. scikit-learn would add 30 MB and SciPy for
this one function.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.plugin import Ids

#: Iterations, and decimals of centres.
MOST_ROUNDS, DIGITS = 20, 4

Points = NDArray[np.float64]


def k_means(points: Points, count: int) -> Points:
    """Return the sorted centres ``(K, D)`` of k-means; K is smaller with fewer distinct points.

    Parameters
    ----------
    points : float64 array (N, D), N > 0
        In any order. They are rounded to `DIGITS` decimals.
    count : int
        The largest K.
    """
    points, amounts = np.unique(points.round(DIGITS) + 0.0, axis=0, return_counts=True)
    centres, weights = points, amounts.astype(np.float64)
    if len(points) > count:
        centres = _scattered(points, weights, count)
        for _ in range(MOST_ROUNDS):
            labels = nearest(points, centres)
            total = np.bincount(labels, weights, count)
            sums = [np.bincount(labels, weights * column, count) for column in points.T]
            better = np.stack(sums, 1) / np.maximum(total, 1)[:, None]
            better = np.where(total[:, None] > 0, better, centres)
            settled = np.abs(better - centres).max() < 10**-DIGITS
            centres = better
            if settled:
                break
    # Adding 0 turns -0 into 0.
    return np.unique(centres.round(DIGITS) + 0.0, axis=0)


def nearest(points: Points, centres: Points) -> Ids:
    """Return the row of the nearest of centres ``(K, D)`` to each of points ``(N, D)``.

    Of a tie it is the first one.
    """
    rows = np.empty(len(points), np.int64)
    _nearest(points, np.ascontiguousarray(centres.T), rows)
    return rows


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


@compiled
def _nearest(points: Points, columns: Points, rows: Ids) -> None:
    """Set the nearest of centres, whose columns ``(D, K)`` are given, for each point."""
    distances = np.empty(columns.shape[1])
    for row in range(len(points)):
        distances[:] = 0.0
        # The inner loop is over centres, because sums in a fixed order cannot use whole vectors.
        for axis in range(len(columns)):
            for centre in range(len(distances)):
                distances[centre] += (points[row, axis] - columns[axis, centre]) ** 2
        rows[row] = np.argmin(distances)
