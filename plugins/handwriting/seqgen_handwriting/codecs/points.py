"""The codec `points`: one token a point, from two learned books of steps.

The first point of a drawing is where it begins and costs no token. Every other is the code of a
step, of the book of steps on the paper or of that of steps in the air.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids, Within, check_fields
from seqgen.unknown import Mended, Unknown, mend_text, nearest
from seqgen_handwriting.codecs.codebook import MOVE, Books
from seqgen_handwriting.codecs.pen import Pen
from seqgen_handwriting.codecs.pen_states import ANGLE, LETTER, MOVE_FAR
from seqgen_handwriting.codecs.pen_tracker import PenTracker
from seqgen_handwriting.codecs.sample import Sample
from seqgen_handwriting.codecs.trace import PITCH, Trace, ink_of, trace_of
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.paper import COLUMN, LINE
from seqgen_handwriting.writing.alignment import spread, without_letters

#: Codes of steps on the paper and in the air. More of them predict the next point better, both
#: finer and likelier; letters are learned sooner, and read better, with fewer.
OF_DRAWINGS, OF_WRITING = (768, 192), (384, 128)

#: The width of a page's writing in sides.
WIDTH = COLUMN / LINE * PITCH


class Steps(Protocol):
    """How steps become tokens, in sides."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tokens (R of them)."""
        ...

    def tables(self) -> tuple[Ids, NDArray[np.float64]]:
        """Return kinds ``(R,)`` and values ``(R, 2)`` for `seqgen_handwriting.codecs.pen.Pen`."""
        ...

    def quantise(self, trace: Trace) -> Ids:
        """Return the tokens of every point but the first ``(P - 1,)`` or ``(P - 1, 2)``."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what was learned as plain JSON."""
        ...


#: More would turn a drawing upside down.
Variation: TypeAlias = Annotated[float, Within(0, 5)]


@dataclass(frozen=True)
class PointOptions:
    """How many steps are told apart."""

    draw: Annotated[int, Within(0, 16_384)] = 0
    """Codes of steps on the paper; 0 takes 768, or 384 where text is learned."""
    move: Annotated[int, Within(0, 16_384)] = 0
    """Codes of steps in the air; 0 takes 192, or 128 where text is learned."""
    text: Literal["auto", "spread", "off"] = "auto"
    """Learn to write given text: auto does if the corpus says which points belong to which letter;
    spread takes the letters of every text as spread evenly over the ink."""
    vary: Variation = 1.0
    """How much pieces are stretched, slanted, turned and thinned out in training; 0 is not."""

    def __post_init__(self) -> None:
        check_fields(self)


class PointsCodec(Codec):
    """Ink as steps of the pen, one token each.

    Lossy: a step becomes the nearest of its book; what is left over goes into the next, so that
    errors do not add up. Place and size go: drawings begin at the origin and keep their size
    relative to one another; lines of writing come to be `PITCH` sides apart. Times and the writer
    go, and text if no piece of the corpus says which points belong to which letter; if some do,
    the letters of the others are spread over their ink. Points that go back to an earlier letter,
    for its dot, go with the one that the pen had got to.

    Five features: the number of the stroke, in the drawing or the letter; of points in it; the
    place of the pen, from the first point, sideways from where the letter began; the way from the
    beginning of the stroke; direction and length of the last step. With text four more: the letter
    being written, the next one, how many points the letter has, and the height above the line so
    far.

    Parameters
    ----------
    steps : Steps
    scale : float
        The median side of the corpus's drawings, which counts as 1: the height of pieces whose
        letters are known, the longer side of others.
    most : mapping of str to int
        Letters of the corpus, and the most points that each had.
    letter : float
        The median width of a letter in sides.
    error : (float, float)
        How far points are off, in % of their drawing's side: mean and 95th percentile.
    """

    options_type: ClassVar[type[Any]] = PointOptions
    temperature: float = 0.7
    min_p: float = 0.05
    of_a_step: ClassVar[int] = 1

    def __init__(
        self,
        steps: Steps,
        scale: float,
        most: Mapping[str, int],
        letter: float,
        error: tuple[float, float],
        options: Any,
    ) -> None:
        self.steps, self.scale, self.error, self.options = steps, scale, error, options
        self.most, self.letter = dict(most), letter
        line = max(int(WIDTH / letter), 1)
        self.pen = Pen(steps.names, *steps.tables(), "".join(sorted(most)), most, line)
        self.vocab = self.pen.vocab
        self.feature_sizes = self.pen.feature_sizes

    @classmethod
    def learn(cls, traces: Sequence[Trace], options: Any) -> Steps:
        """Learn the steps from traces in sides."""
        draw, move = OF_WRITING if any(trace.text for trace in traces) else OF_DRAWINGS
        return Books.fit(traces, options.draw or draw, options.move or move)

    @classmethod
    def rebuild(cls, state: Mapping[str, Any]) -> Steps:
        """Rebuild the steps from their state."""
        return Books.from_state(state)

    @classmethod
    def fit(cls, pieces: Iterable[Ink], options: Any) -> Self:
        """Learn the scale, the steps and the alphabet.

        The alphabet is of all pieces, the rest of a `Sample` of them, so that memory does not grow
        with a corpus.

        Raises
        ------
        DataError
            If no piece has two points in different places.
        """
        sample, most, told = Sample(), dict[str, int](), options.text == "spread"
        for ink in pieces:
            if ink.points > 1:
                sample.add(ink)
                _count_points(ink, most)
                told |= options.text == "auto" and bool(ink.text) and ink.letters is not None
        traces = list(_traces(sample.inks(), told))
        sides = np.array([trace.side() for trace in traces])
        if not (sides > 0).any():
            raise DataError("no drawing has two points in different places")
        scale = float(np.median(sides[sides > 0]))
        traces = [trace.scaled(1 / scale).joined() for trace in traces]
        most = dict(sorted(({"\n": 0} | most).items())) if told and most else {}
        codec = cls(cls.learn(traces, options), scale, most, _width(traces), (0.0, 0.0), options)
        codec.error = codec._error(traces)
        return codec

    def encode(self, piece: Ink) -> Ids:
        """Return the tokens of all points but the first, and of the letters.

        Raises
        ------
        DataError
            If there are no two points, or fewer than letters whose points are not known; for a
            letter that the corpus had not.
        """
        if piece.points < 2:
            raise DataError(f"a drawing has two points at least, found {piece.points}")
        return self._ids(self.trace(piece))

    def trace(self, piece: Ink) -> Trace:
        """Return the points of a piece in sides, its lines joined, with text if it is learned.

        Raises
        ------
        DataError
            If there are fewer points than letters, and it is not known which belong to which.
        """
        return _trace(piece, bool(self.pen.alphabet)).scaled(1 / self.scale).joined()

    def mend_prompt(self, piece: Ink, unknown: Unknown) -> Mended:
        """Return a line as high as those of the corpus, without letters that it had not.

        A sample of a hand may come in any unit. A letter that is nearest to another takes its ink;
        where there are several in its place, as ss for ß, or none, its ink is left out with it.

        Raises
        ------
        DataError
            If nothing is left.
        """
        if not self.pen.alphabet or not piece.text:
            return Mended(piece)
        lettered, changes = (
            spread(piece) if piece.letters is None else piece,
            Counter[tuple[str, str]](),
        )
        text, left_out, known = [], [], frozenset(self.pen.alphabet)
        for at, letter in enumerate(piece.text):
            kept = letter
            if letter not in known:
                kept = nearest(letter, known) if unknown == "nearest" else ""
                kept = kept if len(kept) == 1 else ""
                changes[letter, kept] += 1
            if not kept:
                left_out.append(at)
            text.append(kept or letter)
        fit = without_letters(replace(lettered, text="".join(text)), left_out)
        side = trace_of(fit).side() if fit.points else 0.0
        if not side:
            raise DataError(
                f"the prompt {piece.text!r} has no ink left to continue; give a longer one"
            )
        strokes = tuple(stroke * (self.scale / side) for stroke in fit.strokes)
        return Mended(replace(fit, strokes=strokes), changes)

    def mend_condition(self, condition: str | Ink, unknown: Unknown) -> Mended:
        """Return the text that is to be written, of letters of the corpus only."""
        if not self.pen.alphabet:
            return Mended(condition)
        text = condition.text if isinstance(condition, Ink) else str(condition)
        # Line breaks are no letters.
        return mend_text(text, {*self.pen.alphabet, "\n"}, unknown)

    def decode(self, ids: Ids) -> Ink:
        """Return the strokes, and the text of the letters that were begun."""
        return ink_of(self.pen.trace(ids).broken().scaled(self.scale))

    def state(self) -> dict[str, Any]:
        """Return scale, steps, letters and error."""
        return {
            "scale": self.scale,
            "error": list(self.error),
            "most": self.most,
            "letter": self.letter,
            "steps": self.steps.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: Any) -> Self:
        """Rebuild the codec."""
        mean, most = state["error"]
        letters = state["most"], state["letter"]
        return cls(cls.rebuild(state["steps"]), state["scale"], *letters, (mean, most), options)

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
        """Return the features of every position (N + 1, 5), or (N + 1, 9) with text."""
        return self.pen.follow(ids)[1]

    def tracker(self, condition: Any = None) -> PenTracker:
        """Return the follower of one drawing.

        Parameters
        ----------
        condition : str or Ink, optional
            The text to be written, after that of a prompt; the piece ends after it. Lines longer
            than a page is wide are broken between words.

        Raises
        ------
        DataError
            If the corpus had no text or not all of its letters.
        """
        return self.pen.tracker(condition)

    def most_tokens(self, condition: Any) -> int | None:
        """Return how many tokens a given text takes at most."""
        return self.pen.most_tokens(condition, self.of_a_step)

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
    return codec._error([codec.trace(ink) for ink in pieces if ink.points > 1])


def _trace(ink: Ink, told: bool) -> Trace:
    """Return the points of a piece, with its text if that is to be learned."""
    if not told:
        return trace_of(replace(ink, text=""))
    return trace_of(spread(ink) if ink.text and ink.letters is None else ink)


def _traces(inks: Iterable[Ink], told: bool) -> Iterator[Trace]:
    """Yield the traces of pieces that can be encoded."""
    for ink in inks:
        # Text on fewer points than it has letters is refused.
        with suppress(DataError):
            yield _trace(ink, told)


def _count_points(ink: Ink, most: dict[str, int]) -> None:
    """Take note of the letters of a piece, and of the most points that each has."""
    for trace in _traces([ink], told=True):
        counts = np.bincount(trace.letters, minlength=len(trace.text)).tolist()
        for letter, count in zip(trace.text, counts, strict=False):
            most[letter] = max(most.get(letter, 0), count)


def _width(traces: Iterable[Trace]) -> float:
    """Return the median width of a letter in texts; 1 if there are none."""
    widths = [float(np.ptp(each.points[:, 0])) / len(each.text) for each in traces if each.text]
    return float(np.median(widths)) or 1.0 if widths else 1.0
