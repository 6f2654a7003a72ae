"""JSB chorales: test loss on the published split, in nats per token (a voice on a 16th).

Data: ``music/jsb/Jsb16thSeparated.json``. 229/76/77 pieces, raster soprano to bass, original
keys, notes scored without END, mean over all tokens. Training transposes. The baseline is an
interpolated n-gram model of the same tokens, not transposed, its order chosen on validation.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from harness import Benchmark
from seqgen_music.raster import Raster

import seqgen
from seqgen.ngram import NgramModel

MODEL = seqgen.ModelConfig()


def pieces(path: Path) -> dict[str, list[object]]:
    """Read the splits as pieces of the music domain; -1 is silence there and here."""
    splits = json.loads(path.read_text())
    return {split: [to_music(np.array(rows)) for rows in splits[split]] for split in splits}


def to_music(sounding: np.ndarray) -> object:
    begins = np.ones(sounding.shape, bool)
    begins[1:] = sounding[1:] != sounding[:-1]
    return Raster(sounding, begins, (4, 4), 0).to_music()


def ngram_losses(corpus: seqgen.Corpus) -> tuple[int, dict[str, float]]:
    """Return the best order on validation, and its losses per note token."""
    ids = {
        split: [np.asarray(corpus.piece(s.piece), np.int64) for s in corpus.segments(split)]
        for split in ("train", "valid", "test")
    }
    results = {}
    for order in (5, 7, 9, 11):
        model = NgramModel(corpus.vocab, order).fit(ids["train"])
        losses = {
            split: np.concatenate([-model.log_probabilities(piece)[:-1] for piece in ids[split]])
            for split in ("valid", "test")
        }
        results[order] = {split: float(nats.mean()) for split, nats in losses.items()}
    best = min(results, key=lambda order: results[order]["valid"])
    return best, results[best]


def main() -> None:
    benchmark = Benchmark("jsb", "nats per token, test", minutes=5.0)
    data = pieces(benchmark.data / "music/jsb/Jsb16thSeparated.json")
    with tempfile.TemporaryDirectory() as folder:
        corpus = seqgen.write_corpus(
            Path(folder) / "corpus", "music", data, codec="chorale", options={"form": "grid"}
        )
        order, ngram = ngram_losses(corpus)
        config = seqgen.TrainConfig(minutes=benchmark.minutes, seed=benchmark.seed)
        run = seqgen.create_run(Path(folder) / "run", corpus, MODEL, config)
        for report in run.train(corpus):
            benchmark.watch(report)
        losses = {}
        for split in ("valid", "test"):
            scores = list(seqgen.score(run, data[split]))
            losses[split] = sum(s.nats for s in scores) / sum(s.tokens for s in scores)
    benchmark.finish(
        losses["test"],
        baselines={f"{order}-gram": ngram["test"]},
        valid=losses["valid"],
        per_frame=4 * losses["test"],
        weights=sum(p.numel() for p in run.model.parameters()),
        tokens_per_second=report.tokens / report.seconds,
    )


if __name__ == "__main__":
    main()
