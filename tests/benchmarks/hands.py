"""Whose hand it is: the share of pieces whose writer a classifier recognises.

A model learns the demo's lines as in ``sentence.py``. Then it goes on after one line of each of 20
writers that it has not seen (``--prompt``), each time with another sentence. A classifier that has
learned real lines of these writers says whose hand the new sentence is, by slant, width, size,
joins and curves. Baselines are chance, the classifier on real lines that it has not seen, and new
sentences without a prompt.

``one_hand`` asks for the 24 writers of the demo by label. It is the share of pieces in which all
words are printed, or all are joined, as this writer does it. A reader of letters
(`seqgen_handwriting.measures.legibility`) says of each small letter whether it is printed, and the
majority of its letters decides about a word.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from string import ascii_lowercase
from typing import Any, NamedTuple, Self

import numpy as np
from harness import BY_TOKENS, Benchmark
from numpy.typing import NDArray
from sentence import LENGTH, SENTENCES, demo_splits, labelled
from seqgen_handwriting.demo import WRITERS, Writer, demo_texts, write_line
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.legibility import Reader

import seqgen

#: Writers that no model has seen, and sentences that each of them is asked for.
NEW_WRITERS, EACH = range(200, 220), 3

#: Real lines of each writer from which the classifier learns, and others that it is tried on.
LEARNED, TRIED = 40, 10

#: The line that shows a hand.
SAMPLE = "The quick brown fox jumps over the lazy dog."

#: Directions of ink that are told apart.
DIRECTIONS = 12

#: The small letters, all called p for printed or j for joined.
SMALL = {style: str.maketrans(ascii_lowercase, style * 26) for style in "pj"}

Rows = NDArray[np.float64]


class Classifier(NamedTuple):
    """Linear discriminant analysis: the nearest mean, in units of the spread within classes.

    Attributes
    ----------
    means : float64 array (C, F)
    weights : float64 array (F, F)
        Features times these have a spread of one.
    """

    means: Rows
    weights: Rows

    @classmethod
    def learn(cls, classes: Sequence[Sequence[Ink]]) -> Self:
        """Learn from the pieces of each class."""
        rows = [np.stack([features(ink) for ink in inks]) for inks in classes]
        means = np.stack([each.mean(axis=0) for each in rows])
        off = np.concatenate([each - mean for each, mean in zip(rows, means, strict=True)])
        spread = off.T @ off / len(off) + 1e-4 * np.eye(off.shape[1])
        values, vectors = np.linalg.eigh(spread)
        weights = vectors / np.sqrt(values)
        return cls(means @ weights, weights)

    def recognise(self, ink: Ink) -> int:
        """Return the number of the nearest class."""
        return int(((self.means - features(ink) @ self.weights) ** 2).sum(axis=1).argmin())


def features(ink: Ink) -> NDArray[np.float64]:
    """Return shares of directions, width and height of letters, strokes per letter, and length."""
    steps = np.concatenate([np.diff(stroke, axis=0) for stroke in ink.strokes])
    lengths = np.hypot(*steps.T)
    sectors = (np.arctan2(steps[:, 1], steps[:, 0]) % np.pi / np.pi * DIRECTIONS).astype(int)
    shares = np.bincount(sectors % DIRECTIONS, lengths, DIRECTIONS) / max(lengths.sum(), 1e-9)
    points, letters = np.concatenate(ink.strokes), max(len(ink.text.replace(" ", "")), 1)
    extents = np.ptp(points, axis=0) + 1e-9
    height = np.percentile(points[:, 1], 90) - np.percentile(points[:, 1], 10) + 1e-9
    per_letter = (extents[0] / letters, height, lengths.sum() / letters + 1e-9)
    return np.array([*shares, *np.log(per_letter), len(ink.strokes) / letters])


def real_lines(writers: Iterable[int], first: int, count: int) -> list[list[Ink]]:
    """Return lines of writers, from line `first` on; none of them is in the demo."""
    texts = list(islice(demo_texts(), first, first + count))
    return [
        [write_line(text, Writer.number(writer), first + at) for at, text in enumerate(texts)]
        for writer in writers
    ]


def sentences_of(run: seqgen.Run, seed: int, with_prompt: bool) -> Iterator[tuple[int, Ink]]:
    """Yield the class of each new writer and a sentence in that hand, or in any hand."""
    limit = seqgen.LimitConfig(length=LENGTH)
    for number, writer in enumerate(NEW_WRITERS):
        sample = write_line(SAMPLE, Writer.number(writer), seed)
        for sentence in SENTENCES[number % 8 :: len(SENTENCES) // EACH][:EACH]:
            options: dict[str, Any] = {"prompt": sample} if with_prompt else {}
            options |= {"condition": sentence, "limit": limit, "seed": seed + number}
            for new in seqgen.generate(run, 1, **options):
                yield number, part_of(new.piece, len(new.piece.text) - len(sentence), sentence)


def part_of(ink: Ink, begin: int, text: str) -> Ink:
    """Return the ink of a text that begins at letter `begin`, without its letters."""
    assert ink.letters is not None
    inside = [(begin <= each) & (each < begin + len(text)) for each in ink.letters]
    strokes = [stroke[kept] for stroke, kept in zip(ink.strokes, inside, strict=True) if kept.any()]
    return Ink(tuple(strokes), text)


def in_style(ink: Ink, style: str) -> Ink:
    """Return ink whose small letters are called by their style, and all others blanks."""
    return replace(ink, text=re.sub("[^a-z]", " ", ink.text).translate(SMALL[style]))


def is_one_hand(reader: Reader, ink: Ink, style: str) -> bool:
    """Return whether most small letters of every word have a style."""
    called = in_style(ink, style)
    words = zip(called.text.split(), reader.read(called).split(), strict=True)
    return all(read.count(style) * 2 > len(word) for word, read in words if len(word) > 2)


def one_hand(run: seqgen.Run, seed: int) -> dict[str, float]:
    """Return the share of pieces whose words are all printed, or all joined, as was asked for.

    Of new pieces, and of the same sentences in the fonts.
    """
    hands = [Writer.number(number) for number in range(WRITERS)]
    styles = ["p" if hand.alphabet == "print" else "j" for hand in hands]
    lines = real_lines(range(WRITERS), 10_000, 60)
    reader = Reader.learn(
        in_style(line, style) for style, each in zip(styles, lines, strict=True) for line in each
    )
    limit = seqgen.LimitConfig(length=LENGTH)
    right: dict[str, list[bool]] = {"new": [], "in the fonts": []}
    for number, (hand, style) in enumerate(zip(hands, styles, strict=True)):
        asked = seqgen.Labelled({"writer": hand.name}, SENTENCES[number])
        [new] = seqgen.generate(run, 1, condition=asked, limit=limit, seed=seed + number)
        real = write_line(SENTENCES[number], hand, 10**6 + number)
        right["new"].append(is_one_hand(reader, new.piece, style))
        right["in the fonts"].append(is_one_hand(reader, real, style))
    return {name: float(np.mean(each)) for name, each in right.items()}


def main() -> None:
    benchmark = Benchmark("hands", "share of pieces whose writer is recognised", 3.0, BY_TOKENS)
    with benchmark.folder() as folder, tempfile.TemporaryDirectory() as temporary:
        splits = demo_splits(Path(temporary) / "demo")
        pieces = {split: labelled(lines) for split, lines in splits.items()}
        corpus = benchmark.corpus(folder, "handwriting", pieces, codec="points")
        config = seqgen.TrainConfig(seed=benchmark.seed, **benchmark.budget)
        run = benchmark.trained(folder, corpus, config)

        classifier = Classifier.learn(real_lines(NEW_WRITERS, 5000, LEARNED))
        tried = real_lines(NEW_WRITERS, 6000, TRIED)
        shares = {
            "real lines": np.mean(
                [classifier.recognise(ink) == at for at, inks in enumerate(tried) for ink in inks]
            )
        }
        for name, with_prompt in (("new", True), ("without a prompt", False)):
            new = sentences_of(run, benchmark.seed, with_prompt)
            shares[name] = np.mean([classifier.recognise(ink) == number for number, ink in new])
        figures = {name: float(share) for name, share in shares.items()}
        benchmark.finish(
            figures.pop("new"),
            baselines={"chance": 1 / len(NEW_WRITERS)} | figures,
            one_hand=one_hand(run, benchmark.seed),
            valid_loss=run.info["result"]["valid_loss"],
            chosen=run.info["plan"],
        )


if __name__ == "__main__":
    main()
