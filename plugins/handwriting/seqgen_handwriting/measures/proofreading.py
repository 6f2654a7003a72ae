"""Proofreads handwriting letter by letter, while it is written.

The reader of letters is that of `seqgen_handwriting.measures.legibility`, learned from training
lines. There the letters on both sides of a letter show where the line is and how large it is. Here
nothing is written yet to its right, and the first letter of a line has nothing to its left. So line
and size come from what the kind of each letter is like: a `g` reaches below the line, a `T` is
high. A letter strays if its foot is higher or lower on the line, or its ink longer, than those of
its kind in the training lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.legibility import Reader
from seqgen_handwriting.measures.letters import Letter, row_of_letters

#: Most training lines that are read.
LINES = 400

#: Letters from which the size of a line is estimated, and letters of usual size that count, too.
WINDOW, USUAL = 12, 2

#: Letters from which the place of the line is estimated; those farther away than this from the last
#: one, in heights of small letters, are on another line.
BESIDE, ANOTHER_LINE = 6, 2.0

#: Height of a kind, in heights of small letters, from which its letters tell the size of a line.
TALL = 0.3

#: What a letter may exceed its kind by: its foot in heights of small letters, its ink in its share.
SLACK, MORE_INK = 0.25, 0.5


@dataclass(frozen=True)
class Kinds:
    """What letters are like in training lines; C letters, lengths in heights of small letters.

    Attributes
    ----------
    usual : float
        The height of small letters, in units of the corpus.
    tops, feet : float32 array (C,)
        Mean highest and lowest point of each letter, below the line.
    """

    usual: float
    tops: NDArray[np.float32]
    feet: NDArray[np.float32]

    def on_line(self, letters: Sequence[Letter], kinds: Sequence[int]) -> Letter:
        """Return the last of some letters with the line and the size that all of them show.

        Parameters
        ----------
        letters : sequence of L Letter
        kinds : sequence of L int
            Which of the C letters each is.
        """
        near, own = letters[-WINDOW:], np.array(kinds[-WINDOW:])
        tall = self.feet[own] - self.tops[own]  # (W,)
        spans = np.array([one.foot - one.lines[:, [1, 3]].min() for one in near])
        of_size = spans[tall > TALL] / tall[tall > TALL]
        height = float(np.median([*[self.usual] * USUAL, *of_size])) or self.usual
        lines = np.array([one.foot for one in near]) - self.feet[own] * height
        lines = lines[-BESIDE:]
        lines = lines[np.abs(lines - lines[-1]) <= ANOTHER_LINE * height]
        return letters[-1]._replace(baseline=float(np.median(lines)), height=height)


def learn(pieces: Iterable[Ink]) -> dict[str, NDArray[Any]] | None:
    """Return what training lines teach, as arrays; None if none of them has letters.

    Returns
    -------
    dict of array
        Those of `Reader.arrays` and of `Kinds`, and `bounds` ``(3, C)``: the highest and the lowest
        foot of each letter, and its longest ink.
    """
    inks = list(islice(pieces, LINES))
    rows = [(ink.text, row_of_letters(ink)) for ink in inks]
    sizes = [row[0].height for _, row in rows if row]
    if not sizes:
        return None
    reader = Reader.learn(inks, with_altered=True)
    of_kinds: dict[str, list[tuple[float, ...]]] = {letter: [] for letter in reader.letters}
    for text, row in rows:
        for one in row:
            top = (one.lines[:, [1, 3]].min() - one.baseline) / one.height
            of_kinds[text[one.place]].append((top, *_strayed(one)))
    measures = [np.array(each, np.float32) for each in of_kinds.values()]  # (N, 4) of each letter
    tops, _, feet, _ = np.array([each.mean(axis=0) for each in measures]).T
    bounds = np.array([each[:, 1:].max(axis=0) for each in measures]).T  # (3, C)
    bounds[:2] += SLACK
    bounds[2] *= 1 + MORE_INK
    about = {"usual": np.array([np.median(sizes)], np.float32), "tops": tops, "feet": feet}
    return reader.arrays() | about | {"bounds": bounds}


def _strayed(one: Letter) -> tuple[float, float, float]:
    """Return how far the foot of a letter is above and below the line, and how long its ink is."""
    foot = (one.foot - one.baseline) / one.height
    lengths = np.hypot(*(one.lines[:, 2:] - one.lines[:, :2]).T)  # (S,)
    return -foot, foot, float(lengths.sum()) / one.height


def proofreader(learned: Mapping[str, NDArray[Any]]) -> Callable[[Ink], float]:
    """Return the function that reads the last letter of a line.

    Raises
    ------
    DataError
        If these are not the arrays of `learn`.
    """
    reader = Reader.of_arrays(learned)
    count = len(reader.letters)
    shapes = {"usual": (1,), "tops": (count,), "feet": (count,), "bounds": (3, count)}
    for name, shape in shapes.items():
        array = learned.get(name)
        if array is None or array.shape != shape or array.dtype != np.float32:
            raise DataError(f"the proofreader needs {name} as float32 {shape}")
    usual = float(learned["usual"][0])
    if not usual > 0:
        raise DataError(f"the proofreader needs a height above 0, found {usual}")
    kinds, bounds = Kinds(usual, learned["tops"], learned["feet"]), learned["bounds"]
    numbers = {letter: number for number, letter in enumerate(reader.letters)}

    def misread(ink: Ink) -> float:
        """Return how doubtful the last letter is, and 1 more if it is misread or strays."""
        wanted = numbers.get(ink.text[-1:])
        if wanted is None:
            return 0.0
        known = [one for one in row_of_letters(ink) if ink.text[one.place] in numbers]
        if not known or known[-1].place != len(ink.text) - 1:
            return 2.0  # It has no ink.
        placed = kinds.on_line(known, [numbers[ink.text[one.place]] for one in known])
        [chances] = reader.chances([placed])
        is_wrong = chances.argmax() != wanted or (_strayed(placed) > bounds[:, wanted]).any()
        return 1.0 - float(chances[wanted]) + float(is_wrong)

    return misread
