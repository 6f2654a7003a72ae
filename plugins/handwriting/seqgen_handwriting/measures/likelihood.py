"""Likelihoods of pen strokes that can be compared: nats a point at 1 % of the side.

A loss per token compares nothing: fewer codes cost less. Here the prediction is read as a
density over where the next point is, a mixture with one Gaussian a code: its weight is the
code's probability, its mean the code's step, its covariance what the code leaves over in the
closed loop, widened. Points are taken to be known to D of a side only, so that data that lie on a
lattice give no nats for free: D^2 / 12 is added to each variance, and a density is counted per D^2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids, Predictor
from seqgen_handwriting.codecs.base import InkCodec
from seqgen_handwriting.codecs.codebook import Books
from seqgen_handwriting.codecs.pen_states import LETTER
from seqgen_handwriting.ink import Ink

#: To what part of a side points are known.
D = 0.01

#: How much wider a code's Gaussian is than what the code leaves over: a network is less sure which
#: of two neighbouring codes it will be than their residuals tell. Of validation pieces kanji are
#: likeliest with 1.4 and Omniglot's with 1.05, or 1.4 if points are moved at random.
WIDENING = 1.2


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
    codec: Codec,
    predictor: Predictor,
    inks: Iterable[Ink],
    noise: np.random.Generator | None = None,
) -> InkNats:
    """Score drawings with a network or any other model; a few at a time are in memory.

    Parameters
    ----------
    codec : Codec
        One token a point: `points` or `grid`.
    predictor : Predictor
        `seqgen.NetworkPredictor(run)`, or n-gram counts: the floor that a network has to clear.
    inks : iterable of Ink
    noise : Generator, optional
        Moves every point at random within a square of D around where it is, so that a density
        gains nothing from points that lie on a lattice (Theis et al. 2016, section 3.1).

    Raises
    ------
    DataError
        If the codec is another one, or cannot encode a drawing.
    """
    ahead: deque[Ink] = deque()

    def encoded() -> Iterator[Ids]:
        for ink in inks:
            ahead.append(ink)
            yield codec.encode(ink)

    total = InkNats(0, 0, 0.0, 0.0)
    for log_probabilities in predictor.log_probabilities(encoded()):
        total = _plus(total, ink_nats(codec, ahead.popleft(), log_probabilities, noise))
    return total


def ink_nats(
    codec: Codec,
    ink: Ink,
    log_probabilities: NDArray[np.float64],
    noise: np.random.Generator | None = None,
) -> InkNats:
    """Score one drawing.

    Parameters
    ----------
    codec : Codec
    ink : Ink
    log_probabilities : float64 array (N + 1, V')
        Of every id at every position of the encoded drawing; the last column is END.
    noise : Generator, optional
        As for `soft_nats`.

    Raises
    ------
    DataError
        If the codec has not one token a point, or cannot encode the drawing.
    """
    if not isinstance(codec, InkCodec) or not isinstance(codec.steps, Books):
        raise DataError("the likelihood of points needs one token a point: codec points or grid")
    books, ids = codec.steps, codec.encode(ink)
    own = log_probabilities[np.arange(len(ids) + 1), np.append(ids, len(codec.vocab))]  # (N + 1,)
    actions = codec.pen.actions[ids]
    is_step = actions < LETTER
    steps, rows = ids[is_step], log_probabilities[:-1][is_step]  # (P,), (P, V')
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
