"""Letters of a line as pictures: the ink of each, on its line and at its size.

The letters around a letter give only the baseline and the size; without these "o" and "O", or a
comma and an apostrophe, would have the same shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen_handwriting.ink import Ink

#: A picture has GRID x GRID cells for each of DIRECTIONS directions of the ink.
GRID, DIRECTIONS = 12, 4

#: Numbers of a picture.
PICTURE = DIRECTIONS * GRID * GRID

#: Frame of a picture, in heights of small letters: its width, and its extent above and below the
#: baseline. Ink outside is drawn at the edge.
WIDTH, ABOVE, BELOW = 2.6, 2.1, 1.3

#: Step in which ink is drawn, in heights of small letters.
STEP = 0.05

#: Percentile of the letter heights of a line that gives the height of small letters: more than half
#: of the letters of a text are small, and marks are smaller.
SMALL = 40.0

#: The baseline at a letter is the median of the feet of BESIDE letters on each side, without feet
#: farther away than ANOTHER_LINE heights of small letters: those belong to another line.
BESIDE, ANOTHER_LINE = 5, 2.0

#: Standard deviations of an altered letter: logarithms of height and width, slant, and place on the
#: line in heights of small letters. Chosen by the letters that tries leave misread
#: (docs/benchmarks.md, tries).
ALTERED = (0.07, 0.07, 0.08, 0.06)

Floats: TypeAlias = NDArray[np.float32]


def pictures(ink: Ink) -> tuple[Floats, list[int]]:
    """Return the letters with ink as pictures ``(N, P)``, and their N indices in the text.

    A line between two points belongs to the letter of the second. Ink of blanks is left out.
    """
    letters = row_of_letters(ink)
    return drawn(letters), [one.place for one in letters]


def drawn(letters: Sequence[Letter]) -> Floats:
    """Return the pictures ``(N, P)`` of N letters with ink."""
    shown = np.zeros((len(letters), DIRECTIONS, GRID, GRID), np.float32)
    for picture, one in zip(shown, letters, strict=True):
        middle = (one.lines[:, ::2].min() + one.lines[:, ::2].max()) / 2
        origin = np.array([middle, one.baseline, middle, one.baseline])
        _draw((one.lines - origin) / one.height, picture)
    # The square root, because ink that is drawn twice is hardly blacker.
    return np.sqrt(shown).reshape(len(shown), PICTURE)


def beside_the_line(ink: Ink) -> tuple[float, dict[int, float]]:
    """Return the height of small letters, and how far each letter's foot is below the baseline.

    Returns
    -------
    float
        0 without letters.
    dict of int to float
        In heights of small letters, for the index of each letter with ink.
    """
    letters = row_of_letters(ink)
    height = letters[0].height if letters else 0.0
    return height, {one.place: (one.foot - one.baseline) / height for one in letters}


class Letter(NamedTuple):
    """A letter with ink: its index in the text, lines, lowest point, and what it stands on.

    `lines` are x, y, x, y ``(S, 4)``; `height` is that of the small letters around it.
    """

    place: int
    lines: NDArray[np.float64]
    foot: float
    baseline: float
    height: float


def row_of_letters(ink: Ink) -> list[Letter]:
    """Return the letters with ink, without blanks, in the order of the text."""
    lines, letters = _pieces_of_line(ink)
    places = [place for place in np.unique(letters).tolist() if not ink.text[place].isspace()]
    own = [lines[letters == place] for place in places]
    tops = np.array([each[:, [1, 3]].min() for each in own])
    feet = np.array([each[:, [1, 3]].max() for each in own])
    height = _small_height(tops, feet) if places else 1.0
    found = []
    for row, (place, each) in enumerate(zip(places, own, strict=True)):
        beside = feet[max(row - BESIDE, 0) : row + BESIDE + 1]
        beside = beside[np.abs(beside - feet[row]) <= ANOTHER_LINE * height]
        found.append(Letter(place, each, float(feet[row]), float(np.median(beside)), height))
    return found


def altered(letters: Sequence[Letter], rng: np.random.Generator) -> list[Letter]:
    """Return letters a little higher or lower, wider or narrower, leaning, and off their line."""
    noise = rng.normal(0, ALTERED, (len(letters), 4))
    noise[:, :2] = np.exp(noise[:, :2])
    turned = []
    for one, (taller, wider, lean, rise) in zip(letters, noise.tolist(), strict=True):
        # Where a letter stands on the line does not matter, so x is not taken back.
        move = np.array([[wider, 0, 0, 0], [-lean, 1, 0, 0], [0, 0, wider, 0], [0, 0, -lean, 1]])
        baseline, height = one.baseline + rise * one.height, one.height * taller
        turned.append(Letter(one.place, one.lines @ move, one.foot, baseline, height))
    return turned


def _small_height(tops: NDArray[np.float64], feet: NDArray[np.float64]) -> float:
    """Return the height of the small letters of a line of at least one letter; never 0."""
    height = float(np.percentile(feet - tops, SMALL))
    return height or float(feet.max() - tops.min()) or 1.0


def _pieces_of_line(ink: Ink) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the lines of all strokes as x, y, x, y ``(S, 4)``, and their letters ``(S,)``.

    A stroke of one point gives a line without length.
    """
    if ink.letters is None or not ink.text:
        return np.zeros((0, 4)), np.zeros(0, np.int64)
    lines, letters = [], []
    for stroke, owners in zip(ink.strokes, ink.letters, strict=True):
        begin = 1 if len(stroke) > 1 else 0
        lines.append(np.hstack([stroke[: len(stroke) - begin], stroke[begin:]]))
        letters.append(owners[begin:])
    return np.concatenate(lines), np.clip(np.concatenate(letters), 0, len(ink.text) - 1)


@compiled
def _draw(lines: NDArray[np.float64], picture: Floats) -> None:
    """Add the lengths of lines to a picture ``(DIRECTIONS, GRID, GRID)``, interpolated."""
    for x, y, x_end, y_end in lines:
        length = np.hypot(x_end - x, y_end - y)
        # At most 1000 steps: lines far outside can be very long.
        steps = int(min(max(np.ceil(length / STEP), 1), 1000))
        ink = max(length, STEP) / steps
        sector = np.arctan2(y_end - y, x_end - x) % np.pi / np.pi * DIRECTIONS
        turned = sector - np.floor(sector)
        for step in range(steps):
            part = (step + 0.5) / steps
            across = (x + part * (x_end - x)) / WIDTH + 0.5
            down = (y + part * (y_end - y) + ABOVE) / (ABOVE + BELOW)
            across = min(max(across * GRID - 0.5, 0.0), GRID - 1.001)
            down = min(max(down * GRID - 0.5, 0.0), GRID - 1.001)
            column, row = int(across), int(down)
            right, below = across - column, down - row
            for turn in range(2):
                share = ink * (turned if turn else 1 - turned)
                cells = picture[(int(sector) + turn) % DIRECTIONS]
                cells[row, column] += share * (1 - below) * (1 - right)
                cells[row, column + 1] += share * (1 - below) * right
                cells[row + 1, column] += share * below * (1 - right)
                cells[row + 1, column + 1] += share * below * right
