"""What is measured on ink, new and of a corpus; NaN stands for what a piece has not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from seqgen.plugin import Metric
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.legibility import Judged, judged

#: Kinds of letters, which are learned at different times, and what belongs to them.
KINDS: dict[str, Callable[[str], bool]] = {
    "small letters": str.islower,
    "capitals": str.isupper,
    "digits": str.isdigit,
    "other letters": lambda letter: letter.isalpha() and letter.lower() == letter.upper(),
    "marks": lambda letter: not letter.isalnum(),
}

#: Kinds with a letter of which a word begins; others end it, as a comma does.
WORDS_BEGIN = {"small letters", "capitals"}

#: Sentences that a model is asked for, if it knows all of their letters.
SENTENCES = (
    "the quick brown fox",
    "jumps over a lazy dog",
    "pack my box with jugs",
    "Every Good Boy Asks Why",
    "Zoe and Max, in Queens",
    "call 01 234 56 789.",
    "in 1984; or in 2026?",
)

#: Small letters without ascenders and descenders, by which a reader sees how large a line is.
LOW = "aceimnorsuvwxz"

#: Small letters of a made-up word, most letters of a line, and most letters of a kind.
WORD, LINE, MOST = 3, 18, 48


def measure(generated: Sequence[Ink], reference: Iterable[Ink]) -> dict[str, Metric]:
    """Return all measures of both sides, by name."""
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
    """Return for each kind of letters what share of given texts is read as intended.

    Parameters
    ----------
    texts : sequence of G str
    written : sequence of G Ink
        A letter that was not reached counts as misread.
    reference : iterable of Ink
        Real lines: the reader learns from them, and the share of them that is read is the ceiling.
    """
    new, real = judged(written, texts, list(reference))
    return {
        f"given {name} that are read": Metric("", _shares(new, belongs), _shares(real, belongs))
        for name, belongs in KINDS.items()
    }


def texts_to_write(alphabet: str) -> list[str]:
    """Return texts with all kinds of letters of an alphabet: sentences, and made-up words.

    Each letter comes at least once, up to `MOST` letters of a kind. Every made-up word has small
    letters, if there are any: a line tells a reader by them how large its letters are.
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
            word = letter + beside if name in WORDS_BEGIN else beside + letter
            if line and len(line) + len(blank) + len(word) > LINE:
                texts.append(line)
                line = ""
            line = f"{line}{blank}{word}" if line else word
    return [*texts, line] if line else texts


def _shares(
    pieces: Sequence[Sequence[Judged]], belongs: Callable[[str], bool]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return of each piece the share of its letters of a kind that are read; NaN without any."""
    rights = [[right for letter, right in piece if belongs(letter)] for piece in pieces]
    return np.array([np.mean(right) if right else np.nan for right in rights])


def points_per_stroke(ink: Ink) -> float:
    """Return the mean number of points of a stroke."""
    return ink.points / len(ink.strokes) if ink.strokes else np.nan


def width_over_height(ink: Ink) -> float:
    """Return how much wider than tall a drawing is."""
    left, top, right, bottom = ink.bounds
    return (right - left) / (bottom - top) if bottom > top else np.nan


def length_over_size(ink: Ink) -> float:
    """Return the length of all strokes, in longer sides of the drawing."""
    length = sum(float(np.hypot(*np.diff(stroke, axis=0).T).sum()) for stroke in ink.strokes)
    return length / ink.size if ink.size else np.nan


#: Units and functions by name.
MEASURES: dict[str, tuple[str, Callable[[Ink], float]]] = {
    "strokes": ("strokes", lambda ink: len(ink.strokes)),
    "points per stroke": ("points", points_per_stroke),
    "length of the ink": ("longer sides", length_over_size),
    "width over height": ("", width_over_height),
}
