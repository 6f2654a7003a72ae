"""Batches: lanes cut into windows of T steps, and the framing of a window.

A framing says which inputs of a window the model sees, which targets count, and whether the state
is carried into the next window. docs/framings.md explains each.

Comes from: `seqgen.data.lanes`. Next: `seqgen.training.loop`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seqgen.data.corpus import Corpus
from seqgen.data.lanes import IGNORE as IGNORE
from seqgen.data.lanes import Lane, Place, Steps, forgetting, joined
from seqgen.data.splits import Segment, Segments, Split
from seqgen.errors import ConfigError, RunError


@dataclass(frozen=True)
class Batch:
    """One window of every lane.

    Attributes
    ----------
    inputs : int64 array (B, T)
        Ids to read, including START and END.
    targets : int64 array (B, T)
        Id to predict at each step, or `IGNORE`.
    features : int64 array (B, T, K)
        Features of the targets.
    allowed : uint8 array (B, T, W)
        Packed masks of the targets that the grammar allows; W is 0 without a grammar.
    carried : bool
        Whether the state is carried over from the window before; otherwise it starts at zero.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    features: NDArray[np.int64]
    allowed: NDArray[np.uint8]
    carried: bool = True

    def cut(self, steps: slice) -> Batch:
        """Return some steps of every lane."""
        return Batch(
            self.inputs[:, steps],
            self.targets[:, steps],
            self.features[:, steps],
            self.allowed[:, steps],
            self.carried,
        )

    def parts(self, count: int) -> Iterator[tuple[slice, Batch]]:
        """Yield the batch in parts of whole rows, at most `count`, each with its rows.

        The number of rows may leave a remainder: the first parts then have one row more.
        """
        rows = len(self.inputs)
        for part in np.array_split(np.arange(rows), min(count, rows)):
            own = slice(int(part[0]), int(part[-1]) + 1)
            values = (self.inputs[own], self.targets[own], self.features[own], self.allowed[own])
            yield own, Batch(*values, self.carried)

    @property
    def counted(self) -> int:
        """Number of targets that have a loss."""
        return int((self.targets != IGNORE).sum())


@dataclass(frozen=True)
class Framing:
    """What the model sees of a window.

    Attributes
    ----------
    carried : bool
        Whether the state is carried into the next window; otherwise each starts at zero.
    inputs : all or first
        Visible inputs: all, or the first of a window (and of a piece that begins in it). The
        others are START with features 0. Every model reads START, none predicts it, and it does
        not reset the state. Masks stay: the grammar does not depend on what the model sees.
    targets : all or last
        Targets that count: all, or the last of a window. For the last, windows start at random
        places, so all tokens are targets equally often.
    single : bool
        Whether every step of a window is a window of its own.
    """

    carried: bool = False
    inputs: Literal["all", "first"] = "all"
    targets: Literal["all", "last"] = "all"
    single: bool = False

    def frame(self, steps: Steps, corpus: Corpus) -> Batch:
        """Return steps of B lanes as a batch.

        Parameters
        ----------
        steps : Steps (B, T)
        corpus : Corpus
        """
        inputs, targets, features, allowed = steps
        if self.inputs == "first":
            forgets = np.array(corpus.vocab.resets(corpus.codec.boundaries))[inputs]
            opens = np.roll(forgets, 1, axis=1)
            opens[:, 0] = True
            blank = ~opens & ~forgets
            inputs = np.where(blank, corpus.vocab.start, inputs)
            # Features could reveal hidden tokens.
            features = np.where(blank[:, :, None], 0, features)
        if self.targets == "last":
            targets = np.where(np.arange(targets.shape[1]) < targets.shape[1] - 1, IGNORE, targets)
        if self.single:
            inputs, targets = inputs.reshape(-1, 1), targets.reshape(-1, 1)
            features = features.reshape(len(inputs), 1, features.shape[-1])
            allowed = allowed.reshape(len(inputs), 1, allowed.shape[-1])
        return Batch(inputs, targets, features, allowed, self.carried)


#: The framings by their names in `TrainConfig.framing`.
FRAMINGS = {
    "carried": Framing(carried=True),
    "windows": Framing(),
    "many-to-one": Framing(targets="last"),
    "one-to-many": Framing(inputs="first"),
    "one-to-one": Framing(single=True),
}
CARRIED = FRAMINGS["carried"]


class TrainingStream:
    """Endless windows of the training split; an iterator of `Batch`.

    Every epoch has a new order, new augmentations and new draws of weighted pieces, all from the
    seed. A stream with the same arguments, or with the `place` of another stream, gives the same
    batches.

    Parameters
    ----------
    corpus : Corpus
    batch_size, window : int
        B, the number of lanes, and the default T.
    seed : int
        Seed, epoch and piece determine every draw.
    framing : Framing
    rank, ranks : int
        Read the lanes of one rank (`own_lanes`). Stacked, the batches of all ranks are the batch of
        a stream that reads all lanes.
    place : mapping, optional
        The place to start from: the result of `place`, or the places of all ranks in one mapping.

    Raises
    ------
    ConfigError
        If there are fewer lanes than ranks.
    RunError
        If the place belongs to other lanes or another corpus.
    """

    def __init__(
        self,
        corpus: Corpus,
        batch_size: int,
        window: int,
        seed: int,
        framing: Framing = CARRIED,
        *,
        rank: int = 0,
        ranks: int = 1,
        place: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        if batch_size < ranks:
            raise ConfigError(
                f"a batch of {batch_size} sequences cannot be divided among {ranks} processes; "
                f"choose a batch size of at least {ranks}, or start fewer processes"
            )
        if not 0 <= rank < ranks:
            raise ConfigError(f"rank must be from 0 to {ranks - 1}, found {rank}")
        self.window = window
        self._corpus, self._seed, self._framing = corpus, seed, framing
        segments = corpus.segments("train")

        # Lanes start an epoch at about the same time, so two entries are enough.
        @lru_cache(maxsize=2)
        def epoch_shares(epoch: int) -> list[Segments]:
            read = segments.repeated(corpus.weights, seed, epoch)
            shuffled = read[np.random.default_rng((seed, epoch)).permutation(len(read))]
            # With fewer tokens than lanes some shares are empty: those lanes read everything.
            return [share or shuffled for share in shuffled.shares(batch_size)]

        def share(number: int, epoch: int) -> Segments:
            return epoch_shares(epoch)[number]

        own = own_lanes(batch_size, rank, ranks)
        self._lanes: dict[int, Lane] = {}
        for number, at in _places(place, own, batch_size).items():
            lane = self._lanes[number] = Lane(corpus, partial(share, number), seed, at)
            if not lane.place[1] < lane.segments:
                raise RunError(
                    f"the saved place of lane {number} is segment {lane.place[1]} of "
                    f"{lane.segments}; it belongs to another corpus, batch or seed: train a new run"
                )

    def place(self) -> dict[str, list[int]]:
        """Return the `Place` of each lane by number, as plain JSON."""
        return {str(number): [*lane.place] for number, lane in self._lanes.items()}

    def read(self, window: int) -> Batch:
        """Return the next window of `window` steps."""
        parts = []
        for number, lane in self._lanes.items():
            passed = 0
            if self._framing.targets == "last":
                # The place seeds the draw, so the place alone restores the stream.
                rng = np.random.default_rng((self._seed, number, *lane.place))
                passed = int(rng.integers(window))
            parts.append(_read_window(lane, window, self._framing, passed))
        return _stacked(self._corpus, parts, window, self._framing)

    def __iter__(self) -> TrainingStream:
        return self

    def __next__(self) -> Batch:
        return self.read(self.window)


def held_out_stream(
    corpus: Corpus, held_out: Split | Segments, lanes: int, window: int, framing: Framing = CARRIED
) -> Iterator[Batch]:
    """Yield windows over a split or some segments once, in order and without augmentation."""
    segments = held_out if isinstance(held_out, Segments) else corpus.segments(held_out)
    once: list[list[Sequence[Segment]]]
    once = [[share, ()] for share in segments.shares(lanes)]
    rows = [Lane(corpus, epochs.__getitem__) for epochs in once]
    while True:
        parts = [_read_window(lane, window, framing) for lane in rows]
        if not any(len(part.inputs) for part in parts):
            return
        yield _stacked(corpus, parts, window, framing)


def own_lanes(lanes: int, rank: int, ranks: int) -> range:
    """Return the numbers of a rank's lanes: as equal parts as possible, in order of rank."""
    return range(rank * lanes // ranks, (rank + 1) * lanes // ranks)


def _places(place: Mapping[str, Sequence[int]] | None, own: range, lanes: int) -> dict[int, Place]:
    """Return the places of a rank's own lanes."""
    if place is None:
        return dict.fromkeys(own, (0, 0, 0))
    if place.keys() not in ({*map(str, own)}, {*map(str, range(lanes))}):
        raise RunError(
            f"the saved place has lanes {', '.join(place)}, expected {own[0]} to {own[-1]}; "
            f"resume with the same `batch_size`"
        )
    found = {}
    for number in own:
        epoch, segment, step = place[str(number)]
        found[number] = (epoch, segment, step)
    return found


def _read_window(lane: Lane, window: int, framing: Framing, passed: int = 0) -> Steps:
    """Return a lane's next window, shorter at its end, after skipping `passed` targets."""
    if framing.targets == "all":
        return lane.read(window)
    steps = lane.read_targets(passed + window)
    return steps.cut(max(len(steps.inputs) - window, 0), len(steps.inputs))


def _stacked(corpus: Corpus, parts: list[Steps], window: int, framing: Framing) -> Batch:
    """Pad the windows of all lanes with END, stack them to (B, T) and frame them."""
    filled = []
    for steps in parts:
        if missing := window - len(steps.inputs):
            ends = forgetting(corpus, missing)
            # The last target must stay last; END in front of it changes nothing.
            steps = joined([ends, steps] if framing.targets == "last" else [steps, ends])
        filled.append(steps)
    columns = (np.stack(column) for column in zip(*filled, strict=True))
    return framing.frame(Steps(*columns), corpus)
