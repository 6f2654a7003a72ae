"""What a pen may do next, and the dictation of a text word by word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.codecs.codebook import DRAW, MOVE
from seqgen_handwriting.codecs.pen_states import (
    ADVANCE,
    AIMED,
    ANGLE,
    ANNOUNCED,
    DONE,
    DRAW_FAR,
    IN_LETTER,
    LETTER,
    MOVE_FAR,
    OPEN,
    STEPS,
)

if TYPE_CHECKING:
    from seqgen_handwriting.codecs.pen import Pen


class PenTracker:
    """Knows what the pen may do next, and dictates a text word by word.

    Parameters
    ----------
    pen : Pen
    dictated : sequence of int, optional
        Letters and ADVANCE of every word to be written. END comes after the last and not before,
        and no letter has more points than it ever had. A prompt comes first, on a line of its own.
    """

    def __init__(self, pen: Pen, dictated: Sequence[int] | None = None) -> None:
        self._pen, self._dictated, self._given = pen, dictated, 0
        self._asked: int | None = None
        self._state, self._text = pen.new_state(), np.zeros(64, np.int64)
        angles = pen.mask(ANGLE)
        self._step = angles if angles.any() else pen.mask(DRAW, MOVE)
        self._far = pen.mask(DRAW_FAR, MOVE_FAR)
        self._lift = (angles if angles.any() else pen.mask(MOVE), pen.mask(MOVE_FAR))
        self._letters, self._advance = pen.mask(LETTER), pen.mask(ADVANCE)
        self._end = np.zeros(len(pen.vocab) + 1, bool)
        self._end[-1] = True

    def features(self) -> Sequence[int]:
        """Return the row of the codec's features for the next position."""
        return self._pen.row(self._state, self._text).tolist()

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the position.

        No letter that has ink is passed over, nothing ends within a word, and no line is drawn to
        the next line of a text that is dictated.
        """
        state = self._state
        if self._dictated is not None and self._begins_a_line():
            return self._lift[int(state[AIMED])]
        if state[AIMED]:
            return self._far
        if state[OPEN]:
            return self._step | self._advance if state[IN_LETTER] else self._step
        if state[ANNOUNCED] > state[DONE]:
            return self._letters | self._advance
        mask = self._step | self._letters
        return mask | self._end if state[STEPS] else mask

    def forced(self) -> int | None:
        """Pass over a blank, leave a letter that is full, dictate the next word, and end."""
        self._asked = self._due()
        return self._asked

    def push(self, token: int) -> None:
        """Take note of a token. One that was not asked for is a prompt's."""
        if self._asked == token and not self._state[OPEN]:
            self._given += 1
        self._asked = None
        if self._state[ANNOUNCED] == len(self._text):
            self._text = np.concatenate([self._text, np.zeros_like(self._text)])
        self._pen.push(self._state, self._text, token)

    def _due(self) -> int | None:
        state = self._state
        if state[AIMED]:
            return None
        if state[OPEN]:
            letter = self._text[int(state[DONE])]
            is_full = self._dictated is not None and state[IN_LETTER] >= self._pen.most[letter]
            return self._pen.advance if is_full or self._pen.blank[letter] else None
        if self._dictated is None:
            return None
        line_break = self._pen.announce("\n")
        if not self._given and self._is_after_a_word() and self._dictated[0] != line_break[0]:
            self._dictated = [*line_break, *self._dictated]
        if self._given < len(self._dictated):
            return self._dictated[self._given]
        return len(self._pen.vocab)

    def _begins_a_line(self) -> bool:
        """Tell whether the next point is the first one of a line after another."""
        at = int(self._state[DONE])
        if not self._state[OPEN] or self._state[IN_LETTER] or self._pen.blank[self._text[at]]:
            return False
        while at and self._pen.blank[self._text[at - 1]]:
            at -= 1
            if self._pen.alphabet[self._text[at]] == "\n":
                return True
        return False

    def _is_after_a_word(self) -> bool:
        """Tell whether the last letter that was announced leaves ink."""
        announced = int(self._state[ANNOUNCED])
        return announced > 0 and not self._pen.blank[self._text[announced - 1]]
