"""Limits on repeated bars in `multitrack`: a new piece must not get stuck in a loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from seqgen_music.codecs.limits import upper_limit
from seqgen_music.codecs.multitrack.score import GridScore

#: Bars between a bar and its repeat.
PERIODS = (1, 2, 4)


def longest_runs(score: GridScore) -> tuple[int, ...]:
    """Return the most bars in a row that equal the bar one period before, by `PERIODS`.

    The last of them only needs to begin in the same way, since the tracker forbids that beginning.
    Bars are equal if their notes have the same steps and pitches.
    """
    first = np.searchsorted(score.step, score.starts)[1:]
    bars = [
        list(zip((steps - start).tolist(), pitches.tolist(), strict=True))
        for start, steps, pitches in zip(
            score.starts.tolist(),
            np.split(score.step, first),
            np.split(score.pitch, first),
            strict=True,
        )
    ]
    return tuple(_longest_run(bars, period) for period in PERIODS)


def limit_runs(longest: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the limits of a corpus by period, at least one bar."""
    return tuple(max(upper_limit(runs), 1) for runs in zip(*longest, strict=True))


def _longest_run(bars: Sequence[list[tuple[int, int]]], period: int) -> int:
    run = longest = 0
    for old, new in zip(bars, bars[period:], strict=False):
        if old[:1] == new[:1]:
            longest = max(longest, run + 1)
        run = run + 1 if old == new else 0
    return longest


class Repeats:
    """Follows the bars of a new piece.

    Parameters
    ----------
    most : tuple of int
        Most bars in a row that may equal the bar one period before, by period.
    """

    def __init__(self, most: tuple[int, ...]) -> None:
        self._most = most
        self._runs = [0] * len(PERIODS)
        self._bars: deque[list[int]] = deque(maxlen=PERIODS[-1])
        self._bar: list[int] = []

    def line(self) -> None:
        """End a bar."""
        for place, period in enumerate(PERIODS):
            again = len(self._bars) >= period and self._bars[-period] == self._bar
            self._runs[place] = self._runs[place] + 1 if again else 0
        self._bars.append(self._bar)
        self._bar = []

    def push(self, token: int) -> None:
        """Add a token of the present bar."""
        self._bar.append(token)

    def too_often(self) -> list[int]:
        """Return the tokens that would repeat a bar beyond the limits."""
        return [
            self._bars[-period][len(self._bar)]
            for period, run, most in zip(PERIODS, self._runs, self._most, strict=True)
            if run >= most
            and len(self._bar) < len(self._bars[-period])
            and self._bars[-period][: len(self._bar)] == self._bar
        ]
