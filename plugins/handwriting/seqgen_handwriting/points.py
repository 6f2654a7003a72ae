"""The codec `points`: one token a point, from two learned books of steps.

The first point of a drawing is where it begins and costs no token. Every other is the code of a
step, of the book of steps on the paper or of that of steps in the air.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import ConfigError, DataError
from seqgen.plugin import Codec, Ids
from seqgen_handwriting.codebook import MOVE, Books
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.pen import ANGLE, LETTER, MOVE_FAR, Pen, PenTracker
from seqgen_handwriting.trace import Trace, ink_of, trace_of


class Steps(Protocol):
    """How steps become tokens, in sides."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tokens (R of them)."""
        ...

    def tables(self) -> tuple[Ids, NDArray[np.float64]]:
        """Return kinds ``(R,)`` and values ``(R, 2)`` for `seqgen_handwriting.pen.Pen`."""
        ...

    def quantise(self, trace: Trace) -> Ids:
        """Return the tokens of every point but the first ``(P - 1,)`` or ``(P - 1, 2)``."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what was learned as plain JSON."""
        ...


@dataclass(frozen=True)
class PointOptions:
    """How many steps are told apart."""

    draw: int = 384
    """Codes of steps on the paper."""
    move: int = 128
    """Codes of steps in the air."""
    text: Literal["auto", "off"] = "auto"
    """Learn to write given text, if the corpus says which points belong to which letter."""
    vary: float = 1.0
    """How much pieces are stretched, slanted, turned and thinned out in training; 0 is not."""

    def __post_init__(self) -> None:
        if min(self.draw, self.move) < 1:
            raise ConfigError(f"draw and move must be above 0, found {self.draw} and {self.move}")
        check_vary(self.vary)


def check_vary(vary: float) -> None:
    """Refuse variations that would turn a drawing upside down.

    Raises
    ------
    ConfigError
        If it is not from 0 to 5.
    """
    if not 0 <= vary <= 5:
        raise ConfigError(f"vary must be from 0 to 5, found {vary}")


class PointsCodec(Codec):
    """Ink as steps of the pen, one token each.

    Lossy: a step becomes the nearest of its book; what is left over goes into the next, so that
    errors do not add up. Place and size go: drawings begin at the origin and keep their size
    relative to one another. Times and the writer go, and text whose letters are not known. Points
    that go back to an earlier letter, for its dot, go with the one that the pen had got to.

    Five features: the number of the stroke; of points in it; the place of the pen, from the
    first point, sideways from where the letter began; the way from the beginning of the stroke;
    the direction of the last step. With text three more: the letter being written, the next one,
    and how many points the letter has.

    Parameters
    ----------
    steps : Steps
    scale : float
        The median side of the corpus's drawings, which counts as 1: the height of pieces whose
        letters are known, the longer side of others.
    alphabet, blank : str
        Letters of the corpus, and those of them without ink.
    error : (float, float)
        How far points are off, in % of their drawing's side: mean and 95th percentile.
    """

    options_type: ClassVar[type[Any]] = PointOptions

    def __init__(
        self,
        steps: Steps,
        scale: float,
        alphabet: str,
        blank: str,
        error: tuple[float, float],
        options: Any,
    ) -> None:
        self.steps, self.scale, self.error, self.options = steps, scale, error, options
        self.blank = blank
        self.pen = Pen(steps.names, *steps.tables(), alphabet, blank)
        self.vocab = self.pen.vocab
        self.feature_sizes = self.pen.feature_sizes

    @classmethod
    def learn(cls, traces: Sequence[Trace], options: Any) -> Steps:
        """Learn the steps from traces in sides."""
        return Books.fit(traces, options.draw, options.move)

    @classmethod
    def rebuild(cls, state: Mapping[str, Any]) -> Steps:
        """Rebuild the steps from their state."""
        return Books.from_state(state)

    @classmethod
    def fit(cls, pieces: Iterable[Ink], options: Any) -> Self:
        """Learn the scale, the steps and the alphabet.

        All points are held in memory, 25 bytes each.

        Raises
        ------
        DataError
            If no piece has two points in different places.
        """
        traces = [_written(trace_of(ink), options) for ink in pieces if ink.points > 1]
        sides = np.array([trace.side() for trace in traces])
        if not (sides > 0).any():
            raise DataError("no drawing has two points in different places")
        scale = float(np.median(sides[sides > 0]))
        traces = [trace.scaled(1 / scale) for trace in traces]
        letters = {letter for trace in traces for letter in trace.text}
        inked = {trace.text[at] for trace in traces if trace.text for at in set(trace.letters)}
        alphabet, blank = ("".join(sorted(each)) for each in (letters, letters - inked))
        codec = cls(cls.learn(traces, options), scale, alphabet, blank, (0.0, 0.0), options)
        codec.error = codec._error(traces)
        return codec

    def encode(self, piece: Ink) -> Ids:
        """Return the tokens of all points but the first, and of the letters.

        Raises
        ------
        DataError
            If there are no two points; for a letter that the corpus had not; for text of which
            it is not known which points belong to which letter, if the corpus tells that.
        """
        if piece.points < 2:
            raise DataError(f"a drawing has two points at least, found {piece.points}")
        if self.pen.alphabet and piece.text and piece.letters is None:
            raise DataError(
                f"it is not known which points of {piece.text!r} belong to which letter, and this "
                f"corpus tells; set the codec option text to off to learn without text"
            )
        return self._ids(_written(trace_of(piece), self.options).scaled(1 / self.scale))

    def decode(self, ids: Ids) -> Ink:
        """Return the strokes, and the text of the letters that were begun."""
        return ink_of(self.pen.trace(ids).scaled(self.scale))

    def state(self) -> dict[str, Any]:
        """Return scale, steps, alphabet and error."""
        return {
            "scale": self.scale,
            "error": list(self.error),
            "alphabet": self.pen.alphabet,
            "blank": self.blank,
            "steps": self.steps.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: Any) -> Self:
        """Rebuild the codec."""
        mean, most = state["error"]
        texts = state["alphabet"], state["blank"]
        return cls(cls.rebuild(state["steps"]), state["scale"], *texts, (mean, most), options)

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Stretch, slant and turn the drawing a little, and leave out some points."""
        trace = self.pen.trace(ids)
        if not self.options.vary or len(trace.points) < 2:
            return ids
        return self._ids(trace.varied(rng, self.options.vary))

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return what follows as a drawing of its own."""
        return self.pen.continuation(ids, start)

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position (N + 1, 5), or (N + 1, 8) with text."""
        return self.pen.follow(ids)[1]

    def tracker(self, condition: Any = None) -> PenTracker:
        """Return the follower of one drawing.

        Parameters
        ----------
        condition : str or Ink, optional
            The text to be written, after that of a prompt; the piece ends after it.

        Raises
        ------
        DataError
            If the corpus had no text or not all of its letters.
        """
        return self.pen.tracker(condition)

    def place(self, ids: Ids, position: int) -> str:
        """Return the stroke and the point of it, both from 1 on."""
        kinds = self.pen.kinds[ids[: position + 1]]
        points = kinds[self._are_points(kinds)]
        lifts = np.flatnonzero(np.isin(points, (MOVE, MOVE_FAR)))
        # The first point of a drawing is given and has no token.
        of_stroke = len(points) - lifts[-1] if len(lifts) else len(points) + 1
        return f"stroke {len(lifts) + 1:,}, point {of_stroke:,}"

    def units(self, ids: Ids) -> dict[str, float]:
        """Count tokens, points but the first, and drawings."""
        points = int(self._are_points(self.pen.kinds[ids]).sum())
        return {"tokens": float(len(ids)), "points": float(points), "drawings": 1.0}

    def _are_points(self, kinds: Ids) -> NDArray[np.bool_]:
        return (kinds < LETTER) & (kinds != ANGLE)

    def _ids(self, trace: Trace) -> Ids:
        """Return the ids of a trace in sides."""
        steps = self.steps.quantise(trace)
        return self.pen.spell(trace, steps.reshape(len(trace.points) - 1, -1))

    def _error(self, traces: Iterable[Trace]) -> tuple[float, float]:
        """Return how far points are off in % of the side: mean and 95th percentile."""
        off = []
        for trace in traces:
            side = trace.side()
            if side > 0:
                again = self.pen.trace(self.steps.quantise(trace).ravel())
                distances = np.hypot(*(again.points - trace.points)[1:].T)
                off.append(100 * distances / side)
        # Sorted, for a sum depends on the order.
        ordered = np.sort(np.concatenate(off))
        return round(float(ordered.mean()), 4), round(float(np.percentile(ordered, 95)), 4)


def reconstruction_error(codec: PointsCodec, pieces: Iterable[Ink]) -> tuple[float, float]:
    """Return how far the points of encoded drawings are from where they were.

    In % of the drawing's side: mean and 95th percentile over all points but the first.
    """
    traces = [_written(trace_of(ink), codec.options) for ink in pieces if ink.points > 1]
    return codec._error([trace.scaled(1 / codec.scale) for trace in traces])


def _written(trace: Trace, options: Any) -> Trace:
    """Return the trace with its text, or without if text is not to be learned."""
    if options.text == "auto" or not trace.text:
        return trace
    return Trace(trace.points, trace.lifted, np.zeros_like(trace.letters))
