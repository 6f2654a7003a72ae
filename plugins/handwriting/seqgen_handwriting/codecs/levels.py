"""The height of letters: where their points are, above or below the level of their line.

A model that only knows how far it has moved loses the line little by little. The heights of the
letters that are written say where it is: an h is above the level, a p below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.codecs.trace import Trace

#: How far the mean point and the first point of each letter are below the level, in sides.
Levels: TypeAlias = Mapping[str, tuple[float, float]]

#: The level at a letter is the mean over BESIDE letters on each side.
BESIDE = 5

#: Rounds in which the levels of lines and the heights of letters are found.
ROUNDS = 4

#: Decimals of a height, in sides.
DIGITS = 4


def levels_of(traces: Iterable[Trace]) -> Levels:
    """Return the heights of the letters of traces with text, in sides, in a fixed order.

    A mean point is the level of the line there plus the height of the letter. Each is the mean of
    the rest, found in rounds.
    """
    measured = [(trace, *_heights(trace)) for trace in traces if trace.text]
    known: dict[str, tuple[float, float]] = {}
    for _ in range(ROUNDS):
        below: dict[str, list[NDArray[np.float64]]] = {}
        for trace, places, heights in measured:
            letters = [trace.text[place] for place in places]
            rises = np.array([known.get(letter, (0.0, 0.0))[0] for letter in letters])
            level = _mean_beside(heights[:, 0] - rises)  # (L,)
            for letter, off in zip(letters, heights - level[:, None], strict=True):
                below.setdefault(letter, []).append(off)
        means = {letter: np.mean(offs, axis=0).round(DIGITS) for letter, offs in below.items()}
        known = {letter: (float(mean), float(first)) for letter, (mean, first) in means.items()}
    return dict(sorted(known.items()))


def _heights(trace: Trace) -> tuple[list[int], NDArray[np.float64]]:
    """Return the places of the letters with ink, and heights of mean and first point ``(L, 2)``."""
    places, begins, counts = np.unique(trace.letters, return_index=True, return_counts=True)
    down = trace.points[:, 1]
    means = np.add.reduceat(down, begins) / counts
    return places.tolist(), np.stack([means, down[begins]], 1)


def _mean_beside(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each value and BESIDE values on each side ``(L,)``."""
    sums = np.append(0.0, np.cumsum(values))
    number = np.arange(len(values))
    begin, end = np.maximum(number - BESIDE, 0), np.minimum(number + BESIDE + 1, len(values))
    return np.asarray((sums[end] - sums[begin]) / (end - begin))
