"""The memory of the codec `performance`: what followed when the same pitches came before.

Music repeats its motives, and an LSTM does not look them up. The memory looks up the last pitches
among all pitches played, the longest motive first. It expects the note that followed then.

The functions are compiled. A memory is a row of numbers, a ring of motives with what followed each
the last time, and a hash table of their places in the ring.
"""

from __future__ import annotations

from typing import NamedTuple

from seqgen.compiling import compiled, copy
from seqgen.plugin import Ids

#: Pitches of the shortest and the longest motive.
SHORTEST, LONGEST = 2, 6

#: Most motives in the memory; streams may be endless, so the oldest are dropped.
MOST_MOTIVES = 2**16

#: The number of expected notes in a row at which features stop counting.
LONGEST_RUN = 15

#: Features distinguish a note that is up to `LATEST` steps late, or up to `FARTHEST` steps ahead.
#: 0 means later, or nothing due.
LATEST, FARTHEST = 8, 101

#: A step long past: nothing is due.
NEVER = -(10**9)

#: Columns of the ring: the motive; the pitch that followed, above the lowest, plus 1; the steps
#: since the note before it began; its bin of velocity; its length in steps, 0 while it sounds; its
#: number among all notes, from 1 on.
MOTIVE, PITCH, GAP, BIN, LENGTH, NUMBER, COLUMNS = range(7)

#: Fields of a memory: the last pitches, and the step of the last note; what is expected, as in the
#: ring, with the step at which it is due; the expected notes in a row; the number of notes; the
#: place of the oldest motive, the number of motives, and the largest number of them.
RECENT, STARTED, EXPECTED, DUE = 0, 1, 2, 2 + COLUMNS
RUN, NOTES, OLDEST, KEPT, MOST, FIELDS = range(DUE + 1, DUE + 7)

#: Bits of a pitch in a motive, whose last pitch is lowest; all bits of the longest motive.
BITS = 8
ALL = (1 << BITS * LONGEST) - 1

#: An odd number that spreads motives over the hash table.
SPREAD = 0x1E3779B97F4A7C15


class Memory(NamedTuple):
    """The arrays of a memory.

    Attributes
    ----------
    head : int64 array (FIELDS,)
    ring : int64 array (R, COLUMNS)
        R exceeds the most motives by as many as come at once.
    slots : int64 array (S,)
        Places in the ring, plus 1; 0 is free. S is a power of two, at least twice R.
    """

    head: Ids
    ring: Ids
    slots: Ids


def forget(head: Ids, most: int = MOST_MOTIVES) -> None:
    """Set the fields of a memory of nothing."""
    head[:] = 0
    head[EXPECTED + GAP] = head[DUE] = NEVER
    head[MOST] = most


@compiled
def _motive(recent: int, size: int) -> int:
    """Return the motive of the last `size` pitches, or 0 if there are fewer."""
    motive = recent & ((1 << BITS * size) - 1)
    return motive if motive >> BITS * (size - 1) else 0


@compiled
def _slot_of(memory: Memory, motive: int) -> int:
    """Return the slot of a motive, or the free one that it would have."""
    last = len(memory.slots) - 1
    slot = (motive * SPREAD >> 20) & last
    while memory.slots[slot] and memory.ring[memory.slots[slot] - 1, MOTIVE] != motive:
        slot = (slot + 1) & last
    return int(slot)


@compiled
def begin(memory: Memory, step: int, pitch: int, bin: int) -> int:
    """Add a note that begins at a step; `pitch` and `bin` are as in the ring.

    Returns
    -------
    int
        The step of its end if it lasts as it did before, or `NEVER`.
    """
    head = memory.head
    is_expected = head[EXPECTED + PITCH] == pitch
    head[RUN] = min(head[RUN] + 1, LONGEST_RUN) if is_expected else 0
    length = head[EXPECTED + LENGTH] if is_expected else 0
    head[NOTES] += 1
    for size in range(LONGEST, SHORTEST - 1, -1):
        motive = _motive(head[RECENT], size)
        if motive:
            _remember(memory, motive, pitch, step - head[STARTED], bin)
    while head[KEPT] > head[MOST]:
        _drop_oldest(memory)
    head[RECENT] = (head[RECENT] << BITS | pitch) & ALL
    head[STARTED] = step
    _expect(memory, step)
    return int(step + length) if length else NEVER


@compiled
def _remember(memory: Memory, motive: int, pitch: int, gap: int, bin: int) -> None:
    """Keep what followed a motive now."""
    head, slot = memory.head, _slot_of(memory, motive)
    if not memory.slots[slot]:
        memory.slots[slot] = (head[OLDEST] + head[KEPT]) % len(memory.ring) + 1
        head[KEPT] += 1
    row = memory.ring[memory.slots[slot] - 1]
    row[MOTIVE], row[PITCH], row[GAP], row[BIN], row[LENGTH] = motive, pitch, gap, bin, 0
    row[NUMBER] = head[NOTES]


@compiled
def _drop_oldest(memory: Memory) -> None:
    """Drop the oldest motive; others move up in the hash table, so that no search ends early."""
    head, slots, last = memory.head, memory.slots, len(memory.slots) - 1
    free = _slot_of(memory, memory.ring[head[OLDEST], MOTIVE])
    slot = (free + 1) & last
    while slots[slot]:
        home = (memory.ring[slots[slot] - 1, MOTIVE] * SPREAD >> 20) & last
        if (slot - home) & last >= (slot - free) & last:
            slots[free] = slots[slot]
            free = slot
        slot = (slot + 1) & last
    slots[free] = 0
    head[OLDEST] = (head[OLDEST] + 1) % len(memory.ring)
    head[KEPT] -= 1


@compiled
def _expect(memory: Memory, step: int) -> None:
    """Look up the last pitches, the longest motive first."""
    head = memory.head
    expected = head[EXPECTED : EXPECTED + COLUMNS]
    expected[:] = 0
    expected[GAP] = NEVER
    for size in range(LONGEST, SHORTEST - 1, -1):
        motive = _motive(head[RECENT], size)
        found = memory.slots[_slot_of(memory, motive)] if motive else 0
        if found:
            copy(memory.ring[found - 1], expected)
            break
    head[DUE] = step + expected[GAP]


@compiled
def end(memory: Memory, before: int, number: int, length: int) -> None:
    """Give a note its length, wherever it is remembered.

    Parameters
    ----------
    memory : Memory
    before : int
        The last pitches before it began.
    number, length : int
        As in the ring.
    """
    for size in range(SHORTEST, LONGEST + 1):
        motive = _motive(before, size)
        found = memory.slots[_slot_of(memory, motive)] if motive else 0
        if found and memory.ring[found - 1, NUMBER] == number:
            memory.ring[found - 1, LENGTH] = length
    if memory.head[EXPECTED + NUMBER] == number:
        memory.head[EXPECTED + LENGTH] = length


@compiled
def due(at: int, now: int) -> int:
    """Return a step at which something is due as a feature, now."""
    return max(min(at - now, FARTHEST) + LATEST + 1, 0)


@compiled
def move(memory: Memory, larger: Memory) -> None:
    """Copy a memory into a larger one of nothing."""
    copy(memory.head, larger.head)
    larger.head[OLDEST] = 0
    for count in range(memory.head[KEPT]):
        row = memory.ring[(memory.head[OLDEST] + count) % len(memory.ring)]
        copy(row, larger.ring[count])
        larger.slots[_slot_of(larger, row[MOTIVE])] = count + 1
