"""What a user leaves open is chosen here: for the corpus, the budget and this machine.

The rules are few, and each was measured (docs/training.md): the largest network that the budget can
feed, dropout by how often it will read the corpus, learning rate by width. Speed is tried out for a
few seconds, on real windows. Next: `seqgen.training.creation.create_run`, which keeps the choice.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import joblib
import numpy as np
import torch

from seqgen.config import ModelConfig, TrainConfig
from seqgen.data.batches import FRAMINGS
from seqgen.data.corpus import Corpus
from seqgen.data.spans import EVALUATED, evaluated_split
from seqgen.model import SequenceLSTM, choose_device
from seqgen.plugin import Codec
from seqgen.training.calibration import SHARPNESS
from seqgen.training.defaults import SETTINGS, affordable
from seqgen.training.learner import Learner

#: Widths to choose from.
WIDTHS = (64, 96, 128, 192, 256, 384, 512, 768, 1024)

#: Lanes and steps.
BATCH, WINDOW = 16, 64

#: How many numbers of lanes are tried on a GPU, which reads many in little more time than few.
LANE_TRIALS = 5

#: What twice the lanes must gain in speed, for they learn less from each token.
WORTHWHILE = 1.3

#: Tokens that a network has to read for each of its weights to be worth its size.
TOKENS_PER_WEIGHT = 7

#: How far dropout may rise in the course of a training, where it is not set.
MOST_DROPOUT = 0.6

#: Weights that a corpus bears, times the root of its tokens: more would only learn it by heart.
WEIGHTS_BORNE = 2_700

#: Passes over a corpus after which it would only be learned by heart, for each of its versions.
EPOCHS = 16

#: Pieces of which it is found out in how many versions the codec shows them, out of how many.
VARIED, VARIATIONS = 8, 8

#: How far weight decay alone would shrink the weights over a training, as an exponent of e: for
#: each pass over the corpus, and at most.
SHRINKING, MOST_SHRINKING = 1 / 8, 1.3

#: Seconds to try out each width with each number of threads, and the most of the budget for all.
PROBE, PROBE_SHARE = 0.3, 0.02

#: Most logits of a training window: with a large vocabulary it has fewer tokens.
LOGITS = 2**25

#: Largest share of a budget of time for evaluations, and for the loss of the finished model.
EVALUATION_SHARE, RESULT_SHARE = 0.1, 0.05

#: Fewest tokens of an evaluation: with a slow network there are fewer evaluations instead.
FEWEST_EVALUATED = 1024

#: Most validation tokens on which a finished model is measured.
MOST_MEASURED = 2**22

#: Operations that one temperature costs for each logit when the best is looked for.
PER_LOGIT = 10

#: How much faster a network is evaluated than trained; at least, as measured for many shapes.
EVALUATION_SPEED = 2.0


@dataclass(frozen=True)
class Forecast:
    """What a training will take, as far as can be told before.

    Attributes
    ----------
    weights : int
    tokens : float
        That will be read.
    epochs : float
    megabytes : float
        Memory for weights, gradients, optimizer and one window, beyond PyTorch's own.
    measured : int
        Validation tokens on which the finished model and the baseline are measured.
    ending : float
        Seconds of the budget that are kept for what is measured of the finished model.
    """

    weights: int
    tokens: float
    epochs: float
    megabytes: float
    measured: int
    ending: float


@dataclass(frozen=True)
class Plan:
    """Settings with nothing left open, why they are so, what to expect, and seconds it took."""

    model: ModelConfig
    train: TrainConfig
    reasons: tuple[str, ...]
    forecast: Forecast
    seconds: float = field(default=0.0, compare=False)


def plan(corpus: Corpus, model: ModelConfig, train: TrainConfig) -> Plan:
    """Choose what is left open; what is set stays.

    With a budget of time the choice depends on the speed of this machine at this moment. With
    one of epochs or tokens the same settings always give the same choice.

    Parameters
    ----------
    corpus : Corpus
    model : ModelConfig
    train : TrainConfig
    """
    reasons: list[str] = []
    began = time.monotonic()
    # Speeds are of a corpus that is read already.
    corpus.verify()
    # What is chosen below may be a budget, too; the one of time stays beside it.
    train = replace(train, minutes=train.seconds / 60)
    size, most = corpus.size("train"), _most_epochs(corpus)
    lanes_are_open = not train.batch_size
    train = _cut(corpus, train, reasons)
    if lanes_are_open and train.seconds and _is_on_gpu(train):
        train = _more_lanes(corpus, model, train, most * size, reasons)
    trial = _widest(corpus, model, train, reasons)
    model = replace(model, hidden=trial.hidden)
    epochs = trial.tokens / size
    if train.seconds and not (train.epochs or train.tokens) and epochs > most:
        epochs, train = most, replace(train, epochs=most)
        reasons.append(f"epochs {most}: after that the corpus would only be learned by heart")
    most_dropout = MOST_DROPOUT if model.dropout is None else model.dropout
    if model.dropout is None:
        model = replace(model, dropout=dropout_for(epochs * EPOCHS / most))
        reasons.append(f"dropout {model.dropout}: the corpus is read {epochs:.1f} times")
    if train.most_dropout is None:
        train = replace(train, most_dropout=most_dropout)
    if not train.learning_rate:
        train = replace(train, learning_rate=step_size_for(trial.hidden))
        reasons.append(f"learning rate {train.learning_rate}: by the width")
    if train.weight_decay is None:
        targets = 1 if FRAMINGS[train.framing].targets == "last" else train.window
        steps = epochs * size / (train.batch_size * targets)
        decay = weight_decay_for(epochs, train.learning_rate, steps)
        train = replace(train, weight_decay=decay)
        reasons.append(f"weight decay {decay}: the corpus is read {epochs:.1f} times")
    if not train.threads:
        train = replace(train, threads=trial.threads)
        if len(trial.speeds) > 1:
            speeds = ", ".join(f"{speed:,.0f} with {n}" for n, speed in trial.speeds.items())
            reasons.append(f"threads {trial.threads}: tokens a second are {speeds}")
    train, measured, ending = _evaluations(corpus, model, train, trial, reasons)
    if train.seconds and corpus.codec.tracker() is None:
        drawn = SETTINGS * affordable(trial.weights, corpus.vocab.targets, epochs * size)
        ending += drawn / (EVALUATION_SPEED * max(trial.speeds.values()))
    forecast = Forecast(
        weights=trial.weights,
        tokens=epochs * size,
        epochs=epochs,
        megabytes=memory(model, train, trial.weights, corpus.vocab.targets) / 1e6,
        measured=measured,
        ending=ending,
    )
    return Plan(model, train, tuple(reasons), forecast, time.monotonic() - began)


def _cut(corpus: Corpus, train: TrainConfig, reasons: list[str]) -> TrainConfig:
    """Choose window and lanes: of a small corpus no more than it has windows for."""
    window, size = train.window or WINDOW, corpus.size("train")
    if train.batch_size:
        return replace(train, window=window)
    most = max(size // (4 * window), 1)
    batch = min(BATCH, 1 << (most.bit_length() - 1))
    if batch < BATCH:
        reasons.append(f"batch {batch}: the corpus has only {size:,} tokens to train on")
    most = max(LOGITS // (window * corpus.vocab.targets), 1)
    if batch > most:
        batch = 1 << (most.bit_length() - 1)
        reasons.append(f"batch {batch}: each token is predicted among {corpus.vocab.targets:,}")
    return replace(train, window=window, batch_size=batch)


def _evaluations(
    corpus: Corpus, model: ModelConfig, train: TrainConfig, trial: _Trial, reasons: list[str]
) -> tuple[TrainConfig, int, float]:
    """Choose how much an evaluation reads, so that a budget of time is kept.

    Returns
    -------
    train : TrainConfig
    measured : int
        Validation tokens on which the finished model is measured.
    ending : float
        Seconds for calibrating and measuring it; 0 without a budget of time.
    """
    split = corpus.segments(evaluated_split(corpus)).tokens
    if not train.seconds:
        wanted = train.evaluation_tokens or EVALUATED
        return replace(train, evaluation_tokens=wanted), min(split, MOST_MEASURED), 0.0
    speed = EVALUATION_SPEED * max(trial.speeds.values())
    # Calibrating takes as long as this many evaluations.
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
    # The last evaluation is made when the budget for learning is spent.
    evaluated = min(train.evaluation_tokens, split)
    return train, measured, ((1 + calibrations) * evaluated + measured) / speed


def _calibration_cost(model: ModelConfig, targets: int) -> float:
    """Return how many times as long as an evaluation calibrating takes, by its operations."""
    read = 8 * model.hidden * (model.hidden + (model.embedding or 0)) * model.layers
    predicted = model.hidden * targets
    return 1 + len(SHARPNESS) * PER_LOGIT * targets / (read + predicted)


def _more_lanes(
    corpus: Corpus, model: ModelConfig, train: TrainConfig, enough: int, reasons: list[str]
) -> TrainConfig:
    """Double the lanes until a GPU reads enough tokens in time, or gains too little by it."""
    model = replace(model, hidden=model.hidden or WIDTHS[-1])
    tokens = _try(corpus, model, train, trials=LANE_TRIALS).tokens
    for _ in range(LANE_TRIALS - 1):
        more = replace(train, batch_size=2 * train.batch_size)
        if tokens >= enough or more.batch_size > corpus.size("train") // (4 * train.window):
            break
        bought = _try(corpus, model, more, trials=LANE_TRIALS).tokens
        if bought < WORTHWHILE * tokens:
            break
        train, tokens = more, bought
    reasons.append(
        f"batch {train.batch_size}: with so many lanes this GPU reads {tokens:,.0f} tokens"
    )
    return train


def _widest(corpus: Corpus, model: ModelConfig, train: TrainConfig, reasons: list[str]) -> _Trial:
    """Try networks from the smallest on; return the last one that the budget can feed."""
    if model.hidden:
        return _try(corpus, model, train, trials=1)
    best = _try(corpus, replace(model, hidden=WIDTHS[0]), train, len(WIDTHS))
    most = WEIGHTS_BORNE * math.sqrt(corpus.size("train"))
    limit = f"{TOKENS_PER_WEIGHT} are wanted"
    for hidden in WIDTHS[1:]:
        if best.tokens < TOKENS_PER_WEIGHT * best.weights:
            break  # even the smallest is more than the budget can feed
        trial = _try(corpus, replace(model, hidden=hidden), train, len(WIDTHS))
        if trial.tokens < TOKENS_PER_WEIGHT * trial.weights:
            break
        if trial.weights > most:
            limit = f"with more it would only learn {corpus.size('train'):,} tokens by heart"
            break
        best = trial
    each = best.tokens / best.weights
    reasons.append(
        f"hidden {best.hidden}: the budget buys {each:.1f} tokens for each of its "
        f"{best.weights:,} weights; {limit}"
    )
    return best


def _is_on_gpu(train: TrainConfig) -> bool:
    return choose_device(train.device).type == "cuda"


def _most_epochs(corpus: Corpus) -> int:
    return round(EPOCHS * _versions(corpus))


def _versions(corpus: Corpus) -> float:
    """Return in how many versions a token is seen among some variations of its piece, in the mean.

    What always stays the same, such as a rhythm when music is transposed, is learned by heart as
    fast as ever. All may change where the number of tokens does.
    """
    if type(corpus.codec).augment is Codec.augment:
        return 1.0
    rng = np.random.default_rng(0)
    seen = total = 0
    for segment in corpus.segments("train")[:VARIED]:
        ids = np.asarray(corpus.piece(segment.piece), np.int64)
        varied = [corpus.codec.augment(ids, rng) for _ in range(VARIATIONS)]
        versions = len({variation.tobytes() for variation in varied})
        changed = len(ids)
        if len({len(variation) for variation in varied}) == 1:
            changed = int((np.array(varied) != varied[0]).any(axis=0).sum())
        seen += len(ids) + changed * (versions - 1)
        total += len(ids)
    return seen / total


def dropout_for(epochs: float) -> float:
    """Return how much to drop if the corpus is read so many times."""
    steps = ((1.5, 0.0), (6, 0.1), (9, 0.2), (12, 0.3), (15, 0.4))
    return next((dropout for most, dropout in steps if epochs <= most), 0.5)


def step_size_for(hidden: int) -> float:
    """Return the largest learning rate for a width: a quarter less for each doubling above 256."""
    return round(6e-3 * math.pow(256 / max(hidden, 256), 0.4), 5)


def weight_decay_for(epochs: float, learning_rate: float, steps: float) -> float:
    """Return what shrinks the weights as much as reading the corpus so many times asks for.

    In AdamW weights shrink by learning rate times decay at every step, and learning rates are half
    the largest in the mean: what counts is the product over the training (Wang and Aitchison 2024).
    """
    shrinking = min(SHRINKING * epochs, MOST_SHRINKING)
    # Of a training of a few steps it is 1, however little that shrinks.
    return float(f"{shrinking / max(learning_rate / 2 * steps, shrinking):.2g}")


def memory(model: ModelConfig, train: TrainConfig, weights: int, targets: int) -> float:
    """Return the bytes of weights, gradients, two moments, and what a window keeps for backward."""
    kept = model.layers * 8 * model.hidden + 3 * targets
    numbers: int = 4 * weights + train.batch_size * train.window * kept
    return 4.0 * numbers


@dataclass(frozen=True)
class _Trial:
    """A width: its weights, tokens a second by number of threads, and tokens in the budget."""

    hidden: int
    weights: int
    speeds: dict[int, float]
    tokens: float

    @property
    def threads(self) -> int:
        return max(self.speeds, key=self.speeds.__getitem__)


def _try(corpus: Corpus, model: ModelConfig, train: TrainConfig, trials: int) -> _Trial:
    """Find out how many tokens the budget buys with a network."""
    tokens = train.tokens or train.epochs * corpus.size("train") or math.inf
    dropout = model.dropout if model.dropout is not None else 0.2
    device = choose_device(train.device)
    codec = corpus.codec
    network = SequenceLSTM(
        *(replace(model, dropout=dropout), corpus.vocab),
        *(tuple(codec.feature_sizes), codec.boundaries),
    ).to(device)
    weights = sum(weight.numel() for weight in network.parameters())
    if not train.seconds:
        return _Trial(model.hidden, weights, {train.threads or 1: 0.0}, tokens)
    counts = [train.threads] if train.threads or device.type != "cpu" else _thread_counts()
    spend = min(PROBE, PROBE_SHARE * train.seconds / (trials * len(counts)))
    learner = Learner(network, corpus, replace(train, learning_rate=1e-3, weight_decay=0.0))
    speeds = {count or 1: _speed(learner, count, spend) for count in counts}
    return _Trial(model.hidden, weights, speeds, min(tokens, max(speeds.values()) * train.seconds))


def _thread_counts() -> list[int]:
    """Return one, the powers of two and all of the cores.

    Two threads on two busy cores can be many times slower than one, for they wait for each other
    at every step: so they are all tried.
    """
    cores = joblib.cpu_count()
    return sorted({1, *(2**power for power in range(1, 8) if 2**power < cores), cores})


def _speed(learner: Learner, threads: int, spend: float) -> float:
    """Return tokens a second, over so many seconds of learning."""
    torch.set_num_threads(threads or 1)
    began = time.perf_counter()
    float(learner.update(0.0))
    first = time.perf_counter() - began
    if first > spend and learner.counts.tokens:
        return learner.counts.tokens / first
    before, began = learner.counts.tokens, time.perf_counter()
    while learner.counts.tokens == before or time.perf_counter() - began < spend:
        float(learner.update(0.0))
    return (learner.counts.tokens - before) / (time.perf_counter() - began)
