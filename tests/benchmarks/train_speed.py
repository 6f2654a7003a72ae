"""Tokens per second of the training loop against a bare PyTorch loop of the same model.

The bare loop has only what learning needs: `nn.Embedding`, `nn.LSTM`, `nn.Linear`, cross-entropy,
clipping, AdamW, windows of random ids whose state is carried. Both have no dropout, windows of 64
and 65 tokens. On the processor the batch size is 16, and both run by turns on the number of threads
that is fastest for the bare loop. On a GPU (``--device cuda``) the batch size is 64, networks are
wider, and the bare loop's ids are on the GPU already. The figure is the lowest of the three ratios.
Operations a second are reported as well, six for each weight of the LSTM and token.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from harness import Benchmark
from torch import nn
from torch.nn import functional as F

import seqgen
from seqgen.network.model import SequenceModel
from seqgen.training.autopilot import plan
from seqgen.training.learner import Learner

WINDOW, SYMBOLS, EMBEDDING = 64, 65, 64
LANES = {"cpu": 16, "cuda": 64}
SIZES = {"cpu": ((2, 128), (1, 512), (2, 512)), "cuda": ((1, 512), (1, 1024), (2, 1024))}
ROUNDS, SECONDS = 15, 2.0


def bare_loop(layers: int, hidden: int, device: str) -> Iterator[int]:
    """Train forever; yield the tokens of each update."""
    lanes = LANES[device]
    embedding, output = nn.Embedding(SYMBOLS + 2, EMBEDDING), nn.Linear(hidden, SYMBOLS + 1)
    lstms = [nn.LSTM(EMBEDDING if n == 0 else hidden, hidden) for n in range(layers)]
    weights = [
        weight
        for module in (embedding, output, *lstms)
        for weight in module.to(device).parameters()
    ]
    optimizer = torch.optim.AdamW(weights, 1e-3, fused=True)
    ids = torch.randint(SYMBOLS, (lanes, 1_000_000 // lanes), device=device)
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
            yield lanes * WINDOW


def our_loop(corpus: seqgen.Corpus, layers: int, hidden: int, device: str) -> Iterator[int]:
    """Train forever with the engine's own update; yield the tokens of each."""
    shape = seqgen.ModelConfig(layers=layers, hidden=hidden, embedding=EMBEDDING, dropout=0.0)
    config = seqgen.TrainConfig(
        tokens=10**9, batch_size=LANES[device], window=WINDOW, device=device
    )
    chosen = plan(corpus, shape, config)
    learner = Learner(SequenceModel(chosen.model, corpus.vocab).to(device), corpus, chosen.train)
    while True:
        before = learner.counts.tokens
        learner.update(1e-3)
        yield learner.counts.tokens - before


def rate(updates: Iterator[int]) -> float:
    """Return tokens per second over a few seconds."""
    tokens, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        tokens += next(updates)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return tokens / (time.perf_counter() - began)


def fastest_threads(layers: int, hidden: int) -> int:
    """Return the number of threads with which the bare loop is fastest."""
    rates = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        rates[threads] = rate(bare_loop(layers, hidden, "cpu"))
    return max(rates, key=rates.__getitem__)


def main() -> None:
    options = {"device": {"choices": tuple(SIZES), "default": "cpu"}}
    benchmark = Benchmark("train_speed", "share of a bare loop's tokens per second", 0.0, options)
    device = benchmark.given.device
    rng = np.random.default_rng(0)
    letters = np.array([chr(ord("!") + symbol) for symbol in range(SYMBOLS)])
    text = "".join(rng.choice(letters, 1_000_000))
    ratios, speeds = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        corpus = seqgen.write_corpus(Path(folder) / "corpus", "text", {"train": [text]})
        for layers, hidden in SIZES[device]:
            name = f"{layers}x{hidden}"
            if device == "cpu":
                torch.set_num_threads(fastest_threads(layers, hidden))
            ours, bare = (
                our_loop(corpus, layers, hidden, device),
                bare_loop(layers, hidden, device),
            )
            next(ours), next(bare)
            pairs = [(rate(ours), rate(bare)) for _ in range(ROUNDS)]
            ratios[name] = float(np.median([one / other for one, other in pairs]))
            tokens_per_second = float(np.median([one for one, _ in pairs]))
            weights = 4 * hidden * (hidden * (2 * layers - 1) + EMBEDDING)
            speeds[name] = {
                "ours": tokens_per_second,
                "bare": float(np.median([other for _, other in pairs])),
                "operations": 6 * weights * tokens_per_second,
                "threads": torch.get_num_threads(),
            }
    benchmark.finish(
        min(ratios.values()), baselines={"bare loop": 1.0}, ratios=ratios, tokens_per_second=speeds
    )


if __name__ == "__main__":
    main()
