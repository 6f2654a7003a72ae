"""The state of a melody and what each token does to it: compiled functions.

One machine gives the features and masks of whole pieces and is the tracker of new ones. Its state
is a row of numbers: SIZE, then the last events, and with chords those that sounded at them. What
does not change is a table (`seqgen.following.flat`) that `MelodyGrammar.constants` makes and
`_rules` reads.
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
    LONGEST_CHORD,
    LOOK_BACK,
    OWN_FEATURES,
    PHRASE,
    REST_ID,
)
from seqgen_music.codecs.melody.line import SILENT_BARS

#: Fields of a state: the number of tokens; of the header the number of the metre, and the upbeat;
#: whether a note sounds; for how long it or the silence has lasted; the last two pitches, the
#: latest first; the number of steps; the number of the chord, for how many beats it has lasted, and
#: whether it was the last token; for each of `LOOK_BACK`, for how long events have repeated. Then
#: come the last events, that of step n at n modulo their number, and the chords at them.
PLACE, METRE, UPBEAT, SOUNDS, LASTED, PITCH, PITCH_BEFORE = range(7)
STEP, CHORD, CHORD_LASTED, IS_SAID, REPEATED = range(7, 12)
SIZE = REPEATED + len(LOOK_BACK)

Table = NDArray[np.uint8]


class Rules(NamedTuple):
    """What does not change: of the layout, of the grammar, and of a request.

    Attributes
    ----------
    metre, upbeat : int
        The requested tokens, or `NOTHING`.
    measures : int
        The requested number of bars after the upbeat; -1 if none is.
    length : int
        The steps of a given melody; -1 if none is.
    progression : int
        The bars of requested chords.
    first_event, first_chord : int
        The rows of the first event and of the first chord in `masks`.
    longest : int
        The steps at which features stop counting.
    look : int
        The number of last events in a state.
    chords : int
        The number of chords; 0 without chords.
    same_chord : int
        As in `MelodyLayout`.
    bars, beats : int64 array (metres,)
        Steps in a bar, and between the places of chords.
    meaning, metre_of, upbeat_of : int64 array (V,)
        As in `MelodyLayout`.
    masks : bool array (R, V + 1)
        As `MelodyGrammar.table`.
    given : int64 array (2 + length,)
        Ids of the given melody; `NOTHING` where it is free.
    tied : int64 array (length,)
        For a given "hold", the id of what it holds, which is due if that does not last; else
        `NOTHING`.
    given_chords : int64 array (length,)
        Numbers of the given chords; `NOTHING` where they are free.
    starts, numbers : int64 array
        Where the chords of each requested bar begin among all requested chords; their numbers.
    """

    metre: int
    upbeat: int
    measures: int
    length: int
    progression: int
    first_event: int
    first_chord: int
    longest: int
    look: int
    chords: int
    same_chord: int
    bars: Ids
    beats: Ids
    meaning: Ids
    metre_of: Ids
    upbeat_of: Ids
    masks: NDArray[np.bool_]
    given: Ids
    tied: Ids
    given_chords: Ids
    starts: Ids
    numbers: Ids


@compiled
def _rules(table: Table) -> Rules:
    """Return the rules in a table, whose first array has their numbers and then the shapes."""
    one = part(table, 0).view(np.int64)
    metres, ids, rows = one[11:14]
    return Rules(
        one[0],
        one[1],
        one[2],
        one[3],
        one[4],
        one[5],
        one[6],
        one[7],
        one[8],
        one[9],
        one[10],
        part(table, 1).view(np.int64)[:metres],
        part(table, 2).view(np.int64)[:metres],
        part(table, 3).view(np.int64)[:ids],
        part(table, 4).view(np.int64)[:ids],
        part(table, 5).view(np.int64)[:ids],
        part(table, 6)[: rows * (ids + 1)].view(np.bool_).reshape(rows, ids + 1),
        part(table, 7).view(np.int64),
        part(table, 8).view(np.int64),
        part(table, 9).view(np.int64),
        part(table, 10).view(np.int64),
        part(table, 11).view(np.int64),
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
    if token >= rules.same_chord:
        number = token - rules.same_chord - 1
        is_same = number < 0 or number == state[CHORD]
        state[CHORD_LASTED] = state[CHORD_LASTED] + 1 if is_same else 1
        state[CHORD] = state[CHORD] if is_same else number
        state[IS_SAID] = 1
        return
    step = state[STEP]
    event = _event(rules, token, step)
    for number in range(len(LOOK_BACK)):
        same = _event_before(rules, state, step, LOOK_BACK[number]) == event + 1
        state[REPEATED + number] = state[REPEATED + number] + 1 if same else 0
    state[LASTED] = state[LASTED] + 1 if event == HOLD_ID else 1
    if event >= FIRST_PITCH:
        state[PITCH_BEFORE], state[PITCH] = state[PITCH], event - FIRST_PITCH + 1
    if event != HOLD_ID:
        state[SOUNDS] = event >= FIRST_PITCH
    state[SIZE + step % rules.look] = event
    if rules.chords:
        state[SIZE + rules.look + step % rules.look] = state[CHORD]
    state[STEP], state[IS_SAID] = step + 1, 0


@compiled
def _event(rules: Rules, token: int, step: int) -> int:
    """Return the id of the event that any token stands for; out of place it is a rest."""
    if token == HOLD_ID and step > 0:
        return HOLD_ID
    return token if rules.meaning[token] >= 0 else REST_ID


@compiled
def _event_before(rules: Rules, state: Ids, step: int, bars: int) -> int:
    """Return the event `bars` before a step plus 1; 0 before the piece."""
    at = step - bars * rules.bars[state[METRE]]
    return int(state[SIZE + at % rules.look]) + 1 if at >= 0 else 0


@compiled
def _chord_before(rules: Rules, state: Ids, step: int, bars: int) -> int:
    """Return the number of the chord `bars` before a step plus 1; 0 before the piece."""
    at = step - bars * rules.bars[state[METRE]]
    return int(state[SIZE + rules.look + at % rules.look]) + 1 if at >= 0 else 0


@compiled
def _awaits_chord(rules: Rules, state: Ids) -> bool:
    """Return whether a token of chords comes next: at the beginning and before each beat."""
    if rules.chords == 0 or state[PLACE] < HEADER or state[IS_SAID] > 0:
        return False
    place = (state[STEP] - state[UPBEAT]) % rules.bars[state[METRE]]
    return bool(state[STEP] == 0 or place % rules.beats[state[METRE]] == 0)


@compiled
def _describe(rules: Rules, state: Ids, row: Ids) -> None:
    """Write the features of the next position into a row ``(K,)``."""
    if state[PLACE] < HEADER:
        row[:] = 0
        row[0] = state[PLACE]
        return
    step = state[STEP]
    bar, place = divmod(step - state[UPBEAT], rules.bars[state[METRE]])
    row[0], row[1], row[2] = HEADER + place, state[METRE], bar % PHRASE
    row[3] = min(max(bar // PHRASE, 0), LAST_PHRASE)
    is_silent = step > 0 and not state[SOUNDS]
    row[4] = min(state[LASTED], rules.longest) + (rules.longest if is_silent else 0)
    row[5], row[6] = state[PITCH], state[PITCH_BEFORE]
    for number in range(len(LOOK_BACK)):
        row[7 + 2 * number] = _event_before(rules, state, step, LOOK_BACK[number])
        row[8 + 2 * number] = min(state[REPEATED + number], rules.longest)
    if rules.chords:
        _describe_chords(rules, state, row[OWN_FEATURES:])


@compiled
def _describe_chords(rules: Rules, state: Ids, row: Ids) -> None:
    """Write the features about chords into the rest of a row."""
    chord = state[CHORD] - 1
    row[0] = _awaits_chord(rules, state)
    row[1] = chord % 12 + 1 if chord >= 0 else 0
    row[2] = chord // 12 + 1 if chord >= 0 else 0
    row[3] = min(state[CHORD_LASTED], LONGEST_CHORD)
    for number in range(len(LOOK_BACK)):
        row[4 + number] = _chord_before(rules, state, state[STEP], LOOK_BACK[number])


@compiled
def _at_bar_line(rules: Rules, state: Ids) -> bool:
    """Return whether a bar ends here."""
    step = state[STEP]
    if step == 0 or state[IS_SAID] > 0:
        return False
    return bool((step - state[UPBEAT]) % rules.bars[state[METRE]] == 0)


@compiled
def _last_step(rules: Rules, state: Ids) -> int:
    """Return the requested number of steps, or -1."""
    if rules.measures < 0:
        return rules.length
    return int(state[UPBEAT] + rules.measures * rules.bars[state[METRE]])


@compiled
def _due(rules: Rules, state: Ids) -> int:
    """Return the token that is requested or given, END after the last one, or `NOTHING`."""
    if state[PLACE] < HEADER:
        return rules.metre if state[PLACE] == 0 else rules.upbeat
    step, awaits = state[STEP], _awaits_chord(rules, state)
    if 0 <= rules.length <= step:
        return NOTHING if state[IS_SAID] > 0 else len(rules.meaning)
    is_over = rules.measures >= 0 and step >= _last_step(rules, state)
    if is_over and _at_bar_line(rules, state):
        return len(rules.meaning)
    if awaits:
        return _due_chord(rules, state)
    return _due_event(rules, state) if rules.length >= 0 else NOTHING


@compiled
def _due_event(rules: Rules, state: Ids) -> int:
    """Return the given event, or `NOTHING`; where what it holds does not last, that begins."""
    tied = rules.tied[state[STEP]]
    if tied != NOTHING:
        lasts = state[PITCH] + FIRST_PITCH - 1 if state[SOUNDS] > 0 else REST_ID
        if tied != lasts:
            return int(tied)
    return int(rules.given[HEADER + state[STEP]])


@compiled
def _due_chord(rules: Rules, state: Ids) -> int:
    """Return the token of the requested or given chord, or `NOTHING`.

    Before the first bar of requested chords the chord stays.
    """
    if rules.progression == 0:
        given = rules.given_chords[state[STEP]] if rules.length >= 0 else NOTHING
        if given == NOTHING:
            return NOTHING
        return int(rules.same_chord + (0 if given == state[CHORD] else 1 + given))
    bar, place = divmod(state[STEP] - state[UPBEAT], rules.bars[state[METRE]])
    if bar < 0:
        return rules.same_chord
    bar %= rules.progression
    first, count = rules.starts[bar], rules.starts[bar + 1] - rules.starts[bar]
    chord = rules.numbers[first + place * count // rules.bars[state[METRE]]]
    return rules.same_chord + (0 if chord == state[CHORD] else 1 + chord)


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
    is_last = state[STEP] + 1 == _last_step(rules, state)
    most = bar * (1 if is_last else SILENT_BARS)
    ends = rules.measures < 0 and silence < bar and _at_bar_line(rules, state)
    if _awaits_chord(rules, state):
        return int(rules.first_chord + 2 * state[CHORD] + ends)
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
