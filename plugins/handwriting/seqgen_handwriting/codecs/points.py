"""The codec `points`: one token per point, from two learned codebooks of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from seqgen.plugin import Within
from seqgen_handwriting.codecs.codebook import Books
from seqgen_handwriting.codecs.ink_codec import InkCodec, InkOptions, Steps
from seqgen_handwriting.codecs.trace import Trace

#: Codes of steps on the paper and in the air. More codes predict drawings better; with fewer codes
#: a model learns letters sooner, and they are more legible.
DRAWING_CODES, WRITING_CODES = (768, 192), (384, 128)


@dataclass(frozen=True)
class PointOptions(InkOptions):
    """Sizes of the two codebooks."""

    draw: Annotated[int, Within(0, 16_384)] = 0
    """Codes of steps on the paper; 0 takes 768, or 384 where text is learned."""
    move: Annotated[int, Within(0, 16_384)] = 0
    """Codes of steps in the air; 0 takes 192, or 128 where text is learned."""


class PointsCodec(InkCodec):
    """Ink as steps of the pen, one token each: the nearest step of a learned codebook.

    One codebook holds steps on the paper, the other steps in the air. See `InkCodec` for what is
    lost and for the features.
    """

    options_type: ClassVar[type[Any]] = PointOptions

    @classmethod
    def learn_steps(cls, traces: Sequence[Trace], options: PointOptions) -> Steps:
        """Learn the codebooks by k-means."""
        draw, move = WRITING_CODES if any(trace.text for trace in traces) else DRAWING_CODES
        return Books.fit(traces, options.draw or draw, options.move or move)

    @classmethod
    def steps_from_state(cls, state: Mapping[str, Any]) -> Steps:
        """Rebuild the codebooks."""
        return Books.from_state(state)
