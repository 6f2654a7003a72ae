"""The layout of a text with letters: words in lines, lines on pages.

A model writes a text as endless lines. Here each line is made level (`levelling`), its words are
set into lines that fit the paper, and the lines are set at equal distances. A word keeps its shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.ink import SMALLEST, Ink
from seqgen_handwriting.levelling import Writing, cut, written
from seqgen_handwriting.sheet import Sheet
from seqgen_handwriting.write_options import PAPERS, PRECISION, WriteOptions

#: Height of a capital in millimetres, unless it is given.
LETTER = 5.0

#: Distance between lines in heights of capitals, unless it is given. It grows to at most `WIDEST`
#: times that where ink of two lines would touch, and `CLEAR` heights of capitals stay free.
PITCH, WIDEST, CLEAR = 2.0, 2.0, 0.1

#: Limits of the gap between two words, in medians of all gaps.
GAPS = (0.6, 1.6)

#: Gap between words in heights of capitals, for a text without gaps.
GAP = 0.6

#: Justified lines have gaps of at most so many medians; others stay as they are.
STRETCH = 3.0

#: Least share of the chosen size that a text gets to fit its widest word; wider words are cut.
SMALLER = 0.8

#: Bins per height of a capital in which ink of two lines is compared, and the most of a line.
BINS, MOST_BINS = 4, 1000

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Words set into lines, in the unit of the ink.

    Attributes
    ----------
    row : int64 array (W,)
        The line of each of W words; a line without words has a number too.
    x : float64 array (W,)
        The left edge of each word.
    is_soft : bool array (R,)
        Whether the text goes on in the next line of R.
    """

    row: Ids
    x: Floats
    is_soft: NDArray[np.bool_]


def text_sheets(ink: Ink, options: WriteOptions, *, endless: bool = False) -> list[Sheet]:
    """Lay a text with letters and ink on pages, or on one that is as high as it needs.

    A text that fits on one page of A4 gets a sheet of its own size, unless a paper was chosen.
    """
    writing = written(ink, level=options.level)
    paper = np.array(options.size or PAPERS["a4"])
    room = np.maximum(paper - 2 * options.margin, 1.0)  # (2,)
    scale = _scale(writing, options, room)
    writing = cut(writing, room[0] / scale)
    rows = _aligned(writing, _rows(writing, room[0] / scale), room[0] / scale, options)
    height = writing.points[:, 1]
    above, below = max(-float(height.min()), 0.0), max(float(height.max()), 0.0)
    pitch = _pitch(writing, rows, options, scale)
    most, count = 1 + int(max(room[1] / scale - above - below, 0.0) / pitch), len(rows.is_soft)
    if endless or (options.size is None and count <= most):
        most = count
        used = np.array([(rows.x + writing.widths).max(), (count - 1) * pitch + above + below])
        filled = np.maximum(used * scale + 2 * options.margin, options.pen)
        paper = filled if options.size is None else np.maximum(paper, filled)
    margin = options.margin / scale
    sheets = []
    for number, part in _pages(ink, writing, rows, pitch, most, scale):
        corner = np.array([-margin, number * most * pitch - above - margin])
        sheets.append(Sheet(part, corner, scale, float(paper[0]), float(paper[1]), options))
    return sheets


def _scale(writing: Writing, options: WriteOptions, room: Floats) -> float:
    """Return the millimetres of a unit: less than asked for if a word or a line does not fit.

    It is at least `SMALLER` times what is asked for, unless a letter or a line does not fit.
    """
    asked = (options.letter or options.line / PITCH or LETTER) / writing.capital
    width, height = room
    line = float(np.ptp(np.append(writing.points[:, 1], 0.0)))
    letter = float(cut(writing, 0.0).widths.max())
    word = max(width / max(float(writing.widths.max()), SMALLEST), SMALLER * asked)
    return float(min(asked, word, width / max(letter, SMALLEST), height / max(line, SMALLEST)))


def _rows(writing: Writing, column: float) -> Rows:
    """Set words into lines of a width, one after another. A word is not indented off its line."""
    median = float(np.median(writing.gaps[writing.gaps > 0])) if (writing.gaps > 0).any() else 0.0
    median = median or GAP * writing.capital
    gaps = np.clip(writing.gaps, GAPS[0] * median, GAPS[1] * median)
    row, x = np.zeros(len(gaps), np.int64), np.zeros(len(gaps))
    right, current, soft = 0.0, 0, []
    for word, (gap, width) in enumerate(zip(gaps.tolist(), writing.widths.tolist(), strict=True)):
        breaks = int(writing.breaks[word])
        if breaks or not word:
            indent = int(writing.indents[word]) * median
            current, right = current + breaks, min(indent, max(column - width, 0.0))
        elif writing.is_cut[word] or right + gap + width > column * (1 + 1e-9):
            soft.append(current)
            current, right = current + 1, 0.0
        else:
            right += gap
        row[word], x[word] = current, right
        right += width
    is_soft = np.zeros(current + 1, bool)
    is_soft[soft] = True
    return Rows(row, x, is_soft)


def _aligned(writing: Writing, rows: Rows, column: float, options: WriteOptions) -> Rows:
    """Move the words of each line to the left, the middle, the right, or to both edges."""
    ends = np.zeros(len(rows.is_soft))
    np.maximum.at(ends, rows.row, rows.x + writing.widths)
    if options.align == "justify":
        return _justified(writing, rows, column - ends)
    whole = column if options.size is not None else float(ends.max())
    share = {"left": 0.0, "center": 0.5, "right": 1.0}[options.align]
    return replace(rows, x=rows.x + share * (whole - ends)[rows.row])


def _justified(writing: Writing, rows: Rows, free: Floats) -> Rows:
    """Widen the gaps of each line that goes on in the next by its share of the free width."""
    first = np.append(True, np.diff(rows.row) > 0)
    number = np.arange(len(rows.row)) - np.flatnonzero(first)[np.cumsum(first) - 1]  # in its line
    gaps = np.zeros(len(free), np.int64)
    np.maximum.at(gaps, rows.row, number)
    more = np.where(rows.is_soft, free / np.maximum(gaps, 1), 0.0)
    between = np.diff(rows.x) - writing.widths[:-1]
    median = float(np.median(between[~first[1:]])) if (~first[1:]).any() else 0.0
    more[more > STRETCH * median] = 0.0
    return replace(rows, x=rows.x + number * more[rows.row])


def _pitch(writing: Writing, rows: Rows, options: WriteOptions, scale: float) -> float:
    """Return the distance between lines in the unit of the ink.

    A distance that is not given is large enough that the ink of neighbouring lines does not touch.
    """
    if options.line:
        return options.line / scale
    pitch = PITCH * writing.capital
    x = _placed_x(writing, rows)
    bins = np.floor(x / max(writing.capital / BINS, float(x.max()) / MOST_BINS)).astype(np.int64)
    keys = (rows.row[writing.words] * (MOST_BINS + 3)) + np.clip(bins, 0, MOST_BINS) + 1  # (P,)
    height = writing.points[:, 1]
    feet, foot = _extremes(keys, height, np.maximum)
    # Ink of the line below counts in the bins beside its own too.
    near = np.concatenate([keys - 1, keys, keys + 1]) - (MOST_BINS + 3)
    tops, top = _extremes(near, np.tile(height, 3), np.minimum)
    _, above, below = np.intersect1d(feet, tops, assume_unique=True, return_indices=True)
    needed = float((foot[above] - top[below]).max(initial=-np.inf)) + CLEAR * writing.capital
    return min(max(pitch, needed), WIDEST * pitch)


def _extremes(keys: Ids, values: Floats, extreme: np.ufunc) -> tuple[Ids, Floats]:
    """Return the distinct keys of N values, sorted, and the extreme value of each."""
    distinct, which = np.unique(keys, return_inverse=True)
    found = np.full(len(distinct), np.inf if extreme is np.minimum else -np.inf)
    extreme.at(found, which, values)
    return distinct, found


def _placed_x(writing: Writing, rows: Rows) -> Floats:
    """Return the place of each point in its line ``(P,)``."""
    return np.asarray(writing.points[:, 0] + (rows.x - writing.lefts)[writing.words])


def _pages(
    ink: Ink, writing: Writing, rows: Rows, pitch: float, most: int, scale: float
) -> Iterator[tuple[int, Ink]]:
    """Yield the pages of at most so many lines, each with its number from 0.

    Points are rounded to `PRECISION`.
    """
    row = rows.row[writing.words]  # (P,)
    points = np.stack([_placed_x(writing, rows), writing.points[:, 1] + row * pitch], axis=1)
    points = points.round(int(np.ceil(np.log10(scale / PRECISION))))
    text = _broken_text(ink.text, writing, rows)
    known = {name: np.concatenate(parts) for name, parts in ink.of_points.items()}
    known["letters"] = writing.letters
    # A stroke that goes on in another line is cut.
    strokes = np.cumsum(writing.lifted | np.append(True, np.diff(row) != 0))
    page, of_words = row // most, rows.row // most
    order = np.argsort(page, kind="stable")
    numbers, seams = np.unique(page[order], return_index=True)
    for number, chosen in zip(numbers.tolist(), np.split(order, seams[1:]), strict=True):
        first, last = np.searchsorted(of_words, [number, number + 1])
        begin, end = int(writing.begins[first]), int(writing.ends[last - 1])
        cuts = np.flatnonzero(np.diff(strokes[chosen])) + 1
        parts: dict[str, Any] = {
            name: tuple(np.split(values[chosen], cuts)) for name, values in known.items()
        }
        parts["letters"] = tuple(letters - begin for letters in parts["letters"])
        parts["strokes"] = tuple(np.split(points[chosen], cuts))
        yield number, replace(ink, text=text[begin:end], **parts)


def _broken_text(text: str, writing: Writing, rows: Rows) -> str:
    """Return a text with a line break in the place of the blank before each word of a new line.

    A word that is cut stays whole.
    """
    letters = [*text]
    for word in np.flatnonzero(np.diff(rows.row) > 0).tolist():
        if not writing.breaks[word + 1] and not writing.is_cut[word + 1]:
            letters[int(writing.begins[word + 1]) - 1] = "\n"
    return "".join(letters)
