"""What all codecs of ink share: options, scale, text, and the way from ink to tokens and back.

Every point except the first becomes a step. Subclasses say how a step becomes one or two tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids, Within, check_fields
from seqgen.unknown import Mended, Unknown, mend_text, nearest
from seqgen_handwriting.alignment import spread, without_letters
from seqgen_handwriting.codecs.beginnings import Usual, continued
from seqgen_handwriting.codecs.levels import Levels, levels_of
from seqgen_handwriting.codecs.pen import Pen
from seqgen_handwriting.codecs.pen_states import ANGLE, LETTER, MOVE, MOVE_LENGTH
from seqgen_handwriting.codecs.sample import (
    Letters,
    Sample,
    trace_with_text,
    traces_of,
)
from seqgen_handwriting.codecs.trace import Trace, ink_of, trace_of
from seqgen_handwriting.codecs.tracker import PenTracker
from seqgen_handwriting.ink import Ink

#: Temperatures of drawings, and of writing, which is more legible if it is lower.
DRAWING, WRITING = 0.7, 0.4


class Steps(Protocol):
    """Turns steps into tokens and back; lengths are in sides."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the R tokens."""
        ...

    def tables(self) -> tuple[Ids, NDArray[np.float64]]:
        """Return actions ``(R,)`` and values ``(R, 2)`` of the tokens, as `Pen` takes them."""
        ...

    def quantise(self, trace: Trace) -> Ids:
        """Return the tokens of every point but the first ``(P - 1,)`` or ``(P - 1, 2)``."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain JSON."""
        ...


@dataclass(frozen=True, kw_only=True)
class InkOptions:
    """Options of every codec of ink."""

    text: Literal["auto", "spread", "off"] = "auto"
    """Learn to write given text. auto does if the corpus says which points belong to which letter;
    spread assumes that the letters of every text are spread evenly over its ink."""
    vary: Annotated[float, Within(0, 5)] = 1.0
    """Strength of the random stretch, slant, rotation and thinning in training; 0 turns them off.
    More than 5 would turn a drawing upside down."""

    def __post_init__(self) -> None:
        check_fields(self)


class InkCodec(Codec):
    """Ink as steps of the pen.

    The first point has no token. Every other point is coded as the step from where the tokens so
    far have led (a closed loop), so errors do not add up.

    Lossy: the exact place of each point, the origin, times and the writer are lost, and the text if
    no piece of the corpus has letters. Drawings keep their size relative to one another. Lines of
    writing are put `PITCH` sides apart. If some pieces have letters, those of the others are
    spread over their ink. Points that return to an earlier letter, for its dot, are counted with
    the letter the pen had reached.

    Five features: the number of strokes in the letter or drawing; the number of points in the
    stroke; the place of the pen, sideways from the start of the letter and down from the level of
    the line or the first point of a drawing; the offset from the start of the stroke; direction
    and length of the last step. With text four more: the current letter, the next letter, the
    current letter with the number of its points, and the height above the level in finer steps.

    Parameters
    ----------
    steps : Steps
    scale : float
        The length of a *side* in units of the corpus: the median over its pieces of the height of
        a line with letters, or of the longer side of a drawing.
    max_points : mapping of str to int
        The letters of the corpus, and the largest number of points of each.
    levels : mapping of str to (float, float)
        Heights of the letters (`seqgen_handwriting.codecs.levels`).
    error : (float, float)
        Reconstruction error on the corpus (`reconstruction_error`).
    is_guess : bool
        Whether no piece of the corpus has letters, so that all are spread over the ink.
    usual : Usual
        What drawings without text are like, for those that a user begins.
    """

    options_type: ClassVar[type[Any]]
    min_p: float = 0.05
    tokens_per_step: ClassVar[int] = 1

    def __init__(
        self,
        steps: Steps,
        scale: float,
        max_points: Mapping[str, int],
        levels: Levels,
        error: tuple[float, float],
        is_guess: bool,
        usual: Usual,
        options: Any,
    ) -> None:
        self.steps, self.scale, self.error, self.options = steps, scale, error, options
        self.max_points, self.levels = dict(max_points), dict(levels)
        self.pen = Pen(steps.names, *steps.tables(), max_points, levels, is_guess)
        self.is_guess, self.usual = is_guess, usual
        self.temperature = WRITING if max_points else DRAWING
        self.dictation = self.pen.dictation if max_points else None
        self.vocab = self.pen.vocab
        self.feature_sizes, self.feature_values = self.pen.feature_sizes, self.pen.feature_values

    @classmethod
    def learn_steps(cls, traces: Sequence[Trace], options: Any) -> Steps:
        """Learn how steps become tokens from traces in sides."""
        raise NotImplementedError(f"{cls.__name__} has no learn_steps()")

    @classmethod
    def steps_from_state(cls, state: Mapping[str, Any]) -> Steps:
        """Rebuild the steps from their state."""
        raise NotImplementedError(f"{cls.__name__} has no steps_from_state()")

    @classmethod
    def fit(cls, pieces: Iterable[Ink], options: Any) -> Self:
        """Learn the scale, the steps and the alphabet.

        The alphabet comes from all pieces. Scale and steps come from a `Sample` of them, so that
        memory does not grow with the corpus.

        Raises
        ------
        DataError
            If no piece has two points in different places.
        """
        return cls._fitted(pieces, options, None)

    def refit(self, pieces: Iterable[Ink], options: Any) -> Self:
        """Keep the steps and the letters of this codec; learn the scale, and letters that are new.

        With the option `text` of "auto" the letters of other pieces are spread over their ink if
        this codec knows letters.

        Raises
        ------
        DataError
            As `fit`.
        """
        return self._fitted(pieces, options, self)

    @classmethod
    def _fitted(cls, pieces: Iterable[Ink], options: Any, before: Self | None) -> Self:
        """Return the codec of some pieces, with the steps and letters of another one."""
        known = {} if before is None else before.max_points
        sample, counted = Sample(), Letters(known)
        for ink in pieces:
            if ink.points > 1:
                sample.add(ink)
                counted.add(ink)
        learned = counted.any_marked or bool(known)
        with_text = options.text == "spread" or (options.text == "auto" and learned)
        letters = counted.most if with_text else {}
        traces = list(traces_of(sample.inks(), with_text))
        sides = np.array([trace.side() for trace in traces])
        if not (sides > 0).any():
            raise DataError("no drawing has two points in different places")
        scale = float(np.median(sides[sides > 0]))
        traces = [trace.scaled(1 / scale).joined() for trace in traces]
        steps = cls.learn_steps(traces, options) if before is None else before.steps
        usual = Usual() if letters else Usual.of(traces)
        is_guess = with_text and not counted.any_marked
        levels = {**levels_of(traces), **({} if before is None else before.levels)}
        codec = cls(steps, scale, letters, levels, (0.0, 0.0), is_guess, usual, options)
        codec.error = codec.reconstruction_error(traces)
        if options.text == "auto" and not letters:
            codec.fit_note = counted.advice
        return codec

    def encode(self, piece: Ink) -> Ids:
        """Return the ids of all points but the first, and of the letters.

        Raises
        ------
        DataError
            If the piece has fewer than two points, fewer points than letters that have to be
            spread, or a letter that the corpus does not have.
        """
        if piece.points < 2:
            raise DataError(f"expected a drawing of two points or more, found {piece.points}")
        return self._ids(self.trace(piece))

    def trace(self, piece: Ink) -> Trace:
        """Return the trace of a piece in sides: lines joined, with text if this codec has letters.

        Raises
        ------
        DataError
            If letters have to be spread over fewer points.
        """
        return trace_with_text(piece, bool(self.pen.alphabet)).scaled(1 / self.scale).joined()

    def mend_prompt(self, piece: Ink, unknown: Unknown) -> Mended:
        """Return a line scaled to the height of the corpus, without unknown letters.

        A sample of a hand may have any unit. With "nearest", é keeps its ink and is called e. A
        letter without a single nearest one, such as ß (ss), is left out with its ink. A begun
        drawing gets the size and the distances of points of the corpus (`Usual.made_so`).

        Raises
        ------
        DataError
            If nothing is left.
        """
        if not self.pen.alphabet:
            return Mended(self.usual.made_so(piece, self.scale))
        if not piece.text:
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
        """Return the text to be written, with letters of the corpus only."""
        if not self.pen.alphabet:
            return Mended(condition)
        text = condition.text if isinstance(condition, Ink) else str(condition)
        # Line breaks are always known.
        return mend_text(text, {*self.pen.alphabet, "\n"}, unknown)

    def decode(self, ids: Ids) -> Ink:
        """Return the strokes, and the text of all letters that were begun."""
        return ink_of(self.pen.trace(ids).broken().scaled(self.scale))

    def keep(self, given: Ink, ids: Ids, start: int) -> Ink:
        """Return a new drawing whose first strokes are those of the prompt, as they were given."""
        drawn = self.decode(ids)
        return drawn if self.pen.alphabet else continued(given, self._points(ids[:start]), drawn)

    def state(self) -> dict[str, Any]:
        """Return scale, error, letters and steps."""
        return {
            "scale": self.scale,
            "error": list(self.error),
            "max_points": self.max_points,
            "levels": {letter: list(heights) for letter, heights in self.levels.items()},
            "is_guess": self.is_guess,
            "usual": self.usual.state(),
            "steps": self.steps.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: Any) -> Self:
        """Rebuild the codec."""
        mean, percentile = state["error"]
        steps = cls.steps_from_state(state["steps"])
        known = (mean, percentile), state["is_guess"], Usual.from_state(state["usual"])
        levels = {letter: (mean, first) for letter, (mean, first) in state["levels"].items()}
        return cls(steps, state["scale"], state["max_points"], levels, *known, options)

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Stretch, slant and turn the drawing a little, and drop some points."""
        trace = self.pen.trace(ids)
        if not self.options.vary or len(trace.points) < 2:
            return ids
        return self._ids(trace.varied(rng, self.options.vary))

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the ids from `start` on, as a drawing of its own."""
        return self.pen.continuation(ids, start)

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position ``(N + 1, 5)``, or ``(N + 1, 9)`` with text."""
        return self.pen.features(ids)

    def masks(self, ids: Ids) -> NDArray[np.uint8]:
        """Return which ids may come at every position, as bits ``(N + 1, W)``.

        Every letter with ink gets a point, a blank gets none, and a piece does not end in a word.
        With `polar` a length follows each direction.
        """
        return self.pen.dictation.masks(ids)

    def tracker(self, condition: Any = None) -> PenTracker:
        """Return the tracker of one piece.

        Parameters
        ----------
        condition : str or Ink, optional
            The text to be written. It follows that of a prompt, and the piece ends after it.
            Line breaks stay. Lines wider than a page are broken where they are put on paper.

        Raises
        ------
        DataError
            If this codec has no letters, or lacks one of the text.
        """
        return PenTracker(self.pen, None if condition is None else self.pen.request(condition))

    def most_tokens(self, condition: Any) -> int | None:
        """Return an upper bound for the tokens of a given text."""
        return self.pen.most_tokens(condition, self.tokens_per_step)

    def place(self, ids: Ids, position: int) -> str:
        """Return the stroke and the point within it, both counted from 1."""
        actions = self.pen.actions[ids[: position + 1]]
        points = actions[_are_points(actions)]
        lifts = np.flatnonzero(np.isin(points, (MOVE, MOVE_LENGTH)))
        # The first point of a drawing has no token.
        of_stroke = len(points) - lifts[-1] if len(lifts) else len(points) + 1
        return f"stroke {len(lifts) + 1:,}, point {of_stroke:,}"

    def units(self, ids: Ids) -> dict[str, float]:
        """Return the numbers of tokens, of points without the first, and of drawings."""
        points = self._points(ids) - 1
        return {"tokens": float(len(ids)), "points": float(points), "drawings": 1.0}

    def reconstruction_error(self, traces: Iterable[Trace]) -> tuple[float, float]:
        """Return the distance between encoded and original points, in % of each drawing's side.

        Parameters
        ----------
        traces : iterable of Trace
            In sides, as `trace` returns them. Those without extent do not count.

        Returns
        -------
        mean, percentile : float
            Mean and 95th percentile over all points but the first.
        """
        off = []
        for trace in traces:
            side = trace.side()
            if side > 0:
                again = self.pen.trace(self.steps.quantise(trace).ravel())
                distances = np.hypot(*(again.points - trace.points)[1:].T)  # (P - 1,)
                off.append(100 * distances / side)
        # Sorted, because a floating-point sum depends on the order.
        ordered = np.sort(np.concatenate(off))
        return round(float(ordered.mean()), 4), round(float(np.percentile(ordered, 95)), 4)

    def _points(self, ids: Ids) -> int:
        """Return the number of points that ids draw, with the first, which has no token."""
        return 1 + int(_are_points(self.pen.actions[ids]).sum())

    def _ids(self, trace: Trace) -> Ids:
        """Return the ids of a trace in sides."""
        steps = self.steps.quantise(trace)
        return self.pen.spell(trace, steps.reshape(len(trace.points) - 1, -1))


def _are_points(actions: Ids) -> NDArray[np.bool_]:
    """Return which actions complete a point."""
    return np.asarray((actions < LETTER) & (actions != ANGLE))
