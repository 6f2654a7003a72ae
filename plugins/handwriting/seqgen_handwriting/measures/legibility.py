"""How legible writing is: a small reader, trained apart on real letters, reads it.

The reader sees a letter as people do, by its ink alone: not in which order it was written, not
the letters around it. From these it knows only where the line runs and how large its letters are,
without which "o" and "O" or a comma and an apostrophe were one shape. What stays alike in a hand
("l" and "I" of some fonts) it confuses as people would: a letter counts as read if it is exactly
the one that was intended, case included, and the ceiling of that is what the reader makes of real
letters that it has not seen.

The network is our own, thirty lines of numpy: scikit-learn's would bring 30 MB and SciPy with it,
and PyTorch, which generating does without, takes longer to import than the letters of a corpus
take to learn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.errors import DataError
from seqgen_handwriting.ink import Ink

#: A picture has GRID x GRID cells for each of so many directions of the line.
GRID, DIRECTIONS = 12, 4

#: What a picture shows, in heights of small letters: its width, and how far from the baseline up
#: and down. What lies outside is drawn at the edge.
WIDTH, ABOVE, BELOW = 2.6, 2.1, 1.3

#: Ink is drawn in steps of this length, in heights of small letters.
STEP = 0.05

#: Of the heights of a line's letters this percentile is that of the small ones: more than half
#: of the letters of a text are small, and its marks are smaller.
SMALL = 40.0

#: Where a line runs at a letter, the feet of so many letters on each side of it say, unless they
#: are so many heights of small letters away: those are of another line.
BESIDE, ANOTHER_LINE = 5, 2.0

#: Units of the reader's hidden layer, letters of an update, and its largest learning rate.
HIDDEN, BATCH, STEP_SIZE = 128, 64, 3e-3

#: Updates: so many passes over the letters of a small corpus, and the most of a large one.
PASSES, UPDATES = 40, 1000

#: Groups of a corpus's lines, each of which is read by a reader that learned from the others.
FOLDS = 4

Floats = NDArray[np.float32]

#: A letter that was intended, and whether it is read as that.
Judged: TypeAlias = tuple[str, bool]


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads letters by their shape, one at a time.

    Attributes
    ----------
    letters : str
        The C letters that it knows, sorted.
    middle, scale : float32 array (P,), float
        What is taken from pictures of P numbers, and what they are divided by.
    weights : tuple of float32 array (P, HIDDEN), (HIDDEN,), (HIDDEN, C), (C,)
        Of one hidden layer of rectified units.
    """

    letters: str
    middle: Floats
    scale: float
    weights: tuple[Floats, ...]

    @classmethod
    def learn(cls, inks: Iterable[Ink]) -> Self:
        """Learn the letters of written lines, the same from the same lines.

        Parameters
        ----------
        inks : iterable of Ink
            Those that do not say which points belong to which letter are passed over.

        Raises
        ------
        DataError
            If none of them says it.
        """
        shapes: list[Floats] = []
        names: list[str] = []
        for ink in inks:
            shown, places = pictures(ink)
            shapes.append(shown)
            names += [ink.text[place] for place in places]
        if not names:
            raise DataError("no ink here says which points belong to which letter of its text")
        letters, wanted = np.unique(names, return_inverse=True)
        seen = np.concatenate(shapes)
        middle, scale = seen.mean(axis=0), max(float(seen.std()), 1e-6)
        weights = _learned((seen - middle) / scale, wanted, len(letters))
        return cls("".join(letters), middle, scale, weights)

    def read(self, ink: Ink) -> str:
        """Return what each letter of a text looks like; a blank where there is no ink.

        Empty if it is not known which points belong to which letter.
        """
        shown, places = pictures(ink)
        read = [" "] * (len(ink.text) if ink.letters is not None else 0)
        _, scores = _scores((shown - self.middle) / self.scale, self.weights)
        for place, best in zip(places, scores.argmax(axis=1), strict=True):
            read[place] = self.letters[best]
        return "".join(read)

    def right(self, ink: Ink) -> NDArray[np.bool_]:
        """Return for each letter of a text that the reader knows whether it is read as intended.

        Returns
        -------
        bool array (L,)
            Letters that the reader never saw, such as blanks, do not count.
        """
        return np.array([right for _, right in self.judge(ink, ink.text)], bool)

    def judge(self, ink: Ink, text: str) -> list[Judged]:
        """Return each letter of a text that the reader knows, and whether it is read as that.

        Parameters
        ----------
        ink : Ink
        text : str
            What was to be written: a letter that was not reached is misread.
        """
        # Without letters that are marked nothing can be judged.
        read = self.read(ink).ljust(len(text)) if ink.letters is not None else ""
        pairs = zip(text, read, strict=False)
        return [(wanted, wanted == seen) for wanted, seen in pairs if wanted in self.letters]


def judged(
    generated: Sequence[Ink], texts: Sequence[str], reference: Sequence[Ink]
) -> tuple[list[list[Judged]], list[list[Judged]]]:
    """Return how each letter of new pieces and of those of a corpus is read.

    New pieces are read by a reader of the whole reference, those of the reference, a quarter at a
    time, by readers of the rest.

    Parameters
    ----------
    generated : sequence of G Ink
    texts : sequence of G str
        What each of them was to be.
    reference : sequence of R Ink

    Returns
    -------
    list of G list, list of R list
        All empty if fewer than two pieces of the reference know their letters.
    """
    new: list[list[Judged]] = [[] for _ in generated]
    real: list[list[Judged]] = [[] for _ in reference]
    known = [row for row, ink in enumerate(reference) if pictures(ink)[1]]
    if len(known) < 2:
        return new, real
    reader = Reader.learn(reference[row] for row in known)
    new = [reader.judge(ink, text) for ink, text in zip(generated, texts, strict=True)]
    folds = min(FOLDS, len(known))
    for fold in range(folds):
        others = Reader.learn(reference[row] for at, row in enumerate(known) if at % folds != fold)
        for row in known[fold::folds]:
            real[row] = others.judge(reference[row], reference[row].text)
    return new, real


def pictures(ink: Ink) -> tuple[Floats, list[int]]:
    """Return letters as pictures ``(N, P)``, and which of the text they are; none without ink.

    Ink belongs to the letter that the pen comes to with it; that of blanks is left out.
    """
    lines, letters = _pieces_of_line(ink)
    places = [place for place in np.unique(letters).tolist() if not ink.text[place].isspace()]
    shown = np.zeros((len(places), DIRECTIONS, GRID, GRID), np.float32)
    own = [lines[letters == place] for place in places]
    tops = np.array([each[:, [1, 3]].min() for each in own])
    feet = np.array([each[:, [1, 3]].max() for each in own])
    for row, each in enumerate(own):
        height = _small_height(tops, feet)
        beside = feet[max(row - BESIDE, 0) : row + BESIDE + 1]
        beside = beside[np.abs(beside - feet[row]) <= ANOTHER_LINE * height]
        middle = (each[:, [0, 2]].min() + each[:, [0, 2]].max()) / 2
        origin = np.array([middle, np.median(beside)])
        _draw((each - np.tile(origin, 2)) / height, shown[row])
    # The root, for ink that is gone over twice is hardly blacker.
    return np.sqrt(shown).reshape(len(places), DIRECTIONS * GRID * GRID), places


def _small_height(tops: NDArray[np.float64], feet: NDArray[np.float64]) -> float:
    """Return the height of the small letters of a line, of one letter at least; never 0."""
    height = float(np.percentile(feet - tops, SMALL))
    return height or float(feet.max() - tops.min()) or 1.0


def _pieces_of_line(ink: Ink) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the straight pieces of all strokes as x, y, x, y ``(S, 4)``, and their letters.

    Of a stroke of one point there is a piece without length.
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
    """Add the lengths of lines to the cells and directions between which they lie."""
    for x, y, x_end, y_end in lines:
        length = np.hypot(x_end - x, y_end - y)
        # A line far outside is drawn at the edge, however long it is.
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


def _scores(seen: Floats, weights: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return the hidden units ``(N, HIDDEN)`` and the scores of the letters ``(N, C)``."""
    hidden_in, hidden_bias, out, out_bias = weights
    hidden = np.maximum(seen @ hidden_in + hidden_bias, 0)
    return hidden, hidden @ out + out_bias


def _learned(seen: Floats, wanted: NDArray[np.int64], letters: int) -> tuple[Floats, ...]:
    """Train weights that tell letters apart: cross-entropy, Adam, falling learning rate."""
    rng = np.random.default_rng(0)
    size, batch = seen.shape[1], min(BATCH, len(seen))
    shapes = ((size, HIDDEN), (HIDDEN,), (HIDDEN, letters), (letters,))
    weights = [np.zeros(shape, np.float32) for shape in shapes]
    weights[0] += rng.normal(0, size**-0.5, shapes[0])
    means = [np.zeros_like(weight) for weight in weights]
    squares = [np.zeros_like(weight) for weight in weights]
    updates = min(PASSES * -(-len(seen) // batch), UPDATES)
    for update in range(1, updates + 1):
        rows = rng.integers(len(seen), size=batch)
        hidden, scores = _scores(seen[rows], weights)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        off = shares / shares.sum(axis=1, keepdims=True)
        off[np.arange(batch), wanted[rows]] -= 1
        off /= batch
        back = np.where(hidden > 0, off @ weights[2].T, 0)
        gradients = (seen[rows].T @ back, back.sum(axis=0), hidden.T @ off, off.sum(axis=0))
        rate = STEP_SIZE * (1 - (update - 1) / updates)
        for weight, mean, square, gradient in zip(weights, means, squares, gradients, strict=True):
            mean += 0.1 * (gradient - mean)
            square += 0.01 * (gradient**2 - square)
            rise = np.sqrt(square / (1 - 0.99**update)) + 1e-8
            weight -= rate * mean / (1 - 0.9**update) / rise
    return tuple(weights)
