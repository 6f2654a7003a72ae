"""Ink on paper: in millimetres, long texts on pages, and the timing of an animation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.ink import Ink, Stroke
from seqgen_handwriting.write_options import (
    DEFAULT,
    MARGIN,
    PAGE_MARGIN,
    PAPERS,
    WriteOptions,
)

#: Millimetres: the width of the text on A4.
COLUMN = PAPERS["a4"][0] - 2 * PAGE_MARGIN

#: Seconds of an animation from stroke to stroke. The pen is faster if the animation would take more
#: than LONGEST seconds.
LIFT, LONGEST = 0.12, 30.0


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

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """The strokes in millimetres from the upper left corner, y down."""
        return tuple((stroke - self.origin) * self.scale for stroke in self.ink.strokes)

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


def on_paper(ink: Ink, options: WriteOptions = DEFAULT) -> Sheet:
    """Lay ink on one sheet.

    The longer side of a drawing is `side` long, with `MARGIN` around it. The lines of a text with
    letters are `line` apart, or less to fit the paper, with `PAGE_MARGIN` around them.
    """
    left, top, right, bottom = ink.bounds
    pitch = _pitch(ink)
    if pitch is None:
        scale, margin = options.side / ink.size if ink.size else 1.0, MARGIN
    else:
        column = PAPERS[options.paper][0] - 2 * PAGE_MARGIN
        fitting = options.line * (right - left) / column
        scale, margin = options.line / max(pitch, fitting), PAGE_MARGIN
    width, height = np.array([right - left, bottom - top]) * scale + 2 * margin
    corner = np.array([left, top]) - margin / scale
    return Sheet(ink, corner, scale, float(width), float(height), options)


def pages(ink: Ink, options: WriteOptions = DEFAULT) -> list[Sheet]:
    """Lay a text with letters that is longer than a page on pages; other ink on one sheet.

    Pages end between lines. A stroke belongs to the line in which it begins.
    """
    whole = on_paper(ink, options)
    paper, height = PAPERS[options.paper]
    if whole.height <= height or _pitch(ink) is None:
        return [whole]
    sheets = []
    for part in _parts(ink, (height - 2 * PAGE_MARGIN) / whole.scale):
        corner = np.array([ink.bounds[0], part.bounds[1]]) - PAGE_MARGIN / whole.scale
        sheets.append(Sheet(part, corner, whole.scale, paper, height, options))
    return sheets


def _line_numbers(ink: Ink) -> NDArray[np.int64]:
    """Return the line in which each stroke begins ``(S,)``, for ink with letters."""
    assert ink.letters is not None
    breaks = np.cumsum([0, *(letter == "\n" for letter in ink.text)])
    first = np.array([part[0] for part in ink.letters], np.int64)
    numbers: NDArray[np.int64] = breaks[np.clip(first, 0, len(ink.text))]
    return numbers


def _pitch(ink: Ink) -> float | None:
    """Return the median distance of the lines of a text; None for a single line."""
    if ink.letters is None or "\n" not in ink.text or not ink.strokes:
        return None
    numbers = _line_numbers(ink)
    found = np.unique(numbers)
    heights = [
        np.median(np.concatenate([ink.strokes[at][:, 1] for at in np.flatnonzero(numbers == one)]))
        for one in found
    ]
    pitches = np.diff(heights) / np.diff(found)
    return float(np.median(pitches)) if len(pitches) and np.median(pitches) > 0 else None


def _parts(ink: Ink, height: float) -> Iterator[Ink]:
    """Yield the lines of a text in parts no higher than `height`."""
    numbers = _line_numbers(ink)
    first, top = 0, -np.inf
    for line in np.unique(numbers).tolist():
        strokes = np.concatenate([ink.strokes[at] for at in np.flatnonzero(numbers == line)])
        if np.isinf(top):
            top = strokes[:, 1].min()
        if strokes[:, 1].max() - top > height and line > first:
            yield _part(ink, numbers, first, line)
            first, top = line, strokes[:, 1].min()
    yield ink if first == 0 else _part(ink, numbers, first, ink.text.count("\n") + 1)


def _part(ink: Ink, numbers: NDArray[np.int64], first: int, last: int) -> Ink:
    """Return the lines ``first`` to ``last - 1`` as ink."""
    assert ink.letters is not None
    lines = ink.text.split("\n")
    text, before = "\n".join(lines[first:last]), sum(len(line) + 1 for line in lines[:first])
    chosen = np.flatnonzero((first <= numbers) & (numbers < last)).tolist()
    letters = (np.clip(ink.letters[at] - before, 0, max(len(text) - 1, 0)) for at in chosen)
    return replace(
        ink,
        strokes=tuple(ink.strokes[at] for at in chosen),
        text=text,
        letters=tuple(letters),
        times=ink.times and tuple(ink.times[at] for at in chosen),
    )
