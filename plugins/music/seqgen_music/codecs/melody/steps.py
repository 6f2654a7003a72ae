"""The state of a melody and what each token does to it: compiled functions.

One machine gives the features and masks of whole pieces and is the tracker of new ones. Its state
is a row of numbers: SIZE, then the last events. What does not change is a table
(`seqgen.following.flat`) that `MelodyGrammar.constants` makes and `_rules` reads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.following import NOTHING, fill, part
from seqgen.plugin import Ids
from seqgen_music.codecs.machine import Machine
from seqgen_music.codecs.melody.layout import (
    FIRST_PITCH,
    HEADER,
    HOLD_ID,
    LAST_PHRASE,
    LOOK_BACK,
    PHRASE,
    REST_ID,
)
from seqgen_music.codecs.melody.line import SILENT_BARS

#: Fields of a state: the number of tokens; of the header the number of the metre, and the upbeat;
#: whether a note sounds; for how long it or the silence has lasted; the last two pitches, the
#: latest first; for each of `LOOK_BACK`, for how long events have repeated. Then come the last
#: events, that of step n at n modulo their number.
PLACE, METRE, UPBEAT, SOUNDS, LASTED, PITCH, PITCH_BEFORE, REPEATED = range(8)
SIZE = REPEATED + len(LOOK_BACK)

Table = NDArray[np.uint8]


class Rules(NamedTuple):
    """What does not change: of the layout, of the grammar, and of a request.

    Attributes
    ----------
    metre : int
        The requested token, or `NOTHING`.
    measures : int
        The requested number of bars after the upbeat; -1 if none is.
    first_event : int
        The row of the first event in `masks`.
    longest : int
        The steps at which features stop counting.
    bars : int64 array (metres,)
        Steps in a bar.
    meaning, metre_of, upbeat_of : int64 array (V,)
        As in `MelodyLayout`.
    masks : bool array (R, V + 1)
        As `MelodyGrammar.table`.
    """

    metre: int
    measures: int
    first_event: int
    longest: int
    bars: Ids
    meaning: Ids
    metre_of: Ids
    upbeat_of: Ids
    masks: NDArray[np.bool_]


@compiled
def _rules(table: Table) -> Rules:
    """Return the rules in a table, whose first array has their four numbers and the shapes."""
    metre, measures, first_event, longest, metres, ids, rows = part(table, 0).view(np.int64)[:7]
    return Rules(
        metre,
        measures,
        first_event,
        longest,
        part(table, 1).view(np.int64)[:metres],
        part(table, 2).view(np.int64)[:ids],
        part(table, 3).view(np.int64)[:ids],
        part(table, 4).view(np.int64)[:ids],
        part(table, 5)[: rows * (ids + 1)].view(np.bool_).reshape(rows, ids + 1),
    )


@compiled
def _push(rules: Rules, state: Ids, token: int) -> None:
    """Update a state with a token."""
    place = state[PLACE]
    state[PLACE] = place + 1
    if place < HEADER:
        if place == 0:
            state[METRE] = rules.metre_of[token]
        else:
            state[UPBEAT] = rules.upbeat_of[token] % rules.bars[state[METRE]]
        return
    event = _event(rules, token, place - HEADER)
    for number in range(len(LOOK_BACK)):
        same = _event_before(rules, state, place - HEADER, LOOK_BACK[number]) == event + 1
        state[REPEATED + number] = state[REPEATED + number] + 1 if same else 0
    state[LASTED] = state[LASTED] + 1 if event == HOLD_ID else 1
    if event >= FIRST_PITCH:
        state[PITCH_BEFORE], state[PITCH] = state[PITCH], event - FIRST_PITCH + 1
    if event != HOLD_ID:
        state[SOUNDS] = event >= FIRST_PITCH
    recent = state[SIZE:]
    recent[(place - HEADER) % len(recent)] = event


@compiled
def _event(rules: Rules, token: int, step: int) -> int:
    """Return the id of the event that any token stands for; out of place it is a rest."""
    if token == HOLD_ID and step > 0:
        return HOLD_ID
    return token if rules.meaning[token] >= 0 else REST_ID


@compiled
def _event_before(rules: Rules, state: Ids, step: int, bars: int) -> int:
    """Return the event `bars` before a step plus 1; 0 before the piece."""
    recent, at = state[SIZE:], step - bars * rules.bars[state[METRE]]
    return int(recent[at % len(recent)]) + 1 if at >= 0 else 0


@compiled
def _describe(rules: Rules, state: Ids, row: Ids) -> None:
    """Write the features of the next position into a row ``(K,)``."""
    if state[PLACE] < HEADER:
        row[:] = 0
        row[0] = state[PLACE]
        return
    step = state[PLACE] - HEADER
    bar, place = divmod(step - state[UPBEAT], rules.bars[state[METRE]])
    row[0], row[1], row[2] = HEADER + place, state[METRE], bar % PHRASE
    row[3] = min(max(bar // PHRASE, 0), LAST_PHRASE)
    is_silent = step > 0 and not state[SOUNDS]
    row[4] = min(state[LASTED], rules.longest) + (rules.longest if is_silent else 0)
    row[5], row[6] = state[PITCH], state[PITCH_BEFORE]
    for number in range(len(LOOK_BACK)):
        row[7 + 2 * number] = _event_before(rules, state, step, LOOK_BACK[number])
        row[8 + 2 * number] = min(state[REPEATED + number], rules.longest)


@compiled
def _at_bar_line(rules: Rules, state: Ids) -> bool:
    """Return whether a bar ends here."""
    step = state[PLACE] - HEADER
    return bool(step > 0 and (step - state[UPBEAT]) % rules.bars[state[METRE]] == 0)


@compiled
def _last_step(rules: Rules, state: Ids) -> int:
    """Return the requested number of steps, or -1."""
    if rules.measures < 0:
        return -1
    return int(state[UPBEAT] + rules.measures * rules.bars[state[METRE]])


@compiled
def _due(rules: Rules, state: Ids) -> int:
    """Return the requested metre, END after the requested number of bars, or `NOTHING`."""
    if state[PLACE] == 0:
        return rules.metre
    is_over = rules.measures >= 0 and state[PLACE] - HEADER >= _last_step(rules, state)
    return len(rules.meaning) if is_over and _at_bar_line(rules, state) else NOTHING


@compiled
def _row(rules: Rules, state: Ids) -> int:
    """Return the row of `MelodyGrammar.table` for the next position.

    A piece begins with a note, and no silence lasts two bars. It ends at a bar line, after a bar in
    which something sounds.
    """
    if state[PLACE] < HEADER:
        return 1 + int(state[METRE]) if state[PLACE] else 0
    bar, sounds = rules.bars[state[METRE]], state[SOUNDS] > 0
    silence = 0 if sounds else state[LASTED]
    # The last bar must not be silent throughout.
    is_last = state[PLACE] - HEADER + 1 == _last_step(rules, state)
    most = bar * (1 if is_last else SILENT_BARS)
    ends = rules.measures < 0 and silence < bar and _at_bar_line(rules, state)
    holds = sounds or 0 < silence < most - 1
    rests = sounds and most > 1
    return int(rules.first_event + 4 * holds + 2 * rests + ends)


@compiled
def push(table: Table, state: Ids, token: int) -> None:
    """Update a state with a token."""
    _push(_rules(table), state, token)


@compiled
def look(table: Table, state: Ids, features: Ids) -> tuple[int, int]:
    """Write the features of the next position ``(K,)``; return its row of masks.

    Also return the token that is due there, or `NOTHING`.
    """
    rules = _rules(table)
    _describe(rules, state, features)
    return _row(rules, state), _due(rules, state)


@compiled
def follow(table: Table, ids: Ids, state: Ids, features: Ids, rows: Ids) -> None:
    """Write features ``(N + 1, K)`` and rows of masks ``(N + 1,)`` of ids ``(N,)``."""
    rules = _rules(table)
    for position in range(len(ids) + 1):
        _describe(rules, state, features[position])
        rows[position] = _row(rules, state)
        if position < len(ids):
            _push(rules, state, ids[position])


def step(
    table: Table,
    state: Ids,
    token: int,
    room: int,
    features: Ids,
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
) -> None:
    """Update a state with a token, and set features and masks (`seqgen.following`)."""
    rules = _rules(table)
    _push(rules, state, token)
    _describe(rules, state, features)
    fill(rules.masks[_row(rules, state)], _due(rules, state), possible, allowed)


MACHINE = Machine(push, look, follow, step)
