"""Shared by the text benchmarks: train, choose on validation, score the test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness import Benchmark

import seqgen
from seqgen.evaluation.ngram import baseline
from seqgen.run.results import read_reports


def losses(
    benchmark: Benchmark, texts: Mapping[str, str], minutes: float | None = None
) -> dict[str, Any]:
    """Train for a time with automatic settings; return the losses on the test split.

    Parameters
    ----------
    benchmark : Benchmark
    texts : mapping
        The text of each split, read as one piece: one stream whose state is carried from the first
        character to the last.
    minutes : float, optional
        By default those of the benchmark.

    Returns
    -------
    dict
        ``static`` and ``adaptive`` nats per character, those of the n-gram ``baselines`` whose
        order validation chose, the validation loss, and the settings chosen.
    """
    name = "" if minutes is None else f"{minutes:g}-minutes"
    config = seqgen.TrainConfig(minutes=minutes or benchmark.minutes, seed=benchmark.seed)
    with benchmark.folder(name) as folder:
        pieces = {split: [text] for split, text in texts.items()}
        corpus = benchmark.corpus(folder, "text", pieces)
        counts = baseline(corpus)
        run = benchmark.trained(folder, corpus, config)
        [static] = seqgen.score(run, [texts["test"]])
        [adaptive] = seqgen.score_adaptively(run, [texts["test"]], corpus)
        counted = counts.model.nats(run.codec.encode(texts["test"]))
        last = read_reports(run.folder)[-1]
        return {
            "static": static.nats / static.tokens,
            "adaptive": adaptive.nats / adaptive.tokens,
            "baselines": {f"{counts.order}-gram": counted / static.tokens},
            "bits": static.nats / static.tokens / math.log(2),
            "bits_adaptive": adaptive.nats / adaptive.tokens / math.log(2),
            "valid": run.info["result"]["valid_loss"],
            "chosen": run.info["plan"],
            "tokens_per_second": last["tokens"] / last["seconds"],
        }
