"""Polyphonic music as sets of pitches: nats per frame on the splits of Boulanger-Lewandowski.

Data: ``music/polyphonic/Nottingham.mat`` and ``JSB_Chorales.mat``, read by SciPy (python -m pip
install scipy). A frame's loss is the sum over its tokens, an upper bound on the loss of its set. As
in the published figures the mean is over all frames of all test pieces except the first frame of
each. Half of the time goes to each of the two; the figure is Nottingham's.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from frames import CLOSE
from harness import Benchmark

import seqgen
from seqgen.evaluation.ngram import NgramModel

SETS = {"nottingham": "Nottingham.mat", "jsb": "JSB_Chorales.mat"}

#: Nats per frame of two networks in arXiv 1803.01271 (TCN), table 1.
PUBLISHED = {
    "nottingham": {"LSTM": 3.29, "TCN": 3.07},
    "jsb": {"LSTM": 8.45, "TCN": 8.10},
}


def announce(folder: Path) -> None:
    """Announce the plugin of `frames` as if it were installed."""
    metadata = folder / "frames-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: frames\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text("[seqgen]\nframes = frames\n")
    sys.path.append(str(folder))


def pieces(path: Path) -> dict[str, list[np.ndarray]]:
    """Read the splits."""
    try:
        from scipy.io import loadmat
    except ImportError:
        sys.exit("SciPy is needed to read this file: python -m pip install scipy")
    arrays = loadmat(path)
    return {
        split: [np.asarray(piece, bool) for piece in arrays[f"{split}data"][0]]
        for split in ("train", "valid", "test")
    }


def frame_loss(run: seqgen.Run, test: list[np.ndarray]) -> float:
    """Return the mean nats of all frames except the first of each piece."""
    whole = sum(score.nats for score in seqgen.score(run, test))
    first = sum(score.nats for score in seqgen.score(run, [piece[:1] for piece in test]))
    return (whole - first) / sum(len(piece) - 1 for piece in test)


def ngram_frame_loss(corpus: seqgen.Corpus) -> tuple[str, float]:
    """Return the same of the n-gram model that is best on validation, and its name."""
    ids = {
        split: [np.asarray(corpus.piece(s.piece), np.int64) for s in corpus.segments(split)]
        for split in seqgen.data.splits.SPLITS
    }
    models = [NgramModel(corpus.vocab, order).fit(ids["train"]) for order in (4, 6, 8, 10)]

    def loss(model: NgramModel, split: str) -> float:
        nats = frames = 0.0
        for piece in ids[split]:
            begin = int(np.argmax(piece == CLOSE)) + 1
            nats += model.losses(piece)[begin:-1].sum()
            frames += (piece == CLOSE).sum() - 1
        return float(nats / frames)

    best = min(models, key=lambda model: loss(model, "valid"))
    return f"{best.order}-gram", loss(best, "test")


def measure(benchmark: Benchmark, name: str, folder: Path) -> dict[str, Any]:
    """Train on one of the sets and return its losses."""
    data = pieces(benchmark.data / "music/polyphonic" / SETS[name])
    corpus = seqgen.write_corpus(folder / f"{name}-corpus", "frames", data)
    config = seqgen.TrainConfig(minutes=benchmark.minutes / len(SETS), seed=benchmark.seed)
    run = seqgen.create_run(folder / name, corpus, train=config)
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    baseline, loss = ngram_frame_loss(corpus)
    return {
        "test": frame_loss(run, data["test"]),
        "valid": frame_loss(run, data["valid"]),
        "baselines": {baseline: loss, **PUBLISHED[name]},
        "chosen": run.info["plan"],
        "tokens_per_second": report.tokens / report.seconds,
    }


def main() -> None:
    benchmark = Benchmark("polyphonic", "nats per frame, Nottingham test", minutes=10.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        announce(folder)
        found = {each: measure(benchmark, each, folder) for each in SETS}
    baselines = found["nottingham"].pop("baselines")
    benchmark.finish(found["nottingham"]["test"], baselines=baselines, **found)


if __name__ == "__main__":
    main()
