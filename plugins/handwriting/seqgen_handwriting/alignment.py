"""Which points belong to which letter, where nobody said.

`spread` takes the letters of a text as spread evenly over the ink, each with its share of the
width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Ids
from seqgen_handwriting.ink import Ink

#: Letters of half the width of others, and of half as much again.
NARROW, WIDE = frozenset("ijltfrI1.,;:!|'`()[] "), frozenset("mwMWQ@%&—")


def spread(ink: Ink) -> Ink:
    """Return the ink with the letters of its text spread over it, from the left to the right.

    A line of text begins where the pen goes farthest back to the left. A point belongs to the
    letter over whose share of the line's width the pen had got; blanks have a share and no points.
    Every letter has one point at least.

    Raises
    ------
    DataError
        If there are fewer points than letters.
    """
    inked, letters = 0, []
    lines = [line for line in ink.text.split("\n") if line.strip()]
    parts = _lines_of_strokes(ink, len(lines))
    begin = 0
    for line in ink.text.split("\n"):
        if line.strip():
            points = np.concatenate(parts[inked])
            letters.append(begin + _spread_line(points[:, 0], line))
            inked += 1
        begin += len(line) + 1
    if not letters:
        return ink
    seams = np.cumsum([len(stroke) for stroke in ink.strokes])[:-1]
    return replace(ink, letters=tuple(np.split(np.concatenate(letters), seams)))


def without_letters(ink: Ink, left_out: Sequence[int]) -> Ink:
    """Return ink whose letters are known without some of them, by their place, and their points."""
    assert ink.letters is not None
    kept = ~np.isin(np.arange(len(ink.text)), left_out)
    places = np.cumsum(kept) - 1
    strokes, letters, times = [], [], []
    for number, (stroke, own) in enumerate(zip(ink.strokes, ink.letters, strict=True)):
        stays = kept[np.clip(own, 0, len(kept) - 1)]
        if stays.any():
            strokes.append(stroke[stays])
            letters.append(places[np.clip(own, 0, len(kept) - 1)][stays])
            times.append(None if ink.times is None else ink.times[number][stays])
    return replace(
        ink,
        strokes=tuple(strokes),
        text="".join(letter for letter, stays in zip(ink.text, kept, strict=True) if stays),
        letters=tuple(letters),
        times=None if ink.times is None else tuple(part for part in times if part is not None),
    )


def _lines_of_strokes(ink: Ink, count: int) -> list[tuple[NDArray[np.float64], ...]]:
    """Return the strokes of each of so many lines."""
    back = np.array([after[0, 0] - before[-1, 0] for before, after in pairwise(ink.strokes)])
    if len(back) < count - 1:
        raise DataError(f"it has {len(ink.strokes)} strokes, and a text of {count} lines")
    cuts = (np.sort(np.argsort(back, kind="stable")[: max(count - 1, 0)]) + 1).tolist()
    return [ink.strokes[slice(*bounds)] for bounds in pairwise([0, *cuts, len(ink.strokes)])]


def _spread_line(across: NDArray[np.float64], text: str) -> Ids:
    """Return the letter of every point of a line (N,) from how far to the right each is."""
    widths = np.array([0.5 if sign in NARROW else 1.5 if sign in WIDE else 1.0 for sign in text])
    inked = np.array([at for at, sign in enumerate(text) if not sign.isspace()])
    if len(across) < len(inked):
        raise DataError(
            f"it is not known which points of {text!r} belong to which letter, and it has fewer "
            f"points ({len(across)}) than letters"
        )
    ends = np.cumsum(widths)
    begins = ends - widths
    edges = (ends[inked[:-1]] + begins[inked[1:]]) / 2 - begins[inked[0]]
    got = np.maximum.accumulate(across) - across.min()
    share = got / max(float(got[-1]), 1e-12) * (ends[inked[-1]] - begins[inked[0]])
    first = np.searchsorted(share, edges)  # of each letter but the first
    return inked[_numbers(first, len(across))]


def _numbers(first: Ids, points: int) -> Ids:
    """Return for every point (N,) how many letters began at or before it, the first left out.

    Where several begin at one point, they are moved apart.
    """
    places = np.arange(1, len(first) + 1)
    first = np.maximum.accumulate(np.maximum(first - places, 0)) + places
    first = np.minimum(first, points - places[::-1])
    return np.searchsorted(first, np.arange(points), side="right")
