"""Limits on repeated bars in `multitrack`: a new piece must not get stuck in a loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from seqgen.compiling import compiled
from seqgen.following import NOTHING
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


#: Numbers that follow the bars of a new piece: of the tokens of the last bars, where each of the
#: last four bars and the present one begins, or -1, and by period the repeated bars in a row, and
#: whether the present bar has been the same so far.
COUNT, STARTS, PRESENT, RUNS = 0, 1, 1 + PERIODS[-1], 2 + PERIODS[-1]
SAME = RUNS + len(PERIODS)
FIELDS = SAME + len(PERIODS)


@compiled
def begin(bars: Ids) -> None:
    """Set the numbers before the first token."""
    bars[:] = 0
    bars[STARTS:PRESENT] = -1
    bars[SAME:FIELDS] = 1


@compiled
def _before(bars: Ids, period: int) -> tuple[int, int]:
    """Return where the bar one period ago begins, or -1, and how many tokens it has."""
    start = bars[PRESENT - period]
    return start, bars[PRESENT - period + 1] - start


@compiled
def line(bars: Ids) -> None:
    """End a bar."""
    length = bars[COUNT] - bars[PRESENT]
    for number in range(len(PERIODS)):
        start, size = _before(bars, PERIODS[number])
        again = start >= 0 and bars[SAME + number] and size == length
        bars[RUNS + number] = bars[RUNS + number] + 1 if again else 0
    for bar in range(STARTS, PRESENT):
        bars[bar] = bars[bar + 1]
    bars[PRESENT] = bars[COUNT]
    bars[SAME:FIELDS] = 1


@compiled
def push(bars: Ids, history: Ids, token: int) -> None:
    """Add a token of the present bar to the tokens of the last bars."""
    place = bars[COUNT] - bars[PRESENT]
    for number in range(len(PERIODS)):
        start, size = _before(bars, PERIODS[number])
        if start >= 0 and (place >= size or history[start + place] != token):
            bars[SAME + number] = 0
    history[bars[COUNT]] = token
    bars[COUNT] += 1


@compiled
def too_often(bars: Ids, history: Ids, number: int, most: int) -> int:
    """Return the token that would repeat a bar more often in a row, or `NOTHING`.

    `number` is that of a period.
    """
    (start, size), place = _before(bars, PERIODS[number]), bars[COUNT] - bars[PRESENT]
    if start < 0 or bars[RUNS + number] < most or not bars[SAME + number] or place >= size:
        return NOTHING
    return int(history[start + place])


@compiled
def shorten(bars: Ids, history: Ids) -> None:
    """Drop the tokens before the last bars."""
    first = bars[PRESENT]
    for bar in range(STARTS, PRESENT):
        if 0 <= bars[bar] < first:
            first = bars[bar]
    for place in range(first, bars[COUNT]):
        history[place - first] = history[place]
    bars[COUNT] -= first
    for bar in range(STARTS, PRESENT + 1):
        if bars[bar] >= 0:
            bars[bar] -= first
