"""The generation loop: stepper, sampler and tracker write pieces token by token until they stop.

One turn of the loop is `Writer.step`: the tracker says what may come next, the stepper reads the
last tokens and draws new ones, the limits stop pieces.

B drafts, T tokens per step, V' ids predicted, K features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.unlabelled import label_features, unlabelled
from seqgen.config import LimitConfig, SampleConfig
from seqgen.drawing.direct import NOT_FINITE
from seqgen.drawing.filters import distribution, log_softmax, temperature_at
from seqgen.drawing.guide import Guide, guide_of
from seqgen.drawing.rules import Positions, rules_for
from seqgen.errors import ConfigError, DataError, SeqgenError
from seqgen.following import STRIDE, Followed, followed
from seqgen.generation.healing import Way, ways_to_spell
from seqgen.generation.limits import FAR, Limits
from seqgen.generation.pieces import (
    ENDED,
    Draft,
    Excerpt,
    Place,
    Primed,
    StoppedBy,
    branch_tracker,
)
from seqgen.generation.prompts import place_after
from seqgen.generation.weighing import write_weighed
from seqgen.plugin import ClosingTracker, Ids, OpenEnd, Piece, Tracker
from seqgen.plugins.checks import allowed_mask, checked_features, next_mask
from seqgen.run.folder import Run
from seqgen.stepping.stepper import Stepper


class Step(NamedTuple):
    """The result of one step of B drafts.

    Attributes
    ----------
    state : object
        The stepper's state afterwards.
    drawn : int
        Number of tokens of all drafts, including END.
    given : bool array (B,)
        Whether only one token was allowed first, so that nothing was drawn.
    log_probabilities : float64 array (B,)
        Of the first token.
    log_masses : float64 array (B,)
        Of all ids that were allowed first, together; zeros if they were not weighed.
    """

    state: Any
    drawn: int
    given: NDArray[np.bool_]
    log_probabilities: NDArray[np.float64]
    log_masses: NDArray[np.float64]


class Writer:
    """Writes the pieces of one call.

    Parameters
    ----------
    stepper : Stepper
    run : Run
    prompt, condition, sample, limit, stop, seed
        As for `seqgen.generate`. The prompt is read here, once for all pieces, unless it is a
        `Place` of this run and condition.
    whole : bool
        Whether a piece that reaches its length should be whole there, with nothing left open.

    Attributes
    ----------
    closes : bool
        Whether it will be, because the codec's tracker knows the way to the end.
    """

    def __init__(
        self,
        stepper: Stepper,
        run: Run,
        prompt: Piece | Excerpt | Primed | Place | None,
        condition: Any,
        sample: SampleConfig | None,
        limit: LimitConfig | None,
        stop: Sequence[Ids],
        seed: int,
        *,
        whole: bool = True,
    ) -> None:
        self._stepper, self._run, self._seed = stepper, run, seed
        self.draw_by(sample or SampleConfig())
        place = place_after(stepper, run, prompt, condition)
        primed, self._tracker = place.primed, place.tracker
        end = run.codec.open_end(primed.ids) if primed.kept < len(primed.ids) else None
        self._prompt, self._given = primed.ids[: primed.kept], primed.given
        if self._tracker is None:
            self._features = label_features(run.codec, self._prompt)[-1]
        self._labels = slice(len(unlabelled(run.codec).vocab), run.vocab.end)
        self._limits = Limits(run, limit or LimitConfig(), stop, primed.ids, condition)
        self._has_grammar = run.codec.masks(np.zeros(0, np.int64)) is not None
        self.closes = False  # A limit counts what comes after the prompt, however that is spelled.
        self._state = stepper.restore(primed.state)
        self._open_text = "" if end is None else end.text
        self._ways = [] if end is None else self._found_ways(end, primed.ids[end.kept :].tolist())
        self.closes = self._limits.closes = whole and isinstance(self._tracker, ClosingTracker)

    def draw_by(self, sample: SampleConfig) -> None:
        """Draw by these settings from the next token on."""
        run, sample = self._run, sample.completed(**self._run.sampling)
        self._rules = rules_for(sample, run.vocab, run.longest, run.codec.groups)

    def is_late(self) -> bool:
        """Return whether the time is up."""
        return self._limits.is_late()

    def settled(self, draft: Draft) -> int:
        """Return how many tokens of a draft can be shown, because no limit takes them back."""
        return self._limits.settled(draft)

    def draft(self, index: int) -> Draft:
        """Begin a piece; an open end of the prompt is spelled in a way that is drawn."""
        draft = self._empty(index)
        if self._ways:
            scores = np.array([way.log_probability for way in self._ways])  # (W,)
            nothing = np.zeros(0, np.int64)
            kept = distribution(scores, temperature_at(0, self._rules), nothing, self._rules)
            cumulated = np.cumsum(kept)
            place = np.searchsorted(cumulated, draft.random.random() * cumulated[-1], side="right")
            self._begin(draft, self._ways[place])
        return draft

    def likeliest_drafts(self, most: int) -> list[Draft]:
        """Return a draft for each of the likeliest ways to spell the open end, or only one."""
        ways = sorted(self._ways, key=lambda way: -way.log_probability)[:most]
        drafts = [self._empty(0) for _ in range(max(len(ways), 1))]
        for draft, way in zip(drafts, ways, strict=False):
            self._begin(draft, way)
        return drafts

    def _empty(self, index: int) -> Draft:
        tracker = branch_tracker(self._tracker, self._run.codec)
        draft = Draft(index, self._prompt, tracker, self._seed, self._given)
        draft.missing = self._limits.missing(draft)
        return draft

    def _begin(self, draft: Draft, way: Way) -> None:
        draft.begin(way.ids, way.log_probability, self._open_text, way.state)
        draft.missing = self._limits.missing(draft)

    def _found_ways(self, end: OpenEnd, spelled: list[int]) -> list[Way]:
        """Return the ways to spell an open end, their probabilities given its text; keep states."""

        def read(draft: Draft, state: Any) -> tuple[NDArray[np.float64], Any]:
            scores, state = self.predicted([draft], state)
            return scores[0], state

        def longer(draft: Draft, token: int) -> Draft:
            branch = draft.branch(self._run.codec)
            branch.add([token], [])
            return branch

        draft = self._empty(0)
        ways, states = ways_to_spell(end, spelled, draft, self._state, read, longer)
        exported = zip(*map(self._stepper.export, states), strict=True)
        self._state = self._stepper.restore(tuple(np.concatenate(p, axis=1) for p in exported))
        total = np.logaddexp.reduce([way.log_probability for way in ways])
        return [replace(way, log_probability=way.log_probability - total) for way in ways]

    def predicted(self, drafts: list[Draft], state: Any) -> tuple[NDArray[np.float64], Any]:
        """Read the last token of each draft.

        Returns
        -------
        scores : float64 array (B, V')
            Log-probabilities of the next id; minus infinity for ids that may not come.
        state : object
            After these tokens.
        """
        positions = self.positions(drafts)
        read = positions.ids[:, None], positions.features[:, None]
        logits, state = self._stepper.read(*read, state, positions.possible)
        possible = np.where(positions.possible, logits, np.float32(-np.inf))
        scores = np.stack([log_softmax(row) for row in possible])
        return np.where(positions.allowed, scores, -np.inf), state

    def write(self, active: list[Draft]) -> Iterator[int]:
        """Draw tokens until every draft has stopped; yield after each step how many were drawn.

        Drafts that have stopped, also by `close` between two steps, leave the batch.
        """
        state = self.start(active)
        while active:
            step = self.step(active, state)
            yield step.drawn
            active, state = self.going(active, step.state)

    def start(self, drafts: list[Draft]) -> Any:
        """Return the state of drafts that have just begun."""
        return self.select(self._state, np.array([draft.state for draft in drafts], np.int64))

    def select(self, state: Any, rows: Ids) -> Any:
        """Return the state of some drafts; a row may be repeated."""
        return self._stepper.select(state, rows)

    def going(self, active: list[Draft], state: Any) -> tuple[list[Draft], Any]:
        """Return the drafts that have not stopped, and their state."""
        rows = [row for row, draft in enumerate(active) if draft.stopped_by is None]
        if len(rows) == len(active):
            return active, state
        return [active[row] for row in rows], self.select(state, np.array(rows, np.int64))

    def merged(self, state: Any, some: Any, rows: Ids) -> Any:
        """Return the state of all drafts after that of some rows has changed."""
        parts = self._stepper.export(state)
        count = parts[0].shape[1]
        if len(rows) == count:
            return some
        both = zip(parts, self._stepper.export(some), strict=True)
        joined = self._stepper.restore(tuple(np.concatenate(each, axis=1) for each in both))
        places = np.arange(count)
        places[rows] = count + np.arange(len(rows))
        return self.select(joined, places)

    def is_given(self, draft: Draft) -> bool:
        """Return whether only one token may come next."""
        return bool(self._masks([draft])[1].sum() == 1)

    def step(
        self, active: list[Draft], state: Any, *, most: int = FAR, weigh: bool = False
    ) -> Step:
        """Draw T tokens in every draft: `most` of them, or 1 if only Python follows its tracker.

        If they are weighed, T is 1.
        """
        found = [followed(draft.tracker) for draft in active] if self._tracker is not None else []
        trackers = [each for each in found if each is not None]
        # END is forbidden in a whole step or not at all.
        missing = [draft.missing for draft in active if draft.missing]
        unseen = [self._limits.unseen(draft) for draft in active]
        # In a batch the pieces that have ended would be stepped on.
        alone = len(active) == 1 and not found
        most = most if alone else min(most, STRIDE)
        follows = len(trackers) == len(found) and not weigh
        stride = min([most, *missing, *unseen]) if follows else 1
        guide = self._guide(active, trackers) if stride > 1 and found else None
        draws = np.array([draft.random.random(stride) for draft in active])  # (B, T)
        positions = self.positions(active)
        given = positions.allowed.sum(axis=1) == 1  # (B,)
        given_here, log_masses = (positions, draws, self._rules, state), np.zeros(len(active))
        if weigh:
            ids, log_probabilities, state, log_masses = write_weighed(self._stepper, *given_here)
        else:
            ids, log_probabilities, state = self._stepper.write(*given_here, guide)
        if ids.min() < 0:
            raise self._refusal(positions, active, ids)
        drawn = 0
        for draft, row, row_log_probabilities in zip(
            active, ids.tolist(), log_probabilities.tolist(), strict=True
        ):
            drawn += self.take(draft, row, row_log_probabilities, followed=guide is not None)
        if self.is_late():
            for draft in active:
                if draft.stopped_by is None:
                    self._close(draft, "time")
        return Step(state, drawn, given, log_probabilities[:, 0], log_masses)

    def _guide(self, active: list[Draft], trackers: list[Followed]) -> Guide:
        """Return what follows the trackers of drafts."""
        rooms = [self._limits.room(draft) if self.closes else None for draft in active]
        waits = [draft.missing > 0 for draft in active]
        features = len(unlabelled(self._run.codec).feature_sizes)
        return guide_of(trackers, rooms, waits, self._has_grammar, features)

    def take(
        self,
        draft: Draft,
        ids: list[int],
        log_probabilities: list[float],
        *,
        followed: bool = False,
    ) -> int:
        """Add drawn tokens to a draft, stop it where it has to, and return how many were added.

        Its tracker may have `followed` them already.
        """
        end, before = self._run.vocab.end, draft.count
        ended = end in ids
        new = ids[: ids.index(end)] if ended else ids
        draft.add(new, log_probabilities[: len(new)], followed=followed)
        if draft.missing:
            draft.missing = self._limits.missing(draft)
        if cut := self._limits.reached(draft, len(new), ended):
            draft.cut(cut.count)
            if cut.last:
                draft.replace_last(cut.last)
            draft.stop(cut.reason)
        elif ended:
            draft.log_probabilities.append(log_probabilities[len(new)])
            draft.stop("grammar" if draft.missing else "end")
        elif self.closes and (reason := self._limits.over(draft)) is not None:
            self._close(draft, reason)
        return draft.count - before + (draft.stopped_by in ENDED)

    def _close(self, draft: Draft, reason: StoppedBy) -> None:
        """Stop a draft that may end here; another one closes what is open first."""
        draft.closing = reason
        if not self.closes or next_mask(self._run.codec, cast("Tracker", draft.tracker))[-1]:
            draft.stop(reason)

    def close(self, drafts: Sequence[Draft], reason: StoppedBy) -> bool:
        """Let all pieces close what is open as soon as they can, then stop; return if they can."""
        if self.closes:
            self._limits.closing = reason
            for draft in drafts:
                if draft.stopped_by is None:
                    self._close(draft, reason)
        return self.closes

    def forget(self, draft: Draft) -> None:
        """Drop the tokens that neither the sampler nor the limits look back at."""
        sampler, limits = self._rules.look_back, self._limits.look_back
        if sampler is not None and limits is not None:
            del draft.ids[: -max(sampler, limits, 1)], draft.log_probabilities[:]

    def positions(self, active: list[Draft]) -> Positions:
        """Gather what the stepper and the sampler read of each draft."""
        start = self._run.vocab.start
        last = [draft.ids[-1] if draft.ids else start for draft in active]
        features = [
            self._features if draft.tracker is None else draft.tracker.features()
            for draft in active
        ]
        return Positions(
            np.array(last, np.int64),
            checked_features(self._run.codec, features, len(active)),
            *self._masks(active),
            *self._recent(active),
            np.array([draft.count - draft.prompt for draft in active], np.int64),
        )

    def _recent(self, active: list[Draft]) -> tuple[Ids, Ids]:
        """Return the last tokens ``(B, N + T)``, with T places free, and their number ``(B,)``."""
        look_back = self._rules.look_back
        if look_back == 0:
            return np.zeros((len(active), 0), np.int64), np.zeros(len(active), np.int64)
        tails = [draft.ids[-look_back:] if look_back else draft.ids for draft in active]
        counts = np.array([len(tail) for tail in tails], np.int64)
        recent = np.zeros((len(active), counts.max() + FAR), np.int64)
        for row, tail in zip(recent, tails, strict=True):
            row[: len(tail)] = tail
        return recent, counts

    def _masks(self, active: list[Draft]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return two masks ``(B, V')``: the ids that have a probability, and those that may come.

        A forced id is alone in the second; near a limit it has only ids from which the piece can
        still end. A model that learned under a grammar never learned how unlikely other ids are,
        so they have no probability. END may not come before the least length, unless nothing else
        may.
        """
        codec = self._run.codec
        possible = np.ones((len(active), self._run.vocab.targets), bool)
        allowed = possible.copy()
        allowed[:, self._labels] = False  # Label tokens come in the header only.
        for row, draft in enumerate(active):
            if draft.tracker is not None:
                room = self._limits.room(draft) if self.closes else None
                allowed[row] = next_mask(codec, draft.tracker, room)
                if self._has_grammar:
                    possible[row] = allowed[row] | allowed_mask(codec, draft.tracker)
            if draft.missing and allowed[row, :-1].any():
                allowed[row, -1] = False
        return possible, allowed

    def _refusal(self, positions: Positions, active: list[Draft], ids: Ids) -> SeqgenError:
        """Return the error that a negative id stands for."""
        row = int(np.flatnonzero((ids < 0).any(axis=1))[0])
        column = int(np.flatnonzero(ids[row] < 0)[0])
        position = active[row].count + column + 1
        if ids[row, column] == NOT_FINITE:
            return SeqgenError("the model predicts values that are not numbers; train it again")
        if not positions.allowed[row].any():
            return DataError(
                f"the tracker of codec {type(self._run.codec).__name__} allows no token at "
                f"position {position:,}; this is a fault of {self._run.info['distribution']}"
            )
        return ConfigError(f"all tokens that may come at position {position:,} are banned")
