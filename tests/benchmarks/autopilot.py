"""Automatic settings against settings by hand: validation loss after the same minutes.

Three corpora: Tiny Shakespeare (``text/tinyshakespeare/input.txt``), its first hundred thousand
characters, and the JSB chorales (``music/jsb/Jsb16thSeparated.json``). Each is trained with all
settings automatic, then with one setting changed at a time: a narrower and a wider network, less
and more dropout, two layers, and twice the epochs where the engine did not use all of the time. The
figure is the worst of the three ratios of the engine's loss to the best loss; 1 means that nothing
tried is better.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import Benchmark
from jsb import pieces as chorales

import seqgen
from seqgen.training.autopilot import WIDTHS

#: Characters of the small text.
SMALL = 100_000


def prose(benchmark: Benchmark, folder: Path, most: int | None = None) -> seqgen.Corpus:
    """Return Tiny Shakespeare, or its first characters; the last tenth is held out."""
    text = (benchmark.data / "text/tinyshakespeare/input.txt").read_text("utf-8")[:most]
    cut = int(0.9 * len(text))
    return seqgen.write_corpus(folder, "text", {"train": [text[:cut]], "valid": [text[cut:]]})


def music(benchmark: Benchmark, folder: Path) -> seqgen.Corpus:
    """Return the chorales as `jsb` trains on them."""
    splits = chorales(benchmark.data / "music/jsb/Jsb16thSeparated.json")
    return seqgen.write_corpus(
        folder,
        "music",
        {"train": splits["train"], "valid": splits["valid"]},
        codec="chorale",
        options={"form": "grid"},
    )


CORPORA: dict[str, Callable[[Benchmark, Path], seqgen.Corpus]] = {
    "tinyshakespeare": prose,
    "small": lambda benchmark, folder: prose(benchmark, folder, SMALL),
    "chorales": music,
}


def neighbours(chosen: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return settings by name; each changes one thing of the engine's choice."""
    place, dropout = WIDTHS.index(chosen["hidden"]), chosen["dropout"]
    found: dict[str, dict[str, Any]] = {"more dropout": {"dropout": round(dropout + 0.1, 1)}}
    if dropout:
        found["less dropout"] = {"dropout": round(dropout - 0.1, 1)}
    if place:
        found["narrower"] = {"hidden": WIDTHS[place - 1]}
    if place + 1 < len(WIDTHS):
        found["wider"] = {"hidden": WIDTHS[place + 1]}
    found["two layers"] = {"layers": 2, "skip": True}
    if chosen["epochs"]:
        found["longer"] = {"epochs": 2 * chosen["epochs"]}
    return found


def train(
    benchmark: Benchmark, corpus: seqgen.Corpus, folder: Path, epochs: float = 0.0, **model: Any
) -> tuple[float, dict[str, Any]]:
    """Return the best validation loss after the minutes or epochs, and the settings chosen."""
    settings = seqgen.TrainConfig(minutes=benchmark.minutes, epochs=epochs, seed=benchmark.seed)
    run = seqgen.create_run(folder, corpus, seqgen.ModelConfig(**model), settings)
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    chosen = {**run.info["model"], "epochs": run.info["train"]["epochs"]}
    return run.info["result"]["valid_loss"], chosen


def compare(benchmark: Benchmark, name: str, folder: Path) -> dict[str, Any]:
    """Train one corpus with all settings; return the losses, and the engine's over the best."""
    corpus = CORPORA[name](benchmark, folder / name)
    loss, chosen = train(benchmark, corpus, folder / f"{name}-chosen")
    losses = {"chosen": loss}
    for change, settings in neighbours(chosen).items():
        losses[change], _ = train(benchmark, corpus, folder / f"{name}-{change}", **settings)
        benchmark.say(f"{name}, {change} {settings}: {losses[change]:.4f}; chosen {loss:.4f}")
    return {"ratio": loss / min(losses.values()), "losses": losses, "chosen": chosen}


def main() -> None:
    only = {"only": {"choices": [*CORPORA], "help": "one corpus instead of all three"}}
    benchmark = Benchmark("autopilot", "loss to that of the best by hand", 3.0, only)
    with tempfile.TemporaryDirectory() as folder:
        found = {
            name: compare(benchmark, name, Path(folder))
            for name in ([benchmark.given.only] if benchmark.given.only else CORPORA)
        }
    worst = max(result["ratio"] for result in found.values())
    benchmark.finish(worst, baselines={"best by hand": 1.0}, corpora=found)


if __name__ == "__main__":
    main()
