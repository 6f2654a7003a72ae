"""What is measured on ink, new and of a corpus; NaN stands for what a piece has not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from seqgen.plugin import Metric
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.legibility import shares_read


def measure(generated: Sequence[Ink], reference: Iterable[Ink]) -> dict[str, Metric]:
    """Return all measures of both sides, by name."""
    reference = list(reference)
    measured = {
        name: Metric(
            unit, *(np.array([of(ink) for ink in inks], float) for inks in (generated, reference))
        )
        for name, (unit, of) in MEASURES.items()
    }
    return {"letters read as intended": Metric("", *shares_read(generated, reference))} | measured


def points_per_stroke(ink: Ink) -> float:
    """Return the mean number of points of a stroke."""
    return ink.points / len(ink.strokes) if ink.strokes else np.nan


def width_over_height(ink: Ink) -> float:
    """Return how much wider than tall a drawing is."""
    left, top, right, bottom = ink.bounds
    return (right - left) / (bottom - top) if bottom > top else np.nan


def length_over_size(ink: Ink) -> float:
    """Return the length of all strokes, in longer sides of the drawing."""
    length = sum(float(np.hypot(*np.diff(stroke, axis=0).T).sum()) for stroke in ink.strokes)
    return length / ink.size if ink.size else np.nan


#: Units and functions by name.
MEASURES: dict[str, tuple[str, Callable[[Ink], float]]] = {
    "strokes": ("strokes", lambda ink: len(ink.strokes)),
    "points per stroke": ("points", points_per_stroke),
    "length of the ink": ("longer sides", length_over_size),
    "width over height": ("", width_over_height),
}
