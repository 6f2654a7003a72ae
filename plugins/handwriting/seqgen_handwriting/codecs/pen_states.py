"""The state of a pen and what a token does to it, compiled: numbers only, no names.

A state is a row of FIELDS numbers. Beside it goes the text: the letters announced so far.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Ids
from seqgen_handwriting.codecs.codebook import MOVE, compiled

#: Kinds of tokens beside DRAW and MOVE; FAR is how far to go at the ANGLE before it.
ANGLE, DRAW_FAR, MOVE_FAR, LETTER, ADVANCE = range(2, 7)

#: Fields of a state: where the pen is, where its stroke and its letter began, what came so far.
X, Y, STROKE_X, STROKE_Y, LETTER_X, STROKES, DRAWN, STEPS, LAST_STEP = range(9)
COSINE, SINE, AIMED, ANNOUNCED, DONE, OPEN, IN_LETTER, FOUND, LEVEL, FIELDS = range(9, 19)

#: From here on numbers of strokes of a letter or of a drawing, of points of a stroke and of points
#: of a letter are one.
MOST_STROKES, MOST_DRAWN, MOST_IN_LETTER = 23, 23, 31

#: The place of the pen: cells of 1 / CELL sides, PLACES of them each way.
CELL, PLACES = 8, 20

#: The way from the beginning of the stroke: cells of doubling width, the first NEAR sides wide.
NEAR, WAYS = 0.02, 13

#: Directions and lengths of a step told apart; lengths double with every second one.
DIRECTIONS, LENGTHS = 16, 10

#: What is told of the last step: none, direction and length, or the direction of the next one.
STEPS_TOLD = 1 + DIRECTIONS * LENGTHS + DIRECTIONS

#: The height above the last MEMORY points: cells of 1 / FINE sides, HEIGHTS of them.
MEMORY, FINE, HEIGHTS = 48, 25, 40

State = NDArray[np.float64]


@compiled
def push(
    state: State, text: Ids, kind: int, x: float, y: float, letter: int, blank: NDArray[np.bool_]
) -> None:
    """Change a state by a token; `text` has room for one more letter."""
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
        state[LAST_STEP] = 1 + _direction(x, y) * LENGTHS + _length(x, y)
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
    """Return the sector of a step."""
    return int(np.round(np.arctan2(y, x) / (2 * np.pi) * DIRECTIONS)) % DIRECTIONS


@compiled
def _length(x: float, y: float) -> int:
    """Return how long a step is."""
    return int(min(np.round(2 * np.log2(1 + np.hypot(x, y) / NEAR)), LENGTHS - 1))


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
def describe(state: State, text: Ids, row: Ids) -> None:
    """Write the features of a state into a row."""
    row[0] = min(state[STROKES], MOST_STROKES)
    row[1] = min(state[DRAWN], MOST_DRAWN)
    row[2] = _place(state[X] - state[LETTER_X]) * PLACES + _place(state[Y])
    row[3] = _way(state[X] - state[STROKE_X]) * WAYS + _way(state[Y] - state[STROKE_Y])
    row[4] = state[LAST_STEP]
    if state[AIMED]:
        row[4] = 1 + DIRECTIONS * LENGTHS + _direction(state[COSINE], state[SINE])
    if len(row) > 5:
        done = int(state[DONE])
        following = done + int(state[OPEN])
        row[5] = text[done] + 1 if state[OPEN] else 0
        row[6] = text[following] + 1 if following < state[ANNOUNCED] else 0
        row[7] = min(state[IN_LETTER], MOST_IN_LETTER)
        height = np.floor((state[Y] - state[LEVEL]) * FINE) + HEIGHTS // 2
        row[8] = int(min(max(height, 0), HEIGHTS - 1))


@compiled
def follow(
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
    describe(states[0], text, rows[0])
    for step in range(len(ids)):
        token, state = ids[step], states[step + 1]
        state[:] = states[step]
        letter = token - first_letter
        push(state, text, kinds[token], values[token, 0], values[token, 1], letter, blank)
        describe(state, text, rows[step + 1])
