"""The loss: nats of targets, and the one way to measure it on held-out spans.

Training, calibration and `seqgen score` take their nats from `seqgen.evaluation.nats`. Evaluations
read spans side by side with carried state (`read`), so a model has one loss on a text, whatever the
batch.
Comes from: `seqgen.data.spans`. Next: `seqgen.training.loop`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgen.data.batches import CARRIED, IGNORE, Batch, Framing, held_out_stream
from seqgen.data.corpus import Corpus
from seqgen.data.lanes import Steps
from seqgen.data.spans import EVALUATED, Span, evaluated, spans_of
from seqgen.evaluation.nats import (
    Choice,
    choices,
    forgiving,
    nats_of,
    permitted,
    under_grammar,
)
from seqgen.grammar import unpacked
from seqgen.network.layers import State
from seqgen.network.model import Part, SequenceModel

#: Number of spans read side by side, and most steps of each in one call.
LANES, WINDOW = 32, 256

#: Most logits in memory at once.
LOGITS = 2**22


def batch_tops(
    model: SequenceModel, batch: Batch, state: State | None
) -> tuple[Tensor, Tensor, Tensor, State]:
    """Read a batch on the model's device; without a state, begin at the start.

    Returns
    -------
    top : Tensor (T, B, inputs of the output layer)
    targets : int64 Tensor (T, B)
    allowed : uint8 Tensor (T, B, W)
    state : State
        After the last step.
    """
    device = next(model.parameters()).device
    inputs, targets, features, allowed = (
        torch.from_numpy(array).to(device)
        for array in (batch.inputs, batch.targets, batch.features, batch.allowed)
    )
    top, state = model.read(inputs, features, state)
    return top, targets.transpose(0, 1), allowed.transpose(0, 1), state


def batch_choices(
    model: SequenceModel, batch: Batch, state: State | None
) -> tuple[list[Choice], State]:
    """Return the choices of a batch's targets, steps first, and the state after it."""
    *rows, after = batch_tops(model, batch, state)
    top, targets, allowed = (row.flatten(0, 1) for row in rows)  # (T B, ...)
    return choices(model, top, targets, allowed), after


def batch_nats(model: SequenceModel, batch: Batch, state: State) -> tuple[Tensor, State]:
    """Return the sum of the nats of a batch's targets, and the state after it, detached.

    `state` counts only if the batch carries it on.
    """
    found, after = batch_choices(model, batch, state if batch.carried else None)
    return nats_of(found, "sum"), tuple(part.detach() for part in after)


@dataclass(frozen=True)
class Predicted:
    """Some targets of a group of spans, with the outputs that predict them.

    Attributes
    ----------
    lanes : int64 array (N,)
        The span in the group of each target; the targets of a span come in order.
    targets : int64 Tensor (N,)
    allowed : uint8 Tensor (N, W)
        Packed masks; W is 0 without a grammar.
    top : Tensor (N, inputs of the output layer)
    model : SequenceModel
    output : sequence of Part, optional
        Its output layer in parts, which all targets of a group share: making them takes longer
        than to predict a few targets.
    """

    lanes: NDArray[np.int64]
    targets: Tensor
    allowed: Tensor
    top: Tensor
    model: SequenceModel
    output: Sequence[Part] = ()

    @cached_property
    def choices(self) -> list[Choice]:
        """The choices of which the targets consist."""
        return choices(self.model, self.top, self.targets, self.allowed, self.output)

    @property
    def nats(self) -> Tensor:
        """The nats of each target ``(N,)``, in double precision because they are added up."""
        return nats_of(self.choices).double()

    @property
    def permitted(self) -> Tensor:
        """Whether the grammar allows each target, as bool ``(N,)``."""
        return permitted(self.targets, self.allowed)

    def log_probabilities(self) -> Tensor:
        """Return those of all ids ``(N, V')``, in double precision; forbidden ids have -inf."""
        possible = None
        if self.allowed.shape[1]:
            rows = forgiving(self.targets, self.allowed).cpu().numpy()
            possible = torch.from_numpy(unpacked(rows, self.model.targets)).to(self.top.device)
        logits = self.model.predict(self.top, possible).double()
        return under_grammar(logits, self.targets, self.allowed).log_softmax(-1)

    def without_grammar(self) -> Predicted:
        """Return the same with every id allowed."""
        free = replace(self, allowed=self.allowed[:, :0])
        if self.model.clusters is None:
            # The same scores, computed once.
            [choice] = self.choices
            free.__dict__["choices"] = [choice._replace(allowed=free.allowed)]
        return free


def read(model: SequenceModel, group: list[Span]) -> Iterator[Predicted]:
    """Predict the targets of spans side by side; every span begins at the start.

    A span that has ended leaves the batch. No logits are computed for steps that do not count.
    """
    lanes, state = np.arange(len(group)), model.start_state(len(group))
    device = state[0].device
    output = () if model.clusters is None else model.split_output()
    for low in itertools.count(0, WINDOW):
        going = np.array([len(group[lane]) > low for lane in lanes])
        if not going.all():
            lanes, rows = lanes[going], torch.from_numpy(np.flatnonzero(going)).to(device)
            state = tuple(part[:, rows] for part in state)
        if not len(lanes):
            return
        window = _side_by_side(model, [group[lane].cut(low, low + WINDOW) for lane in lanes])
        inputs, targets, features, allowed = (torch.from_numpy(part).to(device) for part in window)
        top, state = model.read(inputs, features, state)  # (T, B, H)
        counted = targets != IGNORE  # (B, T)
        top = top.transpose(0, 1)[counted]  # (N, H)
        targets, allowed = targets[counted], allowed[counted]  # (N,), (N, W)
        owners = np.repeat(lanes, counted.sum(1).cpu().numpy())  # (N,)
        step = max(LOGITS // model.targets, 1)
        for first in range(0, len(owners), step):
            part = slice(first, first + step)
            yield Predicted(owners[part], targets[part], allowed[part], top[part], model, output)


def _side_by_side(model: SequenceModel, rows: list[Steps]) -> Steps:
    """Return the steps of B lanes as arrays (B, T), padded at the end."""
    longest = max(len(row.inputs) for row in rows)
    inputs = np.zeros((len(rows), longest), np.int64)
    targets = np.full((len(rows), longest), IGNORE)
    features = np.zeros((len(rows), longest, len(model.features)), np.int64)
    allowed = np.zeros((len(rows), longest, rows[0].allowed.shape[1]), np.uint8)
    for number, row in enumerate(rows):
        count = len(row.inputs)
        inputs[number, :count], targets[number, :count] = row.inputs, row.targets
        features[number, :count], allowed[number, :count] = row.features, row.allowed
    return Steps(inputs, targets, features, allowed)


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


def predictions(model: SequenceModel, corpus: Corpus, most: int = EVALUATED) -> Iterator[Predicted]:
    """Predict the spans that an evaluation reads (`seqgen.data.spans.evaluated`)."""
    for group in grouped(spans_of(corpus, evaluated(corpus, most))):
        yield from read(model, group)


@torch.no_grad()
def evaluate(
    model: SequenceModel,
    corpus: Corpus,
    most: int = EVALUATED,
    window: int = 0,
    framing: Framing = CARRIED,
    *,
    grammar: bool = True,
) -> float:
    """Return the loss on the validation split in nats per token; END is a token.

    Parameters
    ----------
    model : SequenceModel
    corpus : Corpus
        Training pieces are read if its validation split is empty, as in a tiny corpus.
    most : int
        Most tokens to read; of a larger split a sample is read.
    window : int
        Steps per window, for framings that do not carry the state.
    framing : Framing
    grammar : bool
        Whether losses count only the ids that the codec's masks allow.
    """
    was_training = model.training
    model.eval()
    total, counted = 0.0, 0
    for predicted in (
        predictions(model, corpus, most)
        if framing == CARRIED
        else _framed(model, corpus, most, window, framing)
    ):
        total += (predicted if grammar else predicted.without_grammar()).nats.sum().item()
        counted += len(predicted.targets)
    model.train(was_training)
    return total / counted


def _framed(
    model: SequenceModel, corpus: Corpus, most: int, window: int, framing: Framing
) -> Iterator[Predicted]:
    """Predict the targets of windows that begin with state 0; the windows are the lanes."""
    # One lane: where windows begin does not depend on how many are read side by side.
    windows = held_out_stream(corpus, evaluated(corpus, most), 1, window, framing)
    count = max(LOGITS // (window * model.targets), 1)
    while group := list(itertools.islice(windows, count)):
        batch = Batch(
            np.concatenate([each.inputs for each in group]),  # (B, T)
            np.concatenate([each.targets for each in group]),
            np.concatenate([each.features for each in group]),  # (B, T, K)
            np.concatenate([each.allowed for each in group]),  # (B, T, W)
        )
        rows = batch_tops(model, batch, None)[:3]
        top, targets, allowed = (row.transpose(0, 1) for row in rows)  # (B, T, ...)
        counted = targets != IGNORE  # (B, T)
        lanes = np.nonzero(batch.targets != IGNORE)[0]
        yield Predicted(lanes, targets[counted], allowed[counted], top[counted], model)
