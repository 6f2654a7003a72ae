"""Ink on paper: in millimetres, long texts on pages, and the timing of an animation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Within, check_fields
from seqgen_handwriting.ink import Ink, Stroke

#: Millimetres: the longer side of a drawing or a line, and the margin around it.
SIDE, MARGIN = 150.0, 10.0

#: Millimetres: width and height of papers.
PAPERS = {
    "a3": (297.0, 420.0),
    "a4": (210.0, 297.0),
    "a5": (148.0, 210.0),
    "letter": (215.9, 279.4),
}
WIDTH, HEIGHT = PAPERS["a4"]

#: Millimetres: the margin of a page, and the distance between its lines.
PAGE_MARGIN, LINE = 20.0, 10.0

#: Millimetres: the width of the text on A4.
COLUMN = WIDTH - 2 * PAGE_MARGIN

#: Width of the pen in millimetres.
PEN = 0.5

#: Pen of an animation: millimetres per second, and seconds from stroke to stroke. It is faster if
#: the animation would take more than LONGEST seconds.
SPEED, LIFT, LONGEST = 120.0, 0.12, 30.0


@dataclass(frozen=True)
class WriteOptions:
    """Options of writing: paper, pen and speed."""

    paper: Literal["a3", "a4", "a5", "letter"] = "a4"
    """Paper of a text that is longer than a page."""
    side: Annotated[float, Within(1, 10_000)] = SIDE
    """Longer side of a drawing or of a single line, in mm."""
    line: Annotated[float, Within(1, 1000)] = LINE
    """Distance between the lines of a text, in mm; less if its lines would be too wide."""
    pen: Annotated[float, Within(0.05, 100)] = PEN
    """Width of the pen in SVG and pictures, in mm."""
    speed: Annotated[float, Within(0.1, 100_000)] = SPEED
    """Speed of the pen in animations, in mm/s; faster if they would take over 30 seconds."""
    feed: Annotated[int, Within(1, 100_000)] = 2000
    """Speed of the lowered pen in G-code, in mm/min."""
    lift: Annotated[float, Within(0.1, 1000)] = 5.0
    """Height of the lifted pen in G-code, in mm."""

    def __post_init__(self) -> None:
        check_fields(self)


#: The options that nobody changed.
DEFAULT = WriteOptions()


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
