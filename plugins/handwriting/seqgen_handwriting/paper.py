"""Ink on paper: in millimetres, with a margin, and with a pace for those who see it written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqgen_handwriting.ink import Ink, Stroke

#: Millimetres of the longer side of a drawing, and around it.
SIDE, MARGIN = 150.0, 10.0

#: A4, what stays white on each side of it, and from one line to the next, in millimetres.
WIDTH, HEIGHT, WHITE, LINE = 210.0, 297.0, 20.0, 10.0

#: Width of the writing on a page.
COLUMN = WIDTH - 2 * WHITE

#: Millimetres a second of a pen that is watched; seconds that it takes from stroke to stroke.
SPEED, LIFT = 120.0, 0.12


@dataclass(frozen=True)
class Sheet:
    """A drawing on paper.

    Attributes
    ----------
    strokes : tuple of float64 array (N, 2)
        In millimetres from the upper left corner, y down.
    width, height : float
        Of the paper, in millimetres.
    """

    strokes: tuple[Stroke, ...]
    width: float
    height: float

    def pace(self) -> tuple[list[float], list[float]]:
        """Return when each stroke begins and how long it takes, in seconds (each of S)."""
        lasts = [
            max(float(np.hypot(*np.diff(stroke, axis=0).T).sum()) / SPEED, 0.02)
            for stroke in self.strokes
        ]
        begins = [0.0]
        for seconds in lasts:
            begins.append(begins[-1] + seconds + LIFT)
        return begins[:-1], lasts


def on_paper(ink: Ink) -> Sheet:
    """Lay ink on a sheet of its own: its longer side is `SIDE` long, `MARGIN` around it."""
    left, top, right, bottom = ink.bounds
    scale = SIDE / ink.size if ink.size else 1.0
    corner = np.array([left, top])
    strokes = tuple((stroke - corner) * scale + MARGIN for stroke in ink.strokes)
    width, height = ((end - begin) * scale for begin, end in ((left, right), (top, bottom)))
    return Sheet(strokes, width + 2 * MARGIN, height + 2 * MARGIN)
