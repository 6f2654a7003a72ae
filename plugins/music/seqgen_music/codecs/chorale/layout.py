"""The layout of a chorale's tokens: the table, the header, and the meaning of each id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqgen.plugin import Ids
from seqgen_music.bars import Metre, bar_length
from seqgen_music.codecs.chorale.raster import REST, STEPS, VOICES
from seqgen_music.codecs.tokens import TokenTable

#: Features stop counting at these: the steps for which a voice has held its note, the bar, the
#: steps to the end of the phrase, and the phrases that follow.
LONGEST_LASTED, LAST_BAR, MOST_LEFT, MOST_FOLLOWING = 31, 8, 48, 8

#: Most phrases of a plan, and most steps of one. Pieces with more have no plan.
MOST_PHRASES, LONGEST_PHRASE = 32, 32 * STEPS

#: Number of voices, and the intervals in semitones (octaves apart) that must not run in parallel.
PARTS, PERFECT = len(VOICES), (0, 7)

#: What the tokens before the first cell say in the form held; the last one may come often.
HEADER_SLOTS = ("metre", "upbeat", "plan")

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
        Whether repeated notes differ from held ones, and metres and plans are known.
    phrases : sequence of int
        Lengths of the corpus's phrases in steps, rising.

    Attributes
    ----------
    table : TokenTable
    meaning : int64 array (V,)
        A pitch, `REST`, `HOLD` or `NO_CELL` for each id.
    metre_of, upbeat_of : int64 array (V,)
        The number of the metre and the upbeat of each id; 0 if it has none.
    phrase_of : int64 array (V,)
        The steps of the phrase that each id stands for; 0 if it stands for none.
    feature_values, feature_sizes : tuple
        As for a codec.
    """

    def __init__(
        self, low: int, high: int, metres: Sequence[Metre], held: bool, phrases: Sequence[int] = ()
    ) -> None:
        self.low, self.high, self.metres, self.held = low, high, tuple(metres), held
        self.phrases = tuple(phrases) if held else ()
        longest_bar = max(map(self.bar, self.metres))
        pitches = range(self.low, self.high + 1)
        kinds: dict[str, Sequence[Any]] = {"rest": (None,), "pitch": pitches}
        if held:
            kinds |= {"hold": (None,), "phrase": self.phrases, "plan end": (None,)}
            kinds |= {"metre": self.metres, "upbeat": range(longest_bar)}
        self.table = TokenTable(kinds, bare=("pitch",))
        self.meaning = np.full(len(self.table), NO_CELL)
        self.meaning[self.table.id("rest")] = REST
        self.meaning[self.table.mask("pitch")[:-1]] = pitches
        if held:
            self.meaning[self.table.id("hold")] = HOLD
        self.metre_of, self.upbeat_of = self.table.numbers("metre"), self.table.numbers("upbeat")
        self.phrase_of = np.zeros(len(self.table), np.int64)
        if held:
            self.phrase_of[self.table.mask("phrase")[:-1]] = self.phrases
        slots = len(HEADER_SLOTS) * held + PARTS
        self.feature_values: tuple[Sequence[Any], ...] = (
            *map(range, (slots, longest_bar, LAST_BAR + 1, LONGEST_LASTED + 1)),
            *[(None, *pitches)] * (2 * PARTS - 1),
        )
        if held:
            self.feature_values += (range(MOST_LEFT + 1), range(MOST_FOLLOWING + 1))
        self.feature_sizes = tuple(map(len, self.feature_values))

    @staticmethod
    def bar(metre: Metre) -> int:
        """Return the steps in a bar."""
        return bar_length(metre, STEPS)

    def read_header(self, ids: Ids) -> tuple[Metre, int]:
        """Return metre and upbeat of any ids; by default the first metre, and no upbeat."""
        metre, upbeat = self.metres[0], 0
        if self.held and len(ids):
            metre = self.metres[self.metre_of[ids[0]]]
        if self.held and len(ids) > 1:
            upbeat = int(self.upbeat_of[ids[1]])
        return metre, upbeat % self.bar(metre)

    def read_plan(self, ids: Ids) -> Ids:
        """Return the steps at which phrases of any ids end, rising ``(P,)``; none if unknown."""
        if not self.held:
            return ids[:0]
        lengths = self.phrase_of[ids[2 : 2 + MOST_PHRASES]]
        ended = np.append(lengths, 0) == 0
        return np.cumsum(lengths[: ended.argmax()])

    def header_size(self, ids: Ids) -> int:
        """Return the number of ids before the first cell: metre, upbeat, plan and its end."""
        return min(3 + len(self.read_plan(ids)), len(ids)) if self.held else 0

    def plan(self, ends: Sequence[int]) -> list[int]:
        """Return the ids of a plan and its end.

        The plan is empty, which means unknown, if a phrase is as long as none of the corpus, or
        if there are too many.

        Parameters
        ----------
        ends : sequence of int
            The steps at which phrases end, rising.
        """
        lengths = np.diff(ends, prepend=0).tolist() if len(ends) else []
        if len(lengths) > MOST_PHRASES or not all(map(self.has_phrase, lengths)):
            lengths = []
        return [*(self.table.id("phrase", each) for each in lengths), self.table.id("plan end")]

    def has_phrase(self, steps: int) -> bool:
        """Return whether the corpus had a phrase of this length."""
        return self.table.has("phrase", steps)
