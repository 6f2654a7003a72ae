"""Codecs of text: bits per byte on the last tenth of a corpus, at equal cost.

The last 10 % are the test, which chooses nothing. A twentieth in the middle is for validation, and
each codec is trained with one thread on the rest. Characters that the training text does not have
become blanks. A text is one piece, read from START with carried state; headlines are one piece
a line. END counts, as one byte. Beside each codec is the n-gram model whose order validation chose.

All settings are automatic, and every training gets an equal share of the minutes. On a busy machine
count CPU time (``--cpu-time``).

Data: ``text/`` of the data folder. ``chinese`` is the unpacked Debian package manpages-zh
(``--chinese FOLDER``), without markup and without lines of fewer than five Chinese characters. The
figure is that of the best codec, as a mean over the corpora.
"""

from __future__ import annotations

import gzip
import math
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import Benchmark

import seqgen
from seqgen.evaluation.ngram import baseline

CODECS = ("characters", "bytes", "subwords", "words")

#: Characters read of each corpus.
SIZE = 1_200_000

Pieces = Mapping[str, Sequence[str]]


def one(name: str) -> Callable[[Path], str]:
    """Return the reader of one file."""
    return lambda data: (data / "text" / name).read_text("utf-8")


def headlines(data: Path) -> str:
    """Return all titles, a line each, mixed."""
    paths = sorted((data / "text/headlines").glob("*_2000.txt"))
    files = [path.read_text("utf-8").splitlines()[1:] for path in paths]
    mixed = [line for row in zip(*files, strict=False) for line in row]
    return "\n".join(filter(None, mixed))


def chinese(folder: Path) -> str:
    """Return the running text of Chinese man pages."""
    lines = []
    for path in sorted(folder.glob("**/zh_CN/man1/*.gz")):
        for line in gzip.decompress(path.read_bytes()).decode("utf-8").splitlines():
            plain = re.sub(r"\\f\w|\\[&,/]|\\", "", line)
            if not line.startswith((".", "'")) and len(re.findall("[一-鿿]", plain)) >= 5:
                lines.append(plain)
    return "\n".join(lines)


READERS: dict[str, Callable[[Path], str]] = {
    "prose": one("tinyshakespeare/input.txt"),
    "ptb": one("ptb/train.txt"),
    "c": one("c-source/stb.txt"),
    "latex": one("latex-stacks/stacks.txt"),
    "markup": one("wiki-markup/enwiki-head.txt"),
    "headlines": headlines,
    "chinese": chinese,
}


def split(name: str, text: str) -> Pieces:
    """Return training, validation and test pieces.

    The text before the test is trained on: in Tiny Shakespeare it is the same play.
    """
    text = text[:SIZE]
    cuts = [int(share * len(text)) for share in (0.45, 0.5, 0.9)]
    if name == "headlines":
        cuts = [text.rindex("\n", 0, cut) + 1 for cut in cuts]
    first, second, tested = cuts
    known = set(text[:first]) | set(text[second:tested])
    text = "".join(each if each in known else " " for each in text)
    parts = {
        "train": [text[:first], text[second:tested]],
        "valid": [text[first:second]],
        "test": [text[tested:]],
    }
    if name != "headlines":
        return parts
    return {each: [line for part in of for line in part.splitlines()] for each, of in parts.items()}


def measure(
    benchmark: Benchmark, codec: str, pieces: Pieces, minutes: float, folder: Path
) -> dict[str, Any]:
    """Train a codec and return its losses on the test pieces."""
    began = time.process_time()
    corpus = seqgen.write_corpus(folder / "corpus", "text", pieces, codec=codec)
    prepared = time.process_time() - began
    config = seqgen.TrainConfig(minutes=minutes, threads=1, seed=benchmark.seed)
    run = seqgen.create_run(folder / "run", corpus, train=config)
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    counts = baseline(corpus)
    scores = list(seqgen.score(run, pieces["test"]))
    size = sum(len(piece.encode()) + 1 for piece in pieces["test"])
    bits = sum(score.nats + score.end_nats for score in scores) / size / math.log(2)
    counted = sum(counts.model.nats(run.codec.encode(piece)) for piece in pieces["test"])
    return {
        "bits per byte": round(bits, 4),
        "n-gram": round(counted / size / math.log(2), 4),
        "order": counts.order,
        "nats per word": sum(score.nats for score in scores)
        / sum(len(piece.split()) for piece in pieces["test"]),
        "bytes per token": size / sum(score.tokens + 1 for score in scores),
        "vocabulary": len(run.codec.vocab),
        "epochs": report.tokens / corpus.size("train"),
        "CPU seconds to prepare": prepared,
        "tokens_per_second": report.tokens / report.seconds,
        "hidden": run.model_config.hidden,
    }


def main() -> None:
    options: dict[str, Any] = {
        "only": {"choices": CODECS, "nargs": "+", "default": CODECS, "help": "these codecs"},
        "corpora": {
            "choices": READERS,
            "nargs": "+",
            "default": ["prose"],
            "help": "these corpora",
        },
        "chinese": {"type": Path, "help": "the unpacked package manpages-zh"},
    }
    benchmark = Benchmark("text_codecs", "bits per byte, test", 40.0, options)
    given = benchmark.given
    minutes = benchmark.minutes / len(given.only) / len(given.corpora)
    found: dict[str, dict[str, Any]] = {}
    for name in given.corpora:
        source = given.chinese if name == "chinese" else benchmark.data
        pieces = split(name, READERS[name](source))
        for codec in given.only:
            with tempfile.TemporaryDirectory() as folder:
                one = measure(benchmark, codec, pieces, minutes, Path(folder))
            found.setdefault(name, {})[codec] = one
            benchmark.say(f"{name} {codec}: {one}")
    means = {
        codec: statistics.mean(each[codec]["bits per byte"] for each in found.values())
        for codec in given.only
    }
    best = min(means, key=means.__getitem__)
    benchmark.finish(means.pop(best), baselines=means, codec=best, corpora=found)


if __name__ == "__main__":
    main()
