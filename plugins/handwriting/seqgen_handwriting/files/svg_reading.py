"""SVG reader: paths, lines and shapes become strokes, curves become short lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError, reason_of
from seqgen_handwriting.files.xml_files import local_name
from seqgen_handwriting.ink import MOST_POINTS, Ink

#: Number of lines for a curve or arc.
CURVE_LINES = 16

#: Elements whose content is not drawn in place.
APART = {"defs", "symbol", "clipPath", "mask", "marker", "pattern"}

#: Shapes and their attributes.
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
    """Return the strokes of an SVG document in its order, with its title as text.

    Files of `seqgen_handwriting.files.svg_writing` are read back exactly, in the unit of the ink.
    Transforms are applied. Left out are ``use``, text, images, style sheets, and shapes in percent
    of the page. A filled shape is read as its outline, and a line without length as a dot.

    Raises
    ------
    DataError
        If a shape cannot be read.
    """
    strokes: list[NDArray[np.float64]] = []
    shapes: list[Element] = []
    is_ours = root.get("data-seqgen") == "ink"
    count = 0
    shape = root
    try:
        for shape, transform in _shapes(root):
            for stroke in _strokes(shape, transform):
                is_dot = (
                    shape.get("class") == "dot" if is_ours else bool(np.all(stroke == stroke[0]))
                )
                strokes.append(stroke[:1] if is_dot else stroke)
                shapes.append(shape)
                count += len(strokes[-1])
                if count > MOST_POINTS:
                    raise DataError(f"it has more than {MOST_POINTS:,} points")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # svgelements raises any of these for numbers that it cannot handle.
        raise DataError(
            f"cannot draw <{local_name(shape)}> or the shape after it ({reason_of(error)}); "
            f"expected a shape with finite numbers"
        ) from error
    title = next((one.text or "" for one in root if local_name(one) == "title"), "")
    if not is_ours:
        return Ink(tuple(strokes), title.strip())
    letters = _of_points(shapes, "data-letters", strokes, np.dtype(np.int64))
    times = _of_points(shapes, "data-times", strokes, np.dtype(np.float64))
    return Ink(tuple(strokes), title, letters, root.get("data-writer", ""), times)


def _of_points(
    shapes: Sequence[Element],
    name: str,
    strokes: Sequence[NDArray[np.float64]],
    dtype: np.dtype[Any],
) -> tuple[NDArray[Any], ...] | None:
    """Return a value for each point of each stroke; None if their numbers do not match.

    Raises
    ------
    DataError
        If a value is not a number.
    """
    found = [shape.get(name, "").split() for shape in shapes]
    if [len(part) for part in found] != [len(stroke) for stroke in strokes]:
        # The file has none, or its paths were edited.
        return None
    try:
        return tuple(np.array(part).astype(dtype) for part in found)
    except (ValueError, OverflowError) as error:
        raise DataError(f"cannot read {name} ({error})") from error


def _shapes(root: Element) -> Iterator[tuple[Element, Any]]:
    """Yield the drawn shapes, each with its transform."""
    from svgelements import Matrix

    # No recursion: a deep document would exhaust the stack.
    waiting = [(root, Matrix())]
    while waiting:
        current, transform = waiting.pop()
        if not isinstance(current.tag, str) or local_name(current) in APART:
            continue
        if current.get("display") == "none":
            continue
        if own := current.get("transform"):
            transform = Matrix(own) * transform
        if local_name(current) in SHAPES and not _background(current):
            yield current, transform
        waiting += [(child, transform) for child in reversed(current)]


def _background(shape: Element) -> bool:
    """Return whether a shape is a background: sized in percent of the page."""
    return any("%" in shape.get(name, "") for name in SHAPES[local_name(shape)])


def _strokes(shape: Element, transform: Any) -> Iterator[NDArray[np.float64]]:
    import svgelements

    name = local_name(shape)
    values = {key: shape.get(key) for key in SHAPES[name] if shape.get(key) is not None}
    classes: dict[str, Any] = {
        "path": svgelements.Path,
        "line": svgelements.SimpleLine,
        "polyline": svgelements.Polyline,
        "polygon": svgelements.Polygon,
        "rect": svgelements.Rect,
        "circle": svgelements.Circle,
        "ellipse": svgelements.Ellipse,
    }
    drawn = classes[name](**values)
    path = drawn if name == "path" else svgelements.Path(drawn)
    path *= transform
    path.reify()
    yield from _flattened(path)


def _flattened(path: Any) -> Iterator[NDArray[np.float64]]:
    """Yield the strokes of a path; each move begins a new stroke."""
    import svgelements

    shares = np.linspace(0, 1, CURVE_LINES + 1)[1:]
    points: list[tuple[float, float]] = []
    for segment in path:
        if isinstance(segment, svgelements.Move):
            if len(points) > 1:
                yield _stroke(points)
            points = [(segment.end.x, segment.end.y)]
        elif isinstance(segment, svgelements.Line | svgelements.Close):
            if segment.end is not None:
                points.append((segment.end.x, segment.end.y))
        else:
            points += [(at.x, at.y) for at in map(segment.point, shares)]
    if len(points) > 1:
        yield _stroke(points)


def _stroke(points: list[tuple[float, float]]) -> NDArray[np.float64]:
    return np.array(points, np.float64)
