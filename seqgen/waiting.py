"""Trackers of pieces of which parts are given, where candidates come to a part at different times.

The notes of a bar that is rewritten have more or fewer tokens in each candidate. So candidates are
compared where they have as many of the given parts (`seqgen.generation.candidates`)::

    class BridgeTracker:
        def fitting(self):  # before the given "d": anything but the end, or "d" itself
            return mask
        def reached(self):
            return self.letters_that_were_given

Next: `seqgen.plugins.checks.next_mask` asks trackers for `fitting`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Tracker


class WaitingTracker(Tracker, Protocol):
    """A tracker that knows which given part comes next. `allowed` is what the grammar allows."""

    def fitting(self) -> NDArray[np.bool_] | None:
        """Return what lets the next given part come: a mask ``(len(vocab) + 1,)``; None for all.

        At least one id; only ids of `allowed`, unless what is given is against the grammar.
        """

    def reached(self) -> int | None:
        """Return how many given parts have come; None if candidates are as far at each token."""


def fitting(tracker: Tracker) -> NDArray[np.bool_] | None:
    """Return what lets the next given part of a tracker come; None for all that is allowed."""
    find: Callable[[], NDArray[np.bool_] | None] | None = getattr(tracker, "fitting", None)
    return None if find is None else find()


def reached(tracker: Tracker | None) -> int | None:
    """Return how many given parts of a tracker have come, or None."""
    find: Callable[[], int | None] | None = getattr(tracker, "reached", None)
    return None if find is None else find()
