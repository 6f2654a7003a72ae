"""A stepper that draws from the geometric mixture: two networks, and counts that stay as they are.

It was learned from a prompt (`seqgen.evaluation.adaptive`). What is written is not learned: a model
that believes its own samples soon repeats them. So each sequence only keeps where it is, and does
not depend on others beside it.

Comes from: `seqgen.evaluation.geometric_mixture`. Next: `seqgen.drawing.sampling` draws.
B sequences, T steps, V' ids to predict, K features.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled, copy
from seqgen.drawing.guide import Guide, follow_each
from seqgen.drawing.parts import look, look_again, parts_of
from seqgen.drawing.rules import Positions, Rules
from seqgen.drawing.sampling import choose_each
from seqgen.evaluation.geometric_mixture import LONGEST, GeometricMixture, Reader, gather
from seqgen.evaluation.match_model import look_up
from seqgen.evaluation.mixture_weights import Room, Weights, blend
from seqgen.evaluation.ngram_table import advance, open_context
from seqgen.evaluation.word_contexts import CONTEXTS, follow_words, open_words
from seqgen.plugin import Ids
from seqgen.run.folder import Run
from seqgen.stepping.stepper import Stepper, choose_stepper

Floats: TypeAlias = NDArray[np.float32]

#: Tokens that a sequence keeps: a power of two, and at least the longest match.
KEPT = 32


class Lanes(NamedTuple):
    """Where sequences are: what the counts look at.

    Attributes
    ----------
    hashes : uint64 array (B, LONGEST + CONTEXTS)
        Contexts of the n-grams, and words.
    recent : int64 array (B, KEPT)
        The last tokens, the latest at the end.
    marks : int64 array (B, 2)
        Number of tokens read, `KEPT` at most, and whether the last one was part of a word.
    """

    hashes: NDArray[np.uint64]
    recent: Ids
    marks: Ids

    def rows(self, rows: Ids) -> Lanes:
        """Return some sequences."""
        return Lanes(self.hashes[rows], self.recent[rows], self.marks[rows])

    def packed(self) -> Floats:
        """Return all as float32 ``(1, B, F)``, which holds 16 bits of a number exactly."""
        hashes = np.ascontiguousarray(self.hashes).view(np.uint16)
        parts = [part.astype(np.float32) for part in (hashes, self.recent, self.marks)]
        return np.concatenate(parts, axis=1)[None]

    @classmethod
    def unpacked(cls, packed: Floats) -> Lanes:
        """Return what `packed` made an array of."""
        wide = 4 * (LONGEST + CONTEXTS)
        hashes = packed[0, :, :wide].astype(np.uint16).view(np.uint64)  # (B, LONGEST + CONTEXTS)
        rest = packed[0, :, wide:].astype(np.int64)
        return cls(hashes, rest[:, :KEPT].copy(), rest[:, KEPT:].copy())


#: States of the trained and of the learning network, and of the counts.
State: TypeAlias = tuple[Any, Any, Lanes]


class MixedStepper:
    """Steps with two networks, and mixes what they say with counts.

    Parameters
    ----------
    trained, learned : Stepper
        The network as it was trained, and its copy that learned the prompt.
    mixture : GeometricMixture
        It stays as it is.
    """

    def __init__(self, trained: Stepper, learned: Stepper, mixture: GeometricMixture) -> None:
        self._steppers = trained, learned
        self._reader, self._weights = mixture.frozen(), mixture.weights
        self._parts = parts_of((), self._reader.ends[1] + 1)

    def start(self, count: int) -> State:
        """Return the state of `count` sequences before their first id."""
        lanes = Lanes(
            np.zeros((count, LONGEST + CONTEXTS), np.uint64),
            np.zeros((count, KEPT), np.int64),
            np.zeros((count, 2), np.int64),
        )
        _open_lanes(self._reader, lanes)
        trained, learned = (stepper.start(count) for stepper in self._steppers)
        return trained, learned, lanes

    def read(
        self, ids: Ids, features: Ids, state: State, possible: NDArray[np.bool_] | None = None
    ) -> tuple[Floats, State]:
        """Read all ids with both networks; return log-probabilities of the mixture ``(B, V')``."""
        trained, first = self._steppers[0].read(ids, features, state[0], possible)
        learned, second = self._steppers[1].read(ids, features, state[1], possible)
        lanes = state[2].rows(np.arange(len(ids)))  # a copy: a state is a value
        if possible is None:
            possible = np.ones(trained.shape, bool)
        scores = np.empty(trained.shape, np.float32)
        networks = np.stack([trained, learned], axis=1)  # (B, 2, V')
        _mix_lanes(ids, networks, possible, lanes, self._reader, self._weights, scores)
        return scores, (first, second, lanes)

    def write(
        self,
        positions: Positions,
        draws: NDArray[np.float64],
        rules: Rules,
        state: State,
        guide: Guide | None = None,
    ) -> tuple[Ids, NDArray[np.float64], State]:
        """Step and draw alternately."""
        new = np.full(draws.shape, positions.allowed.shape[1] - 1)
        log_probabilities = np.zeros(draws.shape)
        for step in range(draws.shape[1]):
            views = look(self._parts, positions, rules)
            if not look_again(views, positions, step):
                break
            read = positions.ids[:, None], positions.features[:, None]
            scores, state = self.read(*read, state, positions.possible)
            given = scores, self._parts, views, positions, draws, step, rules
            if not choose_each(*given, new, log_probabilities):
                break
            if guide is not None:
                follow_each(guide, positions, step + 1)
        return new, log_probabilities, state

    def select(self, state: State, rows: Ids) -> State:
        """Return the state of some sequences."""
        trained, learned = self._steppers
        return trained.select(state[0], rows), learned.select(state[1], rows), state[2].rows(rows)

    def export(self, state: State) -> tuple[Floats, ...]:
        """Return the parts of both networks' states, and the counts'."""
        trained, learned = self._steppers
        return (*trained.export(state[0]), *learned.export(state[1]), state[2].packed())

    def restore(self, parts: tuple[Floats, ...]) -> State:
        """Return the state for what `export` returned."""
        half, (trained, learned) = len(parts) // 2, self._steppers
        both = trained.restore(parts[:half]), learned.restore(parts[half:-1])
        return (*both, Lanes.unpacked(parts[-1]))


def mixed_stepper(
    trained: Run, learned: Run, mixture: GeometricMixture, batch_size: int, int8: bool
) -> Stepper:
    """Return a stepper for the networks of two runs; it is what `Run.stepper` makes."""
    before = choose_stepper(trained, batch_size, int8=int8)
    return MixedStepper(before, choose_stepper(learned, batch_size, int8=int8), mixture)


@compiled
def _open_lanes(reader: Reader, lanes: Lanes) -> None:
    """Begin pieces."""
    open_context(reader.whole.context, reader.ends[0])
    open_words(reader.words)
    for lane in range(len(lanes.hashes)):
        copy(reader.whole.context, lanes.hashes[lane, :LONGEST])
        copy(reader.words.hashes, lanes.hashes[lane, LONGEST:])


@compiled
def _mix_lanes(
    ids: Ids,
    networks: Floats,
    possible: NDArray[np.bool_],
    lanes: Lanes,
    reader: Reader,
    weights: Weights,
    scores: Floats,
) -> None:
    """Let each sequence read ids ``(B, T)``; fill in the log-probabilities ``(B, V')`` after them.

    `networks` (B, 2, V') are logits. Ids that are not `possible` (B, V') get the lowest score.
    """
    count = scores.shape[1]
    given, known = np.empty((weights.weights.shape[1], count)), np.empty((2, count))
    orders, places, tokens = np.empty((LONGEST, count)), np.empty(count, np.int64), np.arange(count)
    room = Room(np.empty((2, count)), np.empty(count))
    for lane in range(len(ids)):
        _move(lanes, lane, ids[lane], reader)
        some = tokens[possible[lane]]
        for network in range(2):
            own = networks[lane, network].astype(np.float64)
            top = own[some].max()
            known[network] = own - top - np.log(np.exp(own[some] - top).sum())
        here = given[:, : len(some)]
        gather(known, reader, some, here, orders, places)
        blend(here, ids[lane, -1], weights, room)
        mixed = room.mixed[: len(some)]
        scores[lane] = mixed.min()
        for place in range(len(some)):
            scores[lane, some[place]] = mixed[place]


@compiled
def _move(lanes: Lanes, lane: int, ids: Ids, reader: Reader) -> None:
    """Take the reader to where a sequence is, read more ids ``(T,)``, and note where that is."""
    hashes, recent, marks = lanes.hashes[lane], lanes.recent[lane], lanes.marks[lane]
    context, words = reader.whole.context, reader.words
    copy(hashes[:LONGEST], context)
    copy(hashes[LONGEST:], words.hashes)
    words.inside[0] = marks[1] > 0
    for token in ids:
        advance(context, token, reader.ends)
        if token == reader.ends[0] or token == reader.ends[1]:
            open_words(words)
        else:
            follow_words(words, token)
        copy(recent[1:], recent[:-1])
        recent[-1] = token
        marks[0] = min(marks[0] + 1, len(recent))
    copy(context, reader.recent.context)
    copy(context, hashes[:LONGEST])
    copy(words.hashes, hashes[LONGEST:])
    marks[1] = words.inside[0]
    look_up(reader.matches, recent, marks[0])
