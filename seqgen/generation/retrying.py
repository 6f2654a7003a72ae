"""Letters that are misread are drawn again: ``--tries``.

A codec that dictates (`seqgen.conditions.dictation`) writes a text symbol by symbol, such as letter
by letter. When a symbol has ended, a proofreader reads it. A misread or doubtful symbol is drawn
again from the state before it, with other random numbers. Of all attempts the best one stays, and
the piece goes on from there. A symbol that can be read costs no more than the reading.

A step draws some tokens at once, so a symbol mostly ends within a step, and the tokens after it
begin the next one. So the state before a symbol is found by reading again the few tokens between
the beginning of that step and the symbol.

Comes from: `seqgen.generation.engine`. B pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import numpy as np

from seqgen.conditions.dictation import Dictation
from seqgen.conditions.unlabelled import unlabelled
from seqgen.generation.pieces import ENDED, Draft, Words
from seqgen.generation.writer import Writer
from seqgen.plugin import Ids, Tracker
from seqgen.plugins.checks import checked_features
from seqgen.plugins.proofreaders import Proofreader
from seqgen.run.folder import Run
from seqgen.stepping.stepper import Stepper

#: Words before the present one that the proofreader sees: they show where the line is.
CONTEXT = 2

#: A symbol of more doubt than this is drawn again. Another reader often misreads what the
#: proofreader is not sure of (docs/benchmarks.md, tries).
DOUBT = 0.05


class Proof(NamedTuple):
    """How the symbols of pieces are read, and how often each is drawn at most."""

    run: Run
    stepper: Stepper
    proofreader: Proofreader
    tries: int

    @property
    def dictation(self) -> Dictation:
        """The dictation of the codec, which must have one."""
        dictation = unlabelled(self.run.codec).dictation
        assert dictation is not None
        return dictation


class _Place(NamedTuple):
    """The state of one piece: a row of the states of B pieces."""

    state: Any
    row: int

    def of(self, writer: Writer) -> Any:
        """Return the state ``(1,)``."""
        return writer.select(self.state, np.array([self.row]))


class _Mark(NamedTuple):
    """A draft as it was shortly before a symbol, and the tokens from there to the symbol."""

    draft: Draft
    place: _Place
    ids: list[int]
    log_probabilities: list[float]


class _Attempt(NamedTuple):
    """A draft after the step in which it ended a symbol, and the mark of its next symbol."""

    draft: Draft
    place: _Place
    doubt: float
    next_mark: _Mark


class _Symbol(NamedTuple):
    """A symbol that has ended: that of the word at `begin`, of which it is number `number`.

    `number` is -1 for what comes before the first symbol of a word.
    """

    begin: int
    word: Ids
    number: int


def write_proofread(writer: Writer, drafts: list[Draft], proof: Proof) -> Iterator[int]:
    """Write pieces symbol by symbol; yield after each step how many tokens were drawn.

    Parameters
    ----------
    writer : Writer
    drafts : list of Draft
        After each step they are replaced by what is being written.
    proof : Proof
    """
    state = writer.start(drafts)
    lanes = [_Lane(writer, proof, draft, _Place(state, at)) for at, draft in enumerate(drafts)]
    active = lanes
    while active:
        before = [
            (lane.draft.branch(proof.run.codec), _Place(state, row))
            for row, lane in enumerate(active)
        ]
        step = writer.step([lane.draft for lane in active], state)
        found = [
            lane.went_on(*before[row], _Place(step.state, row)) for row, lane in enumerate(active)
        ]
        for at, lane in enumerate(lanes):
            drafts[at], lane.draft.words = lane.draft, lane.found
        yield step.drawn
        state = step.state
        for row, place in enumerate(found):
            if place.state is not step.state:
                state = writer.merged(state, place.of(writer), np.array([row]))
        _, state = writer.going([lane.draft for lane in active], state)
        active = [lane for lane in active if lane.draft.stopped_by is None]


class _Lane:
    """A piece, and the attempts at its present symbol.

    Attributes
    ----------
    draft : Draft
        What is being written.
    found : Words
        What was found in the words before.
    """

    def __init__(self, writer: Writer, proof: Proof, draft: Draft, place: _Place) -> None:
        self.draft, self.found = draft, Words()
        self._writer, self._proof = writer, proof
        self._begin, self._mark = draft.count, _Mark(draft.branch(proof.run.codec), place, [], [])
        #: Where words were announced.
        self._words = proof.dictation.beginnings(np.array(draft.ids, np.int64)).tolist()
        self._attempts: list[_Attempt] = []
        self._bits, self._redrawn = cast(np.random.Philox, draft.random.bit_generator).jumped(), 0
        #: Whether the present word has a symbol that was drawn again, and one that is misread.
        self._again = self._misread = False

    def went_on(self, before: Draft, place_before: _Place, place: _Place) -> _Place:
        """Read the symbols that a step has ended; return the state from which the piece goes on.

        Parameters
        ----------
        before, place_before : Draft, _Place
            The piece before the step.
        place : _Place
            Its state after the step.
        """
        is_late = self.draft.stopped_by == "time"
        while end := self._end():
            symbol = self._symbol(end)
            doubt = self._doubt(symbol, end)
            mark = _mark_between(before, place_before, self.draft, end)
            self._attempts.append(_Attempt(self.draft, place, doubt, mark))
            if doubt > DOUBT and len(self._attempts) < self._proof.tries and not is_late:
                return self._redraw()
            place = self._keep_best(symbol)
            before, place_before = self._mark.draft, self._mark.place
        if self.draft.stopped_by in (None, *ENDED) or not self._attempts:
            return place
        # A limit came within the last attempt; those before it are whole.
        place = self._keep_best(None)
        if is_late and self.draft.stopped_by is None:
            self.draft.stop("time")
        return place

    def _end(self) -> int:
        """Return the position after the present symbol, or 0 if it has not ended."""
        advance, ids = self._proof.dictation.advance, self.draft.ids
        return next((at + 1 for at in range(self._begin, len(ids)) if ids[at] == advance), 0)

    def _symbol(self, end: int) -> _Symbol:
        """Return the symbol that ended before a position."""
        dictation = self._proof.dictation
        since = self._words[-1] if self._words else self._begin
        ids = np.array(self.draft.ids[since:end], np.int64)
        first = int([0, *dictation.beginnings(ids).tolist()][-1])
        word = ids[first:]
        left = int((word == dictation.advance).sum()) - 2
        return _Symbol(since + first, word[dictation.is_symbol(word)] - dictation.first, left)

    def _doubt(self, symbol: _Symbol, end: int) -> float:
        """Return how badly a symbol that ended before a position can be read."""
        silent = self._proof.dictation.silent
        if not 0 <= symbol.number < len(symbol.word) or silent[symbol.word[symbol.number]]:
            return 0.0
        words = [begin for begin in self._words[-CONTEXT - 1 :] if begin < symbol.begin]
        first = [*words[-CONTEXT:], symbol.begin][0]
        codec, ids = self._proof.run.codec, np.array(self.draft.ids[: end - 1], np.int64)
        return self._proof.proofreader(codec.decode(codec.continuation(ids, first)))

    def _redraw(self) -> _Place:
        """Begin the present symbol again, with other random numbers; return the state before it."""
        draft = self._mark.draft.branch(self._proof.run.codec)
        state = self._read_again(draft, self._mark)
        self._mark = _Mark(draft.branch(self._proof.run.codec), _Place(state, 0), [], [])
        self._redrawn += 1
        draft.random = np.random.Generator(self._bits.jumped(self._redrawn))
        self.draft = draft
        return self._mark.place

    def _read_again(self, draft: Draft, mark: _Mark) -> Any:
        """Let the draft of a mark go on to its symbol; return the state there ``(1,)``."""
        run, stepper = self._proof.run, self._proof.stepper
        state, tracker = mark.place.of(self._writer), cast("Tracker", draft.tracker)
        if not mark.ids:
            return state
        read = [draft.ids[-1] if draft.ids else run.vocab.start, *mark.ids[:-1]]  # (N,)
        rows = []
        for token in mark.ids:
            rows.append(tracker.features())
            tracker.forced()  # A token that was not forced would belong to the prompt.
            tracker.push(token)
        self._writer.take(draft, mark.ids, mark.log_probabilities, followed=True)
        features = checked_features(run.codec, rows, len(rows))  # (N, K)
        _, state = stepper.read(np.array([read], np.int64), features[None], state)
        return state

    def _keep_best(self, symbol: _Symbol | None) -> _Place:
        """Go on from the attempt that can be read best; return its state."""
        best = min(self._attempts, key=lambda attempt: attempt.doubt)
        self._again |= len(self._attempts) > 1
        self._misread |= best.doubt >= 1
        self.draft, self._mark, self._attempts = best.draft, best.next_mark, []
        self._begin = self._mark.draft.count + len(self._mark.ids)
        if symbol is None:
            symbol = self._symbol(self._begin)
        if symbol.begin not in self._words[-1:]:
            self._words.append(symbol.begin)
        if symbol.number == len(symbol.word) - 1 >= 0:
            if not self._proof.dictation.silent[symbol.word].all():
                self.found = self.found.with_word(again=self._again, misread=self._misread)
            self._again = self._misread = False
        return best.place


def _mark_between(before: Draft, place: _Place, draft: Draft, end: int) -> _Mark:
    """Return the mark of a symbol at position `end` of a draft that was `before` a step."""
    new, known = end - before.count, len(before.log_probabilities)
    return _Mark(
        before,
        place,
        draft.ids[before.count : end],
        draft.log_probabilities[known : known + new],
    )
