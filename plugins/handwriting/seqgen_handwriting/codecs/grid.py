"""The codec `grid`: one token a point, from books that are laid out and not learned.

Only the scale comes from the corpus, so that two corpora of any kind share their tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Within, check_fields
from seqgen_handwriting.codecs.codebook import Books
from seqgen_handwriting.codecs.points import PointsCodec, Steps, Variation
from seqgen_handwriting.codecs.trace import Trace

#: First and longest way along an axis, in sides, on the paper and in the air.
DRAW_WAYS, MOVE_WAYS = (0.01, 0.8), (0.04, 1.2)


@dataclass(frozen=True)
class GridOptions:
    """How fine the grid is."""

    draw: Annotated[int, Within(2, 30)] = 9
    """Ways along each half of an axis on the paper; 9 make 19 times 19 codes."""
    move: Annotated[int, Within(2, 30)] = 5
    """Ways along each half of an axis in the air."""
    text: Literal["auto", "spread", "off"] = "auto"
    """Learn to write given text: auto does if the corpus says which points belong to which letter;
    spread takes the letters of every text as spread evenly over the ink."""
    vary: Variation = 1.0
    """How much pieces are stretched, slanted, turned and thinned out in training; 0 is not."""

    def __post_init__(self) -> None:
        check_fields(self)


class GridCodec(PointsCodec):
    """As `PointsCodec`, with steps from a grid whose ways grow from its middle on.

    Lossier than learned books of as many codes, the more so the more alike steps are.
    """

    options_type: ClassVar[type[Any]] = GridOptions

    @classmethod
    def learn(cls, traces: Sequence[Trace], options: GridOptions) -> Steps:
        """Lay out the books."""
        draw, draw_spread = _grid(options.draw, *DRAW_WAYS)
        move, move_spread = _grid(options.move, *MOVE_WAYS)
        return Books(draw, move, np.concatenate([draw_spread, move_spread]))


def _grid(
    half: int, first: float, longest: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return steps whose ways along each axis grow by one factor, and the spread of each.

    Returns
    -------
    centres : float64 array (C, 2)
    spread : float64 array (C, 3)
        Of points that are spread evenly over the cell.
    """
    ways = np.geomspace(first, longest, half)
    axis = np.concatenate([-ways[::-1], [0.0], ways])
    widths = np.gradient(axis)
    x, y = (each.ravel() for each in np.meshgrid(axis, axis, indexing="ij"))
    xx, yy = (each.ravel() ** 2 / 12 for each in np.meshgrid(widths, widths, indexing="ij"))
    return np.stack([x, y], 1), np.stack([xx, np.zeros_like(xx), yy], 1)
