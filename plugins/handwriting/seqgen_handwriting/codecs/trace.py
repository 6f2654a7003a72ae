"""The trace of a pen, as codecs see a drawing: one row per point, with a flag for each new stroke.

Text of several lines has two forms. On a page each line begins at the left, below the line before.
Codecs see it `joined` into one endless line, so a line break is a blank.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Ids
from seqgen_handwriting.alignment import inked
from seqgen_handwriting.ink import Ink

#: Limits of a variation: the logarithm of width and height, the slant, the rotation in radians, and
#: the share of dropped points among those where the pen turns by less than STRAIGHT radians.
SCALING, SLANT, ROTATION, THINNING = 0.08, 0.08, 0.03, 0.05
STRAIGHT = 0.2

#: Share of blanks that become line breaks in a variation, because most corpora have single lines.
BREAKS = 0.1

#: Distance from one line to the next, and indent of a line from the left edge, in sides.
PITCH, INDENT = 1.5, -0.3


@dataclass(frozen=True)
class Trace:
    """All points of a drawing in the order of the pen.

    Attributes
    ----------
    points : float64 array (P, 2)
        Relative to the first.
    lifted : bool array (P,)
        Whether the pen came to a point through the air; true for the first point.
    letters : int64 array (P,)
        Index of each point's letter, never decreasing; zeros without text.
    text : str
        The letters; empty if the letters of the points are unknown.
    """

    points: NDArray[np.float64]
    lifted: NDArray[np.bool_]
    letters: Ids
    text: str = ""

    def side(self) -> float:
        """Return the median height of the lines of a text, or the longer side of a drawing."""
        if not self.text:
            return float(np.ptp(self.points, axis=0).max())
        return float(np.median([np.ptp(self.points[part, 1]) for part in self._lines()[1]]))

    def scaled(self, factor: float) -> Trace:
        """Return the trace with its points multiplied by a factor."""
        return replace(self, points=self.points * factor)

    def varied(self, rng: np.random.Generator, strength: float) -> Trace:
        """Return the trace randomly stretched, slanted and rotated, without some inner points.

        Points at which the pen turns stay, because a corner without its point is another shape.
        Some blanks become line breaks.
        """
        draws = rng.uniform(-strength, strength, 4) * (SCALING, SCALING, SLANT, ROTATION)
        width, height = np.exp(draws[:2])
        cosine, sine = np.cos(draws[3]), np.sin(draws[3])
        stretched = np.array([[width, 0.0], [draws[2], height]])  # rows multiply x and y
        turned = np.array([[cosine, sine], [-sine, cosine]])
        dropped = rng.random(len(self.points)) < rng.uniform(0, THINNING * strength)
        # The ends of strokes stay: they are where the pen was put down and lifted.
        dropped &= ~self.lifted & ~np.append(self.lifted[1:], True) & self._is_straight()
        kept = ~dropped
        points = self.points[kept] @ (stretched @ turned)
        breaks = rng.random(len(self.text)) < BREAKS * strength
        text = "".join(
            "\n" if letter == " " and breaks[at] else letter for at, letter in enumerate(self.text)
        )
        return Trace(points, self.lifted[kept], self.letters[kept], text)

    def _is_straight(self) -> NDArray[np.bool_]:
        """Return at which points the pen hardly turns ``(P,)``; not at the first and the last."""
        steps = np.diff(self.points, axis=0) @ (1, 1j)  # (P - 1,) complex
        turns = np.angle(steps[1:] * steps[:-1].conj())  # (P - 2,)
        return np.pad(np.abs(turns) < STRAIGHT, 1)

    def joined(self) -> Trace:
        """Return the lines of a page, in sides, as one endless line."""
        return self._moved(1.0)

    def broken(self) -> Trace:
        """Return an endless line, in sides, as the lines of a page; the inverse of `joined`."""
        return self._moved(-1.0)

    def _moved(self, sign: float) -> Trace:
        """Move each line to the end of the line before it (1), or back to the page (-1).

        The move follows from the line before in its endless form, which both directions know: the
        end of that line is the left edge, at its height minus the line pitch.
        """
        numbers, parts = self._lines()
        if len(parts) < 2:
            return self
        points = self.points.copy()
        endless = points if sign > 0 else self.points
        move, first = np.zeros(2), float(np.median(endless[parts[0], 1]))
        for part, following in pairwise(parts):
            points[part] += sign * move
            height = float(np.median(endless[part, 1])) - first
            below = int(numbers[following.start] - numbers[0]) * PITCH
            move = np.array([endless[part, 0].max() - INDENT, height - below])
        points[parts[-1]] += sign * move
        return replace(self, points=points)

    def _lines(self) -> tuple[Ids, list[slice]]:
        """Return the line number of each point ``(P,)``, and the slice of points of each line."""
        breaks = np.array([letter == "\n" for letter in self.text], np.int64)
        # A line break belongs to the line that it ends.
        numbers = np.append(0, np.cumsum(breaks))[self.letters]
        cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
        return numbers, [slice(*bounds) for bounds in pairwise(cuts)]


def trace_of(ink: Ink) -> Trace:
    """Return the trace of a drawing with at least one point.

    Points that return to an earlier letter, for its dot, belong to the letter the pen had reached.
    Points on a blank belong to the letter before it.
    """
    points = np.concatenate(ink.strokes)
    lengths = np.array([len(stroke) for stroke in ink.strokes])
    lifted = np.zeros(len(points), bool)
    lifted[np.cumsum(lengths) - lengths] = True
    letters, text = np.zeros(len(points), np.int64), ""
    if ink.letters is not None and ink.text:
        text = ink.text
        letters = np.maximum.accumulate(np.concatenate(ink.letters)).astype(np.int64)
        letters = inked(text)[np.clip(letters, 0, len(text) - 1)]
    return Trace(points - points[0], lifted, letters, text)


def ink_of(trace: Trace) -> Ink:
    """Return the drawing of a trace."""
    seams = np.flatnonzero(trace.lifted)[1:]
    letters = tuple(np.split(trace.letters, seams)) if trace.text else None
    return Ink(tuple(np.split(trace.points, seams)), trace.text, letters)
