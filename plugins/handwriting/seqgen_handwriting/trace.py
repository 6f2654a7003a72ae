"""A drawing as codecs see it: one row a point, and which points begin a stroke."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Ids
from seqgen_handwriting.ink import Ink

#: Largest changes of a variation: of the logarithm of width and height, slant, rotation in
#: radians, and share of points left out.
SCALING, SLANT, ROTATION, THINNING = 0.15, 0.15, 0.05, 0.1


@dataclass(frozen=True)
class Trace:
    """All points of a drawing in the order of the pen.

    Attributes
    ----------
    points : float64 array (P, 2)
        Relative to the first.
    lifted : bool array (P,)
        Whether the pen came to a point through the air; of the first it did.
    letters : int64 array (P,)
        Index of each point's letter, which never falls; zeros if there is no text.
    text : str
        The letters; empty where it is not known which point belongs to which.
    """

    points: NDArray[np.float64]
    lifted: NDArray[np.bool_]
    letters: Ids
    text: str = ""

    def side(self) -> float:
        """Return the unit of errors: the height of writing, the longer side of a drawing."""
        extent = np.ptp(self.points, axis=0)
        return float(extent[1] if self.text else extent.max())

    def scaled(self, factor: float) -> Trace:
        """Return the trace with all points multiplied."""
        return replace(self, points=self.points * factor)

    def varied(self, rng: np.random.Generator, strength: float) -> Trace:
        """Return the trace stretched, slanted, turned a little and without some inner points."""
        draws = rng.uniform(-strength, strength, 4) * (SCALING, SCALING, SLANT, ROTATION)
        width, height = np.exp(draws[:2])
        cosine, sine = np.cos(draws[3]), np.sin(draws[3])
        stretched = np.array([[width, 0.0], [draws[2], height]])  # rows multiply x and y
        turned = np.array([[cosine, sine], [-sine, cosine]])
        dropped = rng.random(len(self.points)) < rng.uniform(0, THINNING * strength)
        # Ends of strokes say where the pen was lifted and put down.
        dropped &= ~self.lifted & ~np.append(self.lifted[1:], True)
        kept = ~dropped
        points = self.points[kept] @ (stretched @ turned)
        return Trace(points, self.lifted[kept], self.letters[kept], self.text)


def trace_of(ink: Ink) -> Trace:
    """Return the points of a drawing, which has one at least.

    A letter that is gone back to, for its dot, is written with the one the pen had got to.
    """
    points = np.concatenate(ink.strokes)
    lengths = np.array([len(stroke) for stroke in ink.strokes])
    lifted = np.zeros(len(points), bool)
    lifted[np.cumsum(lengths) - lengths] = True
    letters, text = np.zeros(len(points), np.int64), ""
    if ink.letters is not None and ink.text:
        text = ink.text
        letters = np.maximum.accumulate(np.concatenate(ink.letters)).astype(np.int64)
        letters = np.clip(letters, 0, len(text) - 1)
    return Trace(points - points[0], lifted, letters, text)


def ink_of(trace: Trace) -> Ink:
    """Return the drawing of a trace."""
    seams = np.flatnonzero(trace.lifted)[1:]
    letters = tuple(np.split(trace.letters, seams)) if trace.text else None
    return Ink(tuple(np.split(trace.points, seams)), trace.text, letters)
