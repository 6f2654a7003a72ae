"""The generation loop: stepper, sampler and tracker write pieces token by token until they stop.

One turn of the loop is `Writer.step`: the tracker says what may come next, the stepper reads the
last tokens and draws new ones, the limits stop pieces.

B drafts, T tokens per step, V' ids predicted, K features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.unlabelled import label_features, opening, requested_labels, unlabelled
from seqgen.config import LimitConfig, SampleConfig
from seqgen.errors import ConfigError, DataError, SeqgenError
from seqgen.generation.limits import STRIDE, Limits
from seqgen.generation.pieces import ENDED, Draft, Place, Primed, branch_tracker
from seqgen.generation.sampling import NOT_FINITE, Positions, rules_for
from seqgen.generation.stepper import Stepper
from seqgen.plugin import Ids, Piece
from seqgen.plugins.checks import allowed_mask, checked_features, checked_ids, next_mask
from seqgen.run.folder import Run


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
    """

    state: Any
    drawn: int
    given: NDArray[np.bool_]
    log_probabilities: NDArray[np.float64]


class Writer:
    """Writes the pieces of one call.

    Parameters
    ----------
    stepper : Stepper
    run : Run
    prompt, condition, sample, limit, stop, seed
        As for `seqgen.generate`. The prompt is read here, once for all pieces, unless it is a
        `Place` of this run and condition.
    """

    def __init__(
        self,
        stepper: Stepper,
        run: Run,
        prompt: Piece | Primed | Place | None,
        condition: Any,
        sample: SampleConfig | None,
        limit: LimitConfig | None,
        stop: Sequence[Ids],
        seed: int,
    ) -> None:
        self._stepper, self._run, self._seed = stepper, run, seed
        sample = (sample or SampleConfig()).completed(**run.sampling)
        self._rules = rules_for(sample, run.vocab, run.longest, run.codec.groups)
        place = _place(stepper, run, prompt, condition)
        primed, self._tracker = place.primed, place.tracker
        self._prompt = primed.ids
        if self._tracker is None:
            self._features = label_features(run.codec, primed.ids)[-1]
        self._labels = slice(len(unlabelled(run.codec).vocab), run.vocab.end)
        self.state = stepper.restore(primed.state)
        self._limits = Limits(run, limit or LimitConfig(), stop, primed.ids, condition)
        self._has_grammar = run.codec.masks(np.zeros(0, np.int64)) is not None
        # A tracker has to see every token before the next one is drawn.
        self._stride = STRIDE if self._tracker is None else 1

    def is_late(self) -> bool:
        """Return whether the time is up."""
        return self._limits.is_late()

    def draft(self, index: int) -> Draft:
        """Begin a piece."""
        tracker = branch_tracker(self._tracker, self._run.codec)
        draft = Draft(index, self._prompt, tracker, self._seed)
        draft.missing = self._limits.missing(draft)
        return draft

    def write(self, active: list[Draft]) -> Iterator[int]:
        """Draw tokens until every draft has stopped; yield after each step how many were drawn.

        Drafts that have stopped leave the batch.
        """
        state = self.start(len(active))
        while active:
            step = self.step(active, state)
            active, state = self.going(active, step.state)
            yield step.drawn

    def start(self, drafts: int) -> Any:
        """Return the state after the prompt, for a number of drafts."""
        return self.select(self.state, np.zeros(drafts, np.int64))

    def select(self, state: Any, rows: Ids) -> Any:
        """Return the state of some drafts; a row may be repeated."""
        return self._stepper.select(state, rows)

    def going(self, active: list[Draft], state: Any) -> tuple[list[Draft], Any]:
        """Return the drafts that have not stopped, and their state."""
        rows = [row for row, draft in enumerate(active) if draft.stopped_by is None]
        if len(rows) == len(active):
            return active, state
        return [active[row] for row in rows], self.select(state, np.array(rows, np.int64))

    def step(self, active: list[Draft], state: Any) -> Step:
        """Draw T tokens in every draft: 1 with a tracker, at most `STRIDE` without."""
        # END is forbidden in a whole step or not at all.
        stride = min([self._stride, *(draft.missing for draft in active if draft.missing)])
        draws = np.array([draft.random.random(stride) for draft in active])  # (B, T)
        positions = self.positions(active)
        given = positions.allowed.sum(axis=1) == 1  # (B,)
        ids, log_probabilities, state = self._stepper.write(positions, draws, self._rules, state)
        if ids.min() < 0:
            raise self._refusal(positions, active, ids)
        drawn = 0
        for draft, row, row_log_probabilities in zip(
            active, ids.tolist(), log_probabilities.tolist(), strict=True
        ):
            drawn += self.take(draft, row, row_log_probabilities)
        if self.is_late():
            for draft in active:
                if draft.stopped_by is None:
                    draft.stop("time")
        return Step(state, drawn, given, log_probabilities[:, 0])

    def take(self, draft: Draft, ids: list[int], log_probabilities: list[float]) -> int:
        """Add drawn tokens to a draft, stop it where it has to, and return how many were added."""
        end, before = self._run.vocab.end, draft.count
        ended = end in ids
        new = ids[: ids.index(end)] if ended else ids
        draft.add(new, log_probabilities[: len(new)])
        if draft.missing:
            draft.missing = self._limits.missing(draft)
        if reached := self._limits.reached(draft, len(new), ended):
            count, reason = reached
            draft.cut(count)
            draft.stop(reason)
        elif ended:
            draft.log_probabilities.append(log_probabilities[len(new)])
            draft.stop("grammar" if draft.missing else "end")
        return draft.count - before + (draft.stopped_by in ENDED)

    def forget(self, draft: Draft) -> None:
        """Drop the tokens that neither the sampler nor the limits look back at."""
        sampler, limits = self._rules.look_back, self._limits.look_back
        if sampler is not None and limits is not None:
            del draft.ids[: -max(sampler, limits, 1)], draft.log_probabilities[:]

    def positions(self, active: list[Draft]) -> Positions:
        """Gather what the stepper and the sampler read of each draft."""
        start, prompt = self._run.vocab.start, len(self._prompt)
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
            np.array([draft.count - prompt for draft in active], np.int64),
        )

    def _recent(self, active: list[Draft]) -> tuple[Ids, Ids]:
        """Return the last tokens ``(B, N + T)``, with T places free, and their number ``(B,)``."""
        look_back = self._rules.look_back
        if look_back == 0:
            return np.zeros((len(active), 0), np.int64), np.zeros(len(active), np.int64)
        tails = [draft.ids[-look_back:] if look_back else draft.ids for draft in active]
        counts = np.array([len(tail) for tail in tails], np.int64)
        recent = np.zeros((len(active), counts.max() + self._stride), np.int64)
        for row, tail in zip(recent, tails, strict=True):
            row[: len(tail)] = tail
        return recent, counts

    def _masks(self, active: list[Draft]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return two masks ``(B, V')``: the ids that have a probability, and those that may come.

        A forced id is alone in the second. A model that learned under a grammar never learned how
        unlikely other ids are, so they have no probability. END may not come before the least
        length, unless nothing else may.
        """
        codec = self._run.codec
        possible = np.ones((len(active), self._run.vocab.targets), bool)
        allowed = possible.copy()
        allowed[:, self._labels] = False  # Label tokens come in the header only.
        for row, draft in enumerate(active):
            if draft.tracker is not None:
                allowed[row] = next_mask(codec, draft.tracker)
                if self._has_grammar:
                    possible[row] = allowed[row] | allowed_mask(codec, draft.tracker)
            if draft.missing and allowed[row, :-1].any():
                allowed[row, -1] = False
        return possible, allowed

    def _refusal(self, positions: Positions, active: list[Draft], ids: Ids) -> SeqgenError:
        """Return the error that a negative id stands for."""
        row = int(np.flatnonzero((ids < 0).any(axis=1))[0])
        column = int(np.flatnonzero(ids[row] < 0)[0])
        position = active[row].count + column
        if ids[row, column] == NOT_FINITE:
            return SeqgenError("the model predicts values that are not numbers; train it again")
        if not positions.allowed[row].any():
            return DataError(
                f"the tracker of codec {type(self._run.codec).__name__} allows no token at "
                f"position {position}; this is a fault of {self._run.info['distribution']}"
            )
        return ConfigError(f"all tokens that may come at position {position} are banned")


def read_prompt(stepper: Stepper, run: Run, prompt: Piece | None, condition: Any) -> Place:
    """Let model and tracker read a prompt, in one pass."""
    ids = checked_ids(run.codec, opening(run.codec, prompt, condition))
    nothing = Primed(ids[:0], stepper.export(stepper.start(1)), run.vocab.digest)
    return read_on(stepper, run, Place(nothing, run.codec.tracker(condition)), ids)


def read_on(stepper: Stepper, run: Run, place: Place, ids: Ids) -> Place:
    """Let model and tracker read more ids ``(M,)``, in one pass.

    The model reads START, or the last id of the place, and all ids but the last, which the first
    step reads.
    """
    if not len(ids):
        return place
    before = place.primed.ids  # (N,)
    whole = np.concatenate([before, ids])  # (N + M,)
    tracker = branch_tracker(place.tracker, run.codec)
    rows: Any = []
    if tracker is None:
        rows = label_features(run.codec, whole)[len(before) : -1]
    else:
        for token in ids.tolist():
            rows.append(tracker.features())
            tracker.push(token)
    read = np.concatenate([[run.vocab.start], whole])[len(before) : -1].astype(np.int64)  # (M,)
    features = checked_features(run.codec, rows, len(ids))  # (M, K)
    _, state = stepper.read(read[None], features[None], stepper.restore(place.primed.state))
    return Place(Primed(whole, stepper.export(state), run.vocab.digest), tracker)


def _place(
    stepper: Stepper, run: Run, prompt: Piece | Primed | Place | None, condition: Any
) -> Place:
    """Return the state after the prompt, and a tracker that has seen the prompt."""
    if isinstance(prompt, Place):
        return prompt
    if not isinstance(prompt, Primed):
        return read_prompt(stepper, run, prompt, condition)
    shapes = [part.shape for part in stepper.export(stepper.start(1))]
    own = prompt.vocab_digest == run.vocab.digest
    if not own or [part.shape for part in prompt.state] != shapes:
        raise DataError(
            f"this primed state belongs to another model, not to {run.folder}; prime it again"
        )
    ids = checked_ids(run.codec, prompt.ids)
    header = opening(run.codec, None, condition)
    asked, _ = requested_labels(run.codec, condition)
    if asked and not np.array_equal(ids[: len(header)], header):
        raise DataError("this primed state was made with other labels; prime it again with these")
    tracker = run.codec.tracker(condition)
    if tracker is not None:
        for token in ids.tolist():
            tracker.push(token)
    return Place(Primed(ids, prompt.state, prompt.vocab_digest), tracker)
