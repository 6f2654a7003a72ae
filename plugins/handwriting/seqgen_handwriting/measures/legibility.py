"""Legibility: a small network that has learned real letters reads new ones.

The reader sees the ink of one letter (`seqgen_handwriting.measures.letters`), without the order of
writing and the letters around it. A letter counts as read if the reader finds exactly the
intended one, case included. Letters that look alike in a hand, such as "l" and "I" in some fonts,
are confused. The share of real letters that is read, by a reader that has not seen them, is the
ceiling.

The network is our own, thirty lines of numpy. scikit-learn would add 30 MB and SciPy; importing
PyTorch, which generation does without, takes longer than learning the letters of a corpus.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.letters import (
    PICTURE,
    Floats,
    Letter,
    altered,
    drawn,
    pictures,
    row_of_letters,
)

#: Hidden units of the reader, its batch size, and its highest learning rate.
HIDDEN, BATCH, LEARNING_RATE = 128, 64, 3e-3

#: Limits of the training: passes over the letters, and updates.
PASSES, UPDATES = 40, 1000

#: Most multiplications of one matrix product that OpenBLAS computes in one thread.
BLOCK = 2**18

#: Groups of a corpus's lines; each is read by a reader that learned from the others.
FOLDS = 4

#: An intended letter, and whether it is read as such.
Judged: TypeAlias = tuple[str, bool]


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads letters by their shape, each by itself.

    Attributes
    ----------
    letters : str
        The C known letters, sorted.
    middle, scale : float32 array (P,), float
        The mean that is subtracted from pictures of P numbers, and the divisor.
    weights : tuple of float32 array (P, HIDDEN), (HIDDEN,), (HIDDEN, C), (C,)
        Weights and biases of a hidden layer of rectified units and of the output.
    """

    letters: str
    middle: Floats
    scale: float
    weights: tuple[Floats, ...]

    @classmethod
    def learn(
        cls, inks: Iterable[Ink], updates: int = UPDATES, *, with_altered: bool = False
    ) -> Self:
        """Learn the letters of lines; the same lines give the same reader.

        Parameters
        ----------
        inks : iterable of Ink
            Those without letters are ignored.
        updates : int
            The most updates of the weights; few letters get fewer.
        with_altered : bool
            Learn every letter a little altered each time: taller, wider, leaning or off the line.
            Such a reader reads better hands that it has not seen, and learning takes longer.

        Raises
        ------
        DataError
            If none has letters.
        """
        known: list[Letter] = []
        names: list[str] = []
        for ink in inks:
            row = row_of_letters(ink)
            known += row
            names += [ink.text[one.place] for one in row]
        if not names:
            raise DataError(
                "no line says which points belong to which letter; expected ink with letters"
            )
        letters, wanted = np.unique(names, return_inverse=True)
        seen = drawn(known)
        middle, scale = seen.mean(axis=0), max(float(seen.std()), 1e-6)
        rng = np.random.default_rng(1)

        def shown(rows: NDArray[np.int64]) -> Floats:
            """Return the pictures of some letters ``(B, P)``."""
            some = drawn(altered([known[row] for row in rows], rng)) if with_altered else seen[rows]
            return np.asarray((some - middle) / scale)

        weights = _learned(shown, wanted, len(letters), updates)
        return cls("".join(letters), middle, scale, weights)

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the reader that `arrays` describes, among other arrays.

        Raises
        ------
        DataError
            If an array is missing or has another shape.
        """
        letters = arrays.get("letters", np.zeros(0, np.int64))
        count = letters.size
        shapes: dict[str, tuple[int, ...]]
        shapes = {"letters": (count,), "middle": (PICTURE,), "scale": (1,)}
        weights = ((PICTURE, HIDDEN), (HIDDEN,), (HIDDEN, count), (count,))
        shapes |= {f"weights.{number}": shape for number, shape in enumerate(weights)}
        for name, shape in shapes.items():
            array = arrays.get(name)
            kind = np.int64 if name == "letters" else np.float32
            if array is None or array.shape != shape or array.dtype != kind or not count:
                raise DataError(f"the reader needs {name} as {np.dtype(kind)} {shape}")
        scale = float(arrays["scale"][0])
        if not scale > 0 or letters.min() < 0 or letters.max() > sys.maxunicode:
            raise DataError("the reader needs a scale above 0, and letters of Unicode")
        known = tuple(arrays[f"weights.{number}"] for number in range(len(weights)))
        return cls("".join(map(chr, letters.tolist())), arrays["middle"], scale, known)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything that was learned, as arrays."""
        weights = {f"weights.{number}": weight for number, weight in enumerate(self.weights)}
        return {
            "letters": np.array([*map(ord, self.letters)], np.int64),
            "middle": self.middle,
            "scale": np.array([self.scale], np.float32),
            **weights,
        }

    def chances(self, letters: Sequence[Letter]) -> Floats:
        """Return how likely each of N letters with ink is which one of the known ``(N, C)``."""
        _, scores = _scores((drawn(letters) - self.middle) / self.scale, self.weights)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def read(self, ink: Ink) -> str:
        """Return the text that the letters look like: a blank for a letter without ink.

        Empty for ink without letters.
        """
        shown, places = pictures(ink)
        read = [" "] * (len(ink.text) if ink.letters is not None else 0)
        _, scores = _scores((shown - self.middle) / self.scale, self.weights)
        for place, best in zip(places, scores.argmax(axis=1), strict=True):
            read[place] = self.letters[best]
        return "".join(read)

    def right(self, ink: Ink) -> NDArray[np.bool_]:
        """Return for each known letter of a text whether it is read as intended.

        Returns
        -------
        bool array (L,)
            Without letters that the reader does not know, such as blanks.
        """
        return np.array([right for _, right in self.judge(ink, ink.text)], bool)

    def judge(self, ink: Ink, text: str) -> list[Judged]:
        """Return each known letter of a text, and whether it is read as such.

        Parameters
        ----------
        ink : Ink
            Ink without letters cannot be judged and gives an empty list.
        text : str
            The intended text; a missing letter is misread.
        """
        read = self.read(ink).ljust(len(text)) if ink.letters is not None else ""
        pairs = zip(text, read, strict=False)
        return [(wanted, wanted == seen) for wanted, seen in pairs if wanted in self.letters]


def judged(
    generated: Sequence[Ink], texts: Sequence[str], reference: Sequence[Ink]
) -> tuple[list[list[Judged]], list[list[Judged]]]:
    """Return how each letter of new pieces and of reference pieces is read.

    One reader learns the whole reference and reads the new pieces. Each quarter of the reference is
    read by a reader that learned from the rest.

    Parameters
    ----------
    generated : sequence of G Ink
    texts : sequence of G str
        The intended text of each.
    reference : sequence of R Ink

    Returns
    -------
    list of G list, list of R list
        All empty if fewer than two pieces of the reference have letters.
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


def _scores(seen: Floats, weights: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return the hidden units ``(N, HIDDEN)`` and the scores of the letters ``(N, C)``."""
    hidden_in, hidden_bias, out, out_bias = weights
    hidden = np.maximum(_product(seen, hidden_in) + hidden_bias, 0)
    return hidden, _product(hidden, out) + out_bias


def _product(one: Floats, other: Floats) -> Floats:
    """Return the matrix product of ``(N, K)`` and ``(K, M)``, block by block of rows.

    OpenBLAS uses threads for larger products. If other programs are busy, its threads wait for one
    another: learning then takes 15 times as long.
    """
    # Two rows at least: a product with one row has another limit.
    blocks = max(min(math.ceil(len(one) * other.size / BLOCK), len(one) // 2), 1)
    return np.concatenate([part @ other for part in np.array_split(one, blocks)])


def _learned(
    shown: Callable[[NDArray[np.int64]], Floats],
    wanted: NDArray[np.int64],
    letters: int,
    most: int,
) -> tuple[Floats, ...]:
    """Train the weights with cross-entropy, Adam and a falling learning rate.

    `shown` returns the pictures of the letters of given rows. `wanted` ``(N,)`` tells each letter.
    """
    rng = np.random.default_rng(0)
    batch = min(BATCH, len(wanted))
    shapes = ((PICTURE, HIDDEN), (HIDDEN,), (HIDDEN, letters), (letters,))
    weights = [np.zeros(shape, np.float32) for shape in shapes]
    weights[0] += rng.normal(0, PICTURE**-0.5, shapes[0])
    means = [np.zeros_like(weight) for weight in weights]
    squares = [np.zeros_like(weight) for weight in weights]
    updates = min(PASSES * -(-len(wanted) // batch), most)
    for update in range(1, updates + 1):
        rows = rng.integers(len(wanted), size=batch)
        seen = shown(rows)  # (B, PICTURE)
        hidden, scores = _scores(seen, weights)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        off = shares / shares.sum(axis=1, keepdims=True)
        off[np.arange(batch), wanted[rows]] -= 1
        off /= batch
        back = np.where(hidden > 0, _product(off, weights[2].T), 0)  # (B, HIDDEN)
        outer = _product(seen.T, back), _product(hidden.T, off)
        gradients = (outer[0], back.sum(axis=0), outer[1], off.sum(axis=0))
        rate = LEARNING_RATE * (1 - (update - 1) / updates)
        for weight, mean, square, gradient in zip(weights, means, squares, gradients, strict=True):
            mean += 0.1 * (gradient - mean)
            square += 0.01 * (gradient**2 - square)
            rise = np.sqrt(square / (1 - 0.99**update)) + 1e-8
            weight -= rate * mean / (1 - 0.9**update) / rise
    return tuple(weights)
