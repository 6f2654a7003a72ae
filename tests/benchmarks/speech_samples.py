"""Spoken digits sample by sample: bits per sample on the test takes, as recorded.

Data: ``speech/fsdd/DIGIT_SPEAKER_TAKE.wav``, 8 kHz. Takes 10 to 48 are learned, take 49 is for
validation, 5 to 9 are the test. The codec is ``mulaw`` (256 levels), all settings are automatic,
and the ends of recordings count. Baselines: linear prediction alone, and n-gram counts of the
codec's tokens. Also reported: seconds of new sound per second of one core. ``--out`` keeps run, new
sounds and a page.
"""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path

import numpy as np
from harness import BY_TOKENS, Benchmark
from seqgen_speech.domain import Speech
from seqgen_speech.measures.likelihood import linear_bits
from seqgen_speech.sound import Sound

import seqgen
from seqgen.evaluation.ngram import baseline
from seqgen.report.page import write_page
from seqgen.report.samples import write_samples

TAKES = {"train": range(10, 49), "valid": range(49, 50), "test": range(5, 10)}

#: New sounds to look at, and samples of the one that is timed.
NEW, TIMED = 8, 40_000


def recordings(folder: Path) -> dict[str, list[Sound]]:
    """Return the recordings of each split."""
    paths = {
        split: [path for take in takes for path in sorted(folder.glob(f"*_{take}.wav"))]
        for split, takes in TAKES.items()
    }
    return {
        split: [piece for path in paths[split] for piece in Speech().read(path)] for split in TAKES
    }


def main() -> None:
    options = {"out": {"type": Path, "help": "keep run, sounds and page in this folder"}}
    benchmark = Benchmark("speech_samples", "bits per sample, test", 10.0, BY_TOKENS | options)
    data = recordings(benchmark.data / "speech/fsdd")
    with tempfile.TemporaryDirectory() as temporary:
        out = benchmark.given.out or Path(temporary)
        corpus = seqgen.write_corpus(out / "corpus", "speech", data, codec="mulaw")
        config = seqgen.TrainConfig(seed=benchmark.seed, **benchmark.budget)
        run = seqgen.create_run(out / "run", corpus, None, config)
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)
        if benchmark.given.out:
            new = list(seqgen.generate(run, NEW, seed=benchmark.seed))
            write_page(run, write_samples(run, new, out / "sounds", ".wav"), out / "index.html")
        counts = baseline(corpus)
        test = [corpus.codec.encode(sound) for sound in data["test"]]
        samples = sum(map(len, test))
        counted = sum(float(counts.model.losses(ids).sum()) for ids in test)
        benchmark.finish(
            network_nats(run, test) / samples / math.log(2),
            baselines={
                "linear prediction": linear_bits(data["test"], corpus.codec.options.rate),
                f"{counts.order}-gram": counted / samples / math.log(2),
            },
            real_time_factor=real_time_factor(run),
            chosen=run.info["plan"],
            tokens=report.tokens,
            tokens_per_second=report.tokens / report.seconds,
        )


def network_nats(run: seqgen.Run, pieces: list[np.ndarray]) -> float:
    """Return the nats of pieces with their ends."""
    nats, end = 0.0, len(run.codec.vocab)
    rows = seqgen.NetworkPredictor(run).log_probabilities(iter(pieces))
    for ids, found in zip(pieces, rows, strict=True):
        nats -= float(found[np.arange(len(ids) + 1), np.append(ids, end)].sum())
    return nats


def real_time_factor(run: seqgen.Run) -> float:
    """Return the seconds of sound that a second of one core makes; ends do not stop it."""
    sample = seqgen.SampleConfig(ban=("<end>",))
    for length in (100, TIMED):  # the first call compiles
        began = time.process_time()
        list(seqgen.generate(run, 1, sample=sample, limit=seqgen.LimitConfig(length=length)))
    return TIMED / run.codec.options.rate / (time.process_time() - began)


if __name__ == "__main__":
    main()
