"""Pieces in the making: stepper, sampler and tracker write them token by token, until they stop."""

from __future__ import annotations

import bisect
import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from seqgen.config import LimitConfig, SampleConfig
from seqgen.errors import ConfigError, DataError, SeqgenError
from seqgen.files import write_atomic
from seqgen.generation.sampling import NOT_FINITE, Positions, rules_for
from seqgen.generation.stepper import Stepper
from seqgen.plugin import Codec, Ids, Piece, Tracker
from seqgen.plugin_checks import checked_features, checked_ids, checked_mask, checked_token
from seqgen.run.folder import Run
from seqgen.storage.tensors import ANY, Kind, TensorFile

StoppedBy: TypeAlias = Literal["end", "stop", "length", "time", "interrupt"]

#: Tokens that are drawn in one go, between two looks at the rules for stopping.
STRIDE = 32

#: Longest piece that the default limit allows.
LONGEST_PIECE = 4096


@dataclass(frozen=True)
class Generated:
    """A new piece.

    Attributes
    ----------
    index : int
        Which one of those asked for, from 0; with the seed it fixes the piece.
    ids : int64 array (N,)
        Its tokens, the prompt's among them.
    prompt : int
        How many of them are the prompt's.
    piece : object
        What the codec makes of them.
    stopped_by : {"end", "stop", "length", "time", "interrupt"}
        "end" if the model closed the piece itself, "stop" for a stop sequence.
    log_probability : float
        Sum over the tokens drawn, and END, in nats.
    seconds : float
        From the beginning of its batch until it ended.
    """

    index: int
    ids: Ids
    prompt: int
    piece: Piece
    stopped_by: StoppedBy
    log_probability: float
    seconds: float

    @property
    def log_probability_per_token(self) -> float:
        """Mean over the tokens drawn, and END, in nats."""
        drawn = len(self.ids) - self.prompt + (self.stopped_by == "end")
        return self.log_probability / max(drawn, 1)


@dataclass(frozen=True)
class Primed:
    """A model that has read a prompt: a value, from which any number of pieces may set out.

    Attributes
    ----------
    ids : int64 array (N,)
        The prompt.
    h, c : float32 array (L, 1, H)
        The state after START and all of the prompt but its last token, which the first step reads.
    vocab_digest : str
        Of the model's vocabulary.
    """

    ids: Ids
    h: NDArray[np.float32] = field(repr=False)
    c: NDArray[np.float32] = field(repr=False)
    vocab_digest: str = field(repr=False)

    def save(self, path: Path | str) -> None:
        """Write it as a safetensors file."""
        tensors: dict[str, NDArray[Any]] = {"ids": self.ids, "h": self.h, "c": self.c}
        about = {"vocab_digest": self.vocab_digest}
        write_atomic(Path(path), safetensors.numpy.save(tensors, about))

    @classmethod
    def load(cls, path: Path | str) -> Primed:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If the file is none.
        """
        kinds = {"ids": Kind((ANY,), "I64"), "h": Kind((ANY, 1, ANY)), "c": Kind((ANY, 1, ANY))}
        try:
            file = TensorFile(Path(path))
            return cls(**file.read(kinds), vocab_digest=file.about.get("vocab_digest", ""))
        except ValueError as error:
            raise DataError(
                f"{path} holds no primed state ({error}); make one with prime"
            ) from error


class Step(NamedTuple):
    """What was drawn in B drafts.

    Attributes
    ----------
    state : object
        That of the stepper afterwards.
    drawn : int
        Tokens of all drafts, END included.
    given : bool array (B,)
        Whether the first token was not drawn, for no other was allowed.
    log_probabilities : float64 array (B,)
        Of the first token.
    """

    state: Any
    drawn: int
    given: NDArray[np.bool_]
    log_probabilities: NDArray[np.float64]


class Draft:
    """One piece in the making, or one of several that it may come to be."""

    def __init__(self, index: int, prompt: Ids, tracker: Tracker | None, seed: int) -> None:
        self.index = index
        self.prompt = len(prompt)
        self.ids = prompt.tolist()
        self.count = len(prompt)
        self.tracker = tracker
        self.random = np.random.Generator(np.random.Philox(key=[seed, index]))
        self.log_probabilities: list[float] = []
        self.stopped_by: StoppedBy | None = None
        self.began = time.monotonic()
        self.seconds = 0.0

    def add(self, ids: list[int], log_probabilities: list[float]) -> None:
        """Add tokens that were drawn."""
        self.ids += ids
        self.count += len(ids)
        self.log_probabilities += log_probabilities
        if self.tracker is not None:
            for token in ids:
                self.tracker.push(token)

    def cut(self, count: int) -> None:
        """Take tokens back until the piece has so many."""
        if surplus := self.count - count:
            del self.ids[-surplus:], self.log_probabilities[-surplus:]
            self.count = count

    def stop(self, reason: StoppedBy) -> None:
        """Take note that the piece is done."""
        self.stopped_by = reason
        self.seconds = time.monotonic() - self.began

    def branch(self, codec: Codec) -> Draft:
        """Return a copy that goes its own way; codec and draws are shared."""
        branch = copy.copy(self)
        branch.ids, branch.log_probabilities = self.ids[:], self.log_probabilities[:]
        branch.tracker = copy.deepcopy(self.tracker, {id(codec): codec})
        return branch

    def generated(self, codec: Codec, with_prompt: bool) -> Generated:
        """Return the piece as it is."""
        assert self.stopped_by is not None
        ids = np.array(self.ids, np.int64)
        shown = ids if with_prompt else codec.continuation(ids, self.prompt)
        return Generated(
            *(self.index, ids, self.prompt, codec.decode(shown)),
            *(self.stopped_by, sum(self.log_probabilities), self.seconds),
        )


class Writer:
    """What all pieces of one call have in common."""

    def __init__(
        self,
        stepper: Stepper,
        run: Run,
        prompt: Piece | Primed | None,
        condition: Any,
        sample: SampleConfig | None,
        limit: LimitConfig | None,
        stop: Sequence[Ids],
        seed: int,
    ) -> None:
        self._stepper, self._run, self._condition, self._seed = stepper, run, condition, seed
        sample = (sample or SampleConfig()).completed(**run.sampling)
        self._rules = rules_for(sample, run.vocab, run.longest, run.codec.groups)
        self._limit = limit or LimitConfig()
        if not isinstance(prompt, Primed):
            prompt = read_prompt(stepper, run, prompt, condition)
        elif prompt.vocab_digest != run.vocab.digest or not (
            prompt.h.shape == prompt.c.shape == _state_shape(run)
        ):
            raise DataError(
                f"this primed state belongs to another model, not to {run.folder}; prime it again"
            )
        self._prompt = checked_ids(run.codec, prompt.ids)
        self.state = stepper.restore(prompt.h, prompt.c)
        self._stops = [ids.tolist() for ids in stop if len(ids)]
        self._most = _most_tokens(run, self._limit, prompt.ids, condition)
        seconds = self._limit.seconds
        self._deadline = time.monotonic() + seconds if seconds else math.inf
        # A tracker has to see every token before the next one is drawn.
        self._stride = STRIDE if run.codec.tracker(condition) is None else 1

    def is_late(self) -> bool:
        """Tell whether the time is up."""
        return time.monotonic() >= self._deadline

    def draft(self, index: int) -> Draft:
        """Begin a piece."""
        tracker = _tracker(self._run.codec, self._prompt, self._condition)
        return Draft(index, self._prompt, tracker, self._seed)

    def write(self, active: list[Draft]) -> Iterator[int]:
        """Draw tokens until every draft has stopped, and yield now and then how many were drawn.

        Drafts that have stopped leave the batch.
        """
        state = self.start(len(active))
        while active:
            step = self.step(active, state)
            active, state = self.going(active, step.state)
            yield step.drawn

    def start(self, drafts: int) -> Any:
        """Return the state in which so many pieces begin."""
        return self.select(self.state, np.zeros(drafts, np.int64))

    def select(self, state: Any, rows: Ids) -> Any:
        """Return the state of some drafts, each as often as it is named."""
        return self._stepper.select(state, rows)

    def going(self, active: list[Draft], state: Any) -> tuple[list[Draft], Any]:
        """Return the drafts that have not stopped, and their state."""
        rows = [row for row, draft in enumerate(active) if draft.stopped_by is None]
        if len(rows) == len(active):
            return active, state
        return [active[row] for row in rows], self.select(state, np.array(rows, np.int64))

    def step(self, active: list[Draft], state: Any) -> Step:
        """Draw tokens in every draft, as many as can be before its tracker has to see them."""
        draws = np.array([draft.random.random(self._stride) for draft in active])
        positions = self.positions(active)
        given = positions.allowed.sum(axis=1) == 1
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

    def forget(self, draft: Draft) -> None:
        """Let go of the tokens that nothing looks back at any more."""
        look_back = self._rules.look_back
        if look_back is None or self._limit.unit != "tokens":
            return
        kept = max(look_back, *map(len, self._stops), 1, 1)
        del draft.ids[:-kept], draft.log_probabilities[:]

    def positions(self, active: list[Draft]) -> Positions:
        """Gather what drawing needs to know."""
        start, prompt = self._run.vocab.start, len(self._prompt)
        last = [draft.ids[-1] if draft.ids else start for draft in active]
        features = [_features(draft.tracker) for draft in active]
        return Positions(
            np.array(last, np.int64),
            checked_features(self._run.codec, features, len(active)),
            self._allowed(active),
            *self._recent(active),
            np.array([draft.count - prompt for draft in active], np.int64),
        )

    def _recent(self, active: list[Draft]) -> tuple[Ids, Ids]:
        """Return the last tokens of each draft with room for more, and how many they are."""
        look_back = self._rules.look_back
        if look_back == 0:
            return np.zeros((len(active), 0), np.int64), np.zeros(len(active), np.int64)
        tails = [draft.ids[-look_back:] if look_back else draft.ids for draft in active]
        counts = np.array([len(tail) for tail in tails], np.int64)
        recent = np.zeros((len(active), counts.max() + self._stride), np.int64)
        for row, tail in zip(recent, tails, strict=True):
            row[: len(tail)] = tail
        return recent, counts

    def _allowed(self, active: list[Draft]) -> NDArray[np.bool_]:
        """Return what each draft's tracker lets come next ``(B, V')``: a forced token is alone."""
        masks = np.ones((len(active), self._run.vocab.targets), bool)
        for mask, draft in zip(masks, active, strict=True):
            if draft.tracker is None:
                continue
            forced = draft.tracker.forced()
            if forced is not None:
                mask[:] = False
                mask[checked_token(self._run.codec, forced)] = True
            elif (allowed := draft.tracker.allowed()) is not None:
                mask[:] = checked_mask(self._run.codec, allowed)
        return masks

    def _refusal(self, positions: Positions, active: list[Draft], ids: Ids) -> SeqgenError:
        """Return the error that a negative id stands for."""
        row = int(np.flatnonzero((ids < 0).any(axis=1))[0])
        column = int(np.flatnonzero(ids[row] < 0)[0])
        position = active[row].count + column
        if ids[row, column] == NOT_FINITE:
            return SeqgenError("the model predicts values that are no numbers; train it again")
        if not positions.allowed[row].any():
            return DataError(
                f"the tracker of codec {type(self._run.codec).__name__} allows no token at "
                f"position {position}; this is a fault of {self._run.info['distribution']}"
            )
        return ConfigError(f"all tokens that may come at position {position} are banned")

    def take(self, draft: Draft, ids: list[int], log_probabilities: list[float]) -> int:
        """Add what was drawn to a piece, stop it if it is time, and return how much it was."""
        end, before = self._run.vocab.end, draft.count
        ended = end in ids
        new = ids[: ids.index(end)] if ended else ids
        draft.add(new, log_probabilities[: len(new)])
        cuts = list(self._cuts(draft, len(new), ended))
        if cuts:
            count, reason = min(cuts, key=lambda cut: cut[0])
            draft.cut(count)
            draft.stop(reason)
        elif ended:
            draft.log_probabilities.append(log_probabilities[len(new)])
            draft.stop("end")
        return draft.count - before + (draft.stopped_by == "end")

    def _cuts(self, draft: Draft, new: int, ended: bool) -> Iterator[tuple[int, StoppedBy]]:
        """Yield after how many tokens a piece is to stop, and why, if the new ones give reason."""
        for stop in self._stops:
            first = max(draft.count - new - len(stop) + 1, draft.prompt)
            tail = draft.ids[len(draft.ids) - (draft.count - first) :]
            for start in range(len(tail) - len(stop) + 1):
                if tail[start : start + len(stop)] == stop:
                    yield first + start + len(stop), "stop"
                    break
        if draft.count >= self._most:
            yield int(self._most), "length"
        due = ended or draft.count // STRIDE > (draft.count - new) // STRIDE
        if self._limit.unit != "tokens" and self._limit.length and due:
            ids = np.array(draft.ids, np.int64)
            if self._measure(ids) >= self._limit.length:
                counts = range(draft.prompt, len(ids) + 1)
                place = bisect.bisect_left(
                    counts, self._limit.length, key=lambda count: self._measure(ids[:count])
                )
                yield counts[place], "length"

    def _measure(self, ids: Ids) -> float:
        """Return how long ids are in the unit of the limit."""
        return float(self._run.codec.units(ids)[self._limit.unit])


def read_prompt(stepper: Stepper, run: Run, prompt: Piece | None, condition: Any) -> Primed:
    """Read START and the prompt but for its last token, which the first step reads."""
    ids = checked_ids(run.codec, [] if prompt is None else run.codec.encode(prompt))
    tracker = _tracker(run.codec, ids[:0], condition)
    rows = []
    for token in ids.tolist():
        rows.append(_features(tracker))
        if tracker is not None:
            tracker.push(token)
    state = stepper.start(1)
    if len(ids):
        read = np.concatenate([[run.vocab.start], ids[:-1]]).astype(np.int64)
        features = checked_features(run.codec, rows, len(ids))
        _, state = stepper.read(read[None], features[None], state)
    return Primed(ids, *stepper.export(state), run.vocab.digest)


def _state_shape(run: Run) -> tuple[int, int, int]:
    return run.model_config.layers, 1, run.model_config.hidden


def _most_tokens(run: Run, limit: LimitConfig, prompt: Ids, condition: Any) -> float:
    """Return how many tokens a piece may have, the prompt's among them."""
    units = run.codec.units(prompt)
    if limit.unit != "tokens" and limit.unit not in units:
        names = ", ".join(dict.fromkeys(["tokens", *units]))
        raise ConfigError(f"unit must be one of {names}, found {limit.unit!r}")
    if not limit.length:
        called_for = run.codec.most_tokens(condition)
        return len(prompt) + (called_for or min(2 * run.longest, LONGEST_PIECE))
    length = len(prompt) if limit.unit == "tokens" else units[limit.unit]
    if length >= limit.length:
        raise DataError(
            f"the prompt has {length:g} {limit.unit}, and the limit is {limit.length:g}; raise "
            f"the limit"
        )
    if limit.length == math.inf:
        return math.inf
    if limit.unit == "tokens":
        return math.ceil(limit.length)
    # Ten times what the corpus needs for it: a model that never gets there stops all the same.
    corpus = run.info["corpus"]
    tokens: float = sum(corpus["tokens"].values()) / max(corpus["units"].get(limit.unit, 0.0), 1.0)
    return len(prompt) + LONGEST_PIECE + math.ceil(10 * limit.length * tokens)


def _tracker(codec: Codec, prompt: Ids, condition: Any) -> Tracker | None:
    """Return a new tracker that has seen the prompt."""
    tracker = codec.tracker(condition)
    if tracker is None:
        if codec.feature_sizes:
            raise DataError(f"codec {type(codec).__name__} has features but no tracker")
        return None
    for token in prompt.tolist():
        tracker.push(token)
    return tracker


def _features(tracker: Tracker | None) -> Sequence[int]:
    return () if tracker is None else tracker.features()
