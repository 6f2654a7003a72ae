"""The letters of the demo: those of the Hershey fonts, and what is composed of their parts.

The fonts have the letters and signs of ASCII. An accented letter is the letter with a mark above or
below it; a curly quote is a raised comma; an ellipsis is three full stops.

The fonts draw a curve as a polygon. Here it is a smooth curve of many points, as a pen draws it.

Units of the fonts: capitals are 21 high, from y = -12 to the baseline at y = 9; y goes down.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Points: TypeAlias = NDArray[np.float64]

#: The strokes of a letter, and its width.
Glyph: TypeAlias = tuple[list[Points], float]

#: Height of a small letter in units of the ink, and of the fonts.
HEIGHT, SMALL_LETTER = 20.0, 14

#: Top of capitals, and the baseline.
TOP, BASELINE = -12.0, 9.0

#: Letters with an accent.
ACCENTED = "àáâãäåçèéêëìíîïñòóôõöùúûüýÄÉÖÜ"

#: Signs beside the marks of sentences.
SIGNS = "\"'()[]%&@#/+=*-–—_<>$“”‘’…°€"

#: Distance from a letter to its accent.
AWAY = 2.0

#: Signs of the font in the height of capitals; those of `cursive` hang lower.
RAISED = frozenset("'")

#: The shares of the minus sign of the fonts that are the hyphen and the dashes.
DASHES = {"-": 0.45, "–": 0.7, "—": 1.0}


def _at(x: float, y: float) -> Points:
    return np.array([x, y])


def _arc(
    radius: float, begin: float, end: float, count: int = 9, centre: tuple[float, float] = (0, 0)
) -> Points:
    """Return points on a circle between two angles, in quarters of a turn from the right down."""
    angles = np.linspace(begin, end, count) * np.pi / 2
    return np.stack([np.cos(angles), np.sin(angles)], 1) * radius + centre


#: Accents by their combining character: strokes around x = 0, the lowest point at y = 0, or for the
#: cedilla the highest.
ACCENTS: Mapping[str, Sequence[Points]] = {
    "\u0300": [np.array([[-3.0, -5.0], [2.0, 0.0]])],
    "\u0301": [np.array([[3.0, -5.0], [-2.0, 0.0]])],
    "\u0302": [np.array([[-4.0, 0.0], [0.0, -5.0], [4.0, 0.0]])],
    "\u0303": [np.array([[-5, 0], [-4, -2], [-2, -3], [0, -1.5], [2, 0], [4, -1], [5, -3]], float)],
    "\u0308": [_arc(0.9, 0, 4, 5, centre=(x, -0.9)) for x in (-3.0, 3.0)],
    "\u030a": [_arc(2.5, 1, 5, centre=(0.0, -2.5))],
    "\u0327": [np.array([[0, 0], [-0.5, 1.5], [2, 3], [1.5, 5], [-0.5, 6], [-3, 5]], float)],
}
BELOW = "\u0327"


#: The alphabets: printed letters, joined letters, and joined small letters with printed capitals.
#: Each is a font for capitals and one for everything else; the fonts have single lines.
ALPHABETS = {
    "print": ("futural", "futural"),
    "script": ("cursive", "cursive"),
    "mixed": ("futural", "cursive"),
}

#: The pen turns by more than this at a corner, in radians.
CORNER = 1.05

#: Points of a smooth curve on each line of the fonts.
FINE = 8

#: A stroke that is no larger than this is a dot, in units of the fonts.
DOT = 2.5


@cache
def glyphs_of(alphabet: str) -> dict[str, Glyph]:
    """Return the strokes of each letter in units of the ink, from its left edge, and its width."""
    capitals, others = map(_plain, ALPHABETS[alphabet])
    plain = {letter: (capitals if letter.isupper() else others)[letter] for letter in others}
    if alphabet != "script":
        plain["I"] = _with_bars(plain["I"])
    glyphs = plain | {letter: _accented(letter, plain) for letter in ACCENTED}
    glyphs |= {sign: _dash(share, plain["-"]) for sign, share in DASHES.items()}
    glyphs |= _composed(plain)
    scale = HEIGHT / SMALL_LETTER
    return {
        letter: ([_curved(stroke) * scale for stroke in strokes], width * scale)
        for letter, (strokes, width) in glyphs.items()
    }


def _plain(font: str) -> dict[str, Glyph]:
    """Return the glyphs of a font, in its units."""
    # Imported here, because only the demo needs it.
    from HersheyFonts import HersheyFonts

    source: Any = HersheyFonts()
    source.load_default_font(font)
    glyphs = {}
    for letter in map(chr, range(ord(" "), ord("~") + 1)):
        [glyph] = source.glyphs_for_text(letter)
        strokes = [np.array(stroke, np.float64) for stroke in glyph.strokes]
        moved = [stroke - (glyph.left_offset, 0.0) for stroke in strokes]
        if letter in RAISED:
            top = min(stroke[:, 1].min() for stroke in moved)
            moved = [stroke + _at(0.0, TOP - top) for stroke in moved]
        glyphs[letter] = (moved, float(glyph.char_width))
    return glyphs


def _with_bars(glyph: Glyph) -> Glyph:
    """Return a printed I with bars, because without them it is an l."""
    [stem], width = glyph
    left, right = stem[0, 0] - 3.5, stem[0, 0] + 3.5
    bars = [np.array([[left, y], [right, y]]) for y in (TOP, BASELINE)]
    return [bars[0] + _at(2.0, 0.0), stem + _at(2.0, 0.0), bars[1] + _at(2.0, 0.0)], width + 4


def _curved(stroke: Points) -> Points:
    """Return a stroke as a smooth curve with corners."""
    moved = np.append(True, np.abs(np.diff(stroke, axis=0)).max(axis=1) > 0)
    points = stroke[moved]
    if np.ptp(points, axis=0).max() <= DOT:
        return np.asarray((points.max(0, keepdims=True) + points.min(0, keepdims=True)) / 2)
    steps = np.diff(points, axis=0)
    turns = np.abs(np.angle(np.exp(1j * np.diff(np.arctan2(steps[:, 1], steps[:, 0])))))
    corners = [0, *(np.flatnonzero(turns > CORNER) + 1).tolist(), len(points) - 1]
    parts = [_smooth(points[a : b + 1]) for a, b in pairwise(corners)]
    return np.concatenate([parts[0][:1], *(part[1:] for part in parts)])


def _smooth(points: Points) -> Points:
    """Return a curve through points, with a few points on each line.

    A cubic Hermite spline over the length of the lines, with the slopes of Catmull and Rom.
    """
    steps = np.diff(points, axis=0)  # (N - 1, 2)
    lengths = np.hypot(*steps.T)[:, None]
    along = steps / lengths
    # The slope at a point is more like that of the shorter of its two lines.
    before, slope_before = np.roll(lengths, 1, axis=0), np.roll(along, 1, axis=0)
    slopes = (slope_before * lengths + along * before) / (before + lengths)  # (N - 1, 2)
    slopes = np.append(slopes, slopes[:1], axis=0)
    if len(points) < 4 or not np.allclose(points[0], points[-1]):
        slopes[[0, -1]] = along[[0, -1]]
    share = np.linspace(0, 1, FINE, endpoint=False)[:, None, None]  # (FINE, 1, 1)
    rest = 1 - share
    curve = (
        rest**2 * (1 + 2 * share) * points[:-1]
        + rest**2 * share * lengths * slopes[:-1]
        + share**2 * (1 + 2 * rest) * points[1:]
        - share**2 * rest * lengths * slopes[1:]
    )  # (FINE, N - 1, 2)
    return np.concatenate([curve.swapaxes(0, 1).reshape(-1, 2), points[-1:]])


def _accented(letter: str, plain: Mapping[str, Glyph]) -> Glyph:
    """Return a letter with its accent, which leaves out the dot of an i."""
    [base, accent] = [*unicodedata.normalize("NFD", letter)]
    strokes, width = plain[base]
    if base == "i":
        strokes = [stroke for stroke in strokes if stroke[:, 1].max() > BASELINE - 5]
    points = np.concatenate(strokes)
    if accent == BELOW:
        feet = points[points[:, 1] > BASELINE - 1]
        place = _at(float(feet[:, 0].mean()), BASELINE)
    else:
        head = points[points[:, 1] < points[:, 1].min() + 3]
        place = _at(float(head[:, 0].mean()), float(points[:, 1].min()) - AWAY)
    return [*strokes, *(stroke + place for stroke in ACCENTS[accent])], width


def _dash(share: float, minus: Glyph) -> Glyph:
    strokes, width = minus
    return [stroke * (share, 1.0) for stroke in strokes], width * share


def _composed(plain: Mapping[str, Glyph]) -> dict[str, Glyph]:
    """Return quotes, the ellipsis, the degree and the euro."""
    comma, stop, capital = plain[","], plain["."], plain["C"]
    points = np.concatenate(comma[0])
    raised = [stroke + _at(0.0, TOP - points[:, 1].min()) for stroke in comma[0]]
    # An opening quote is a closing quote, turned by half a turn.
    middle = points.max(0) + points.min(0) + _at(0.0, 2 * (TOP - points[:, 1].min()))
    turned = [middle - stroke for stroke in raised]
    left, top = np.concatenate(capital[0]).min(0)
    across = np.array([[left - 3, 0.0], [left + 9, 0.0]])
    bars = [across + _at(0.0, top + share * (BASELINE - top)) for share in (0.42, 0.6)]
    return {
        "’": (raised, comma[1]),
        "‘": (turned, comma[1]),
        "”": _repeated((raised, comma[1]), 2, 0.55),
        "“": _repeated((turned, comma[1]), 2, 0.55),
        "…": _repeated(stop, 3, 0.9),
        "°": ([_arc(3.0, -1, 3, centre=(5.0, TOP + 3))], 10.0),
        "€": ([*capital[0], *bars], capital[1]),
    }


def _repeated(glyph: Glyph, times: int, share: float) -> Glyph:
    """Return a glyph several times side by side, at a share of its width."""
    strokes, width = glyph
    step = share * width
    parts = [stroke + _at(number * step, 0.0) for number in range(times) for stroke in strokes]
    return parts, width + (times - 1) * step
