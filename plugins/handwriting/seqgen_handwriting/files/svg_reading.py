"""SVG reader: visible paths, lines and shapes become strokes, curves become short lines.

The walk is our own, because `svgelements.SVG.parse` does not say what it leaves out, follows
``use`` without a limit, and ends at the first bad path.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_handwriting.files.left_out import LeftOut
from seqgen_handwriting.files.svg_paths import IDENTITY, Matrix, Pen, length_of, matrix_of, product
from seqgen_handwriting.files.svg_styles import PLAIN, Sheet, Style, has_dark_background
from seqgen_handwriting.files.xml_files import local_name
from seqgen_handwriting.ink import FARTHEST, MEASURED, Ink

#: Elements whose content is not drawn in place, or is no drawing.
APART = {"defs", "symbol", "clipPath", "mask", "marker", "pattern", "style", "script", "metadata"}

#: Elements that are seen but are no strokes.
PICTURES = {"text": "texts", "image": "images", "foreignObject": "foreign objects"}

#: Shapes with the lengths that they need, and what each percent of it refers to.
SHAPES: dict[str, dict[str, str]] = {
    "path": {},
    "polyline": {},
    "polygon": {},
    "line": {"x1": "width", "y1": "height", "x2": "width", "y2": "height"},
    "rect": dict.fromkeys(("x", "width", "rx"), "width")
    | dict.fromkeys(("y", "height", "ry"), "height"),
    "circle": {"cx": "width", "cy": "height", "r": "both"},
    "ellipse": {"cx": "width", "cy": "height", "rx": "width", "ry": "height"},
}

#: Limit of uses of uses.
DEEPEST = 100

#: Limits of the elements that are visited, where ``use`` repeats them, and of their characters.
MOST_VISITS, MOST_CHARACTERS = 250_000, 2**26

#: Limit of the characters of a transform and of all transforms.
LONGEST_TRANSFORM, MOST_TRANSFORMS = 2**14, 2**22

#: Size of a page that names none, by CSS.
PAGE = (300.0, 150.0)

HREF = "{http://www.w3.org/1999/xlink}href"
BAD = "shapes that cannot be read"
ERRORS = (ArithmeticError, IndexError, ValueError)


@dataclass(frozen=True)
class _Place:
    """Where an element stands: its transform, style, viewport and the uses around it."""

    matrix: Matrix = IDENTITY
    style: Style = PLAIN
    width: float = PAGE[0]
    height: float = PAGE[1]
    uses: tuple[str, ...] = ()
    #: Whether a ``use`` shows the element itself, and the size that it gives it.
    is_used: bool = False
    size: tuple[str | None, str | None] = (None, None)


def ink_of_svg(root: Element, left_out: LeftOut) -> Ink:
    """Return the strokes of an SVG document in its order, with its title as text.

    Files of `seqgen_handwriting.files.svg_writing` are read back exactly, in the unit of the ink.
    Transforms, viewports and ``use`` are followed. A filled shape is read as its outline, and a
    line without length as a dot.

    Parameters
    ----------
    root : Element
    left_out : LeftOut
        Counts what is hidden, is no stroke, is a background, or cannot be read.

    Raises
    ------
    DataError
        If there are too many points, strokes or elements.
    """
    is_ours = root.get("data-seqgen") == "ink"
    walk = _Walk(root, Sheet() if is_ours else Sheet.of(root, left_out), left_out)
    # Our own files may be written in white, for dark paper.
    walk.is_dark = is_ours
    strokes: list[NDArray[np.float64]] = []
    shapes: list[Element] = []
    for shape, drawn in walk.shapes():
        for stroke in drawn:
            is_dot = shape.get("class") == "dot" if is_ours else bool(np.all(stroke == stroke[0]))
            strokes.append(stroke[:1] if is_dot else stroke)
            shapes.append(shape)
    title = next((one.text or "" for one in root if local_name(one) == "title"), "")
    if not is_ours:
        return Ink(tuple(strokes), title.strip())
    letters = _of_points(shapes, "data-letters", strokes, np.dtype(np.int64))
    times, pressure = (
        _of_points(shapes, f"data-{name}", strokes, np.dtype(np.float64)) for name in MEASURED
    )
    return Ink(tuple(strokes), title, letters, root.get("data-writer", ""), times, pressure)


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


class _Walk:
    """Goes through the elements that are drawn, in their order."""

    def __init__(self, root: Element, sheet: Sheet, left_out: LeftOut) -> None:
        self._root, self._sheet, self._left_out = root, sheet, left_out
        self._space = _namespace(root)
        self._by_id = {name: one for one in root.iter() if (name := one.get("id"))}
        self._pen = Pen()
        self._visits = self._characters = self._transforms = 0
        #: The page as left, top, right and bottom; and whether white is seen on it.
        self._page = (0.0, 0.0, *PAGE)
        self.is_dark = False

    def shapes(self) -> Iterator[tuple[Element, list[NDArray[np.float64]]]]:
        """Yield the visible shapes with the strokes of each, on the page."""
        # No recursion: a deep document would exhaust the stack.
        waiting = [(self._root, _Place())]
        while waiting:
            element, place = waiting.pop()
            try:
                inner = self._enter(element, place)
                if inner is None:
                    continue
                if (name := local_name(element)) in SHAPES:
                    strokes = self._drawn(element, inner)
                    if strokes and not self._is_unseen(name, inner.style, strokes):
                        yield element, strokes
                elif name == "use":
                    waiting += self._used(element, inner)
                else:
                    children = self._children(element)
                    waiting += [(child, inner) for child in reversed(children)]
            except ERRORS:
                self._left_out[BAD] += 1

    def _enter(self, element: Element, place: _Place) -> _Place | None:
        """Return where the content of an element stands; None if it is not drawn."""
        self._visits += 1
        self._characters += sum(map(len, element.attrib.values()))
        if self._visits > MOST_VISITS or self._characters > MOST_CHARACTERS:
            raise DataError(
                f"with its uses it has more than {MOST_VISITS:,} elements, or long ones"
            )
        name = local_name(element)
        if name in APART and not (name == "symbol" and place.is_used):
            return None
        found = self._sheet.properties(element)
        style = place.style.inherited(found) if found else place.style
        if found.get("display") == "none":
            self._left_out["hidden elements"] += 1
            return None
        if name in PICTURES:
            self._left_out["hidden elements" if style.is_hidden else PICTURES[name]] += 1
            return None
        for cut in ("clip-path", "mask"):
            if found.get(cut, "none") != "none":
                self._left_out["clips and masks"] += 1
        if element is self._root:
            self.is_dark |= has_dark_background(found)
        matrix = place.matrix
        if text := found.get("transform"):
            matrix = product(matrix, self._transform(text))
        inner = place
        if found or place.is_used:
            inner = replace(place, matrix=matrix, style=style, is_used=False)
        if name in ("svg", "symbol"):
            return self._viewport(element, inner, place.size if place.is_used else (None, None))
        return inner

    def _transform(self, text: str) -> Matrix:
        """Return the matrix of a transform. One that cannot be read changes nothing, as in CSS."""
        self._transforms += len(text)
        try:
            if len(text) > LONGEST_TRANSFORM or self._transforms > MOST_TRANSFORMS:
                raise ValueError("a transform is too long")
            return matrix_of(text)
        except ERRORS:
            self._left_out["transforms that cannot be read"] += 1
            return IDENTITY

    def _children(self, element: Element) -> list[Element]:
        """Return what is drawn of the children; of a switch the first that is for everyone."""
        children = [
            one for one in element if isinstance(one.tag, str) and _namespace(one) == self._space
        ]
        if local_name(element) == "switch":
            children = [one for one in children if _is_for_everyone(one)][:1]
        return children

    def _viewport(
        self, element: Element, place: _Place, size: tuple[str | None, str | None]
    ) -> _Place | None:
        """Return the place inside an ``svg`` or ``symbol``; None if it has no area."""
        is_root = element is self._root
        width, height = (
            _size_of(given or element.get(name) or "100%", whole)
            for given, name, whole in (
                (size[0], "width", place.width),
                (size[1], "height", place.height),
            )
        )
        box = self._view_box(element)
        aspect = element.get("preserveAspectRatio")
        if is_root:
            left, top, wide, high = box or (0.0, 0.0, width, height)
            self._page = left, top, left + wide, top + high
            matrix = place.matrix
            if box and (aspect or "").startswith("none") and min(width, height, wide, high) > 0:
                # The unit of the page is kept, but not its proportions.
                matrix = product(matrix, (1.0, 0.0, 0.0, height / high * wide / width, 0.0, 0.0))
            return replace(place, matrix=matrix, width=wide, height=high)
        if width <= 0 or height <= 0 or (box and min(box[2:]) <= 0):
            self._left_out["hidden elements"] += 1
            return None
        x, y = _corner(element, place)
        inner = (1.0, 0.0, 0.0, 1.0, x, y)
        if box:
            inner = _fitted((x, y, width, height), box, aspect)
            width, height = box[2:]
        matrix = product(place.matrix, inner)
        return replace(place, matrix=matrix, width=width, height=height)

    def _view_box(self, element: Element) -> list[float]:
        """Return the four numbers of a view box; none if it cannot be read (SVG 2, 8.6)."""
        words = (element.get("viewBox") or "").replace(",", " ").split()
        try:
            box = list(map(float, words))
        except ValueError:
            box = []
        if words and (len(box) != 4 or not all(map(math.isfinite, box)) or min(box[2:]) < 0):
            self._left_out["view boxes that cannot be read"] += 1
            return []
        return box

    def _used(self, element: Element, place: _Place) -> list[tuple[Element, _Place]]:
        """Return what a ``use`` shows, with its place."""
        reference = element.get("href") or element.get(HREF) or ""
        target = self._by_id.get(reference[1:]) if reference.startswith("#") else None
        if target is None:
            self._left_out["uses of what is not in the file"] += 1
            return []
        if reference in place.uses:
            self._left_out["uses of themselves"] += 1
            return []
        if len(place.uses) == DEEPEST:
            self._left_out[f"uses in more than {DEEPEST} uses"] += 1
            return []
        x, y = _corner(element, place)
        matrix = product(place.matrix, (1.0, 0.0, 0.0, 1.0, x, y))
        size = element.get("width"), element.get("height")
        uses = (*place.uses, reference)
        return [(target, replace(place, matrix=matrix, uses=uses, size=size, is_used=True))]

    def _drawn(self, shape: Element, place: _Place) -> list[NDArray[np.float64]]:
        """Return the strokes of a shape on the page; none if it has no paint."""
        style = place.style
        if style.is_hidden:
            self._left_out["hidden elements"] += 1
            return []
        if not style.is_filled and not style.is_stroked:
            self._left_out["shapes without line and fill"] += 1
            return []
        name = local_name(shape)
        if name == "path":
            strokes = self._pen.path(shape.get("d") or "")
        elif name == "line" and not any(shape.get(each) for each in SHAPES[name]):
            return []
        else:
            strokes = self._pen.shape(name, _lengths(shape, place), shape.get("points") or "")
        a, b, c, d, e, f = place.matrix
        if place.matrix != IDENTITY:
            turn, shift = np.array([[a, b], [c, d]]), np.array([e, f])
            with np.errstate(all="ignore"):
                strokes = [stroke @ turn + shift for stroke in strokes]
        for stroke in strokes:
            # Also false for NaN.
            if not (np.abs(stroke) <= FARTHEST).all():
                raise ValueError("a coordinate is too large")
        return strokes

    def _is_unseen(self, name: str, style: Style, strokes: Sequence[NDArray[np.float64]]) -> bool:
        """Return whether a shape is as white as the page, or is the page."""
        if not style.is_stroked and len(strokes) == 1 and self._covers_page(strokes[0]):
            self.is_dark = not style.is_white
            self._left_out["backgrounds"] += 1
            return True
        if style.is_white and not self.is_dark:
            self._left_out["white shapes"] += 1
            return True
        return False

    def _covers_page(self, stroke: NDArray[np.float64]) -> bool:
        """Return whether a stroke is a rectangle as large as the page, or larger."""
        low, high = stroke.min(axis=0), stroke.max(axis=0)
        at_edge = np.isclose(stroke, low) | np.isclose(stroke, high)
        left, top, right, bottom = self._page
        slack = 0.01 * np.array([right - left, bottom - top])
        return bool(
            len(stroke) >= 4
            and at_edge.all()
            and (low <= np.array([left, top]) + slack).all()
            and (high >= np.array([right, bottom]) - slack).all()
        )


def _size_of(text: str, whole: float) -> float:
    """Return the width or height of a viewport: all of it for ``auto`` and what CSS calculates."""
    try:
        return length_of(text, whole)
    except ValueError:
        return whole


def _corner(element: Element, place: _Place) -> tuple[float, float]:
    """Return ``x`` and ``y`` of an element; 0 for one that cannot be read."""
    found = []
    for name, whole in (("x", place.width), ("y", place.height)):
        try:
            found.append(length_of(element.get(name) or "0", whole))
        except ValueError:
            found.append(0.0)
    return found[0], found[1]


def _lengths(shape: Element, place: _Place) -> dict[str, float]:
    """Return the lengths of a shape in pixels; a missing radius of a corner is the other one."""
    name = local_name(shape)
    wholes = {"width": place.width, "height": place.height}
    wholes["both"] = math.hypot(place.width, place.height) / math.sqrt(2)
    given = {key: text for key in SHAPES[name] if (text := shape.get(key)) and text != "auto"}
    found = {key: length_of(text, wholes[SHAPES[name][key]]) for key, text in given.items()}
    if name == "circle":
        found["rx"] = found["ry"] = found.get("r", 0.0)
    for one, other in (("rx", "ry"), ("ry", "rx")):
        found.setdefault(one, found.get(other, 0.0))
    return dict.fromkeys(SHAPES[name], 0.0) | found


def _fitted(
    at: tuple[float, float, float, float], box: Sequence[float], aspect: str | None
) -> Matrix:
    """Return the matrix that fits a view box into a viewport (SVG 2, section 8.2)."""
    from svgelements import Viewbox

    return matrix_of(Viewbox.viewbox_transform(*at, *box, aspect))


def _namespace(element: Element) -> str:
    tag = str(element.tag)
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""


def _is_for_everyone(element: Element) -> bool:
    """Return whether a child of a ``switch`` needs no extension, and no language but English."""
    languages = element.get("systemLanguage")
    return not element.get("requiredExtensions") and (
        languages is None or any(one.strip().startswith("en") for one in languages.split(","))
    )
