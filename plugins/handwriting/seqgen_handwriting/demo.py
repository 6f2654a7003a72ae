"""The demo's corpus: lines of text in single-line fonts, by many made-up writers.

The letters are those that A. V. Hershey digitised at the U. S. National Bureau of Standards in
1967. A "writer" is one of four fonts with its own slant, width, size and unsteadiness. It is a font
and not a hand, but a model learns from it as from any pen.
"""

from __future__ import annotations

import pydoc_data.topics
import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqgen.files import write_atomic
from seqgen_handwriting.demo_glyphs import ACCENTED, ALPHABETS, SIGNS, Glyph, Points, glyphs_of
from seqgen_handwriting.files.json_files import as_json
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.placing import places

#: Pages, lines per page, writers, and the largest number of letters in a line.
PAGES, LINES, WRITERS, LONGEST = 360, 12, 24, 20

#: The pen is not lifted between letters whose ends are nearer than this, in units of the ink.
JOINED = 3.0

#: Height of the small letters of the fonts by `body_height`, in units of the ink.
BODY = 21.0

#: Waves along a stroke are at least this long, in units of the ink.
WAVE = 25.0

#: A word of a line.
WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?[,.;:?!]?")

#: One word in this many is followed by practice.
PRACTICE = 1

#: One word in this many is a line of its own, about every eighth line.
ALONE = 24

#: What is practised: `a` stands for a small letter, `A` for a capital, `0` for a digit, `é` for an
#: accented letter and `#` for a sign; everything else for itself.
PATTERNS = (
    *("aaa", "aaaa", "Aaaa", "Aaaaa", "AAA", "A.A.", "AA0", "A-A"),
    *("000", "0,000", "00:00", "0/00/00", "$00.00", "€00", "00%", "00.0", "#00", "No.00", "+00-00"),
    *("éaé", "aéa", "Éa", "aé", "éé"),
    *("(aa)", '"aa"', "“aa”", "‘a’", "[0]", "a'a", "a’a", "a-a", "a–a", "a—a", "aa…", "aa!", "aa?"),
    *("a@a.aa", "a&a", "A&A", "a/a", "a=0", "a*a", "a_a", "<a>", "0°", "0+0", "a;", "a:"),
    *("a#a", "0#0", "A#a"),
)
CHARACTERS = {
    # Letters that are rare in prose come more often.
    "a": string.ascii_lowercase + 2 * "jkqxz",
    "A": string.ascii_uppercase + 4 * "BGHJKQVXYZ",
    "0": string.digits,
    "é": "".join(letter for letter in ACCENTED if letter.islower()),
    "É": "".join(letter for letter in ACCENTED if letter.isupper()),
    "#": SIGNS,
}


@dataclass(frozen=True)
class Writer:
    """The hand of a made-up writer."""

    name: str
    alphabet: str
    slant: float
    width: float
    size: float
    unsteadiness: float

    @classmethod
    def number(cls, number: int) -> Writer:
        """Return a writer by number; the same number gives the same writer."""
        rng = np.random.default_rng([7, number])
        return cls(
            str(number + 1),
            [*ALPHABETS][number % len(ALPHABETS)],
            slant=float(rng.uniform(-0.1, 0.4)),
            width=float(rng.uniform(0.8, 1.2)),
            size=float(rng.uniform(0.85, 1.2)),
            unsteadiness=float(rng.uniform(0.1, 0.5)),
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
    for number, text in enumerate(islice(demo_texts(), count)):
        yield write_line(text, Writer.number(number // LINES % WRITERS), number)


def write_line(text: str, writer: Writer, seed: int) -> Ink:
    """Return a text on one line; each seed varies it a little."""
    ink = drawn_line(text, writer, seed, placed_glyphs_of(writer.alphabet))
    return replace(ink, strokes=tuple(stroke.round(1) for stroke in ink.strokes))


@cache
def placed_glyphs_of(alphabet: str) -> dict[str, Glyph]:
    """Return the glyphs with the points that they need, the same ones in every hand."""
    return {
        letter: ([places(each, BODY)[0] if len(each) > 1 else each for each in strokes], width)
        for letter, (strokes, width) in glyphs_of(alphabet).items()
    }


def drawn_line(text: str, writer: Writer, seed: int, glyphs: Mapping[str, Glyph]) -> Ink:
    """Return a text on one line with the points of some glyphs, not rounded."""
    rng = np.random.default_rng([11, seed])
    strokes: list[Points] = []
    letters: list[NDArray[np.int64]] = []
    left = 0.0
    for index, letter in enumerate(text):
        outlines, width = glyphs[letter]
        lift = rng.normal(0, writer.unsteadiness, 2) * (0.5, 1.0)
        bent = np.eye(2) + rng.normal(0, writer.unsteadiness * 0.08, (2, 2))
        for number, outline in enumerate(outlines):
            points = _wavy(outline @ bent, writer.unsteadiness, rng) + np.add((left, 0.0), lift)
            stroke, owners = _in_hand(points, writer), np.full(len(points), index)
            if not number and strokes and _touch(strokes[-1], stroke):
                strokes[-1] = np.concatenate([strokes[-1], stroke[1:]])
                letters[-1] = np.concatenate([letters[-1], owners[1:]])
            else:
                strokes.append(stroke)
                letters.append(owners)
        left += width + rng.normal(0, writer.unsteadiness)
    return Ink(tuple(strokes), text, tuple(letters), writer.name)


def _touch(stroke: Points, following: Points) -> bool:
    """Return whether a stroke begins where the one before ends, so that the pen stays down."""
    return len(following) > 1 and float(np.hypot(*(following[0] - stroke[-1]))) < JOINED


def _wavy(points: Points, height: float, rng: np.random.Generator) -> Points:
    """Return a stroke with a long wave along it, so corners stay corners."""
    along = np.append(0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T)))[:, None]
    length, phase = rng.uniform(WAVE, 3 * WAVE, 2), rng.uniform(0, 2 * np.pi, 2)
    return points + height * np.sin(2 * np.pi * along / length + phase)


def _in_hand(points: Points, writer: Writer) -> Points:
    """Return points with the writer's width, slant and size."""
    x = points[:, 0] * writer.width - points[:, 1] * writer.slant
    return np.stack([x, points[:, 1]], 1) * writer.size


def demo_texts() -> Iterator[str]:
    """Yield distinct short lines of Python's own reference, mixed with practice."""
    seen = set()
    rng = np.random.default_rng(13)
    for _, topic in sorted(pydoc_data.topics.topics.items()):
        for line in _in_lines(_with_practice(WORD.findall(topic), rng), rng):
            if line not in seen:
                yield line
            seen.add(line)


def _in_lines(words: Iterator[str], rng: np.random.Generator) -> Iterator[str]:
    """Yield the words in lines of less than `LONGEST` letters; some lines are a single word."""
    line = ""
    for word in words:
        is_alone = rng.integers(ALONE) == 0
        if line and (is_alone or len(line) + len(word) >= LONGEST):
            yield line
            line = ""
        line = f"{line} {word}".strip()
        if is_alone:
            yield line
            line = ""


def _with_practice(words: list[str], rng: np.random.Generator) -> Iterator[str]:
    """Yield the words, with practice after some of them.

    Prose alone has no digits, and too few q, x, z, capitals and signs to learn them in every hand.
    """
    for word in words:
        yield (word, word, word.title(), word.upper())[rng.integers(4)]
        if rng.integers(PRACTICE) == 0:
            pattern = PATTERNS[rng.integers(len(PATTERNS))]
            yield "".join(str(rng.choice([*CHARACTERS.get(sign, sign)])) for sign in pattern)
