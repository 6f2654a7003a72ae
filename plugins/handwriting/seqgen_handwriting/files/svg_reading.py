"""SVG in: paths, lines and shapes as strokes, curves as short lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError, reason_of
from seqgen_handwriting.files.xml_files import kind
from seqgen_handwriting.ink import MOST_POINTS, Ink

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

    What `seqgen_handwriting.files.svg_writing` wrote comes back whole, in its own unit. Transforms
    are applied. What ``use`` repeats, text, images, styles and shapes in percent of the page are
    left out; a shape that is only filled is read as its outline, and a line that goes nowhere as a
    dot.

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
        # svgelements raises whatever its numbers run into.
        raise DataError(
            f"expected a shape with numbers in <{kind(shape)}> or the one after it, found what "
            f"cannot be drawn ({reason_of(error)})"
        ) from error
    title = next((one.text or "" for one in root if kind(one) == "title"), "")
    if not is_ours:
        return Ink(tuple(strokes), title.strip())
    letters = _of_points(shapes, "data-letters", strokes, np.dtype(np.int64))
    times = _of_points(shapes, "data-times", strokes, np.dtype(np.float64))
    return Ink(tuple(strokes), title, letters, root.get("data-writer", ""), times)


def _of_points(
    shapes: Sequence[Element],
    name: str,
    strokes: Sequence[NDArray[np.float64]],
    kind_of_number: np.dtype[Any],
) -> tuple[NDArray[Any], ...] | None:
    """Return the numbers that go with the points of every stroke, if they still do.

    Raises
    ------
    DataError
        If they are no numbers.
    """
    found = [shape.get(name, "").split() for shape in shapes]
    if [len(part) for part in found] != [len(stroke) for stroke in strokes]:
        # There are none, or somebody edited the paths.
        return None
    try:
        return tuple(np.array(part).astype(kind_of_number) for part in found)
    except (ValueError, OverflowError) as error:
        raise DataError(f"cannot read {name} ({error})") from error


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
    """Yield the lines of a path; each move of the pen begins a new one, and draws nothing."""
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
