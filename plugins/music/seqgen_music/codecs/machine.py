"""Trackers whose rules are compiled functions that the features and masks of whole pieces share.

The masks of such a codec are rows of one table. A state is an array of whole numbers. Constants are
a table of bytes (`seqgen.following.flat`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.following import NOTHING, Followed, step_function
from seqgen.plugin import Ids, Tracker


class Machine(NamedTuple):
    """The rules of a codec, as functions of constants, a state ``(M,)`` and more.

    Attributes
    ----------
    push : callable
        Gets a token: updates the state.
    look : callable
        Gets room for features ``(K,)``: writes those of the next position, and returns its row of
        the table of masks and the token that is due, or `NOTHING`.
    follow : callable
        Gets constants, ids ``(N,)``, a state, and room for features ``(N + 1, K)`` and rows
        ``(N + 1,)``: writes those of all positions.
    step : callable
        A step function of `seqgen.following`.
    limit : callable, optional
        Gets a mask ``(V + 1,)``, that of the row which `look` returned: forbids in it what only new
        pieces may not do.
    """

    push: Callable[..., None]
    look: Callable[..., tuple[int, int]]
    follow: Callable[..., None]
    step: Callable[..., None]
    limit: Callable[..., None] | None = None

    def whole(
        self, constants: NDArray[np.uint8], state: Ids, ids: Ids, features: int
    ) -> tuple[Ids, Ids]:
        """Return features ``(N + 1, K)`` and rows of masks ``(N + 1,)`` of ids ``(N,)``."""
        found = np.empty((len(ids) + 1, features), np.int64)
        rows = np.empty(len(ids) + 1, np.int64)
        self.follow(constants, np.asarray(ids, np.int64), state, found, rows)
        return found, rows


class MachineTracker(Tracker):
    """Follows one piece; copies share what does not change.

    Parameters
    ----------
    machine : Machine
    constants : uint8 array
    state : int64 array (M,)
        Before the first token.
    masks : bool array (R, V + 1)
    features : int
        Number of features.
    """

    def __init__(
        self,
        machine: Machine,
        constants: NDArray[np.uint8],
        state: Ids,
        masks: NDArray[np.bool_],
        features: int,
    ) -> None:
        self._machine, self._constants, self._masks = machine, constants, masks
        self._state, self._count = state, features

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        other = type(self).__new__(type(self))
        other.__dict__ = self.__dict__ | {"_state": self._state.copy()}
        return other

    def features(self) -> Sequence[int]:
        """Return the row of the codec's features for the next position."""
        return self._look()[0]

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token."""
        mask = np.asarray(self._masks[self._look()[1]])
        if self._machine.limit is not None:
            mask = mask.copy()
            self._machine.limit(self._constants, self._state, mask)
        return mask

    def forced(self) -> int | None:
        """Return the token that is due."""
        due = self._look()[2]
        return None if due == NOTHING else due

    def push(self, token: int) -> None:
        """Update the state with a token."""
        self._machine.push(self._constants, self._state, token)

    def followed(self) -> Followed:
        """Let compiled code follow."""
        size = self._masks.shape[1] - 1
        return Followed(step_function(self._machine.step), self._constants, self._state, size)

    def _look(self) -> tuple[list[int], int, int]:
        """Return features, row of masks and due token of the next position."""
        features = np.empty(self._count, np.int64)
        row, due = self._machine.look(self._constants, self._state, features)
        return features.tolist(), row, due
