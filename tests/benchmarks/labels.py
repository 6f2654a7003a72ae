"""How often new pieces sound, read or look like the label that was asked for.

Three corpora with a label each: choral pieces of music21's corpus by composer (`multitrack`),
headlines by site (`characters`), and the demo's lines of handwriting by writer (`points`). A naive
Bayes classifier learns pairs of neighbouring tokens from the training pieces. It knows neither the
model nor the label tokens. It then names the label of held-out pieces and of new ones. The figure
is the lowest ratio, of the three, of the share of new pieces that it recognises to chance.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness import BY_TOKENS, Benchmark
from numpy.typing import NDArray

import seqgen
from seqgen.conditions.labels import Labelled
from seqgen.conditions.unlabelled import unlabelled, without_labels

COMPOSERS, PIECES_OF_ONE = ("bach", "monteverdi", "palestrina", "trecento"), 60

#: Files of headlines, all of one site.
SITES = {
    "hacker_news": "hacker_news_2000.txt",
    "politics": "reddit_rarepuppers_politics_2000_context.csv",
    "rarepuppers": "reddit_rarepuppers_politics_2000_context.csv",
}

#: New pieces for all values together, and the largest number of values that are asked for.
NEW, MOST_VALUES = 120, 12

#: Cells that pairs of tokens are hashed into, and what is added to every count.
CELLS, SMOOTHING = 2**14, 0.1


class NaiveBayes:
    """A multinomial naive Bayes classifier of pairs of neighbouring tokens.

    Parameters
    ----------
    pieces : sequence of (int64 array (N,), str)
        Ids and label of each training piece.
    """

    def __init__(self, pieces: Sequence[tuple[NDArray[np.int64], str]]) -> None:
        self.values = sorted({value for _, value in pieces})
        counts = np.full((len(self.values), CELLS), SMOOTHING)
        for ids, value in pieces:
            np.add.at(counts[self.values.index(value)], self._cells(ids), 1)
        self._weights = np.log(counts / counts.sum(axis=1, keepdims=True))  # (values, CELLS)

    @staticmethod
    def _cells(ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return (ids[:-1] * 8191 + ids[1:]) % CELLS

    def value_of(self, ids: NDArray[np.int64]) -> str:
        """Return the most likely value of a piece ``(N,)``."""
        return self.values[int(self._weights[:, self._cells(ids)].sum(axis=1).argmax())]

    def share(self, pieces: Iterable[tuple[NDArray[np.int64], str]]) -> float:
        """Return the share of pieces whose value is recognised."""
        return float(np.mean([self.value_of(ids) == value for ids, value in pieces]))


def pieces_of(corpus: seqgen.Corpus, split: str) -> list[tuple[NDArray[np.int64], str]]:
    """Return the codec's ids and the label of each piece of a split that has one."""
    [label] = corpus.codec.labels
    found = []
    for segment in corpus.segments(split):
        ids = np.asarray(corpus.piece(segment.piece), np.int64)
        value = corpus.vocab.names[ids[0]].partition("=")[2]
        if value in label.values:
            found.append((without_labels(corpus.codec, ids[: segment.stop]), value))
    return found


def prepare_composers(benchmark: Benchmark, folder: Path) -> None:
    """Prepare the choral pieces."""
    from music21 import corpus

    paths = [
        path
        for composer in COMPOSERS
        for path in sorted(corpus.getComposer(composer))[:PIECES_OF_ONE]
    ]
    labels = {"composer": lambda path: path.parent.name}
    seqgen.prepare("music", paths, folder, codec="multitrack", labels=labels)


def prepare_sites(benchmark: Benchmark, folder: Path) -> None:
    """Prepare the headlines, from a table with the columns text and site."""
    rows = []
    for site, name in SITES.items():
        path = benchmark.data / "text" / "headlines" / name
        with path.open(encoding="utf-8", newline="") as file:
            if path.suffix == ".csv":
                found = [
                    row["title"] for row in csv.DictReader(file) if row["context_label"] == site
                ]
            else:
                found = [line.strip() for line in file]
        rows += [(title, site) for title in found]
    table = folder.with_suffix(".csv")
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "site"), *rows])
    seqgen.prepare("text", [table], folder, labels={"site": ""})


def prepare_writers(benchmark: Benchmark, folder: Path) -> None:
    """Prepare the lines of the demo."""
    files = seqgen.load_domain("handwriting")[0].demo(folder.with_name("files"))
    seqgen.prepare("handwriting", files, folder, codec="points", labels={"writer": ""})


PREPARE = {"composer": prepare_composers, "site": prepare_sites, "writer": prepare_writers}


def measure(benchmark: Benchmark, name: str, folder: Path) -> dict[str, Any]:
    """Train a model on a corpus with the label, ask for each value, and classify."""
    PREPARE[name](benchmark, folder / name)
    corpus = seqgen.Corpus(folder / name)
    classifier = NaiveBayes(pieces_of(corpus, "train"))
    run = seqgen.create_run(
        folder / f"{name}-run", corpus, train=seqgen.TrainConfig(**benchmark.budget)
    )
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    values = classifier.values[:: max(len(classifier.values) // MOST_VALUES, 1)]
    written = []
    for value in values:
        condition = Labelled({name: value})
        for piece in seqgen.generate(run, NEW // len(values), condition=condition, seed=1):
            written.append((without_labels(run.codec, np.asarray(piece.ids)), value))
    unasked = [(piece.piece, "") for piece in seqgen.generate(run, 4, seed=2)]
    codec = unlabelled(run.codec)
    found = {
        "values": len(classifier.values),
        "asked for": values,
        "chance": 1 / len(classifier.values),
        "real pieces": classifier.share(pieces_of(corpus, "test")),
        "new pieces": classifier.share(written),
        "tokens": report.tokens,
    }
    benchmark.say(f"{name}: {found}")
    if name == "site":
        for ids, value in written[:: max(len(written) // 9, 1)]:
            benchmark.say(f"  {value}: {codec.decode(ids)}")
        benchmark.say(f"  any: {unasked}")
    return found


def lowest_ratio(results: Mapping[str, Mapping[str, Any]]) -> float:
    """Return the lowest ratio of the share of recognised new pieces to chance."""
    return min(found["new pieces"] / found["chance"] for found in results.values())


def main() -> None:
    options = BY_TOKENS | {"only": {"nargs": "*", "default": list(PREPARE), "help": "labels"}}
    benchmark = Benchmark("labels", "share of recognised new pieces over chance", 3.0, options)
    with tempfile.TemporaryDirectory() as place:
        results = {name: measure(benchmark, name, Path(place)) for name in benchmark.given.only}
    benchmark.finish(lowest_ratio(results), baselines={"chance": 1.0}, labels=results)


if __name__ == "__main__":
    main()
