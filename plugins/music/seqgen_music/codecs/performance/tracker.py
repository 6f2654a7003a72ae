"""The tracker of the codec `performance`: the grammar, and limits for new pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqgen_music.codecs.performance.grammar import (
    BIN,
    KIND,
    SOUNDING,
    TIME,
    PerformanceGrammar,
)
from seqgen_music.codecs.performance.layout import (
    DEFAULT_BIN,
    MOST_SOUNDING,
    OFF,
    ON,
    VELOCITY,
    PerformanceLayout,
    span_number,
)
from seqgen_music.codecs.performance.loops import Limits, Loops
from seqgen_music.codecs.performance.memory import MotiveMemory
from seqgen_music.codecs.performance.notes import STEPS


class PerformanceTracker:
    """Knows the features, and what may come next.

    Parameters
    ----------
    layout : PerformanceLayout
    limits : Limits
    seconds : float, optional
        No note begins after this time, and the piece does not end before it.
    """

    def __init__(
        self, layout: PerformanceLayout, limits: Limits, seconds: float | None = None
    ) -> None:
        self._layout, self._shortest = layout, limits.shortest
        self._limit = None if seconds is None else seconds * STEPS
        self._kinds, self._numbers = layout.kind_of.tolist(), layout.number_of.tolist()
        self._grammar = PerformanceGrammar(layout)
        self._moments, self._pitches = (0, 0), (0, 0)
        self._memory = MotiveMemory()
        self._loops, self._notes = Loops(limits), 0

    def features(self) -> Sequence[int]:
        """Return the row of `PerformanceCodec.features` for the next position."""
        state, oldest = self._grammar.now, (0, 0)
        time = state[TIME]
        if state[SOUNDING]:
            start, pitch = self._grammar.notes[0].tolist()
            oldest = (pitch + 1, int(span_number(time - start)))
        return (
            *(state[KIND], int(span_number(time - self._moments[1]))),
            int(span_number(self._moments[1] - self._moments[0])),
            *(min(state[SOUNDING], MOST_SOUNDING), state[BIN], *self._pitches[::-1], *oldest),
            *self._memory.features(time),
        )

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token: the grammar's without what the limits forbid.

        If a loop reaches the limits, another pitch comes next. A piece has at least
        `Limits.shortest` notes, or lasts as long as requested.
        """
        mask, table = self._grammar.mask(), self._layout.table
        begins = mask[table.start("note on") : table.start("note off")]
        # After a velocity, a note must follow.
        if self._is_over() and self._grammar.now[KIND] != VELOCITY:
            begins[:] = False
            mask[table.start("velocity") : table.start("shift")] = False
        elif begins.any():
            fresh = begins.copy()
            fresh[self._loops.worn()] = False
            if fresh.any():
                begins[:] = fresh
        mask[-1] &= not self._is_early()
        return mask

    def forced(self) -> int | None:
        """Force END after the requested time, once nothing sounds."""
        is_last = self._is_over() and not self._grammar.now[SOUNDING]
        return len(self._layout.table) if is_last else None

    def push(self, token: int) -> None:
        """Update the state with a token."""
        kind, pitch = self._kinds[token], self._numbers[token]
        self._grammar.push(kind, pitch)
        if kind == ON:
            self._begin(pitch)
        elif kind == OFF:
            self._memory.end(self._time(), pitch + 1)

    def _begin(self, pitch: int) -> None:
        time = self._time()
        self._loops.push(pitch)
        self._notes += 1
        self._memory.begin(time, pitch + 1, self._grammar.now[BIN] or DEFAULT_BIN)
        self._pitches = (self._pitches[1], pitch + 1)
        if time != self._moments[1]:
            self._moments = (self._moments[1], time)

    def _time(self) -> int:
        return self._grammar.now[TIME]

    def _is_early(self) -> bool:
        """Return whether the piece would be shorter than requested, or than all of the corpus."""
        if self._limit is None:
            return self._notes < self._shortest
        return not self._is_over()

    def _is_over(self) -> bool:
        return self._limit is not None and self._time() >= self._limit
