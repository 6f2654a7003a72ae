"""The grammar of a performance: compiled functions for `masks` and for the tracker.

A state is a row of FIELDS numbers. The sounding notes are rows of start and pitch beside it, in the
order of their starts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.grammar import packed_in_parts
from seqgen.plugin import Ids
from seqgen_music.codecs.performance.layout import (
    BEGIN,
    LONGEST_SHIFT,
    OFF,
    ON,
    PLAN,
    SHIFT,
    VELOCITY,
    PerformanceLayout,
)
from seqgen_music.codecs.performance.notes import LONGEST_SOUND

#: Fields of a state: the step; the kind of the last token; the bin of velocity, or 0; the number of
#: sounding notes; the step of the last end; and at this step the start and the pitch of the note
#: that ended last, and the pitch that began last, or -1.
TIME, KIND, BIN, SOUNDING, SILENT_SINCE, ENDED_START, ENDED_PITCH, BEGUN, FIELDS = range(9)

#: Columns of sounding notes; others may follow.
START, PITCH = range(2)

#: Sounding notes for which a new grammar has room.
ROOM = 16

Mask = NDArray[np.bool_]


@compiled
def push(state: Ids, notes: Ids, kind: int, number: int) -> None:
    """Apply a token to a state; `notes` must have room for one more note."""
    state[KIND] = kind
    if kind == ON:
        notes[state[SOUNDING], START], notes[state[SOUNDING], PITCH] = state[TIME], number
        state[SOUNDING] += 1
        state[BEGUN] = number
    elif kind == OFF:
        _end(state, notes, number)
    elif kind == VELOCITY:
        state[BIN] = number + 1
    elif kind != PLAN:
        state[TIME] += number + 1
        state[ENDED_START] = state[ENDED_PITCH] = state[BEGUN] = -1


@compiled
def _end(state: Ids, notes: Ids, pitch: int) -> None:
    """End the earliest sounding note of a pitch, if any."""
    for note in range(state[SOUNDING]):
        if notes[note, PITCH] == pitch:
            state[ENDED_START], state[ENDED_PITCH] = notes[note, START], pitch
            state[SILENT_SINCE] = state[TIME]
            state[SOUNDING] -= 1
            for later in range(note, state[SOUNDING]):
                for column in range(notes.shape[1]):
                    notes[later, column] = notes[later + 1, column]
            return


@compiled
def allow(state: Ids, notes: Ids, starts: Ids, mask: Mask) -> None:
    """Set the ids that may come next in an empty mask ``(V + 1,)``.

    `starts` has the first id of each kind from `ON` to `SHIFT`, and of `PLAN`.
    """
    sounding = notes[: state[SOUNDING]]
    begins, ends = mask[starts[0] : starts[1]], mask[starts[1] : starts[2]]
    since = sounding[0, START] if len(sounding) else state[SILENT_SINCE]
    left = max(since + LONGEST_SOUND - state[TIME], 0)
    if len(sounding) and not left:
        pitch = sounding[0, PITCH]
        for note in range(1, len(sounding)):
            if sounding[note, START] == since:
                pitch = min(pitch, sounding[note, PITCH])
        ends[pitch] = True
        return
    begins[state[BEGUN] + 1 :] = True
    for note in range(len(sounding)):
        begins[sounding[note, PITCH]] = False
    if state[KIND] != VELOCITY:
        _allow_others(state, sounding, starts, left, mask)
    if state[KIND] == BEGIN:
        mask[starts[4] : -1] = True
    if not mask.any():  # ids out of place, such as a velocity after the highest pitch
        mask[:] = True


@compiled
def _allow_others(state: Ids, sounding: Ids, starts: Ids, left: int, mask: Mask) -> None:
    """Set velocities, ends, shifts and END; no note begins before the first velocity."""
    begins, ends = mask[starts[0] : starts[1]], mask[starts[1] : starts[2]]
    louder, shifts = mask[starts[2] : starts[3]], mask[starts[3] : starts[4]]
    louder[:] = begins.any()
    if state[BIN]:
        louder[state[BIN] - 1] = False
    else:
        begins[:] = False
    if state[BEGUN] < 0:
        for note in range(len(sounding)):
            start, pitch = sounding[note, START], sounding[note, PITCH]
            if (start, pitch) > (state[ENDED_START], state[ENDED_PITCH]):
                ends[pitch] = True
    if state[KIND] != SHIFT:
        shifts[: min(left, LONGEST_SHIFT)] = True
    mask[-1] = state[KIND] == OFF and not len(sounding)


@compiled
def _follow(kinds: Ids, numbers: Ids, state: Ids, notes: Ids, starts: Ids, rows: Mask) -> None:
    """Set the ids that may come before each token, and after the last, in ``(N + 1, V + 1)``."""
    allow(state, notes, starts, rows[0])
    for position in range(len(kinds)):
        push(state, notes, kinds[position], numbers[position])
        allow(state, notes, starts, rows[position + 1])


def new_state() -> Ids:
    """Return the state before the first token ``(FIELDS,)``."""
    state = np.zeros(FIELDS, np.int64)
    state[[ENDED_START, ENDED_PITCH, BEGUN]] = -1
    return state


class PerformanceGrammar:
    """Which ids may come in pieces.

    After ids out of place that leave nothing to come, any id may.

    Parameters
    ----------
    layout : PerformanceLayout
    """

    def __init__(self, layout: PerformanceLayout) -> None:
        self._layout, self._state = layout, new_state()
        self._notes = np.zeros((ROOM, 2), np.int64)

    def masks(self, ids: Ids) -> NDArray[np.uint8]:
        """Return `Codec.masks` of ids ``(N,)`` that follow, packed; the state moves along."""
        return packed_in_parts(ids, len(self._layout.table) + 1, self._follow)

    def _follow(self, ids: Ids, rows: Mask) -> None:
        kinds, numbers = self._layout.kind_of[ids], self._layout.number_of[ids]
        room = np.zeros((int((kinds == ON).sum()) + ROOM, 2), np.int64)
        self._notes = np.concatenate([self._notes[: self._state[SOUNDING]], room])
        _follow(kinds, numbers, self._state, self._notes, self._layout.starts, rows)
