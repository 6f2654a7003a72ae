"""Many pieces at once on all cores, relative to this machine's matrix products.

256 pieces, 2 layers of 512 units, 65 tokens, drawing included. The figure is the rate of
multiplications and additions of the recurrent and output weights, divided by the best rate of a
single-precision matrix product in the same run, by NumPy's library or PyTorch's. With 8-bit
weights (``int8``) the rate is in the same unit.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from harness import Benchmark
from step_speed import VOCAB, ours, seconds_of

import seqgen
from seqgen.drawing.rules import Positions, rules_for

SIZE, STEPS = 1024, 8


def product_rate() -> float:
    """Return the best rate of a product of square matrices, in operations per second."""
    numbers = np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype(np.float32)
    tensor = torch.from_numpy(numbers)
    least = min(seconds_of(lambda: numbers @ numbers), seconds_of(lambda: tensor @ tensor))
    return 2 * SIZE**3 / least


def step_rate(hidden: int, batch: int, *, int8: bool) -> tuple[float, float]:
    """Return operations per second and steps of pieces per second."""
    _, _, stepper = ours(hidden, int8=int8)
    rules = rules_for(seqgen.SampleConfig(ban=("<end>",)), VOCAB, 100)
    draws, state = np.random.default_rng(0).random((batch, STEPS)), stepper.start(batch)

    def call() -> None:
        some = Positions(
            np.full(batch, VOCAB.start),
            np.zeros((batch, 0), np.int64),
            np.ones((batch, VOCAB.targets), bool),
            np.ones((batch, VOCAB.targets), bool),
            np.zeros((batch, 0), np.int64),
            np.zeros(batch, np.int64),
            np.zeros(batch, np.int64),
        )
        stepper.write(some, draws, rules, state)

    seconds = seconds_of(call, 3.0) / STEPS
    # Without the columns that pad the last panel.
    products = hidden * 4 * hidden * 3 + hidden * VOCAB.targets
    return 2 * batch * products / seconds, batch / seconds


def main() -> None:
    benchmark = Benchmark("batch_speed", "share of the matrix product rate", minutes=0.0)
    products, rates, pieces = [], {}, {}
    for hidden, batch, int8 in itertools.product((128, 256, 512), (1, 16, 64, 256), (False, True)):
        products.append(product_rate())
        name = f"{hidden} units, {batch} pieces{', int8' * int8}"
        rates[name], pieces[name] = step_rate(hidden, batch, int8=int8)
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
