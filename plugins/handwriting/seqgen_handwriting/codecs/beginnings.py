"""Begun drawings: how large the first strokes of a corpus are, and how far apart their points.

A person may begin a drawing in any unit and with any number of points, for instance in SVG. `Usual`
learns from a corpus what its drawings are like, and makes the begun one so. What a model adds is
put back into the drawing as it was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.cleaning import simplified, with_lines_divided
from seqgen_handwriting.codecs.trace import Trace
from seqgen_handwriting.ink import SMALLEST, Ink, Stroke

#: Most first strokes of a drawing that are measured; larger numbers count as this one.
MOST_STROKES = 16

#: Percentiles of a size that is usual, with the middle, in %.
USUAL = (5, 50, 95)

#: Percentiles of the bend of a line at a point, and of the length of a line, in %.
STRAIGHT, LONG = 10, 95

#: Decimals of what is learned, in sides.
DIGITS = 6


@dataclass(frozen=True, eq=False)
class Begun(Ink):
    """A begun drawing as a codec reads it.

    Attributes
    ----------
    given : Ink
        The drawing as it was given.
    factor : float
        Units of the corpus for a unit of it.
    """

    given: Ink = field(kw_only=True)
    factor: float = field(kw_only=True)


@dataclass(frozen=True)
class Usual:
    """What the drawings of a corpus are like; lengths are in sides.

    Attributes
    ----------
    sizes : tuple of (float, float, float)
        The `USUAL` percentiles of the longer side of the first stroke, of the first two, and so on.
    bend : float
        Distance of a point from the line between its neighbours; nearly all are farther from it.
    line : float
        Length of a line between two points; nearly all are shorter.
    """

    sizes: tuple[tuple[float, ...], ...] = ()
    bend: float = 0.0
    line: float = 0.0

    @classmethod
    def of(cls, traces: Sequence[Trace]) -> Self:
        """Measure traces in sides, without text."""
        first: list[list[float]] = [[] for _ in range(MOST_STROKES)]
        bends, lines = [], []
        for trace in traces:
            ends = [*np.flatnonzero(trace.lifted)[1:].tolist(), len(trace.points)]
            for sizes, end in zip(first, ends, strict=False):
                sizes.append(float(np.ptp(trace.points[:end], axis=0).max()))
            bends.append(_bends(trace))
            lines.append(np.hypot(*np.diff(trace.points, axis=0).T)[~trace.lifted[1:]])
        usual = tuple(
            tuple(np.percentile(found, USUAL).round(DIGITS).tolist()) for found in first if found
        )
        return cls(usual, _quantile(bends, STRAIGHT), _quantile(lines, LONG))

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild it."""
        return cls(tuple(map(tuple, state["sizes"])), state["bend"], state["line"])

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain JSON."""
        return {"sizes": list(map(list, self.sizes)), "bend": self.bend, "line": self.line}

    def made_so(self, ink: Ink, side: float) -> Ink:
        """Return a begun drawing in the size of the corpus, with points like those of the corpus.

        A size that is usual for so many strokes stays; another becomes the middle one. Points on
        nearly straight lines are left out, and long lines are divided.

        Parameters
        ----------
        ink : Ink
        side : float
            The side in units of the corpus.
        """
        if not self.sizes or ink.size <= SMALLEST:
            return ink
        low, middle, high = self.sizes[min(len(ink.strokes), len(self.sizes)) - 1]
        size = ink.size / side
        factor = 1.0 if low <= size <= high or middle <= SMALLEST else middle / size
        strokes = tuple(stroke * factor for stroke in ink.strokes)
        fit = simplified(Ink(strokes), self.bend * side)
        if self.line > 0:
            fit = with_lines_divided(fit, self.line * side)
        return Begun(fit.strokes, given=ink, factor=factor)


def continued(given: Ink, start: int, drawn: Ink) -> Ink:
    """Return a begun drawing exactly as it was given, with the strokes that a model added.

    Parameters
    ----------
    given : Ink
        The begun drawing, or `Begun`. If it has more points than the model read, it is cut.
    start : int
        Number of points that the model read.
    drawn : Ink
        What the model read and added, in the unit of the corpus and relative to the first point.
    """
    begun = given if isinstance(given, Begun) else Begun(given.strokes, given=given, factor=1.0)
    kept = begun.given.strokes if start == begun.points else _first(begun, start)
    origin = begun.given.strokes[0][0]
    added, seen = [], 0
    for stroke in drawn.strokes:
        new = stroke[max(start - seen, 0) :] / begun.factor + origin
        if len(new) < len(stroke) and len(new):
            # The pen goes on from where the last given stroke ends.
            new = np.concatenate([kept[-1][-1:], new])
        if len(new):
            added.append(new)
        seen += len(stroke)
    return replace(begun.given, strokes=(*kept, *added), letters=None, times=None, pressure=None)


def _first(begun: Begun, count: int) -> tuple[Stroke, ...]:
    """Return the first points of a begun drawing, in its own unit."""
    kept = []
    for stroke in begun.strokes:
        if count > 0:
            kept.append(stroke[:count] / begun.factor)
        count -= len(stroke)
    return tuple(kept)


def _bends(trace: Trace) -> NDArray[np.float64]:
    """Return the distance of each inner point of a stroke from the line between its neighbours."""
    before, at, after = trace.points[:-2], trace.points[1:-1], trace.points[2:]
    across = after - before
    length = np.hypot(*across.T)
    away = at - before
    area = np.abs(across[:, 0] * away[:, 1] - across[:, 1] * away[:, 0])
    found = np.where(length > 0, area / np.where(length > 0, length, 1), np.hypot(*away.T))
    return np.asarray(found[~trace.lifted[1:-1] & ~trace.lifted[2:]])


def _quantile(parts: Sequence[NDArray[np.float64]], share: float) -> float:
    values = np.concatenate([*parts, np.zeros(0)])
    return round(float(np.percentile(values, share)), DIGITS) if len(values) else 0.0
