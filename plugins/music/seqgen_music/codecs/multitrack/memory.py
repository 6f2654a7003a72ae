"""The memory of the codec `multitrack`: what followed when the same tokens came before.

Music repeats its bars, and an LSTM does not look them up. The memory looks up the last tokens among
all tokens before, the longest stretch first. The token that followed then, and the length of the
stretch, are two features.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqgen.compiling import compiled, copy
from seqgen.plugin import Ids

#: Tokens of the stretches that are looked up: 2, 4, 8 ... 512.
SIZES = tuple(2**power for power in range(1, 10))

#: Tokens after which a stretch is dropped; streams may be endless.
FARTHEST = 2**15

#: A stretch is hashed by a polynomial, modulo a prime that makes collisions improbable.
BASE, PRIME = 1_000_003, 2**61 - 1

#: The weight of the token that leaves a stretch, by size.
LEAVING = np.array([pow(BASE, size - 1, PRIME) for size in SIZES])

#: An odd number that spreads stretches over the hash table, and bits of a token in its values.
SPREAD, TOKEN_BITS = 0x1E3779B97F4A7C15, 20

#: Numbers of a memory: of tokens, of used slots, and the tokens after which a stretch is dropped;
#: the expected token plus one and the index of its stretch in `SIZES` plus one, or zeros; then the
#: hash of the last tokens by size, and the last tokens plus one, that of token n at n modulo their
#: number.
COUNT, USED, REACH, EXPECTED, STRETCHES = 0, 1, 2, 3, 5
RECENT = STRETCHES + len(SIZES)
HEAD = RECENT + SIZES[-1]


def expectations(ids: Ids) -> Ids:
    """Return the expected token at every position, and the stretch that it follows.

    Parameters
    ----------
    ids : int64 array (N,)

    Returns
    -------
    int64 array (N + 1, 2)
        The token plus one, and the index in `SIZES` plus one; zeros if the last tokens have not
        come before.
    """
    expected = np.zeros((len(ids) + 1, 2), np.int64)
    # The number of the stretch before each position; a number of its own if there is none.
    stretch = np.append(-1, ids)
    for number, size in enumerate(SIZES, 1):
        half = size // 2
        if size > len(ids):
            break
        pairs = stretch[half:-half] * (stretch.max() + 1) + stretch[size:]
        _, found = np.unique(pairs, return_inverse=True)
        stretch = np.concatenate([-1 - np.arange(size), found])
        order = np.argsort(stretch, kind="stable")
        again = (stretch[order[1:]] == stretch[order[:-1]]) & (np.diff(order) <= FARTHEST)
        expected[order[1:][again], 0] = ids[order[:-1][again]] + 1
        expected[order[1:][again], 1] = number
    return expected


class Memory(NamedTuple):
    """The arrays of a memory that gives the rows of `expectations` token by token.

    Attributes
    ----------
    head : int64 array (HEAD,)
    slots : int64 array (S, 2)
        A hash table of the stretches of all sizes, each with the position and the token that
        followed it the last time; free slots are 0. S is a power of two. A stretch stays after it
        is dropped, until `move` makes a new table.
    """

    head: Ids
    slots: Ids


@compiled
def _times(number: int, factor: int) -> int:
    """Return a product modulo `PRIME`; the factor has at most 30 bits."""
    high, low = (number >> 31) * factor, (number & 0x7FFFFFFF) * factor
    # 2 ** 61 is 1: the bits of `high` from 30 on wrap around.
    return _reduced((high >> 30) + ((high & 0x3FFFFFFF) << 31) + _reduced(low))


@compiled
def _reduced(number: int) -> int:
    """Return a number from 0 to 2 ** 63 modulo `PRIME`."""
    number = (number >> 61) + (number & PRIME)
    return number - PRIME if number >= PRIME else number


@compiled
def _slot_of(slots: Ids, stretch: int, size: int) -> int:
    """Return the slot of a stretch whose size has a number, or the free one it would have."""
    key, last = _key(stretch, size), len(slots) - 1
    slot = (key * SPREAD >> 20) & last
    while slots[slot, 0] and slots[slot, 0] != key:
        slot = (slot + 1) & last
    return int(slot)


@compiled
def _key(stretch: int, size: int) -> int:
    """Return the number of a stretch in the table, which is not 0."""
    return (stretch ^ size << 57) + 1


@compiled
def push(memory: Memory, token: int) -> None:
    """Update a memory with a token; the table must have a free slot for each of `SIZES`."""
    head, slots = memory.head, memory.slots
    count, recent = head[COUNT], head[RECENT:HEAD]
    head[COUNT] = count + 1
    head[EXPECTED] = head[EXPECTED + 1] = 0
    for number in range(len(SIZES)):
        size, stretch = SIZES[number], head[STRETCHES + number]
        gone = 0
        if count >= size:
            slot = _slot_of(slots, stretch, number)
            if slots[slot, 0] == 0:
                head[USED] += 1
            slots[slot, 0] = _key(stretch, number)
            slots[slot, 1] = count << TOKEN_BITS | token
            gone = _times(LEAVING[number], recent[(count - size) % len(recent)])
        stretch = _reduced(_times(_reduced(stretch - gone + PRIME), BASE) + token + 1)
        head[STRETCHES + number] = stretch
        if count + 1 >= size:
            value = slots[_slot_of(slots, stretch, number), 1]
            if value and count + 1 - (value >> TOKEN_BITS) <= head[REACH]:
                head[EXPECTED] = (value & ((1 << TOKEN_BITS) - 1)) + 1
                head[EXPECTED + 1] = number + 1
    recent[count % len(recent)] = token + 1


@compiled
def kept(memory: Memory) -> int:
    """Return the number of stretches that are not dropped."""
    found = 0
    for slot in range(len(memory.slots)):
        found += _is_kept(memory, slot)
    return found


@compiled
def _is_kept(memory: Memory, slot: int) -> bool:
    """Return whether a slot has a stretch that is not dropped."""
    at = memory.slots[slot, 1] >> TOKEN_BITS
    return bool(memory.slots[slot, 0] and memory.head[COUNT] - at <= memory.head[REACH])


@compiled
def move(memory: Memory, larger: Memory) -> None:
    """Copy what a memory has not dropped into an empty one with a larger table."""
    copy(memory.head, larger.head)
    larger.head[USED] = 0
    last = len(larger.slots) - 1
    for slot in range(len(memory.slots)):
        if _is_kept(memory, slot):
            to = (memory.slots[slot, 0] * SPREAD >> 20) & last
            while larger.slots[to, 0]:
                to = (to + 1) & last
            copy(memory.slots[slot], larger.slots[to])
            larger.head[USED] += 1
