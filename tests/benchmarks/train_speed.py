"""Tokens a second of the training loop against a bare loop in PyTorch, of the same model.

The bare loop has what learning takes and nothing else: `nn.Embedding`, `nn.LSTM`, `nn.Linear`,
cross-entropy, clipping, AdamW, windows of random ids whose state is carried. No dropout on either
side, 16 lanes, windows of 64, 65 tokens. Both run by turns on the same threads, the fastest number
for the bare loop; the figure is the lowest of the three ratios.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from harness import Benchmark
from torch import nn
from torch.nn import functional as F

import seqgen
from seqgen.autopilot import plan
from seqgen.learner import Learner
from seqgen.model import SequenceLSTM

LANES, WINDOW, SYMBOLS, EMBEDDING = 16, 64, 65, 64
SIZES = ((2, 128), (1, 512), (2, 512))
ROUNDS, SECONDS = 5, 2.0


def bare_loop(layers: int, hidden: int) -> Iterator[int]:
    """Learn for ever; yield how many tokens each update read."""
    embedding, output = nn.Embedding(SYMBOLS + 2, EMBEDDING), nn.Linear(hidden, SYMBOLS + 1)
    lstms = [nn.LSTM(EMBEDDING if n == 0 else hidden, hidden) for n in range(layers)]
    weights = [*embedding.parameters(), *output.parameters()]
    weights += [weight for lstm in lstms for weight in lstm.parameters()]
    optimizer = torch.optim.AdamW(weights, 1e-3, fused=True)
    ids = torch.randint(SYMBOLS, (LANES, 1_000_000 // LANES))
    ids = ids.t().contiguous()
    states: list[tuple[torch.Tensor, torch.Tensor] | None] = [None] * layers
    while True:
        for low in range(0, len(ids) - WINDOW - 1, WINDOW):
            above = embedding(ids[low : low + WINDOW])
            for number, lstm in enumerate(lstms):
                above, (h, c) = lstm(above, states[number])
                states[number] = h.detach(), c.detach()
                above = F.layer_norm(above, above.shape[2:])
            targets = ids[low + 1 : low + WINDOW + 1].flatten()
            loss = F.cross_entropy(output(above).flatten(0, 1), targets)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            yield LANES * WINDOW


def our_loop(corpus: seqgen.Corpus, layers: int, hidden: int) -> Iterator[int]:
    """The same with the engine's own step."""
    shape = seqgen.ModelConfig(layers=layers, hidden=hidden, embedding=EMBEDDING, dropout=0.0)
    config = seqgen.TrainConfig(tokens=10**9, batch=LANES, window=WINDOW, device="cpu")
    chosen = plan(corpus, shape, config)
    learner = Learner(SequenceLSTM(chosen.model, corpus.vocab), corpus, chosen.train)
    while True:
        before = learner.counts.tokens
        learner.update(1e-3)
        yield learner.counts.tokens - before


def rate(updates: Iterator[int]) -> float:
    """Return tokens a second over a few seconds."""
    tokens, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        tokens += next(updates)
    return tokens / (time.perf_counter() - began)


def fastest_threads(updates: Callable[[], Iterator[int]]) -> int:
    """Return the number of threads with which the bare loop is fastest."""
    rates = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        rates[threads] = rate(updates())
    return max(rates, key=rates.__getitem__)


def main() -> None:
    benchmark = Benchmark("train_speed", "share of a bare loop's tokens a second", minutes=0.0)
    rng = np.random.default_rng(0)
    letters = np.array([chr(ord("!") + symbol) for symbol in range(SYMBOLS)])
    text = "".join(rng.choice(letters, 1_000_000))
    ratios, speeds = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        corpus = seqgen.write_corpus(Path(folder) / "corpus", "text", {"train": [text]})
        for layers, hidden in SIZES:
            name = f"{layers}x{hidden}"
            torch.set_num_threads(fastest_threads(lambda: bare_loop(layers, hidden)))  # noqa: B023
            ours, bare = our_loop(corpus, layers, hidden), bare_loop(layers, hidden)
            next(ours), next(bare)
            pairs = [(rate(ours), rate(bare)) for _ in range(ROUNDS)]
            ratios[name] = float(np.median([one / other for one, other in pairs]))
            speeds[name] = {
                "ours": float(np.median([one for one, _ in pairs])),
                "bare": float(np.median([other for _, other in pairs])),
                "threads": torch.get_num_threads(),
            }
    benchmark.finish(
        min(ratios.values()), baselines={"bare loop": 1.0}, ratios=ratios, tokens_per_second=speeds
    )


if __name__ == "__main__":
    main()
