"""Headlines by label: how often a classifier recognises the label of new titles, and of real ones.

Data: ``text/headlines``, five sources of 1,000 or 2,000 titles each. Of each source 65 % train the
model and 5 % choose its evaluation. A classifier that counts words (naive Bayes) learns from other
20 %, so titles that the model recites are no easier for it. The last 10 % choose nothing: on them
the classifier shows what it recognises in real titles. It then reads 100 new titles for each label.
The figure is the share of recognised new titles over that of real ones.
"""

from __future__ import annotations

import csv
import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from harness import BY_TOKENS, Benchmark

import seqgen
from seqgen.conditions.labels import Labelled

#: A title and its label.
Title: TypeAlias = tuple[str, str]

#: Label of each file; that of the table is in its second column.
FILES = {
    "hacker_news_2000.txt": "hacker_news",
    "reddit_apple_android_2000.txt": "phones",
    "reddit_relationshipadvice_legaladvice_2000.txt": "advice",
    "reddit_rarepuppers_politics_2000_context.csv": "",
}

#: Where the parts end, as shares of the titles of a source.
PARTS = {"train": 0.65, "valid": 0.7, "classifier": 0.9, "test": 1.0}

#: New titles for each label, and what is added to every count of a word.
NEW, SMOOTHING = 100, 0.5


class WordCounts:
    """A multinomial naive Bayes classifier that counts words.

    Parameters
    ----------
    titles : sequence of (str, str)
        Titles and their labels.
    """

    def __init__(self, titles: Sequence[Title]) -> None:
        counts: dict[str, Counter[str]] = {}
        for text, label in titles:
            counts.setdefault(label, Counter()).update(self._words(text))
        self.labels = sorted(counts)
        words = sorted(set().union(*counts.values()))
        self._rows = {word: row for row, word in enumerate(words)}
        table = np.array([[counts[label][word] for label in self.labels] for word in words])
        smooth = table + SMOOTHING  # (words, labels)
        self._weights = np.log(smooth / smooth.sum(axis=0))
        sizes = Counter(label for _, label in titles)
        self._prior = np.log([sizes[label] / len(titles) for label in self.labels])

    @staticmethod
    def _words(text: str) -> list[str]:
        return re.findall(r"\w+(?:['’]\w+)*", text.lower())

    def label_of(self, text: str) -> str:
        """Return the most likely label; unknown words do not count."""
        rows = [self._rows[word] for word in self._words(text) if word in self._rows]
        return self.labels[int((self._prior + self._weights[rows].sum(axis=0)).argmax())]

    def share(self, titles: Iterable[Title]) -> float:
        """Return the share of titles whose label is recognised; each label counts as much."""
        hits: dict[str, list[bool]] = {}
        for text, label in titles:
            hits.setdefault(label, []).append(self.label_of(text) == label)
        return float(np.mean([np.mean(each) for each in hits.values()]))


def real_titles(folder: Path) -> list[Title]:
    """Return all titles that differ, in the order of the files."""
    found: dict[str, str] = {}
    for name, label in FILES.items():
        with (folder / name).open(encoding="utf-8", newline="") as file:
            if name == "reddit_apple_android_2000.txt":  # Lines without quotes.
                rows = [[line.strip()] for line in file]
            else:
                rows = [*csv.reader(file)]
        for row in rows[1:]:
            if row and row[0].strip():
                found.setdefault(row[0].strip(), label or row[1])
    return [*found.items()]


def parts(titles: Sequence[Title], seed: int) -> dict[str, list[Title]]:
    """Return the titles of each part; every source has the same shares."""
    found: dict[str, list[Title]] = {name: [] for name in PARTS}
    for label in sorted({label for _, label in titles}):
        own = [title for title in titles if title[1] == label]
        random.Random(seed).shuffle(own)
        begin = 0
        for name, share in PARTS.items():
            end = round(share * len(own))
            found[name] += own[begin:end]
            begin = end
    return found


def prepare(split: Mapping[str, Sequence[Title]], folder: Path, codec: str) -> seqgen.Corpus:
    """Prepare the titles of training and validation from a table with their part."""
    table = folder / "titles.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = [(*title, part) for part in ("train", "valid") for title in split[part]]
        csv.writer(file).writerows([("title", "source", "part"), *rows])
    options: dict[str, Any] = {"codec": codec} if codec else {}
    labels = {"source": ""}
    corpus = folder / "corpus"
    seqgen.prepare("text", [table], corpus, labels=labels, split_label="part", **options)
    return seqgen.Corpus(corpus)


def written(run: seqgen.Run, labels: Sequence[str], seed: int) -> list[Title]:
    """Return new titles for each label."""
    return [
        (new.piece, label)
        for label in labels
        for new in seqgen.generate(run, NEW, condition=Labelled({"source": label}), seed=seed)
    ]


def main() -> None:
    options = BY_TOKENS | {"codec": {"default": "", "help": "the codec; by default the domain's"}}
    benchmark = Benchmark("headlines", "share of what is recognised in real titles", 10.0, options)
    split = parts(real_titles(benchmark.data / "text" / "headlines"), benchmark.seed)
    classifier = WordCounts(split["classifier"])
    with tempfile.TemporaryDirectory() as place:
        corpus = prepare(split, Path(place), benchmark.given.codec)
        config = seqgen.TrainConfig(**benchmark.budget, seed=benchmark.seed)
        run = seqgen.create_run(Path(place) / "run", corpus, train=config)
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)
        new = written(run, classifier.labels, benchmark.seed + 1)
        real, generated = classifier.share(split["test"]), classifier.share(new)
        known = {text for text, _ in split["train"]}
        for text, label in new[:: NEW // 5]:
            benchmark.say(f"  {label}: {text}")
        benchmark.finish(
            generated / real,
            baselines={"chance": 1 / len(classifier.labels) / real},
            codec=run.info["codec"]["name"],
            real=real,
            new=generated,
            by_label={
                label: {
                    side: classifier.share([each for each in titles if each[1] == label])
                    for side, titles in (("real", split["test"]), ("new", new))
                }
                for label in classifier.labels
            },
            copied=float(np.mean([text in known for text, _ in new])),
            tokens=report.tokens,
            sampling=run.sampling,
            chosen=run.info["plan"],
        )


if __name__ == "__main__":
    main()
