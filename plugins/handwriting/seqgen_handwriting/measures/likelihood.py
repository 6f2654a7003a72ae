"""Likelihoods of pen strokes that can be compared: nats a point at 1 % of the side.

A loss per token compares nothing: fewer codes cost less. Here the prediction is read as a
density over where the next point is, a mixture with one Gaussian a code: its weight is the
code's probability, its mean the code's step, its covariance what the code leaves over in the
closed loop, widened. Points are taken to be known to D of a side only, so that data that lie on a
lattice give no nats for free: D^2 / 12 is added to each variance, and a density is counted per D^2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids
from seqgen_handwriting.codecs.base import InkCodec
from seqgen_handwriting.codecs.codebook import Books
from seqgen_handwriting.codecs.pen_states import LETTER
from seqgen_handwriting.ink import Ink

if TYPE_CHECKING:
    import seqgen

#: To what part of a side points are known.
D = 0.01

#: How much wider a code's Gaussian is than what the code leaves over: a network is less sure which
#: of two neighbouring codes it will be than their residuals tell. Of validation pieces kanji are
#: likeliest with 1.4 and Omniglot's with 1.05, or 1.4 if points are moved at random.
WIDENING = 1.2

#: Drawings that a network reads side by side.
LANES = 32

#: Most log-probabilities of one call: of long drawings fewer are read side by side.
LOGITS = 2**24

#: Log-probabilities of a piece's ids ``(N,)``: of every id at every position ``(N + 1, V')``.
Predictor: TypeAlias = Callable[[Ids], NDArray[np.float64]]


@dataclass(frozen=True)
class InkNats:
    """What a model thinks of drawings.

    Attributes
    ----------
    drawings, points : int
        How many; the first point of a drawing, which is given, is not among them.
    soft : float
        Nats of all points and ends, as a mixture of Gaussians; ADVANCE counts, letters are given.
    hard : float
        The same from the codes alone: a code's probability is spread evenly over its cell.
    """

    drawings: int
    points: int
    soft: float
    hard: float

    @property
    def soft_per_point(self) -> float:
        """Nats a point."""
        return self.soft / self.points

    @property
    def hard_per_point(self) -> float:
        """Nats a point."""
        return self.hard / self.points

    @property
    def soft_per_drawing(self) -> float:
        """Nats a drawing."""
        return self.soft / self.drawings


def has_density(codec: Codec) -> bool:
    """Return whether a codec has one token a point, by which the next point has a density."""
    return isinstance(codec, InkCodec) and isinstance(codec.steps, Books)


def soft_nats(
    run: seqgen.Run, inks: Iterable[Ink], noise: np.random.Generator | None = None
) -> InkNats:
    """Score drawings with the network of a run; a few at a time are in memory.

    Parameters
    ----------
    run : Run
    inks : iterable of Ink
    noise : Generator, optional
        Moves every point at random within a square of D around where it is, so that a density
        gains nothing from points that lie on a lattice (Theis et al. 2016, section 3.1).

    Raises
    ------
    DataError
        If the run's codec is not one of one token a point, or cannot encode a drawing.
    """
    codec = run.codec
    if not isinstance(codec, InkCodec):
        raise DataError(f"{run.folder} is no run of a codec for ink")
    remaining, total = iter(inks), InkNats(0, 0, 0.0, 0.0)
    while group := list(islice(remaining, LANES)):
        predicted = _predicted(run, [codec.encode(ink) for ink in group])
        for ink, log_probabilities in zip(group, predicted, strict=True):
            nats = ink_nats(codec, ink, lambda _: log_probabilities, noise)  # noqa: B023
            total = _plus(total, nats)
    return total


def ngram_nats(codec: InkCodec, predict: Predictor, inks: Iterable[Ink]) -> InkNats:
    """Score drawings with any other model: the floor that a network has to clear."""
    total = InkNats(0, 0, 0.0, 0.0)
    for ink in inks:
        total = _plus(total, ink_nats(codec, ink, predict))
    return total


def ink_nats(
    codec: InkCodec, ink: Ink, predict: Predictor, noise: np.random.Generator | None = None
) -> InkNats:
    """Score one drawing; `noise` as for `soft_nats`.

    Raises
    ------
    DataError
        If the codec is not one of one token a point, or cannot encode it.
    """
    books = codec.steps
    if not isinstance(books, Books):
        raise DataError("the likelihood of points needs one token a point: codec points or grid")
    ids = codec.encode(ink)
    log_probabilities = predict(ids)  # (N + 1, V')
    own = log_probabilities[np.arange(len(ids) + 1), np.append(ids, len(codec.vocab))]
    actions = codec.pen.actions[ids]
    is_step = actions < LETTER
    steps, rows = ids[is_step], log_probabilities[:-1][is_step]
    over, lifted = _steps_to_code(codec, ink, steps)
    if noise is not None:
        over += noise.uniform(-D / 2, D / 2, over.shape)
    soft = -mixture(books, rows[:, : len(books.spread)], over, lifted) - 2 * np.log(D)
    hard = cell_nats(books)[steps] - own[:-1][is_step]
    others = -own[np.append(actions > LETTER, True)].sum()
    return InkNats(1, len(steps), float(soft.sum() + others), float(hard.sum() + others))


def cell_nats(books: Books) -> NDArray[np.float64]:
    """Return what each code leaves open, in nats: its cell in squares of D, one at least.

    A cell whose points are spread evenly has 12 times the root of their covariance's determinant.
    """
    cells = 12 * np.sqrt(_determinants(books.spread))
    return np.asarray(np.log(np.maximum(cells, D**2) / D**2))


def mixture(
    books: Books,
    log_weights: NDArray[np.float64],
    over: NDArray[np.float64],
    lifted: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the log-density of steps under a mixture over the codes of their books.

    Parameters
    ----------
    books : Books of C codes
    log_weights : float64 array (P, C)
        Log-probabilities of the codes.
    over : float64 array (P, 2)
        Steps in sides.
    lifted : bool array (P,)
        Whether a step was made in the air: the codes of the other book have no density there.

    Returns
    -------
    float64 array (P,)
        Per square side.
    """
    drawn, result = len(books.draw), np.empty(len(over))
    for centres, codes, chosen in (
        (books.draw, slice(0, drawn), ~lifted),
        (books.move, slice(drawn, None), lifted),
    ):
        spread = WIDENING * books.spread[codes] + (D**2 / 12, 0.0, D**2 / 12)
        xx, xy, yy = spread.T
        determinant = _determinants(spread)
        x, y = np.moveaxis(over[chosen][:, None] - centres[None], 2, 0)  # (P', codes)
        distance = (yy * x * x - 2 * xy * x * y + xx * y * y) / determinant
        terms = log_weights[chosen][:, codes] - distance / 2 - np.log(determinant) / 2
        top = terms.max(axis=1, initial=-np.inf)
        result[chosen] = top + np.log(np.exp(terms - top[:, None]).sum(axis=1)) - np.log(2 * np.pi)
    return result


class Bigram:
    """Predicts an id from the one before it, smoothed as Witten and Bell did (1991, method C).

    Parameters
    ----------
    pieces : iterable of int64 array (N,)
    size : int
        V: number of ids without END, which is predicted, and START, which is read.
    """

    def __init__(self, pieces: Iterable[Ids], size: int) -> None:
        counts = np.zeros((size + 1, size + 1))
        for ids in pieces:
            # The last row is that of START, the last column that of END.
            np.add.at(counts, (np.append(size, ids), np.append(ids, size)), 1)
        below = _smoothed(counts.sum(axis=0)[None], np.full(size + 1, 1 / (size + 1)))
        self._table = np.log(_smoothed(counts, below[0]))
        self._size = size

    def __call__(self, ids: Ids) -> NDArray[np.float64]:
        """Return log-probabilities ``(N + 1, V + 1)``."""
        return np.asarray(self._table[np.append(self._size, ids)])


def _smoothed(counts: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    different = (counts > 0).sum(axis=1, keepdims=True)
    total = counts.sum(axis=1, keepdims=True) + different
    return np.where(total > 0, (counts + different * below) / np.maximum(total, 1), below)


def _steps_to_code(
    codec: InkCodec, ink: Ink, steps: Ids
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return what the closed loop had to code at every point but the first, in sides."""
    trace = codec.trace(ink)
    led = codec.pen.trace(steps).points
    return trace.points[1:] - led[:-1], trace.lifted[1:]


def _determinants(spread: NDArray[np.float64]) -> NDArray[np.float64]:
    xx, xy, yy = spread.T
    return np.asarray(np.maximum(xx * yy - xy * xy, 0.0))


def _plus(one: InkNats, other: InkNats) -> InkNats:
    return InkNats(
        one.drawings + other.drawings,
        one.points + other.points,
        one.soft + other.soft,
        one.hard + other.hard,
    )


def _predicted(run: seqgen.Run, group: list[Ids]) -> Iterator[NDArray[np.float64]]:
    """Yield the network's log-probabilities of pieces ``(N + 1, V')``, read side by side."""
    # Only scoring needs it.
    import torch

    longest = max(map(len, group))
    if len(group) > 1 and len(group) * (longest + 1) * run.vocab.targets > LOGITS:
        half = len(group) // 2
        yield from _predicted(run, group[:half])
        yield from _predicted(run, group[half:])
        return
    inputs = np.full((len(group), longest + 1), run.vocab.end)
    features = np.zeros((*inputs.shape, len(run.codec.feature_sizes)), np.int64)
    for row, ids in enumerate(group):
        inputs[row, 0], inputs[row, 1 : len(ids) + 1] = run.vocab.start, ids
        features[row, : len(ids) + 1] = run.codec.features(ids)
    with torch.no_grad():
        model = run.model.eval()
        device = next(model.parameters()).device
        read = (torch.from_numpy(array).to(device) for array in (inputs, features))
        logits, _ = model(*read)
        result = logits.double().log_softmax(-1).cpu().numpy()
    yield from (result[row, : len(ids) + 1] for row, ids in enumerate(group))
