"""A piece and the paper it lies on, in millimetres, and the timing of an animation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.curves import fitted, flattened
from seqgen_handwriting.ink import Ink, Stroke
from seqgen_handwriting.write_options import DEFAULT, WriteOptions

#: Seconds of an animation from stroke to stroke. The pen is faster if the animation would take more
#: than LONGEST seconds.
LIFT, LONGEST = 0.12, 30.0

#: Width of the pen without pressure, and how much full pressure adds, as shares of its usual width:
#: half the pressure gives the usual one, as on the capture page.
WIDTHS = (0.4, 1.2)


@dataclass(frozen=True)
class Sheet:
    """A piece and the paper it lies on.

    Attributes
    ----------
    ink : Ink
    origin : float64 array (2,)
        The upper left corner of the paper, in the unit of the ink.
    scale : float
        Millimetres a unit of the ink.
    width, height : float
        Millimetres of the paper.
    options : WriteOptions
    """

    ink: Ink
    origin: NDArray[np.float64]
    scale: float
    width: float
    height: float
    options: WriteOptions = DEFAULT

    @cached_property
    def strokes(self) -> tuple[Stroke, ...]:
        """The strokes in millimetres from the upper left corner, y down."""
        return tuple((stroke - self.origin) * self.scale for stroke in self.ink.strokes)

    @cached_property
    def lines(self) -> tuple[Stroke, ...]:
        """The strokes in millimetres as they are drawn: smooth if curves are wanted."""
        return tuple(map(self._smooth, self.strokes)) if self.options.curve else self.strokes

    @cached_property
    def widths(self) -> tuple[NDArray[np.float64], ...] | None:
        """The width of the pen at each point of `lines`, in millimetres; None without pressure."""
        if self.ink.pressure is None:
            return None
        least, more = WIDTHS
        return tuple(
            self.options.pen * (least + more * np.interp(_along(line), _along(stroke), pressure))
            for line, stroke, pressure in zip(
                self.lines, self.strokes, self.ink.pressure, strict=True
            )
        )

    def _smooth(self, stroke: Stroke) -> Stroke:
        curves = fitted(stroke, self.options.curve)
        # A curve can swing out beyond its points, but not beyond its handles.
        on_paper = np.clip(curves, 0, (self.width, self.height))
        return flattened(on_paper) if len(curves) else stroke[:1]

    def pace(self) -> tuple[list[float], list[float]]:
        """Return begin and duration of each of the S strokes, in seconds."""
        lasts = [
            max(float(np.hypot(*np.diff(stroke, axis=0).T).sum()) / self.options.speed, 0.02)
            for stroke in self.strokes
        ]
        faster = max((sum(lasts) + LIFT * len(lasts)) / LONGEST, 1.0)
        lasts, begins = [seconds / faster for seconds in lasts], [0.0]
        for seconds in lasts:
            begins.append(begins[-1] + seconds + LIFT / faster)
        return begins[:-1], lasts


def _along(stroke: Stroke) -> NDArray[np.float64]:
    """Return how far along a stroke each of its points is ``(N,)``, as a share of its length."""
    along = np.append(0.0, np.cumsum(np.hypot(*np.diff(stroke, axis=0).T)))
    return along / max(float(along[-1]), 1e-12)
