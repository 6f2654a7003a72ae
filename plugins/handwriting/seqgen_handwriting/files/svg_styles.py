"""What of an SVG document is visible: attributes, ``style`` and simple rules of style sheets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from xml.etree.ElementTree import Element

from seqgen_handwriting.files.left_out import LeftOut
from seqgen_handwriting.files.svg_paths import length_of
from seqgen_handwriting.files.xml_files import local_name

#: Properties that are read.
PROPERTIES = {
    *("display", "visibility", "opacity", "fill", "fill-opacity", "stroke", "stroke-opacity"),
    *("stroke-width", "transform", "clip-path", "mask", "background", "background-color"),
}

#: Limit of the characters of a style sheet, an attribute with a style, and a colour.
LONGEST_SHEET, LONGEST_STYLE, LONGEST_PAINT = 2**20, 2**14, 100

DECLARATION = re.compile(r"\s*([a-z-]+)\s*:\s*([^;]*)")
#: A tag, a class or an id.
SELECTOR = re.compile(r"[.#]?[\w-]+|\*")


@dataclass(frozen=True)
class Style:
    """The properties of an element that decide whether it is visible; most are inherited."""

    fill: str = "black"
    stroke: str = "none"
    stroke_width: str = "1"
    fill_opacity: float = 1.0
    stroke_opacity: float = 1.0
    opacity: float = 1.0
    is_visible: bool = True

    def inherited(self, found: Mapping[str, str]) -> Style:
        """Return the style of an element inside, with its own properties."""
        found = {name: value for name, value in found.items() if value != "inherit"}
        visibility = found.get("visibility")
        return replace(
            self,
            fill=found.get("fill", self.fill)[:LONGEST_PAINT],
            stroke=found.get("stroke", self.stroke)[:LONGEST_PAINT],
            stroke_width=found.get("stroke-width", self.stroke_width)[:LONGEST_PAINT],
            fill_opacity=_share(found.get("fill-opacity"), self.fill_opacity),
            stroke_opacity=_share(found.get("stroke-opacity"), self.stroke_opacity),
            # That of a group is applied to all of it.
            opacity=self.opacity * _share(found.get("opacity"), 1.0),
            is_visible=visibility == "visible" if visibility else self.is_visible,
        )

    @property
    def is_hidden(self) -> bool:
        """Whether nothing is seen of a shape with paint."""
        return not self.is_visible or self.opacity <= 0

    @property
    def is_filled(self) -> bool:
        """Whether the fill is seen."""
        return self.fill_opacity > 0 and not _is_none(self.fill)

    @property
    def is_stroked(self) -> bool:
        """Whether the line is seen."""
        return (
            self.stroke_opacity > 0
            and not _is_none(self.stroke)
            and not _is_zero(self.stroke_width)
        )

    @property
    def is_white(self) -> bool:
        """Whether all that is seen of a shape with paint is white."""
        return (not self.is_filled or _is_white(self.fill)) and (
            not self.is_stroked or _is_white(self.stroke)
        )


#: The style of a document without any.
PLAIN = Style()


@dataclass
class Sheet:
    """The rules of the style sheets of a document: those for one tag, class or id.

    Attributes
    ----------
    rules : dict
        Properties by selector.
    order : dict
        A number by selector, larger for a later rule.
    """

    rules: dict[str, dict[str, str]] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)
    _count: int = 0

    @classmethod
    def of(cls, root: Element, left_out: LeftOut) -> Sheet:
        """Return the rules of a document; others that decide what is visible are counted."""
        sheet = cls()
        for element in root.iter():
            if local_name(element) != "style":
                continue
            text = element.text or ""
            if len(text) > LONGEST_SHEET:
                left_out["long style sheets"] += 1
                continue
            sheet._add(_without_comments(text), left_out)
        return sheet

    def _add(self, text: str, left_out: LeftOut) -> None:
        depth = 0
        for rule in text.split("}"):
            selectors, brace, body = rule.rpartition("{")
            depth += rule.count("{")
            found = declarations(body) if brace else {}
            if found and depth > 1:
                left_out["style rules with conditions"] += 1
            for selector in map(str.strip, selectors.split(",") if found and depth == 1 else ()):
                if SELECTOR.fullmatch(selector):
                    self.rules[selector] = self.rules.get(selector, {}) | found
                    self._count += 1
                    self.order[selector] = self._count
                else:
                    left_out["style rules with long selectors"] += 1
            depth = max(0, depth - 1)

    def properties(self, element: Element) -> dict[str, str]:
        """Return the properties of an element: ``style`` over rules over attributes."""
        attributes = element.attrib
        found = {name: attributes[name].strip() for name in PROPERTIES & attributes.keys()}
        if self.rules:
            names = ["*", local_name(element)]
            found |= {k: v for name in names for k, v in self.rules.get(name, {}).items()}
            classes = {f".{name}" for name in attributes.get("class", "").split()}
            for selector in sorted(classes & self.rules.keys(), key=self.order.__getitem__):
                found |= self.rules[selector]
            found |= self.rules.get(f"#{attributes.get('id', '')}", {})
        return found | declarations(attributes.get("style", "")[:LONGEST_STYLE])


def has_dark_background(found: Mapping[str, str]) -> bool:
    """Return whether properties of the root give the page a colour other than white."""
    paint = found.get("background-color", found.get("background", "none"))[:LONGEST_PAINT]
    return bool(paint) and not _is_none(paint) and not _is_white(paint)


@lru_cache(maxsize=1000)
def declarations(text: str) -> dict[str, str]:
    """Return the properties that are read of ``fill: none; stroke: red``."""
    found = {}
    for part in text.split(";"):
        match = DECLARATION.match(part.lower())
        if match and match[1] in PROPERTIES:
            found[match[1]] = match[2].replace("!important", "").strip()
    return found


def _without_comments(text: str) -> str:
    kept = []
    for number, part in enumerate(text.split("/*")):
        kept.append(part if not number else part.partition("*/")[2])
    return "".join(kept)


def _share(text: str | None, default: float) -> float:
    """Return an opacity, such as ``0.5`` or ``50%``."""
    try:
        if text is None:
            return default
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return default


@lru_cache(maxsize=1000)
def _is_zero(width: str) -> bool:
    try:
        return length_of(width, 1.0) == 0
    except ValueError:
        return False


@lru_cache(maxsize=1000)
def _is_none(paint: str) -> bool:
    from svgelements import Color

    # A colour may have an opacity of its own.
    return paint in ("none", "transparent") or (
        paint.startswith(("#", "rgb", "hsl")) and Color(paint).opacity == 0
    )


@lru_cache(maxsize=1000)
def _is_white(paint: str) -> bool:
    from svgelements import Color

    color = Color(paint)
    return not paint.startswith("url") and (color.red, color.green, color.blue) == (255,) * 3
