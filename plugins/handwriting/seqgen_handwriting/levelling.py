"""The words of a text with letters, on a level baseline and with one slant.

Letters that stand on the line say where it is: not those with a tail, and no marks. Where the line
rises or falls, or the slant changes, over several words, that is taken back. The small ups and
downs from letter to letter stay: they are the hand.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.alignment import inked
from seqgen_handwriting.ink import SMALLEST, Ink

#: Letters with neither stem nor tail, those as high as capitals, and those with a tail: of Latin,
#: Greek and Cyrillic. A letter with an accent has the shape of the one below it.
SMALL = frozenset("acemnorsuvwxαειικνοπσςτυωавгежзиклмнопстчшъыьэюяіѕ")
TALL = frozenset(
    "bdhkl0123456789"
    "ABCDEFGHIKLMNOPRSTUVWXYZ"
    "δθλ"
    "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ"
    "бАБВГЕЖЗИКЛМНОПРСТУФХЧШЪЫЬЭЮЯІЅЈ"
)
TAILED = frozenset("gpqyjβγζημξρφχψрудфцщ")

#: Letters that stand on the line.
STANDING = SMALL | TALL | {"i", "t"}

#: Height of a capital in heights of small letters, for a text without tall letters.
TALLER = 1.8

#: Share of the height of a letter with a tail that is below the line.
TAIL = 0.5

#: Longer sides of marks, in heights of a capital, for a text of marks alone; others have one of 1.
MARKS = dict.fromkeys("()[]{}/\\|#", 1.5)
MARKS |= {"'": 0.25, "‘": 0.25, "’": 0.25, ",": 0.25, '"': 0.5, "“": 0.5, "”": 0.5, "„": 0.5}
MARKS |= {"-": 0.4, "–": 0.6, "—": 0.9, "…": 0.85, ":": 0.55, ";": 0.75, "*": 0.6, ".": 0.1}
MARKS |= {"·": 0.1, "•": 0.3}

#: Distance from one of several dots to the next, in heights of a capital.
DOTS = 0.45

#: Standing letters, and words, on each side that say where the line is, and what the slant is.
BESIDE, WORDS_BESIDE = 6, 4

#: Fewest pairs of letters that say how much a line rises.
PAIRS = 2

#: Largest change of a slant.
STEEPER = 0.25

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Writing:
    """P points of W words, in the unit of the ink, level.

    Attributes
    ----------
    points : float64 array (P, 2)
        Their height is 0 on the baseline; y goes down.
    lifted : bool array (P,)
        Whether a stroke begins.
    letters : int64 array (P,)
        Indices in the text; none is a blank.
    words : int64 array (P,)
    begins, ends : int64 array (W,)
        The text of each word is ``text[begin:end]``.
    breaks : int64 array (W,)
        The number of line breaks before a word; 0 for the first.
    indents : int64 array (W,)
        The number of blanks before a word since the last line break.
    lefts, widths : float64 array (W,)
    gaps : float64 array (W,)
        The distance to the word before in the same line; 0 for the first of a line.
    is_cut : bool array (W,)
        Whether it is the rest of a word that was cut, which begins a line.
    capital : float
        The height of a capital.
    """

    points: Floats
    lifted: NDArray[np.bool_]
    letters: Ids
    words: Ids
    begins: Ids
    ends: Ids
    breaks: Ids
    indents: Ids
    lefts: Floats
    widths: Floats
    gaps: Floats
    is_cut: NDArray[np.bool_]
    capital: float


def written(ink: Ink, *, level: bool = True) -> Writing:
    """Return the words of ink with letters; those without ink are left out.

    Parameters
    ----------
    ink : Ink
        With letters, a text and at least one stroke.
    level : bool
        Make lines level and slants equal; otherwise each line is only put on its median baseline.
    """
    assert ink.letters is not None
    points = np.concatenate(ink.strokes)  # (P, 2)
    letters = inked(ink.text)[np.clip(np.concatenate(ink.letters), 0, len(ink.text) - 1)]
    lengths = np.array([len(stroke) for stroke in ink.strokes])
    lifted = np.zeros(len(points), bool)
    lifted[np.cumsum(lengths) - lengths] = True
    begins, ends, lines, indents = _words(ink.text, letters)
    words = np.searchsorted(begins, letters, side="right") - 1
    points = points - _baselines(ink.text, points, letters, lines[words], level)
    if level:
        points = _of_one_slant(points, lifted, words, len(begins))
    lefts, rights = np.full(len(begins), np.inf), np.full(len(begins), -np.inf)
    np.minimum.at(lefts, words, points[:, 0])
    np.maximum.at(rights, words, points[:, 0])
    breaks = np.diff(lines, prepend=lines[:1])
    gaps = np.append(0.0, lefts[1:] - rights[:-1])
    gaps[breaks > 0] = 0.0
    capital = _capital(ink.text, points, letters)
    return Writing(
        *(points, lifted, letters, words, begins, ends, breaks, indents),
        *(lefts, rights - lefts, gaps, np.zeros(len(begins), bool), capital),
    )


def cut(writing: Writing, widest: float) -> Writing:
    """Return the words of a writing, with those wider than `widest` cut between letters.

    A letter stays whole, however wide.
    """
    wide = np.flatnonzero(writing.widths > widest)
    if not len(wide):
        return writing
    left, right = _sides(writing)  # (L,), (L,)
    begins, is_cut = [writing.begins], [writing.is_cut]
    for word in wide.tolist():
        inside = range(int(writing.begins[word]), int(writing.ends[word]))
        seams, start, end = [], np.inf, -np.inf
        for at in inside:
            if end > -np.inf and max(end, right[at]) - min(start, left[at]) > widest:
                seams.append(at)
                start, end = np.inf, -np.inf
            start, end = min(start, left[at]), max(end, right[at])
        begins.append(np.array(seams, np.int64))
        is_cut.append(np.ones(len(seams), bool))
    order = np.argsort(np.concatenate(begins))
    first = np.concatenate(begins)[order]  # (W,)
    return _with_words(writing, first, np.concatenate(is_cut)[order], left, right)


def _sides(writing: Writing) -> tuple[Floats, Floats]:
    """Return the left and right edge of each letter ``(L,)``, infinite without ink."""
    count = int(writing.ends[-1])
    left, right = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(left, writing.letters, writing.points[:, 0])
    np.maximum.at(right, writing.letters, writing.points[:, 0])
    return left, right


def _with_words(
    writing: Writing, begins: Ids, is_cut: NDArray[np.bool_], left: Floats, right: Floats
) -> Writing:
    """Return a writing with words that begin at these letters; those that are cut are new."""
    old = np.cumsum(~is_cut) - 1  # (W,), the word that each comes from
    ends = np.where(np.append(is_cut[1:], False), np.append(begins[1:], 0), writing.ends[old])
    lefts = np.array([left[a:b].min() for a, b in zip(begins, ends, strict=True)])
    rights = np.array([right[a:b].max() for a, b in zip(begins, ends, strict=True)])
    breaks, indents, gaps = (
        np.where(is_cut, 0, values[old])
        for values in (writing.breaks, writing.indents, writing.gaps)
    )
    return replace(
        writing,
        words=np.searchsorted(begins, writing.letters, side="right") - 1,
        begins=begins,
        ends=ends,
        lefts=lefts,
        widths=rights - lefts,
        is_cut=is_cut,
        breaks=breaks,
        indents=indents,
        gaps=gaps,
    )


def _words(text: str, letters: Ids) -> tuple[Ids, Ids, Ids, Ids]:
    """Return begin, end, line and number of blanks before each word with ink, W each."""
    has_ink = np.zeros(len(text), bool)
    has_ink[letters] = True
    found, line, blanks, begin = [], 0, 0, -1
    for at, letter in enumerate([*text, " "]):
        if not letter.isspace():
            begin = at if begin < 0 else begin
            continue
        if begin >= 0 and has_ink[begin:at].any():
            found.append((begin, at, line, blanks))
            blanks = 0
        begin = -1
        line, blanks = (line + 1, 0) if letter == "\n" else (line, blanks + 1)
    begins, ends, lines, indents = np.array(found, np.int64).T
    return begins, ends, lines, indents


def _extents(points: Floats, letters: Ids, count: int) -> tuple[Floats, Floats]:
    """Return top and foot of each letter ``(L,)``, infinite without ink."""
    top, foot = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(top, letters, points[:, 1])
    np.maximum.at(foot, letters, points[:, 1])
    return top, foot


def _baselines(text: str, points: Floats, letters: Ids, lines: Ids, level: bool) -> Floats:
    """Return the baseline below each point as vectors ``(P, 2)`` with x = 0."""
    top, foot = _extents(points, letters, len(text))
    standing = np.array([_shape(letter) in STANDING for letter in text])
    tailed = np.array([_shape(letter) in TAILED for letter in text])
    foot = foot - TAIL * np.where(tailed & np.isfinite(foot), foot - top, 0.0)
    across = np.zeros(len(text))
    count = np.bincount(letters, minlength=len(text))
    np.add.at(across, letters, points[:, 0])
    across /= np.maximum(count, 1)
    found = np.zeros((len(points), 2))
    order = np.argsort(lines, kind="stable")
    for inside in np.split(order, np.flatnonzero(np.diff(lines[order])) + 1):
        own = np.unique(letters[inside])
        on_line = next((own[is_so[own]] for is_so in (standing, tailed) if is_so[own].any()), own)
        if level:
            height = _smooth_line(across[on_line], foot[on_line])
            base = np.interp(across[own], *_sorted(across[on_line], height))
        else:
            base = np.full(len(own), np.median(foot[on_line]))
        found[inside, 1] = base[np.searchsorted(own, letters[inside])]
    return found


def _sorted(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def _smooth_line(x: Floats, feet: Floats) -> Floats:
    """Return the baseline at each of N standing letters ``(N,)``.

    The slope of the line is a median over pairs of letters; what remains is a running median, then
    a running mean.
    """
    half = len(x) // 2
    run, rise = x[len(x) - half :] - x[:half], feet[len(x) - half :] - feet[:half]
    fine = np.abs(run) > 1e-9
    slope = float(np.median(rise[fine] / run[fine])) if fine.sum() >= PAIRS else 0.0
    rest = feet - slope * x
    middle = np.median(_beside(rest, BESIDE), axis=1)
    return np.asarray(slope * x + _beside(middle, BESIDE).mean(axis=1))


def _beside(values: Floats, count: int) -> Floats:
    """Return N values, each with `count` on each side ``(N, 2 * count + 1)``; ends are mirrored."""
    padded = np.pad(values, count, mode="symmetric")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * count + 1)


def _of_one_slant(points: Floats, lifted: NDArray[np.bool_], words: Ids, count: int) -> Floats:
    """Return points ``(P, 2)`` whose words lean as much as the median word."""
    drawn = ~lifted[1:] & (words[1:] == words[:-1]) & (np.diff(points[:, 1]) != 0)
    across, down = np.diff(points, axis=0)[drawn].T
    of = words[1:][drawn]
    # Steep lines count most. None is left out by its slant, which would hide a part of the slant.
    weights = np.abs(down) * down**2 / (across**2 + down**2)
    total = np.bincount(of, weights, count)
    leaning = np.bincount(of, weights * across / down, count)
    known = np.flatnonzero(total > 0)
    if len(known) < 2:
        return points
    slants = leaning[known] / total[known]
    nearby = np.median(_beside(slants, WORDS_BESIDE), axis=1)
    change = np.clip(np.median(slants) - nearby, -STEEPER, STEEPER)
    by_word = np.interp(np.arange(count), known, change)
    # The foot of a word stays in its place.
    return np.stack([points[:, 0] + by_word[words] * points[:, 1], points[:, 1]], axis=1)


def _capital(text: str, points: Floats, letters: Ids) -> float:
    """Return the height of a capital above the baseline, at least `SMALLEST`."""
    top, foot = _extents(points, letters, len(text))
    own = np.unique(letters).tolist()
    for chosen, factor in ((TALL, 1.0), (SMALL, TALLER)):
        heights = [-top[at] for at in own if text[at] in chosen and top[at] < -SMALLEST]
        if heights:
            return factor * float(np.median(heights))
    # Letters with tails or accents, and those of other scripts, are about as high as a capital.
    heights = [foot[at] - top[at] for at in own if text[at].isalnum()]
    heights = heights or _sizes_of_marks(text, points, letters, own)
    height = float(np.median(heights))
    height = height if height > SMALLEST else float(np.ptp(points, axis=0).max())
    return height if height > SMALLEST else 1.0


def _sizes_of_marks(text: str, points: Floats, letters: Ids, own: Sequence[int]) -> list[float]:
    """Return what each mark, or each pair of dots, says of the height of a capital."""
    sides, dots = [], []
    for at in own:
        mark = points[letters == at]
        side = float(np.ptp(mark, axis=0).max())
        if text[at] in ".·":
            dots.append(mark.mean(axis=0))
        elif side > SMALLEST:
            sides.append(side / MARKS.get(text[at], 1.0))
    if sides:
        return sides
    if len(dots) > 1:
        return [float(np.median(np.hypot(*np.diff(dots, axis=0).T))) / DOTS]
    return [float(np.ptp(points, axis=0).max()) / MARKS["."]]


def _shape(letter: str) -> str:
    """Return the letter that has the shape of this one, without its accent."""
    return unicodedata.normalize("NFD", letter)[0]
