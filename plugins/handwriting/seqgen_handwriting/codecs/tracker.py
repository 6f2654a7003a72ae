"""The tracker of a pen: which tokens may come next, and a requested text dictated to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.conditions.dictation_states import DONE, OPEN, SITUATIONS, UNITS, situation
from seqgen.conditions.dictation_steps import HEAD, Script, arrays_of, follow_text, script_of
from seqgen.conditions.dictation_tracker import DictationTracker
from seqgen.following import Followed, fill, flat, part, step_function
from seqgen.plugin import Ids, Tracker
from seqgen_handwriting.codecs.pen import Pen
from seqgen_handwriting.codecs.pen_states import (
    ADVANCE,
    AIMED,
    ANGLE,
    FIELDS,
    MOVE,
    MOVE_LENGTH,
    OWN_FEATURES,
    STEPS,
    State,
    describe,
    push,
)
from seqgen_handwriting.ink import Ink

#: Field behind those of the pen: whether the next point begins a stroke, after a drawing that a
#: user began.
LIFTED, OWN = FIELDS, FIELDS + 1

#: Number of masks.
ROWS = SITUATIONS + 3


class PenTracker(Tracker):
    """Masks the tokens that may come next, and dictates a requested text word by word.

    Parameters
    ----------
    pen : Pen
    request : sequence of int, optional
        `Pen.request` of the text to be written. A prompt comes before it, on a line of its own.
    """

    def __init__(self, pen: Pen, request: Sequence[int] | None = None) -> None:
        self._pen, self._text = pen, DictationTracker(pen.dictation, request, own=OWN)
        #: The number of the line break, at which the pen is lifted; -1 if it never is.
        self._newline = pen.alphabet.find("\n") if request is not None else -1
        angles = pen.mask(ANGLE)
        lift = [angles if angles.any() else pen.mask(MOVE), pen.mask(MOVE_LENGTH)]
        lift_or_end = lift[0].copy()
        lift_or_end[-1] = True
        #: Masks ``(ROWS, V + 1)``: those of the dictation, those that lift the pen, and one that
        #: lifts it or ends.
        self._masks = np.concatenate([pen.dictation.grammar, lift, [lift_or_end]])
        #: What compiled code reads: numbers, actions, steps, masks and heights, then the script.
        self._table = flat(
            np.array([self._newline], np.int64),
            *(pen.actions, pen.values, self._masks, pen.levels),
            *arrays_of(self._text.script),
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> PenTracker:
        # Copies share what does not change.
        other = PenTracker.__new__(PenTracker)
        other.__dict__ = self.__dict__ | {"_text": self._text.__deepcopy__(memo)}
        return other

    @property
    def _state(self) -> State:
        return self._text.own.view(np.float64)

    def features(self) -> Sequence[int]:
        """Return the features of the next position, as `Pen.features` does."""
        return self._pen.row(self._state, self._text.features())

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token ``(V + 1,)``, that of the dictation.

        The pen is also lifted before a new line of a requested text.
        """
        text = self._text
        row = _row(text.script, self._newline, self._state, text.head, text.symbols)
        return np.asarray(self._masks[row])

    def forced(self) -> int | None:
        """Return the token that the dictation forces."""
        return self._text.forced()

    def push(self, token: int) -> None:
        """Apply a token; one that `forced` did not ask for belongs to the prompt."""
        ending = _symbol(self._text.head, self._text.symbols)
        self._text.push(token)
        begun = _symbol(self._text.head, self._text.symbols)
        self._pen.push(self._state, token, ending, begun)
        if not self._state[AIMED]:
            self._state[LIFTED] = 0

    def prompted(self, given: Ink) -> None:
        """Lift the pen after the last stroke of a drawing, unless that is read in part only."""
        is_whole = self._state[STEPS] + 1 == given.points
        self._state[LIFTED] = is_whole and not self._pen.alphabet

    def followed(self) -> Followed:
        """Let compiled code follow."""
        size = self._pen.dictation.size
        return Followed(step_function(_step), self._table, self._text.to_follow(), size)


@compiled
def _symbol(head: Ids, text: Ids) -> int:
    """Return the open letter as its number in the alphabet, or -1: the last row of the heights."""
    return int(text[head[DONE]]) if head[OPEN] else -1


@compiled
def _row(script: Script, newline: int, pen: State, head: Ids, text: Ids) -> int:
    """Return the row of the masks for the next position."""
    if pen[LIFTED]:
        return SITUATIONS + 1 if pen[AIMED] else SITUATIONS + 2
    if newline >= 0 and _begins_a_line(script, newline, head, text):
        return SITUATIONS + int(pen[AIMED])
    return situation(head, text, script.silent)


@compiled
def _begins_a_line(script: Script, newline: int, head: Ids, text: Ids) -> bool:
    """Return whether the next point is the first of a line, and not of the first line."""
    if not head[OPEN] or head[UNITS] or script.silent[text[head[DONE]]]:
        return False
    for place in range(head[DONE] - 1, -1, -1):
        if not script.silent[text[place]]:
            return False
        if text[place] == newline:
            return True
    return False


def _step(
    table: NDArray[np.uint8],
    state: Ids,
    token: int,
    room: int,
    features: Ids,
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
) -> None:
    """Update a state with an id, and set features and masks of the next position."""
    script, size = script_of(table, 5), len(possible)
    pen, head = state[:OWN].view(np.float64), state[OWN : OWN + HEAD]
    text, values = state[OWN + HEAD :], part(table, 2).view(np.float64)
    levels = part(table, 4)[: 16 * (len(script.silent) + 1)].view(np.float64).reshape(-1, 2)
    action, x, y = part(table, 1).view(np.int64)[token], values[2 * token], values[2 * token + 1]
    ending = _symbol(head, text)
    # The height of the pen, the last of its own features, follows those of the text.
    _, due = follow_text(script, head, text, token, features[OWN_FEATURES - 1 : -1])
    if action == ADVANCE:
        x, y = levels[ending, 0], levels[_symbol(head, text), 1]
    push(pen, action, x, y)
    if not pen[AIMED]:
        pen[LIFTED] = 0
    own = np.empty(OWN_FEATURES, np.int64)
    describe(pen, own)
    features[: OWN_FEATURES - 1] = own[: OWN_FEATURES - 1]
    if len(script.silent):
        features[-1] = own[OWN_FEATURES - 1]
    row = _row(script, part(table, 0).view(np.int64)[0], pen, head, text)
    masks = part(table, 3)[: ROWS * size].view(np.bool_).reshape(-1, size)
    fill(masks[row], due, possible, allowed)
