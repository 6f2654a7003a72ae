"""What the benchmarks of text have in common: train on a split, score another one."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import Benchmark

import seqgen


def losses(benchmark: Benchmark, texts: Mapping[str, str], scored: str) -> dict[str, Any]:
    """Train by the clock, everything else left open; return the losses on a split.

    Parameters
    ----------
    benchmark : Benchmark
    texts : mapping
        The text of each split, read as one piece.
    scored : str
        The split to score: one stream, its state carried from the first character to the last.

    Returns
    -------
    dict
        ``static`` and ``adaptive`` nats per character, the ``baseline`` of the validation split,
        and what was chosen.
    """
    with tempfile.TemporaryDirectory() as folder:
        pieces = {split: [text] for split, text in texts.items()}
        corpus = seqgen.write_corpus(Path(folder) / "corpus", "text", pieces)
        config = seqgen.TrainConfig(minutes=benchmark.minutes, seed=benchmark.seed)
        run = seqgen.create_run(Path(folder) / "run", corpus, train=config)
        baseline = run.measure_baseline(corpus)
        for report in run.train(corpus):
            benchmark.watch(report)
        [static] = seqgen.score(run, [texts[scored]])
        [adaptive] = seqgen.score_adaptively(run, [texts[scored]], corpus)
        return {
            "static": static.nats / static.tokens,
            "adaptive": adaptive.nats / adaptive.tokens,
            "baseline": baseline,
            "bits": static.nats / static.tokens / math.log(2),
            "bits_adaptive": adaptive.nats / adaptive.tokens / math.log(2),
            "valid": run.info["result"]["valid_loss"],
            "chosen": run.info["plan"],
            "tokens_per_second": report.tokens / report.seconds,
        }
