"""Comparable likelihoods of ink: nats per point at 1 % of the side.

Losses per token cannot be compared between codecs: fewer codes cost less. Here a prediction becomes
a density of the next point, a mixture with one Gaussian per code. Its weight is the code's
probability, its mean the code's step, its covariance that of the code's residuals in the closed
loop, widened. Points are known to D of a side only, so points on a lattice give no nats for free:
D^2 / 12 is added to each variance, and a density is counted per D^2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.unlabelled import unlabelled, unlabelled_predictor
from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids, Predictor
from seqgen_handwriting.codecs.codebook import Books
from seqgen_handwriting.codecs.ink_codec import InkCodec
from seqgen_handwriting.ink import Ink

#: Precision of points, as a fraction of the side.
D = 0.01

#: Factor on the covariance of a code's residuals: a network is less sure of neighbouring codes than
#: their residuals suggest. Validation pieces of kanji are most likely with 1.4, those of Omniglot
#: with 1.05, or with 1.4 if points are moved at random.
WIDENING = 1.2


@dataclass(frozen=True)
class InkNats:
    """The likelihood of drawings under a model.

    Attributes
    ----------
    drawings, points : int
        Numbers of drawings and points. The first point of a drawing is given and not counted.
    soft : float
        Nats of all points and ends under the mixture of Gaussians. ADVANCE counts, letters do not.
    hard : float
        The same with each code's probability spread evenly over its cell.
    """

    drawings: int
    points: int
    soft: float
    hard: float

    @property
    def soft_per_point(self) -> float:
        """Nats per point under the mixture."""
        return self.soft / self.points

    @property
    def hard_per_point(self) -> float:
        """Nats per point with even cells."""
        return self.hard / self.points

    @property
    def soft_per_drawing(self) -> float:
        """Nats per drawing under the mixture."""
        return self.soft / self.drawings


def has_density(codec: Codec) -> bool:
    """Return whether a codec has one token per point, so that the next point has a density."""
    return isinstance(codec, InkCodec) and isinstance(codec.steps, Books)


def soft_nats(
    codec: Codec,
    predictor: Predictor,
    inks: Iterable[Ink],
    noise: np.random.Generator | None = None,
) -> InkNats:
    """Score drawings with a network or another model; a few drawings are in memory at a time.

    Parameters
    ----------
    codec : Codec
        A codec of one token per point: `points` or `grid`.
    predictor : Predictor
        `seqgen.NetworkPredictor(run, grammar=False)`, as published figures have no grammar, or
        n-gram counts as a baseline.
    inks : iterable of Ink
    noise : Generator, optional
        Moves every point at random within a square of side D, so that points on a lattice bring
        no gain (Theis et al. 2016, section 3.1).

    Raises
    ------
    DataError
        If the codec is of another kind, or cannot encode a drawing.
    """
    # A run with labels has a codec around that of the domain.
    codec, predictor = unlabelled(codec), unlabelled_predictor(codec, predictor)
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
        Log-probabilities of every id at every position of the encoded drawing, END last.
    noise : Generator, optional
        As for `soft_nats`.

    Raises
    ------
    DataError
        If the codec is of another kind, or cannot encode the drawing.
    """
    if not isinstance(codec, InkCodec) or not isinstance(codec.steps, Books):
        raise DataError("the likelihood of points needs one token per point: codec points or grid")
    books, ids = codec.steps, codec.encode(ink)
    own = log_probabilities[np.arange(len(ids) + 1), np.append(ids, len(codec.vocab))]  # (N + 1,)
    dictation = codec.pen.dictation
    is_step = ids < dictation.first
    steps, rows = ids[is_step], log_probabilities[:-1][is_step]  # (P,), (P, V')
    over, lifted = _steps_to_code(codec, ink, steps)
    if noise is not None:
        over += noise.uniform(-D / 2, D / 2, over.shape)
    soft = -mixture(books, rows[:, : len(books.spread)], over, lifted) - 2 * np.log(D)
    hard = cell_nats(books)[steps] - own[:-1][is_step]
    others = -own[np.append(ids == dictation.advance, True)].sum()
    return InkNats(1, len(steps), float(soft.sum() + others), float(hard.sum() + others))


def cell_nats(books: Books) -> NDArray[np.float64]:
    """Return the nats ``(C,)`` of a point in each code's cell: log of its area in squares of D.

    The area is one square at least. If points are spread evenly over a cell, its area is 12 times
    the root of their covariance's determinant.
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
        Steps, in sides.
    lifted : bool array (P,)
        Whether the pen was lifted in a step. Codes of the other book have density 0.

    Returns
    -------
    float64 array (P,)
        Log-density per square side.
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
    """Return the steps ``(P, 2)`` that the closed loop coded, in sides, and their `lifted`."""
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
