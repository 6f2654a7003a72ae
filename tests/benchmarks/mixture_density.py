"""Tokens against the head of Graves (2013), 20 Gaussians and the pen, on the same data.

First the token model is trained, with the codec `points`. Then an LSTM with as many weights is
trained: it reads the last step as numbers, and predicts a mixture of bivariate normal densities
over the next step, and the probabilities of drawing on, lifting the pen and ending. It has the same
layers, normalisation, dropout, features, optimizer, schedule, batch size, window and number of
updates; of both the best of ten evaluations is kept. Its pieces are varied in the same way but
never rounded to codes. It has no fitted temperature, unlike the token model.

The figure is nats per point of the mixture minus those of the tokens; above 0, tokens are better.
Both are densities of the next point, per square of d = 1 % of the median side. In scoring, and for
the mixture in training too, the point is moved at random within such a square: points are known to
d only, and a lattice must give no nats for free. Pen and end are in both.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from harness import BY_TOKENS, Benchmark
from numpy.typing import NDArray
from seqgen_handwriting.codecs.points import PointsCodec
from seqgen_handwriting.codecs.trace import Trace, ink_of, trace_of
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.likelihood import D, soft_nats
from strokes import drawings
from torch import Tensor, nn
from torch.nn import functional as F

import seqgen
from seqgen.data.batches import IGNORE
from seqgen.evaluation.loss import LANES
from seqgen.network.layers import State
from seqgen.network.lstm import ResetLSTM
from seqgen.training.learner import FORGETTING
from seqgen.training.loop import learning_rate

FILES = {"omniglot": "omniglot.npz", "kanji": "kanji.rdp200.npz", "sheep": "aaron_sheep.npz"}

#: Densities of the mixture, and the kinds of events: draw, move, end.
DENSITIES = 20
DRAW, MOVE, END = range(3)

#: Columns of an input: the step, whether it was made in the air, and whether a drawing begins.
INPUTS = 4


class Steps(NamedTuple):
    """Steps of B lanes, or of one drawing without B.

    Attributes
    ----------
    inputs : float32 array (B, T, INPUTS)
    ends : float32 array (B, T, 1)
        1 where a drawing has ended, after which the state is zero; nothing is predicted there.
    features : int64 array (B, T, K)
    kinds : int64 array (B, T)
        What comes next, or `IGNORE`.
    steps : float32 array (B, T, 2)
        The next step, in standard deviations.
    """

    inputs: NDArray[np.float32]
    ends: NDArray[np.float32]
    features: NDArray[np.int64]
    kinds: NDArray[np.int64]
    steps: NDArray[np.float32]


def steps_of(
    trace: Trace, codec: PointsCodec, deviation: float, noise: np.random.Generator
) -> Steps:
    """Return a drawing of P points in sides: its beginning, its P - 1 steps, and its end.

    The targets have noise.
    """
    steps = (np.diff(trace.points, axis=0) / deviation).astype(np.float32)
    lifted = trace.lifted[1:]
    count = len(steps) + 2
    inputs = np.zeros((count, INPUTS), np.float32)
    inputs[0, 3] = 1
    inputs[1:-1, :2], inputs[1:-1, 2] = steps, lifted
    ends = np.zeros((count, 1), np.float32)
    ends[-1] = 1
    ids = codec.encode(ink_of(trace.scaled(codec.scale)))
    features = np.zeros((count, len(codec.feature_sizes)), np.int64)
    features[:-1] = codec.features(ids)
    kinds = np.array([*np.where(lifted, MOVE, DRAW), END, IGNORE])
    following = np.zeros((count, 2), np.float32)
    width = D / deviation
    following[:-2] = steps + noise.uniform(-width / 2, width / 2, steps.shape)
    return Steps(inputs, ends, features, kinds, following)


class MixtureLSTM(nn.Module):
    """The layers of `seqgen.network.model.SequenceModel`: numbers go in and densities come out.

    Parameters
    ----------
    config : ModelConfig
    feature_sizes : sequence of int
    """

    def __init__(self, config: seqgen.ModelConfig, feature_sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.config = config
        width, hidden, outputs = config.embedding, config.hidden, 6 * DENSITIES + 3
        self.read = nn.Linear(INPUTS, width)
        self.layers = nn.ModuleList(
            ResetLSTM(hidden if layer else width, hidden) for layer in range(config.layers)
        )
        self.output = nn.Linear(hidden, outputs)
        self.features = nn.ModuleList(nn.Embedding(size, width) for size in feature_sizes)

    def start_state(self, lanes: int) -> State:
        shape = (self.config.layers, lanes, self.config.hidden)
        return torch.zeros(shape), torch.zeros(shape)

    def forward(self, batch: Steps, state: State) -> tuple[Tensor, State]:
        """Return the nats of everything predicted ``(B, T)``, per square deviation, and the state.

        0 where nothing is predicted.
        """
        inputs, ends, features, kinds, steps = (
            torch.from_numpy(array).transpose(0, 1) for array in batch
        )
        x = self.read(inputs)  # (T, B, E)
        for number, table in enumerate(self.features):
            x = x + table(features[:, :, number])
        hs, cs = [], []
        for number, layer in enumerate(self.layers):
            one = tuple(part[number] for part in state)
            x, (h, c) = layer(x, ends, one)
            hs.append(h)
            cs.append(c)
            x = F.layer_norm(x, x.shape[2:])
            if self.training and self.config.dropout:
                x = x * F.dropout(torch.ones_like(x[:1]), self.config.dropout)
        given = self.output(x)  # (T, B, 6 M + 3)
        nats = F.cross_entropy(
            given[..., :3].flatten(0, 1), kinds.flatten(), ignore_index=IGNORE, reduction="none"
        ).view(kinds.shape)
        moves = (kinds == DRAW) | (kinds == MOVE)
        nats = nats - self.log_density(given[..., 3:], steps) * moves
        return nats.transpose(0, 1), (torch.stack(hs), torch.stack(cs))

    def log_density(self, given: Tensor, steps: Tensor) -> Tensor:
        """Return the log-density of steps ``(T, B, 2)`` under mixtures ``(T, B, 6 M)``."""
        weights, x, y, x_size, y_size, tilt = given.unflatten(2, (6, DENSITIES)).unbind(2)
        x, y = steps[..., :1] - x, steps[..., 1:] - y
        # Sizes above e^7 or below e^-7 deviations are useless and overflow.
        x_size, y_size = x_size.clamp(-7, 7), y_size.clamp(-7, 7)
        x, y, tilt = x * (-x_size).exp(), y * (-y_size).exp(), 0.999 * tilt.tanh()
        apart = 1 - tilt.square()
        distance = (x - tilt * y).square() / apart + y.square()
        terms = weights.log_softmax(2) - distance / 2 - x_size - y_size - apart.log() / 2
        return terms.logsumexp(2) - math.log(2 * math.pi)


def stream(
    traces: list[Trace], codec: PointsCodec, deviation: float, config: seqgen.TrainConfig
) -> Iterator[Steps]:
    """Yield windows of lanes forever: drawings in a new order each time, and varied."""

    def lane(number: int) -> Iterator[tuple[NDArray, ...]]:
        rng = np.random.default_rng((config.seed, number))
        own = traces[number :: config.batch_size] or traces
        while True:
            for at in rng.permutation(len(own)):
                varied = own[at].varied(rng, codec.options.vary)
                yield from zip(*steps_of(varied, codec, deviation, rng), strict=True)

    lanes = [lane(number) for number in range(config.batch_size)]
    while True:
        windows = [
            [
                np.stack(column)
                for column in zip(*(next(one) for _ in range(config.window)), strict=True)
            ]
            for one in lanes
        ]
        yield Steps(*(np.stack(column) for column in zip(*windows, strict=True)))


@torch.inference_mode()
def evaluate(network: MixtureLSTM, pieces: list[Steps], deviation: float) -> tuple[float, int]:
    """Return the nats of drawings per square of D, and how many points they have."""
    network.eval()
    nats, points = 0.0, 0
    for low in range(0, len(pieces), LANES):
        group = pieces[low : low + LANES]
        longest = max(len(piece.kinds) for piece in group)
        columns = []
        for name, filling in zip(Steps._fields, (0, 0, 0, IGNORE, 0), strict=True):
            padded = [
                np.pad(
                    column,
                    [(0, longest - len(column)), *[(0, 0)] * (column.ndim - 1)],
                    constant_values=filling,
                )
                for column in (getattr(piece, name) for piece in group)
            ]
            columns.append(np.stack(padded))
        found, _ = network(Steps(*columns), network.start_state(len(group)))
        nats += found.double().sum().item()
        points += sum(len(piece.kinds) - 2 for piece in group)
    network.train()
    return nats + 2 * points * math.log(deviation / D), points


def train(
    network: MixtureLSTM,
    windows: Iterator[Steps],
    updates: int,
    config: seqgen.TrainConfig,
    valid: list[Steps],
    deviation: float,
    benchmark: Benchmark,
) -> None:
    """Train as `seqgen.training.loop` does, for some updates; leave the best by validation."""
    torch.manual_seed(config.seed)
    optimizer = torch.optim.AdamW(
        network.parameters(),
        config.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=config.weight_decay,
        fused=True,
    )
    state, best, kept = network.start_state(config.batch_size), math.inf, network.state_dict()
    due = {
        math.ceil(updates * part / config.evaluations) for part in range(1, config.evaluations + 1)
    }
    rng = np.random.default_rng(config.seed)
    for update in range(1, updates + 1):
        batch = next(windows)
        going_on = torch.from_numpy(rng.random(config.batch_size) >= FORGETTING)[:, None]
        nats, state = network(batch, tuple(part * going_on for part in state))
        state = tuple(part.detach() for part in state)
        optimizer.zero_grad()
        (nats.sum() / (batch.kinds != IGNORE).sum()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        optimizer.param_groups[0]["lr"] = learning_rate(
            (update - 1) / updates, config.learning_rate
        )
        optimizer.step()
        if update in due:
            cost, points = evaluate(network, valid, deviation)
            benchmark.say(f"update {update:,} of {updates:,}  valid {cost / points:.4f} a point")
            if cost < best:
                best = cost
                kept = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(kept)


def weights_of(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def as_large(run: seqgen.Run) -> MixtureLSTM:
    """Return the network whose number of weights is nearest to the run's."""
    wanted, sizes = weights_of(run.model), tuple(run.codec.feature_sizes)

    def sized(hidden: int) -> MixtureLSTM:
        return MixtureLSTM(replace(run.model_config, hidden=hidden), sizes)

    low, high = 1, 8 * run.model_config.hidden
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if weights_of(sized(middle)) <= wanted else (low, middle)
    torch.manual_seed(run.train_config.seed)
    return min(sized(low), sized(high), key=lambda one: abs(weights_of(one) - wanted))


def traces_of(inks: Iterable[Ink], codec: PointsCodec) -> list[Trace]:
    return [trace_of(ink).scaled(1 / codec.scale) for ink in inks]


def main() -> None:
    options = {
        "set": {"choices": list(FILES), "default": "omniglot", "help": "which drawings"},
    } | BY_TOKENS
    benchmark = Benchmark("mixture_density", "nats per point, mixture minus tokens", 10.0, options)
    data = drawings(benchmark.data / "strokes/sketch-rnn" / FILES[benchmark.given.set])
    with tempfile.TemporaryDirectory() as folder:
        corpus = seqgen.write_corpus(Path(folder) / "corpus", "handwriting", data, codec="points")
        settings = seqgen.TrainConfig(seed=benchmark.seed, device="cpu", **benchmark.budget)
        run = seqgen.create_run(Path(folder) / "run", corpus, None, settings)
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)
        predictor = seqgen.NetworkPredictor(run, grammar=False)
        tokens = soft_nats(run.codec, predictor, data["test"], np.random.default_rng(0))

        codec, config = corpus.codec, run.train_config
        split = {name: traces_of(inks, codec) for name, inks in data.items()}
        steps = np.concatenate([np.diff(trace.points, axis=0) for trace in split["train"]])
        deviation = float(steps.std())
        network, noise = as_large(run), np.random.default_rng(0)
        held_out = {
            name: [steps_of(trace, codec, deviation, noise) for trace in split[name]]
            for name in ("valid", "test")
        }
        windows = stream(split["train"], codec, deviation, config)
        train(network, windows, report.step, config, held_out["valid"], deviation, benchmark)
        nats, points = evaluate(network, held_out["test"], deviation)
        assert points == tokens.points
        benchmark.finish(
            nats / points - tokens.soft_per_point,
            baselines={"mixture density": nats / points, "tokens": tokens.soft_per_point},
            per_drawing={
                "mixture density": nats / tokens.drawings,
                "tokens": tokens.soft_per_drawing,
            },
            weights={"mixture density": weights_of(network), "tokens": weights_of(run.model)},
            hidden={"mixture density": network.config.hidden, "tokens": run.model_config.hidden},
            updates=report.step,
            tokens=report.tokens,
            features="the same in both",
            chosen=run.info["plan"],
        )


if __name__ == "__main__":
    main()
