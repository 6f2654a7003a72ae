"""Rounding to a grid: to the nearest step, and the later of two that are equally near.

Every codec rounds by these two functions. Where a note stands in its piece decides nothing: a piece
that is moved by whole steps has the same notes, moved. Rounding halves to even would not keep that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled

#: Digits of a step that floating-point numbers hold for certain, however long the piece is.
DIGITS = 6


@compiled
def rounded(ticks: Any, steps: int, quarter: int) -> Any:
    """Return the nearest steps of exact ticks, of which a quarter has `quarter`."""
    return (2 * steps * ticks + quarter) // (2 * quarter)


def nearest(steps: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the nearest whole steps of floating-point numbers.

    Half a step is one to within a millionth, so that 100.49999999999999, which is what
    1.005 seconds times 100 gives, is rounded as 0.5 is.
    """
    return np.floor(np.round(steps, DIGITS) + 0.5).astype(np.int64)
