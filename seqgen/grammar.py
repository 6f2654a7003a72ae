"""Masks as packed bits: which ids a grammar allows at each position of a piece.

Also the tracker of codecs that define none: it follows features and masks.

Plugin authors build the rows of `Codec.masks` with `packed`. A grammar whose masks come from few
rows packs them once and says which row each position has::

    ROWS = packed([[True, True, False], [False, False, True]])  # (2, 1): two ids and END
    masks = IndexedMasks(ROWS, states)  # (N + 1, 1): states (N + 1,) are the row of each position

Next: `seqgen.evaluation.loss` takes the loss over allowed ids only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

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
    rows, table = np.arange(len(ids)), masks
    if isinstance(masks, IndexedMasks):
        rows, table = masks.rows[:-1], masks.table
    is_allowed = np.asarray(table[rows, ids // 8]) & (0x80 >> ids % 8)  # (N,)
    return np.flatnonzero(is_allowed == 0)


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
