"""Rounding to a grid: to the nearest step; halves go up.

Every codec rounds with these two functions. A piece that is moved by whole steps keeps its notes,
moved by as much. Rounding halves to even would break that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled

#: Decimal places of a step that floating-point numbers hold, however long the piece is.
DIGITS = 6


@compiled
def rounded(ticks: Any, steps: int, quarter: int) -> Any:
    """Return the nearest steps of integer ticks.

    Parameters
    ----------
    ticks : int or int64 array
    steps, quarter : int
        Steps and ticks in a quarter note.
    """
    return (2 * steps * ticks + quarter) // (2 * quarter)


def nearest(steps: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the nearest whole steps of floating-point numbers.

    Half a step counts as half within a millionth. For example, 1.005 seconds times 100 gives
    100.49999999999999, which rounds up as 100.5 does.
    """
    return np.floor(np.round(steps, DIGITS) + 0.5).astype(np.int64)
