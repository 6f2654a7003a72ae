"""The layout of a chorale's tokens: the table, the header, and the meaning of each id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqgen.plugin import Ids
from seqgen_music.bars import Metre, bar_length
from seqgen_music.codecs.chorale.raster import REST, STEPS, VOICES
from seqgen_music.codecs.tokens import TokenTable

#: Features stop counting at these: the steps for which a voice has held its note, and the bar.
LONGEST_LASTED, LAST_BAR = 31, 8

#: Number of voices, and the intervals in semitones (octaves apart) that must not run in parallel.
PARTS, PERFECT = len(VOICES), (0, 7)

#: What a token means in a cell, besides pitches and `REST`.
HOLD, NO_CELL = -2, -3


class ChoraleLayout:
    """Which ids there are, and what each means.

    Parameters
    ----------
    low, high : int
        Lowest and highest pitch of the corpus.
    metres : sequence of (int, int)
        Metres of the corpus. Ids without a metre have the first.
    held : bool
        Whether repeated notes differ from held ones, and metres are known.

    Attributes
    ----------
    table : TokenTable
    header : int
        Number of tokens before the first cell.
    meaning : int64 array (V,)
        A pitch, `REST`, `HOLD` or `NO_CELL` for each id.
    metre_of, upbeat_of : int64 array (V,)
        The number of the metre and the upbeat of each id; 0 if it has none.
    feature_values, feature_sizes : tuple
        As for a codec.
    """

    def __init__(self, low: int, high: int, metres: Sequence[Metre], held: bool) -> None:
        self.low, self.high, self.metres, self.held = low, high, tuple(metres), held
        self.header = 2 if held else 0
        longest_bar = max(map(self.bar, self.metres))
        pitches = range(self.low, self.high + 1)
        kinds: dict[str, Sequence[Any]] = {"rest": (None,), "pitch": pitches}
        if held:
            kinds |= {"hold": (None,), "metre": self.metres, "upbeat": range(longest_bar)}
        self.table = TokenTable(kinds, bare=("pitch",))
        self.meaning = np.full(len(self.table), NO_CELL)
        self.meaning[self.table.id("rest")] = REST
        self.meaning[self.table.mask("pitch")[:-1]] = pitches
        if held:
            self.meaning[self.table.id("hold")] = HOLD
        self.metre_of, self.upbeat_of = self.table.numbers("metre"), self.table.numbers("upbeat")
        self.feature_values: tuple[Sequence[Any], ...] = (
            *map(range, (self.header + PARTS, longest_bar, LAST_BAR + 1, LONGEST_LASTED + 1)),
            *[(None, *pitches)] * (2 * PARTS - 1),
        )
        self.feature_sizes = tuple(map(len, self.feature_values))

    @staticmethod
    def bar(metre: Metre) -> int:
        """Return the steps in a bar."""
        return bar_length(metre, STEPS)

    def read_header(self, ids: Ids) -> tuple[Metre, int]:
        """Return metre and upbeat of any ids; by default the first metre, and no upbeat."""
        metre, upbeat = self.metres[0], 0
        if self.header and len(ids):
            metre = self.metres[self.metre_of[ids[0]]]
        if self.header and len(ids) > 1:
            upbeat = int(self.upbeat_of[ids[1]])
        return metre, upbeat % self.bar(metre)
