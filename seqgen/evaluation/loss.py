"""The loss of held-out spans, read side by side with carried state: the one way to measure it.

Training, calibration and `seqgen score` all read through `read`, so that a model has one loss on
a text, whatever is read beside it. Comes from: `seqgen.data.spans`. Next: `seqgen.training.loop`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from seqgen.data.batches import CARRIED, IGNORE, Batch, Framing, held_out_stream
from seqgen.data.corpus import Corpus
from seqgen.data.lanes import Steps
from seqgen.data.spans import EVALUATED, Span, evaluated, spans_of
from seqgen.model import SequenceLSTM

#: Spans that are read side by side, and most steps of each in one call.
LANES, WINDOW = 32, 256

#: Most logits that are in memory at once.
LOGITS = 2**22


class Predicted(NamedTuple):
    """Some targets of a group of spans, and the logits that the model predicted them with.

    Attributes
    ----------
    lanes : int64 array (N,)
        Which span of the group each target belongs to; a span's targets come in order.
    targets : int64 Tensor (N,)
    logits : Tensor (N, V')
    """

    lanes: NDArray[np.int64]
    targets: Tensor
    logits: Tensor

    @property
    def nats(self) -> Tensor:
        """The cost of each target ``(N,)`` in nats; double precision, for they are added up."""
        return F.cross_entropy(self.logits, self.targets, reduction="none").double()


def read(model: SequenceLSTM, group: list[Span]) -> Iterator[Predicted]:
    """Predict the targets of spans that are read side by side; every span begins with state 0.

    A span that has ended leaves the batch. Steps that do not count cost no logits.
    """
    lanes, state = np.arange(len(group)), model.start_state(len(group))
    device = state[0].device
    for low in itertools.count(0, WINDOW):
        going = np.array([len(group[lane]) > low for lane in lanes])
        if not going.all():
            lanes, rows = lanes[going], torch.from_numpy(np.flatnonzero(going)).to(device)
            state = (state[0][:, rows], state[1][:, rows])
        if not len(lanes):
            return
        window = _side_by_side(model, [group[lane].cut(low, low + WINDOW) for lane in lanes])
        inputs, targets, features = (torch.from_numpy(part).to(device) for part in window)
        top, state = model.read(inputs, features, state)  # (T, B, W)
        counted = targets != IGNORE  # (B, T)
        top, targets = top.transpose(0, 1)[counted], targets[counted]  # (N, W), (N,)
        owners = np.repeat(lanes, counted.sum(1).cpu().numpy())  # (N,)
        step = max(LOGITS // model.targets, 1)
        for first in range(0, len(owners), step):
            part = slice(first, first + step)
            yield Predicted(owners[part], targets[part], model.predict(top[part]))


def _side_by_side(model: SequenceLSTM, rows: list[Steps]) -> Steps:
    """Return steps of B lanes as one array each; shorter ones are filled up at their end."""
    longest = max(len(row.inputs) for row in rows)
    inputs = np.zeros((len(rows), longest), np.int64)
    targets = np.full((len(rows), longest), IGNORE)
    features = np.zeros((len(rows), longest, len(model.features)), np.int64)
    for number, row in enumerate(rows):
        count = len(row.inputs)
        inputs[number, :count], targets[number, :count] = row.inputs, row.targets
        features[number, :count] = row.features
    return Steps(inputs, targets, features)


def grouped(spans: Iterable[Span], most: float = math.inf) -> Iterator[list[Span]]:
    """Yield groups of at most `LANES` spans, with at most `most` steps if they are several."""
    group: list[Span] = []
    for span in spans:
        if group and sum(map(len, group)) + len(span) > most:
            yield group
            group = []
        group.append(span)
        if len(group) == LANES:
            yield group
            group = []
    if group:
        yield group


def predictions(model: SequenceLSTM, corpus: Corpus, most: int = EVALUATED) -> Iterator[Predicted]:
    """Predict what an evaluation of a corpus reads (`seqgen.data.spans.evaluated`)."""
    for group in grouped(spans_of(corpus, evaluated(corpus, most))):
        yield from read(model, group)


@torch.no_grad()
def evaluate(
    model: SequenceLSTM,
    corpus: Corpus,
    most: int = EVALUATED,
    window: int = 0,
    framing: Framing = CARRIED,
) -> float:
    """Return the loss on the validation split, nats per token; END is a token.

    Parameters
    ----------
    model : SequenceLSTM
    corpus : Corpus
        If its validation split is empty, as with a few tokens, training pieces are read.
    most : int
        Tokens to read; of a larger split a sample is read.
    window : int
        Steps of a window, for framings that do not carry the state.
    framing : Framing
    """
    was_training = model.training
    model.eval()
    total, counted = 0.0, 0
    for costs in (
        (predicted.nats for predicted in predictions(model, corpus, most))
        if framing == CARRIED
        else _framed_nats(model, corpus, most, window, framing)
    ):
        total += costs.sum().item()
        counted += len(costs)
    model.train(was_training)
    return total / counted


def _framed_nats(
    model: SequenceLSTM, corpus: Corpus, most: int, window: int, framing: Framing
) -> Iterator[Tensor]:
    """Yield the costs ``(N,)`` in nats of windows that begin with state 0."""
    # One lane: where windows begin does not depend on how many are read side by side.
    windows = held_out_stream(corpus, evaluated(corpus, most), 1, window, framing)
    count = max(LOGITS // (window * model.targets), 1)
    device = next(model.parameters()).device
    while group := list(itertools.islice(windows, count)):
        inputs, targets, features = (
            torch.from_numpy(np.concatenate(parts)).to(device) for parts in _columns(group)
        )
        logits, _ = model(inputs, features)
        counted = targets != IGNORE
        yield F.cross_entropy(logits[counted], targets[counted], reduction="none").double()


def _columns(group: list[Batch]) -> Iterator[list[NDArray[np.int64]]]:
    for name in ("inputs", "targets", "features"):
        yield [getattr(batch, name) for batch in group]
