"""THE LOOP: truncated backpropagation through time over streams whose state is carried.

`train` is a generator: it yields a `Report` whenever there is something to say, and the caller
prints, saves and stops. Comes from: `seqgen.batches`. Next: `seqgen.run`, which keeps the result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import joblib
import torch
from torch import Tensor
from torch.nn import functional as F

from seqgen.batches import (
    CARRIED,
    FRAMINGS,
    IGNORE,
    Batch,
    Framing,
    TrainingStream,
    held_out_stream,
)
from seqgen.config import TrainConfig
from seqgen.corpus import Corpus, Split
from seqgen.errors import SeqgenError
from seqgen.model import SequenceLSTM, State

#: Share of the budget over which the step size rises.
WARM_UP = 0.02

#: Most tokens of an evaluation.
EVALUATED = 2**17

#: Seconds between two reports that are not evaluations.
REPORT_EVERY = 1.0


@dataclass(frozen=True)
class Report:
    """How training stands.

    Attributes
    ----------
    fraction : float
        Share of the budget that is spent, 0 to 1.
    step, tokens : int
        Updates made and targets learned from.
    seconds : float
        Since the start, evaluation included.
    loss : float
        Mean training loss since the last report, nats per token.
    step_size : float
        Of the last update.
    valid_loss : float or None
        Validation loss under the framing that is trained, if this is an evaluation.
    carried_loss : float or None
        Validation loss with the state carried on, as in generating, if this is an evaluation.
    improved : bool
        Whether it is the best so far: the moment to save the model.
    interrupted : bool
        Whether the user ended training before the budget was spent.
    """

    fraction: float
    step: int
    tokens: int
    seconds: float
    loss: float
    step_size: float
    valid_loss: float | None = None
    carried_loss: float | None = None
    improved: bool = False
    interrupted: bool = False


def train(model: SequenceLSTM, corpus: Corpus, config: TrainConfig) -> Iterator[Report]:
    """Train a model on a corpus until the budget is spent, and report on the way.

    Ctrl-C ends the budget early: the model is evaluated and reported once more, so that the
    caller can save it.

    Parameters
    ----------
    model : SequenceLSTM
        Trained in place, on the device where it is.
    corpus : Corpus
        Its training and validation splits are read.
    config : TrainConfig

    Yields
    ------
    Report
        About once a second, and at every evaluation; the last one is an evaluation.

    Raises
    ------
    SeqgenError
        If the loss is no longer a number.
    """
    began = time.monotonic()
    framing = FRAMINGS[config.framing]
    stream = TrainingStream(corpus, config.batch, config.window, config.seed, framing)
    batch = next(stream)
    choose_threads(model, config, batch)
    torch.manual_seed(config.seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), config.step_size, betas=(0.9, 0.99), weight_decay=config.weight_decay
    )
    state = model.start_state(config.batch)
    fraction, interrupted = 0.0, False
    step = tokens = 0
    best, next_evaluation = math.inf, 1 / config.evaluations
    # Since the last report: its time, and the cost of how many tokens.
    reported_at, reported_tokens, nats_since = 0.0, 0, torch.zeros((), device=state[0].device)
    while fraction < 1 and not interrupted:
        try:
            optimizer.param_groups[0]["lr"] = step_size(fraction, config.step_size)
            nats, state = update(model, optimizer, batch, state, config.clip)
            step, tokens, nats_since = step + 1, tokens + batch.counted, nats_since + nats
            batch = next(stream)
        except KeyboardInterrupt:
            interrupted = True
        fraction = spent(config, corpus, tokens, time.monotonic() - began)

        evaluating = interrupted or fraction >= min(next_evaluation, 1)
        if not evaluating and time.monotonic() - began - reported_at < REPORT_EVERY:
            continue
        loss = _finite(nats_since.item() / max(tokens - reported_tokens, 1), step, config)
        valid_loss = carried_loss = None
        if evaluating:
            (valid_loss, carried_loss), impatient = _losses_through_interrupt(model, corpus, config)
            valid_loss = _finite(valid_loss, step, config)
            interrupted |= impatient
            # Evaluating takes time as well: the next one is due by what is left.
            fraction = spent(config, corpus, tokens, time.monotonic() - began)
            next_evaluation = (math.floor(fraction * config.evaluations) + 1) / config.evaluations
        yield Report(
            fraction=min(fraction, 1.0),
            step=step,
            tokens=tokens,
            seconds=time.monotonic() - began,
            loss=loss,
            step_size=optimizer.param_groups[0]["lr"],
            valid_loss=valid_loss,
            carried_loss=carried_loss,
            improved=valid_loss is not None and valid_loss < best,
            interrupted=interrupted,
        )
        model.train()  # the caller may have generated something, which ends training mode
        best = min(best, best if valid_loss is None else valid_loss)
        reported_at, reported_tokens = time.monotonic() - began, tokens
        nats_since.zero_()


def update(
    model: SequenceLSTM,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    state: State,
    clip: float,
) -> tuple[Tensor, State]:
    """Learn from one window; return what its targets cost in nats, and the state after it."""
    nats, state = batch_nats(model, batch, state)
    optimizer.zero_grad()
    (nats / max(batch.counted, 1)).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return nats.detach(), state


def batch_nats(model: SequenceLSTM, batch: Batch, state: State) -> tuple[Tensor, State]:
    """Return the nats that a window's targets cost in all, and the state after it, detached.

    The state before counts only where the batch carries it on.
    """
    device = state[0].device
    before = state if batch.carried else None
    features = torch.from_numpy(batch.features).to(device)
    inputs = torch.from_numpy(batch.inputs).to(device)
    logits, (h, c) = model(inputs, features, before)  # (B, T, V')
    targets = torch.from_numpy(batch.targets).to(device).flatten()
    nats = F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=IGNORE, reduction="sum")
    return nats, (h.detach(), c.detach())


@torch.no_grad()
def evaluate(
    model: SequenceLSTM,
    corpus: Corpus,
    lanes: int,
    window: int = 256,
    framing: Framing = CARRIED,
) -> float:
    """Return the loss of the validation split, nats per token, read as `lanes` streams.

    Of a large split the beginning of each stream is read, `EVALUATED` tokens in all. Where the
    split is empty, as with a corpus of a few tokens, the training split stands in.
    """
    was_training = model.training
    model.eval()
    state = model.start_state(lanes)
    total, counted = 0.0, 0
    split: Split = "valid" if corpus.size("valid") else "train"
    windows = max(EVALUATED // (lanes * window), 1)
    for batch in islice(held_out_stream(corpus, split, lanes, window, framing), windows):
        nats, state = batch_nats(model, batch, state)
        total += nats.item()
        counted += batch.counted
    model.train(was_training)
    return total / counted


def _losses(model: SequenceLSTM, corpus: Corpus, config: TrainConfig) -> tuple[float, float]:
    """Return the loss of the validation split under the run's framing, and with carried state."""
    carried = evaluate(model, corpus, config.batch)
    framing = FRAMINGS[config.framing]
    if framing == CARRIED:
        return carried, carried
    return evaluate(model, corpus, config.batch, config.window, framing), carried


def _losses_through_interrupt(
    model: SequenceLSTM, corpus: Corpus, config: TrainConfig
) -> tuple[tuple[float, float], bool]:
    """Evaluate, once more if Ctrl-C comes in between; return the losses and whether it did."""
    try:
        return _losses(model, corpus, config), False
    except KeyboardInterrupt:
        return _losses(model, corpus, config), True


def _finite(loss: float, step: int, config: TrainConfig) -> float:
    """Return the loss, if it is a number."""
    if not math.isfinite(loss):
        raise SeqgenError(
            f"the loss became {loss} at step {step}; "
            f"try again with a smaller step size than {config.step_size} (--step-size)"
        )
    return loss


def spent(config: TrainConfig, corpus: Corpus, tokens: int, seconds: float) -> float:
    """Return the share of the budget that is spent."""
    if config.seconds:
        return seconds / config.seconds
    return tokens / (config.tokens or config.epochs * corpus.size("train"))


def step_size(fraction: float, peak: float) -> float:
    """Return the step size after a share of the budget: up in a line, then down in a line to 0."""
    if fraction < WARM_UP:
        return peak * max(fraction, 1e-3) / WARM_UP
    return peak * max(1 - fraction, 0.0) / (1 - WARM_UP)


def choose_threads(model: SequenceLSTM, config: TrainConfig, batch: Batch) -> None:
    """Set the number of processor threads.

    Two threads on two busy cores can be many times slower than one, for they wait for each
    other at every step; so with a budget of time the counts are tried out, for half a second
    each. Otherwise it is one thread unless set, which gives the same result every time.
    """
    state = model.start_state(config.batch)
    if config.threads or not config.seconds or state[0].device.type != "cpu":
        torch.set_num_threads(config.threads or 1)
        return
    cores = joblib.cpu_count()
    counts = sorted({1, *(2**power for power in range(1, 8) if 2**power < cores), cores})
    seconds = {}
    for count in counts:
        torch.set_num_threads(count)
        batch_nats(model, batch, state)
        began, rounds = time.perf_counter(), 0
        while rounds < 2 or time.perf_counter() - began < 0.5:
            batch_nats(model, batch, state)[0].backward()  # type: ignore[no-untyped-call]
            rounds += 1
        seconds[count] = (time.perf_counter() - began) / rounds
    torch.set_num_threads(min(counts, key=seconds.__getitem__))
