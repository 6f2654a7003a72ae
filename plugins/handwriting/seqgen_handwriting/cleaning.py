"""Recorded ink made fit to learn from: jumps lifted, lines level, fewer points.

A tablet or a mouse records a point every few milliseconds, several times as many as a letter or a
drawing needs, and each point is a token to learn. Lines on an open page also rise or fall.

Every function returns a new `Ink`. Text and writer stay; letters and times follow their points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Note, check_fields
from seqgen_handwriting.ink import MOST_POINTS, Ink, Stroke, between_points, with_points
from seqgen_handwriting.placing import places

#: The body of the letters of a line lies between these quantiles of its ink by height.
BODY = (0.1, 0.9)

#: Strokes that are no larger than this become dots, in heights of the body.
DOT = 0.18

#: A line longer than this many heights of the body gets fewer points. Ten letters have about 60.
LONGEST = 50_000

#: A step longer than this many median steps of a drawing is a jump of the device.
JUMP = 60.0

#: Most points that are compared with one line; so time grows with the number of points only.
MOST_COMPARED = 2000

#: Lines with a steeper slope (tangent) are left as they are.
STEEPEST = 1.0


@dataclass(frozen=True)
class ReadOptions:
    """What is done to recorded lines."""

    clean: Literal["auto", "yes", "no"] = "auto"
    """Clean recorded lines, those with a text and times but without letters: lift the pen at jumps
    of the device, make lines level, and leave out points that letters do not need. auto does for
    a corpus of lines that the capture page saved."""

    def __post_init__(self) -> None:
        check_fields(self)


#: Lines as they are.
AS_RECORDED = ReadOptions()


class Cleaning:
    """Cleans the lines of a file, and counts their points."""

    def __init__(self) -> None:
        self._lines = self._before = self._after = 0

    def cleaned(self, ink: Ink) -> Ink:
        """Return a recorded line cleaned, and other ink as it is."""
        if not is_recorded(ink):
            return ink
        clean = cleaned(ink)
        self._lines, self._before = self._lines + 1, self._before + ink.points
        self._after += clean.points
        return clean

    def notes(self) -> list[Note]:
        """Return one note with the numbers, or none."""
        if not self._lines:
            return []
        counts = f"{self._before:,} points became {self._after:,}"
        return [Note(f"recorded lines cleaned: {self._lines:,}; {counts}")]


def is_recorded(ink: Ink) -> bool:
    """Return whether ink is a recorded line: it has a text and times, but no letters."""
    return bool(ink.text) and ink.times is not None and ink.letters is None


def cleaned(ink: Ink) -> Ink:
    """Return one recorded line with its jumps lifted, level, and with the points it needs.

    Those of the demo are placed in the same way. A line without height keeps its points.
    """
    level = levelled(without_jumps(ink)[0])
    body = body_height(level)
    if not body:
        return level
    return placed(with_dots(level, DOT * body), body)


def without_jumps(ink: Ink) -> tuple[Ink, int]:
    """Lift the pen at every step longer than `JUMP` median steps; return the number of jumps.

    A single point between two jumps of a stroke is dropped.
    """
    steps = [_steps(stroke) for stroke in ink.strokes]
    moved = np.concatenate([*steps, np.zeros(0)])
    moved = moved[moved > 0]
    if not len(moved):
        return ink, 0
    limit, jumps = JUMP * float(np.median(moved)), 0
    kept: list[tuple[int, slice]] = []
    for number, lengths in enumerate(steps):
        cuts = (np.flatnonzero(lengths > limit) + 1).tolist()
        jumps += len(cuts)
        bounds = [0, *cuts, len(lengths) + 1]
        for begin, end in pairwise(bounds):
            inside = begin > 0 and end <= len(lengths)
            if end - begin > 1 or not inside:
                kept.append((number, slice(begin, end)))
    if not jumps:
        return ink, 0
    return with_points(ink, kept), jumps


def levelled(ink: Ink) -> Ink:
    """Rotate one line so that the main axis of its points is horizontal."""
    points = np.concatenate([*ink.strokes, np.zeros((0, 2))])
    spread = points - points.mean(axis=0) if len(points) else points
    (across, both), (_, down) = (spread.T @ spread).tolist()
    angle = np.arctan2(2 * both, across - down) / 2
    if not both or abs(np.tan(angle)) > STEEPEST:
        return ink
    cosine, sine = np.cos(angle), np.sin(angle)
    origin = ink.strokes[0][0]
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    strokes = tuple((stroke - origin) @ rotation + origin for stroke in ink.strokes)
    return replace(ink, strokes=strokes)


def body_height(ink: Ink) -> float:
    """Return the height of the small letters of one line; 0 without any height.

    80 % of the ink's length lies within this height, so neither the length of the line matters nor
    a few long tails.
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


def resampled(ink: Ink, step: float) -> Ink:
    """Place points at equal distances along each stroke, as near to `step` as its length allows.

    First and last points stay. A new point gets the letter of the old point before it.
    """
    places = [_equal_places(stroke, step) for stroke in ink.strokes]
    strokes, letters = [], []
    for number, (stroke, at) in enumerate(zip(ink.strokes, places, strict=True)):
        index = np.arange(len(stroke))
        strokes.append(np.stack([np.interp(at, index, column) for column in stroke.T], axis=1))
        if ink.letters is not None:
            letters.append(ink.letters[number][at.astype(np.int64)])
    known = between_points(ink, places)
    if ink.letters is not None:
        known["letters"] = tuple(letters)
    return replace(ink, strokes=tuple(strokes), **known)


def with_dots(ink: Ink, size: float) -> Ink:
    """Return ink with strokes that are no larger than `size` as their first points."""
    kept = [
        (number, slice(0, 1 if np.ptp(stroke, axis=0).max() <= size else len(stroke)))
        for number, stroke in enumerate(ink.strokes)
    ]
    return with_points(ink, kept)


def placed(ink: Ink, height: float) -> Ink:
    """Return ink with the points that its strokes need (`seqgen_handwriting.placing.places`).

    A new point gets the letter of the old point after it.

    Parameters
    ----------
    ink : Ink
    height : float
        Height of small letters, above 0.
    """
    alone = np.zeros(1)
    whole = sum(float(_steps(stroke).sum()) for stroke in ink.strokes)
    height = max(height, whole / LONGEST)
    found = [
        places(stroke, height) if len(stroke) > 1 else (stroke, alone) for stroke in ink.strokes
    ]
    known = between_points(ink, [at for _, at in found])
    if ink.letters is not None:
        after = [np.ceil(at).astype(np.int64) for _, at in found]
        known["letters"] = tuple(part[at] for part, at in zip(ink.letters, after, strict=True))
    return replace(ink, strokes=tuple(points for points, _ in found), **known)


def simplified(ink: Ink, tolerance: float) -> Ink:
    """Leave out the points that are at most `tolerance` from the lines through the others.

    First and last points of strokes stay. D. H. Douglas and T. K. Peucker, *Algorithms for the
    reduction of the number of points required to represent a digitized line or its caricature*,
    1973. Quick, Draw! simplifies its drawings with 2 units of 255.
    """
    kept = [np.flatnonzero(_corners(stroke, tolerance)) for stroke in ink.strokes]
    return with_points(ink, [*enumerate(kept)])


def with_lines_divided(ink: Ink, longest: float) -> Ink:
    """Divide lines between points into equal parts that are at most so long.

    They are longer where a drawing would have more than about `MOST_POINTS`. Letters, times and
    pressure are lost.
    """
    whole = sum(float(_steps(stroke).sum()) for stroke in ink.strokes)
    longest = max(longest, whole / MOST_POINTS)
    strokes = []
    for stroke in ink.strokes:
        parts = np.maximum(np.ceil(_steps(stroke) / longest * (1 - 1e-9)), 1).astype(np.int64)
        ends = np.cumsum(parts)
        places = np.arange(ends[-1] + 1 if len(ends) else 1)
        at = np.interp(places, np.append(0, ends), np.arange(len(stroke)))
        strokes.append(np.stack([np.interp(at, np.arange(len(stroke)), x) for x in stroke.T], 1))
    return Ink(tuple(strokes), ink.text, writer=ink.writer)


def _corners(stroke: Stroke, tolerance: float) -> NDArray[np.bool_]:
    """Return which of N points stay ``(N,)``."""
    kept = np.zeros(len(stroke), bool)
    kept[[0, -1]] = True
    waiting = [(0, len(stroke) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        middle, line = (first + last) // 2, stroke[last] - stroke[first]
        if last - first <= MOST_COMPARED:
            away = stroke[first + 1 : last] - stroke[first]
            along = np.clip(away @ line / max(float(line @ line), 1e-300), 0, 1)
            off = np.hypot(*(away - along[:, None] * line).T)
            if off.max() <= tolerance:
                continue
            middle = first + 1 + int(np.argmax(off))
        kept[middle] = True
        waiting += [(first, middle), (middle, last)]
    return kept


def _equal_places(stroke: Stroke, step: float) -> NDArray[np.float64]:
    """Return the places of equally spaced points, as fractional indices into a stroke ``(M,)``."""
    along = np.concatenate([[0.0], np.cumsum(_steps(stroke))])  # (N,)
    if not along[-1]:
        return np.zeros(1)
    count = max(round(along[-1] / step), 1)
    inner = np.linspace(0, along[-1], count + 1)[1:-1]
    # Of several points in one place the last: the next point is farther along.
    before = np.searchsorted(along, inner, side="right") - 1
    places = before + (inner - along[before]) / (along[before + 1] - along[before])
    return np.concatenate([[0.0], places, [len(stroke) - 1.0]])


def _steps(stroke: Stroke) -> NDArray[np.float64]:
    """Return the distances between neighbouring points ``(N - 1,)``."""
    return np.asarray(np.hypot(*np.diff(stroke, axis=0).T))
