"""Where a stroke has its points: few on a straight line, more where it bends, one at each corner.

A device records a point every few milliseconds, and a font has a point wherever its author put one.
A model learns steps from point to point, so two curves of one shape must have points in the same
places. Here they follow from the shape alone: a stroke is cut at its ends, at its corners and where
it turns from up to down. Those places do not move with slant, and hardly with a trembling pen.
Between two of them points are spread so that each line misses the curve equally.

Lengths are in heights of small letters (`seqgen_handwriting.cleaning.body_height`).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen_handwriting.ink import Stroke

Floats: TypeAlias = NDArray[np.float64]

#: Distance of the points at which a stroke is measured, and the spread of the Gaussian that makes
#: it smooth.
FINE, SMOOTH = 0.03, 0.05

#: Most points at which a stroke is measured; a longer one is measured more coarsely.
MOST_MEASURED = 20_000

#: A corner: the pen turns by more than this, in radians, within this length on both sides.
CORNER, BESIDE = 0.9, 0.1

#: A stroke turns from up to down where it then goes as far as this.
TURNING = 0.12

#: How far a line may miss the curve, and how long it may be.
TOLERANCE, LONGEST = 0.03, 0.73


def places(stroke: Stroke, height: float) -> tuple[Floats, Floats]:
    """Return the points that a stroke needs.

    Parameters
    ----------
    stroke : float64 array (N, 2)
        Two points or more.
    height : float
        Height of small letters in the unit of the stroke.

    Returns
    -------
    points : float64 array (M, 2)
        On the smooth curve; the first and the last are those of the stroke.
    at : float64 array (M,)
        Their places, as fractional indices into the stroke.
    """
    return _places(np.ascontiguousarray(stroke, np.float64), float(height))


@compiled
def _places(stroke: Floats, height: float) -> tuple[Floats, Floats]:
    """Return the points and their places; see `places`."""
    fine, index = _measured(stroke, height)
    curve = _smooth(fine)  # (F, 2)
    cuts = _cuts(curve, height)  # (F,)
    needed = _needed(curve, height)  # (F,)
    # A corner stays sharp.
    for cut in np.flatnonzero(cuts):
        curve[cut] = fine[cut]
    at = _spread(cuts, needed)  # (M,)
    points = np.empty((len(at), 2))
    for row in range(len(at)):
        first = min(int(at[row]), len(curve) - 2)
        part = at[row] - first
        points[row] = curve[first] * (1 - part) + curve[first + 1] * part
        at[row] = index[first] * (1 - part) + index[first + 1] * part
    points[0], points[-1] = stroke[0], stroke[-1]
    return points, at


@compiled
def _measured(stroke: Floats, height: float) -> tuple[Floats, Floats]:
    """Return points at equal distances ``(F, 2)`` and their fractional indices ``(F,)``."""
    along = np.zeros(len(stroke))
    for row in range(1, len(stroke)):
        dx, dy = stroke[row, 0] - stroke[row - 1, 0], stroke[row, 1] - stroke[row - 1, 1]
        along[row] = along[row - 1] + np.hypot(dx, dy)
    count = int(min(max(np.ceil(along[-1] / (FINE * height)), 2.0), MOST_MEASURED))
    fine, index = np.empty((count + 1, 2)), np.empty(count + 1)
    row = 0
    for number in range(count + 1):
        wanted = along[-1] * number / count
        while row < len(stroke) - 2 and along[row + 1] <= wanted:
            row += 1
        length = along[row + 1] - along[row]
        part = min((wanted - along[row]) / length, 1.0) if length > 0 else 0.0
        index[number] = row + part
        fine[number] = stroke[row] * (1 - part) + stroke[row + 1] * part
    index[-1], fine[-1] = len(stroke) - 1, stroke[-1]
    return fine, index


@compiled
def _smooth(fine: Floats) -> Floats:
    """Return the mean of the points around each ``(F, 2)``; beyond an end the curve goes on."""
    spread, last = SMOOTH / FINE, len(fine) - 1
    reach = min(int(np.ceil(3 * spread)), last)
    smooth = np.zeros_like(fine)
    for row in range(len(fine)):
        whole = 0.0
        for step in range(-reach, reach + 1):
            weight = np.exp(-0.5 * (step / spread) ** 2)
            beside = row + step
            for axis in range(2):
                if beside < 0:
                    value = 2 * fine[0, axis] - fine[-beside, axis]
                elif beside > last:
                    value = 2 * fine[last, axis] - fine[2 * last - beside, axis]
                else:
                    value = fine[beside, axis]
                smooth[row, axis] += weight * value
            whole += weight
        smooth[row] /= whole
    return smooth


@compiled
def _cuts(curve: Floats, height: float) -> NDArray[np.bool_]:
    """Return at which points a curve is cut ``(F,)``: ends, corners, turns from up to down."""
    cut = np.zeros(len(curve), np.bool_)
    reach, sharpest = round(BESIDE / FINE), 0.0
    corner = -1
    for row in range(reach, len(curve) - reach):
        x, y = curve[row] - curve[row - reach]
        dx, dy = curve[row + reach] - curve[row]
        turn = abs(np.arctan2(x * dy - y * dx, x * dx + y * dy))
        if turn <= CORNER:
            corner, sharpest = -1, 0.0
        elif turn > sharpest:
            # Only the sharpest point of a corner is cut.
            if corner >= 0:
                cut[corner] = False
            cut[row], corner, sharpest = True, row, turn
    top = bottom = direction = 0
    for row in range(len(curve)):
        down = curve[row, 1]
        top = row if down < curve[top, 1] else top
        bottom = row if down > curve[bottom, 1] else bottom
        if direction <= 0 and down - curve[top, 1] > TURNING * height:
            cut[top], direction, bottom = True, 1, row
        elif direction >= 0 and curve[bottom, 1] - down > TURNING * height:
            cut[bottom], direction, top = True, -1, row
    cut[0] = cut[-1] = True
    # Of two neighbours one is enough.
    for row in range(1, len(curve) - 1):
        cut[row] &= not cut[row - 1] and row < len(curve) - 2
    return cut


@compiled
def _needed(curve: Floats, height: float) -> Floats:
    """Return how many lines the curve needs up to each point ``(F,)``.

    A line of length l misses a curve with the bend b, in radians a unit, by b l² / 8.
    """
    needed = np.zeros(len(curve))
    turns = np.zeros(len(curve))
    for row in range(1, len(curve) - 1):
        x, y = curve[row] - curve[row - 1]
        dx, dy = curve[row + 1] - curve[row]
        turns[row] = abs(np.arctan2(x * dy - y * dx, x * dx + y * dy))
    for row in range(1, len(curve)):
        dx, dy = curve[row] - curve[row - 1]
        length = np.hypot(dx, dy) / height
        turn = (turns[row - 1] + turns[row]) / 2
        lines = np.sqrt((length / LONGEST) ** 2 + length * turn / (8 * TOLERANCE))
        needed[row] = needed[row - 1] + lines
    return needed


@compiled
def _spread(cuts: NDArray[np.bool_], needed: Floats) -> Floats:
    """Return places at all cuts, and between two of them as many as needed ``(M,)``."""
    found = [0.0]
    begin = 0
    for end in range(1, len(cuts)):
        if not cuts[end]:
            continue
        whole = needed[end] - needed[begin]
        lines, row = max(round(whole), 1), begin
        for number in range(1, lines):
            wanted = needed[begin] + whole * number / lines
            while row < end - 1 and needed[row + 1] <= wanted:
                row += 1
            step = needed[row + 1] - needed[row]
            found.append(row + (min((wanted - needed[row]) / step, 1.0) if step > 0 else 0.0))
        found.append(float(end))
        begin = end
    return np.array(found)
