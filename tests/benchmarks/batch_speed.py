"""Many pieces side by side, on all cores: the share of this machine's matrix products.

256 pieces, 2 layers of 512 units, 65 tokens, drawing included. The figure is the rate of
multiplications and additions of the recurrent and output weights, as a share of the best rate of a
single-precision matrix product in the same run, by NumPy's library or PyTorch's.
"""

from __future__ import annotations

import numpy as np
import torch
from harness import Benchmark
from step_speed import VOCAB, ours, seconds_of

import seqgen
from seqgen.generation.sampling import Positions, rules_for

SIZE, STEPS = 1024, 8


def product_rate() -> float:
    """Return the best rate of a product of square matrices, in operations per second."""
    numbers = np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype(np.float32)
    tensor = torch.from_numpy(numbers)
    least = min(seconds_of(lambda: numbers @ numbers), seconds_of(lambda: tensor @ tensor))
    return 2 * SIZE**3 / least


def step_rate(hidden: int, lanes: int) -> tuple[float, float]:
    """Return operations per second and steps of pieces per second."""
    _, _, stepper = ours(hidden)
    rules = rules_for(seqgen.SampleConfig(ban=("<end>",)), VOCAB, 100)
    draws, state = np.random.default_rng(0).random((lanes, STEPS)), stepper.start(lanes)

    def call() -> None:
        some = Positions(
            np.full(lanes, VOCAB.start),
            np.zeros((lanes, 0), np.int64),
            np.ones((lanes, VOCAB.targets), bool),
            np.zeros((lanes, 0), np.int64),
            np.zeros(lanes, np.int64),
            np.zeros(lanes, np.int64),
        )
        stepper.write(some, draws, rules, state)

    seconds = seconds_of(call, 3.0) / STEPS
    # Without the columns that only fill up the last panel.
    products = hidden * 4 * hidden * 3 + hidden * VOCAB.targets
    return 2 * lanes * products / seconds, lanes / seconds


def main() -> None:
    benchmark = Benchmark("batch_speed", "share of the matrix product rate", minutes=0.0)
    products, rates, pieces = [], {}, {}
    for hidden in (128, 256, 512):
        for lanes in (1, 16, 64, 256):
            products.append(product_rate())
            name = f"{hidden} units, {lanes} pieces"
            rates[name], pieces[name] = step_rate(hidden, lanes)
    best = max(products)
    shares = {name: rate / best for name, rate in rates.items()}
    benchmark.finish(
        shares["512 units, 256 pieces"],
        baselines={"matrix product, 1e9 operations a second": best / 1e9},
        shares=shares,
        tokens_per_second=pieces,
    )


if __name__ == "__main__":
    main()
