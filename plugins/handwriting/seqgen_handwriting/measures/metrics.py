"""Measures of new ink and of a corpus; NaN where a piece has no value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from seqgen.plugin import Metric
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.legibility import Judged, judged

#: Kinds of letters, which a model learns at different times, and their members.
KINDS: dict[str, Callable[[str], bool]] = {
    "small letters": str.islower,
    "capitals": str.isupper,
    "digits": str.isdigit,
    "other letters": lambda letter: letter.isalpha() and letter.lower() == letter.upper(),
    "marks": lambda letter: not letter.isalnum(),
}

#: Kinds that begin a made-up word; the others end it, as a comma does.
FIRST_IN_WORD = {"small letters", "capitals"}

#: Sentences that a model has to write, if it knows all their letters.
SENTENCES = (
    "the quick brown fox",
    "jumps over a lazy dog",
    "pack my box with jugs",
    "Every Good Boy Asks Why",
    "Zoe and Max, in Queens",
    "call 01 234 56 789.",
    "in 1984; or in 2026?",
)

#: Small letters without ascenders and descenders: they show the size of a line.
LOW = "aceimnorsuvwxz"

#: Small letters in a made-up word; limits of the letters of a line and of a kind.
WORD, LINE, MOST = 3, 18, 48


def measure(generated: Sequence[Ink], reference: Iterable[Ink]) -> dict[str, Metric]:
    """Return all measures of new and reference pieces, by name."""
    reference = list(reference)
    return {
        name: Metric(
            unit,
            np.array([of(ink) for ink in generated], np.float64),
            np.array([of(ink) for ink in reference], np.float64),
        )
        for name, (unit, of) in MEASURES.items()
    }


def measure_texts(
    texts: Sequence[str], written: Sequence[Ink], reference: Iterable[Ink]
) -> dict[str, Metric]:
    """Return for each kind of letters the share that is read as the given text.

    Parameters
    ----------
    texts : sequence of G str
    written : sequence of G Ink
        A missing letter counts as misread.
    reference : iterable of Ink
        Real lines. The reader learns from them, and their own share is the ceiling.
    """
    new, real = judged(written, texts, list(reference))
    return {
        f"given {name} that are read": Metric("", _shares(new, belongs), _shares(real, belongs))
        for name, belongs in KINDS.items()
    }


def texts_to_write(alphabet: str) -> list[str]:
    """Return sentences and made-up words with every letter of an alphabet.

    At most `MOST` letters of a kind are used. Every made-up word has small letters, if there are
    any: they show the reader the size of the line.
    """
    rng = np.random.default_rng(0)
    texts = [text for text in SENTENCES if set(text) <= set(alphabet)]
    small = [letter for letter in alphabet if letter in LOW]
    small = small or [letter for letter in alphabet if letter.islower()]
    blank = " " if " " in alphabet else ""
    line = ""
    for name, belongs in KINDS.items():
        letters = [letter for letter in alphabet if belongs(letter) and not letter.isspace()]
        for letter in rng.permutation(letters)[:MOST].tolist():
            beside = "".join(rng.choice(small, WORD)) if small else ""
            word = letter + beside if name in FIRST_IN_WORD else beside + letter
            if line and len(line) + len(blank) + len(word) > LINE:
                texts.append(line)
                line = ""
            line = f"{line}{blank}{word}" if line else word
    return [*texts, line] if line else texts


def _shares(
    pieces: Sequence[Sequence[Judged]], belongs: Callable[[str], bool]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return for each piece the share of its letters of a kind that are read; NaN without any."""
    rights = [[right for letter, right in piece if belongs(letter)] for piece in pieces]
    return np.array([np.mean(right) if right else np.nan for right in rights])


def points_per_stroke(ink: Ink) -> float:
    """Return the mean number of points per stroke."""
    return ink.points / len(ink.strokes) if ink.strokes else np.nan


def width_over_height(ink: Ink) -> float:
    """Return the width divided by the height; NaN without height."""
    left, top, right, bottom = ink.bounds
    return (right - left) / (bottom - top) if bottom > top else np.nan


def length_over_size(ink: Ink) -> float:
    """Return the length of all strokes divided by the longer side of the drawing."""
    length = sum(float(np.hypot(*np.diff(stroke, axis=0).T).sum()) for stroke in ink.strokes)
    return length / ink.size if ink.size else np.nan


#: Unit and function of each measure.
MEASURES: dict[str, tuple[str, Callable[[Ink], float]]] = {
    "strokes": ("strokes", lambda ink: len(ink.strokes)),
    "points per stroke": ("points", points_per_stroke),
    "length of the ink": ("longer sides", length_over_size),
    "width over height": ("", width_over_height),
}
