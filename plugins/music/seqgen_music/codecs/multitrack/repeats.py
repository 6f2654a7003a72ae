"""How often bars come again at once in `multitrack`: no new piece is to get stuck in a loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from seqgen_music.codecs.limits import usual_most
from seqgen_music.codecs.multitrack.score import GridScore

#: After how many bars the same one may come again and again.
PERIODS = (1, 2, 4)


def longest_runs(score: GridScore) -> tuple[int, ...]:
    """Return how many bars in a row are at most the same as those so many `PERIODS` before.

    The last of them need only begin in the same way, for that is what a new piece is kept from. A
    bar is where its notes begin and their pitches: whatever has the same tokens is the same.
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


def usual_runs(longest: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return how far all but a few pieces of a corpus go, by period; at least one bar."""
    return tuple(max(usual_most(runs), 1) for runs in zip(*longest, strict=True))


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
        How many bars in a row may be the same as those a period before, by period.
    """

    def __init__(self, most: tuple[int, ...]) -> None:
        self._most = most
        self._runs = [0] * len(PERIODS)
        self._bars: deque[list[int]] = deque(maxlen=PERIODS[-1])
        self._bar: list[int] = []

    def line(self) -> None:
        """Take note that a bar is over."""
        for place, period in enumerate(PERIODS):
            again = len(self._bars) >= period and self._bars[-period] == self._bar
            self._runs[place] = self._runs[place] + 1 if again else 0
        self._bars.append(self._bar)
        self._bar = []

    def push(self, token: int) -> None:
        """Take note of a token within a bar."""
        self._bar.append(token)

    def too_often(self) -> list[int]:
        """Return the tokens that would begin to repeat a bar that has come often enough."""
        return [
            self._bars[-period][len(self._bar)]
            for period, run, most in zip(PERIODS, self._runs, self._most, strict=True)
            if run >= most
            and len(self._bar) < len(self._bars[-period])
            and self._bars[-period][: len(self._bar)] == self._bar
        ]
