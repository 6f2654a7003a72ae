"""The recipes of docs/text.md: new pieces of each corpus, beside those of the n-gram baseline.

Data: Wikipedia with markup, Shakespeare, LaTeX and C from ``text``, one file each, and headlines
from a table with a label. All settings are automatic but for the codec, its grammar and the label.
Losses are in bits per character of the validation split and of the test split. The figure is the
mean of the network's loss over the baseline's on the validation split.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from harness import BY_TOKENS, Benchmark

import seqgen
from seqgen.conditions.labels import Labelled
from seqgen.evaluation.ngram import NgramModel, baseline
from seqgen.plugin import Ids

#: Characters of a sample, and samples of each kind. The n-gram has no temperature.
LENGTH, SAMPLES = 400, 20


class Recipe(NamedTuple):
    """A corpus, its codec with a grammar, and labels to ask for; without them any piece."""

    path: str
    codec: str
    grammar: str = ""
    label: str = ""
    values: tuple[str, ...] = ("",)


RECIPES = {
    "wikipedia": Recipe("wiki-markup/enwiki-head.txt", "subwords"),
    "shakespeare": Recipe("tinyshakespeare/input.txt", "words"),
    "latex": Recipe("latex-stacks/stacks.txt", "characters", "latex"),
    "c": Recipe("c-source/stb.txt", "characters", "c"),
    "headlines": Recipe(
        "headlines/reddit_rarepuppers_politics_2000_context.csv",
        "words",
        label="context_label",
        values=("politics", "rarepuppers"),
    ),
}


def draw(model: NgramModel, opening: Ids, run: seqgen.Run, seed: int) -> str:
    """Return a text of the n-gram model after an opening ``(N,)``."""
    rng = np.random.default_rng(seed)
    ids = opening.tolist()
    while len(text := run.codec.decode(np.array(ids, np.int64))) < LENGTH:
        last = np.exp(next(model.log_probabilities([np.array(ids, np.int64)]))[-1])  # (V',)
        token = int(rng.choice(len(last), p=last / last.sum()))
        if token == run.vocab.end:
            break
        ids.append(token)
    return text[:LENGTH]


def losses(run: seqgen.Run, split: str) -> dict[str, float]:
    """Return the bits per character of the network and of the n-gram counts, END included."""
    total = seqgen.score_table(run, split=split).total
    bits = np.log(2) * total.units["characters"]
    names = {"network": "network", "baseline": "n-gram"}
    return {name: (total.nats[key] + total.end_nats[key]) / bits for key, name in names.items()}


def trained(benchmark: Benchmark, recipe: Recipe, folder: Path) -> tuple[seqgen.Run, seqgen.Report]:
    """Return a trained run and its last report."""
    corpus = seqgen.prepare(
        "text",
        [benchmark.data / "text" / recipe.path],
        folder / "corpus",
        codec=recipe.codec,
        options={"grammar": recipe.grammar} if recipe.grammar else {},
        labels={recipe.label: ""} if recipe.label else None,
    )
    config = seqgen.TrainConfig(**benchmark.budget, seed=benchmark.seed)
    run = seqgen.create_run(folder / "run", corpus, train=config)
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    return run, report


def written(benchmark: Benchmark, name: str, recipe: Recipe, run: seqgen.Run) -> dict[str, Any]:
    """Return samples of the network and of the n-gram counts, with labels; print them too."""
    counts = baseline(run.corpus())
    limit = seqgen.LimitConfig(length=LENGTH, unit="characters")
    found: dict[str, Any] = {"order": counts.order, "network": [], "n-gram": []}

    def add(side: str, value: str, text: str) -> None:
        benchmark.say(f"--- {name}, {side} {value} {len(found[side])}\n{text}")
        found[side].append((value, text))

    for value in recipe.values:
        condition = Labelled({recipe.label: value}) if recipe.label else None
        for new in seqgen.generate(run, SAMPLES, condition=condition, limit=limit, seed=1):
            add("network", value, new.piece)
            opening = new.ids[: int(bool(recipe.label))]
        for seed in range(SAMPLES):
            add("n-gram", value, draw(counts.model, opening, run, seed))
    return found


def follow(benchmark: Benchmark, name: str, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Train, write samples, and return them with the losses."""
    run, report = trained(benchmark, recipe, folder)
    return {
        "bits_per_character": {split: losses(run, split) for split in ("valid", "test")},
        **written(benchmark, name, recipe, run),
        "tokens": report.tokens,
        "epochs": report.tokens / run.corpus().size("train"),
        "sampling": run.sampling,
        "chosen": run.info["plan"],
    }


def main() -> None:
    options = BY_TOKENS | {"only": {"nargs": "*", "default": list(RECIPES), "help": "recipes"}}
    benchmark = Benchmark("recipes", "loss over the baseline's, mean", 10.0, options)
    results = {}
    for name in benchmark.given.only:
        with tempfile.TemporaryDirectory() as place:
            results[name] = follow(benchmark, name, RECIPES[name], Path(place))
    valid = [each["bits_per_character"]["valid"] for each in results.values()]
    ratios = [each["network"] / each["n-gram"] for each in valid]
    benchmark.finish(float(np.mean(ratios)), baselines={"n-gram": 1.0}, recipes=results)


if __name__ == "__main__":
    main()
