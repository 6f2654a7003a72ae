"""Letters for points, found by a trained model.

This is Viterbi's algorithm over points and letters. The model's state depends on the whole path, so
each letter keeps the state of the best path into it (per-survivor processing, Raheli, Polydoros and
Tzou 1995), and the result may miss the best path. Letters far from their former place, and paths
far less likely than the best, are not tried.
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
from seqgen_handwriting.codecs.ink_codec import InkCodec
from seqgen_handwriting.codecs.pen import WORD, Pen
from seqgen_handwriting.codecs.pen_states import State
from seqgen_handwriting.ink import Ink

if TYPE_CHECKING:
    import seqgen

#: Limits of the search: letters that a point may move by, and nats that a path may be behind.
BAND, BEHIND = 4, 40.0

#: The first points of the letters on a path, latest first: (point, those before it).
Begun: TypeAlias = "tuple[int, Begun] | None"


def realigned(run: seqgen.Run, inks: Iterable[Ink]) -> Iterator[Ink]:
    """Yield ink with the most likely letters under a model.

    Spread the letters first (`seqgen_handwriting.alignment.spread`, or the codec option
    text=spread) and train. Then realign and train again, a few times.

    Parameters
    ----------
    run : Run
        With one token per point, trained on texts.
    inks : iterable of Ink
        Letters are spread first where there are none; pieces without text stay as they are.

    Raises
    ------
    DataError
        If the run has no letters, or a piece has one that the run does not know.
    """
    codec = run.codec
    if not isinstance(codec, InkCodec) or codec.tokens_per_step > 1 or not codec.pen.alphabet:
        raise DataError(
            f"{run.folder} is not a run of ink with text and one token per point (points or grid)"
        )
    for ink in inks:
        yield _realigned(run, codec, ink) if ink.text.strip() else ink


def _realigned(run: seqgen.Run, codec: InkCodec, ink: Ink) -> Ink:
    """Return one piece with its most likely letters; unchanged if no path reaches the end."""
    ink = ink if ink.letters is not None else spread(ink)
    trace, pen = codec.trace(ink), codec.pen
    between = _between(pen, trace.text)
    inked = np.array(
        [at for at, sign in enumerate(trace.text) if not pen.blank[pen.alphabet.index(sign)]]
    )
    if not len(inked):
        return ink
    before = np.clip(np.searchsorted(inked, trace.letters), 0, len(inked) - 1)
    last = _Search(run, pen, between).follow(codec.steps.quantise(trace), before)
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
    """Return the tokens before the steps of each letter with ink."""
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
class _Path:
    """The best path into a letter, given as an index into the letters with ink."""

    letter: int
    nats: float
    begun: Begun
    pen: State
    memory: Any  # h and c, each (L, 1, H)
    expected: NDArray[np.float64]  # log-probabilities of the next token (V',), -inf if forbidden


class _Search:
    """Finds the best path through one piece, point by point."""

    def __init__(self, run: seqgen.Run, pen: Pen, between: list[list[int]]) -> None:
        self._model, self._start, self._pen = run.model.eval(), run.vocab.start, pen
        self._between = between
        # Shared, because all paths announce the same letters at the same places.
        self._text = np.zeros(sum(map(len, between)) + 1, np.int64)

    def follow(self, steps: Ids, before: Ids) -> Begun:
        """Return the first points of all letters on the best path; None if none reaches the end.

        Parameters
        ----------
        steps : int64 array (P - 1,)
            The ids of the steps.
        before : int64 array (P,)
            The former letter of each point.
        """
        import torch

        last, points = len(self._between) - 1, len(before)
        with torch.no_grad():
            paths = [self._first_path()]
            for point, step in enumerate(steps.tolist(), 1):
                low = max(int(before[point]) - BAND, last - (points - 1 - point), 0)
                high = int(before[point]) + BAND
                advanced = self._advanced(
                    [path for path in paths if low <= path.letter + 1 <= min(high, last)], point
                )
                best: dict[int, _Path] = {}
                for path in (*paths, *advanced):
                    nats = path.nats + float(path.expected[step])
                    known = best.get(path.letter)
                    if low <= path.letter <= high and (known is None or nats > known.nats):
                        best[path.letter] = replace(path, nats=nats)
                least = max((path.nats for path in best.values()), default=0.0) - BEHIND
                paths = self._read([(w, [step]) for w in best.values() if w.nats > least])
        return next((path.begun for path in paths if path.letter == last), None)

    def _first_path(self) -> _Path:
        """Return the path before the first step: the first point belongs to the first letter."""
        state = self._pen.new_state()
        tokens = self._between[0]
        rows = [self._pen.row(state, self._text)]
        for token in tokens:
            self._pen.push(state, self._text, token)
            rows.append(self._pen.row(state, self._text))
        read = [[self._start, *tokens]], [rows]
        [expected], memory = self._predict(*read, None, [state])
        return _Path(0, 0.0, (0, None), state, memory, expected)

    def _advanced(self, paths: list[_Path], point: int) -> list[_Path]:
        """Return the paths moved on to their next letter, which begins at `point`."""
        read = self._read([(path, self._between[path.letter + 1]) for path in paths])
        return [
            replace(
                new,
                letter=path.letter + 1,
                nats=path.nats + float(path.expected[self._pen.advance]),
                begun=(point, path.begun),
            )
            for path, new in zip(paths, read, strict=True)
        ]

    def _read(self, paths: list[tuple[_Path, list[int]]]) -> list[_Path]:
        """Return paths after reading their tokens, in the same order."""
        import torch

        result: list[_Path | None] = [None] * len(paths)
        for length in {len(tokens) for _, tokens in paths}:
            chosen = [at for at, (_, tokens) in enumerate(paths) if len(tokens) == length]
            group = [paths[at] for at in chosen]
            states = [path.pen.copy() for path, _ in group]
            rows: list[list[Ids]] = []
            for state, (_, tokens) in zip(states, group, strict=True):
                rows.append([])
                for token in tokens:
                    self._pen.push(state, self._text, token)
                    rows[-1].append(self._pen.row(state, self._text))
            memory = tuple(torch.cat([path.memory[of] for path, _ in group], 1) for of in (0, 1))
            expected, (h, c) = self._predict([tokens for _, tokens in group], rows, memory, states)
            for row, (at, state) in enumerate(zip(chosen, states, strict=True)):
                own = (h[:, row : row + 1], c[:, row : row + 1])
                result[at] = replace(group[row][0], pen=state, memory=own, expected=expected[row])
        return [path for path in result if path is not None]

    def _predict(
        self, tokens: list[list[int]], rows: list[list[Ids]], memory: Any, states: list[State]
    ) -> tuple[NDArray[np.float64], Any]:
        """Return the log-probabilities in the states after the tokens, and the model's state."""
        import torch

        device = next(self._model.parameters()).device
        ids, features = torch.tensor(tokens, device=device), torch.tensor(np.array(rows))
        logits, memory = self._model(ids, features.to(device), memory)
        allowed = np.array([self._pen.allowed(state, self._text) for state in states])  # (W, V')
        forbidden = torch.from_numpy(~allowed).to(device)
        logits = logits[:, -1].double().masked_fill(forbidden, -torch.inf)  # (W, V')
        return logits.log_softmax(-1).cpu().numpy(), memory
