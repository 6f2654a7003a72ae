"""Tokens of one or several characters, as the machine of a grammar reads them, compiled.

A token may come if all its characters may, one after the other. Most verdicts depend on the state
and the frame on top only, and are worked out once (`verdicts`). The others are found by following
the token: those that close the frame on top and go on, repeat a name, or align a line.

V tokens, S states, G frames and `NOTHING`, R rows: one for each state between characters and frame.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled, copy
from seqgen.plugin import Ids
from seqgen_text.grammars.machine import (
    ATTRIBUTES,
    BLOCKED,
    DEPTH,
    FRAMES,
    HASHES,
    KEPT,
    LENGTHS,
    MOST_FRAMES,
    MOST_KEPT,
    NAMES,
    SITUATIONS,
    SIZE,
    STATE,
    can_end,
    distance,
    push,
    situation,
)
from seqgen_text.grammars.tables import (
    ALIGN,
    ALLOWED,
    COUNT,
    END_NAME,
    FRAME,
    KEEP,
    LONGEST_NAME,
    OPEN,
    POP,
    PUSH,
    STATE_BITS,
    SWAP,
    Tables,
)
from seqgen_text.grammars.tables import STATE as STATE_MASK

#: Verdicts on a token in a state and frame; the last one is that its rest depends on what is below.
FORBIDDEN, LEGAL, DEPENDS, BELOW = range(4)


class Tokens(NamedTuple):
    """The tokens of a vocabulary.

    Attributes
    ----------
    tables : Tables
    firsts : int64 array (V + 1,)
        Where the characters of each token begin in the two next arrays.
    symbols, kinds : int64 array
        Characters or bytes, and their kinds in the tables.
    rows : uint8 array (R, V)
        Verdicts; R is 0 if all tokens have one character.
    starts, followed : int64 array (R + 1,) and (F,)
        Where the tokens of each row that depend on more begin in `followed`.
    most : int64 array (R, 2)
        Most frames that a token of a row opens, and most characters that it adds to a name.
    growth : int64 array (V,)
        How much longer a token can make the way to the end, at most.
    most_growth : int
        The largest of these.
    """

    tables: Tables
    firsts: Ids
    symbols: Ids
    kinds: Ids
    rows: NDArray[np.uint8]
    starts: Ids
    followed: Ids
    most: Ids
    growth: Ids
    most_growth: int


@compiled
def _numbers(numbers: Ids, place: int, size: int) -> Ids:
    """Return the first numbers of an array of a table, of which all are given as numbers."""
    start = numbers[place] // 8
    return numbers[start : start + size]


@compiled
def _flags(table: NDArray[np.uint8], start: int, size: int) -> NDArray[np.bool_]:
    return table[start : start + size].view(np.bool_)


@compiled
def tokens_in(table: NDArray[np.uint8]) -> Tokens:
    """Return the tokens that `seqgen.following.flat` put into a table, shapes first.

    It is called for each token that is drawn, so it takes as few views as it can.
    """
    numbers = table.view(np.int64)
    about = _numbers(numbers, 0, 11)
    states, frames, kinds, rows, count = about[0], about[1], about[2], about[3], about[4]
    start, after, unclosed = about[5], about[6], about[7]
    total, more, growth = about[8], about[9], about[10]
    pairs = states * frames
    tables = Tables(
        _numbers(numbers, 1, pairs * kinds).reshape(states, frames, kinds),
        _numbers(numbers, 16, 0),
        start,
        after,
        _numbers(numbers, 17, frames),
        _flags(table, numbers[2], states),
        _flags(table, numbers[3], states),
        _flags(table, numbers[4], states),
        _flags(table, numbers[5], pairs).reshape(states, frames),
        unclosed,
        _numbers(numbers, 6, pairs).reshape(states, frames),
        _numbers(numbers, 7, pairs).reshape(states, frames),
    )
    return Tokens(
        tables,
        _numbers(numbers, 8, count + 1),
        _numbers(numbers, 9, total),
        _numbers(numbers, 10, total),
        table[numbers[11] : numbers[11] + rows * count].reshape(rows, count),
        _numbers(numbers, 12, rows + 1),
        _numbers(numbers, 13, more),
        _numbers(numbers, 14, 2 * rows).reshape(rows, 2),
        _numbers(numbers, 15, count),
        growth,
    )


@compiled
def judged(tables: Tables, firsts: Ids, kinds: Ids, rows: NDArray[np.uint8], most: Ids) -> None:
    """Fill in verdicts (R, V), and what tokens open and keep at most (R, 2)."""
    frames = tables.entries.shape[1]
    for row in range(len(rows)):
        state, top = row // frames, row % frames
        for token in range(len(firsts) - 1):
            first, last = firsts[token], firsts[token + 1]
            verdict, place, after = _judge(tables, state, top, kinds, first, last, most[row])
            if verdict == BELOW:
                verdict = _judge_below(tables, after, kinds, place, last, most[row])
            rows[row, token] = verdict


@compiled
def _judge_below(tables: Tables, state: int, kinds: Ids, first: int, last: int, most: Ids) -> int:
    """Return the verdict on the rest of a token that closed the frame on top."""
    verdict, _, _ = _judge(tables, state, 0, kinds, first, last, most)
    for top in range(1, tables.entries.shape[1]):
        other, _, _ = _judge(tables, state, top, kinds, first, last, most)
        if other != verdict:
            return DEPENDS
    return DEPENDS if verdict == BELOW else verdict


@compiled
def _judge(
    tables: Tables, state: int, top: int, kinds: Ids, first: int, last: int, most: Ids
) -> tuple[int, int, int]:
    """Return a verdict; with `BELOW` also the place of the first character after, and the state."""
    opened = np.empty(last - first + 1, np.int64)
    opened[0] = top
    depth = pushed = kept = 0
    for place in range(first, last):
        if depth < 0:
            return BELOW, place, state
        entry = tables.entries[state, opened[depth], kinds[place]]
        if tables.matching[state] or entry & (COUNT | ALIGN | OPEN | END_NAME):
            return DEPENDS, place, state
        if not entry & ALLOWED:
            return FORBIDDEN, place, state
        state, frame = entry & STATE_MASK, entry >> STATE_BITS & FRAME
        if entry & PUSH:
            depth, pushed = depth + 1, pushed + 1
            opened[depth] = frame
        elif entry & SWAP:
            opened[depth] = frame
        elif entry & POP:
            depth -= 1
        kept += (entry & KEEP) > 0
        most[0], most[1] = max(most[0], pushed), max(most[1], kept)
    return LEGAL, last, state


@compiled
def advance(tokens: Tokens, memory: Ids, token: int) -> bool:
    """Follow a token, and return whether it was allowed."""
    legal = len(tokens.firsts) > 1  # An empty vocabulary has no token.
    if not legal:
        return False
    for place in range(tokens.firsts[token], tokens.firsts[token + 1]):
        here = situation(tokens.tables, memory)
        legal &= push(tokens.tables, memory, here, tokens.symbols[place], tokens.kinds[place])
    return legal


@compiled
def _goes_on(tokens: Tokens, memory: Ids, after: Ids, token: int) -> bool:
    """Return whether all characters of a token may come; `after` is scratch."""
    _copy(memory, after)
    for place in range(tokens.firsts[token], tokens.firsts[token + 1]):
        here = situation(tokens.tables, after)
        if not push(tokens.tables, after, here, tokens.symbols[place], tokens.kinds[place]):
            return False
    return True


@compiled
def _copy(memory: Ids, after: Ids) -> None:
    """Copy what is in use."""
    depth, kept = memory[DEPTH], memory[KEPT]
    copy(memory[:FRAMES], after[:FRAMES])
    copy(memory[FRAMES : FRAMES + depth], after[FRAMES : FRAMES + depth])
    copy(memory[LENGTHS : LENGTHS + depth], after[LENGTHS : LENGTHS + depth])
    copy(memory[NAMES : NAMES + kept], after[NAMES : NAMES + kept])
    count = memory[ATTRIBUTES]
    copy(memory[HASHES : HASHES + count], after[HASHES : HASHES + count])


@compiled
def look(tokens: Tokens, memory: Ids, mask: NDArray[np.bool_]) -> None:
    """Write which tokens may come, and whether the text may end, into a mask (V + 1,)."""
    here, count = situation(tokens.tables, memory), len(mask) - 1
    mask[count] = can_end(tokens.tables, memory)
    if len(tokens.symbols) == count:
        _look_at_first(tokens, memory, here, mask)
        return
    after = np.empty(SIZE, np.int64)
    row = here // SITUATIONS
    if here < 0 or here % SITUATIONS or row >= len(tokens.rows) or _is_near(tokens, memory, row):
        _look_at_first(tokens, memory, here, mask)
        for token in range(count):
            if mask[token] and tokens.firsts[token + 1] - tokens.firsts[token] > 1:
                mask[token] = _goes_on(tokens, memory, after, token)
    else:
        verdicts = tokens.rows[row]
        for token in range(count):
            mask[token] = verdicts[token] == LEGAL
        for place in range(tokens.starts[row], tokens.starts[row + 1]):
            token = tokens.followed[place]
            mask[token] = _goes_on(tokens, memory, after, token)


@compiled
def _look_at_first(tokens: Tokens, memory: Ids, here: int, mask: NDArray[np.bool_]) -> None:
    """Write whether the first character of each token may come in a situation."""
    firsts, symbols, kinds = tokens.firsts, tokens.symbols, tokens.kinds
    if here < 0:
        for token in range(len(mask) - 1):
            mask[token] = symbols[firsts[token]] == -1 - here
        return
    top = memory[FRAMES + memory[DEPTH] - 1] if memory[DEPTH] else 0
    entries = tokens.tables.entries[memory[STATE], top]
    blocked = (BLOCKED[0] if here & 1 else 0) | (BLOCKED[1] if here & 2 else 0)
    if len(symbols) == len(mask) - 1:
        # Every token has one character, at the place of its id.
        for token in range(len(symbols)):
            mask[token] = entries[kinds[token]] & (ALLOWED | blocked) == ALLOWED
        return
    for token in range(len(mask) - 1):
        mask[token] = entries[kinds[firsts[token]]] & (ALLOWED | blocked) == ALLOWED


@compiled
def _is_near(tokens: Tokens, memory: Ids, row: int) -> bool:
    """Return whether a token could open too much, or make a name too long."""
    opens, keeps = tokens.most[row, 0], tokens.most[row, 1]
    length = memory[LENGTHS + memory[DEPTH] - 1] if memory[DEPTH] else 0
    is_deep = memory[DEPTH] + opens >= MOST_FRAMES - 1
    return bool(is_deep or length + keeps >= LONGEST_NAME or memory[KEPT] + keeps >= MOST_KEPT - 4)


@compiled
def close(tokens: Tokens, memory: Ids, room: int, mask: NDArray[np.bool_]) -> None:
    """Keep in a mask (V + 1,) the tokens from which the text can surely end within `room` tokens.

    If there is none, and it may not end here, keep a token that leads to the earliest end.
    """
    before, count = distance(tokens.tables, memory), len(mask) - 1
    if before + tokens.most_growth < room:
        return
    after = np.empty(SIZE, np.int64)
    nearest, earliest, any_left = -1, 2**62, False
    for token in range(count):
        if not mask[token]:
            continue
        if before + tokens.growth[token] < room:
            any_left = True
            continue
        _copy(memory, after)
        advance(tokens, after, token)
        ahead = distance(tokens.tables, after)
        if ahead < earliest:
            nearest, earliest = token, ahead
        mask[token] = ahead < room
        any_left |= ahead < room
    if not any_left and not mask[count]:
        mask[nearest] = True


@compiled
def follow(
    table: NDArray[np.uint8],
    memory: Ids,
    ids: Ids,
    situations: Ids,
    allowed: NDArray[np.bool_],
    rows: NDArray[np.bool_],
) -> None:
    """Follow N ids.

    Parameters
    ----------
    table : uint8 array
    memory : int64 array (SIZE,)
        It is changed.
    ids : int64 array (N,)
    situations, allowed : int64 array (N,) and bool array (N,)
        Filled in: the situation before each id, and whether it was allowed.
    rows : bool array (N, V + 1) or (0, V + 1)
        Filled in: the masks before each id.
    """
    tokens = tokens_in(table)
    for place in range(len(ids)):
        situations[place] = situation(tokens.tables, memory)
        if len(rows):
            look(tokens, memory, rows[place])
        allowed[place] = advance(tokens, memory, ids[place])


@compiled
def mask(table: NDArray[np.uint8], memory: Ids, room: int, allowed: NDArray[np.bool_]) -> None:
    """Write what may come within a room into a mask (V + 1,)."""
    tokens = tokens_in(table)
    look(tokens, memory, allowed)
    if room >= 0:
        close(tokens, memory, room, allowed)


def step(
    table: NDArray[np.uint8],
    state: Ids,
    token: int,
    room: int,
    features: Ids,
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
) -> None:
    """Push a token, and write the masks of the next position (`seqgen.following`)."""
    tokens = tokens_in(table)
    advance(tokens, state, token)
    look(tokens, state, possible)
    allowed[:] = possible
    if room >= 0:
        close(tokens, state, room, allowed)
