"""A grammar as a table of states: what may come depends on the state, which each token moves.

Tokens of one kind mean the same to the grammar. `Automaton` gives the masks of whole pieces and a
tracker. It follows any ids, so a table says where forbidden tokens lead, too.

S states, K kinds, V tokens, N ids.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqgen.compiling import compiled
from seqgen.following import Followed, flat, part, step_function
from seqgen.grammar import IndexedMasks, packed
from seqgen.plugin import ClosingTracker, Ids


class Automaton:
    """A grammar of few states; the first one comes before every piece.

    Parameters
    ----------
    kinds : int array-like (V,)
        The kind of each token, from 0 to K - 1.
    allowed : bool array-like (S, K + 1)
        Kinds that may come in each state, and whether END may.
    moves : int array-like (S, K)
        The state after a token of each kind, also after one that is not allowed.

    Attributes
    ----------
    count : int
        V.
    """

    def __init__(self, kinds: ArrayLike, allowed: ArrayLike, moves: ArrayLike) -> None:
        self._kinds = np.asarray(kinds, np.int64)
        self.count = len(self._kinds)
        self._moves = np.asarray(moves, np.uint8)
        by_kind = np.asarray(allowed, bool)
        #: What may come in each state (S, V + 1).
        self._table = np.concatenate([by_kind[:, self._kinds], by_kind[:, -1:]], axis=1)
        self._table.flags.writeable = False
        self._packed = packed(self._table)  # (S, W)
        self._distances = _distances(by_kind, self._moves, np.unique(self._kinds))
        self._closing: dict[tuple[int, int], NDArray[np.bool_]] = {}

    @cached_property
    def table(self) -> NDArray[np.uint8]:
        """All that `_step` needs."""
        moves = self._moves.astype(np.int64)
        return flat(self._kinds, moves, self._distances, np.array(moves.shape), self._table)

    def masks(self, ids: Ids) -> IndexedMasks:
        """Return `Codec.masks` of ids ``(N,)``."""
        states = np.zeros(len(ids) + 1, np.uint8)
        _follow(self._kinds[ids], self._moves, states)
        return IndexedMasks(self._packed, states)

    def tracker(self) -> AutomatonTracker:
        """Return a tracker before the first token."""
        return AutomatonTracker(self)

    def allowed(self, state: int) -> NDArray[np.bool_]:
        """Return the mask ``(V + 1,)`` of a state, read-only."""
        mask: NDArray[np.bool_] = self._table[state]
        return mask

    def closing(self, state: int, room: int) -> NDArray[np.bool_]:
        """Return what `Tracker.closing` returns in a state ``(V + 1,)``, read-only."""
        if room > self._distances.max():
            return self.allowed(state)
        if (mask := self._closing.get((state, room))) is None:
            ahead = self._distances[self._moves[state, self._kinds]]  # (V,)
            mask = self._table[state].copy()
            earliest = ahead[mask[:-1]].min(initial=np.iinfo(np.int64).max)
            mask[:-1] &= ahead <= (room - 1 if mask[-1] else max(room - 1, earliest))
            mask.flags.writeable = False
            self._closing[state, room] = mask
        return mask

    def after(self, state: int, token: int) -> int:
        """Return the state after a token."""
        return int(self._moves[state, self._kinds[token]])


class AutomatonTracker(ClosingTracker):
    """Follows one piece; copies share the automaton."""

    def __init__(self, automaton: Automaton, state: int = 0) -> None:
        self._automaton, self._memory = automaton, np.array([state], np.int64)

    @property
    def _state(self) -> int:
        return int(self._memory[0])

    def __deepcopy__(self, memo: dict[int, Any]) -> AutomatonTracker:
        return AutomatonTracker(self._automaton, self._state)

    def followed(self) -> Followed:
        """Return what compiled code follows."""
        table = self._automaton.table
        return Followed(step_function(_step), table, self._memory, self._automaton.count)

    def features(self) -> tuple[int, ...]:
        """Return nothing: text has no features."""
        return ()

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask ``(V + 1,)`` of the state."""
        return self._automaton.allowed(self._state)

    def closing(self, room: int) -> NDArray[np.bool_]:
        """Return the mask ``(V + 1,)`` of tokens from which the piece can end in time."""
        return self._automaton.closing(self._state, room)

    def forced(self) -> None:
        """Return None: a mask may allow one id only."""

    def push(self, token: int) -> None:
        """Move to the next state."""
        self._memory[0] = self._automaton.after(self._state, token)


def _step(
    table: NDArray[np.uint8],
    state: Ids,
    token: int,
    room: int,
    features: Ids,
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
) -> None:
    """Do what `push`, `allowed` and `closing` do (`seqgen.following`)."""
    kinds, distances = part(table, 0).view(np.int64), part(table, 2).view(np.int64)
    count, width = part(table, 3).view(np.int64)[:2]
    moves = part(table, 1).view(np.int64)[: count * width].reshape(count, width)
    here = state[0] = moves[state[0], kinds[token]]
    size = len(possible)
    row = part(table, 4)[here * size : (here + 1) * size]
    for each in range(size):
        possible[each] = allowed[each] = row[each] != 0
    if 0 <= room <= distances[:count].max():
        earliest = count
        for each in range(size - 1):
            if possible[each]:
                earliest = min(earliest, distances[moves[here, kinds[each]]])
        limit = room - 1 if possible[size - 1] else max(room - 1, earliest)
        for each in range(size - 1):
            allowed[each] &= distances[moves[here, kinds[each]]] <= limit


def _distances(allowed: NDArray[np.bool_], moves: NDArray[np.uint8], kinds: Ids) -> Ids:
    """Return the least number of tokens of `kinds` from each state to where END may come (S,)."""
    far = len(moves)
    distances = np.where(allowed[:, -1], 0, far)  # (S,)
    for _ in moves:
        known = np.where(allowed[:, kinds], distances[moves[:, kinds]], far)
        ahead = known.min(axis=1, initial=far) + 1
        distances = np.minimum(distances, ahead)
    return distances


@compiled
def _follow(kinds: Ids, moves: NDArray[np.uint8], states: NDArray[np.uint8]) -> None:
    """Write the state after each of N tokens into ``states[1:]``."""
    for place in range(len(kinds)):
        states[place + 1] = moves[states[place], kinds[place]]
