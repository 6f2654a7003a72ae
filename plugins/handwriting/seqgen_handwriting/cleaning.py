"""Ink made comparable: one scale, one density of points, no jumps, level and upright.

Every function returns a new `Ink`; text and writer stay, and letters and times go with the points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.ink import Ink, Stroke

#: Between these shares of a line's ink, by height, lies the body of its letters.
BODY = (0.1, 0.9)

#: A step of so many times the median step of a drawing is a jump of the device, not of the hand.
JUMP = 60.0

#: Lines that rise or fall by more, and letters that lean by more, are not mended (tangents).
STEEPEST = 1.0


def median_size(inks: Iterable[Ink]) -> float:
    """Return the median of the longer sides of drawings, a unit to give to `normalised`.

    Drawings without extent do not count; 1 if there are no others.
    """
    sizes = [size for size in (ink.size for ink in inks) if size > 0]
    return float(np.median(sizes)) if sizes else 1.0


def body_height(ink: Ink) -> float:
    """Return the height of small letters of one written line, a unit to give to `normalised`.

    It is the height between which lie 80 % of the length of its strokes, so that neither how
    long the line is counts, nor a few long tails. 0 if there is no height.
    """
    drawn = [(stroke[1:, 1] + stroke[:-1, 1]) / 2 for stroke in ink.strokes]
    heights = np.concatenate([*drawn, np.zeros(0)])
    if not len(heights):
        return 0.0
    lengths = np.concatenate([_steps(stroke) for stroke in ink.strokes])
    order = np.argsort(heights, kind="stable")
    shares = np.cumsum(lengths[order])
    low, high = np.searchsorted(shares, np.array(BODY) * shares[-1])
    return float(heights[order][high] - heights[order][low])


def normalised(ink: Ink, unit: float) -> Ink:
    """Move the first point to the origin, and make `unit` the unit of length.

    Both axes have one scale. `median_size` of a corpus is a unit for drawings, `body_height` of
    each for lines of text.
    """
    if not ink.strokes:
        return ink
    origin = ink.strokes[0][0]
    return replace(ink, strokes=tuple((stroke - origin) / unit for stroke in ink.strokes))


def resampled(ink: Ink, step: float) -> Ink:
    """Place points along each stroke at equal distances, as near to `step` as its length allows.

    First and last points stay; a point between two takes the letter of the first of them.
    """
    return _at(ink, [_equal_places(stroke, step) for stroke in ink.strokes])


def thinned(ink: Ink, tolerance: float) -> Ink:
    """Leave out points from which the line without them is no farther than `tolerance`.

    The method of Ramer, Douglas and Peucker; first and last points stay.
    """
    places = [np.flatnonzero(_corners(s, tolerance)).astype(float) for s in ink.strokes]
    return _at(ink, places)


def without_jumps(ink: Ink) -> tuple[Ink, int]:
    """Lift the pen where it jumps by more than `JUMP` median steps; say how often it did.

    A single point between two jumps of a stroke is left out.
    """
    steps = [_steps(stroke) for stroke in ink.strokes]
    moved = np.concatenate([*steps, np.zeros(0)])
    moved = moved[moved > 0]
    if not len(moved):
        return ink, 0
    most, jumps = JUMP * float(np.median(moved)), 0
    kept: list[tuple[int, slice]] = []
    for number, lengths in enumerate(steps):
        cuts = (np.flatnonzero(lengths > most) + 1).tolist()
        jumps += len(cuts)
        bounds = [0, *cuts, len(lengths) + 1]
        for begin, end in pairwise(bounds):
            inside = begin > 0 and end <= len(lengths)
            if end - begin > 1 or not inside:
                kept.append((number, slice(begin, end)))
    if not jumps:
        return ink, 0
    return _parts(ink, kept), jumps


def levelled(ink: Ink) -> Ink:
    """Turn one written line so that it neither rises nor falls, by the main axis of its points."""
    points = np.concatenate([*ink.strokes, np.zeros((0, 2))])
    spread = points - points.mean(axis=0) if len(points) else points
    (across, both), (_, down) = (spread.T @ spread).tolist()
    angle = np.arctan2(2 * both, across - down) / 2
    if not both or abs(np.tan(angle)) > STEEPEST:
        return ink
    cosine, sine = np.cos(angle), np.sin(angle)
    return _turned(ink, np.array([[cosine, -sine], [sine, cosine]]))


def deslanted(ink: Ink) -> Ink:
    """Shear writing so that its downstrokes stand upright: half of their length leans each way."""
    moves = np.concatenate([*[np.diff(s, axis=0) for s in ink.strokes], np.zeros((0, 2))])
    down = moves[moves[:, 1] > np.abs(moves[:, 0]) / 2]
    if not len(down):
        return ink
    leans = down[:, 0] / down[:, 1]
    order = np.argsort(leans, kind="stable")
    lengths = np.cumsum(down[order, 1])
    lean = float(leans[order][np.searchsorted(lengths, lengths[-1] / 2)])
    if abs(lean) > STEEPEST:
        return ink
    return _turned(ink, np.array([[1.0, 0.0], [-lean, 1.0]]))


def _turned(ink: Ink, matrix: NDArray[np.float64]) -> Ink:
    """Multiply points by a matrix (2, 2), around the first of them."""
    origin = ink.strokes[0][0]
    strokes = tuple((stroke - origin) @ matrix + origin for stroke in ink.strokes)
    return replace(ink, strokes=strokes)


def _steps(stroke: Stroke) -> NDArray[np.float64]:
    """Return the lengths between points (N - 1,)."""
    return np.asarray(np.hypot(*np.diff(stroke, axis=0).T))


def _equal_places(stroke: Stroke, step: float) -> NDArray[np.float64]:
    """Return where along its points, counted from 0, those at equal distances lie."""
    along = np.concatenate([[0.0], np.cumsum(_steps(stroke))])
    if not along[-1]:
        return np.zeros(1)
    count = max(round(along[-1] / step), 1)
    inner = np.linspace(0, along[-1], count + 1)[1:-1]
    # The last of several points in one place, from which there is a way to the next.
    before = np.searchsorted(along, inner, side="right") - 1
    places = before + (inner - along[before]) / (along[before + 1] - along[before])
    return np.concatenate([[0.0], places, [len(stroke) - 1.0]])


def _corners(stroke: Stroke, tolerance: float) -> NDArray[np.bool_]:
    """Return which points (N,) of a stroke are kept."""
    kept = np.zeros(len(stroke), bool)
    kept[[0, -1]] = True
    open_parts = [(0, len(stroke) - 1)]
    while open_parts:
        first, last = open_parts.pop()
        if last - first < 2:
            continue
        away = _distances(stroke[first + 1 : last], stroke[first], stroke[last])
        farthest = int(np.argmax(away))
        if away[farthest] > tolerance:
            middle = first + 1 + farthest
            kept[middle] = True
            open_parts += [(first, middle), (middle, last)]
    return kept


def _distances(points: Stroke, begin: Stroke, end: Stroke) -> NDArray[np.float64]:
    """Return how far points (N, 2) are from the line between two others, ends included."""
    line = end - begin
    squared = float(line @ line)
    if not squared:
        return np.asarray(np.hypot(*(points - begin).T))
    share = np.clip((points - begin) @ line / squared, 0, 1)
    return np.asarray(np.hypot(*(points - begin - share[:, None] * line).T))


def _at(ink: Ink, places: Sequence[NDArray[np.float64]]) -> Ink:
    """Return the ink at places along the points of each stroke, counted from 0, fractions too."""
    strokes, letters, times = [], [], []
    for number, (stroke, at) in enumerate(zip(ink.strokes, places, strict=True)):
        index = np.arange(len(stroke))
        strokes.append(np.stack([np.interp(at, index, column) for column in stroke.T], axis=1))
        if ink.letters is not None:
            letters.append(ink.letters[number][at.astype(np.int64)])
        if ink.times is not None:
            times.append(np.interp(at, index, ink.times[number]))
    return replace(
        ink,
        strokes=tuple(strokes),
        letters=None if ink.letters is None else tuple(letters),
        times=None if ink.times is None else tuple(times),
    )


def _parts(ink: Ink, kept: Sequence[tuple[int, slice]]) -> Ink:
    """Return parts of strokes as strokes of their own."""
    return replace(
        ink,
        strokes=tuple(ink.strokes[number][part] for number, part in kept),
        letters=ink.letters and tuple(ink.letters[number][part] for number, part in kept),
        times=ink.times and tuple(ink.times[number][part] for number, part in kept),
    )
