"""The way to the end: how many tokens close the frame on top, from each state, compiled.

A frame is closed by a way without its name, or by one that repeats its name, as the end of a tag.

S states, G frames and `NOTHING`, C kinds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.plugin import Ids
from seqgen_text.grammars.tables import (
    ALLOWED,
    FAR,
    FRAME,
    KEEP,
    LONGEST_NAME,
    OPEN,
    POP,
    PUSH,
    STATE,
    STATE_BITS,
    SWAP,
    Tables,
)


def with_costs(tables: Tables, symbols: Sequence[int]) -> Tables:
    """Return tables with costs, for a vocabulary that has some characters or bytes only.

    What leads to no end may not come. What does the same becomes one kind.
    """
    columns = np.ascontiguousarray(np.moveaxis(tables.entries, 2, 0))  # (C, S, G)
    numbers = dict[bytes, int]()
    kinds = [numbers.setdefault(column.tobytes(), len(numbers)) for column in columns]
    _, firsts = np.unique(kinds, return_index=True)
    tables = tables._replace(
        entries=np.ascontiguousarray(tables.entries[:, :, firsts]),
        kinds=np.array(kinds),
        direct=np.where(tables.endings, 0, FAR),
        named=np.full(tables.endings.shape, FAR),
    )
    used = np.unique(tables.kinds[np.array(symbols, np.int64)])
    while _nearer(tables, used):
        pass
    _forbid_lost(tables)
    costs = tables.direct[tables.start, 0], tables.named[tables.start, 0]
    return tables._replace(start=tables.after if min(costs) >= FAR else tables.start)


@compiled
def _way(tables: Tables, entry: int, top: int) -> tuple[int, int]:
    """Return the least cost of closing a frame by an entry, as in `direct` and `named`."""
    if not entry & ALLOWED:
        return FAR, FAR
    if entry & POP:
        return 1, FAR
    state, frame = entry & STATE, entry >> STATE_BITS & FRAME
    kept = (entry & KEEP) > 0
    # A frame that is pushed is closed first; its name has one character, if any.
    pushed = min(tables.direct[state, frame], tables.named[state, frame] + kept)
    if entry & OPEN:
        # A block needs one blank more than the one around it.
        block = pushed if entry & PUSH else tables.direct[state, tables.unclosed]
        return FAR, min(block + 2, FAR)
    if entry & PUSH:
        after = tables.closed[frame]
        shorter, longer = pushed + tables.direct[after, top], pushed + tables.named[after, top]
    else:
        top = frame if entry & SWAP else top
        shorter, longer = tables.direct[state, top], tables.named[state, top] + kept
    return min(1 + shorter, FAR), min(1 + longer, FAR)


@compiled
def _nearer(tables: Tables, used: Ids) -> bool:
    """Improve costs by one more token of some kinds; return whether there was any change."""
    changed = False
    states, frames, _ = tables.entries.shape
    for state in range(states):
        for top in range(frames):
            for kind in used:
                shorter, longer = _way(tables, tables.entries[state, top, kind], top)
                if tables.matching[state]:
                    # The name comes first.
                    shorter, longer = FAR, min(shorter, longer)
                if shorter < tables.direct[state, top]:
                    tables.direct[state, top], changed = shorter, True
                if longer < tables.named[state, top]:
                    tables.named[state, top], changed = longer, True
    return changed


@compiled
def _forbid_lost(tables: Tables) -> None:
    """Forbid what leads to no end."""
    states, frames, kinds = tables.entries.shape
    for state in range(states):
        for top in range(frames):
            for kind in range(kinds):
                entry = tables.entries[state, top, kind]
                if entry & ALLOWED and min(*_way(tables, entry, top)) >= FAR:
                    tables.entries[state, top, kind] = tables.after


@compiled
def growths(tables: Tables) -> NDArray[np.int64]:
    """Return how much longer each kind (C,) can make the way to the end, at most."""
    states, frames, kinds = tables.entries.shape
    longest = np.full(kinds, -1)
    for state in range(states):
        for top in range(frames):
            direct, named = tables.direct[state, top], tables.named[state, top]
            for kind in range(kinds):
                shorter, longer = _way(tables, tables.entries[state, top, kind], top)
                for more in (0, LONGEST_NAME):
                    before, after = min(direct, named + more), min(shorter, longer + more)
                    if before < FAR and after < FAR:
                        longest[kind] = max(longest[kind], after - 1 - before)
    return longest
