"""Masks as packed bits: which ids a grammar allows at each position of a piece.

Plugin authors build the rows of `Codec.masks` with `packed`. A grammar whose masks come from few
rows packs them once and indexes them::

    ROWS = packed([[True, True, False], [False, False, True]])  # (2, 1): two ids and END
    masks = ROWS[states]  # (N + 1, 1): states (N + 1,) are the row of each position

Next: `seqgen.evaluation.loss` takes the loss over allowed ids only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def packed(table: ArrayLike) -> NDArray[np.uint8]:
    """Return bool masks ``(..., len(vocab) + 1)``, END last, as bits ``(..., W)``."""
    return np.packbits(np.asarray(table, bool), axis=-1)


def unpacked(rows: NDArray[np.uint8], count: int) -> NDArray[np.bool_]:
    """Return packed masks ``(..., W)`` as bool ``(..., count)``; count is ``len(vocab) + 1``."""
    return np.unpackbits(rows, axis=-1, count=count).view(bool)


def width(count: int) -> int:
    """Return W, the number of bytes that hold `count` bits."""
    return -(-count // 8)
