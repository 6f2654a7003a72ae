"""The recipes of docs/text.md: a new piece of each corpus, beside one of the n-gram baseline.

Data: Wikipedia with markup, Shakespeare, LaTeX and C from ``text``, one file each, and headlines
from a table with a label. All settings are automatic but for the codec. The figure is the mean of
the network's loss over the baseline's on the validation split.
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

#: Characters of a sample; the n-gram's samples are drawn at this temperature, as they come.
LENGTH, SAMPLES = 400, 3


class Recipe(NamedTuple):
    """A corpus, its codec, labels to ask for (without them any piece), and what a piece is."""

    path: str
    codec: str
    label: str = ""
    values: tuple[str, ...] = ("",)
    piece: str = "auto"


RECIPES = {
    "wikipedia": Recipe("wiki-markup/enwiki-head.txt", "characters", piece="file"),
    "shakespeare": Recipe("tinyshakespeare/input.txt", "words"),
    "latex": Recipe("latex-stacks/stacks.txt", "characters"),
    "c": Recipe("c-source/stb.txt", "characters"),
    "headlines": Recipe(
        "headlines/reddit_rarepuppers_politics_2000_context.csv",
        "words",
        "context_label",
        ("politics", "rarepuppers"),
    ),
}


def draw(model: NgramModel, opening: Ids, most: int, end: int, seed: int) -> Ids:
    """Return a piece of the n-gram model ``(N,)`` after an opening."""
    rng = np.random.default_rng(seed)
    ids = opening.tolist()
    while len(ids) < most:
        last = np.exp(next(model.log_probabilities([np.array(ids, np.int64)]))[-1])  # (V',)
        token = int(rng.choice(len(last), p=last / last.sum()))
        if token == end:
            break
        ids.append(token)
    return np.array(ids, np.int64)


def follow(benchmark: Benchmark, name: str, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Train, write samples, and return them with the losses."""
    corpus_folder, options = folder / "corpus", {}
    reading = {"piece": recipe.piece}
    if recipe.label:
        options["labels"] = {recipe.label: ""}
    path = benchmark.data / "text" / recipe.path
    seqgen.prepare(
        "text", [path], corpus_folder, codec=recipe.codec, read_options=reading, **options
    )
    corpus = seqgen.Corpus(corpus_folder)
    counts = baseline(corpus)
    config = seqgen.TrainConfig(**benchmark.budget, seed=benchmark.seed)
    run = seqgen.create_run(folder / "run", corpus, train=config)
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    limit = seqgen.LimitConfig(length=LENGTH, unit="characters")
    found: dict[str, Any] = {"network": [], "n-gram": []}
    for value in recipe.values:
        condition = Labelled({recipe.label: value}) if recipe.label else None
        for new in seqgen.generate(run, SAMPLES, condition=condition, limit=limit, seed=1):
            found["network"].append((value, new.piece))

        header = new.ids[: int(bool(recipe.label))]
        for seed in range(SAMPLES):
            ids = draw(counts.model, header, LENGTH, run.vocab.end, seed)
            found["n-gram"].append((value, run.codec.decode(ids)[:LENGTH]))
    for side in ("network", "n-gram"):
        for value, text in found[side]:
            benchmark.say(f"--- {name}, {side} {value}\n{text}")
    network = run.info["result"]["valid_loss"]
    return {
        **found,
        "order": counts.order,
        "losses": {"network": network, "n-gram": counts.nats_per_token},
        "tokens": report.tokens,
        "epochs": report.tokens / corpus.size("train"),
        "chosen": run.info["plan"],
    }


def main() -> None:
    options = BY_TOKENS | {"only": {"nargs": "*", "default": list(RECIPES), "help": "recipes"}}
    benchmark = Benchmark("recipes", "loss over the baseline's, mean", 10.0, options)
    results = {}
    for name in benchmark.given.only:
        with tempfile.TemporaryDirectory() as place:
            results[name] = follow(benchmark, name, RECIPES[name], Path(place))
    ratios = [each["losses"]["network"] / each["losses"]["n-gram"] for each in results.values()]
    benchmark.finish(float(np.mean(ratios)), baselines={"n-gram": 1.0}, recipes=results)


if __name__ == "__main__":
    main()
