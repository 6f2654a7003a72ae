"""The machine that follows a language: its memory is one row of numbers.

Written in NumPy's subset that numba compiles. It reads one character or byte at a time;
`seqgen_text.grammars.tokens` reads tokens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.plugin import Ids
from seqgen_text.grammars.tables import (
    ALIGN,
    ALLOWED,
    CLOSE,
    COUNT,
    END_NAME,
    END_TAG,
    FRAME,
    KEEP,
    LONGEST_NAME,
    NAME,
    OPEN,
    POP,
    PUSH,
    STATE_BITS,
    SWAP,
    Tables,
)
from seqgen_text.grammars.tables import STATE as STATE_MASK

#: Most open frames, most characters of all open names, most attributes of a tag.
MOST_FRAMES, MOST_KEPT, MOST_ATTRIBUTES = 64, 1024, 32

#: Places in the memory: the state; the number of open frames; how much of a name was repeated, or
#: of a line indented; characters of all open names; hash of the attribute's name, and their number.
STATE, DEPTH, PLACE, KEPT, HASH, ATTRIBUTES = range(6)
FRAMES = 6
LENGTHS = FRAMES + MOST_FRAMES
NAMES = LENGTHS + MOST_FRAMES
HASHES = NAMES + MOST_KEPT
SIZE = HASHES + MOST_ATTRIBUTES

#: What a situation forbids beyond the tables: more frames, a line that does not fit, a name that
#: the tag already has; and longer names or indentation.
BLOCKED = (PUSH | ALIGN | OPEN | END_NAME, KEEP | COUNT)

#: Number of kinds of situations for each state and frame.
SITUATIONS = 4


def new_memory(tables: Tables) -> NDArray[np.int64]:
    """Return the memory at the start."""
    memory = np.zeros(SIZE, np.int64)
    memory[STATE] = tables.start
    return memory


@compiled
def _top(memory: Ids) -> int:
    """Return the frame on top."""
    return int(memory[FRAMES + memory[DEPTH] - 1]) if memory[DEPTH] else 0


@compiled
def _length(memory: Ids) -> int:
    """Return the length of the name of the frame on top, or the indentation of the block."""
    return int(memory[LENGTHS + memory[DEPTH] - 1]) if memory[DEPTH] else 0


@compiled
def situation(tables: Tables, memory: Ids) -> int:
    """Return a number for what may come: that of a row, or below 0 the only symbol, as -1 - symbol.

    A row is that of a state, a frame on top and what is blocked.
    """
    state, top, length = memory[STATE], _top(memory), _length(memory)
    if tables.matching[state] and memory[PLACE] < length:
        return -1 - int(memory[NAMES + memory[KEPT] - length + memory[PLACE]])
    no_frame = memory[DEPTH] >= MOST_FRAMES - 1
    no_more = length >= LONGEST_NAME or memory[KEPT] >= MOST_KEPT - 4
    if tables.lines[state]:
        no_frame |= not _is_aligned(memory)
        no_more = memory[PLACE] >= length
    elif tables.opening[state]:
        no_frame |= memory[PLACE] <= length
        no_more = memory[PLACE] >= LONGEST_NAME
    elif memory[HASH]:
        no_frame |= _is_taken(memory)
    row = state * tables.entries.shape[1] + top
    return int(row * SITUATIONS + 2 * no_more + no_frame)


@compiled
def _is_aligned(memory: Ids) -> bool:
    """Return whether the indentation is that of an open block."""
    if memory[PLACE] == 0:
        return True
    found = False
    for frame in range(memory[DEPTH]):
        found |= memory[LENGTHS + frame] == memory[PLACE]
    return found


@compiled
def _is_taken(memory: Ids) -> bool:
    """Return whether the tag already has an attribute of this name."""
    found = False
    for number in range(memory[ATTRIBUTES]):
        found |= memory[HASHES + number] == memory[HASH]
    return found


@compiled
def is_blocked(entry: int, row: int) -> bool:
    """Return whether the tables or the situation forbid an entry."""
    if not entry & ALLOWED:
        return True
    no_frame = row & 1 and entry & (PUSH | ALIGN | OPEN | END_NAME)
    no_more = row & 2 and entry & (KEEP | COUNT)
    return bool(no_frame or no_more)


@compiled
def push(tables: Tables, memory: Ids, here: int, symbol: int, kind: int) -> bool:
    """Follow a character, and return whether it was allowed.

    Parameters
    ----------
    tables : Tables
    memory : int64 array (SIZE,)
        It is changed.
    here : int
        Its situation.
    symbol, kind : int
        The character or byte, and its kind in the tables.
    """
    if here < 0:
        if -1 - here == symbol:
            memory[PLACE] += 1
            return True
        memory[STATE], memory[PLACE] = tables.after, 0
        return False
    entry = tables.entries[memory[STATE], _top(memory), kind]
    if is_blocked(entry, here):
        _recover(tables, memory, entry)
        return False
    _do(tables, memory, entry, symbol)
    return True


@compiled
def _recover(tables: Tables, memory: Ids, entry: int) -> None:
    """Go on after a token that may not come: it closes what it would close."""
    memory[STATE], memory[PLACE], memory[HASH], memory[ATTRIBUTES] = tables.after, 0, 0, 0
    if entry & CLOSE:
        frame = entry >> STATE_BITS & FRAME
        for place in range(memory[DEPTH] - 1, -1, -1):
            if memory[FRAMES + place] == frame:
                while memory[DEPTH] > place:
                    _pop(tables, memory)
                return


@compiled
def _pop(tables: Tables, memory: Ids) -> None:
    if _top(memory) != tables.unclosed:
        memory[KEPT] -= _length(memory)
    memory[DEPTH] -= 1


@compiled
def _open(memory: Ids, frame: int, length: int) -> None:
    memory[FRAMES + memory[DEPTH]], memory[LENGTHS + memory[DEPTH]] = frame, length
    memory[DEPTH] += 1


@compiled
def _do(tables: Tables, memory: Ids, entry: int, symbol: int) -> None:
    """Do what an entry says that is allowed."""
    frame = entry >> STATE_BITS & FRAME
    memory[STATE] = entry & STATE_MASK
    if entry & COUNT:
        memory[PLACE] += 1
        return
    if entry & ALIGN:
        while memory[DEPTH] and _length(memory) > memory[PLACE]:
            _pop(tables, memory)
    if entry & OPEN:
        _open(memory, tables.unclosed, memory[PLACE])
    memory[PLACE] = 0
    if entry & PUSH:
        _open(memory, frame, 0)
    if entry & SWAP:
        memory[FRAMES + memory[DEPTH] - 1] = frame
    if entry & KEEP and memory[KEPT] < MOST_KEPT:
        memory[NAMES + memory[KEPT]] = symbol
        memory[KEPT] += 1
        memory[LENGTHS + memory[DEPTH] - 1] += 1
    if entry & POP:
        _pop(tables, memory)
    if entry & NAME:
        memory[HASH] = (memory[HASH] * 1_000_003 + symbol + 1) & 0x7FFFFFFFFFFF
    if entry & END_NAME:
        if memory[ATTRIBUTES] < MOST_ATTRIBUTES:
            memory[HASHES + memory[ATTRIBUTES]] = memory[HASH]
            memory[ATTRIBUTES] += 1
        memory[HASH] = 0
    if entry & END_TAG:
        memory[ATTRIBUTES] = 0


@compiled
def can_end(tables: Tables, memory: Ids) -> bool:
    """Return whether the text may end."""
    if not tables.endings[memory[STATE], _top(memory)]:
        return False
    for frame in range(memory[DEPTH]):
        if memory[FRAMES + frame] != tables.unclosed:
            return False
    return not (tables.matching[memory[STATE]] or tables.opening[memory[STATE]])


@compiled
def _cost(tables: Tables, state: int, frame: int, more: int) -> int:
    """Return the least number of tokens that close a frame from a state.

    `more` is how much of its name is still to be written.
    """
    return int(min(tables.direct[state, frame], max(tables.named[state, frame] + more, 1)))


@compiled
def distance(tables: Tables, memory: Ids) -> int:
    """Return the least number of tokens to a place where the text may end."""
    depth = memory[DEPTH]
    total = _cost(tables, memory[STATE], _top(memory), _length(memory) - memory[PLACE])
    total += bool(memory[HASH]) and _is_taken(memory)
    for place in range(depth - 1):
        state = tables.closed[memory[FRAMES + place + 1]]
        total += _cost(tables, state, memory[FRAMES + place], memory[LENGTHS + place])
    if depth:
        total += _cost(tables, tables.closed[memory[FRAMES]], 0, 0)
    return total
