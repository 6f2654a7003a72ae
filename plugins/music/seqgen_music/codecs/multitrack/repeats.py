"""Limits on repeated bars in `multitrack`: a new piece must not get stuck in a loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np

from seqgen.plugin import Ids
from seqgen_music.codecs.limits import upper_limit

#: Bars between a bar and its repeat.
PERIODS = (1, 2, 4)


#: Limits that forbid nothing, by period.
UNLIMITED = (2**62,) * len(PERIODS)


def longest_runs(starts: Ids, step: Ids, sound: Ids) -> tuple[int, ...]:
    """Return the most bars in a row that equal the bar one period before, by `PERIODS`.

    The last of them only needs to begin in the same way, since the tracker forbids that beginning.
    Bars are equal if their notes have the same steps and pitches.

    Parameters
    ----------
    starts : int64 array (bars,)
        First step of each bar.
    step, sound : int64 array (notes,)
        Step and token of each note.
    """
    first = np.searchsorted(step, starts)[1:]
    bars = [
        list(zip((steps - start).tolist(), sounds.tolist(), strict=True))
        for start, steps, sounds in zip(
            starts.tolist(), np.split(step, first), np.split(sound, first), strict=True
        )
    ]
    return tuple(_longest_run(bars, period) for period in PERIODS)


def limit_runs(longest: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the limits of pieces by period, at least one bar."""
    limits = tuple(max(upper_limit(runs), 1) for runs in zip(*longest, strict=True))
    return limits or UNLIMITED


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
