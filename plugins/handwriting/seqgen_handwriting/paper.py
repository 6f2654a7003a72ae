"""Ink on paper: in millimetres, a longer text on pages, with a pace for who watches it written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.ink import Ink, Stroke

#: Millimetres of the longer side of a drawing or a line, and around it.
SIDE, MARGIN = 150.0, 10.0

#: A4, what stays white on each side of it, and from one line to the next, in millimetres.
WIDTH, HEIGHT, WHITE, LINE = 210.0, 297.0, 20.0, 10.0

#: Width of the writing on a page.
COLUMN = WIDTH - 2 * WHITE

#: Millimetres a second of a pen that is watched, and seconds that it takes from stroke to stroke;
#: it is faster where all of it would take more than LONGEST seconds.
SPEED, LIFT, LONGEST = 120.0, 0.12, 30.0


@dataclass(frozen=True)
class Sheet:
    """Ink and the paper under it.

    Attributes
    ----------
    ink : Ink
    origin : float64 array (2,)
        The place of the paper's upper left corner, in the unit of the ink.
    scale : float
        Millimetres of a unit of the ink.
    width, height : float
        Of the paper, in millimetres.
    """

    ink: Ink
    origin: NDArray[np.float64]
    scale: float
    width: float
    height: float

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """The strokes in millimetres from the upper left corner, y down."""
        return tuple((stroke - self.origin) * self.scale for stroke in self.ink.strokes)

    def pace(self) -> tuple[list[float], list[float]]:
        """Return when each stroke begins and how long it takes, in seconds (each of S)."""
        lasts = [
            max(float(np.hypot(*np.diff(stroke, axis=0).T).sum()) / SPEED, 0.02)
            for stroke in self.strokes
        ]
        faster = max((sum(lasts) + LIFT * len(lasts)) / LONGEST, 1.0)
        lasts, begins = [seconds / faster for seconds in lasts], [0.0]
        for seconds in lasts:
            begins.append(begins[-1] + seconds + LIFT / faster)
        return begins[:-1], lasts


def on_paper(ink: Ink) -> Sheet:
    """Lay ink on a sheet of its own.

    The longer side of a drawing is `SIDE` long, with `MARGIN` around it. Lines of a text whose
    letters are known are `LINE` apart, or less if they would not fit into `COLUMN`, with `WHITE`
    around them.
    """
    left, top, right, bottom = ink.bounds
    pitch = _pitch(ink)
    if pitch is None:
        scale, margin = SIDE / ink.size if ink.size else 1.0, MARGIN
    else:
        scale, margin = LINE / max(pitch, LINE * (right - left) / COLUMN), WHITE
    width, height = np.array([right - left, bottom - top]) * scale + 2 * margin
    return Sheet(ink, np.array([left, top]) - margin / scale, scale, float(width), float(height))


def pages(ink: Ink) -> list[Sheet]:
    """Lay ink on A4 if it is a text of more lines than one page takes, and they are known.

    All else is one sheet of its own. A page takes up to a line; strokes go with the line in which
    they begin.
    """
    whole = on_paper(ink)
    if whole.height <= HEIGHT or _pitch(ink) is None:
        return [whole]
    sheets = []
    for part in _parts(ink, (HEIGHT - 2 * WHITE) / whole.scale):
        corner = np.array([ink.bounds[0], part.bounds[1]]) - WHITE / whole.scale
        sheets.append(Sheet(part, corner, whole.scale, WIDTH, HEIGHT))
    return sheets


def _line_numbers(ink: Ink) -> NDArray[np.int64]:
    """Return the line that each stroke begins in (S,); its text has letters."""
    assert ink.letters is not None
    breaks = np.cumsum([0, *(letter == "\n" for letter in ink.text)])
    first = np.array([part[0] for part in ink.letters], np.int64)
    numbers: NDArray[np.int64] = breaks[np.clip(first, 0, len(ink.text))]
    return numbers


def _pitch(ink: Ink) -> float | None:
    """Return how far lines of writing are from one another, or None if there are not several."""
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
    """Yield the lines of a text, as many at a time as are no higher than a page."""
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
    """Return the lines from one to before another as ink of its own."""
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
