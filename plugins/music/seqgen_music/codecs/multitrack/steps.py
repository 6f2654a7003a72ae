"""The state of a multitrack piece and what each token does to it, for new pieces: compiled.

A state is one array of numbers, in which `piece_of` finds the parts. What does not change is a
table (`seqgen.following.flat`) that `MultitrackTracker` makes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled, copy
from seqgen.following import NOTHING, fill, part
from seqgen.plugin import Ids
from seqgen_music.codecs import lengths
from seqgen_music.codecs.multitrack import demands, grammar, harmony, memory, repeats
from seqgen_music.codecs.multitrack.features import PHRASE, PHRASES
from seqgen_music.codecs.multitrack.grammar import (
    BAR,
    DRUM,
    DURATION,
    EMPTY,
    HERE,
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
    GrammarTables,
)

#: Numbers of a state after those of the grammar: the last token; the first step of the bar, and its
#: length; the features of the header, and whether it lacks a requested instrument; the last pitch;
#: the requests for instruments that have sounded, as bits; the fewest and the most bars that the
#: header plans, or zeros; the semitones from C major or A minor to the key.
LAST = grammar.FIELDS
FIRST_STEP, LENGTH, HEADER = LAST + 1, LAST + 2, LAST + 3
LACKS, LAST_PITCH, SOUNDED, FEWEST, MOST, SHIFT = range(HEADER + 3, HEADER + 9)

#: Then come the numbers of `repeats`, the number of known contexts, and the room for instruments,
#: tokens of bars, contexts and stretches of the memory.
BARS = SHIFT + 1
KNOWN = BARS + repeats.FIELDS
PLAYERS, HISTORY, CONTEXTS, STRETCHES, HEAD = range(KNOWN + 1, KNOWN + 6)

#: Room of a new state for tokens of bars, contexts and stretches.
ROOM = 1024

Mask = NDArray[np.bool_]
Table = NDArray[np.uint8]


class Rules(NamedTuple):
    """What does not change.

    Attributes
    ----------
    tables : GrammarTables
    kinds, numbers : int64 array (V,)
        As `TokenTable.kind_of` and `number_of`.
    durations : int64 array
        In steps.
    tempo, metre, bars : int
        What is requested, as numbers of the table and a number of bars; -1 for nothing.
    most : int64 array
        Most repeated bars in a row, by `repeats.PERIODS`.
    requested : bool array (V + 1,)
        The ids that a request allows after the header.
    fulfils : int64 array (programs,)
        The requests for instruments that each one fulfils, as bits.
    chords : int64 array (G, 2)
        Requested chords of the first bars, as numbers of the table.
    """

    tables: GrammarTables
    kinds: Ids
    numbers: Ids
    durations: Ids
    tempo: int
    metre: int
    bars: int
    most: Ids
    requested: Mask
    fulfils: Ids
    chords: Ids


@compiled
def _rules(table: Table) -> Rules:
    """Return the rules in a table."""
    numbers = part(table, 0).view(np.int64)
    tempo, metre, bars, ids, metres, programs, durations, given = numbers[:8]
    return Rules(
        GrammarTables(
            part(table, 1).view(np.int64)[: grammar.BEGIN + 1],
            part(table, 2).view(np.int64)[:metres],
            part(table, 3).view(np.int64)[:programs],
            part(table, 10).view(np.int64)[:metres],
        ),
        part(table, 4).view(np.int64)[:ids],
        part(table, 5).view(np.int64)[:ids],
        part(table, 6).view(np.int64)[:durations],
        tempo,
        metre,
        bars,
        part(table, 7).view(np.int64)[: len(repeats.PERIODS)],
        part(table, 8)[: ids + 1].view(np.bool_),
        part(table, 9).view(np.int64)[:programs],
        part(table, 11).view(np.int64)[: 2 * given].reshape(given, 2),
    )


class Piece(NamedTuple):
    """The parts of a state.

    Attributes
    ----------
    head : int64 array (HEAD,)
        The state of the grammar, then numbers of our own.
    players : int64 array (P, 3)
        The instruments, as the grammar has them.
    sounds : int64 array (P,)
        The last sound of each instrument.
    ends : int64 array
        As in `harmony`.
    history : int64 array (H,)
        The tokens of the last bars.
    contexts : int64 array (C, 2)
        A hash table: contexts, and what followed each the last time, plus one; 0 is free.
    memory : Memory
    """

    head: Ids
    players: Ids
    sounds: Ids
    ends: Ids
    history: Ids
    contexts: Ids
    memory: memory.Memory


@compiled
def piece_of(state: Ids) -> Piece:
    """Return the parts of a state."""
    count, history, contexts = state[PLAYERS], state[HISTORY], state[CONTEXTS]
    players = HEAD
    sounds = players + 3 * count
    ends = sounds + count
    tokens = ends + harmony.PITCHES
    known = tokens + history
    head = known + 2 * contexts
    slots = head + memory.HEAD
    return Piece(
        state[:HEAD],
        state[players:sounds].reshape(count, 3),
        state[sounds:ends],
        state[ends:tokens],
        state[tokens:known],
        state[known:head].reshape(contexts, 2),
        memory.Memory(
            state[head:slots],
            state[slots : slots + 2 * state[STRETCHES]].reshape(state[STRETCHES], 2),
        ),
    )


def _empty(players: int, history: int, contexts: int, stretches: int) -> Ids:
    """Return an array for a state, of zeros."""
    size = HEAD + 4 * players + harmony.PITCHES + history + 2 * contexts
    state = np.zeros(size + memory.HEAD + 2 * stretches, np.int64)
    state[[PLAYERS, HISTORY, CONTEXTS, STRETCHES]] = players, history, contexts, stretches
    return state


def new_state(players: int, end: int) -> Ids:
    """Return the state before the first token, of which `end` stands in the place."""
    state = _empty(players, ROOM, ROOM, ROOM)
    piece = piece_of(state)
    piece.head[LAST_KIND], piece.head[LAST] = grammar.BEGIN, end
    piece.players[:, PLAYS] = 1
    repeats.begin(piece.head[BARS : BARS + repeats.FIELDS])
    piece.memory.head[memory.REACH] = memory.FARTHEST
    return state


def with_room(state: Ids, tokens: int) -> Ids:
    """Return a state with room for some more tokens: the same, or another copy."""
    piece = piece_of(state)
    head, more = piece.head, tokens * len(memory.SIZES)
    history, contexts, stretches = state[[HISTORY, CONTEXTS, STRETCHES]].tolist()
    if head[BARS] + tokens > history:
        repeats.shorten(head[BARS : BARS + repeats.FIELDS], piece.history)
        history *= 2 if head[BARS] + tokens > history // 2 else 1
    # Tables are half empty at least, and a quarter full at most when they are made.
    if 2 * (head[KNOWN] + tokens) > contexts:
        contexts *= 2
    if 2 * (piece.memory.head[memory.USED] + more) > stretches:
        while 4 * (memory.kept(piece.memory) + more) > stretches:
            stretches *= 2
    elif [history, contexts] == state[[HISTORY, CONTEXTS]].tolist():
        return state
    larger = _empty(int(state[PLAYERS]), history, contexts, stretches)
    to = piece_of(larger)
    to.head[:PLAYERS] = head[:PLAYERS]
    for each, other in zip(piece[1:4], to[1:4], strict=True):
        other[:] = each
    to.history[: head[BARS]] = piece.history[: head[BARS]]
    for key, value in piece.contexts[piece.contexts[:, 0] > 0]:
        to.contexts[_slot_of(to.contexts, key)] = key, value
    memory.move(piece.memory, to.memory)
    return larger


@compiled
def _slot_of(contexts: Ids, key: int) -> int:
    """Return the slot of a context, or the free one that it would have."""
    last = len(contexts) - 1
    slot = (key * memory.SPREAD >> 20) & last
    while contexts[slot, 0] and contexts[slot, 0] != key:
        slot = (slot + 1) & last
    return int(slot)


@compiled
def _context(rules: Rules, piece: Piece) -> int:
    """Return a number for position, instrument, last sound and last token, from 1 on."""
    head, ids = piece.head, len(rules.kinds) + 1
    place = (head[PLACE] * len(piece.players) + head[NOW_PROGRAM]) * ids + head[HERE]
    return int(place * ids + head[LAST] + 1)


@compiled
def _step(head: Ids) -> int:
    """Return the step of the piece."""
    return int(head[FIRST_STEP] + max(head[PLACE] - 1, 0))


@compiled
def _push(rules: Rules, piece: Piece, token: int) -> None:
    """Update a piece with a token."""
    head, kind, number = piece.head, rules.kinds[token], rules.numbers[token]
    key = _context(rules, piece)
    slot = _slot_of(piece.contexts, key)
    head[KNOWN] += piece.contexts[slot, 0] == 0
    piece.contexts[slot, 0], piece.contexts[slot, 1] = key, token + 1
    memory.push(piece.memory, token)
    bars = head[BARS : BARS + repeats.FIELDS]
    if kind in (BAR, METRE):
        repeats.line(bars)
    else:
        repeats.push(bars, piece.history, token)
    sound = token - rules.tables.starts[PITCH] + 1
    grammar.push(head, piece.players, kind, number, sound)
    head[LAST] = token
    if kind in (BAR, METRE):
        head[FIRST_STEP] += head[LENGTH]
        head[LENGTH] = rules.tables.bars[max(head[NOW_METRE] - 1, 0)]
    elif kind == TEMPO and not head[LINES] and head[LACKS]:
        # A prompt's header lacks a requested instrument: the requested ones play.
        first = rules.tables.starts[PROGRAM]
        for program in range(1, len(piece.players)):
            piece.players[program, PLAYS] = rules.requested[first + program - 1]
    elif kind in (PITCH, DRUM):
        piece.sounds[head[NOW_PROGRAM]] = head[HERE]
        if head[NOW_PROGRAM]:
            head[SOUNDED] |= rules.fulfils[head[NOW_PROGRAM] - 1]
        if kind == PITCH:
            head[LAST_PITCH] = number
            harmony.sound(piece.ends, number, _step(head) + 1)
    elif kind == DURATION:
        harmony.sound(piece.ends, head[LAST_PITCH], _step(head) + rules.durations[number])


@compiled
def _describe(rules: Rules, piece: Piece, row: Ids) -> None:
    """Write the features of the next position into a row ``(K,)``."""
    head, program = piece.head, piece.head[NOW_PROGRAM]
    phrase, bar = divmod(max(head[LINES] - 1, 0), PHRASE)
    row[0], row[1], row[2] = head[PLACE], bar, min(phrase, PHRASES - 1)
    row[3], row[4], row[5] = head[NOW_METRE], program, piece.players[program, LOUDNESS]
    row[6] = piece.sounds[program]
    row[7] = piece.contexts[_slot_of(piece.contexts, _context(rules, piece)), 1]
    copy(head[HEADER : HEADER + 3], row[8:11])
    row[11] = 0
    for later in range(len(piece.players) - 1, program, -1):
        if piece.players[later, NAMED]:
            row[11] = later
    harmony.describe(piece.ends, _step(head), row[12:16])
    copy(piece.memory.head[memory.EXPECTED : memory.EXPECTED + 2], row[16:18])
    lengths.describe(head[MOST], head[LINES], row[18:20])
    grammar.describe_chords(head, rules.tables, row[20:])


@compiled
def _allow(rules: Rules, piece: Piece, mask: Mask) -> None:
    """Set what may come after the header ``(V + 1,)``: the grammar's, within request and limits."""
    head, starts, kind = piece.head, rules.tables.starts, piece.head[LAST_KIND]
    fewest, most = _length(rules, head)
    mask[:] = False
    grammar.allow(head, piece.players, rules.tables, mask)
    if kind == POSITION and _is_due(rules.tempo, head[NOW_TEMPO]):
        mask[: starts[TEMPO]] = mask[starts[TEMPO + 1] :] = False
    elif kind in (BAR, METRE, DRUM, DURATION):
        _restrict_bars(rules, head, fewest, most, mask)
    for token in range(len(mask)):
        mask[token] = mask[token] and rules.requested[token]
    demands.demand(head, piece.players, rules.fulfils, head[SOUNDED], most, starts, mask)
    _forbid_loops(rules, piece, mask)
    if kind in (BAR, METRE) and 0 < head[LINES] <= len(rules.chords):
        grammar.demand_chords(head, rules.chords[head[LINES] - 1], head[SHIFT], starts, mask)


@compiled
def _is_due(number: int, present: int) -> bool:
    """Return whether a prompt's value, plus one, differs from the requested one."""
    return number >= 0 and present != number + 1


@compiled
def _length(rules: Rules, head: Ids) -> tuple[int, int]:
    """Return the fewest and the most bars: as requested, or as planned; 0 and -1 for any."""
    if rules.bars >= 0:
        return rules.bars, rules.bars
    return (head[FEWEST], head[MOST]) if head[MOST] else (0, -1)


@compiled
def _restrict_bars(rules: Rules, head: Ids, fewest: int, most: int, mask: Mask) -> None:
    """Leave only numbers of bars from fewest to most, if there is a most, and their metre."""
    starts = rules.tables.starts
    if 0 <= most < head[LINES] and head[LAST_KIND] in (BAR, METRE):
        mask[:-1] = False
        mask[-1] = True
    elif 0 <= most <= head[LINES]:
        # The piece ends at this bar line if the model chooses it.
        mask[starts[METRE] : starts[METRE + 1]] = False
        if head[EMPTY]:
            mask[starts[BAR]] = False
    else:
        mask[-1] = mask[-1] and fewest <= head[LINES]
        if _is_due(rules.metre, head[NOW_METRE]):
            mask[starts[BAR]] = False


@compiled
def _forbid_loops(rules: Rules, piece: Piece, mask: Mask) -> None:
    """Forbid sounds that would repeat a bar beyond the limits, if others are allowed."""
    bars, looping = piece.head[BARS : BARS + repeats.FIELDS], np.zeros(len(mask), np.bool_)
    for number in range(len(repeats.PERIODS)):
        token = repeats.too_often(bars, piece.history, number, rules.most[number])
        if token != NOTHING and rules.kinds[token] in (PITCH, DRUM):
            looping[token] = True
    if (mask & ~looping).any():
        mask &= ~looping


@compiled
def push(table: Table, state: Ids, token: int) -> None:
    """Update a state with a token."""
    _push(_rules(table), piece_of(state), token)


@compiled
def describe(table: Table, state: Ids, row: Ids) -> None:
    """Write the features of the next position into a row ``(K,)``."""
    _describe(_rules(table), piece_of(state), row)


@compiled
def allow(table: Table, state: Ids, mask: Mask) -> None:
    """Set what may come after the header ``(V + 1,)``."""
    _allow(_rules(table), piece_of(state), mask)


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
    rules, piece = _rules(table), piece_of(state)
    _push(rules, piece, token)
    _describe(rules, piece, features)
    _allow(rules, piece, possible)
    fill(possible, NOTHING, possible, allowed)
