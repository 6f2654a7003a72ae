"""Trying out a network: how fast this machine trains it, and how much memory that takes.

A trial trains a fresh network on windows of the corpus for a few tenths of a second. Comes from:
`seqgen.training.autopilot`, which applies its rules to the trials.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import joblib
import torch

from seqgen.config import ModelConfig, TrainConfig
from seqgen.data.corpus import Corpus
from seqgen.network.clusters import choose_clusters
from seqgen.network.model import SequenceModel, choose_device
from seqgen.training.learner import Learner

#: Seconds to try each width with each number of threads, and the largest share of the budget that
#: all trials may take.
PROBE, PROBE_SHARE = 0.3, 0.02

#: The first update also opens the pieces: their features and masks. Its speed counts only if it
#: takes so many times as long as a trial, because another one would take too long.
SLOW_FIRST = 4

#: Dropout of a trial where none is set: it costs the same whatever its strength.
TRIAL_DROPOUT = 0.2


@dataclass(frozen=True)
class Trial:
    """What a network costs on this machine.

    Attributes
    ----------
    hidden, weights : int
        Width of the network and number of its weights.
    speeds : dict of int to float
        Tokens per second by number of threads; 0 without a time budget, where nothing is timed.
    tokens : float
        Tokens that the budget allows the network to read.
    """

    hidden: int
    weights: int
    speeds: dict[int, float]
    tokens: float

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
    if not train.seconds:
        return Trial(model.hidden, weights, {train.threads or 1: 0.0}, tokens)
    counts = [train.threads] if train.threads or device.type != "cpu" else _thread_counts()
    spend = min(PROBE, PROBE_SHARE * train.seconds / (trials * len(counts)))
    learner = Learner(network, corpus, replace(train, learning_rate=1e-3, weight_decay=0.0))
    speeds = {count or 1: _speed(learner, count, spend) for count in counts}
    return Trial(model.hidden, weights, speeds, min(tokens, max(speeds.values()) * train.seconds))


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
    began = time.perf_counter()
    float(learner.update(0.0))
    first = time.perf_counter() - began
    if first > SLOW_FIRST * spend and learner.counts.tokens:
        return learner.counts.tokens / first
    before, began = learner.counts.tokens, time.perf_counter()
    while learner.counts.tokens == before or time.perf_counter() - began < spend:
        float(learner.update(0.0))
    return (learner.counts.tokens - before) / (time.perf_counter() - began)


def memory(model: ModelConfig, train: TrainConfig, weights: int, targets: int) -> float:
    """Return the bytes of weights, gradients, both Adam moments and the activations of a window.

    Parameters
    ----------
    model : ModelConfig
    train : TrainConfig
    weights, targets : int
        Number of weights, and of ids to predict (V').
    """
    kept = model.layers * 8 * model.hidden + 3 * targets  # numbers kept for each token
    numbers: int = 4 * weights + train.batch_size * train.window * kept
    return 4.0 * numbers
