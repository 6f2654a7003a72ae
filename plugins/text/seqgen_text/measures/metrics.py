"""Metrics of texts, both generated and of a corpus.

Shares are between 0 and 1. NaN means that a piece has too few words. Of a long piece only the first
`LONGEST` characters are measured, and shares that depend on the length are means over windows of
`WINDOW` words. A word is as in `seqgen_text.codecs.word_parts`, in lower case.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Metric
from seqgen_text.codecs.word_parts import split
from seqgen_text.measures.parsing import measure_parsing

#: Characters measured of a piece.
LONGEST = 2**16

#: Words of a window.
WINDOW = 200

#: Where sentences end: at a mark before a blank or the end, and at an empty line. A long run of
#: marks is looked at once, from its beginning.
SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?:\s+|$)|[。！？]+|\n\s*\n")


def measure(generated: Sequence[str], reference: Iterable[str]) -> dict[str, Metric]:
    """Return all metrics of both sides by name."""
    new = [*generated]
    # The text itself is kept only as far as it is measured.
    old, lengths = [], []
    for piece in reference:
        old.append(piece[:LONGEST])
        lengths.append(len(piece))
    sides = [[piece[:LONGEST] for piece in new], old]
    words = [[words_of(piece) for piece in side] for side in sides]
    found = {"length": Metric("characters", _values(new, len), np.array(lengths, np.float64))}
    for name, (unit, of) in OF_TEXTS.items():
        found[name] = Metric(unit, _values(sides[0], of), _values(sides[1], of))
    for name, share in OF_WORDS.items():
        found[name] = Metric("", _values(words[0], share), _values(words[1], share))
    found |= {"words of the corpus": Metric("", *shares_of_known(*words))}
    return found | measure_parsing(*sides)


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return [word.lower() for _, word in split(text) if word]


def words_per_sentence(text: str) -> float:
    """Return the mean number of words in a sentence that has words."""
    return _mean([len(words_of(each)) for each in SENTENCE_END.split(text)])


def line_length(text: str) -> float:
    """Return the mean number of characters in a line that is not empty."""
    return _mean([len(line) for line in text.split("\n")])


def longest_run(text: str) -> float:
    """Return how often one character is repeated in a row, at most."""
    return float(max((len([*run]) for _, run in groupby(text)), default=0))


def distinct(words: Sequence[str], count: int) -> float:
    """Return the share of runs of `count` words that differ (distinct-n, Li et al., NAACL 2016)."""
    shares = []
    for first in range(0, max(len(words) - WINDOW, 0) + 1, WINDOW):
        window = words[first : first + WINDOW]
        runs = [*zip(*(window[start:] for start in range(count)), strict=False)]
        shares.append(len(set(runs)) / len(runs) if runs else np.nan)
    return float(np.mean(shares))


def repeated(words: Sequence[str], count: int) -> float:
    """Return the share of runs of `count` words that occurred before in their window."""
    return 1 - distinct(words, count)


def shares_of_known(
    generated: Sequence[Sequence[str]], reference: Sequence[Sequence[str]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the share of words in each piece that the reference pieces have.

    A word of a reference piece counts if another piece, or the other half of this one, has it: else
    all would count.
    """
    places: Counter[str] = Counter()
    for words in reference:
        middle = len(words) // 2
        places.update({*words[:middle]})
        places.update({*words[middle:]})
    return (
        _values(generated, lambda words: _share([places[word] > 0 for word in words])),
        _values(reference, lambda words: _share([places[word] > 1 for word in words])),
    )


def _values(
    pieces: Sequence[str] | Sequence[Sequence[str]], of: Callable[..., float]
) -> NDArray[np.float64]:
    return np.array([of(piece) for piece in pieces], np.float64)


def _mean(lengths: Iterable[int]) -> float:
    """Return the mean of the lengths above 0, or NaN."""
    kept = [length for length in lengths if length]
    return float(np.mean(kept)) if kept else np.nan


def _share(flags: Sequence[bool]) -> float:
    return float(np.mean(flags)) if flags else np.nan


#: Unit and measure of each metric of a text.
OF_TEXTS: dict[str, tuple[str, Callable[[str], float]]] = {
    "words per sentence": ("words", words_per_sentence),
    "line length": ("characters", line_length),
    "longest run": ("characters", longest_run),
}

#: The measure of each metric of words, which are shares.
OF_WORDS: dict[str, Callable[[Sequence[str]], float]] = {
    "distinct words": partial(distinct, count=1),
    "distinct pairs of words": partial(distinct, count=2),
    "repeated 4-grams of words": partial(repeated, count=4),
}
