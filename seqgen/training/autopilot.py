"""Choose the settings that the user leaves open: for the corpus, the budget and this machine.

There are few rules, and each was measured (docs/training.md): the widest network that the budget
can feed, dropout by the number of epochs, learning rate by width and number of updates. Comes from:
`seqgen.training.creation.create_run`, which keeps the choice. Next: `seqgen.training.trials`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import numpy as np

from seqgen.config import ModelConfig, TrainConfig
from seqgen.data.batches import FRAMINGS
from seqgen.data.corpus import Corpus
from seqgen.data.spans import EVALUATED, evaluated_split
from seqgen.network.model import choose_device
from seqgen.plugin import Codec
from seqgen.training.calibration import SHARPNESS
from seqgen.training.contexts import context_weights, with_contexts
from seqgen.training.defaults import drawing
from seqgen.training.outputs import with_output
from seqgen.training.precision import with_precision
from seqgen.training.trials import Trial, memory, try_network

#: Widths to choose from.
WIDTHS = (64, 96, 128, 192, 256, 384, 512, 768, 1024)

#: Default batch size and window.
BATCH, WINDOW = 16, 64

#: Number of batch sizes to try on a GPU, where a larger batch takes hardly more time.
BATCH_TRIALS = 5

#: Least gain in speed from doubling the batch: a larger batch learns less from each token.
WORTHWHILE = 1.3

#: Tokens to read for each weight, so that a wider network is worth its cost.
TOKENS_PER_WEIGHT = 7

#: Largest dropout in the course of a training, where none is set.
MOST_DROPOUT = 0.6

#: Largest number of weights, divided by the square root of the corpus's tokens: a larger network
#: would overfit.
WEIGHTS_BORNE = 2_700

#: Epochs after which a network would overfit, for a corpus whose codec does not augment it.
EPOCHS = 16

#: Number of pieces that are augmented to count the versions of a token, and how often each is.
VARIED, VARIATIONS = 8, 8

#: How much weight decay alone would shrink the weights over a training, as an exponent of e: for
#: each epoch, and at most.
SHRINKING, MOST_SHRINKING = 1 / 8, 1.3

#: Most logits of a training window: with a large vocabulary a batch has fewer tokens.
LOGITS = 2**25

#: Largest shares of a time budget: for the evaluations, and for the loss of the finished model.
EVALUATION_SHARE, RESULT_SHARE = 0.1, 0.05

#: Fewest tokens of an evaluation; a slow network gets fewer evaluations instead.
FEWEST_EVALUATED = 1024

#: Most validation tokens on which a finished model is measured.
MOST_MEASURED = 2**22

#: Operations for each logit and each temperature that calibration tries.
PER_LOGIT = 10

#: How many times faster evaluation is than training, at least; measured for many shapes.
EVALUATION_SPEED = 2.0


@dataclass(frozen=True)
class Forecast:
    """What a training will take, estimated before it begins.

    Attributes
    ----------
    weights : int
    tokens : float
        Tokens to read.
    epochs : float
    megabytes : float
        Memory for weights, gradients, optimizer and one window, beyond PyTorch's own.
    measured : int
        Validation tokens on which the finished model and the baseline are measured.
    ending : float
        Seconds of the budget reserved for calibrating and measuring the finished model.
    """

    weights: int
    tokens: float
    epochs: float
    megabytes: float
    measured: int
    ending: float


@dataclass(frozen=True)
class Plan:
    """Settings with nothing left open, the reasons, a forecast, and the seconds that planning took.

    Attributes
    ----------
    model : ModelConfig
    train : TrainConfig
    reasons : tuple of str
        One for each choice, such as ``learning rate 0.006: by the width``.
    forecast : Forecast
    seconds : float
    """

    model: ModelConfig
    train: TrainConfig
    reasons: tuple[str, ...]
    forecast: Forecast
    seconds: float = field(default=0.0, compare=False)


def plan(corpus: Corpus, model: ModelConfig, train: TrainConfig) -> Plan:
    """Choose the settings that are left open; those that are set stay.

    With a time budget the choice depends on the speed of this machine at this moment. With a
    budget in epochs or tokens the same settings always give the same choice.

    Parameters
    ----------
    corpus : Corpus
    model : ModelConfig
    train : TrainConfig

    Returns
    -------
    Plan
    """
    reasons: list[str] = []
    began = time.monotonic()
    corpus.verify()  # reads the whole corpus, so that no trial has to wait for the disk
    # The default of 3 minutes stays in force beside the epochs that are chosen below.
    train = replace(train, minutes=train.seconds / 60)
    model = with_output(corpus, model, reasons)
    train = with_precision(model, train, reasons)
    size, most = corpus.size("train"), _most_epochs(corpus)
    batch_is_open = not train.batch_size
    train = _batch_and_window(corpus, model, train, reasons)
    if batch_is_open and train.seconds and _is_on_gpu(train):
        train = _larger_batch(corpus, model, train, most * size, reasons)
    trial = _widest(corpus, model, train, reasons)
    model = replace(model, hidden=trial.hidden)
    epochs = trial.tokens / size
    if train.seconds and not (train.epochs or train.tokens) and epochs > most:
        epochs, train = most, replace(train, epochs=most)
        reasons.append(f"epochs {most}: more would overfit the corpus")
    model, train = _dropouts(model, train, epochs, epochs * EPOCHS / most, reasons)
    before = context_weights(model)
    model = with_contexts(corpus, model, epochs * EPOCHS / most, reasons)
    trial = replace(trial, weights=trial.weights + context_weights(model) - before)
    train = _optimizer(train, trial.hidden, epochs, epochs * size, reasons)
    train = _threads(train, trial, reasons)
    train, measured, ending = _evaluations(corpus, model, train, trial, reasons)
    if train.seconds and corpus.codec.tracker() is None:
        read, adaptive = epochs * size, model.output == "adaptive"
        drawn = drawing(trial.weights, corpus.vocab.targets, read, adaptive=adaptive)
        ending += drawn / (EVALUATION_SPEED * max(trial.speeds.values()))
    forecast = Forecast(
        weights=trial.weights,
        tokens=epochs * size,
        epochs=epochs,
        megabytes=memory(train, trial) / 1e6,
        measured=measured,
        ending=ending,
    )
    return Plan(model, train, tuple(reasons), forecast, time.monotonic() - began)


def _batch_and_window(
    corpus: Corpus, model: ModelConfig, train: TrainConfig, reasons: list[str]
) -> TrainConfig:
    """Choose batch size and window; a small corpus or a large vocabulary gets a smaller batch."""
    window, size = train.window or WINDOW, corpus.size("train")
    if train.batch_size:
        return replace(train, window=window)
    most = max(size // (4 * window), 1)
    batch = min(BATCH, _power_of_two(most))
    if batch < BATCH:
        reasons.append(f"batch size {batch}: the corpus has only {size:,} tokens to train on")
    most = max(LOGITS // (window * corpus.vocab.targets), 1)
    if batch > most and model.output == "full":
        batch = _power_of_two(most)
        reasons.append(
            f"batch size {batch}: each token is predicted among {corpus.vocab.targets:,}"
        )
    return replace(train, window=window, batch_size=batch)


def _power_of_two(most: int) -> int:
    """Return the largest power of two up to a number."""
    return 1 << (most.bit_length() - 1)


def _larger_batch(
    corpus: Corpus, model: ModelConfig, train: TrainConfig, enough: int, reasons: list[str]
) -> TrainConfig:
    """Double the batch until a GPU reads `enough` tokens in time, or gains too little speed."""
    model = replace(model, hidden=model.hidden or WIDTHS[-1])
    tokens = try_network(corpus, model, train, trials=BATCH_TRIALS).tokens
    for _ in range(BATCH_TRIALS - 1):
        more = replace(train, batch_size=2 * train.batch_size)
        if tokens >= enough or more.batch_size > corpus.size("train") // (4 * train.window):
            break
        reached = try_network(corpus, model, more, trials=BATCH_TRIALS).tokens
        if reached < WORTHWHILE * tokens:
            break
        train, tokens = more, reached
    reasons.append(
        f"batch size {train.batch_size}: with it this GPU reads {tokens:,.0f} tokens in the time"
    )
    return train


def _widest(corpus: Corpus, model: ModelConfig, train: TrainConfig, reasons: list[str]) -> Trial:
    """Try networks of growing width; return the widest one that the budget can feed."""
    if model.hidden:
        return try_network(corpus, model, train, trials=1)
    smallest = replace(model, hidden=WIDTHS[0])
    best = try_network(corpus, smallest, train, len(WIDTHS))
    most = WEIGHTS_BORNE * math.sqrt(corpus.size("train"))
    limit = f"{TOKENS_PER_WEIGHT} are wanted"
    for hidden in WIDTHS[1:]:
        if best.tokens < TOKENS_PER_WEIGHT * best.busy:
            break  # even the smallest network is more than the budget can feed
        trial = try_network(corpus, replace(model, hidden=hidden), train, len(WIDTHS))
        if trial.tokens < TOKENS_PER_WEIGHT * trial.busy:
            break
        if trial.busy > most:
            limit = f"a wider one would overfit {corpus.size('train'):,} tokens"
            break
        best = trial
    each = best.tokens / best.busy
    which = "weights" if best.busy == best.weights else "weights without those of single tokens"
    reasons.append(
        f"hidden {best.hidden}: the budget allows {each:.1f} tokens for each of its "
        f"{best.busy:,} {which}; {limit}"
    )
    return best


def _is_on_gpu(train: TrainConfig) -> bool:
    return choose_device(train.device).type == "cuda"


def _most_epochs(corpus: Corpus) -> int:
    """Return the number of epochs after which a network would overfit."""
    return round(EPOCHS * _versions(corpus))


def _versions(corpus: Corpus) -> float:
    """Return the mean number of versions of a token among `VARIATIONS` augmentations of its piece.

    Only tokens that an augmentation changes have several. For example transposition changes
    pitches and not rhythms. Where an augmentation changes the length, all tokens count as changed.
    """
    if type(corpus.codec).augment is Codec.augment:
        return 1.0
    rng = np.random.default_rng(0)
    seen = total = 0
    for segment in corpus.segments("train")[:VARIED]:
        ids = np.asarray(corpus.piece(segment.piece), np.int64)  # (N,)
        varied = [corpus.codec.augment(ids, rng) for _ in range(VARIATIONS)]
        versions = len({variation.tobytes() for variation in varied})
        changed = len(ids)
        if len({len(variation) for variation in varied}) == 1:
            changed = int((np.array(varied) != varied[0]).any(axis=0).sum())
        seen += len(ids) + changed * (versions - 1)
        total += len(ids)
    return seen / total


def _dropouts(
    model: ModelConfig, train: TrainConfig, epochs: float, epochs_alike: float, reasons: list[str]
) -> tuple[ModelConfig, TrainConfig]:
    """Choose the dropout and its upper limit.

    `epochs_alike` is the number of epochs of a corpus without augmentation that overfits as much.
    """
    most = MOST_DROPOUT if model.dropout is None else model.dropout
    if model.dropout is None:
        model = replace(model, dropout=dropout_for(epochs_alike))
        reasons.append(f"dropout {model.dropout}: for {epochs:.1f} epochs")
    if train.most_dropout is None:
        train = replace(train, most_dropout=most)
    return model, train


def _optimizer(
    train: TrainConfig, hidden: int, epochs: float, tokens: float, reasons: list[str]
) -> TrainConfig:
    """Choose learning rate and weight decay."""
    targets = 1 if FRAMINGS[train.framing].targets == "last" else train.window
    steps = tokens / (train.batch_size * targets)
    if not train.learning_rate:
        train = replace(train, learning_rate=learning_rate_for(hidden, steps))
        reasons.append(f"learning rate {train.learning_rate}: by width and number of updates")
    if train.weight_decay is None:
        decay = weight_decay_for(epochs, train.learning_rate, steps)
        train = replace(train, weight_decay=decay)
        reasons.append(f"weight decay {decay}: for {epochs:.1f} epochs")
    return train


def _threads(train: TrainConfig, trial: Trial, reasons: list[str]) -> TrainConfig:
    """Choose the fastest number of threads; 1 if speeds were not measured."""
    if train.threads:
        return train
    if len(trial.speeds) > 1:
        speeds = ", ".join(f"{speed:,.0f} with {count}" for count, speed in trial.speeds.items())
        reasons.append(f"threads {trial.threads}: tokens per second are {speeds}")
    return replace(train, threads=trial.threads)


def _evaluations(
    corpus: Corpus, model: ModelConfig, train: TrainConfig, trial: Trial, reasons: list[str]
) -> tuple[TrainConfig, int, float]:
    """Choose the number of evaluations and their tokens, so that a time budget is kept.

    Returns
    -------
    train : TrainConfig
    measured : int
        Validation tokens on which the finished model is measured.
    ending : float
        Seconds to calibrate and measure it; 0 without a time budget.
    """
    split = corpus.segments(evaluated_split(corpus)).tokens
    if not train.seconds:
        wanted = train.evaluation_tokens or EVALUATED
        return replace(train, evaluation_tokens=wanted), min(split, MOST_MEASURED), 0.0
    speed = EVALUATION_SPEED * max(trial.speeds.values())
    # Calibration takes as long as this many evaluations.
    calibrations = _calibration_cost(model, corpus.vocab.targets)
    affordable = EVALUATION_SHARE * train.seconds * speed
    tokens = int(affordable / (train.evaluations + calibrations))
    if not train.evaluation_tokens:
        few = min(split, FEWEST_EVALUATED)
        if tokens < few:
            count = min(max(int(affordable / few - calibrations), 1), train.evaluations)
            tokens = max(min(few, int(affordable / (count + calibrations))), 1)
            train = replace(train, evaluations=count)
            reasons.append(f"evaluations {count}: more would take too much of the time")
        train = replace(train, evaluation_tokens=min(tokens, EVALUATED))
    measured = max(int(RESULT_SHARE * train.seconds * speed), train.evaluation_tokens)
    measured = min(measured, split, MOST_MEASURED)
    # The last evaluation comes after the time for learning is used up.
    evaluated = min(train.evaluation_tokens, split)
    return train, measured, ((1 + calibrations) * evaluated + measured) / speed


def _calibration_cost(model: ModelConfig, targets: int) -> float:
    """Return the cost of calibration in evaluations, by counting operations."""
    read = 8 * model.hidden * (model.hidden + (model.embedding or 0)) * model.layers
    predicted = model.hidden * targets
    return 1 + len(SHARPNESS) * PER_LOGIT * targets / (read + predicted)


def dropout_for(epochs: float) -> float:
    """Return the dropout for a number of epochs without augmentation."""
    steps = ((1.5, 0.0), (6, 0.1), (9, 0.2), (12, 0.3), (15, 0.4))
    return next((dropout for most, dropout in steps if epochs <= most), 0.5)


def learning_rate_for(hidden: int, steps: float) -> float:
    """Return the peak: a quarter less for each doubling of width above 256, or steps to 6,000."""
    width, length = max(hidden, 256) / 256, min(max(steps, 1_000), 6_000) / 6_000
    return round(6e-3 * math.pow(width * length, -0.4), 5)


def weight_decay_for(epochs: float, learning_rate: float, steps: float) -> float:
    """Return the weight decay for a number of epochs.

    AdamW shrinks the weights by learning rate times decay at every step. The mean learning rate is
    half the peak. What counts is the sum over the training (Wang and Aitchison 2024).

    Parameters
    ----------
    epochs : float
    learning_rate : float
        The peak.
    steps : float
        Number of updates.
    """
    shrinking = min(SHRINKING * epochs, MOST_SHRINKING)
    # At most 1, which a training of few steps would exceed.
    return float(f"{shrinking / max(learning_rate / 2 * steps, shrinking):.2g}")
