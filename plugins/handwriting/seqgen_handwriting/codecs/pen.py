"""The tokens of a pen: one state machine for decoding, features and trackers.

A piece with text is written word by word. First come the letters of the word, one LETTER token
each. ADVANCE puts the pen to the first letter, and its points follow; ADVANCE puts it to the next
letter, and so on; a last ADVANCE ends the word. "at" is: LETTER a, LETTER t, ADVANCE, points of a,
ADVANCE, points of t, ADVANCE. So the current letter and the next one are known as features.

A blank belongs to the word before it. A line break is a blank: to the pen all writing is one
endless line.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.files import plain_text
from seqgen.grammar import packed
from seqgen.plugin import Ids
from seqgen_handwriting.codecs.pen_states import (
    ADVANCE,
    AIMED,
    AIMING,
    ANGLE,
    ANNOUNCED,
    BARE,
    BETWEEN_WORDS,
    BLANK,
    DONE,
    DRAW,
    DRAW_LENGTH,
    FIELDS,
    FOUND,
    HEIGHTS,
    INKED,
    LAST_STEPS,
    LETTER,
    MOST_DRAWN,
    MOST_IN_LETTER,
    MOST_STROKES,
    MOVE,
    MOVE_LENGTH,
    OFFSETS,
    OPEN,
    PLACES,
    SITUATIONS,
    SPELLING,
    START,
    State,
    X,
    Y,
    describe,
    follow,
    push,
    situation,
    situations,
)
from seqgen_handwriting.codecs.trace import Trace
from seqgen_handwriting.ink import Ink

#: A word and the blanks after it.
WORD = re.compile(r"\S+\s*|\s+")

#: Actions that add a point to a drawing.
STEP_ACTIONS = (DRAW, MOVE, DRAW_LENGTH, MOVE_LENGTH)


class Pen:
    """The tokens of a codec and their actions.

    The tokens of steps come first, then one LETTER for each letter, then ADVANCE.

    Parameters
    ----------
    names : sequence of R str
        Names of the tokens of steps.
    actions : int64 array (R,)
        Their actions, such as DRAW (`seqgen_handwriting.codecs.pen_states`).
    values : float64 array (R, 2)
        The step of DRAW and MOVE, the cosine and sine of ANGLE, and in column 0 the length of
        DRAW_LENGTH and MOVE_LENGTH.
    alphabet : str
        Letters that can be written; empty for drawings without text.
    max_points : mapping of str to int
        The largest number of points of each letter in the corpus; 0 for blanks.
    line : int
        The largest number of letters in a line of a page.

    Attributes
    ----------
    vocab : tuple of V str
    actions : int64 array (V,)
    values : float64 array (V, 2)
    max_points : int64 array (A,)
    blank : bool array (A,)
        Which letters have no ink.
    grammar : bool array (SITUATIONS, V + 1)
        Which ids may come in each situation of the pen, END last.
    """

    def __init__(
        self,
        names: Sequence[str],
        actions: Ids,
        values: NDArray[np.float64],
        alphabet: str,
        max_points: Mapping[str, int],
        line: int,
    ) -> None:
        self.alphabet, self.line = alphabet, line
        of_text = [LETTER] * len(alphabet) + [ADVANCE] * bool(alphabet)
        letters = [*(f"letter {letter}" for letter in alphabet), *["advance"] * bool(alphabet)]
        self.vocab = (*names, *letters)
        self.first_letter, self.advance = len(names), len(names) + len(alphabet)
        self.actions = np.concatenate([actions, np.array(of_text, np.int64)])  # (V,)
        self.values = np.zeros((len(self.actions), 2))
        self.values[: len(values)] = values
        self.max_points = np.array([max_points[letter] for letter in alphabet], np.int64)
        self.blank = self.max_points == 0
        self.feature_sizes: tuple[int, ...] = (
            *(MOST_STROKES + 1, MOST_DRAWN + 1, PLACES**2, OFFSETS**2, LAST_STEPS),
            *((len(alphabet) + 1, len(alphabet) + 1) if alphabet else ()),
            *((MOST_IN_LETTER + 1, HEIGHTS) if alphabet else ()),
        )
        self.grammar = self._masks_of_situations()
        self._packed = packed(self.grammar)  # (SITUATIONS, W)

    def mask(self, *actions: int) -> NDArray[np.bool_]:
        """Return which ids have one of these actions ``(V + 1,)``; the last, END, has none."""
        return np.append(np.isin(self.actions, actions), False)

    def _masks_of_situations(self) -> NDArray[np.bool_]:
        """Return `grammar`: every letter with ink gets a point, and no piece ends in a word."""
        angles, end = self.mask(ANGLE), np.append(np.zeros(len(self.vocab), bool), True)
        step = angles if angles.any() else self.mask(DRAW, MOVE)
        letters, advance = self.mask(LETTER), self.mask(ADVANCE)
        masks = np.zeros((SITUATIONS, len(self.vocab) + 1), bool)
        masks[START] = step | letters
        masks[BETWEEN_WORDS] = step | letters | end
        masks[SPELLING] = letters | advance
        masks[BLANK] = advance
        masks[BARE] = step
        masks[INKED] = step | advance
        masks[AIMING] = self.mask(DRAW_LENGTH, MOVE_LENGTH)
        return masks

    def new_state(self) -> State:
        """Return the state before the first token ``(FIELDS,)``: the first point is drawn."""
        return np.zeros(FIELDS)

    def push(self, state: State, text: Ids, token: int) -> None:
        """Apply a token to a state; `text` must have room for one more letter."""
        x, y = self.values[token]
        letter = token - self.first_letter
        push(state, text, self.actions[token], x, y, letter, self.blank)

    def row(self, state: State, text: Ids) -> Ids:
        """Return the features of a state ``(K,)``."""
        row = np.zeros(len(self.feature_sizes), np.int64)
        describe(state, text, row)
        return row

    def situation(self, state: State, text: Ids) -> int:
        """Return the situation of a state, a row of `grammar`."""
        return int(situation(state, text, self.blank))

    def allowed(self, state: State, text: Ids) -> NDArray[np.bool_]:
        """Return the mask of the next token in a state ``(V + 1,)``."""
        return np.asarray(self.grammar[self.situation(state, text)])

    def masks(self, ids: Ids) -> NDArray[np.uint8]:
        """Return which ids may come at every position of ids, as bits ``(N + 1, W)``."""
        found, text = np.empty(len(ids) + 1, np.int64), np.zeros(len(ids) + 1, np.int64)
        ids, state = np.asarray(ids, np.int64), self.new_state()
        tables = self.actions, self.values, self.first_letter, self.blank
        situations(ids, *tables, state, text, found)
        return self._packed.take(found, axis=0)  # (N + 1, W)

    def follow(self, ids: Ids) -> tuple[State, Ids, Ids]:
        """Return the states, the features and the announced letters of ids.

        Returns
        -------
        states : float64 array (N + 1, FIELDS)
        features : int64 array (N + 1, K)
        text : int64 array (N + 1,)
            The first ``states[-1, ANNOUNCED]`` are letters, as indices into the alphabet.
        """
        states = np.zeros((len(ids) + 1, FIELDS))
        rows = np.zeros((len(ids) + 1, len(self.feature_sizes)), np.int64)
        text = np.zeros(len(ids) + 1, np.int64)
        ids = np.asarray(ids, np.int64)
        follow(ids, self.actions, self.values, self.first_letter, self.blank, states, rows, text)
        return states, rows, text

    def trace(self, ids: Ids) -> Trace:
        """Return what any ids draw, without letters that were announced but not begun."""
        states, _, announced = self.follow(ids)
        actions = self.actions[ids]
        is_step = np.isin(actions, STEP_ACTIONS)
        stepped = states[1:][is_step]  # (P - 1, FIELDS)
        points = np.concatenate([states[:1, [X, Y]], stepped[:, [X, Y]]])  # (P, 2)
        lifted = np.append(True, np.isin(actions[is_step], (MOVE, MOVE_LENGTH)))
        begun = int(states[-1, DONE] + states[-1, OPEN])
        text = "".join(self.alphabet[letter] for letter in announced[:begun])
        found = states[states[:, FOUND] > 0][:1]
        of_points = np.concatenate([found if len(found) else stepped[:1], stepped])
        letters = np.maximum(of_points[:, DONE] + of_points[:, OPEN] - 1, 0).astype(np.int64)
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
        if not self.alphabet:
            return steps.ravel()
        begins = np.searchsorted(trace.letters[1:], np.arange(len(trace.text) + 1))
        parts: list[Ids | list[int]] = []
        letter = 0
        for word in WORD.findall(trace.text):
            parts.append(self.announce(word))
            for _ in word:
                parts += [steps[begins[letter] : begins[letter + 1]].ravel(), [self.advance]]
                letter += 1
        return np.concatenate(parts or [steps.ravel()]).astype(np.int64)

    def announce(self, word: str) -> list[int]:
        """Return the tokens that announce a word and put the pen to its first letter.

        Raises
        ------
        DataError
            If a letter is not in the alphabet.
        """
        for letter in word:
            if letter not in self.alphabet:
                raise DataError(
                    f"this model cannot write the letter {letter!r}, only {self.alphabet!r}; use "
                    f"--unknown skip or --unknown nearest, or train on writing that has it"
                )
        return [*(self.first_letter + self.alphabet.index(each) for each in word), self.advance]

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the ids from `start` on, after the letters that are announced but not written."""
        states, _, text = self.follow(ids[:start])
        done, announced = int(states[-1, DONE]), int(states[-1, ANNOUNCED])
        opening = [self.advance] * int(states[-1, OPEN])
        again = (self.first_letter + text[done:announced]).tolist()
        rest = self._come_down(np.asarray(ids[start:], np.int64), bool(states[-1, AIMED]))
        if (
            self.alphabet
            and not again
            and rest[:3].tolist() == [*self.announce("\n"), self.advance]
        ):
            # The line break that the tracker put between the prompt and the given text.
            rest = rest[3:]
        return np.concatenate([np.array([*again, *opening], np.int64), rest])

    def _come_down(self, ids: Ids, aimed: bool) -> Ids:
        """Drop the first step if it goes through the air: the piece begins where the pen lands."""
        actions = self.actions[ids]
        steps = np.flatnonzero(np.isin(actions, STEP_ACTIONS))
        if not len(steps) or (actions[steps[0]] in (DRAW, DRAW_LENGTH) and not aimed):
            return ids
        first = int(steps[0])
        aim = first - 1 if first and actions[first - 1] == ANGLE else first
        return np.delete(ids, [aim, first])

    def dictation(self, condition: Any) -> list[int]:
        """Return the tokens that announce the words of a given text, its long lines broken.

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
        if not text.strip():
            raise DataError("the text to be written is empty")
        lines = []
        for line in text.splitlines():
            if len(line) > self.line:
                lines += textwrap.wrap(
                    line, self.line, break_long_words=False, break_on_hyphens=False
                )
            else:
                lines.append(line)
        words = WORD.findall("\n".join(lines))
        return [token for word in words for token in self.announce(word)]

    def most_tokens(self, condition: Any, tokens_per_step: int) -> int | None:
        """Return an upper bound for the tokens of a given text; None if no text is given."""
        if condition is None or not self.alphabet:
            return None
        announced = np.array(self.dictation(condition), np.int64)
        letters = announced[announced != self.advance] - self.first_letter
        # Three tokens per letter: announced, begun and left. One more letter: the line break that
        # follows a prompt.
        return 3 * (len(letters) + 1) + tokens_per_step * int(self.max_points[letters].sum())
