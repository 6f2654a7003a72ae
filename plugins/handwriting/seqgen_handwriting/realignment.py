"""Which points belong to which letter, by a model that has seen enough ink to have an opinion.

Viterbi's algorithm over points and letters, where the model's state depends on the way that led to
it, so that what is found is not certain to be the best: each letter keeps the state of the best
way into it (per-survivor processing, Raheli, Polydoros and Tzou 1995). Letters far from where they
were before, and far less likely than others, are not tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Ids
from seqgen_handwriting.alignment import spread
from seqgen_handwriting.codecs.base import InkCodec
from seqgen_handwriting.codecs.pen import WORD, Pen
from seqgen_handwriting.codecs.pen_states import State
from seqgen_handwriting.ink import Ink

if TYPE_CHECKING:
    import seqgen

#: By how many letters a point may move at a time, and by how many nats a way may be behind.
BAND, BEHIND = 4, 40.0

#: The letters that a way has begun, latest first: the point, and those before it.
Begun: TypeAlias = "tuple[int, Begun] | None"


def realigned(run: seqgen.Run, inks: Iterable[Ink]) -> Iterator[Ink]:
    """Yield ink with the letters that a model finds most likely.

    Start with letters that are spread (`seqgen_handwriting.alignment.spread`, or the codec
    option text=spread); train, realign and train again, a few times.

    Parameters
    ----------
    run : Run
        Of a codec of one token a point, trained on texts.
    inks : iterable of Ink
        Those without letters are spread first; those without text stay as they are.

    Raises
    ------
    DataError
        If the run knows no text, or a piece holds what its codec does not know.
    """
    codec = run.codec
    if not isinstance(codec, InkCodec) or codec.tokens_per_step > 1 or not codec.pen.alphabet:
        raise DataError(f"{run.folder} is no run of ink with text and one token a point")
    for ink in inks:
        yield _realigned(run, codec, ink) if ink.text.strip() else ink


def _realigned(run: seqgen.Run, codec: InkCodec, ink: Ink) -> Ink:
    """Return one piece with its likeliest letters, or as it is where no way leads to the end."""
    ink = ink if ink.letters is not None else spread(ink)
    trace, pen = codec.trace(ink), codec.pen
    between = _between(pen, trace.text)
    signs = enumerate(trace.text)
    inked = np.array([at for at, sign in signs if not pen.blank[pen.alphabet.index(sign)]])
    if not len(inked):
        return ink
    before = np.clip(np.searchsorted(inked, trace.letters), 0, len(inked) - 1)
    ways = _Ways(run, pen, between)
    last = ways.follow(codec.steps.quantise(trace), before)
    if last is None:
        return ink
    firsts: list[int] = []
    while last is not None:
        firsts.append(last[0])
        last = last[1]
    letters = inked[np.searchsorted(firsts[::-1], np.arange(ink.points), side="right") - 1]
    seams = np.cumsum([len(stroke) for stroke in ink.strokes])[:-1]
    return replace(ink, letters=tuple(np.split(letters, seams)))


def _between(pen: Pen, text: str) -> list[list[int]]:
    """Return the tokens that come before the steps of each letter with ink."""
    parts: list[list[int]] = []
    current: list[int] = []
    for word in WORD.findall(text):
        current += pen.announce(word)
        for letter in word:
            if not pen.blank[pen.alphabet.index(letter)]:
                parts.append(current)
                current = []
            current.append(pen.advance)
    return parts


@dataclass(frozen=True)
class _Way:
    """The best way into a letter: which of those with ink it is, and where the model stands."""

    letter: int
    nats: float
    begun: Begun
    pen: State
    memory: Any  # h and c, each (L, 1, H)
    expected: NDArray[np.float64]  # log-probabilities of the next token (V',)


class _Ways:
    """The best ways through one piece, point after point."""

    def __init__(self, run: seqgen.Run, pen: Pen, between: list[list[int]]) -> None:
        self._model, self._start, self._pen = run.model.eval(), run.vocab.start, pen
        self._between = between
        # All ways announce the same letters, at the same places.
        self._text = np.zeros(sum(map(len, between)) + 1, np.int64)

    def follow(self, steps: Ids, before: Ids) -> Begun:
        """Return the first points of all letters on the best way along the steps.

        Parameters
        ----------
        steps : int64 array (P - 1,)
        before : int64 array (P,)
            The number of each point's letter so far.
        """
        import torch

        last, points = len(self._between) - 1, len(before)
        with torch.no_grad():
            ways = [self._first_way()]
            for point, step in enumerate(steps.tolist(), 1):
                low = max(int(before[point]) - BAND, last - (points - 1 - point), 0)
                high = int(before[point]) + BAND
                advanced = self._advanced(
                    [way for way in ways if low <= way.letter + 1 <= min(high, last)], point
                )
                best: dict[int, _Way] = {}
                for way in (*ways, *advanced):
                    nats = way.nats + float(way.expected[step])
                    known = best.get(way.letter)
                    if low <= way.letter <= high and (known is None or nats > known.nats):
                        best[way.letter] = replace(way, nats=nats)
                least = max((way.nats for way in best.values()), default=0.0) - BEHIND
                ways = self._read([(w, [step]) for w in best.values() if w.nats > least])
        return next((way.begun for way in ways if way.letter == last), None)

    def _first_way(self) -> _Way:
        """Return the way before the first step: the first point is the first letter's."""
        state = self._pen.new_state()
        tokens = self._between[0]
        rows = [self._pen.row(state, self._text)]
        for token in tokens:
            self._pen.push(state, self._text, token)
            rows.append(self._pen.row(state, self._text))
        [expected], memory = self._predict([[self._start, *tokens]], [rows], None)
        return _Way(0, 0.0, (0, None), state, memory, expected)

    def _advanced(self, ways: list[_Way], point: int) -> list[_Way]:
        """Return ways that leave their letter for the next one, which begins at a point."""
        read = self._read([(way, self._between[way.letter + 1]) for way in ways])
        return [
            replace(
                new,
                letter=way.letter + 1,
                nats=way.nats + float(way.expected[self._pen.advance]),
                begun=(point, way.begun),
            )
            for way, new in zip(ways, read, strict=True)
        ]

    def _read(self, ways: list[tuple[_Way, list[int]]]) -> list[_Way]:
        """Return ways whose tokens were read, in the same order."""
        import torch

        result: list[_Way | None] = [None] * len(ways)
        for length in {len(tokens) for _, tokens in ways}:
            chosen = [at for at, (_, tokens) in enumerate(ways) if len(tokens) == length]
            group = [ways[at] for at in chosen]
            states = [way.pen.copy() for way, _ in group]
            rows: list[list[Ids]] = []
            for state, (_, tokens) in zip(states, group, strict=True):
                rows.append([])
                for token in tokens:
                    self._pen.push(state, self._text, token)
                    rows[-1].append(self._pen.row(state, self._text))
            memory = tuple(torch.cat([way.memory[of] for way, _ in group], 1) for of in (0, 1))
            expected, (h, c) = self._predict([tokens for _, tokens in group], rows, memory)
            for row, (at, state) in enumerate(zip(chosen, states, strict=True)):
                own = (h[:, row : row + 1], c[:, row : row + 1])
                result[at] = replace(group[row][0], pen=state, memory=own, expected=expected[row])
        return [way for way in result if way is not None]

    def _predict(
        self, tokens: list[list[int]], rows: list[list[Ids]], memory: Any
    ) -> tuple[NDArray[np.float64], Any]:
        """Return log-probabilities of what comes after tokens (W, V'), and the model's state."""
        import torch

        device = next(self._model.parameters()).device
        ids, features = torch.tensor(tokens, device=device), torch.tensor(np.array(rows))
        logits, memory = self._model(ids, features.to(device), memory)
        return logits[:, -1].double().log_softmax(-1).cpu().numpy(), memory
