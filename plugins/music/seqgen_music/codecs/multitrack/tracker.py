"""The tracker of the codec `multitrack`: the grammar, and what new pieces must contain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.header import Wanted
from seqgen_music.codecs.multitrack.features import header_features
from seqgen_music.codecs.multitrack.grammar import (
    BAR,
    DRUM,
    DURATION,
    EMPTY,
    HERE,
    INSTRUMENT,
    LAST_KIND,
    LINES,
    LOUDNESS,
    METRE,
    NAMED,
    NOW_METRE,
    NOW_PROGRAM,
    NOW_TEMPO,
    PITCH,
    PLACE,
    PLAYS,
    POSITION,
    PROGRAM,
    TEMPO,
    MultitrackGrammar,
)
from seqgen_music.codecs.multitrack.harmony import SoundingPitches
from seqgen_music.codecs.multitrack.layout import MultitrackLayout
from seqgen_music.codecs.multitrack.memory import TokenMemory
from seqgen_music.codecs.multitrack.repeats import Repeats


@dataclass(frozen=True)
class MultitrackRequest:
    """What a new piece must contain.

    Attributes
    ----------
    header : mapping
        Numbers of its fields. The tempo holds throughout, and no other instruments play.
    metre : int, optional
        Its number in the table.
    bars : int, optional
    """

    header: Wanted = field(default_factory=dict)
    metre: int | None = None
    bars: int | None = None


class MultitrackTracker:
    """Knows the features, and which token may come next.

    Numbers are those within a kind plus one, as in the features; 0 means none.

    Parameters
    ----------
    layout : MultitrackLayout
    request : MultitrackRequest
    runs : tuple of int
        Most repeated bars in a row, as in `Repeats`.
    """

    def __init__(
        self, layout: MultitrackLayout, request: MultitrackRequest, runs: tuple[int, ...]
    ) -> None:
        self._layout, self._table, self._request = layout, layout.table, request
        self._masks = [layout.table.mask(kind) for kind in layout.table.kinds]
        self._kinds, self._numbers = layout.table.kind_of.tolist(), layout.table.number_of.tolist()
        self._requested = self._requested_mask()
        self._grammar = MultitrackGrammar(layout, request.header)
        self._grammar.players[1:, PLAYS] = self._requested[self._masks[PROGRAM]]
        self._last = len(layout.table)
        #: Numbers of the header's instruments.
        self._named: list[int] = []
        # First step of the bar, and its length.
        self._bar = self._length = 0
        self._sounding, self._memory = SoundingPitches(), TokenMemory()
        self._repeats = Repeats(runs)
        self._sounds: dict[int, int] = {}
        self._seen: dict[tuple[int, int, int, int], int] = {}

    def features(self) -> Sequence[int]:
        """Return the row of `MultitrackCodec.features` for the next position."""
        state, sizes = self._grammar.now, self._layout.feature_sizes
        phrase, bar = divmod(max(state[LINES] - 1, 0), sizes[1])
        program = state[NOW_PROGRAM]
        header = self._grammar.header.features()
        return (
            *(state[PLACE], bar, min(phrase, sizes[2] - 1), state[NOW_METRE], program),
            int(self._grammar.players[program, LOUDNESS]),
            self._sounds.get(program, 0),
            self._seen.get(self._context(), 0),
            *header_features(*header[:3]),
            self._following(),
            *self._sounding.features(self._step()),
            *self._memory.expected,
        )

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token: the grammar's, within the request and the limits."""
        mask = self._grammar.mask()
        kind = self._grammar.now[LAST_KIND]
        if self._grammar.header.is_open:
            return mask
        if kind == POSITION and self._is_due(self._tempo, NOW_TEMPO):
            mask &= self._masks[TEMPO]
        elif kind in (BAR, METRE, DRUM, DURATION):
            self._restrict_bars(mask)
        return self._without_loops(mask & self._requested)

    def _without_loops(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Forbid sounds that would repeat a bar beyond the limits, if others are allowed."""
        looping = [
            token for token in self._repeats.too_often() if self._kinds[token] in (PITCH, DRUM)
        ]
        if not looping:
            return mask
        different = mask.copy()
        different[looping] = False
        return different if different.any() else mask

    def forced(self) -> int | None:
        """Return None: `allowed` already leaves only what a request forces."""
        return None

    def push(self, token: int) -> None:
        """Update the state with a token."""
        kind, number = self._kinds[token], self._numbers[token] + 1
        self._seen[self._context()] = token + 1
        self._memory.push(token)
        if kind in (BAR, METRE):
            self._repeats.line()
        else:
            self._repeats.push(token)
        self._grammar.push(token, kind, number - 1)
        state, self._last = self._grammar.now, token
        if kind == INSTRUMENT:
            self._named = np.flatnonzero(self._grammar.players[:, NAMED]).tolist()
        elif kind in (BAR, METRE):
            self._bar += self._length
            self._length = self._layout.bars[max(state[NOW_METRE] - 1, 0)]
        elif kind == TEMPO and not state[LINES] and self._grammar.header.missing("instrument"):
            # A prompt's header lacks a requested instrument: the requested ones play.
            self._grammar.players[1:, PLAYS] = self._requested[self._masks[PROGRAM]]
        elif kind in (PITCH, DRUM):
            self._sounds[state[NOW_PROGRAM]] = state[HERE]
            if kind == PITCH:
                self._sounding.begin(number - 1, self._step())
        elif kind == DURATION:
            self._sounding.last(self._step() + self._layout.learned.durations[number - 1])

    def _following(self) -> int:
        """Return the next instrument of the header after the present one, or 0."""
        present = self._grammar.now[NOW_PROGRAM]
        return next((program for program in self._named if program > present), 0)

    def _step(self) -> int:
        return self._bar + max(self._grammar.now[PLACE] - 1, 0)

    def _context(self) -> tuple[int, int, int, int]:
        state = self._grammar.now
        return state[PLACE], state[NOW_PROGRAM], state[HERE], self._last

    def _requested_mask(self) -> NDArray[np.bool_]:
        """Return the mask of ids that the request allows after the header."""
        mask = np.ones(len(self._table) + 1, bool)
        for kind, number in ((TEMPO, self._tempo), (METRE, self._request.metre)):
            if number is not None:
                mask &= ~self._masks[kind]
                mask[self._table.start(self._table.kinds[kind]) + number] = True
        if instruments := self._request.header.get("instrument"):
            playing = frozenset.union(*instruments)
            programs = range(len(self._layout.learned.programs))
            mask[self._masks[PROGRAM]] = [number in playing for number in programs]
        return mask

    @property
    def _tempo(self) -> int | None:
        """The number of the requested tempo."""
        tempos = self._request.header.get("tempo")
        return min(tempos[0]) if tempos else None

    def _restrict_bars(self, mask: NDArray[np.bool_]) -> None:
        """Leave only the requested number of bars, and their metre."""
        state, bars = self._grammar.now, self._request.bars
        if bars is not None and state[LINES] > bars and state[LAST_KIND] in (BAR, METRE):
            mask[:-1], mask[-1] = False, True
        elif bars is not None and state[LINES] >= bars:
            # The piece ends at this bar line if the model chooses it.
            mask[self._masks[METRE]] = False
            if state[EMPTY]:
                mask[self._masks[BAR]] = False
        else:
            mask[-1] &= bars is None
            if self._is_due(self._request.metre, NOW_METRE):
                mask[self._masks[BAR]] = False

    def _is_due(self, number: int | None, field: int) -> bool:
        """Return whether a prompt's value differs from the requested one."""
        return number is not None and self._grammar.now[field] != number + 1
