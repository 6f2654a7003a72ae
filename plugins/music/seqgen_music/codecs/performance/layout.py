"""The layout of a performance's tokens: the table, the units of time and velocity, and spans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqgen.plugin import Ids
from seqgen_music.codecs.lengths import LENGTHS, NO_LENGTHS, SIZES, class_of
from seqgen_music.codecs.performance.memory import FARTHEST, LATEST, LONGEST_RUN
from seqgen_music.codecs.performance.notes import BINS, STEPS
from seqgen_music.codecs.tokens import TokenTable

#: Steps in the longest shift.
LONGEST_SHIFT = STEPS

#: The bin of velocity before the first velocity token.
DEFAULT_BIN = 20

#: Lower ends in steps of the classes into which features sort spans of time.
SPANS = np.array([1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 85, 113, 150, 200, 300, 500])

#: The number of sounding notes at which features stop counting.
MOST_SOUNDING = 15

#: Kinds of the last token, as a feature: `BEGIN` stands before the first token.
BEGIN, ON, OFF, VELOCITY, SHIFT, FULL_SHIFT, PLAN = range(7)


class PerformanceLayout:
    """Which ids there are, and what each means.

    Parameters
    ----------
    low, high : int
        Lowest and highest pitch of the corpus.
    lengths : (int, int)
        First and last class of the seconds of its pieces, as in `seqgen_music.codecs.lengths`.

    Attributes
    ----------
    table : TokenTable
    kind_of : int64 array (V,)
        The kind of each id, from `ON` to `PLAN`.
    number_of : int64 array (V,)
        The number of each id within its kind in the table.
    starts : int64 array (5,)
        The first id of each kind from `ON` to `SHIFT`, and of `PLAN`.
    feature_values, feature_sizes : tuple
        As for a codec.
    """

    def __init__(self, low: int, high: int, lengths: tuple[int, int] = NO_LENGTHS) -> None:
        self.low, self.high, self.lengths = low, high, lengths
        pitches = range(low, high + 1)
        self.table = TokenTable(
            {
                "note on": pitches,
                "note off": pitches,
                "velocity": range(1, BINS + 1),
                "shift": range(1, LONGEST_SHIFT + 1),
                "seconds": LENGTHS[lengths[0] : lengths[1] + 1],
            }
        )
        kinds = ("note on", "note off", "velocity", "shift", "seconds")
        self.kind_of = np.array([ON, OFF, VELOCITY, SHIFT, PLAN])[self.table.kind_of]
        self.kind_of[self.table.id("shift", LONGEST_SHIFT)] = FULL_SHIFT
        self.number_of = self.table.number_of
        self.starts = np.array([self.table.start(kind) for kind in kinds])
        pitch, span, due = (None, *pitches), range(len(SPANS) + 1), range(LATEST + FARTHEST + 2)
        self.feature_values: tuple[Sequence[Any], ...] = (
            *(range(PLAN + 1), span, span, range(MOST_SOUNDING + 1), range(BINS + 1)),
            *(pitch, pitch, pitch, span),
            *(pitch, due, range(BINS + 1), range(LONGEST_RUN + 1), pitch, due),
            *map(range, SIZES),
        )
        self.feature_sizes = tuple(map(len, self.feature_values))

    def shifts(self, ids: Ids) -> Ids:
        """Return the steps of time that each id adds ``(N,)``."""
        is_shift = (self.kind_of[ids] == SHIFT) | (self.kind_of[ids] == FULL_SHIFT)
        return np.where(is_shift, self.number_of[ids] + 1, 0)

    def seconds(self, ids: Ids) -> int:
        """Return the length of a piece in seconds, rounded up; 1 for none."""
        return max(-(-int(self.shifts(ids).sum()) // STEPS), 1)

    def planned(self, ids: Ids) -> Ids:
        """Return a piece with its seconds before it, if the corpus had their class."""
        number = class_of(self.seconds(ids)) - self.lengths[0]
        if not 0 <= number <= self.lengths[1] - self.lengths[0]:
            return ids
        return np.insert(ids, 0, self.starts[4] + number)

    def bins(self, ids: Ids) -> Ids:
        """Return the bin of velocity after each id ``(N,)``; 0 before the first velocity."""
        last = np.where(self.kind_of[ids] == VELOCITY, np.arange(1, len(ids) + 1), 0)
        bins = np.append(0, self.number_of[ids] + 1)
        return bins[np.maximum.accumulate(last)]
