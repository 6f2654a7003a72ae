"""Architectures side by side: the best validation loss of any cell relative to that of `lstm`.

Each of the eight trains on Tiny Shakespeare (the first 90 %; the next 5 % are for validation), on
the chorales of music21 and on the ink of the handwriting demo. All have the same minutes, and all
other settings are automatic. With ``--tokens`` they have the same updates and width instead. The
loss is measured on the same validation tokens for all. The figure is the mean of the corpora; below
1 a cell is better.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from harness import BY_TOKENS, Benchmark

import seqgen
from seqgen.evaluation.loss import evaluate
from seqgen.network.architectures import find_architectures

#: Validation tokens that are measured.
MEASURED = 2**15

CORPORA = ("tinyshakespeare", "chorales", "ink")

OPTIONS = BY_TOKENS | {
    "hidden": {"type": int, "default": 128, "help": "width for --tokens"},
    "names": {"nargs": "*", "default": (), "help": "architectures beside lstm; by default all"},
    "corpora": {"nargs": "*", "default": CORPORA, "choices": CORPORA, "help": "by default all"},
}


def corpora(benchmark: Benchmark, folder: Path) -> dict[str, seqgen.Corpus]:
    """Return the corpora by name."""
    made = {
        "tinyshakespeare": lambda: shakespeare(benchmark, folder),
        "chorales": lambda: seqgen.prepare("music"),
        "ink": lambda: seqgen.prepare("handwriting"),
    }
    return {name: made[name]() for name in benchmark.given.corpora}


def shakespeare(benchmark: Benchmark, folder: Path) -> seqgen.Corpus:
    """Return Tiny Shakespeare as characters, split by position."""
    text = (benchmark.data / "text/tinyshakespeare/input.txt").read_text("utf-8")
    trained, chosen = int(0.9 * len(text)), int(0.95 * len(text))
    split = {"train": [text[:trained]], "valid": [text[trained:chosen]]}
    return seqgen.write_corpus(folder / "text", "text", split)


def train(benchmark: Benchmark, name: str, corpus: seqgen.Corpus, folder: Path) -> dict[str, Any]:
    """Return what an architecture reached."""
    hidden = benchmark.given.hidden if benchmark.given.tokens else 0
    config = seqgen.TrainConfig(**benchmark.budget, seed=benchmark.seed, threads=1, device="cpu")
    model = seqgen.ModelConfig(name, hidden=hidden)
    run = seqgen.create_run(folder, corpus, model, config)
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    return {
        "loss": evaluate(run.model, corpus, MEASURED),
        "hidden": run.model_config.hidden,
        "weights": run.info["plan"]["weights"],
        "updates": report.step,
        "tokens": report.tokens,
        "tokens_per_second": report.tokens / report.seconds,
        "load": os.getloadavg()[0],
    }


def main() -> None:
    benchmark = Benchmark("architectures", "loss of the best cell / lstm", 3.0, OPTIONS)
    names = benchmark.given.names or [each.name for each in find_architectures()]
    names = [*dict.fromkeys(["lstm", *names])]
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for title, corpus in corpora(benchmark, Path(folder)).items():
            results[title] = {}
            for name in names:
                found = train(benchmark, name, corpus, Path(folder) / f"{title}-{name}")
                results[title][name] = found
                benchmark.say(f"{title} {name}: {found}")
    ratios = {
        title: min(each["loss"] for name, each in found.items() if name != "lstm")
        / found["lstm"]["loss"]
        for title, found in results.items()
    }
    benchmark.finish(
        sum(ratios.values()) / len(ratios), baselines={"lstm": 1.0}, ratios=ratios, **results
    )


if __name__ == "__main__":
    main()
