"""Paths and shapes of SVG as points: curves become short lines.

svgelements reads the path data and finds the centres of arcs. Its `Path` would hold each segment as
an object of half a kilobyte; the pen here keeps two numbers for each point.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_handwriting.ink import MOST_POINTS, MOST_STROKES

#: Number of lines for a curve or arc.
CURVE_LINES = 16

#: Limit of the commands of all paths: moves draw nothing, but take time.
MOST_COMMANDS = 2 * MOST_POINTS

#: x' = a x + c y + e and y' = b x + d y + f as (a, b, c, d, e, f).
Matrix: TypeAlias = tuple[float, float, float, float, float, float]

IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
NUMBERS = re.compile(NUMBER)
FUNCTION = re.compile(r"\s*,?\s*([a-zA-Z]+)\s*\(([^()]*)\)")
ARGUMENT = re.compile(rf"\s*,?\s*({NUMBER})([a-z%]*)", re.IGNORECASE)
LENGTH = re.compile(rf"\s*({NUMBER})\s*([a-z%]*)\s*", re.IGNORECASE)

#: Units of length in pixels of CSS, with letters of 16 pixels.
PIXELS = {"": 1.0, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6}
PIXELS |= {"pt": 96 / 72, "pc": 16.0, "em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0}

#: Units of angles in degrees.
DEGREES = {"": 1.0, "deg": 1.0, "rad": 180 / math.pi, "grad": 0.9, "turn": 360.0}

#: Functions of transforms whose arguments are angles, and numbers of arguments of all functions.
ANGLES = {"rotate", "skewx", "skewy"}
ARGUMENTS = {"matrix": (6,), "translate": (1, 2), "translatex": (1,), "translatey": (1,)}
ARGUMENTS |= {"scale": (1, 2), "scalex": (1,), "scaley": (1,), "rotate": (1, 3)}
ARGUMENTS |= {"skewx": (1,), "skewy": (1,)}

_SHARES = np.linspace(0, 1, CURVE_LINES + 1)[1:]
#: Weights of the control points of cubic and quadratic curves at the ends of their lines.
_CUBIC = np.stack(
    [math.comb(3, n) * _SHARES**n * (1 - _SHARES) ** (3 - n) for n in range(4)], axis=1
)
_QUADRATIC = np.stack(
    [math.comb(2, n) * _SHARES**n * (1 - _SHARES) ** (2 - n) for n in range(3)], axis=1
)


class At(NamedTuple):
    """A point."""

    x: float
    y: float


def length_of(text: str, whole: float) -> float:
    """Return a length in pixels; `whole` is what percents refer to.

    Raises
    ------
    ValueError
        If it is not a number with a known unit.
    """
    match = LENGTH.fullmatch(text)
    unit = match[2].lower() if match else ""
    if match is None or unit not in {*PIXELS, "%"}:
        raise ValueError(f"cannot read the length {text[:40]!r}")
    return float(match[1]) * (whole / 100 if unit == "%" else PIXELS[unit])


def matrix_of(text: str) -> Matrix:
    """Return the matrix of a ``transform``, as attribute or in CSS.

    Raises
    ------
    ValueError
        If it has a function or an argument that is not known.
    """
    matrix, at = IDENTITY, 0
    text = text.strip()
    while text != "none" and at < len(text):
        match = FUNCTION.match(text, at)
        if match is None:
            raise ValueError(f"cannot read the transform {text[at : at + 40]!r}")
        at = match.end()
        matrix = product(matrix, _function(match[1].lower(), match[2]))
    return matrix


def product(outer: Matrix, inner: Matrix) -> Matrix:
    """Return the matrix that applies the inner and then the outer one."""
    a, b, c, d, e, f = outer
    g, h, i, j, k, l = inner  # noqa: E741
    return (
        *(a * g + c * h, b * g + d * h, a * i + c * j, b * i + d * j),
        *(a * k + c * l + e, b * k + d * l + f),
    )


def _function(name: str, text: str) -> Matrix:
    found = ARGUMENT.findall(text)
    if ARGUMENT.sub("", text).strip() or len(found) not in ARGUMENTS.get(name, ()):
        raise ValueError(f"cannot read the transform {name}({text[:40]})")
    values = []
    for at, (number, unit) in enumerate(found):
        units = DEGREES if name in ANGLES and not at else PIXELS
        if unit.lower() not in units:
            raise ValueError(f"cannot read the unit {unit} in {name}({text[:40]})")
        values.append(float(number) * units[unit.lower()])
    first, second = values[0], values[1] if len(values) > 1 else None
    match name:
        case "matrix":
            a, b, c, d, e, f = values
            return a, b, c, d, e, f
        case "translate" | "translatex":
            return 1.0, 0.0, 0.0, 1.0, first, second or 0.0
        case "translatey":
            return 1.0, 0.0, 0.0, 1.0, 0.0, first
        case "scale":
            return first, 0.0, 0.0, first if second is None else second, 0.0, 0.0
        case "scalex":
            return first, 0.0, 0.0, 1.0, 0.0, 0.0
        case "scaley":
            return 1.0, 0.0, 0.0, first, 0.0, 0.0
    angle = math.radians(first)
    if name == "skewx":
        return 1.0, 0.0, math.tan(angle), 1.0, 0.0, 0.0
    if name == "skewy":
        return 1.0, math.tan(angle), 0.0, 1.0, 0.0, 0.0
    # A rotation, perhaps about a point.
    x, y = values[1:] or (0.0, 0.0)
    cos, sin = math.cos(angle), math.sin(angle)
    return cos, sin, -sin, cos, x - cos * x + sin * y, y - sin * x - cos * y


class Pen:
    """Draws the shapes of a document, within `MOST_POINTS`, `MOST_STROKES` and `MOST_COMMANDS`.

    The methods without an underscore are those that the lexer of svgelements calls.
    """

    def __init__(self) -> None:
        self.current_point: At | None = None
        self._points = self._commands = self._strokes = 0
        #: The kind of the last curve and its last control point.
        self._mirror: tuple[str, At] = "", At(0.0, 0.0)
        self._begin()

    def path(self, data: str) -> list[NDArray[np.float64]]:
        """Return the strokes of path data, each ``(N, 2)``.

        Raises
        ------
        ValueError
            If the data cannot be read to its end.
        DataError
            If the document has too many points, strokes or commands.
        """
        from svgelements import SVGLexicalParser

        self._begin()
        if data.strip() == "none":
            return []
        lexer = SVGLexicalParser()
        try:
            lexer.parse(self, data)
        except (TypeError, AttributeError) as error:
            # A number or a move is missing.
            raise ValueError(f"it ends with {data[lexer.pos - 20 : lexer.pos]!r}") from error
        if data[lexer.pos :].strip():
            raise ValueError(f"cannot read {data[lexer.pos : lexer.pos + 20]!r}")
        return self._end()

    def shape(self, name: str, values: Mapping[str, float], points: str) -> list[NDArray[Any]]:
        """Return the strokes of another shape, from its lengths or its ``points``."""
        self._begin()
        match name:
            case "line":
                self.move((values["x1"], values["y1"]))
                self.line((values["x2"], values["y2"]))
            case "polyline" | "polygon":
                self._polyline(points)
                if name == "polygon" and self.current_point is not None:
                    self.closed()
            case "rect":
                self._rectangle(values)
            case _:
                rx, ry = values["rx"], values["ry"]
                if rx > 0 and ry > 0:
                    self._ellipse(values["cx"], values["cy"], rx, ry)
        return self._end()

    def start(self) -> None:
        """Begin path data."""

    def end(self) -> None:
        """End path data."""

    def move(self, *points: Any, relative: bool = False) -> None:
        """Go to a point without drawing."""
        self._count()
        self._lift()
        [(x, y)] = points
        self.current_point = self._first = At(x, y)
        self._drawn.extend((x, y))

    def line(self, *points: Any, relative: bool = False) -> None:
        """Draw a line."""
        self._count()
        self._add(self._target(points[0]))

    def horizontal(self, x: float, relative: bool = False) -> None:
        """Draw a horizontal line."""
        self._count()
        at = self._here()
        self._add(At(at.x + x if relative else x + 0.0, at.y))

    def vertical(self, y: float, relative: bool = False) -> None:
        """Draw a vertical line."""
        self._count()
        at = self._here()
        self._add(At(at.x, at.y + y if relative else y + 0.0))

    def cubic(self, *points: Any, relative: bool = False) -> None:
        """Draw a cubic curve."""
        first, second, end = (self._target(point) for point in points)
        self._curve(_CUBIC, self._here(), first, second, end)
        self._mirror = "cubic", second

    def smooth_cubic(self, *points: Any, relative: bool = False) -> None:
        """Draw a cubic curve that goes on smoothly."""
        self.cubic(self._mirrored("cubic"), *points)

    def quad(self, *points: Any, relative: bool = False) -> None:
        """Draw a quadratic curve."""
        control, end = (self._target(point) for point in points)
        self._curve(_QUADRATIC, self._here(), control, end)
        self._mirror = "quad", control

    def smooth_quad(self, *points: Any, relative: bool = False) -> None:
        """Draw a quadratic curve that goes on smoothly."""
        self.quad(self._mirrored("quad"), *points)

    def arc(self, rx: float, ry: float, turn: float, large: bool, sweep: bool, end: Any,
            relative: bool = False) -> None:  # fmt: skip
        """Draw an arc of an ellipse."""
        from svgelements import Arc

        self._count()
        start, end = self._here(), self._target(end)
        if start == end:
            return
        if not rx or not ry:
            self._add(end)
            return
        if turn is None or large is None or sweep is None:
            raise ValueError("an arc has too few numbers")
        arc = Arc(start, abs(rx), abs(ry), turn, large, sweep, end)
        angles = arc.get_start_t() + arc.sweep * _SHARES[:-1]
        tilt = float(arc.get_rotation())
        cos, sin = arc.rx * np.cos(angles), arc.ry * np.sin(angles)
        x = arc.center.x + cos * math.cos(tilt) - sin * math.sin(tilt)
        y = arc.center.y + cos * math.sin(tilt) + sin * math.cos(tilt)
        self._add(end, np.stack([x, y], axis=1))

    def closed(self, relative: bool = False) -> None:
        """Draw a line to the first point."""
        self._count()
        self._here()
        self._add(self._first)

    def _begin(self) -> None:
        self.current_point = None
        self._first = At(0.0, 0.0)
        self._drawn = array("d")
        self._found: list[NDArray[np.float64]] = []
        self._mirror = "", self._first

    def _end(self) -> list[NDArray[np.float64]]:
        self._lift()
        return self._found

    def _count(self) -> None:
        self._mirror = "", self._first
        self._commands += 1
        if self._commands > MOST_COMMANDS:
            raise DataError(f"its paths have more than {MOST_COMMANDS:,} commands")

    def _lift(self) -> None:
        # A move alone draws nothing.
        if len(self._drawn) > 2:
            self._strokes += 1
            if self._strokes > MOST_STROKES:
                raise DataError(f"it has more than {MOST_STROKES:,} strokes")
            self._found.append(np.array(self._drawn).reshape(-1, 2))
        self._drawn = array("d")

    def _here(self) -> At:
        if self.current_point is None:
            raise ValueError("it does not begin with a move")
        return self.current_point

    def _target(self, point: Any) -> At:
        """Return a point; a Z in its place is the first point of the stroke."""
        self._here()
        return self._first if isinstance(point, str) else At(*point)

    def _mirrored(self, kind: str) -> At:
        at = self._here()
        last, control = self._mirror
        return At(2 * at.x - control.x, 2 * at.y - control.y) if last == kind else at

    def _add(self, end: At, before: NDArray[np.float64] | None = None) -> None:
        """Add points ``(N, 2)``, if any, and the end."""
        self._points += 1 + (0 if before is None else len(before))
        if self._points > MOST_POINTS:
            raise DataError(f"it has more than {MOST_POINTS:,} points")
        if before is not None:
            self._drawn.frombytes(before.tobytes())
        self._drawn.extend(end)
        self.current_point = end

    def _curve(self, weights: NDArray[np.float64], *controls: At) -> None:
        self._count()
        self._add(controls[-1], weights[:-1] @ np.array(controls))

    def _polyline(self, points: str) -> None:
        for x, y in _pairs(points):
            if self.current_point is None:
                self.move((x, y))
            else:
                self.line((x, y))

    def _rectangle(self, values: Mapping[str, float]) -> None:
        x, y, width, height = (values[name] for name in ("x", "y", "width", "height"))
        if width <= 0 or height <= 0:
            return
        rx, ry = min(values["rx"], width / 2), min(values["ry"], height / 2)
        right, bottom = x + width, y + height
        if rx <= 0 or ry <= 0:
            self.move((x, y))
            for corner in ((right, y), (right, bottom), (x, bottom)):
                self.line(corner)
            self.closed()
            return
        self.move((x + rx, y))
        for line, corner in (
            ((right - rx, y), (right, y + ry)),
            ((right, bottom - ry), (right - rx, bottom)),
            ((x + rx, bottom), (x, bottom - ry)),
            ((x, y + ry), (x + rx, y)),
        ):
            self.line(line)
            self.arc(rx, ry, 0, False, True, corner)

    def _ellipse(self, x: float, y: float, rx: float, ry: float) -> None:
        self.move((x + rx, y))
        for end in ((x, y + ry), (x - rx, y), (x, y - ry), (x + rx, y)):
            self.arc(rx, ry, 0, False, True, end)


def _pairs(points: str) -> Iterator[tuple[float, float]]:
    """Yield the pairs of numbers of ``points``; a number without a partner is an error."""
    first = None
    end = 0
    for match in NUMBERS.finditer(points):
        if points[end : match.start()].strip(" \t\r\n,"):
            break
        end = match.end()
        if first is None:
            first = float(match[0])
        else:
            yield first, float(match[0])
            first = None
    if first is not None or points[end:].strip(" \t\r\n,"):
        raise ValueError(f"cannot read the points {points[end : end + 20]!r}")
