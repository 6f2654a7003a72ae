"""What is usual in a corpus: how far all but a few of its pieces go, and new ones may."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Share of a corpus's pieces that go no further than a new one may.
USUAL = 0.95


def usual_most(values: Sequence[int]) -> int:
    """Return the least value that so many pieces do not exceed, of one or more."""
    return int(np.quantile(values, USUAL, method="higher"))


def usual_least(values: Sequence[int]) -> int:
    """Return the greatest value that so many pieces do not fall below, of one or more."""
    return int(np.quantile(values, 1 - USUAL, method="lower"))
