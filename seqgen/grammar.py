"""Masks as packed bits: which ids a grammar allows at each position of a piece.

Also the tracker of codecs that define none: it follows features and masks. `TableGrammar` is a
whole grammar for codecs whose rules are a table.

Plugin authors build the rows of `Codec.masks` with `packed`. A grammar whose masks come from few
rows packs them once and says which row each position has::

    ROWS = packed([[True, True, False], [False, False, True]])  # (2, 1): two ids and END
    masks = IndexedMasks(ROWS, states)  # (N + 1, 1): states (N + 1,) are the row of each position

Next: `seqgen.evaluation.loss` takes the loss over allowed ids only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import PluginError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Positions whose masks are held unpacked at once.
PART = 1024


def packed(table: ArrayLike) -> NDArray[np.uint8]:
    """Return bool masks ``(..., len(vocab) + 1)``, END last, as bits ``(..., W)``."""
    return np.packbits(np.asarray(table, bool), axis=-1)


def packed_in_parts(
    ids: NDArray[np.int64],
    count: int,
    follow: Callable[[NDArray[np.int64], NDArray[np.bool_]], None],
) -> NDArray[np.uint8]:
    """Return packed masks ``(N + 1, W)`` of ids ``(N,)``; only a part is ever unpacked in memory.

    Parameters
    ----------
    ids : int64 array (N,)
    count : int
        ``len(vocab) + 1``.
    follow : callable
        Gets the next M ids and rows ``(M + 1, count)`` of False: sets the mask before each id and
        after the last, and moves its state along.
    """
    masks = np.empty((len(ids) + 1, width(count)), np.uint8)
    for first in range(0, len(ids) + 1, PART):
        part = ids[first : first + PART]
        rows = np.zeros((len(part) + 1, count), bool)
        follow(part, rows)
        masks[first : first + len(rows)] = packed(rows)
    return masks


def unpacked(rows: NDArray[np.uint8], count: int) -> NDArray[np.bool_]:
    """Return packed masks ``(..., W)`` as bool ``(..., count)``; count is ``len(vocab) + 1``."""
    return np.unpackbits(rows, axis=-1, count=count).view(bool)


def width(count: int) -> int:
    """Return W, the number of bytes that hold `count` bits."""
    return -(-count // 8)


@dataclass(frozen=True)
class IndexedMasks:
    """Packed masks ``(N + 1, W)`` of a grammar that has few different rows.

    Only parts become arrays, so the masks of a long piece with many ids take little memory.

    Attributes
    ----------
    table : uint8 array (S, W)
        The different rows.
    rows : integer array (N + 1,)
        The row of the table that each position has.
    """

    table: NDArray[np.uint8]
    rows: NDArray[np.integer[Any]]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: Any) -> NDArray[np.uint8]:
        return np.asarray(self.table[self.rows[part]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        # NumPy makes an array of all masks with this.
        return np.asarray(self[:], dtype)


#: Masks of a piece: packed rows, or few rows and which of them each position has.
Masks: TypeAlias = "NDArray[np.uint8] | IndexedMasks"


def forbidden(masks: Masks, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions ``(P,)`` of ids ``(N,)`` that their masks ``(N + 1, W)`` forbid."""
    if isinstance(masks, IndexedMasks):
        bits = masks.table[masks.rows[:-1], ids // 8]  # (N,)
    else:
        bits = masks[np.arange(len(ids)), ids // 8]
    return np.flatnonzero(bits & (0x80 >> ids % 8) == 0)


class Described(Protocol):
    """The part of `seqgen.plugin.Codec` that says what each position of a piece is like."""

    vocab: Sequence[str]
    feature_sizes: tuple[int, ...]

    def features(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the features ``(N + 1, K)`` of ids ``(N,)``."""

    def masks(self, ids: NDArray[np.int64]) -> Masks | None:
        """Return the packed masks ``(N + 1, W)`` of ids ``(N,)``, or None."""


class DerivedTracker:
    """The last rows of `Codec.features` and `Codec.masks` of the ids so far, computed at each step.

    So it is right for every codec, and takes O(N) for the step after N ids.

    Parameters
    ----------
    codec : Described
    """

    def __init__(self, codec: Described) -> None:
        self._codec = codec
        self._room, self._count = np.zeros(64, np.int64), 0

    @classmethod
    def of(cls, codec: Described) -> DerivedTracker | None:
        """Return the tracker of a codec, or None if it has neither features nor masks."""
        has_masks = codec.masks(np.zeros(0, np.int64)) is not None
        return cls(codec) if has_masks or codec.feature_sizes else None

    def __deepcopy__(self, memo: dict[int, Any]) -> DerivedTracker:
        # Copies share the codec.
        other = type(self)(self._codec)
        other._room, other._count = self._room.copy(), self._count
        return other

    @property
    def _ids(self) -> NDArray[np.int64]:
        ids = self._room[: self._count]
        ids.flags.writeable = False
        return ids

    def features(self) -> Sequence[int]:
        """Return the last row ``(K,)`` of `Codec.features`."""
        if not self._codec.feature_sizes:
            return ()
        row: list[int] = np.asarray(self._codec.features(self._ids))[-1].tolist()
        return row

    def allowed(self) -> NDArray[np.bool_] | None:
        """Return the last row of `Codec.masks` as a mask ``(len(vocab) + 1,)``."""
        rows = self._codec.masks(self._ids)
        return None if rows is None else unpacked(rows[-1], len(self._codec.vocab) + 1)

    def forced(self) -> None:
        """Return None: a mask may allow one id only."""

    def push(self, token: int) -> None:
        """Append the id that was written."""
        if self._count == len(self._room):
            self._room = np.concatenate([self._room, np.zeros_like(self._room)])
        self._room[self._count] = token
        self._count += 1


class TableGrammar:
    """A grammar with S states: masks of a piece, and a tracker that ends pieces whole.

    Parameters
    ----------
    allowed : bool array (S, n + 1)
        Which of n ids may come in each state; END is last.
    following : int array (S, n), optional
        The state after each id in each state, also after ids that may not come. By default there is
        a state for each id, which is the last one, and one more for the start.
    start : int, optional
        The state at the start; by default the last one.

    Raises
    ------
    PluginError
        If a shape or a state is wrong, or a state allows nothing.

    Examples
    --------
    Letters a and b in turn; b ends a piece::

        grammar = TableGrammar([[False, True, False], [True, False, True], [True, False, False]])
        grammar.masks(ids)  # for Codec.masks
        grammar.tracker()  # for Codec.tracker
    """

    def __init__(
        self, allowed: ArrayLike, following: ArrayLike | None = None, start: int = -1
    ) -> None:
        self.allowed = np.asarray(allowed, bool)
        states, count = self.allowed.shape
        if following is None:
            following = np.broadcast_to(np.arange(count - 1), (states, count - 1))
        self.following = np.asarray(following, np.int64)
        self.start = start % states
        if self.following.shape != (states, count - 1):
            raise PluginError(
                f"following must have the shape {(states, count - 1)}, as allowed has without END; "
                f"found {self.following.shape}"
            )
        if self.following.size and not 0 <= self.following.min() <= self.following.max() < states:
            raise PluginError(f"following must have states from 0 to {states - 1}")
        if not (ends := self.allowed.any(axis=1)).all():
            raise PluginError(f"state {int(ends.argmin())} allows no id; allow END at least")
        self._packed = packed(self.allowed)

    def masks(self, ids: NDArray[np.int64]) -> IndexedMasks:
        """Return the masks ``(N + 1, W)`` of any ids ``(N,)``."""
        state, states = self.start, [self.start]
        for token in ids.tolist():
            state = int(self.following[state, token])
            states.append(state)
        return IndexedMasks(self._packed, np.array(states))

    def tracker(self) -> TableTracker:
        """Return a new tracker, at the start."""
        return TableTracker(self, self.start)

    @cached_property
    def to_the_end(self) -> NDArray[np.float64]:
        """The least number of ids from each state ``(S,)`` to one that allows END; may be inf."""
        steps = np.where(self.allowed[:, -1], 0.0, np.inf)
        for _ in range(len(steps)):
            ahead = np.where(self.allowed[:, :-1], steps[self.following] + 1, np.inf)
            nearer = np.minimum(steps, ahead.min(axis=1, initial=np.inf))
            if np.array_equal(nearer, steps):
                break
            steps = nearer
        return steps


class TableTracker:
    """Follows one piece through the states of a `TableGrammar`; copies share the grammar."""

    def __init__(self, grammar: TableGrammar, state: int) -> None:
        self._grammar, self._state = grammar, state

    def __deepcopy__(self, memo: dict[int, Any]) -> TableTracker:
        return TableTracker(self._grammar, self._state)

    def features(self) -> Sequence[int]:
        """Return nothing."""
        return ()

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask ``(n + 1,)`` of the state."""
        mask: NDArray[np.bool_] = self._grammar.allowed[self._state]
        return mask

    def closing(self, room: int) -> NDArray[np.bool_]:
        """Return the part of the mask from which the piece can end in time, or else soonest."""
        mask = self.allowed().copy()
        ahead = 1 + self._grammar.to_the_end[self._grammar.following[self._state]]  # (n,)
        soonest = 0.0 if mask[-1] else ahead[mask[:-1]].min()
        mask[:-1] &= ahead <= max(room, soonest)
        return mask

    def forced(self) -> None:
        """Return None: a mask may allow one id only."""

    def push(self, token: int) -> None:
        """Move to the next state."""
        self._state = int(self._grammar.following[self._state, token])
