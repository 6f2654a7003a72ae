"""The codec `polar`: two tokens a point, the direction and then how far; nearly lossless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Ids, Within, check_fields
from seqgen_handwriting.codecs.codebook import Points, compiled
from seqgen_handwriting.codecs.pen_states import ANGLE, DRAW_FAR, MOVE_FAR
from seqgen_handwriting.codecs.points import PointsCodec, Steps, Variation
from seqgen_handwriting.codecs.trace import Trace

#: Shortest and longest way beside none, in sides.
SHORTEST, FARTHEST = 0.002, 2.5


@dataclass(frozen=True)
class PolarOptions:
    """How many directions and ways are told apart."""

    directions: Annotated[int, Within(4, 4096)] = 128
    """Directions."""
    ways: Annotated[int, Within(3, 4096)] = 96
    """Ways on the paper, and as many in the air."""
    text: Literal["auto", "spread", "off"] = "auto"
    """Learn to write given text: auto does if the corpus says which points belong to which letter;
    spread takes the letters of every text as spread evenly over the ink."""
    vary: Variation = 1.0
    """How much pieces are stretched, slanted, turned and thinned out in training; 0 is not."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Rays:
    """Directions that are spread evenly, and ways that grow by one factor.

    The ids of directions come first, those of ways on the paper then, those in the air last.
    """

    directions: int
    ways: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tokens."""
        return (
            *(f"direction {number}" for number in range(self.directions)),
            *(f"draw way {number}" for number in range(self.ways)),
            *(f"move way {number}" for number in range(self.ways)),
        )

    @cached_property
    def lengths(self) -> NDArray[np.float64]:
        """The ways in sides ``(ways,)``, the first of which is none."""
        return np.append(0.0, np.geomspace(SHORTEST, FARTHEST, self.ways - 1))

    @cached_property
    def rays(self) -> Points:
        """Cosine and sine of every direction ``(directions, 2)``."""
        angles = 2 * np.pi * np.arange(self.directions) / self.directions
        return np.stack([np.cos(angles), np.sin(angles)], 1)

    @cached_property
    def middles(self) -> NDArray[np.float64]:
        """What is between two ways ``(ways - 1,)``."""
        return np.append(SHORTEST / 2, np.sqrt(self.lengths[1:-1] * self.lengths[2:]))

    def tables(self) -> tuple[Ids, Points]:
        """Return kinds and values of the tokens."""
        lengths = np.tile(self.lengths, 2)
        kinds = np.repeat([ANGLE, DRAW_FAR, MOVE_FAR], [self.directions, self.ways, self.ways])
        far = np.stack([lengths, np.zeros_like(lengths)], 1)
        return kinds, np.concatenate([self.rays, far])

    def quantise(self, trace: Trace) -> Ids:
        """Return direction and way of every point but the first ``(P - 1, 2)``, closed loop."""
        ids = np.empty((len(trace.points) - 1, 2), np.int64)
        _quantise(trace.points, trace.lifted, self.rays, self.lengths, self.middles, ids)
        return ids

    def state(self) -> dict[str, Any]:
        """Return how many there are."""
        return {"directions": self.directions, "ways": self.ways}


class PolarCodec(PointsCodec):
    """As `PointsCodec`, with two tokens a point: the direction, then how far.

    Nothing but the scale and the alphabet is learned. Points are off by a quarter of what they
    are with `points`, for twice as many tokens. A feature knows the direction when the way is due.
    """

    options_type: ClassVar[type[Any]] = PolarOptions
    of_a_step: ClassVar[int] = 2

    @classmethod
    def learn(cls, traces: Sequence[Trace], options: PolarOptions) -> Steps:
        """Lay out directions and ways."""
        return Rays(options.directions, options.ways)

    @classmethod
    def rebuild(cls, state: Mapping[str, Any]) -> Steps:
        """Rebuild directions and ways."""
        return Rays(state["directions"], state["ways"])


@compiled
def _quantise(
    points: Points,
    lifted: NDArray[np.bool_],
    rays: Points,
    lengths: NDArray[np.float64],
    middles: NDArray[np.float64],
    ids: Ids,
) -> None:
    x, y = points[0, 0], points[0, 1]
    directions = len(rays)
    for row in range(1, len(points)):
        over_x, over_y = points[row, 0] - x, points[row, 1] - y
        way = int(np.searchsorted(middles, np.hypot(over_x, over_y)))
        # No way has no direction: what is left of rounding does not choose one.
        turn = np.arctan2(over_y, over_x) / (2 * np.pi) if way else 0.0
        direction = int(np.round(turn * directions)) % directions
        ids[row - 1, 0] = direction
        ids[row - 1, 1] = directions + way + (len(lengths) if lifted[row] else 0)
        x += lengths[way] * rays[direction, 0]
        y += lengths[way] * rays[direction, 1]
