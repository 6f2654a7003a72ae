"""The codec `grid`: one token per point, from two fixed grids of steps.

Only the scale comes from the corpus, so any two corpora of drawings have the same tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Within
from seqgen_handwriting.codecs.codebook import Books
from seqgen_handwriting.codecs.ink_codec import InkCodec, InkOptions, Steps
from seqgen_handwriting.codecs.trace import Trace

#: Shortest and longest distance along an axis, in sides, on the paper and in the air.
DRAW_RANGE, MOVE_RANGE = (0.01, 0.8), (0.04, 1.2)


@dataclass(frozen=True)
class GridOptions(InkOptions):
    """Sizes of the two grids."""

    draw: Annotated[int, Within(2, 30)] = 9
    """Distances along each half of an axis on the paper; 9 make 19 x 19 codes."""
    move: Annotated[int, Within(2, 30)] = 5
    """Distances along each half of an axis in the air."""


class GridCodec(InkCodec):
    """As `PointsCodec`, with steps from two fixed grids whose cells grow outwards.

    Its error is larger than that of learned codebooks of the same size, above all where the steps
    of a corpus are alike.
    """

    options_type: ClassVar[type[Any]] = GridOptions

    @classmethod
    def learn_steps(cls, traces: Sequence[Trace], options: GridOptions) -> Steps:
        """Lay out the grids."""
        draw, draw_spread = _grid(options.draw, *DRAW_RANGE)
        move, move_spread = _grid(options.move, *MOVE_RANGE)
        return Books(draw, move, np.concatenate([draw_spread, move_spread]))

    @classmethod
    def steps_from_state(cls, state: Mapping[str, Any]) -> Steps:
        """Rebuild the grids."""
        return Books.from_state(state)


def _grid(
    half: int, shortest: float, longest: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the steps of a grid whose distances grow by a constant factor, and their spread.

    Returns
    -------
    centres : float64 array (C, 2)
    spread : float64 array (C, 3)
        Covariance (xx, xy, yy) of points that are spread evenly over each cell.
    """
    distances = np.geomspace(shortest, longest, half)
    axis = np.concatenate([-distances[::-1], [0.0], distances])  # (2 half + 1,)
    widths = np.gradient(axis)
    x, y = (each.ravel() for each in np.meshgrid(axis, axis, indexing="ij"))  # each (C,)
    xx, yy = (each.ravel() ** 2 / 12 for each in np.meshgrid(widths, widths, indexing="ij"))
    return np.stack([x, y], 1), np.stack([xx, np.zeros_like(xx), yy], 1)
