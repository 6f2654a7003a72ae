"""The piece of this domain: a drawing or a text, stroke by stroke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError

#: The points of a stroke ``(N, 2)``: x to the right, y down.
Stroke: TypeAlias = NDArray[np.float64]

#: Limit of points of a drawing from a file: hours of writing.
MOST_POINTS = 1_000_000

#: Limit of strokes of a drawing from a file.
MOST_STROKES = 100_000

#: Limit of coordinates from a file; larger ones come from damaged data.
FARTHEST = 1e9

#: Ink of a smaller size is a dot.
SMALLEST = 1e-9


#: What may be known of each point; and what can be measured between two points as well.
OF_POINTS, MEASURED = ("letters", "times", "pressure"), ("times", "pressure")


@dataclass(frozen=True, eq=False)
class Ink:
    """A drawing, a word, a line or a page.

    Attributes
    ----------
    strokes : tuple of float64 array (N, 2)
        The points of each stroke, at least one, in the order of the pen: x to the right,
        y down, in any unit.
    text : str
        The text, or the name of the drawing; empty if unknown.
    letters : tuple of int64 array (N,), or None
        For each point of each stroke the index of its letter in `text`.
    writer : str
        The writer's name; empty if unknown.
    times : tuple of float64 array (N,), or None
        For each point of each stroke its time in seconds.
    pressure : tuple of float64 array (N,), or None
        For each point of each stroke how hard the pen pressed, from 0 to 1.

    Raises
    ------
    DataError
        If the shapes do not match.
    """

    strokes: tuple[Stroke, ...]
    text: str = ""
    letters: tuple[NDArray[np.int64], ...] | None = None
    writer: str = ""
    times: tuple[NDArray[np.float64], ...] | None = None
    pressure: tuple[NDArray[np.float64], ...] | None = None

    def __post_init__(self) -> None:
        for number, stroke in enumerate(self.strokes):
            if stroke.ndim != 2 or stroke.shape[1] != 2 or not len(stroke):
                raise DataError(
                    f"stroke {number + 1} has the shape {stroke.shape}; expected (N, 2) with N > 0"
                )
        lengths = [stroke.shape[:1] for stroke in self.strokes]
        for name, values in self.of_points.items():
            if [part.shape for part in values] != lengths:
                raise DataError(f"{name} need one value for each point of each stroke")

    @property
    def of_points(self) -> dict[str, tuple[NDArray[Any], ...]]:
        """What is known of each point, by the name of its attribute: an array for each stroke."""
        known = {name: getattr(self, name) for name in OF_POINTS}
        return {name: values for name, values in known.items() if values is not None}

    @property
    def points(self) -> int:
        """The number of points of all strokes."""
        return sum(map(len, self.strokes))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The smallest x and y, and the largest x and y; zeros without points."""
        if not self.strokes:
            return 0.0, 0.0, 0.0, 0.0
        points = np.concatenate(self.strokes)
        (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return left, top, right, bottom

    @property
    def size(self) -> float:
        """The length of the longer side of `bounds`."""
        left, top, right, bottom = self.bounds
        return max(right - left, bottom - top)

    def __repr__(self) -> str:
        left, top, right, bottom = self.bounds
        parts = [
            f"{len(self.strokes)} strokes",
            f"{self.points} points",
            f"{right - left:.4g} x {bottom - top:.4g}",
        ]
        if self.text:
            parts.append(repr(self.text if len(self.text) <= 40 else f"{self.text[:39]}…"))
        if self.writer:
            parts.append(f"by {self.writer}")
        return f"Ink({', '.join(parts)})"

    def _repr_html_(self) -> str:
        """Return the drawing as inline SVG, for notebooks."""
        left, top, right, bottom = self.bounds
        margin = self.size / 15 or 1.0
        box = f"{left - margin!r} {top - margin!r} "
        box += f"{right - left + 2 * margin!r} {bottom - top + 2 * margin!r}"
        paths = "".join(f'<path d="{path_data(stroke)}"/>' for stroke in self.strokes)
        return (
            f'<svg width="170mm" viewBox="{box}" fill="none" stroke="#000" '
            f'stroke-width="{margin / 20:.6g}" stroke-linecap="round" stroke-linejoin="round">'
            f"<title>{escape(self.text)}</title>{paths}</svg>"
        )


def with_points(ink: Ink, chosen: Sequence[tuple[int, Any]]) -> Ink:
    """Return ink whose strokes are points of others, given as (stroke, which points)."""
    known = {"strokes": ink.strokes, **ink.of_points}
    kept: dict[str, Any] = {
        name: tuple(values[number][which] for number, which in chosen)
        for name, values in known.items()
    }
    return replace(ink, **kept)


def between_points(ink: Ink, at: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
    """Return times and pressure at fractional indices of each stroke, those that are known."""
    return {
        name: tuple(
            np.interp(places, np.arange(len(part)), part)
            for places, part in zip(at, values, strict=True)
        )
        for name, values in ink.of_points.items()
        if name in MEASURED
    }


def path_data(stroke: Stroke) -> str:
    """Return a stroke as the path data of SVG; a single point is a line to itself."""
    points = [f"{x!r} {y!r}" for x, y in stroke.tolist()]
    return f"M{points[0]}L{' '.join(points[1:] or points)}"


def checked(ink: Ink) -> Ink:
    """Return ink that was read from a file, if it is usable.

    Raises
    ------
    DataError
        If it has no point, or more than `MOST_POINTS` or `MOST_STROKES`; if a coordinate is not a
        number from -`FARTHEST` to `FARTHEST`; if a time is not finite, or a pressure not from 0 to
        1; if a letter is not one of the text; or if a text has a lone surrogate.
    """
    if not ink.points:
        raise DataError("it has no stroke")
    if ink.points > MOST_POINTS:
        raise DataError(f"it has {ink.points:,} points; {MOST_POINTS:,} is the most")
    if len(ink.strokes) > MOST_STROKES:
        raise DataError(f"it has {len(ink.strokes):,} strokes; {MOST_STROKES:,} is the most")
    for number, stroke in enumerate(ink.strokes):
        # Also false for NaN.
        fine = (np.abs(stroke) <= FARTHEST).all(axis=1)
        if not fine.all():
            at = int(np.argmin(fine))
            x, y = stroke[at]
            raise DataError(
                f"point {at + 1} of stroke {number + 1} is ({x:g}, {y:g}); expected "
                f"numbers from -{FARTHEST:g} to {FARTHEST:g}"
            )
    if ink.times is not None and not all(np.isfinite(part).all() for part in ink.times):
        raise DataError("one of its times is not a finite number")
    for part in ink.pressure or ():
        # Also false for NaN.
        inside = (part >= 0) & (part <= 1)
        if not inside.all():
            raise DataError(
                f"a point has the pressure {part[int(np.argmin(inside))]:g}; expected 0 to 1"
            )
    for letters in (ink.letters or ()) if ink.text else ():
        if letters.min() < 0 or letters.max() >= len(ink.text):
            at = int(letters.min() if letters.min() < 0 else letters.max())
            raise DataError(
                f"a point has the letter {at}; its text has the letters 0 to {len(ink.text) - 1}"
            )
    if any("\ud800" <= sign <= "\udfff" for sign in ink.text + ink.writer):
        raise DataError("its text or writer has half a character (a lone surrogate)")
    return ink
