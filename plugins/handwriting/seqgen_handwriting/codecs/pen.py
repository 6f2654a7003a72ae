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
from seqgen.files import plain_text
from seqgen.plugin import Ids
from seqgen_handwriting.codecs.codebook import DRAW, MOVE
from seqgen_handwriting.codecs.pen_states import (
    ADVANCE,
    AIMED,
    ANGLE,
    ANNOUNCED,
    DONE,
    DRAW_FAR,
    FIELDS,
    FOUND,
    HEIGHTS,
    LETTER,
    MOST_DRAWN,
    MOST_IN_LETTER,
    MOST_STROKES,
    MOVE_FAR,
    OPEN,
    PLACES,
    STEPS_TOLD,
    WAYS,
    State,
    X,
    Y,
    describe,
    follow,
    push,
)
from seqgen_handwriting.codecs.pen_tracker import PenTracker
from seqgen_handwriting.codecs.trace import Trace
from seqgen_handwriting.ink import Ink

#: A word and the blanks after it.
WORD = re.compile(r"\S+\s*|\s+")


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
            *(MOST_STROKES + 1, MOST_DRAWN + 1, PLACES**2, WAYS**2, STEPS_TOLD),
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
        push(state, text, self.kinds[token], x, y, letter, self.blank)

    def row(self, state: State, text: Ids) -> Ids:
        """Return the features of a state ``(K,)``."""
        row = np.zeros(len(self.feature_sizes), np.int64)
        describe(state, text, row)
        return row

    def follow(self, ids: Ids) -> tuple[State, Ids, Ids]:
        """Return states ``(N + 1, FIELDS)`` and features ``(N + 1, K)`` of ids, and the text."""
        states = np.zeros((len(ids) + 1, FIELDS))
        rows = np.zeros((len(ids) + 1, len(self.feature_sizes)), np.int64)
        text = np.zeros(len(ids) + 1, np.int64)
        ids = np.asarray(ids, np.int64)
        follow(ids, self.kinds, self.values, self.first_letter, self.blank, states, rows, text)
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
                    f"letter {letter!r} is not one of this model's: {self.alphabet!r}; use "
                    f"--unknown skip or --unknown nearest, or train on writing that has it"
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
