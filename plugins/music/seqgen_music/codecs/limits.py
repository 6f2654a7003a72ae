"""Limits learned from a corpus: new pieces stay within the values of 19 of its 20 pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Share of the pieces of a corpus that stay within a limit.
WITHIN = 0.95


def upper_limit(values: Sequence[int]) -> int:
    """Return the smallest of the values that `WITHIN` of all values do not exceed."""
    return int(np.quantile(values, WITHIN, method="higher"))


def lower_limit(values: Sequence[int]) -> int:
    """Return the largest of the values that `WITHIN` of all values do not fall below."""
    return int(np.quantile(values, 1 - WITHIN, method="lower"))
