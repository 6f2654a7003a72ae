"""Codecs of text: bits per byte on the last twentieth of Tiny Shakespeare, at equal minutes.

Data: ``text/tinyshakespeare/input.txt``: the first 90 % for training, the next 5 % for validation,
the last 5 % as test, which chooses nothing. Each codec is trained for a third of the time with one
thread, or one alone (``--only``) for all of it; all other settings are automatic. On a busy machine
run one for each codec at once, so that all get the same share. The test text is one piece, read
from START with carried state. Beside each is the n-gram model whose order validation chose. The
figure is the best codec's.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

from harness import Benchmark

import seqgen
from seqgen.evaluation.ngram import baseline

CODECS = ("characters", "bytes", "words")


def measure(
    benchmark: Benchmark, codec: str, minutes: float, texts: dict[str, str], folder: Path
) -> dict[str, Any]:
    """Train a codec and return its losses on the test text."""
    pieces = {split: [text] for split, text in texts.items()}
    corpus = seqgen.write_corpus(folder / "corpus", "text", pieces, codec=codec)
    config = seqgen.TrainConfig(minutes=minutes, threads=1, seed=benchmark.seed)
    run = seqgen.create_run(folder / "run", corpus, train=config)
    counts = baseline(corpus)
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    [scored] = seqgen.score(run, [texts["test"]])
    size = len(texts["test"].encode())
    counted = counts.model.nats(run.codec.encode(texts["test"]))
    return {
        "bits per byte": scored.nats / size / math.log(2),
        f"bits per byte, {counts.order}-gram": counted / size / math.log(2),
        "nats per word": scored.nats / len(texts["test"].split()),
        "bytes per token": size / scored.tokens,
        "vocabulary": len(run.codec.vocab),
        "epochs": report.tokens / corpus.size("train"),
        "tokens_per_second": report.tokens / report.seconds,
        "chosen": run.info["plan"],
    }


def main() -> None:
    options = {"only": {"choices": CODECS, "help": "train this codec alone"}}
    benchmark = Benchmark("text_codecs", "bits per byte, test", 30.0, options)
    chosen = (benchmark.given.only,) if benchmark.given.only else CODECS
    text = (benchmark.data / "text/tinyshakespeare/input.txt").read_text("utf-8")
    trained, tested = int(0.9 * len(text)), int(0.95 * len(text))
    texts = {"train": text[:trained], "valid": text[trained:tested], "test": text[tested:]}
    minutes = benchmark.minutes / len(chosen)
    with tempfile.TemporaryDirectory() as folder:
        found = {
            codec: measure(benchmark, codec, minutes, texts, Path(folder) / codec)
            for codec in chosen
        }
    per_byte = {codec: one["bits per byte"] for codec, one in found.items()}
    best = min(per_byte, key=per_byte.__getitem__)
    benchmark.finish(per_byte.pop(best), baselines=per_byte, codec=best, codecs=found)


if __name__ == "__main__":
    main()
