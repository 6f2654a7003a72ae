"""Beginnings: how many samples of one long text begin like one of its paragraphs.

Data: ``text/tinyshakespeare/input.txt``, prepared as users do, 128 units. A sample begins rightly
if its first line is a speaker: words with capitals and a colon. The baseline is a training that
never begins anew; both validation losses are given, because beginnings must not cost anything.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from harness import BY_TOKENS, Benchmark

import seqgen
from seqgen.data import lanes

#: Samples, and their length in tokens.
SAMPLES, LENGTH = 50, 40

SPEAKER = re.compile(r"[A-Z][A-Za-z]*( [A-Z][A-Za-z]*)*:\n")


def main() -> None:
    benchmark = Benchmark("beginnings", "samples of 50 that begin with a speaker", 2.0, BY_TOKENS)
    corpus = seqgen.prepare("text", [benchmark.data / "text/tinyshakespeare/input.txt"])
    every = lanes.BEGIN_EVERY
    anew, loss = measured(benchmark, corpus)
    lanes.BEGIN_EVERY = 10**12
    once, loss_once = measured(benchmark, corpus)
    lanes.BEGIN_EVERY = every
    benchmark.finish(anew, {"once": once}, valid=loss, valid_once=loss_once)


def measured(benchmark: Benchmark, corpus: seqgen.Corpus) -> tuple[float, float]:
    """Return how many samples begin with a speaker, and the validation loss."""
    with tempfile.TemporaryDirectory() as folder:
        config = seqgen.TrainConfig(
            **benchmark.budget, batch_size=32, window=128, threads=1, seed=benchmark.seed
        )
        run = seqgen.create_run(Path(folder), corpus, seqgen.ModelConfig(hidden=128), config)
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)
        limit = seqgen.LimitConfig(length=LENGTH)
        samples = seqgen.generate(run, SAMPLES, limit=limit, seed=1)
        begun = sum(SPEAKER.match(sample.piece) is not None for sample in samples)
        return float(begun), run.info["result"]["valid_loss"]


if __name__ == "__main__":
    main()
