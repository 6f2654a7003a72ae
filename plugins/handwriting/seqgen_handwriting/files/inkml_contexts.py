"""The contexts of InkML (W3C, 2011, sections 3 and 4): what the numbers of a trace mean.

A context names a trace format (the channels), an ink source (their resolution), a canvas transform
and a timestamp, each inside it or by reference, and takes the rest from the context it is based on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_handwriting.files.left_out import LeftOut
from seqgen_handwriting.files.xml_files import local_name

#: The attribute with the id of an element.
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"

#: Units of length in millimetres.
MILLIMETRES = {"m": 1000.0, "cm": 10.0, "mm": 1.0, "in": 25.4, "pt": 25.4 / 72, "pc": 25.4 / 6}
MILLIMETRES |= {"himetric": 0.01, "um": 0.001}

#: Units of time in seconds.
SECONDS = {"s": 1.0, "ms": 0.001, "us": 1e-6, "ns": 1e-9}

#: Limit of references that lead to further references.
DEEPEST = 50

#: Limit of the characters of a matrix.
LONGEST_MATRIX = 1000

#: x' = a x + b y + c and y' = d x + e y + f as ``(2, 3)``.
Affine: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Channel:
    """A column of values.

    Attributes
    ----------
    name : str
    factor : float
        Factor of its values.
    since : float or None
        For times: the second that its zero means; None for the beginning of the trace.
    """

    name: str
    factor: float = 1.0
    since: float | None = None


@dataclass(frozen=True)
class Context:
    """What the numbers of a trace mean.

    Attributes
    ----------
    channels : tuple of Channel
        The channels that every point has, in their order.
    is_declared : bool
        Whether the file names them; otherwise they are X and Y, and more values may follow.
    transform : float64 array (2, 3) or None
        From values of X and Y to the canvas.
    start : float
        The second from which traces count their offset.
    """

    channels: tuple[Channel, ...] = (Channel("X"), Channel("Y"))
    is_declared: bool = False
    transform: Affine | None = None
    start: float = 0.0


#: The context of traces in a file without one.
PLAIN = Context()


class Contexts:
    """The contexts of a document.

    Parameters
    ----------
    root : Element
    left_out : LeftOut
        Transforms that cannot be applied are counted here.

    Attributes
    ----------
    current : Context
        That of traces without a reference: at first the first one that has channels. A context or
        format beside the traces changes it.
    """

    def __init__(self, root: Element, left_out: LeftOut) -> None:
        self._left_out = left_out
        self._by_id = {
            name: element
            for element in root.iter()
            if (name := element.get(XML_ID) or element.get("id")) and local_name(element) != "trace"
        }
        # Elements live as long as this object, so their identity is a key. Each is read once: many
        # contexts may refer to a large one.
        self._known: dict[tuple[int, int], tuple[Context, Context]] = {}
        self._parts: dict[tuple[int, str], Element | None] = {}
        self._channels_of: dict[tuple[int, int], tuple[Channel, ...]] = {}
        self.current = PLAIN
        for element in root.iter():
            if local_name(element) in ("context", "inkSource", "traceFormat"):
                first = self.read(element)
                if first.is_declared:
                    self.current = first
                    break

    def named(self, reference: str | None) -> Context | None:
        """Return the context or format of a ``contextRef``; None if the file has none."""
        if reference is None or reference.lower() == "#currentcontext":
            return None
        element = self._by_id.get(reference.lstrip("#"))
        if element is None:
            self._left_out["contexts outside the file"] += 1
            return None
        return self.read(element, PLAIN)

    def read(self, element: Element, base: Context | None = None, depth: int = 0) -> Context:
        """Return the context that an element describes on top of another; by default the current.

        Raises
        ------
        DataError
            If contexts refer to each other in a circle.
        """
        if depth > DEEPEST:
            raise DataError(f"more than {DEEPEST} contexts refer to each other")
        base = self.current if base is None else base
        key = id(element), id(base)
        if key not in self._known:
            # With its base, which would be another one's identity if it ended.
            self._known[key] = base, self._read(element, base, depth)
        return self._known[key][1]

    def _read(self, element: Element, base: Context, depth: int) -> Context:
        match local_name(element):
            case "traceFormat":
                return replace(base, channels=self._channels(element, None), is_declared=True)
            case "inkSource":
                form = self._part(element, "traceFormat")
                if form is None:
                    return base
                return replace(base, channels=self._channels(form, element), is_declared=True)
        reference = (element.get("contextRef") or "").lstrip("#")
        if (other := self._by_id.get(reference)) is not None:
            base = self.read(other, PLAIN, depth + 1)
        source = self._part(element, "inkSource")
        form = self._part(element, "traceFormat")
        if form is None and source is not None:
            form = self._part(source, "traceFormat")
        if form is not None:
            base = replace(base, channels=self._channels(form, source), is_declared=True)
        if (transform := self._part(element, "canvasTransform")) is not None:
            base = replace(base, transform=self._affine(transform))
        if (stamp := self._part(element, "timestamp")) is not None:
            base = replace(base, start=self._time(stamp))
        return base

    def _part(self, element: Element, name: str) -> Element | None:
        """Return a part of an element: inside it, or by reference."""
        key = id(element), name
        if key not in self._parts:
            inside = next((one for one in element if local_name(one) == name), None)
            reference = (element.get(f"{name}Ref") or "").lstrip("#")
            self._parts[key] = self._by_id.get(reference) if inside is None else inside
        return self._parts[key]

    def _channels(self, form: Element, source: Element | None) -> tuple[Channel, ...]:
        """Return the channels of every point; intermittent ones, which follow, are not read."""
        key = id(form), id(source)
        if key not in self._channels_of:
            self._channels_of[key] = self._read_channels(form, source)
        return self._channels_of[key]

    def _read_channels(self, form: Element, source: Element | None) -> tuple[Channel, ...]:
        found = [one for one in form if local_name(one) == "channel"]
        properties = None if source is None else self._part(source, "channelProperties")
        resolutions: dict[str, tuple[float, str]] = {}
        for one in properties if properties is not None else ():
            if one.get("name") == "resolution":
                value = _positive(one.get("value", "1"))
                resolutions[one.get("channel", "")] = value, one.get("units", "")
        factors: dict[str, float] = {}
        lengths: dict[str, float] = {}
        for one in found:
            name = one.get("name", "")
            resolution, per = resolutions.get(name, (1.0, ""))
            factors[name] = 1 / resolution
            unit = per.removeprefix("1/") or one.get("units", "")
            lengths[name] = MILLIMETRES.get(unit.lower(), 0.0)
        x, y = lengths.get("X"), lengths.get("Y")
        if x and y and x != y:
            # In different units they need a common one.
            factors["X"], factors["Y"] = factors["X"] * x, factors["Y"] * y
        return tuple(self._channel(one, factors[one.get("name", "")]) for one in found)

    def _channel(self, channel: Element, factor: float) -> Channel:
        name = channel.get("name", "")
        if name == "T":
            stamp = self._by_id.get((channel.get("respectTo") or "").lstrip("#"))
            since = None if stamp is None else self._time(stamp)
            return Channel(name, SECONDS.get(channel.get("units", "ms").lower(), 1.0), since)
        if name == "F":
            # A share of the largest force that the device knows, if the file says so.
            return Channel(name, 1 / _positive(channel.get("max", "1")))
        if name not in ("X", "Y"):
            return Channel(name)
        turned = name == "Y" and channel.get("orientation") == "-ve"
        return Channel(name, -factor if turned else factor)

    def _affine(self, transform: Element) -> Affine | None:
        """Return the matrix of a canvas transform; None if it changes nothing or is not read."""
        mapping = self._part(transform, "mapping")
        if mapping is None or mapping.get("type", "identity") == "identity":
            return None
        text = next((one.text or "" for one in mapping if local_name(one) == "affine"), "")
        rows = [row.split() for row in text[:LONGEST_MATRIX].split(",")]
        order = [one.get("source") for one in mapping if local_name(one) == "bind"]
        try:
            matrix = np.array(rows, np.float64)
        except ValueError:
            matrix = np.zeros((0, 0))
        if mapping.get("type") != "affine" or matrix.shape != (2, 3) or order[:1] == ["Y"]:
            self._left_out["canvas transforms of another kind than affine"] += 1
            return None
        return matrix

    def _time(self, stamp: Element, depth: int = 0) -> float:
        """Return the time of a timestamp in seconds."""
        offset = _number(stamp.get("timeOffset")) / 1000
        other = self._by_id.get((stamp.get("timestampRef") or "").lstrip("#"))
        if other is not None and depth < DEEPEST:
            return offset + self._time(other, depth + 1)
        if text := stamp.get("timeString"):
            try:
                return offset + datetime.fromisoformat(text).timestamp()
            except (ValueError, OverflowError):
                return offset
        return offset + _number(stamp.get("time")) / 1000


def _number(text: str | None) -> float:
    """Return a number; 0 if there is none."""
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if np.isfinite(value) else 0.0


def _positive(text: str) -> float:
    """Return a resolution; 1 if it is not a positive number."""
    value = _number(text)
    return value if value > 0 else 1.0
