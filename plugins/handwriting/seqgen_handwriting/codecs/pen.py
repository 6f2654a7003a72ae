"""The tokens of a pen: one state machine for decoding, features and trackers.

Tokens of steps come first. Text is dictated (`seqgen.conditions.dictation`): letters are the
symbols, points are the units of their content. A line break is a blank: to the pen all writing is
one endless line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.dictation import Dictation, Followed
from seqgen.errors import DataError
from seqgen.files import plain_text
from seqgen.plugin import Ids
from seqgen_handwriting.codecs.levels import Levels
from seqgen_handwriting.codecs.pen_states import (
    ADVANCE,
    AIMED,
    ANGLE,
    DRAW,
    DRAW_LENGTH,
    FIELDS,
    HEIGHTS,
    LAST_STEPS,
    LETTER,
    MOST_DRAWN,
    MOST_STROKES,
    MOVE,
    MOVE_LENGTH,
    OFFSETS,
    OWN_FEATURES,
    PLACES,
    State,
    X,
    Y,
    describe,
    follow,
    push,
)
from seqgen_handwriting.codecs.trace import Trace
from seqgen_handwriting.ink import Ink

#: Actions that add a point to a drawing.
STEP_ACTIONS = (DRAW, MOVE, DRAW_LENGTH, MOVE_LENGTH)


class Pen:
    """The tokens of a codec and their actions.

    Parameters
    ----------
    names : sequence of R str
        Names of the tokens of steps.
    actions : int64 array (R,)
        Their actions, such as DRAW (`seqgen_handwriting.codecs.pen_states`).
    values : float64 array (R, 2)
        The step of DRAW and MOVE, the cosine and sine of ANGLE, and in column 0 the length of
        DRAW_LENGTH and MOVE_LENGTH.
    max_points : mapping of str to int
        The letters that can be written, empty for drawings without text, and the largest number of
        points of each letter in the corpus; 0 for blanks.
    levels : mapping of str to (float, float)
        Heights of the letters (`seqgen_handwriting.codecs.levels`).
    is_guess : bool
        Whether letters were spread over the ink, because nobody marked them.

    Attributes
    ----------
    vocab : tuple of V str
    actions : int64 array (V,)
    values : float64 array (V, 2)
    levels : float64 array (A + 1, 2)
        Heights of the A letters, and zeros for none.
    dictation : Dictation
        The tokens of letters, their features, and the grammar of all tokens. With `polar` a length
        follows each direction.
    """

    def __init__(
        self,
        names: Sequence[str],
        actions: Ids,
        values: NDArray[np.float64],
        max_points: Mapping[str, int],
        levels: Levels,
        is_guess: bool,
    ) -> None:
        self.alphabet = "".join(sorted(max_points))
        self.dictation = Dictation(
            len(names),
            self.alphabet,
            [max_points[letter] for letter in self.alphabet],
            begins=~np.isin(actions, (DRAW_LENGTH, MOVE_LENGTH)),
            ends=actions != ANGLE,
            implied=1,  # the first point
            separator="\n" if self.alphabet else "",
            is_guess=is_guess,
        )
        self.vocab = (*names, *self.dictation.tokens)
        of_text = [LETTER] * len(self.alphabet) + [ADVANCE] * bool(self.alphabet)
        self.actions = np.concatenate([actions, np.array(of_text, np.int64)])  # (V,)
        self.values = np.zeros((len(self.actions), 2))
        self.values[: len(values)] = values
        heights = [levels.get(letter, (0.0, 0.0)) for letter in self.alphabet]
        self.levels = np.array([*heights, (0.0, 0.0)])
        of_pen = (MOST_STROKES + 1, MOST_DRAWN + 1, PLACES**2, OFFSETS**2, LAST_STEPS)
        self.feature_values: tuple[Sequence[Any], ...] = (
            *map(range, of_pen),
            *self.dictation.feature_values,
            *((range(HEIGHTS),) if self.alphabet else ()),
        )
        self.feature_sizes = tuple(map(len, self.feature_values))

    def mask(self, *actions: int) -> NDArray[np.bool_]:
        """Return which ids have one of these actions ``(V + 1,)``; the last, END, has none."""
        return np.append(np.isin(self.actions, actions), False)

    def push(self, state: State, token: int, ending: int, begun: int) -> None:
        """Apply a token to a state, in the letters before and after it; -1 is none."""
        x, y = self.values[token]
        if self.actions[token] == ADVANCE:
            x, y = self.levels[ending, 0], self.levels[begun, 1]
        push(state, self.actions[token], x, y)

    def row(self, state: State, of_text: Sequence[int]) -> list[int]:
        """Return the features of a state ``(K,)``, with those of the dictation among them."""
        row = np.zeros(OWN_FEATURES, np.int64)
        describe(state, row)
        *own, height = row.tolist()
        return [*own, *of_text, height] if self.alphabet else own

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position ``(N + 1, K)``."""
        _, rows, followed = self._follow(ids)
        if not self.alphabet:
            return rows[:, :5]
        return np.concatenate([rows[:, :5], followed.features, rows[:, 5:]], axis=1)

    def _follow(self, ids: Ids) -> tuple[State, Ids, Followed]:
        """Return states ``(N + 1, FIELDS)``, features ``(N + 1, OWN_FEATURES)``, and the text."""
        followed = self.dictation.follow(ids)
        actions, values = self.actions[ids], self.values[ids]
        ends = np.flatnonzero(actions == ADVANCE)
        values[ends, 0] = self.levels[followed.symbols[ends], 0]
        values[ends, 1] = self.levels[followed.symbols[ends + 1], 1]
        # The first point is drawn before the first token.
        states = np.zeros((len(ids) + 1, FIELDS))
        rows = np.zeros((len(ids) + 1, OWN_FEATURES), np.int64)
        follow(actions, values, states, rows)
        return states, rows, followed

    def trace(self, ids: Ids) -> Trace:
        """Return what any ids draw, without letters that were announced but not begun."""
        states, _, followed = self._follow(ids)
        actions = self.actions[ids]
        is_step = np.isin(actions, STEP_ACTIONS)  # (N,)
        stepped = states[1:][is_step]  # (P - 1, FIELDS)
        points = np.concatenate([states[:1, [X, Y]], stepped[:, [X, Y]]])  # (P, 2)
        lifted = np.append(True, np.isin(actions[is_step], (MOVE, MOVE_LENGTH)))
        text = "".join(self.alphabet[letter] for letter in followed.begun)
        # The first point has no token; it belongs to the first letter with ink.
        taken = followed.places[followed.is_claimed][:1]
        letters = np.concatenate([taken, followed.places[1:][is_step]])
        return Trace(points, lifted, np.resize(letters, len(points)), text)

    def spell(self, trace: Trace, steps: Ids) -> Ids:
        """Return the ids of a trace: the given ids of its steps, with its text in between.

        Parameters
        ----------
        trace : Trace of P points
        steps : int64 array (P - 1, tokens per step)

        Raises
        ------
        DataError
            If a letter is not in the alphabet.
        """
        if not trace.text or not self.alphabet:
            return steps.ravel()
        begins = np.searchsorted(trace.letters[1:], np.arange(1, len(trace.text)))
        contents = [part.ravel() for part in np.split(steps, begins)]
        return self.dictation.spell(trace.text, contents)

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the ids from `start` on, after the letters that are announced but not written."""
        again = self.dictation.continuation(ids, start)
        aimed = bool(self._follow(ids[:start])[0][-1, AIMED])
        return self._come_down(again, aimed)

    def _come_down(self, ids: Ids, aimed: bool) -> Ids:
        """Drop the first step if it goes through the air: the piece begins where the pen lands."""
        actions = self.actions[ids]
        steps = np.flatnonzero(np.isin(actions, STEP_ACTIONS))
        if not len(steps) or (actions[steps[0]] in (DRAW, DRAW_LENGTH) and not aimed):
            return ids
        first = int(steps[0])
        aim = first - 1 if first and actions[first - 1] == ANGLE else first
        return np.delete(ids, [aim, first])

    def request(self, condition: Any) -> list[int]:
        """Return the tokens that announce the words of a given text.

        Parameters
        ----------
        condition : str or Ink
            The text, or a piece with the text.

        Raises
        ------
        DataError
            If the alphabet is empty or lacks a letter, or there is nothing to write.
        """
        if not self.alphabet:
            raise DataError(
                "this model draws freely and cannot write a given text: its corpus does not say "
                "which points belong to which letter; train with the codec option text=spread if "
                "the corpus has the text of each line"
            )
        text = plain_text(condition.text if isinstance(condition, Ink) else str(condition))
        # Every kind of line break is one to the alphabet.
        return self.dictation.request("\n".join(text.splitlines()))

    def most_tokens(self, condition: Any, tokens_per_step: int) -> int | None:
        """Return an upper bound for the tokens of a given text; None if no text is given."""
        if condition is None or not self.alphabet:
            return None
        return self.dictation.most_tokens(self.request(condition), tokens_per_step)
