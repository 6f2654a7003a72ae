"""Reader of InkML (W3C, 2011), with the annotations of CROHME's formulas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_handwriting.files.xml_files import local_name
from seqgen_handwriting.ink import Ink

#: The attribute with the id of an element.
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"

#: Names of annotations with the text; the first one present counts.
TRUTHS = ("truth", "transcription", "label")

#: Our own channel: the index of each point's letter in the transcription.
LETTER = "L"

#: A value of a point, with an optional prefix of relative values.
VALUE = re.compile(
    r"""([!'"]?)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[*?TF]|\#[0-9A-Fa-f]+)|\S"""
)


@dataclass(frozen=True)
class Channel:
    """A column of values: its name, and the factor of its values."""

    name: str
    factor: float = 1.0


#: Channels of a file without a format.
PLAIN = (Channel("X"), Channel("Y"))


def ink_of_inkml(root: Element) -> Ink:
    """Return the one drawing of an InkML document.

    Channels come from the trace format in force and are scaled by their resolution. Values may be
    relative (``'`` and ``"``). Traces of type ``penUp`` are left out; continued traces are joined.
    Text and writer come from annotations of the document; dollar signs around TeX are removed.

    Raises
    ------
    DataError
        If a trace cannot be read.
    """
    formats = _formats(root)
    rows: list[NDArray[np.float64]] = []
    names: set[str] = {"T", LETTER}
    number = 0
    for trace in root.iter():
        if local_name(trace) != "trace" or trace.get("type") == "penUp":
            continue
        number += 1
        if not (trace.text or "").strip():
            continue
        channels = formats.get(trace.get("contextRef", "").lstrip("#"), formats[""])
        try:
            columns = _columns(trace.text or "", channels)
        except ValueError as error:
            raise DataError(f"trace {number}: {error}") from error
        names &= columns.keys()
        values = np.stack([columns.get(name, columns["X"]) for name in ("X", "Y", "T", LETTER)])
        if trace.get("continuation") in ("middle", "end") and rows:
            rows[-1] = np.concatenate([rows[-1], values.T])
        else:
            rows.append(values.T)
    text, writer = _annotated(root, TRUTHS), _annotated(root, ("writer",))
    return Ink(
        tuple(row[:, :2] for row in rows),
        text,
        tuple(row[:, 3].astype(np.int64) for row in rows) if LETTER in names and rows else None,
        writer,
        tuple(row[:, 2] for row in rows) if "T" in names and rows else None,
    )


def _annotated(root: Element, names: tuple[str, ...]) -> str:
    """Return the document's annotation with the first of these names that is present."""
    found = {
        element.get("type", "").lower(): element.text or ""
        for element in reversed(root)
        if local_name(element) == "annotation"
    }
    name = next((name for name in names if found.get(name, "").strip()), "")
    if name != "truth":
        return found.get(name, "")
    text = found[name].strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] == "$" else text


def _formats(root: Element) -> dict[str, tuple[Channel, ...]]:
    """Return channels by the id of their context or format; those of the first also as ""."""
    formats: dict[str, tuple[Channel, ...]] = {}
    for element in root.iter():
        if local_name(element) not in ("traceFormat", "inkSource", "context"):
            continue
        inner = [one for one in element.iter() if local_name(one) == "channel"]
        referred = element.get("traceFormatRef") or element.get("inkSourceRef") or ""
        channels = _channels(inner, element) or formats.get(referred.lstrip("#"), ())
        # A context has the resolutions and comes before the format inside it: the first wins.
        if channels:
            formats.setdefault("", channels)
            formats.setdefault(element.get(XML_ID) or element.get("id") or "", channels)
    return formats or {"": PLAIN}


def _channels(found: list[Element], around: Element) -> tuple[Channel, ...]:
    resolutions = {
        one.get("channel"): one.get("value", "1")
        for one in around.iter()
        if local_name(one) == "channelProperty" and one.get("name") == "resolution"
    }
    channels = []
    for channel in found:
        name, factor = channel.get("name", ""), 1.0
        if name in ("X", "Y") and name in resolutions:
            factor = 1 / _positive(resolutions[name])
        if name == "Y" and channel.get("orientation") == "-ve":
            factor = -factor
        if name == "T" and channel.get("units", "ms") == "ms":
            factor = 0.001
        channels.append(Channel(name, factor))
    return tuple(channels)


def _positive(text: str) -> float:
    """Return a resolution; 1 if it is not a positive number."""
    try:
        value = float(text)
    except ValueError:
        return 1.0
    return value if 0 < value < np.inf else 1.0


def _columns(text: str, channels: tuple[Channel, ...]) -> dict[str, NDArray[np.float64]]:
    """Return the values of a trace by channel, each ``(N,)``, with X and Y."""
    names = [channel.name for channel in channels]
    if missing := {"X", "Y"} - set(names):
        raise ValueError(f"its format has no channel {' and '.join(sorted(missing))}")
    points = [_values(point, len(channels)) for point in text.strip().strip(",").split(",")]
    columns = zip(*points, strict=True)
    found = {}
    for channel, column in zip(channels, columns, strict=False):
        if channel.name in ("X", "Y", "T", LETTER):
            found[channel.name] = np.array(list(_absolute(column))) * channel.factor
    if not {"X", "Y"} <= found.keys():
        raise ValueError(f"a point has {len(points[0])} values; its format has {len(channels)}")
    return found


def _values(point: str, count: int) -> list[tuple[str, str]]:
    """Return the prefix and the number of the first `count` values of a point."""
    values: list[tuple[str, str]] = VALUE.findall(point)
    if any(not number for _, number in values):
        raise ValueError(f"cannot read the point {point.strip()[:40]!r}")
    if len(values) < count:
        raise ValueError(
            f"the point {point.strip()[:40]!r} has {len(values)} values; its format has {count}"
        )
    return values[:count]


def _absolute(column: tuple[tuple[str, str], ...]) -> Iterator[float]:
    """Yield the absolute values of a channel; a prefix holds until the next one.

    ``!`` precedes an absolute value, ``'`` a first difference and ``"`` a second difference. ``*``
    repeats the last difference, and ``?`` repeats the last value.
    """
    mode, value, speed, change = "!", 0.0, 0.0, 0.0
    for prefix, text in column:
        mode = prefix or mode
        if text in "?TF" or text.startswith("#"):
            yield value
            continue
        if text == "*":
            speed += change if mode == '"' else 0.0
            value += speed if mode in "'\"" else 0.0
        elif mode == "!":
            value, speed, change = float(text), float(text) - value, 0.0
        elif mode == "'":
            speed, change = float(text), 0.0
            value += speed
        else:
            change = float(text)
            speed += change
            value += speed
        yield value
