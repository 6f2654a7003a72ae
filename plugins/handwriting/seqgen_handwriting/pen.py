"""What a pen does, token by token: one state machine behind decoding, features and trackers.

A piece of known text is written word by word: the letters of a word, a token each, that say what
is to be written; ADVANCE, which puts the pen to the first of them; its points; ADVANCE and the
next letter's points; and after the last letter ADVANCE once more. A blank belongs to the word
before it. So the letter being written and the one after it are known from the past, as features.
A line break is a blank like any other: to the pen all writing is one endless line.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Ids
from seqgen_handwriting.codebook import DRAW, MOVE, compiled
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.trace import Trace

#: Kinds of tokens beside DRAW and MOVE; FAR is how far to go at the ANGLE before it.
ANGLE, DRAW_FAR, MOVE_FAR, LETTER, ADVANCE = range(2, 7)

#: Fields of a state: where the pen is, where its stroke and its letter began, what came so far.
X, Y, STROKE_X, STROKE_Y, LETTER_X, STROKES, DRAWN, STEPS, DIRECTION = range(9)
COSINE, SINE, AIMED, ANNOUNCED, DONE, OPEN, IN_LETTER, FOUND, LEVEL, FIELDS = range(9, 19)

#: From here on numbers of strokes of a letter or of a drawing, of points of a stroke and of points
#: of a letter are one.
MOST_STROKES, MOST_DRAWN, MOST_IN_LETTER = 23, 23, 31

#: The place of the pen: cells of 1 / CELL sides, PLACES of them each way.
CELL, PLACES = 8, 20

#: The way from the beginning of the stroke: cells of doubling width, the first NEAR sides wide.
NEAR, WAYS = 0.02, 13

#: Directions told apart.
DIRECTIONS = 16

#: The height above the last MEMORY points: cells of 1 / FINE sides, HEIGHTS of them.
MEMORY, FINE, HEIGHTS = 48, 25, 40

#: A word and the blanks after it.
WORD = re.compile(r"\S+\s*|\s+")

State = NDArray[np.float64]


class Pen:
    """The tokens of a codec and what they do.

    Parameters
    ----------
    names : sequence of str
        Of the tokens that step (R of them); letters and ADVANCE follow.
    kinds : int64 array (R,)
    values : float64 array (R, 2)
        The step of DRAW and MOVE, cosine and sine of ANGLE, the way of the others in column 0.
    alphabet : str
        Letters that can be written; empty if nothing is known of text.
    most : mapping of str to int
        Of every letter the most points that it was written with; 0 of those without ink.
    line : int
        How many letters go on a line of a page.
    """

    def __init__(
        self,
        names: Sequence[str],
        kinds: Ids,
        values: NDArray[np.float64],
        alphabet: str,
        most: Mapping[str, int],
        line: int,
    ) -> None:
        self.alphabet, self.line = alphabet, line
        written = [LETTER] * len(alphabet) + [ADVANCE] * bool(alphabet)
        letters = [*(f"letter {letter}" for letter in alphabet), *["advance"] * bool(alphabet)]
        self.vocab = (*names, *letters)
        self.first_letter, self.advance = len(names), len(names) + len(alphabet)
        self.kinds = np.concatenate([kinds, np.array(written, np.int64)])
        self.values = np.zeros((len(self.kinds), 2))
        self.values[: len(values)] = values
        self.most = np.array([most[letter] for letter in alphabet], np.int64)
        self.blank = self.most == 0
        self.feature_sizes: tuple[int, ...] = (
            *(MOST_STROKES + 1, MOST_DRAWN + 1, PLACES**2, WAYS**2, 2 * DIRECTIONS + 1),
            *((len(alphabet) + 1, len(alphabet) + 1) if alphabet else ()),
            *((MOST_IN_LETTER + 1, HEIGHTS) if alphabet else ()),
        )

    def mask(self, *kinds: int) -> NDArray[np.bool_]:
        """Return which ids are of one of these kinds ``(V + 1,)``; END, the last, is not."""
        return np.append(np.isin(self.kinds, kinds), False)

    def new_state(self) -> State:
        """Return the state before the first token: the first point is drawn."""
        return np.zeros(FIELDS)

    def push(self, state: State, text: Ids, token: int) -> None:
        """Change a state by a token; `text` has room for one more letter."""
        x, y = self.values[token]
        letter = token - self.first_letter
        _push(state, text, self.kinds[token], x, y, letter, self.blank)

    def row(self, state: State, text: Ids) -> Ids:
        """Return the features of a state ``(K,)``."""
        row = np.zeros(len(self.feature_sizes), np.int64)
        _describe(state, text, row)
        return row

    def follow(self, ids: Ids) -> tuple[State, Ids, Ids]:
        """Return states ``(N + 1, FIELDS)`` and features ``(N + 1, K)`` of ids, and the text."""
        states = np.zeros((len(ids) + 1, FIELDS))
        rows = np.zeros((len(ids) + 1, len(self.feature_sizes)), np.int64)
        text = np.zeros(len(ids) + 1, np.int64)
        ids = np.asarray(ids, np.int64)
        _follow(ids, self.kinds, self.values, self.first_letter, self.blank, states, rows, text)
        return states, rows, text

    def trace(self, ids: Ids) -> Trace:
        """Return what any ids draw. Letters that were announced and not begun are left out."""
        states, _, announced = self.follow(ids)
        kinds = self.kinds[ids]
        is_step = np.isin(kinds, (DRAW, MOVE, DRAW_FAR, MOVE_FAR))
        stepped = states[1:][is_step]
        points = np.concatenate([states[:1, [X, Y]], stepped[:, [X, Y]]])
        lifted = np.append(True, np.isin(kinds[is_step], (MOVE, MOVE_FAR)))
        begun = int(states[-1, DONE] + states[-1, OPEN])
        text = "".join(self.alphabet[letter] for letter in announced[:begun])
        found = states[states[:, FOUND] > 0][:1]
        of_points = np.concatenate([found if len(found) else stepped[:1], stepped])
        letters = np.maximum(of_points[:, DONE] + of_points[:, OPEN] - 1, 0).astype(np.int64)
        return Trace(points, lifted, np.resize(letters, len(points)), text)

    def spell(self, trace: Trace, steps: Ids) -> Ids:
        """Return the ids of a trace from those of its steps.

        Parameters
        ----------
        trace : Trace of P points
        steps : int64 array (P - 1, tokens of a step)

        Raises
        ------
        DataError
            If there is a letter that is not in the alphabet.
        """
        if not self.alphabet:
            return steps.ravel()
        begins = np.searchsorted(trace.letters[1:], np.arange(len(trace.text) + 1))
        parts, letter = [], 0
        for word in WORD.findall(trace.text):
            parts.append(self.announce(word))
            for _ in word:
                parts += [steps[begins[letter] : begins[letter + 1]].ravel(), [self.advance]]
                letter += 1
        return np.concatenate(parts or [steps.ravel()]).astype(np.int64)

    def announce(self, word: str) -> list[int]:
        """Return the tokens that say a word and put the pen to its first letter.

        Raises
        ------
        DataError
            If there is a letter that is not in the alphabet.
        """
        for letter in word:
            if letter not in self.alphabet:
                raise DataError(
                    f"letter {letter!r} is not one of this model's: {self.alphabet!r}; leave it "
                    f"out, or train on writing that has it"
                )
        return [*(self.first_letter + self.alphabet.index(each) for each in word), self.advance]

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return what follows, with the letters that are still to be written, said anew."""
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
            # The line break between a prompt and what was given.
            rest = rest[3:]
        return np.concatenate([np.array([*again, *opening], np.int64), rest])

    def _come_down(self, ids: Ids, aimed: bool) -> Ids:
        """Return ids that begin where the pen comes down, if they come through the air."""
        kinds = self.kinds[ids]
        steps = np.flatnonzero(np.isin(kinds, (DRAW, MOVE, DRAW_FAR, MOVE_FAR)))
        if not len(steps) or (kinds[steps[0]] in (DRAW, DRAW_FAR) and not aimed):
            return ids
        first = int(steps[0])
        aim = first - 1 if first and kinds[first - 1] == ANGLE else first
        return np.delete(ids, [aim, first])

    def tracker(self, condition: Any) -> PenTracker:
        """Return a new follower, of a sentence or a piece with text if one is given.

        Raises
        ------
        DataError
            If no text is known, or there is a letter that is not in the alphabet.
        """
        if condition is None:
            return PenTracker(self)
        if not self.alphabet:
            raise DataError(
                "this model draws freely and cannot write a given text: its corpus does not say "
                "which points belong to which letter; train with the codec option text=spread if "
                "its texts are what is written"
            )
        return PenTracker(self, self._dictation(condition))

    def most_tokens(self, condition: Any, of_a_step: int) -> int | None:
        """Return how many tokens the text of a condition takes at most, a step taking so many."""
        if condition is None or not self.alphabet:
            return None
        said = np.array(self._dictation(condition), np.int64)
        letters = said[said != self.advance] - self.first_letter
        # A letter is said, put to and left; so is the line break after a prompt.
        return 3 * (len(letters) + 1) + of_a_step * int(self.most[letters].sum())

    def _dictation(self, condition: Any) -> list[int]:
        """Return the tokens that say the words of a text, whose lines are not too long."""
        text = condition.text if isinstance(condition, Ink) else str(condition)
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


@compiled
def _push(
    state: State, text: Ids, kind: int, x: float, y: float, letter: int, blank: NDArray[np.bool_]
) -> None:
    """Change a state by a token."""
    if kind == LETTER:
        text[int(state[ANNOUNCED])] = letter
        state[ANNOUNCED] += 1
    elif kind == ADVANCE:
        state[DONE] += state[OPEN]
        state[OPEN] = 1.0 if state[DONE] < state[ANNOUNCED] else 0.0
        state[LETTER_X], state[IN_LETTER], state[STROKES] = state[X], 0.0, 0.0
        if state[OPEN] and not state[FOUND] and not blank[text[int(state[DONE])]]:
            # The first point of all belongs to the first letter that has ink.
            state[FOUND] = state[IN_LETTER] = 1.0
    elif kind == ANGLE:
        state[COSINE], state[SINE], state[AIMED] = x, y, 1.0
    else:
        if kind in (DRAW_FAR, MOVE_FAR):
            x, y = x * state[COSINE], x * state[SINE]
        state[X] += x
        state[Y] += y
        state[DIRECTION] = _direction(x, y)
        state[AIMED] = 0.0
        state[STEPS] += 1
        state[LEVEL] += (state[Y] - state[LEVEL]) / min(state[STEPS] + 1, MEMORY)
        state[IN_LETTER] += 1
        state[FOUND] = 1.0
        state[DRAWN] += 1
        if kind in (MOVE, MOVE_FAR):
            state[STROKES] += 1
            state[STROKE_X], state[STROKE_Y], state[DRAWN] = state[X], state[Y], 0.0


@compiled
def _direction(x: float, y: float) -> int:
    """Return the sector of a step from 1 on."""
    return int(np.round(np.arctan2(y, x) / (2 * np.pi) * DIRECTIONS)) % DIRECTIONS + 1


@compiled
def _place(value: float) -> int:
    """Return the cell of a place: all of them are of one size."""
    return int(min(max(np.floor(value * CELL) + PLACES // 2, 0), PLACES - 1))


@compiled
def _way(value: float) -> int:
    """Return the cell of a way: they grow with the distance."""
    size = min(np.round(np.log2(1 + np.abs(value) / NEAR)), WAYS // 2)
    return int(WAYS // 2 + (size if value > 0 else -size))


@compiled
def _describe(state: State, text: Ids, row: Ids) -> None:
    """Write the features of a state into a row."""
    row[0] = min(state[STROKES], MOST_STROKES)
    row[1] = min(state[DRAWN], MOST_DRAWN)
    row[2] = _place(state[X] - state[LETTER_X]) * PLACES + _place(state[Y])
    row[3] = _way(state[X] - state[STROKE_X]) * WAYS + _way(state[Y] - state[STROKE_Y])
    row[4] = state[DIRECTION]
    if state[AIMED]:
        row[4] = DIRECTIONS + _direction(state[COSINE], state[SINE])
    if len(row) > 5:
        done = int(state[DONE])
        following = done + int(state[OPEN])
        row[5] = text[done] + 1 if state[OPEN] else 0
        row[6] = text[following] + 1 if following < state[ANNOUNCED] else 0
        row[7] = min(state[IN_LETTER], MOST_IN_LETTER)
        height = np.floor((state[Y] - state[LEVEL]) * FINE) + HEIGHTS // 2
        row[8] = int(min(max(height, 0), HEIGHTS - 1))


@compiled
def _follow(
    ids: Ids,
    kinds: Ids,
    values: NDArray[np.float64],
    first_letter: int,
    blank: NDArray[np.bool_],
    states: State,
    rows: Ids,
    text: Ids,
) -> None:
    """Write the state before and after every token, and its features."""
    _describe(states[0], text, rows[0])
    for step in range(len(ids)):
        token, state = ids[step], states[step + 1]
        state[:] = states[step]
        letter = token - first_letter
        _push(state, text, kinds[token], values[token, 0], values[token, 1], letter, blank)
        _describe(state, text, rows[step + 1])
