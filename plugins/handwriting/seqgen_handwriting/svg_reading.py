"""SVG in: paths, lines and shapes as strokes, curves as short lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_handwriting.ink import MOST_POINTS, Ink
from seqgen_handwriting.xml_files import kind

#: Lines that stand for a curve or arc.
CURVE_LINES = 16

#: Elements whose content is not drawn where it stands.
APART = {"defs", "symbol", "clipPath", "mask", "marker", "pattern"}

#: Shapes, with their attributes.
SHAPES = {
    "path": ("d",),
    "line": ("x1", "y1", "x2", "y2"),
    "polyline": ("points",),
    "polygon": ("points",),
    "rect": ("x", "y", "width", "height", "rx", "ry"),
    "circle": ("cx", "cy", "r"),
    "ellipse": ("cx", "cy", "rx", "ry"),
}


def ink_of_svg(root: Element) -> Ink:
    """Return the strokes of an SVG drawing in the order of the document; its title is the text.

    Transforms are applied. What ``use`` repeats, text, images, styles and shapes in percent of
    the page are left out; a shape that is only filled is read as its outline.

    Raises
    ------
    DataError
        If a shape cannot be read.
    """
    strokes: list[NDArray[np.float64]] = []
    count = 0
    shape = root
    try:
        for shape, transform in _shapes(root):
            for stroke in _strokes(shape, transform):
                strokes.append(stroke)
                count += len(stroke)
                if count > MOST_POINTS:
                    raise DataError(f"it has more than {MOST_POINTS:,} points")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # svgelements raises whatever its numbers run into.
        raise DataError(
            f"cannot read <{kind(shape)}> or what follows ({type(error).__name__}: {error})"
        ) from error
    title = next((one.text or "" for one in root if kind(one) == "title"), "")
    return Ink(tuple(strokes), title.strip())


def _shapes(root: Element) -> Iterator[tuple[Element, Any]]:
    """Yield the shapes that are drawn, each with the transform that holds for it."""
    from svgelements import Matrix

    # Without recursion, which a deep document would exhaust.
    waiting = [(root, Matrix())]
    while waiting:
        current, transform = waiting.pop()
        if not isinstance(current.tag, str) or kind(current) in APART:
            continue
        if current.get("display") == "none":
            continue
        if own := current.get("transform"):
            transform = Matrix(own) * transform
        if kind(current) in SHAPES and not _background(current):
            yield current, transform
        waiting += [(child, transform) for child in reversed(current)]


def _background(shape: Element) -> bool:
    """Tell whether a shape is as large as the page is: in percent of it."""
    return any("%" in shape.get(name, "") for name in SHAPES[kind(shape)])


def _strokes(shape: Element, transform: Any) -> Iterator[NDArray[np.float64]]:
    import svgelements

    name = kind(shape)
    values = {key: shape.get(key) for key in SHAPES[name] if shape.get(key) is not None}
    kinds: dict[str, Any] = {
        "path": svgelements.Path,
        "line": svgelements.SimpleLine,
        "polyline": svgelements.Polyline,
        "polygon": svgelements.Polygon,
        "rect": svgelements.Rect,
        "circle": svgelements.Circle,
        "ellipse": svgelements.Ellipse,
    }
    drawn = kinds[name](**values)
    path = drawn if name == "path" else svgelements.Path(drawn)
    path *= transform
    path.reify()
    yield from _flattened(path)


def _flattened(path: Any) -> Iterator[NDArray[np.float64]]:
    """Yield the lines of a path; each move of the pen begins a new one."""
    import svgelements

    shares = np.linspace(0, 1, CURVE_LINES + 1)[1:]
    points: list[tuple[float, float]] = []
    for segment in path:
        if isinstance(segment, svgelements.Move):
            if points:
                yield _stroke(points)
            points = [(segment.end.x, segment.end.y)]
        elif isinstance(segment, svgelements.Line | svgelements.Close):
            if segment.end is not None:
                points.append((segment.end.x, segment.end.y))
        else:
            points += [(at.x, at.y) for at in map(segment.point, shares)]
    if points:
        yield _stroke(points)


def _stroke(points: list[tuple[float, float]]) -> NDArray[np.float64]:
    """Return points as an array; a line that goes nowhere is a dot."""
    stroke = np.array(points, np.float64)
    return stroke[:1] if (stroke == stroke[0]).all() else stroke
