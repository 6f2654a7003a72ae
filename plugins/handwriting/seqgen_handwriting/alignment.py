"""Letters for points: a first guess, and ink without some of its letters.

`spread` gives each letter its share of the width of a line. A trained model finds letters better
(`seqgen.training.realignment`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Ids
from seqgen_handwriting.ink import Ink, with_points

#: Letters with half, and with one and a half times, the width of the others.
NARROW, WIDE = frozenset("ijltfrI1.,;:!|'`()[] "), frozenset("mwMWQ@%&—")


def spread(ink: Ink) -> Ink:
    """Return ink with the letters of its text spread evenly over it, from left to right.

    Lines of text are separated where the pen goes farthest back to the left. A point belongs to
    the letter in whose share of the line's width the rightmost point so far lies. Blanks have a
    share but no points. Every other letter gets at least one point.

    Raises
    ------
    DataError
        If there are fewer points than letters, or fewer strokes than lines.
    """
    number, letters = 0, []
    lines = [line for line in ink.text.split("\n") if line.strip()]
    parts = _lines_of_strokes(ink, len(lines))
    begin = 0
    for line in ink.text.split("\n"):
        if line.strip():
            points = np.concatenate(parts[number])
            letters.append(begin + _spread_line(points[:, 0], line))
            number += 1
        begin += len(line) + 1
    if not letters:
        return ink
    seams = np.cumsum([len(stroke) for stroke in ink.strokes])[:-1]
    return replace(ink, letters=tuple(np.split(np.concatenate(letters), seams)))


def inked(text: str) -> Ids:
    """Return for each letter its index; for a blank that of the letter before, or of the first."""
    at = np.arange(len(text))
    inked = np.array([not letter.isspace() for letter in text])
    if not inked.any():
        return at
    before = np.maximum.accumulate(np.where(inked, at, -1))
    return np.where(before < 0, int(np.argmax(inked)), before)


def without_letters(ink: Ink, left_out: Sequence[int]) -> Ink:
    """Return ink with letters, without those at some indices of its text and without their ink."""
    assert ink.letters is not None
    kept = ~np.isin(np.arange(len(ink.text)), left_out)
    places = np.cumsum(kept) - 1
    owners = [np.clip(own, 0, len(kept) - 1) for own in ink.letters]
    staying = [(number, kept[own]) for number, own in enumerate(owners) if kept[own].any()]
    part = with_points(ink, staying)
    text = "".join(letter for letter, stays in zip(ink.text, kept, strict=True) if stays)
    letters = tuple(places[owners[number]][stays] for number, stays in staying)
    return replace(part, text=text, letters=letters)


def _lines_of_strokes(ink: Ink, count: int) -> list[tuple[NDArray[np.float64], ...]]:
    """Return the strokes of each of `count` lines."""
    back = np.array([after[0, 0] - before[-1, 0] for before, after in pairwise(ink.strokes)])
    if len(back) < count - 1:
        raise DataError(f"it has {len(ink.strokes)} strokes for a text of {count} lines")
    cuts = (np.sort(np.argsort(back, kind="stable")[: max(count - 1, 0)]) + 1).tolist()
    return [ink.strokes[slice(*bounds)] for bounds in pairwise([0, *cuts, len(ink.strokes)])]


def _spread_line(across: NDArray[np.float64], text: str) -> Ids:
    """Return the letter of each point of a line ``(N,)`` from the points' x ``(N,)``."""
    widths = np.array([0.5 if sign in NARROW else 1.5 if sign in WIDE else 1.0 for sign in text])
    inked = np.array([at for at, sign in enumerate(text) if not sign.isspace()])
    if len(across) < len(inked):
        raise DataError(
            f"the letters of {text!r} have to be spread over its ink, which has fewer points "
            f"({len(across)}) than letters ({len(inked)})"
        )
    ends = np.cumsum(widths)
    begins = ends - widths
    edges = (ends[inked[:-1]] + begins[inked[1:]]) / 2 - begins[inked[0]]
    reached = np.maximum.accumulate(across) - across.min()
    share = reached / max(float(reached[-1]), 1e-12) * (ends[inked[-1]] - begins[inked[0]])
    first = np.searchsorted(share, edges)  # first point of each letter but the first
    return inked[_numbers(first, len(across))]


def _numbers(first: Ids, points: int) -> Ids:
    """Return for each point ``(N,)`` how many of the letters from the second on have begun.

    Letters that begin at one point are moved apart.
    """
    places = np.arange(1, len(first) + 1)
    first = np.maximum.accumulate(np.maximum(first - places, 0)) + places
    first = np.minimum(first, points - places[::-1])
    return np.searchsorted(first, np.arange(points), side="right")
