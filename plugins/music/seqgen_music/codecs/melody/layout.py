"""The layout of a melody's tokens: the table, the header, and the meaning of each id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqgen.plugin import Ids
from seqgen_music.bars import Metre, bar_length
from seqgen_music.codecs.chorale.raster import REST
from seqgen_music.codecs.melody.line import HOLD
from seqgen_music.codecs.tokens import TokenTable

#: Quarters at which features stop counting the length of a note or a repeat.
LONGEST_LASTED = 8

#: Bars in a phrase, and the phrase at which features stop counting.
PHRASE, LAST_PHRASE = 4, 8

#: Bars ago at which the features look.
LOOK_BACK = (1, 2, 4, 8)

#: Tokens before the first event, and the ids of events; the pitches come last.
HEADER, REST_ID, HOLD_ID, FIRST_PITCH = 2, 0, 1, 2


class MelodyLayout:
    """Which ids there are, and what each means.

    Parameters
    ----------
    low, high : int
        Lowest and highest pitch of the corpus.
    metres : sequence of (int, int)
        Metres of the corpus. Ids without a metre have the first.
    steps : int
        Steps in a quarter.

    Attributes
    ----------
    table : TokenTable
    meaning : int64 array (V,)
        A pitch, `REST` or `HOLD` for each id.
    metre_of, upbeat_of : int64 array (V,)
        The number of the metre and the upbeat of each id; 0 if it has none.
    feature_values, feature_sizes : tuple
        As for a codec.
    longest_lasted, longest_look : int
        `LONGEST_LASTED` and the longest of `LOOK_BACK` in steps.
    """

    def __init__(self, low: int, high: int, metres: Sequence[Metre], steps: int) -> None:
        self.low, self.high, self.metres, self._steps = low, high, tuple(metres), steps
        longest_bar = max(map(self.bar, self.metres))
        pitches = range(low, high + 1)
        self.table = TokenTable(
            {
                "rest": (None,),
                "hold": (None,),
                "pitch": pitches,
                "metre": self.metres,
                "upbeat": range(longest_bar),
            }
        )
        self.meaning = np.full(len(self.table), REST)
        self.meaning[HOLD_ID] = HOLD
        self.meaning[FIRST_PITCH : FIRST_PITCH + len(pitches)] = pitches
        self.metre_of, self.upbeat_of = self.table.numbers("metre"), self.table.numbers("upbeat")
        self.longest_lasted = LONGEST_LASTED * steps
        self.longest_look = max(LOOK_BACK) * longest_bar
        lasted, events = range(self.longest_lasted + 1), (None, "rest", "hold", *pitches)
        self.feature_values: tuple[Sequence[Any], ...] = (
            *(range(HEADER + longest_bar), self.metres, range(PHRASE), range(LAST_PHRASE + 1)),
            *(range(2 * self.longest_lasted + 1), (None, *pitches), (None, *pitches)),
            *(events, lasted) * len(LOOK_BACK),
        )
        self.feature_sizes = tuple(map(len, self.feature_values))

    def bar(self, metre: Metre) -> int:
        """Return the steps in a bar."""
        return bar_length(metre, self._steps)

    def read_header(self, ids: Ids) -> tuple[Metre, int]:
        """Return metre and upbeat of any ids; by default the first metre, and no upbeat."""
        metre = self.metres[self.metre_of[ids[0]]] if len(ids) else self.metres[0]
        upbeat = int(self.upbeat_of[ids[1]]) if len(ids) > 1 else 0
        return metre, upbeat % self.bar(metre)

    def ids_of(self, events: Ids) -> Ids:
        """Return the ids of events ``(N,)``."""
        ids = np.where(events == HOLD, HOLD_ID, REST_ID)
        return np.where(events >= 0, events - self.low + FIRST_PITCH, ids)
