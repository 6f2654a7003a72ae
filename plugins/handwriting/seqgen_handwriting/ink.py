"""The piece of this domain: what a pen wrote or drew, stroke by stroke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError

#: Points of a stroke ``(N, 2)``: x to the right, y down.
Stroke: TypeAlias = NDArray[np.float64]

#: Most points of a drawing that is read, hours of writing.
MOST_POINTS = 1_000_000

#: Farthest that a point may be from the origin: what is beyond is damage, not ink.
FARTHEST = 1e9


@dataclass(frozen=True, eq=False)
class Ink:
    """A drawing, a word, a line or a page.

    Attributes
    ----------
    strokes : tuple of float64 array (N, 2)
        The points of each stroke, one at least, in the order of the pen: x to the right,
        y down, in any unit.
    text : str
        What is written, or the name of what is drawn; empty if that is not known.
    letters : tuple of int64 array (N,), or None
        For every point of every stroke the index of the letter of `text` that it belongs to.
    writer : str
        Whose hand it is, if that is known.
    times : tuple of float64 array (N,), or None
        For every point of every stroke when it was drawn, in seconds.

    Raises
    ------
    DataError
        If the shapes do not fit one another.
    """

    strokes: tuple[Stroke, ...]
    text: str = ""
    letters: tuple[NDArray[np.int64], ...] | None = None
    writer: str = ""
    times: tuple[NDArray[np.float64], ...] | None = None

    def __post_init__(self) -> None:
        for number, stroke in enumerate(self.strokes):
            if stroke.ndim != 2 or stroke.shape[1] != 2 or not len(stroke):
                raise DataError(
                    f"stroke {number + 1} has the shape {stroke.shape}; expected (N, 2), N > 0"
                )
        lengths = [stroke.shape[:1] for stroke in self.strokes]
        for name, values in (("letters", self.letters), ("times", self.times)):
            if values is not None and [part.shape for part in values] != lengths:
                raise DataError(f"{name} are not one for every point of every stroke")

    @property
    def points(self) -> int:
        """Number of points of all strokes."""
        return sum(map(len, self.strokes))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Least x and y, greatest x and y; zeros where there is no point."""
        if not self.strokes:
            return 0.0, 0.0, 0.0, 0.0
        points = np.concatenate(self.strokes)
        (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return left, top, right, bottom

    @property
    def size(self) -> float:
        """Length of the longer side of `bounds`."""
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
        """Return the drawing, as a notebook shows it."""
        # Only who looks at a piece needs it.
        from seqgen_handwriting.files.svg_writing import svg
        from seqgen_handwriting.paper import on_paper

        return svg(on_paper(self))


def checked(ink: Ink) -> Ink:
    """Return what was read of a file if it can be used.

    Raises
    ------
    DataError
        If it has no point or more than `MOST_POINTS`, or one that is no number or farther from
        the origin than `FARTHEST`, or a time or a text that is none.
    """
    if not ink.points:
        raise DataError("there is no stroke in it")
    if ink.points > MOST_POINTS:
        raise DataError(f"it has {ink.points:,} points; {MOST_POINTS:,} is the most")
    for number, stroke in enumerate(ink.strokes):
        # NaN is not smaller than anything.
        fine = (np.abs(stroke) <= FARTHEST).all(axis=1)
        if not fine.all():
            at = int(np.argmin(fine))
            x, y = stroke[at]
            raise DataError(
                f"point {at + 1} of stroke {number + 1} is ({x:g}, {y:g}); coordinates are "
                f"numbers from -{FARTHEST:g} to {FARTHEST:g}"
            )
    if ink.times is not None and not all(np.isfinite(part).all() for part in ink.times):
        raise DataError("a time in it is no number")
    if any("\ud800" <= sign <= "\udfff" for sign in ink.text + ink.writer):
        raise DataError("its text or writer holds half a character (a lone surrogate)")
    return ink
