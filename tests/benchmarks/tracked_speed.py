"""Speed of new pieces with their tracker, relative to the same network without, on one core.

For each codec a network of one layer of 256 units learns for ``--minutes``. Then it writes one
piece, and 32 pieces at once, of 500 tokens each, with its tracker and without tracker and masks;
all else is the same: features, groups and settings of sampling. END is banned. The figure is the
lowest ratio of tokens per second. ``--only`` names codecs, separated by semicolons.

Data: the demo pieces for `chorale` and `points`; `music_codecs` names those of `melody`,
`multitrack` and `performance`; C (``text/c-source``) and LaTeX (``text/latex-stacks``) with their
grammars, as characters and as subwords. `points, dictated` writes a given text.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from harness import Benchmark
from music_codecs import DATA

import seqgen
from seqgen.generation import prompts, writer

#: Numbers of pieces at once, and tokens of each.
PIECES, LENGTH = (1, 32), 500

#: Most files of a corpus, and how often each speed is measured: the best counts.
FILES, TIMES = 40, 5

#: What `points, dictated` writes.
TEXT = "the quick brown fox jumps over the lazy dog"


class Kind(NamedTuple):
    """A row of the result: domain and codec, its options, the files, the condition."""

    domain: str
    codec: str
    options: Mapping[str, Any] = MappingProxyType({})
    files: tuple[str, ...] = ()
    condition: str | None = None


KINDS = {
    "chorale": Kind("music", "chorale"),
    "melody": Kind("music", "melody", files=DATA["melody"]),
    "multitrack": Kind("music", "multitrack", files=DATA["multitrack"]),
    "performance": Kind("music", "performance", files=DATA["performance"]),
    "points": Kind("handwriting", "points"),
    "points, dictated": Kind("handwriting", "points", condition=TEXT),
    "c": Kind("text", "characters", {"grammar": "c"}, ("text/c-source/*",)),
    "c, subwords": Kind("text", "subwords", {"grammar": "c"}, ("text/c-source/*",)),
    "latex": Kind("text", "characters", {"grammar": "latex"}, ("text/latex-stacks/*",)),
    "latex, subwords": Kind("text", "subwords", {"grammar": "latex"}, ("text/latex-stacks/*",)),
}


def trained(benchmark: Benchmark, kind: Kind, folder: Path) -> seqgen.Run:
    """Return a run of a network of one layer of 256 units."""
    if kind.files:
        found = [path for part in kind.files for path in sorted(benchmark.data.glob(part))]
        parts = (sorted(path.rglob("*.mid")) if path.is_dir() else [path] for path in found)
        paths = [path for some in parts for path in some]
    else:
        paths = list(seqgen.load_domain(kind.domain)[0].demo(folder / "files"))
    given = {"codec": kind.codec, "options": kind.options, "jobs": 1}
    corpus = seqgen.prepare(kind.domain, paths[:FILES], folder / "corpus", **given)
    shape = seqgen.ModelConfig(layers=1, hidden=256)
    train = seqgen.TrainConfig(
        **benchmark.budget, batch_size=16, window=64, device="cpu", seed=benchmark.seed, threads=1
    )
    run = seqgen.create_run(folder / "run", corpus, shape, train)
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    return seqgen.load(folder / "run")


def tokens_per_second(run: seqgen.Run, pieces: int, condition: str | None) -> float:
    """Return the speed of writing some pieces at once."""
    began = time.perf_counter()
    written = seqgen.generate(
        run,
        pieces,
        condition=condition,
        sample=seqgen.SampleConfig(ban=("<end>",)),
        limit=seqgen.LimitConfig(length=LENGTH),
        candidates=1,
        batch_size=pieces,
    )
    return sum(len(piece.ids) for piece in written) / (time.perf_counter() - began)


def no_features(codec: seqgen.Codec, ids: np.ndarray) -> np.ndarray:
    """Return features of value 0 for every position, for pieces without a tracker."""
    return np.zeros((len(ids) + 1, len(codec.feature_sizes)), np.int64)


def ratios(run: seqgen.Run, free: seqgen.Run, condition: str | None) -> dict[str, Any]:
    """Return the speeds with and without a tracker, and their ratio, by number of pieces."""
    found = {}
    for pieces in PIECES:
        pairs = [
            (tokens_per_second(run, pieces, condition), tokens_per_second(free, pieces, None))
            for _ in range(TIMES + 1)
        ][1:]  # the first may compile
        tracked, untracked = (max(speeds) for speeds in zip(*pairs, strict=True))
        found[str(pieces)] = {
            "ratio": tracked / untracked,
            "tracked": tracked,
            "untracked": untracked,
        }
    return found


def main() -> None:
    only = {"only": {"default": ";".join(KINDS), "help": "codecs to measure"}}
    benchmark = Benchmark("tracked_speed", "times the speed without a tracker", 0.05, only)
    torch.set_num_threads(1)
    results = {}
    for name in benchmark.given.only.split(";"):
        kind = KINDS[name]
        with tempfile.TemporaryDirectory() as folder:
            run = trained(benchmark, kind, Path(folder))
            free = seqgen.load(run.folder)
            free.codec.tracker = lambda condition=None: None
            free.codec.masks = lambda ids: None
            writer.label_features = prompts.label_features = no_features
            results[name] = ratios(run, free, kind.condition)
        benchmark.say(f"{name}: {results[name]}")
    lowest = min(each["ratio"] for found in results.values() for each in found.values())
    benchmark.finish(lowest, {"without tracker": 1.0}, codecs=results)


if __name__ == "__main__":
    main()
