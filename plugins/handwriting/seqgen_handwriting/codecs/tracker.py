"""The tracker of a pen: which tokens may come next, and a requested text dictated to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.dictation_tracker import DictationTracker
from seqgen_handwriting.codecs.pen import Pen
from seqgen_handwriting.codecs.pen_states import AIMED, ANGLE, MOVE, MOVE_LENGTH


class PenTracker:
    """Masks the tokens that may come next, and dictates a requested text word by word.

    Parameters
    ----------
    pen : Pen
    request : sequence of int, optional
        `Pen.request` of the text to be written. A prompt comes before it, on a line of its own.
    """

    def __init__(self, pen: Pen, request: Sequence[int] | None = None) -> None:
        self._pen, self._is_requested = pen, request is not None
        self._state, self._text = pen.new_state(), DictationTracker(pen.dictation, request)
        angles = pen.mask(ANGLE)
        self._lift = (angles if angles.any() else pen.mask(MOVE), pen.mask(MOVE_LENGTH))

    def __deepcopy__(self, memo: dict[int, Any]) -> PenTracker:
        other = PenTracker.__new__(PenTracker)
        other.__dict__ = self.__dict__ | {
            "_state": self._state.copy(),
            "_text": self._text.__deepcopy__(memo),
        }
        return other

    def features(self) -> Sequence[int]:
        """Return the row of the codec's features for the next position."""
        return self._pen.row(self._state, self._text.features())

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token ``(V + 1,)``, that of the dictation.

        The pen is also lifted before a new line of a requested text.
        """
        if self._is_requested and self._begins_a_line():
            return self._lift[int(self._state[AIMED])]
        return self._text.allowed()

    def forced(self) -> int | None:
        """Return the token that the dictation forces."""
        return self._text.forced()

    def push(self, token: int) -> None:
        """Apply a token; one that `forced` did not ask for belongs to the prompt."""
        self._text.push(token)
        self._pen.push(self._state, token)

    def _begins_a_line(self) -> bool:
        """Return whether the next point is the first of a line, and not of the first line."""
        if not self._text.lacks_content:
            return False
        left, pen = self._text.left(), self._pen
        inked = np.flatnonzero(~pen.dictation.silent[left])
        blanks = left[inked[-1] + 1 :] if len(inked) else left
        return any(pen.alphabet[letter] == "\n" for letter in blanks)
