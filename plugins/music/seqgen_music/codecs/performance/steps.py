"""The state of a performance and what each token does to it: compiled functions.

One machine gives the features of whole pieces and is the tracker of new ones. Its state is one
array of numbers, in which `_piece` finds the parts. What does not change is a table
(`seqgen.following.flat`) that `constants` makes.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled, copy
from seqgen.following import NOTHING, fill, flat, part
from seqgen.plugin import Ids
from seqgen_music.codecs import lengths
from seqgen_music.codecs.lengths import LENGTHS, class_of
from seqgen_music.codecs.performance import grammar, loops, memory
from seqgen_music.codecs.performance.grammar import BIN, KIND, SOUNDING, START, TIME
from seqgen_music.codecs.performance.layout import (
    BEGIN,
    DEFAULT_BIN,
    MOST_SOUNDING,
    OFF,
    ON,
    PLAN,
    SPANS,
    VELOCITY,
    PerformanceLayout,
)
from seqgen_music.codecs.performance.memory import EXPECTED, NEVER, Memory
from seqgen_music.codecs.performance.notes import STEPS

#: Numbers of a state after those of the grammar: the last two steps at which a note began, the last
#: two pitches plus 1, the planned class of seconds plus 1, or 0, and the room for sounding notes,
#: motives and slots of the memory.
BEFORE_MOMENT = grammar.FIELDS
MOMENT, BEFORE_PITCH, PITCH, PLANNED = range(BEFORE_MOMENT + 1, BEFORE_MOMENT + 5)
SOUNDS, MOTIVES, SLOTS = range(PLANNED + 1, PLANNED + 4)
HEAD = SLOTS + 1

#: Columns of sounding notes after those of the grammar: the step of the end, if it lasts as it did
#: before, or `NEVER`; the number of the note, and the pitches before it, as in the memory.
END, NUMBER, BEFORE, COLUMNS = range(2, 6)

#: Room of a new state for sounding notes and motives.
FEW, SOME = 48, 256

Mask = NDArray[np.bool_]
Table = NDArray[np.uint8]


class Rules(NamedTuple):
    """What does not change: of the layout, the limits, and a request.

    Attributes
    ----------
    shortest : int
        Fewest notes of a piece.
    seconds : float
        Step after which no note begins, and before which the piece does not end; -1 if not
        requested.
    first, last : int
        The ids of the seconds with which a new piece begins: any from first to last, if there are
        some.
    lowest : int
        Class of the first id of seconds.
    starts, kinds, numbers
        As `PerformanceLayout.starts`, `kind_of` and `number_of`.
    fewest, longest : int64 array
        As `loops.constants`.
    """

    shortest: int
    seconds: float
    first: int
    last: int
    lowest: int
    starts: Ids
    kinds: Ids
    numbers: Ids
    fewest: Ids
    longest: Ids


def constants(
    layout: PerformanceLayout, limits: loops.Limits, seconds: float | None = None
) -> Table:
    """Return what the functions read."""
    plan = layout.starts[4], len(layout.table) - 1
    if seconds is not None:
        number = class_of(max(ceil(seconds), 1)) - layout.lengths[0]
        known = 0 <= number <= layout.lengths[1] - layout.lengths[0]
        plan = (plan[0] + number,) * 2 if known else (0, -1)
    sizes = limits.shortest, len(layout.table), *plan, layout.lengths[0]
    numbers = np.array(sizes, np.int64)
    until = np.array([-1.0 if seconds is None else seconds * STEPS])
    of_ids = layout.starts, layout.kind_of, layout.number_of
    return flat(numbers, until, *of_ids, *loops.constants(limits))


@compiled
def _rules(table: Table) -> Rules:
    """Return the rules in a table."""
    shortest, ids, first, last, lowest = part(table, 0).view(np.int64)[:5]
    return Rules(
        shortest,
        part(table, 1).view(np.float64)[0],
        first,
        last,
        lowest,
        part(table, 2).view(np.int64)[:5],
        part(table, 3).view(np.int64)[:ids],
        part(table, 4).view(np.int64)[:ids],
        part(table, 5).view(np.int64)[: len(loops.STRETCHES)],
        part(table, 6).view(np.int64)[: loops.BEFORE],
    )


class Piece(NamedTuple):
    """The parts of a state.

    Attributes
    ----------
    head : int64 array (HEAD,)
        The state of the grammar, then numbers of our own.
    before, repeats, latest : int64 array
        As in `loops`.
    sounding : int64 array (S, COLUMNS)
        The sounding notes, in the order of their starts.
    memory : Memory
    """

    head: Ids
    before: Ids
    repeats: Ids
    latest: Ids
    sounding: Ids
    memory: Memory


@compiled
def _piece(state: Ids) -> Piece:
    """Return the parts of a state."""
    sounds, motives, slots = state[SOUNDS], state[MOTIVES], state[SLOTS]
    before = HEAD
    repeats = before + loops.BEFORE
    latest = repeats + loops.REPEATS
    sounding = latest + loops.LATEST
    head = sounding + sounds * COLUMNS
    ring = head + memory.FIELDS
    slot = ring + motives * memory.COLUMNS
    return Piece(
        state[:HEAD],
        state[before:repeats],
        state[repeats:latest],
        state[latest:sounding],
        state[sounding:head].reshape(sounds, COLUMNS),
        Memory(
            state[head:ring],
            state[ring:slot].reshape(motives, memory.COLUMNS),
            state[slot : slot + slots],
        ),
    )


def new_state(sounds: int = FEW, motives: int = SOME) -> Ids:
    """Return the state before the first token, with room for sounding notes and motives."""
    motives = min(motives, memory.MOST_MOTIVES) + memory.LONGEST
    slots = 1 << (2 * motives).bit_length()
    size = HEAD + loops.BEFORE + loops.REPEATS + loops.LATEST + sounds * COLUMNS
    size += memory.FIELDS + motives * memory.COLUMNS + slots
    state = np.zeros(size, np.int64)
    state[: grammar.FIELDS] = grammar.new_state()
    state[[SOUNDS, MOTIVES, SLOTS]] = sounds, motives, slots
    piece = _piece(state)
    piece.before[:] = -1
    memory.forget(piece.memory.head)
    return state


def with_room(state: Ids, tokens: int) -> Ids:
    """Return a state with room for some more tokens: the same, or a larger copy."""
    piece = _piece(state)
    more = tokens * (memory.LONGEST - memory.SHORTEST + 1)
    motives = state[MOTIVES] - memory.LONGEST  # of which there is always room for a note's
    is_full = piece.memory.head[memory.KEPT] + more > motives < memory.MOST_MOTIVES
    if not is_full and state[SOUNDING] + tokens <= state[SOUNDS]:
        return state
    sounds = max(int(state[SOUNDS]), 2 * (int(state[SOUNDING]) + tokens))
    larger = new_state(sounds, int(2 * motives if is_full else motives))
    to = _piece(larger)
    to.head[:SOUNDS] = piece.head[:SOUNDS]
    for each, other in zip(piece[1:4], to[1:4], strict=True):
        other[:] = each
    to.sounding[: len(piece.sounding)] = piece.sounding
    memory.move(piece.memory, to.memory)
    return larger


@compiled
def _push(rules: Rules, piece: Piece, token: int) -> None:
    """Update a piece with a token."""
    head, kind, number = piece.head, rules.kinds[token], rules.numbers[token]
    if kind == OFF:
        _end(piece, number)
    elif kind == PLAN and head[KIND] == BEGIN:
        head[PLANNED] = rules.lowest + number + 1
    grammar.push(head, piece.sounding, kind, number)
    if kind != ON:
        return
    notes, time = piece.memory.head[memory.NOTES], head[TIME]
    loops.push(piece.before, piece.repeats, piece.latest, notes, number)
    note = piece.sounding[head[SOUNDING] - 1]
    note[BEFORE], note[NUMBER] = piece.memory.head[memory.RECENT], notes + 1
    note[END] = memory.begin(piece.memory, time, number + 1, head[BIN] or DEFAULT_BIN)
    head[BEFORE_PITCH], head[PITCH] = head[PITCH], number + 1
    if time != head[MOMENT]:
        head[BEFORE_MOMENT], head[MOMENT] = head[MOMENT], time


@compiled
def _end(piece: Piece, pitch: int) -> None:
    """Let the memory know the end of the earliest sounding note of a pitch, if any."""
    for at in range(piece.head[SOUNDING]):
        note = piece.sounding[at]
        if note[grammar.PITCH] == pitch:
            memory.end(piece.memory, note[BEFORE], note[NUMBER], piece.head[TIME] - note[START])
            return


@compiled
def _span(steps: int) -> int:
    """Return the class of a span of time, from 0 to ``len(SPANS)``."""
    found = 0
    while found < len(SPANS) and SPANS[found] <= steps:
        found += 1
    return found


@compiled
def _describe(piece: Piece, row: Ids) -> None:
    """Write the features of the next position into a row ``(K,)``."""
    head, motives = piece.head, piece.memory.head
    time = head[TIME]
    row[0], row[1] = head[KIND], _span(time - head[MOMENT])
    row[2] = _span(head[MOMENT] - head[BEFORE_MOMENT])
    row[3], row[4] = min(head[SOUNDING], MOST_SOUNDING), head[BIN]
    row[5], row[6], row[7], row[8] = head[PITCH], head[BEFORE_PITCH], 0, 0
    if head[SOUNDING]:
        oldest = piece.sounding[0]
        row[7], row[8] = oldest[grammar.PITCH] + 1, _span(time - oldest[START])
    row[9], row[10] = motives[EXPECTED + memory.PITCH], memory.due(motives[memory.DUE], time)
    row[11], row[12] = motives[EXPECTED + memory.BIN], motives[memory.RUN]
    row[13], end = _first_end(piece)
    row[14] = memory.due(end, time)
    longest = LENGTHS[head[PLANNED] - 1] if head[PLANNED] else 0
    lengths.describe(longest, time // STEPS, row[15:17])


@compiled
def _first_end(piece: Piece) -> tuple[int, int]:
    """Return pitch plus 1 and end of the note that should end first, or 0 and `NEVER`."""
    first, pitch = NEVER, 0
    for at in range(piece.head[SOUNDING]):
        note = piece.sounding[at]
        end, number = note[END], note[grammar.PITCH] + 1
        if end != NEVER and (not pitch or (end, number) < (first, pitch)):
            first, pitch = end, number
    return pitch, first


@compiled
def _allow(rules: Rules, piece: Piece, mask: Mask) -> None:
    """Set the ids that may come next ``(V + 1,)``: the grammar's, within the limits.

    If a loop reaches the limits, another pitch comes next. A new piece begins with its seconds, and
    lasts as long as requested or planned; without both it has at least `shortest` notes.
    """
    head, starts = piece.head, rules.starts
    mask[:] = False
    grammar.allow(head, piece.sounding, starts, mask)
    if head[KIND] == BEGIN:
        _begin(rules, mask)
    begins, is_over = mask[starts[0] : starts[1]], _is_over(rules, piece)
    # After a velocity, a note must follow.
    if is_over and head[KIND] != VELOCITY:
        begins[:] = False
        mask[starts[2] : starts[3]] = False
    elif begins.any():
        fresh, notes = begins.copy(), piece.memory.head[memory.NOTES]
        given = piece.before, piece.repeats, piece.latest, notes
        loops.wear(*given, rules.fewest, rules.longest, fresh)
        if fresh.any():
            copy(fresh, begins)
    mask[-1] = mask[-1] and not _is_short(rules, piece)


@compiled
def _begin(rules: Rules, mask: Mask) -> None:
    """Leave the seconds with which a new piece begins; if there are none, forbid all."""
    if rules.first <= rules.last:
        mask[: rules.first] = mask[rules.last + 1 :] = False
    else:
        mask[rules.starts[4] : -1] = False


@compiled
def _is_short(rules: Rules, piece: Piece) -> bool:
    """Return whether the piece may not end yet."""
    planned, time = piece.head[PLANNED], piece.head[TIME]
    if rules.seconds >= 0:
        return bool(time < rules.seconds)
    if planned:
        return bool(planned > 1 and time <= LENGTHS[planned - 2] * STEPS)
    return bool(piece.memory.head[memory.NOTES] < rules.shortest)


@compiled
def _is_over(rules: Rules, piece: Piece) -> bool:
    """Return whether the requested time is over, or else the planned one."""
    planned, time = piece.head[PLANNED], piece.head[TIME]
    if rules.seconds >= 0:
        return bool(time >= rules.seconds)
    return bool(planned and time >= LENGTHS[planned - 1] * STEPS)


@compiled
def _due(rules: Rules, piece: Piece) -> int:
    """Return END after the requested or planned time, once nothing sounds, else `NOTHING`."""
    is_last = _is_over(rules, piece) and not piece.head[SOUNDING]
    return len(rules.kinds) if is_last else NOTHING


@compiled
def push(table: Table, state: Ids, token: int) -> None:
    """Update a state with a token."""
    _push(_rules(table), _piece(state), token)


@compiled
def describe(state: Ids, row: Ids) -> None:
    """Write the features of the next position into a row ``(K,)``."""
    _describe(_piece(state), row)


@compiled
def look(table: Table, state: Ids, mask: Mask) -> int:
    """Set the ids that may come next ``(V + 1,)``; return the token that is due, or `NOTHING`."""
    rules, piece = _rules(table), _piece(state)
    _allow(rules, piece, mask)
    return _due(rules, piece)


@compiled
def follow(table: Table, ids: Ids, state: Ids, features: Ids) -> None:
    """Write the features ``(N + 1, K)`` of ids ``(N,)``, for which the state has room."""
    rules, piece = _rules(table), _piece(state)
    _describe(piece, features[0])
    for position in range(len(ids)):
        _push(rules, piece, ids[position])
        _describe(piece, features[position + 1])


def step(
    table: Table,
    state: Ids,
    token: int,
    room: int,
    features: Ids,
    possible: Mask,
    allowed: Mask,
) -> None:
    """Update a state with a token, and set features and masks (`seqgen.following`)."""
    rules, piece = _rules(table), _piece(state)
    _push(rules, piece, token)
    _describe(piece, features)
    _allow(rules, piece, possible)
    fill(possible, _due(rules, piece), possible, allowed)
