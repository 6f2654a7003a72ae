"""Smooth curves through the points of a pen: cubic Béziers within a tolerance.

Philip J. Schneider, *An Algorithm for Automatically Fitting Digitized Curves*, Graphics Gems, 1990.
A stroke is cut at its corners. Each part gets one curve by least squares, whose parameters are
improved by Newton's method; a curve that misses a point by more than the tolerance is cut there.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.ink import Stroke

#: The pen turns by more than this at a corner, in radians.
CORNER = 1.3

#: Times that the parameters of a curve are improved.
IMPROVED = 4

#: Smallest share of the distance between its ends that a handle of a curve may have.
SHORTEST = 0.01

#: Most points to which one curve is fitted; so time grows with the number of points only.
LONGEST = 200

#: Lines for a curve that is drawn as lines.
LINES = 8

#: S cubic curves ``(S, 4, 2)``: begin, two handles, end.
Curves = NDArray[np.float64]
Floats = NDArray[np.float64]


def fitted(stroke: Stroke, tolerance: float) -> Curves:
    """Return curves ``(S, 4, 2)`` that miss no point of a stroke by more than a tolerance.

    Parameters
    ----------
    stroke : float64 array (N, 2)
    tolerance : float
        In the unit of the stroke, more than 0.

    Returns
    -------
    float64 array (S, 4, 2)
        Each curve begins where the one before ends; none for a dot.
    """
    moved = np.append(True, np.abs(np.diff(stroke, axis=0)).max(axis=1) > 0)
    points = stroke[moved]
    if len(points) < 2:
        return np.zeros((0, 4, 2))
    steps = np.diff(points, axis=0)
    steps /= np.hypot(*steps.T)[:, None]
    turns = np.arccos(np.clip((steps[1:] * steps[:-1]).sum(axis=1), -1, 1))
    cuts = [0, *(np.flatnonzero(turns > CORNER) + 1).tolist(), len(points) - 1]
    # The tangent at an end of a part is that of its first or last line.
    waiting = [(first, last, steps[first], -steps[last - 1]) for first, last in pairwise(cuts)][
        ::-1
    ]
    found = []
    while waiting:
        first, last, begin, end = waiting.pop()
        if last - first >= LONGEST:
            cut = (first + last) // 2
        else:
            curve, worst = _curve(points[first : last + 1], begin, end, tolerance)
            if worst is None:
                found.append(curve)
                continue
            cut = first + worst
        across = points[cut + 1] - points[cut - 1]
        tangent = across / max(float(np.hypot(*across)), 1e-300)
        waiting += [(cut, last, tangent, end), (first, cut, begin, -tangent)]
    return np.stack(found)


def flattened(curves: Curves) -> Stroke:
    """Return one or more curves as lines: `LINES` for each."""
    shares = np.linspace(0, 1, LINES + 1)[1:]
    return np.concatenate([curves[:1, 0], *(_at(curve, shares) for curve in curves)])


def _curve(
    points: Floats, begin: Floats, end: Floats, tolerance: float
) -> tuple[Floats, int | None]:
    """Return one curve along N points, and the number of the point that it misses most, if any."""
    shares = np.append(0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T)))
    shares /= shares[-1]
    curve = _least_squares(points, shares, begin, end)
    if len(points) == 2:
        return curve, None
    for _ in range(IMPROVED):
        off = np.hypot(*(_at(curve, shares) - points).T)
        if off.max() <= tolerance:
            return curve, None
        shares = _improved(curve, points, shares)
        curve = _least_squares(points, shares, begin, end)
    off = np.hypot(*(_at(curve, shares) - points).T)
    return curve, None if off.max() <= tolerance else 1 + int(np.argmax(off[1:-1]))


def _least_squares(points: Floats, shares: Floats, begin: Floats, end: Floats) -> Floats:
    """Return the curve ``(4, 2)`` between the ends of N points whose handles fit them best."""
    weights = _weights(shares)  # (N, 4)
    first, last = points[0], points[-1]
    lines = weights[:, 1:3, None] * np.stack([begin, end])  # (N, 2, 2)
    rest = points - (weights[:, :2].sum(1)[:, None] * first + weights[:, 2:].sum(1)[:, None] * last)
    matrix = np.einsum("nix,njx->ij", lines, lines)
    sums = np.einsum("nix,nx->i", lines, rest)
    chord = float(np.hypot(*(last - first)))
    lengths = np.full(2, chord / 3)
    if abs(np.linalg.det(matrix)) > 1e-12 * max(float(np.trace(matrix)) ** 2, 1e-300):
        solved = np.linalg.solve(matrix, sums)
        # Handles that point backwards or far away make loops.
        if (solved > SHORTEST * chord).all() and (solved < 3 * max(chord, 1e-300)).all():
            lengths = solved
    return np.stack([first, first + begin * lengths[0], last + end * lengths[1], last])


def _improved(curve: Floats, points: Floats, shares: Floats) -> Floats:
    """Return shares ``(N,)`` at which the curve is nearer to its points, by a step of Newton."""
    away = _at(curve, shares) - points
    once = 3 * np.diff(curve, axis=0)  # (3, 2)
    twice = 2 * np.diff(once, axis=0)  # (2, 2)
    left, right = (1 - shares)[:, None], shares[:, None]
    slope = left**2 * once[0] + 2 * left * right * once[1] + right**2 * once[2]
    bend = left * twice[0] + right * twice[1]
    below = (slope**2).sum(axis=1) + (away * bend).sum(axis=1)
    step = np.where(
        np.abs(below) > 1e-12, (away * slope).sum(axis=1) / np.where(below, below, 1), 0
    )
    better = np.clip(shares - step, 0, 1)
    better[[0, -1]] = 0, 1
    # The order of the points stays.
    return np.asarray(np.maximum.accumulate(better))


def _at(curve: Floats, shares: Floats) -> Floats:
    """Return the points of a curve at N shares of its parameter ``(N, 2)``."""
    return _weights(shares) @ curve


def _weights(shares: Floats) -> Floats:
    """Return the Bernstein polynomials of degree 3 at N shares ``(N, 4)``."""
    rest = 1 - shares
    return np.stack([rest**3, 3 * rest**2 * shares, 3 * rest * shares**2, shares**3], axis=1)
