"""THE ENGINE: stepper, sampler and tracker write new pieces, many at once.

A piece's draws come from a counter-based generator keyed by (seed, index), so piece i is the
same whatever is generated beside it. Next: the codec's ``decode`` and the domain's ``write``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.config import LimitConfig, SampleConfig
from seqgen.errors import DataError
from seqgen.plugin import Codec, Piece, Tracker
from seqgen.run import Run
from seqgen.sampling import choose
from seqgen.stepper import Stepper, TorchStepper
from seqgen.vocab import Vocab

Ids: TypeAlias = NDArray[np.int64]

#: Called with the number of pieces ended and of tokens drawn so far.
Progress: TypeAlias = Callable[[int, int], None]

#: Pieces that are generated side by side.
BATCH = 32

#: Longest piece that the default limit allows.
LONGEST = 4096


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
    stepper = TorchStepper(run.model)
    ids = np.zeros(0, np.int64) if prompt is None else run.codec.encode(prompt)
    length = limit.length or len(ids) + min(2 * run.longest, LONGEST)
    deadline = time.monotonic() + limit.seconds if limit.seconds else None
    primed = _prime(stepper, run.codec, run.vocab, ids)
    drawn = 0
    for first in range(0, count, batch):
        lanes = [
            _Lane(index, ids, _tracker(run.codec, ids, condition), seed)
            for index in range(first, min(first + batch, count))
        ]
        for active in _write(
            stepper, run.codec, run.vocab, primed, lanes, sample, length, deadline
        ):
            drawn += active
            if progress is not None:
                progress(first + len(lanes) - active, drawn)
        for lane in lanes:
            tokens = np.array(lane.ids, np.int64)
            piece = run.codec.decode(tokens)
            stopped_by = lane.stopped_by or "time"
            yield Generated(lane.index, tokens, piece, stopped_by, lane.log_probability)


class _Lane:
    """One piece in the making."""

    def __init__(self, index: int, prompt: Ids, tracker: Tracker | None, seed: int) -> None:
        self.index = index
        self.ids = prompt.tolist()
        self.tracker = tracker
        self.random = np.random.Generator(np.random.Philox(key=[seed, index]))
        self.log_probability = 0.0
        self.stopped_by: Literal["end", "length"] | None = None


@dataclass(frozen=True)
class _Primed:
    """The model after START and the prompt: what every piece sets out from."""

    logits: NDArray[np.float32] = field(repr=False)
    state: Any = field(repr=False)


def _prime(stepper: Stepper, codec: Codec, vocab: Vocab, prompt: Ids) -> _Primed:
    """Read START and the prompt in one pass."""
    width = len(codec.feature_sizes)
    rows = codec.features(prompt) if width else np.zeros((len(prompt) + 1, 0), np.int64)
    ids = np.concatenate([[vocab.start], prompt]).astype(np.int64)
    return _Primed(*stepper.read(ids[None], rows[None], stepper.start(1)))


def _tracker(codec: Codec, prompt: Ids, condition: Any) -> Tracker | None:
    tracker = codec.tracker(condition)
    if tracker is None:
        if codec.feature_sizes:
            raise DataError(f"codec {type(codec).__name__} has features but no tracker")
        return None
    for token in prompt.tolist():
        tracker.push(token)
    return tracker


def _write(
    stepper: Stepper,
    codec: Codec,
    vocab: Vocab,
    primed: _Primed,
    lanes: list[_Lane],
    sample: SampleConfig,
    length: int,
    deadline: float | None,
) -> Iterator[int]:
    """Draw tokens until every lane has ended, and yield at each step how many have not.

    Lanes that have ended leave the batch.
    """
    width = len(codec.feature_sizes)
    logits = np.repeat(primed.logits, len(lanes), axis=0)
    state = stepper.select(primed.state, np.zeros(len(lanes), np.int64))
    active = lanes
    while active and (deadline is None or time.monotonic() < deadline):
        draws = np.array([lane.random.random() for lane in active])
        ids, log_probabilities = choose(logits, draws, sample, _allowed(active, vocab, codec))
        for lane, token, log_probability in zip(
            active, ids.tolist(), log_probabilities.tolist(), strict=True
        ):
            _take(lane, token, log_probability, vocab, length)
        going = np.flatnonzero([lane.stopped_by is None for lane in active])
        if len(going) < len(active):
            active = [active[row] for row in going]
            ids, state = ids[going], stepper.select(state, going)
        if active:
            rows = np.array(
                [lane.tracker.features() if lane.tracker else () for lane in active], np.int64
            ).reshape(len(active), 1, width)
            logits, state = stepper.read(ids[:, None], rows, state)
            yield len(active)


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


def _allowed(lanes: list[_Lane], vocab: Vocab, codec: Codec) -> NDArray[np.bool_] | None:
    """Return what each lane's tracker lets come next ``(B, V')``: a forced token is alone."""
    if lanes[0].tracker is None:
        return None
    masks = np.ones((len(lanes), vocab.targets), bool)
    for row, lane in enumerate(lanes):
        assert lane.tracker is not None
        forced, mask = lane.tracker.forced(), lane.tracker.allowed()
        if forced is not None:
            masks[row] = np.arange(vocab.targets) == forced
        elif mask is not None:
            masks[row] = mask
    if not masks.any(axis=1).all():
        position = len(lanes[int(np.flatnonzero(~masks.any(axis=1))[0])].ids)
        raise DataError(
            f"the tracker of codec {type(codec).__name__} allows no token at position {position}; "
            f"this is a fault of the plugin"
        )
    return masks
