"""The table of n-gram counts: hashed sequences of ids, compiled.

Every row of the table is a sequence of ids: a context and its next id are one sequence, which is
itself a context one step later. Comes from: `seqgen.evaluation.ngram`, the model over this table.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.plugin import Ids

#: Counts ``(slots, COLUMNS)`` in an unsigned type; without Kneser and Ney's two, there are fewer.
Table: TypeAlias = NDArray[np.unsignedinteger[Any]]

#: Multiplier of the polynomial hash of a sequence, and the hash of the empty sequence.
_MULTIPLIER, _EMPTY = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03)

#: Spreads hashes over the slots of the table.
_SPREAD = np.uint64(0xBF58476D1CE4E5B9)

#: Least probability that is computed as the rest to 1, where rounding could be most of it.
LEAST_REST = 1e-3

#: Columns of the table: how often a sequence occurred, how often an id followed it, how many
#: different ids followed it, how many different ids preceded it, and the sum of the latter over all
#: sequences that are this one and one more id.
_CAME, _FOLLOWED, _DIFFERENT, _PRECEDED, _CONTINUED = 0, 1, 2, 3, 4
COLUMNS = 5

#: Number of columns that `count_one` needs if no context is part of a longer one.
ALONE = 3

#: What Kneser and Ney's smoothing takes off every count, and gives to the next shorter context.
DISCOUNT = 0.75


@compiled
def read_steps(
    inputs: Ids,
    targets: Ids,
    allowed: NDArray[np.uint8],
    ends: tuple[int, int],
    learn: bool,
    keys: NDArray[np.uint64],
    table: Table,
    context: NDArray[np.uint64],
    probabilities: NDArray[np.float64],
) -> int:
    """Do the work of `NgramModel.read`; return the number of new entries."""
    order, new = len(context), 0
    masses, candidates = np.empty(order), np.empty(ends[1] + 1, np.int64)
    for step in range(len(inputs)):
        advance(context, inputs[step], ends)
        target = targets[step]
        if target < 0:
            continue
        _interpolate(keys, table, context, target, ends[1], probabilities[step])
        if allowed.shape[1] and has_bit(allowed[step], target):
            _sum_allowed(keys, table, context, allowed[step], candidates, masses)
            probabilities[step] /= masses
        if learn:
            new += count_all(keys, table, context, target, ends[1] + 1)
    return new


@compiled
def count_all(
    keys: NDArray[np.uint64], table: Table, context: NDArray[np.uint64], target: int, ids: int
) -> int:
    """Count one of V' ids after its contexts of all lengths; return the number of new entries."""
    new, unseen = 0, False
    for length in range(len(context) - 1, -1, -1):
        added, unseen = count_one(keys, table, context[length], target, unseen, ids)
        new += added
    return new


@compiled
def distribute(
    inputs: Ids,
    ends: tuple[int, int],
    keys: NDArray[np.uint64],
    table: Table,
    context: NDArray[np.uint64],
    probabilities: NDArray[np.float64],
) -> None:
    """Fill in the probabilities ``(N, V')`` of all ids after each input ``(N,)``."""
    tokens = np.arange(probabilities.shape[1])
    orders = np.empty((len(context), len(tokens)))
    continued, places = np.empty(len(tokens)), np.empty(len(tokens), np.int64)
    for step in range(len(inputs)):
        advance(context, inputs[step], ends)
        spread(keys, table, context, tokens, ends[1], places, orders, continued)
        probabilities[step] = orders[-1]


@compiled
def spread(
    keys: NDArray[np.uint64],
    table: Table,
    context: NDArray[np.uint64],
    tokens: Ids,
    end: int,
    places: Ids,
    orders: NDArray[np.float64],
    continued: NDArray[np.float64],
) -> None:
    """Fill in the probabilities of some ids ``(N,)`` by two ways of smoothing.

    What never followed a short context never followed a longer one, so few ids are looked up.

    Parameters
    ----------
    places : int64 array (N,)
        Space.
    orders : float64 array (order, N)
        Witten and Bell's, given 0, 1, 2 ... ids before.
    continued : float64 array (N,)
        Interpolated by Kneser and Ney (1995), given all ids before: a shorter context counts how
        many different ids came before it and the next id, so "Francisco" is unlikely after a new
        word.
    """
    count = len(tokens)
    for place in range(count):
        places[place] = place
    continued[:] = 1.0 / (end + 1)
    for length in range(len(context)):
        shorter = orders[length - 1] if length else continued
        orders[length] = shorter
        slot = find(keys, context[length])
        followed, different = table[slot, _FOLLOWED], table[slot, _DIFFERENT]
        if not keys[slot] or not followed:
            continue
        whole = length == len(context) - 1
        times = followed if whole else table[slot, _CONTINUED]
        for place in range(len(tokens)):
            orders[length, place] = different * shorter[place] / (followed + different)
        continued *= DISCOUNT * different / times
        kept = 0
        for number in range(count):
            place = places[number]
            after = find(keys, longer(context[length], tokens[place]))
            came = table[after, _CAME]
            if came:
                below = shorter[place] if length else 1.0 / (end + 1)
                orders[length, place] = (came + different * below) / (followed + different)
                came = came if whole else table[after, _PRECEDED]
                continued[place] += (came - DISCOUNT) / times
                places[kept] = place
                kept += 1
        count = kept


@compiled
def advance(context: NDArray[np.uint64], token: int, ends: tuple[int, int]) -> None:
    """Append an id to the contexts of all lengths; START and END begin them anew."""
    if token == ends[0] or token == ends[1]:
        open_context(context, ends[0])
    else:
        for length in range(len(context) - 1, 0, -1):
            context[length] = longer(context[length - 1], token)


@compiled
def _interpolate(
    keys: NDArray[np.uint64],
    table: Table,
    context: NDArray[np.uint64],
    target: int,
    end: int,
    probabilities: NDArray[np.float64],
) -> None:
    """Fill in the probability of a target given 0, 1, 2 ... ids before it, ``(order,)``."""
    # START is never predicted, so V' = END + 1 ids share the probability.
    probability = 1.0 / (end + 1)
    for length in range(len(context)):
        slot = find(keys, context[length])
        if keys[slot]:
            came = table[find(keys, longer(context[length], target)), _CAME]
            followed, different = table[slot, _FOLLOWED], table[slot, _DIFFERENT]
            if followed:
                probability = (came + different * probability) / (followed + different)
        probabilities[length] = probability


@compiled
def _sum_allowed(
    keys: NDArray[np.uint64],
    table: Table,
    context: NDArray[np.uint64],
    mask: NDArray[np.uint8],
    candidates: Ids,
    masses: NDArray[np.float64],
) -> None:
    """Fill in the probability of all allowed ids together, given 0, 1, 2 ... ids ``(order,)``.

    Together all ids have 1, so the sum of the forbidden ids does too if they are fewer, as in the
    grammars of large vocabularies. `candidates` (V',) is space for ids.
    """
    count = _collect(mask, False, candidates)
    if 2 * count < len(candidates):
        _sum_chosen(keys, table, context, candidates, count, masses)
        masses[:] = 1 - masses
        if masses.min() > LEAST_REST:
            return
    count = _collect(mask, True, candidates)
    _sum_chosen(keys, table, context, candidates, count, masses)


@compiled
def _collect(mask: NDArray[np.uint8], bit: bool, candidates: Ids) -> int:
    """Fill in the ids that a packed mask ``(W,)`` allows, or those it forbids; return how many."""
    none, count = 0 if bit else 255, 0
    for place in range(len(mask)):
        if mask[place] != none:
            for token in range(8 * place, min(8 * place + 8, len(candidates))):
                if has_bit(mask, token) == bit:
                    candidates[count] = token
                    count += 1
    return count


@compiled
def _sum_chosen(
    keys: NDArray[np.uint64],
    table: Table,
    context: NDArray[np.uint64],
    candidates: Ids,
    count: int,
    masses: NDArray[np.float64],
) -> None:
    """Fill in the probability of the first `count` candidates together, as `_sum_allowed` does.

    Interpolation is linear, so the sum obeys the same formula as the probability of one id. Those
    that followed the context so far are moved to the front: what never followed a short context
    never followed a longer one, so the search soon gets short.
    """
    mass = count / len(candidates)
    for length in range(len(context)):
        slot = find(keys, context[length])
        followed, different = table[slot, _FOLLOWED], table[slot, _DIFFERENT]
        if keys[slot] and followed:
            came, kept = 0, 0
            for number in range(count):
                token = candidates[number]
                times = table[find(keys, longer(context[length], token)), _CAME]
                if times:
                    came += times
                    candidates[kept] = token
                    kept += 1
            count = kept
            mass = (came + different * mass) / (followed + different)
        masses[length] = mass


@compiled
def has_bit(mask: NDArray[np.uint8], token: int) -> bool:
    """Return whether a packed mask ``(W,)`` allows an id."""
    return bool(mask[token >> 3] >> (7 - (token & 7)) & 1)


@compiled
def count_one(
    keys: NDArray[np.uint64],
    table: Table,
    context: np.uint64,
    target: int,
    unseen: bool,
    ids: int,
) -> tuple[int, bool]:
    """Count an id that followed a context.

    Counts that reach the highest number of their type are halved, all of a context at once.

    Parameters
    ----------
    unseen : bool
        Whether a longer context was never followed by it before.
    ids : int
        V', the number of ids that can follow.

    Returns
    -------
    new : int
        Number of new entries.
    unseen : bool
        Whether this context was never followed by it before.
    """
    new, before = 0, find(keys, context)
    if not keys[before]:
        keys[before] = context
        new += 1
    sequence = longer(context, target)
    after = find(keys, sequence)
    if not keys[after]:
        keys[after] = sequence
        new += 1
    most = np.iinfo(table.dtype).max
    if table[before, _FOLLOWED] == most:
        _halve(keys, table, context, ids, _CAME, _FOLLOWED)
    if unseen and table[before, _CONTINUED] == most:
        _halve(keys, table, context, ids, _PRECEDED, _CONTINUED)
    first = not table[after, _CAME]
    table[before, _FOLLOWED] += 1
    table[after, _CAME] += 1
    if first:
        table[before, _DIFFERENT] += 1
    if unseen:
        table[after, _PRECEDED] += 1
        table[before, _CONTINUED] += 1
    return new, first


@compiled
def _halve(
    keys: NDArray[np.uint64], table: Table, context: np.uint64, ids: int, part: int, total: int
) -> None:
    """Halve the counts of all ids after a context, and add them up anew; 1 stays 1.

    `part` and `total` are the columns of the counts and of their sum.
    """
    count = 0
    for token in range(ids):
        after = find(keys, longer(context, token))
        table[after, part] = (table[after, part] + 1) // 2
        count += table[after, part]
    table[find(keys, context), total] = count


@compiled
def open_context(context: NDArray[np.uint64], start: int) -> None:
    """Set the contexts of all lengths to those before the first id of a piece."""
    context[0] = _EMPTY
    for length in range(1, len(context)):
        context[length] = longer(context[length - 1], start)


@compiled
def longer(sequence: np.uint64, token: int) -> np.uint64:
    """Return the hash of a sequence and one more id."""
    return np.uint64(sequence * _MULTIPLIER + np.uint64(token + 1))


@compiled
def find(keys: NDArray[np.uint64], key: np.uint64) -> int:
    """Return the slot of a key, or the free slot for it."""
    last = len(keys) - 1
    slot = np.int64((key * _SPREAD) >> np.uint64(20)) & last
    while keys[slot] and keys[slot] != key:
        slot = (slot + 1) & last
    return int(slot)


@compiled
def copy_entries(
    keys: NDArray[np.uint64],
    table: Table,
    new_keys: NDArray[np.uint64],
    new_table: Table,
) -> None:
    """Copy all entries into a larger table."""
    for slot in range(len(keys)):
        if keys[slot]:
            place = find(new_keys, keys[slot])
            new_keys[place] = keys[slot]
            new_table[place] = table[slot]
