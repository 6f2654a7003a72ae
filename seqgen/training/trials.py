"""Trying out a network: how fast this machine trains it, and how much memory that takes.

A trial trains a fresh network on windows of the corpus for a few tenths of a second. Comes from:
`seqgen.training.autopilot`, which applies its rules to the trials.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import joblib
import numpy as np
import torch

from seqgen.config import ModelConfig, TrainConfig
from seqgen.data.batches import Batch
from seqgen.data.corpus import Corpus
from seqgen.evaluation.loss import batch_nats
from seqgen.network.clusters import choose_clusters
from seqgen.network.model import SequenceModel, choose_device
from seqgen.training.learner import Learner

#: Seconds to try each width with each number of threads, and the largest share of the budget that
#: all trials may take.
PROBE, PROBE_SHARE = 0.3, 0.02

#: The first update with a number of threads also starts them. Its speed counts only if it takes so
#: many times as long as a trial, because another one would take too long.
SLOW_FIRST = 4

#: Sequences and steps of the windows in which memory is counted.
LANES, COUNTED = 2, (8, 24)

#: Dropout of a trial where none is set: it costs the same whatever its strength.
TRIAL_DROPOUT = 0.2


@dataclass(frozen=True)
class Trial:
    """What a network costs on this machine.

    Attributes
    ----------
    hidden, weights : int
        Width of the network and number of its weights.
    busy : int
        Weights that every token needs: with an adaptive output without those of single tokens.
    speeds : dict of int to float
        Tokens per second by number of threads; 0 without a time budget, where nothing is timed.
    tokens : float
        Tokens that the budget allows the network to read.
    state, kept : int or float
        Bytes of the state of a sequence, and of what each token of a window leaves for the backward
        pass.
    """

    hidden: int
    weights: int
    busy: int
    speeds: dict[int, float]
    tokens: float
    state: int
    kept: float

    @property
    def threads(self) -> int:
        """The fastest number of threads."""
        return max(self.speeds, key=self.speeds.__getitem__)


def try_network(corpus: Corpus, model: ModelConfig, train: TrainConfig, trials: int) -> Trial:
    """Measure how many tokens a network can read within the budget.

    Parameters
    ----------
    corpus : Corpus
    model : ModelConfig
        With its width set.
    train : TrainConfig
        With batch size and window set.
    trials : int
        Number of networks to be tried, which share the time for trials.
    """
    tokens = train.tokens or train.epochs * corpus.size("train") or math.inf
    dropout = model.dropout if model.dropout is not None else TRIAL_DROPOUT
    device = choose_device(train.device)
    codec = corpus.codec
    network = SequenceModel(
        *(replace(model, dropout=dropout), corpus.vocab),
        *(tuple(codec.feature_sizes), codec.boundaries),
        choose_clusters(corpus.counts) if model.output == "adaptive" else (),
    ).to(device)
    weights = sum(weight.numel() for weight in network.parameters())
    busy = weights - network.idle
    sizes = sum(part.nbytes for part in network.start_state(1)), _kept(network)
    if not train.seconds:
        return Trial(model.hidden, weights, busy, {train.threads or 1: 0.0}, tokens, *sizes)
    counts = [train.threads] if train.threads or device.type != "cpu" else _thread_counts()
    spend = min(PROBE, PROBE_SHARE * train.seconds / (trials * len(counts)))
    learner = Learner(network, corpus, replace(train, learning_rate=1e-3, weight_decay=0.0))
    # The first update opens the pieces, with their features and masks: no speed counts that.
    float(learner.update(0.0))
    speeds = {count or 1: _speed(learner, count, spend) for count in counts}
    tokens = min(tokens, max(speeds.values()) * train.seconds)
    return Trial(model.hidden, weights, busy, speeds, tokens, *sizes)


def _thread_counts() -> list[int]:
    """Return 1, the powers of two below the number of cores, and the number of cores.

    Two threads on two busy cores can be many times slower than one, because they wait for each
    other at every step. So every count is tried.
    """
    cores = joblib.cpu_count()
    return sorted({1, *(2**power for power in range(1, 8) if 2**power < cores), cores})


def _speed(learner: Learner, threads: int, spend: float) -> float:
    """Return tokens per second, measured over `spend` seconds of training."""
    torch.set_num_threads(threads or 1)
    before, began = learner.counts.tokens, time.perf_counter()
    float(learner.update(0.0))
    first, tokens = time.perf_counter() - began, learner.counts.tokens - before
    if first > SLOW_FIRST * spend and tokens:
        return tokens / first
    before, began = learner.counts.tokens, time.perf_counter()
    while learner.counts.tokens == before or time.perf_counter() - began < spend:
        float(learner.update(0.0))
    return (learner.counts.tokens - before) / (time.perf_counter() - began)


def _kept(network: SequenceModel) -> float:
    """Return the bytes that each token of a window leaves in memory until the backward pass.

    What PyTorch saves is counted, so it holds for layers and outputs of any kind. Two windows are
    compared, because some of it does not grow with the window.
    """
    network.eval()  # Without dropout no random number is drawn.
    few, many = (_saved(network, steps) for steps in COUNTED)
    network.train()
    return (many - few) / (LANES * (COUNTED[1] - COUNTED[0]))


def _saved(network: SequenceModel, steps: int) -> int:
    """Return the bytes that are saved for the backward pass of a window of some steps."""
    own = {each.untyped_storage().data_ptr() for each in network.state_dict().values()}
    # Kept here, so that no two have one address.
    saved: dict[int, torch.UntypedStorage] = {}

    def save(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage
        return value

    ids = np.arange(LANES * steps).reshape(LANES, steps) % network.targets  # (B, T)
    features = np.zeros((LANES, steps, len(network.features)), np.int64)
    batch = Batch(ids, ids, features, np.zeros((LANES, steps, 0), np.uint8))
    with torch.autograd.graph.saved_tensors_hooks(save, lambda value: value):
        batch_nats(network, batch, network.start_state(LANES))
    return sum(storage.nbytes() for storage in saved.values())


def memory(train: TrainConfig, trial: Trial) -> float:
    """Return the bytes of weights, gradients, Adam moments, states and what windows leave.

    Parameters
    ----------
    train : TrainConfig
        With batch size and window set.
    trial : Trial
    """
    window = -(-train.batch_size // train.accumulate) * train.window
    return 4 * 4 * trial.weights + 2 * train.batch_size * trial.state + window * trial.kept
