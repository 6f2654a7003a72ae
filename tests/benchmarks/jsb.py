"""JSB chorales: test loss on the published split, in nats per token (a voice on a 16th).

Data: ``music/jsb/Jsb16thSeparated.json``. 229/76/77 pieces, raster soprano to bass, original keys,
notes scored without END, mean over all tokens. Training transposes. The baselines are interpolated
n-gram models of the same tokens: of the pieces as they are, and of sixteen transpositions of each,
drawn as training draws them. Validation chooses the order. "over variations" is the network, with
the probability of a piece averaged over all its transpositions within the pitches of the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from harness import Benchmark
from seqgen_music.codecs.chorale.raster import Raster

import seqgen
from seqgen.evaluation.ngram import NgramModel
from seqgen.run.results import read_reports


def pieces(path: Path) -> dict[str, list[object]]:
    """Read the splits as pieces of the music domain; -1 is silence in both."""
    splits = json.loads(path.read_text())
    return {split: [to_music(np.array(rows)) for rows in splits[split]] for split in splits}


def to_music(sounding: np.ndarray) -> object:
    begins = np.ones(sounding.shape, bool)
    begins[1:] = sounding[1:] != sounding[:-1]
    return Raster(sounding, begins, (4, 4), 0).to_music()


def ngram_baselines(corpus: seqgen.Corpus) -> dict[str, float]:
    """Return the test losses per note token, by name of the model."""
    ids = {
        split: [np.asarray(corpus.piece(s.piece), np.int64) for s in corpus.segments(split)]
        for split in ("train", "valid", "test")
    }
    rng = np.random.default_rng(0)
    transposed = [corpus.codec.augment(piece, rng) for piece in ids["train"] for _ in range(16)]
    baselines = {}
    for name, pieces in (("as they are", ids["train"]), ("transposed", transposed)):
        models = [NgramModel(corpus.vocab, order).fit(pieces) for order in (5, 6, 8, 9)]
        best = min(models, key=lambda model: note_loss(model, ids["valid"]))
        baselines[f"{best.order}-gram, {name}"] = note_loss(best, ids["test"])
    return baselines


def note_loss(model: NgramModel, pieces: list[np.ndarray]) -> float:
    """Return the mean loss per note token; END does not count."""
    return float(np.concatenate([model.losses(ids)[:-1] for ids in pieces]).mean())


def mean_loss(scores: Iterable[seqgen.Score]) -> float:
    """Return the mean nats of all tokens; END does not count."""
    found = list(scores)
    return sum(each.nats for each in found) / sum(each.tokens for each in found)


def main() -> None:
    benchmark = Benchmark("jsb", "nats per token, test", minutes=10.0)
    data = pieces(benchmark.data / "music/jsb/Jsb16thSeparated.json")
    with benchmark.folder() as folder:
        corpus = benchmark.corpus(folder, "music", data, codec="chorale", options={"form": "grid"})
        baselines = ngram_baselines(corpus)
        config = seqgen.TrainConfig(minutes=benchmark.minutes, seed=benchmark.seed)
        run = benchmark.trained(folder, corpus, config)
        last = read_reports(run.folder)[-1]
        losses = {split: mean_loss(seqgen.score(run, data[split])) for split in ("valid", "test")}
        averaged = mean_loss(seqgen.score_over_variations(run, data["test"]))
    benchmark.finish(
        losses["test"],
        baselines={**baselines, "network, over variations": averaged},
        valid=losses["valid"],
        per_frame=4 * losses["test"],
        chosen=run.info["plan"],
        weights=sum(p.numel() for p in run.model.parameters()),
        tokens_per_second=last["tokens"] / last["seconds"],
    )


if __name__ == "__main__":
    main()
