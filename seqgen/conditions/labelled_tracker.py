"""The tracker of a codec with labels: the header first, then the tracker of the codec."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.header import HeaderState
from seqgen.conditions.prompted import PromptedTracker
from seqgen.following import Followed, followed
from seqgen.plugin import ClosingTracker, Codec, Tracker
from seqgen.waiting import fitting, reached


class LabelledTracker(Tracker):
    """A codec's tracker that comes in after the header.

    Parameters
    ----------
    codec : Codec
        The codec without labels.
    size : int
        Number of tokens with labels.
    header : HeaderState
    tracker : Tracker
        The codec's.
    """

    def __init__(self, codec: Codec, size: int, header: HeaderState, tracker: Tracker) -> None:
        self._codec, self._size = codec, size
        self._header, self._tracker = header, tracker

    def __deepcopy__(self, memo: dict[int, Any]) -> LabelledTracker:
        # Copies share the codec.
        memo[id(self._codec)] = self._codec
        parts = copy.deepcopy((self._header, self._tracker), memo)
        return type(self)(self._codec, self._size, *parts)

    def features(self) -> Sequence[int]:
        """Return the codec's features, 0 in the header, and the number of each label."""
        count, labels = len(self._codec.feature_sizes), self._header.features()
        inner = [0] * count if self._header.is_open else self._tracker.features()
        return [*inner, *labels]

    def allowed(self) -> NDArray[np.bool_] | None:
        """Return what the header allows, then what the codec does, without label tokens."""
        if self._header.is_open:
            return self._header.allowed()
        return self._without_labels(self._tracker.allowed())

    def _without_labels(self, inner: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """Return the mask of the codec's tracker ``(n + 1,)`` with label tokens forbidden."""
        count = len(self._codec.vocab)
        mask = np.zeros(self._size + 1, bool)
        mask[:count] = True if inner is None else inner[:-1]
        mask[-1] = inner is None or inner[-1]
        return mask

    def forced(self) -> int | None:
        """Return what the codec forces after the header."""
        if self._header.is_open:
            return None
        token = self._tracker.forced()
        return self._size if token == len(self._codec.vocab) else token

    def fitting(self) -> NDArray[np.bool_] | None:
        """Return what fits after the header, without label tokens."""
        inner = None if self._header.is_open else fitting(self._tracker)
        return None if inner is None else self._without_labels(inner)

    def reached(self) -> int | None:
        """Return how many given parts of the codec's tracker have come."""
        return reached(self._tracker)

    def followed(self) -> Followed | None:
        """Return what compiled code follows after the header: the codec's tracker."""
        return None if self._header.is_open else followed(self._tracker)

    def push(self, token: int) -> None:
        """Update the header, or after it the codec's tracker."""
        length = self._header.length
        self._header.push(token)
        if self._header.length == length and token < len(self._codec.vocab):
            self._tracker.push(token)

    def prompted(self, given: Any) -> None:
        """Tell the codec's tracker of a prompt."""
        if isinstance(self._tracker, PromptedTracker):
            self._tracker.prompted(given)


class LabelledClosingTracker(LabelledTracker, ClosingTracker):
    """The same for a tracker that ends pieces whole at a limit."""

    _tracker: ClosingTracker

    def closing(self, room: int) -> NDArray[np.bool_] | None:
        """Return what the header allows, then what the codec's tracker does near a limit."""
        if self._header.is_open:
            return self._header.allowed()
        return self._without_labels(self._tracker.closing(room))
