"""The state of a pen and what each token does to it: compiled functions.

A state is a row of FIELDS numbers. What is written is not known here
(`seqgen.conditions.dictation`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled, copy
from seqgen.plugin import Ids

#: Actions of tokens. DRAW steps on the paper and MOVE in the air. ANGLE sets the direction of a
#: step whose length follows (DRAW_LENGTH, MOVE_LENGTH). ADVANCE ends a letter and begins the next;
#: announcing one (LETTER) leaves the pen where it is.
DRAW, MOVE, ANGLE, DRAW_LENGTH, MOVE_LENGTH, LETTER, ADVANCE = range(7)

#: Fields of a state: the place of the pen, where its stroke and its letter began, counts, the last
#: step, and the direction of the next step. Then the level of the line, the letters from which it
#: is known, and the sum and the number of the heights of the points of the letter.
X, Y, STROKE_X, STROKE_Y, LETTER_X, STROKES, DRAWN, STEPS, LAST_STEP = range(9)
COSINE, SINE, AIMED, LEVEL, LETTERS, HEIGHT, POINTS, FIELDS = range(9, 17)

#: Largest values of the features that count the strokes of a letter or a drawing, and the points of
#: a stroke. Larger counts get the same value.
MOST_STROKES, MOST_DRAWN = 23, 23

#: Grid of the pen's place: PLACES cells along each axis, each 1 / CELL sides wide.
CELL, PLACES = 8, 20

#: Grid of the pen's offset from the start of its stroke: OFFSETS cells along each axis. The middle
#: cell is NEAR sides wide, and widths double outwards.
NEAR, OFFSETS = 0.02, 13

#: Cells of a step's direction and length; every second length is twice as long.
DIRECTIONS, LENGTHS = 16, 10

#: Values of the feature of the last step: none; its direction and length; or, after an ANGLE, the
#: direction of the next step.
LAST_STEPS = 1 + DIRECTIONS * LENGTHS + DIRECTIONS

#: The level of a line is that of the last MEMORY letters. Height of the pen: HEIGHTS cells of
#: 1 / FINE sides.
MEMORY, FINE, HEIGHTS = 6, 25, 40

#: Number of features of a pen's own, of which the last one is for writing only.
OWN_FEATURES = 6

State = NDArray[np.float64]


@compiled
def push(state: State, action: int, x: float, y: float) -> None:
    """Apply a token to a state.

    For ADVANCE `x` is how far the mean point of the letter that ends is below the level of its
    line, and `y` how far the first point of the next letter is: see
    `seqgen_handwriting.codecs.levels`.
    """
    if action == LETTER:
        return
    if action == ADVANCE:
        if state[POINTS]:
            state[LETTERS] += 1
            level = state[HEIGHT] / state[POINTS] - x
            state[LEVEL] += (level - state[LEVEL]) / min(state[LETTERS], MEMORY)
        elif not state[LETTERS]:
            state[LEVEL] = state[Y] - y
        state[LETTER_X], state[STROKES] = state[X], 0.0
        state[HEIGHT], state[POINTS] = 0.0, 0.0
    elif action == ANGLE:
        state[COSINE], state[SINE], state[AIMED] = x, y, 1.0
    else:
        if action in (DRAW_LENGTH, MOVE_LENGTH):
            x, y = x * state[COSINE], x * state[SINE]
        state[X] += x
        state[Y] += y
        state[LAST_STEP] = 1 + _direction(x, y) * LENGTHS + _length(x, y)
        state[AIMED] = 0.0
        state[STEPS] += 1
        state[HEIGHT] += state[Y]
        state[POINTS] += 1
        state[DRAWN] += 1
        if action in (MOVE, MOVE_LENGTH):
            state[STROKES] += 1
            state[STROKE_X], state[STROKE_Y], state[DRAWN] = state[X], state[Y], 0.0


@compiled
def _direction(x: float, y: float) -> int:
    """Return the cell of a step's direction."""
    return int(np.round(np.arctan2(y, x) / (2 * np.pi) * DIRECTIONS)) % DIRECTIONS


@compiled
def _length(x: float, y: float) -> int:
    """Return the cell of a step's length."""
    return int(min(np.round(2 * np.log2(1 + np.hypot(x, y) / NEAR)), LENGTHS - 1))


@compiled
def _place(value: float) -> int:
    """Return the cell of a coordinate; all cells have the same width."""
    return int(min(max(np.floor(value * CELL) + PLACES // 2, 0), PLACES - 1))


@compiled
def _offset(value: float) -> int:
    """Return the cell of an offset; cells are wider farther out."""
    size = min(np.round(np.log2(1 + np.abs(value) / NEAR)), OFFSETS // 2)
    return int(OFFSETS // 2 + (size if value > 0 else -size))


@compiled
def describe(state: State, row: Ids) -> None:
    """Write the features of a state into a row (OWN_FEATURES,)."""
    row[0] = min(state[STROKES], MOST_STROKES)
    row[1] = min(state[DRAWN], MOST_DRAWN)
    row[2] = _place(state[X] - state[LETTER_X]) * PLACES
    row[2] += _place(state[Y] - state[LEVEL])
    row[3] = _offset(state[X] - state[STROKE_X]) * OFFSETS + _offset(state[Y] - state[STROKE_Y])
    row[4] = state[LAST_STEP]
    if state[AIMED]:
        row[4] = 1 + DIRECTIONS * LENGTHS + _direction(state[COSINE], state[SINE])
    height = np.floor((state[Y] - state[LEVEL]) * FINE) + HEIGHTS // 2
    row[5] = int(min(max(height, 0), HEIGHTS - 1))


@compiled
def follow(actions: Ids, values: NDArray[np.float64], states: State, rows: Ids) -> None:
    """Write the states (N + 1, FIELDS) before and after N actions, and their features."""
    describe(states[0], rows[0])
    for step in range(len(actions)):
        state = states[step + 1]
        copy(states[step], state)
        push(state, actions[step], values[step, 0], values[step, 1])
        describe(state, rows[step + 1])
