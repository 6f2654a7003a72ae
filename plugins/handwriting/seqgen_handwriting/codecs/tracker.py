"""The tracker of a pen: which tokens may come next, and a given text dictated word by word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.codecs.pen import Pen
from seqgen_handwriting.codecs.pen_states import (
    AIMED,
    ANGLE,
    ANNOUNCED,
    BLANK,
    DONE,
    IN_LETTER,
    MOVE,
    MOVE_LENGTH,
    OPEN,
)


class PenTracker:
    """Masks the tokens that may come next, and dictates a given text word by word.

    Parameters
    ----------
    pen : Pen
    dictated : sequence of int, optional
        `Pen.dictation` of the text to be written. END follows its last letter and comes no
        earlier; no letter gets more points than in the corpus. A prompt comes before the text, on
        a line of its own.
    """

    def __init__(self, pen: Pen, dictated: Sequence[int] | None = None) -> None:
        self._pen, self._dictated, self._used = pen, dictated, 0
        self._asked: int | None = None
        self._state, self._text = pen.new_state(), np.zeros(64, np.int64)
        angles = pen.mask(ANGLE)
        self._lift = (angles if angles.any() else pen.mask(MOVE), pen.mask(MOVE_LENGTH))

    def features(self) -> Sequence[int]:
        """Return the row of the codec's features for the next position."""
        return list(self._pen.row(self._state, self._text).tolist())

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token ``(V + 1,)``, that of `Pen.grammar`.

        The pen is also lifted before a new line of a dictated text.
        """
        if self._dictated is not None and self._begins_a_line():
            return self._lift[int(self._state[AIMED])]
        return self._pen.allowed(self._state, self._text)

    def forced(self) -> int | None:
        """Return ADVANCE after a blank or a full letter, the next dictated token, or END."""
        self._asked = self._due()
        return self._asked

    def push(self, token: int) -> None:
        """Apply a token; one that `forced` did not ask for belongs to the prompt."""
        if self._asked == token and not self._state[OPEN]:
            self._used += 1
        self._asked = None
        if self._state[ANNOUNCED] == len(self._text):
            self._text = np.concatenate([self._text, np.zeros_like(self._text)])
        self._pen.push(self._state, self._text, token)

    def _due(self) -> int | None:
        state = self._state
        if state[AIMED]:
            return None
        if state[OPEN]:
            most = self._pen.max_points[self._text[int(state[DONE])]]
            is_full = self._dictated is not None and state[IN_LETTER] >= most
            is_blank = self._pen.situation(state, self._text) == BLANK
            return self._pen.advance if is_full or is_blank else None
        if self._dictated is None:
            return None
        line_break = self._pen.announce("\n")
        if not self._used and self._is_after_a_word() and self._dictated[0] != line_break[0]:
            self._dictated = [*line_break, *self._dictated]
        if self._used < len(self._dictated):
            return self._dictated[self._used]
        return len(self._pen.vocab)

    def _begins_a_line(self) -> bool:
        """Return whether the next point is the first of a line, and not of the first line."""
        at = int(self._state[DONE])
        if not self._state[OPEN] or self._state[IN_LETTER] or self._pen.blank[self._text[at]]:
            return False
        while at and self._pen.blank[self._text[at - 1]]:
            at -= 1
            if self._pen.alphabet[self._text[at]] == "\n":
                return True
        return False

    def _is_after_a_word(self) -> bool:
        """Return whether the last announced letter has ink."""
        announced = int(self._state[ANNOUNCED])
        return announced > 0 and not self._pen.blank[self._text[announced - 1]]
