"""THE ENGINE: stepper, sampler and tracker write new pieces, many at once.

A piece's draws come from a counter-based generator keyed by (seed, index), so piece i is the
same whatever is generated beside it. Next: the codec's ``decode`` and the domain's ``write``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.config import LimitConfig, SampleConfig
from seqgen.errors import ConfigError, DataError
from seqgen.plugin import Codec, Ids, Piece, Tracker
from seqgen.run import Run
from seqgen.sampling import choose
from seqgen.stepper import Stepper, TorchStepper
from seqgen.vocab import Vocab

#: Called with the number of pieces ended and of tokens drawn so far, END included.
Progress: TypeAlias = Callable[[int, int], None]

#: Pieces that are generated side by side.
BATCH = 32

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
    piece : object
        What the codec makes of them.
    stopped_by : {"end", "length", "time"}
        "end" if the model closed the piece itself.
    log_probability : float
        Sum over the tokens drawn, and END, in nats.
    """

    index: int
    ids: Ids
    piece: Piece
    stopped_by: Literal["end", "length", "time"]
    log_probability: float


def generate(
    run: Run,
    count: int = 1,
    *,
    prompt: Piece | None = None,
    condition: Any = None,
    sample: SampleConfig | None = None,
    limit: LimitConfig | None = None,
    seed: int = 0,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> Iterator[Generated]:
    """Write new pieces.

    Parameters
    ----------
    run : Run
        A trained model with its codec.
    count : int
        How many pieces.
    prompt : piece, optional
        What every piece begins with.
    condition : object, optional
        Handed to the codec's tracker.
    sample : SampleConfig, optional
        How tokens are drawn.
    limit : LimitConfig, optional
        When to stop a piece that does not end.
    seed : int
        With the index it fixes each piece.
    batch : int
        Pieces generated side by side; does not change them.
    progress : callable, optional
        Told after every step how far it is.

    Yields
    ------
    Generated
        In the order of their indices, as soon as a batch is done.

    Raises
    ------
    DataError
        If the prompt cannot be encoded, or the codec's tracker allows no token.
    """
    sample, limit = sample or SampleConfig(), limit or LimitConfig()
    if count < 1 or batch < 1 or seed < 0:
        raise ConfigError(
            f"count and batch must be at least 1, seed at least 0, found {count}, {batch}, {seed}"
        )
    ids = np.zeros(0, np.int64) if prompt is None else run.codec.encode(prompt)
    length = limit.length or len(ids) + min(2 * run.longest, LONGEST_PIECE)
    if length <= len(ids):
        raise DataError(
            f"the prompt has {len(ids)} tokens, and the limit is {length}; raise the limit"
        )
    deadline = time.monotonic() + limit.seconds if limit.seconds else math.inf
    stepper = TorchStepper(run.model)
    primed = _prime(stepper, run, ids, condition)
    drawn = 0
    for first in range(0, count, batch):
        if time.monotonic() >= deadline:
            return
        lanes = [
            _Lane(index, ids, _tracker(run.codec, ids, condition), seed)
            for index in range(first, min(first + batch, count))
        ]
        try:
            for step_drawn in _write(stepper, run, primed, lanes, sample, length, deadline):
                drawn += step_drawn
                if progress is not None:
                    ended = sum(lane.stopped_by is not None for lane in lanes)
                    progress(first + ended, drawn)
        except KeyboardInterrupt:
            # Pieces that have ended are handed over before the interrupt is.
            yield from (lane.generated(run.codec) for lane in lanes if lane.stopped_by)
            raise
        yield from (lane.generated(run.codec) for lane in lanes)


class _Lane:
    """One piece in the making."""

    def __init__(self, index: int, prompt: Ids, tracker: Tracker | None, seed: int) -> None:
        self.index = index
        self.ids = prompt.tolist()
        self.tracker = tracker
        self.random = np.random.Generator(np.random.Philox(key=[seed, index]))
        self.log_probability = 0.0
        self.stopped_by: Literal["end", "length"] | None = None

    def generated(self, codec: Codec) -> Generated:
        """Return the piece as it is; what has not stopped by itself was stopped by time."""
        ids = np.array(self.ids, np.int64)
        stopped_by = self.stopped_by or "time"
        return Generated(self.index, ids, codec.decode(ids), stopped_by, self.log_probability)


@dataclass(frozen=True)
class _Primed:
    """The model after START and the prompt: what every piece sets out from."""

    logits: NDArray[np.float32] = field(repr=False)
    state: Any = field(repr=False)


def _prime(stepper: Stepper, run: Run, prompt: Ids, condition: Any) -> _Primed:
    """Read START and the prompt in one pass, with the features that a tracker gives on the way."""
    tracker = _tracker(run.codec, prompt[:0], condition)
    rows = [_features(tracker)]
    for token in prompt.tolist():
        if tracker is not None:
            tracker.push(token)
        rows.append(_features(tracker))
    ids = np.concatenate([[run.vocab.start], prompt]).astype(np.int64)
    features = np.array(rows, np.int64).reshape(1, len(ids), -1)
    return _Primed(*stepper.read(ids[None], features, stepper.start(1)))


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


def _write(
    stepper: Stepper,
    run: Run,
    primed: _Primed,
    lanes: list[_Lane],
    sample: SampleConfig,
    length: int,
    deadline: float,
) -> Iterator[int]:
    """Draw tokens until every lane has ended, and yield at each step how many were drawn.

    Lanes that have ended leave the batch.
    """
    logits = np.repeat(primed.logits, len(lanes), axis=0)
    state = stepper.select(primed.state, np.zeros(len(lanes), np.int64))
    active = lanes
    while active:
        draws = np.array([lane.random.random() for lane in active])
        ids, log_probabilities = choose(logits, draws, sample, _allowed(active, run))
        for lane, token, log_probability in zip(
            active, ids.tolist(), log_probabilities.tolist(), strict=True
        ):
            _take(lane, token, log_probability, run.vocab, length)
        yield len(active)
        going = np.flatnonzero([lane.stopped_by is None for lane in active])
        if len(going) < len(active):
            active = [active[row] for row in going]
            ids, state = ids[going], stepper.select(state, going)
        if not active or time.monotonic() >= deadline:
            return
        rows = [_features(lane.tracker) for lane in active]
        features = np.array(rows, np.int64).reshape(len(active), 1, -1)
        logits, state = stepper.read(ids[:, None], features, state)


def _take(lane: _Lane, token: int, log_probability: float, vocab: Vocab, length: int) -> None:
    """Add the token to the piece, or end it."""
    lane.log_probability += log_probability
    if token == vocab.end:
        lane.stopped_by = "end"
        return
    lane.ids.append(token)
    if lane.tracker is not None:
        lane.tracker.push(token)
    if len(lane.ids) >= length:
        lane.stopped_by = "length"


def _allowed(lanes: list[_Lane], run: Run) -> NDArray[np.bool_] | None:
    """Return what each lane's tracker lets come next ``(B, V')``: a forced token is alone."""
    if lanes[0].tracker is None:
        return None
    masks = np.ones((len(lanes), run.vocab.targets), bool)
    for mask, lane in zip(masks, lanes, strict=True):
        assert lane.tracker is not None
        forced, allowed = lane.tracker.forced(), lane.tracker.allowed()
        if forced is not None:
            mask[:] = np.arange(run.vocab.targets) == forced
        elif allowed is not None:
            mask[:] = allowed
        if not mask.any():
            raise DataError(
                f"the tracker of codec {type(run.codec).__name__} allows no token at position "
                f"{len(lane.ids)}; this is a fault of {run.info['distribution']}"
            )
    return masks
