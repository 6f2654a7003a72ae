"""Faults of a user's first hour: text that loops by default, and exceeded time budgets.

Trains on five corpora of text and writes pieces with the sampling settings that training chose.
Then trains on files of 100, 10,000 and 50,000 different characters for half a minute each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from harness import BY_TOKENS, Benchmark

import seqgen
from seqgen.training.defaults import Repetition, longest_run

#: The path of each corpus below the data folder.
CORPORA = {
    "prose": "text/tinyshakespeare/input.txt",
    "C": "text/c-source/stb.txt",
    "LaTeX": "text/latex-stacks/stacks.txt",
    "markup": "text/wiki-markup/enwiki-head.txt",
    "headlines": "text/headlines",
}

#: The default of all text models before it was measured.
BEFORE = seqgen.SampleConfig(temperature=0.8, min_p=0.05)

#: Pieces of each corpus, and their tokens: as many as `seqgen generate` allows by default.
PIECES, LENGTH = 8, 4096

#: Sizes of the vocabulary, and characters of each file.
VOCABULARIES, CHARACTERS = (100, 10_000, 50_000), 1_000_000


def properties(bench: Benchmark, name: str, folder: Path) -> dict[str, Any]:
    """Train on a corpus; measure pieces with the default settings and with the earlier ones."""
    # The dump as it is, XML in one file.
    reading = {"piece": "file" if name == "markup" else "auto"}
    path = bench.data / CORPORA[name]
    corpus = seqgen.prepare("text", [path], folder / "corpus", read_options=reading)
    config = seqgen.TrainConfig(**bench.budget, seed=bench.seed)
    run = seqgen.create_run(folder / "run", corpus, train=config)
    for _ in seqgen.train(run, corpus):
        pass
    run = seqgen.load(run.folder, "cpu")
    ids = np.concatenate([np.asarray(corpus.piece(n)) for n in range(corpus.info["pieces"])])
    longest = max(longest_run(corpus.piece(n)) for n in range(corpus.info["pieces"]))
    reference = replace(Repetition.of([ids.astype(np.int64)]), run=longest)
    return {
        "valid_loss": run.info["result"]["valid_loss"],
        "settings": run.sampling,
        "corpus": asdict(reference),
        "default": asdict(written(run, None, bench.seed)),
        "before": asdict(written(run, BEFORE, bench.seed)),
    }


def written(run: seqgen.Run, sample: seqgen.SampleConfig | None, seed: int) -> Repetition:
    """Return how repetitive new pieces are."""
    limit = seqgen.LimitConfig(length=LENGTH)
    # Not the seed that chose the settings.
    new = seqgen.generate(run, PIECES, sample=sample, limit=limit, seed=seed + 1)
    return Repetition.of([piece.ids for piece in new if len(piece.ids)])


def overrun(bench: Benchmark, vocabulary: int, folder: Path) -> float:
    """Return the seconds by which a training exceeds its budget, process start included."""
    rng = np.random.default_rng(bench.seed)
    letters = [letter for letter in map(chr, range(sys.maxunicode)) if letter.isalpha()]
    drawn = rng.zipf(1.2, CHARACTERS) % vocabulary
    drawn[rng.permutation(CHARACTERS)[:vocabulary]] = np.arange(vocabulary)
    path = folder / f"{vocabulary}.txt"
    path.write_text("".join(letters[number] for number in drawn.tolist()), "utf-8")
    command = ("train", "text", path, "--minutes", bench.minutes, "--out", folder / "run")
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "seqgen", *map(str, command), "--overwrite"],
        env=os.environ | {"SEQGEN_CACHE": str(folder / "cache")},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began - 60 * bench.minutes


def main() -> None:
    """Train, count and print."""
    bench = Benchmark("faults", "times the corpus's longest run of one token", 0.5, BY_TOKENS)
    counted, overruns = {}, {}
    with tempfile.TemporaryDirectory() as name:
        for corpus in CORPORA:
            folder = Path(name) / corpus
            folder.mkdir()
            counted[corpus] = found = properties(bench, corpus, folder)
            bench.say(f"{corpus}: {found}")
        for vocabulary in VOCABULARIES:
            overruns[str(vocabulary)] = overrun(bench, vocabulary, Path(name))
            bench.say(f"{vocabulary} characters: {overruns[str(vocabulary)]:.1f} s over")

    def worst(kind: str) -> float:
        return max(found[kind]["run"] / found["corpus"]["run"] for found in counted.values())

    bench.finish(
        worst("default"),
        {"temperature 0.8, min-p 0.05": worst("before")},
        corpora=counted,
        overrun_seconds=overruns,
    )


if __name__ == "__main__":
    main()
