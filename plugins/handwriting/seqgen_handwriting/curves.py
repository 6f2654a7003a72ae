"""Smooth curves through the points of a pen: cubic Béziers within a tolerance.

Philip J. Schneider, *An Algorithm for Automatically Fitting Digitized Curves*, Graphics Gems, 1990.
A stroke is cut at its corners. Each part gets one curve by least squares, whose parameters are
improved by Newton's method; a curve that misses a point by more than the tolerance is cut there.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.ink import Stroke

#: The pen turns by more than this at a corner, in radians; less between lines so long that a curve
#: would leave them by more than `STRAIGHT` tolerances, as in an octagon.
CORNER, BLUNT, STRAIGHT = 1.3, 0.6, 5.0

#: Times that the parameters of a curve are improved.
IMPROVED = 4

#: A curve that misses a point by more tolerances than this is cut at once, and so is one that an
#: improvement leaves with more than this share of its miss.
HOPELESS, BETTER = 10.0, 0.99

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
    lengths = np.hypot(*steps.T)
    steps /= lengths[:, None]
    turns = np.arccos(np.clip((steps[1:] * steps[:-1]).sum(axis=1), -1, 1))
    # The height of an arc over the shorter line that turns as much as the pen does.
    bulge = np.minimum(lengths[1:], lengths[:-1]) * np.tan(turns / 4) / 2
    corners = (turns > CORNER) | ((turns > BLUNT) & (bulge > STRAIGHT * tolerance))
    cuts = [0, *(np.flatnonzero(corners) + 1).tolist(), len(points) - 1]
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
    if len(points) == 2:
        third = math.hypot(*(points[1] - points[0])) / 3
        return _with_handles(points, begin * third, end * third), None
    shares = np.append(0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T)))
    shares /= shares[-1]
    curve = _least_squares(points, shares, begin, end)
    off, before = np.hypot(*(_at(curve, shares) - points).T), math.inf
    for _ in range(IMPROVED):
        worst = float(off.max())
        if worst <= tolerance:
            return curve, None
        if worst > min(HOPELESS * tolerance, BETTER * before):
            break
        before = worst
        shares = _improved(curve, points, shares)
        curve = _least_squares(points, shares, begin, end)
        off = np.hypot(*(_at(curve, shares) - points).T)
    return curve, None if off.max() <= tolerance else _cut(off)


def _cut(off: Floats) -> int:
    """Return the point at which to cut, of N that a curve misses by so much ``(N,)``.

    It is the worst one, or that of the middle half if it is not much better; so parts do not get
    shorter by one point at a time.
    """
    quarter = len(off) // 4
    middle = off[quarter : len(off) - quarter]
    if quarter and 2 * middle.max() > off.max():
        return quarter + int(np.argmax(middle))
    return 1 + int(np.argmax(off[1:-1]))


def _least_squares(points: Floats, shares: Floats, begin: Floats, end: Floats) -> Floats:
    """Return the curve ``(4, 2)`` between the ends of N points whose handles fit them best."""
    weights = _weights(shares)  # (N, 4)
    first, last = points[0], points[-1]
    at_last = (weights[:, 2] + weights[:, 3])[:, None]
    rest = points - first - at_last * (last - first)  # (N, 2)
    near, far = weights[:, 1], weights[:, 2]
    # Two equations for the lengths of both handles.
    a, b, d = float(near @ near), float(near @ far) * float(begin @ end), float(far @ far)
    one, two = float(near @ (rest @ begin)), float(far @ (rest @ end))
    chord = math.hypot(*(last - first))
    lengths = chord / 3, chord / 3
    area = a * d - b * b
    if abs(area) > 1e-12 * max((a + d) ** 2, 1e-300):
        solved = (one * d - two * b) / area, (a * two - b * one) / area
        # Handles that point backwards or far away make loops.
        if min(solved) > SHORTEST * chord and max(solved) < 3 * max(chord, 1e-300):
            lengths = solved
    return _with_handles(points, begin * lengths[0], end * lengths[1])


def _with_handles(points: Floats, begin: Floats, end: Floats) -> Floats:
    """Return the curve ``(4, 2)`` between the ends of N points, with handles relative to them."""
    first, last = points[0], points[-1]
    return np.stack([first, first + begin, last + end, last])


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
