"""The tracker of the codec `performance`: the grammar, and limits for new pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.following import NOTHING, STRIDE, Followed, step_function
from seqgen.plugin import Tracker
from seqgen_music.codecs.performance import steps
from seqgen_music.codecs.performance.layout import PerformanceLayout
from seqgen_music.codecs.performance.loops import Limits


class PerformanceTracker(Tracker):
    """Knows the features, and what may come next.

    Parameters
    ----------
    layout : PerformanceLayout
    limits : Limits
    seconds : float, optional
        No note begins after this time, and the piece does not end before it.
    """

    def __init__(
        self, layout: PerformanceLayout, limits: Limits, seconds: float | None = None
    ) -> None:
        self._layout, self._table = layout, steps.constants(layout, limits, seconds)
        self._state = steps.new_state()

    def __deepcopy__(self, memo: dict[int, Any]) -> PerformanceTracker:
        # Copies share what does not change.
        other = PerformanceTracker.__new__(PerformanceTracker)
        other._layout, other._table = self._layout, self._table
        other._state = self._state.copy()
        return other

    def features(self) -> Sequence[int]:
        """Return the row of `PerformanceCodec.features` for the next position."""
        row = np.empty(len(self._layout.feature_sizes), np.int64)
        steps.describe(self._state, row)
        return list(row.tolist())

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token: the grammar's without what the limits forbid."""
        return self._look()[0]

    def forced(self) -> int | None:
        """Force END after the requested time, once nothing sounds."""
        due = self._look()[1]
        return None if due == NOTHING else due

    def push(self, token: int) -> None:
        """Update the state with a token."""
        self._state = steps.with_room(self._state, 1)
        steps.push(self._table, self._state, token)

    def followed(self) -> Followed:
        """Let compiled code follow."""
        self._state = steps.with_room(self._state, STRIDE)
        size = len(self._layout.table)
        return Followed(step_function(steps.step), self._table, self._state, size)

    def _look(self) -> tuple[NDArray[np.bool_], int]:
        """Return the mask of the next token, and the token that is due."""
        mask = np.empty(len(self._layout.table) + 1, bool)
        return mask, steps.look(self._table, self._state, mask)
