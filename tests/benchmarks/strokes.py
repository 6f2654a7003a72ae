"""Shared by the benchmarks of drawings: stroke-3 data of sketch-rnn, and the figure.

The figure is soft nats per point at 1 % of the median side, on the test split: the next point,
whether the pen was lifted, and the end of the drawing; the first point is given.
docs/handwriting.md describes the count. Baselines are counts of the same tokens. ``--out`` keeps
the run, and thirty new drawings as pictures and on a page.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from harness import Benchmark
from seqgen_handwriting.files.stroke3 import drawings_in
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.likelihood import cell_nats, soft_nats

import seqgen
from seqgen.evaluation.ngram import NgramModel, baseline
from seqgen.report.page import write_page
from seqgen.report.samples import write_samples

SPLITS = ("train", "valid", "test")

#: New drawings to look at.
NEW = 30


def drawings(path: Path) -> dict[str, list[Ink]]:
    """Read the splits as our reader does, without trusting the pickles in these files."""
    found: dict[str, list[Ink]] = {}
    with zipfile.ZipFile(path) as archive:
        for split in SPLITS:
            inks = list(drawings_in(archive, f"{split}.npy"))
            found[split] = [ink for ink in inks if isinstance(ink, Ink)]
            if len(found[split]) < len(inks):
                sys.exit(f"{path}: {len(inks) - len(found[split])} drawings cannot be read")
    return found


def measure(name: str, file: str) -> None:
    """Train on one of the data sets and print the result."""
    options = {"out": {"type": Path, "help": "keep run, pictures and page in this folder"}}
    benchmark = Benchmark(name, "soft nats per point at 1 % of the side, test", 10.0, options)
    data = drawings(benchmark.data / "strokes/sketch-rnn" / file)
    with tempfile.TemporaryDirectory() as temporary:
        out = benchmark.given.out or Path(temporary)
        corpus = seqgen.write_corpus(out / "corpus", "handwriting", data, codec="points")
        config = seqgen.TrainConfig(minutes=benchmark.minutes, seed=benchmark.seed)
        run = seqgen.create_run(out / "run", corpus, None, config)
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)
        if benchmark.given.out:
            new = list(seqgen.generate(run, NEW, seed=benchmark.seed))
            write_page(run, write_samples(run, new, out / "drawings", ".svg"), out / "index.html")
        found = soft_nats(run.codec, seqgen.NetworkPredictor(run, grammar=False), data["test"])
        benchmark.finish(
            found.soft_per_point,
            baselines=floors(corpus, data["test"]),
            hard=found.hard_per_point,
            per_drawing=found.soft_per_drawing,
            points_per_drawing=found.points / found.drawings,
            error_percent=corpus.codec.error,
            chosen=run.info["plan"],
            tokens_per_second=report.tokens / report.seconds,
        )


def floors(corpus: seqgen.Corpus, test: list[Ink]) -> dict[str, float]:
    """Return the nats per point that counting achieves on the test split."""
    codec = corpus.codec
    train = [np.asarray(corpus.piece(each.piece), np.int64) for each in corpus.segments("train")]
    soft = soft_nats(codec, NgramModel(corpus.vocab, 2).fit(train), test)
    best, cells = baseline(corpus), cell_nats(codec.steps)
    hard = 0.0
    for ids in map(codec.encode, test):
        hard += cells[ids].sum() + best.model.losses(ids).sum()
    return {
        "bigram, soft": soft.soft_per_point,
        "bigram, hard": soft.hard_per_point,
        f"{best.order}-gram, hard": float(hard) / soft.points,
    }
