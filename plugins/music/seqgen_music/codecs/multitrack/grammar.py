"""The grammar of a multitrack piece: compiled functions for `masks` and for the tracker.

A state is a row of FIELDS numbers, and beside it a row for each instrument.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled, copy
from seqgen.grammar import packed, packed_in_parts
from seqgen.plugin import Ids
from seqgen_music.codecs.multitrack import chording
from seqgen_music.codecs.multitrack.grid import DRUMS
from seqgen_music.codecs.multitrack.layout import MultitrackLayout
from seqgen_music.codecs.multitrack.score import EMPTY_BARS

#: Kinds of tokens in the order of the table. `BEGIN` stands before the first token.
KEY, DENSITY, INSTRUMENT, TEMPO, METRE, BAR = range(6)
POSITION, PROGRAM, VELOCITY, PITCH, DRUM, DURATION, THINNED, PLAN, CHORD, BEGIN = range(6, 16)

#: Fields of a state: kind of the last token; bars begun; the present values, as numbers within
#: their kind plus one, 0 for none; bars without a note, including the present one; whether any note
#: has begun. PLACE is the position. HERE is the last sound at this position, and FLOOR that of the
#: present instrument; drums follow pitches. Then come the numbers of `chording`.
LAST_KIND, LINES, NOW_METRE, NOW_TEMPO, NOW_PROGRAM = range(5)
PLACE, HERE, FLOOR, EMPTY, BEGUN, CHORDS = range(5, 11)
FIELDS = CHORDS + chording.FIELDS

#: Columns of an instrument: whether the header has it, whether it may play, and its velocity.
NAMED, PLAYS, LOUDNESS = range(3)

Mask = NDArray[np.bool_]


class GrammarTables(NamedTuple):
    """What compiled code looks up, as int64 arrays.

    Attributes
    ----------
    starts : array (BEGIN + 1,)
        First id of each kind; END is last.
    bars : array (metres,)
        Positions in a bar.
    sounds : array (programs,)
        DRUM or PITCH.
    halves : array (metres,)
        Steps in half a bar; 0 if it has one chord.
    """

    starts: Any
    bars: Any
    sounds: Any
    halves: Any


@compiled
def push(state: Ids, players: Ids, kind: int, number: int, sound: int) -> None:
    """Apply a token to a state; `sound` is its id above the one before the first pitch."""
    if kind == INSTRUMENT:
        players[number + 1, NAMED] = 1
    elif kind in (BAR, METRE):
        state[EMPTY] += 1
        state[LINES] += 1
        state[PLACE] = state[HERE] = state[FLOOR] = 0
        chording.line(state[CHORDS:FIELDS])
        if kind == METRE:
            state[NOW_METRE] = number + 1
    elif kind == POSITION:
        state[PLACE], state[HERE], state[FLOOR] = number + 1, 0, 0
    elif kind == TEMPO:
        state[NOW_TEMPO] = number + 1
        if not state[LINES]:
            _close_header(players)
    elif kind == PROGRAM:
        state[NOW_PROGRAM], state[FLOOR] = number + 1, 0
    elif kind == VELOCITY:
        players[state[NOW_PROGRAM], LOUDNESS] = number + 1
    elif kind in (PITCH, DRUM):
        state[HERE] = state[FLOOR] = sound
        state[EMPTY], state[BEGUN] = 0, 1
    elif kind == CHORD:
        chording.push(state[CHORDS:FIELDS], number)
    # After a chord comes what may come after a bar line.
    state[LAST_KIND] = BAR if kind == CHORD else kind


@compiled
def _close_header(players: Ids) -> None:
    """Let only instruments of the header play, unless some of them may not or there are none."""
    named, plays = players[:, NAMED], players[:, PLAYS]
    if named.any() and (named <= plays).all():
        copy(named, plays)


@compiled
def allow(state: Ids, players: Ids, tables: GrammarTables, mask: Mask) -> None:
    """Set the ids that may come after the header in an empty mask ``(V + 1,)``."""
    kind, starts = state[LAST_KIND], tables.starts
    if kind == TEMPO and not state[LINES]:
        mask[starts[METRE] : starts[BAR]] = True
    elif kind == PITCH:
        mask[starts[DURATION] : starts[THINNED]] = True
    elif kind in (PROGRAM, VELOCITY):
        _allow_note(state, players, tables, mask)
    else:
        if kind in (BAR, METRE, DRUM, DURATION):
            length = tables.bars[max(state[NOW_METRE] - 1, 0)]
            mask[starts[POSITION] + state[PLACE] : starts[POSITION] + length] = True
            if state[BEGUN] and state[EMPTY] <= EMPTY_BARS:
                mask[starts[BAR]] = True
                _allow_others(METRE, state[NOW_METRE], starts, mask)
        if kind == POSITION:
            _allow_others(TEMPO, state[NOW_TEMPO], starts, mask)
        if kind in (POSITION, TEMPO, DRUM, DURATION):
            _allow_programs(state, players, starts, mask)
            _allow_note(state, players, tables, mask)
        mask[-1] = kind in (DRUM, DURATION)
        if kind in (BAR, METRE):
            chords, half = state[CHORDS:FIELDS], _half(state, tables)
            chording.allow(chords, half, starts[CHORD], mask)
    if not mask.any():  # ids out of place, such as a second velocity after the highest pitch
        mask[:] = True


@compiled
def _half(state: Ids, tables: GrammarTables) -> int:
    """Return the steps in half of the present bar; 0 if it has one chord."""
    return int(tables.halves[max(state[NOW_METRE] - 1, 0)])


@compiled
def describe_chords(state: Ids, tables: GrammarTables, row: Ids) -> None:
    """Write `chording.describe` of a state into a row ``(2,)``; there is none without chords."""
    if len(row):
        chording.describe(state[CHORDS:FIELDS], state[PLACE], _half(state, tables), row)


@compiled
def demand_chords(state: Ids, wanted: Ids, shift: int, starts: Ids, mask: Mask) -> None:
    """Leave only requested chords of a bar in a mask, as `chording.demand` does."""
    chording.demand(state[CHORDS:FIELDS], wanted, shift, starts[CHORD], mask)


@compiled
def _allow_others(kind: int, number: int, starts: Ids, mask: Mask) -> None:
    """Set the values of a kind except the present one."""
    mask[starts[kind] : starts[kind + 1]] = True
    if number:
        mask[starts[kind] + number - 1] = False


@compiled
def _allow_programs(state: Ids, players: Ids, starts: Ids, mask: Mask) -> None:
    """Set the other instruments that play; after a note here only later ones."""
    present = state[NOW_PROGRAM]
    for program in range(present + 1 if state[HERE] else 1, len(players)):
        mask[starts[PROGRAM] + program - 1] = players[program, PLAYS] and program != present


@compiled
def _allow_note(state: Ids, players: Ids, tables: GrammarTables, mask: Mask) -> None:
    """Set higher sounds of the present instrument, and velocities."""
    program, kind, starts = state[NOW_PROGRAM], state[LAST_KIND], tables.starts
    # After its program or velocity a note may sound, even if the instrument may not play: it is a
    # prompt's.
    if not program or not (players[program, PLAYS] or kind in (PROGRAM, VELOCITY)):
        return
    sound = tables.sounds[program - 1]
    first = max(starts[sound], starts[PITCH] + state[FLOOR])
    if players[program, LOUDNESS]:
        mask[first : starts[sound + 1]] = True
    if kind != VELOCITY and first < starts[sound + 1]:
        _allow_others(VELOCITY, players[program, LOUDNESS], starts, mask)


@compiled
def _follow(
    kinds: Ids, numbers: Ids, state: Ids, players: Ids, tables: GrammarTables, rows: Mask
) -> None:
    """Set the ids that may come before each token, and after the last, in ``(N + 1, V + 1)``."""
    allow(state, players, tables, rows[0])
    for position in range(len(kinds)):
        kind, number = kinds[position], numbers[position]
        sound = tables.starts[kind] + number - tables.starts[PITCH] + 1
        push(state, players, kind, number, sound)
        allow(state, players, tables, rows[position + 1])


def tables_of(layout: MultitrackLayout) -> GrammarTables:
    """Return what compiled code looks up."""
    starts = [layout.table.start(kind) for kind in layout.table.kinds]
    sounds = np.where(layout.programs == DRUMS, DRUM, PITCH)
    ends, bars = np.array([*starts, len(layout.table)]), np.array(layout.bars)
    return GrammarTables(ends, bars, sounds, np.array(layout.halves))


class MultitrackGrammar:
    """Which ids may come in pieces.

    After ids out of place that leave nothing to come, any id may.

    Parameters
    ----------
    layout : MultitrackLayout
    """

    def __init__(self, layout: MultitrackLayout) -> None:
        self._header, self._table, self._tables = layout.header, layout.table, tables_of(layout)
        self._state = np.zeros(FIELDS, np.int64)
        self._state[LAST_KIND] = BEGIN
        self._players = np.zeros((len(layout.programs) + 1, 3), np.int64)
        self._players[:, PLAYS] = 1

    def masks(self, ids: Ids) -> NDArray[np.uint8]:
        """Return `Codec.masks` of ids ``(N,)``, packed."""
        masks = packed_in_parts(ids, len(self._table) + 1, self._follow)
        header = packed(self._header.masks(ids))
        masks[: len(header)] = header
        return masks

    def _follow(self, ids: Ids, rows: Mask) -> None:
        kinds, numbers = self._table.kind_of[ids], self._table.number_of[ids]
        _follow(kinds, numbers, self._state, self._players, self._tables, rows)
