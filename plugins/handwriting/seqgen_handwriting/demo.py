"""The demo's corpus: lines of text in single-line fonts, by many made-up writers.

The letters are those that A. V. Hershey digitised at the U. S. National Bureau of Standards in
1967. A "writer" is one of four fonts with its own slant, width, size and unsteadiness. It is a font
and not a hand, but a model learns from it as from any pen.
"""

from __future__ import annotations

import pydoc_data.topics
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqgen.files import write_atomic
from seqgen_handwriting.demo_glyphs import ACCENTED, SIGNS, Points, glyphs_of
from seqgen_handwriting.files.json_files import as_json
from seqgen_handwriting.ink import Ink

#: The fonts; two of them join their letters.
FONTS = ("scripts", "scriptc", "futural", "cursive")

#: Pages, lines per page, writers, and the largest number of letters in a line.
PAGES, LINES, WRITERS, LONGEST = 200, 12, 40, 18

#: Distance between points, in units of the ink.
STEP = 4.0

#: A word of a line.
WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?[,.;:?!]?")

#: One in this many words is followed by practice: random characters of one set, then perhaps a
#: mark; or signs.
PRACTICE = 2
CHARACTER_SETS = (
    *(string.ascii_lowercase, string.ascii_uppercase, string.digits) * 2,
    *(ACCENTED, SIGNS),
)
MARKS = ("", *".,;:?!")


@dataclass(frozen=True)
class Writer:
    """The hand of a made-up writer."""

    name: str
    font: str
    slant: float
    width: float
    size: float
    unsteadiness: float
    step: float

    @classmethod
    def number(cls, number: int) -> Writer:
        """Return a writer by number; the same number gives the same writer."""
        rng = np.random.default_rng([7, number])
        return cls(
            str(number + 1),
            FONTS[number % len(FONTS)],
            slant=float(rng.uniform(-0.1, 0.4)),
            width=float(rng.uniform(0.8, 1.2)),
            size=float(rng.uniform(0.85, 1.2)),
            unsteadiness=float(rng.uniform(0.1, 0.5)),
            step=float(rng.uniform(0.8, 1.3)) * STEP,
        )


def write_pages(folder: Path) -> list[Path]:
    """Write the lines as JSON files, one page of one writer each, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"page-{number:03}.json" for number in range(1, PAGES + 1)]
    if not all(path.exists() for path in paths):
        lines = demo_lines(PAGES * LINES)
        for path in paths:
            page = map(as_json, islice(lines, LINES))
            write_atomic(path, f"[{','.join(page)}]")
    return paths


def demo_lines(count: int) -> Iterator[Ink]:
    """Yield lines with letters, one page by each writer in turn.

    The words come from the reference behind Python's ``help()``, with random ones for practice.
    """
    for number, text in enumerate(islice(_texts(), count)):
        yield write_line(text, Writer.number(number // LINES % WRITERS), number)


def write_line(text: str, writer: Writer, seed: int) -> Ink:
    """Return a text on one line; each seed varies it a little."""
    rng = np.random.default_rng([11, seed])
    glyphs = glyphs_of(writer.font)
    strokes: list[Points] = []
    letters: list[NDArray[np.int64]] = []
    left = 0.0
    for index, letter in enumerate(text):
        outlines, width = glyphs[letter]
        lift = rng.normal(0, writer.unsteadiness, 2) * (0.5, 1.0)
        for outline in outlines:
            points = _resampled(outline + np.add((left, 0.0), lift), writer.step)
            points = points + rng.normal(0, writer.unsteadiness * 0.4, points.shape)
            strokes.append(_in_hand(points, writer))
            letters.append(np.full(len(points), index))
        left += width + rng.normal(0, writer.unsteadiness)
    return Ink(tuple(strokes), text, tuple(letters), writer.name)


def _in_hand(points: Points, writer: Writer) -> Points:
    """Return points with the writer's width, slant and size, rounded to tenths."""
    x = points[:, 0] * writer.width - points[:, 1] * writer.slant
    return (np.stack([x, points[:, 1]], 1) * writer.size).round(1)


def _resampled(points: Points, step: float) -> Points:
    """Return points at equal distances of about `step` along a polyline, with its ends."""
    lengths = np.append(0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T)))
    count = max(round(float(lengths[-1]) / step), 1)
    at = np.linspace(0.0, lengths[-1], count + 1)
    return np.stack([np.interp(at, lengths, points[:, axis]) for axis in (0, 1)], 1)


def _texts() -> Iterator[str]:
    """Yield distinct short lines of Python's own reference, mixed with practice."""
    seen = set()
    rng = np.random.default_rng(13)
    for _, topic in sorted(pydoc_data.topics.topics.items()):
        line = ""
        for word in _with_practice(WORD.findall(topic), rng):
            if line and len(line) + len(word) >= LONGEST:
                if line not in seen:
                    yield line
                seen.add(line)
                line = ""
            line = f"{line} {word}".strip()


def _with_practice(words: list[str], rng: np.random.Generator) -> Iterator[str]:
    """Yield the words, with random letters, digits or signs after some of them.

    Prose alone has no digits, and too few q, x, z and capitals to learn them in every hand.
    """
    for word in words:
        yield word
        if rng.integers(PRACTICE) == 0:
            characters = CHARACTER_SETS[rng.integers(len(CHARACTER_SETS))]
            chosen = rng.choice([*characters], rng.integers(2, 6))
            if characters == SIGNS:
                # Signs stand between letters and digits, as in (a) and 5%.
                between = rng.choice([*string.ascii_lowercase + string.digits], len(chosen) - 1)
                chosen = np.insert(chosen, np.arange(1, len(chosen)), between)
            yield "".join([*chosen, rng.choice(MARKS)])
