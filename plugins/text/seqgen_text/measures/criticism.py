"""The critic of texts: words that the corpus does not have, open brackets, repetition.

Texts are measured in windows of `WINDOW` characters, so a corpus of one long text has norms too. A
piece has the mean of its windows. The words that a window is compared with are those of all others.
If the corpus is in XML, JSON or Python, a piece that does not parse has a fault; longer ones than
`LONGEST` characters are not parsed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from seqgen.plugin import Criticism, Norm, Norms
from seqgen_text.measures.metrics import (
    distinct,
    line_length,
    longest_run,
    repeated,
    words_of,
    words_per_sentence,
)
from seqgen_text.measures.parsing import COUNTED, LANGUAGES, LONGEST, LOOKED_AT, language_of

#: Characters of a window, and windows that are measured; words are counted in all.
WINDOW, MEASURED = 1000, 400

#: Brackets by the one that closes them.
PAIRS = {")": "(", "]": "[", "}": "{", "”": "“", "»": "«"}

NORMS = {
    "unknown words": Norm(bad="high"),
    "brackets without the other one": Norm("in 1,000 characters", "high"),
    "repeated 4-grams of words": Norm(bad="high"),
    "distinct words": Norm(bad="low"),
    "longest run of one character": Norm("characters", "high"),
    "words per sentence": Norm("words"),
    "line length": Norm("characters"),
}


def critic(pieces: Iterable[str]) -> Callable[[str, Any], Criticism]:
    """Return the critic that training texts teach."""
    windows, texts = list[str](), list[str]()
    for piece in pieces:
        windows += windows_of(piece)
        texts += [piece] if len(texts) < LOOKED_AT else []
    counts = Counter(word for window in windows for word in words_of(window))
    measured = windows[:: -(-len(windows) // MEASURED) or 1]
    norms = Norms(NORMS, (values_of(window, counts, own=True) for window in measured))
    language = language_of(texts)

    def criticise(piece: str, condition: Any) -> Criticism:
        rows = [list(values_of(window, counts).values()) for window in windows_of(piece)]
        found = norms.criticise(dict(zip(NORMS, _means(rows), strict=True)))
        return Criticism((*_unparsed(piece, language), *found.faults), found.rarity)

    return criticise


def windows_of(text: str) -> list[str]:
    """Return the windows of a text; a short rest is left out, unless it is all."""
    rest = len(text) % WINDOW
    whole = len(text) - rest if len(text) > WINDOW and rest < WINDOW / 2 else len(text)
    return [text[start : start + WINDOW] for start in range(0, max(whole, 1), WINDOW)]


def values_of(window: str, counts: Counter[str], own: bool = False) -> dict[str, float]:
    """Return the values of a window for `NORMS`.

    Parameters
    ----------
    window : str
    counts : Counter
        How often the corpus has each word.
    own : bool
        Whether the window is one of those that were counted.
    """
    words = words_of(window)
    inside = Counter(words) if own else Counter[str]()
    unknown = [counts[word] <= inside[word] for word in words]
    values = (
        float(np.mean(unknown)) if words else np.nan,
        1000 * unbalanced(window) / max(len(window), 1),
        repeated(words, 4),
        distinct(words, 1),
        longest_run(window),
        words_per_sentence(window),
        line_length(window),
    )
    return dict(zip(NORMS, values, strict=True))


def unbalanced(text: str) -> int:
    """Return how many brackets and quotation marks open or close without the other one."""
    waiting: list[str] = []
    errors = 0
    for sign in text:
        if sign in PAIRS.values():
            waiting.append(sign)
        elif sign in PAIRS:
            if waiting[-1:] == [PAIRS[sign]]:
                waiting.pop()
            else:
                errors += 1
    return errors + len(waiting)


def _means(rows: list[list[float]]) -> list[float]:
    """Return the mean of each column without NaN, or NaN."""
    columns = [[each for each in column if np.isfinite(each)] for column in zip(*rows, strict=True)]
    return [float(np.mean(column)) if column else np.nan for column in columns]


def _unparsed(piece: str, language: str) -> tuple[str, ...]:
    """Return the fault of a piece that does not parse in the language of the corpus."""
    if not language or language in COUNTED or len(piece) > LONGEST:
        return ()
    if not LANGUAGES[language][0](piece):
        return ()
    return (f"it does not parse as {language}",)
