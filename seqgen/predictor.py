"""`Predictor`: a trained model as plugins see it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Predictor(Protocol):
    """A trained model as plugins see it: ids in, log-probabilities out."""

    def log_probabilities(
        self, pieces: Iterable[NDArray[np.int64]]
    ) -> Iterator[NDArray[np.float64]]:
        """Yield an array ``(N + 1, len(vocab) + 1)`` for each piece of ids ``(N,)``.

        Row i predicts position i from ``ids[:i]``; the last column is END.
        """
