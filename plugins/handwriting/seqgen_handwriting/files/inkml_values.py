"""The values of a trace of InkML (W3C, 2011, section 3.2.1)."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_handwriting.files.inkml_contexts import Context
from seqgen_handwriting.ink import MOST_POINTS

#: Our own channel: the index of each point's letter in the transcription.
LETTER = "L"

#: Channels that are kept; F is the force of the tip.
KEPT = ("X", "Y", "T", LETTER, "F")

#: A value with an optional prefix of relative values; the comma between two points; anything else.
VALUE = re.compile(
    r"""([!'"]?)\s*([+-]?(?:\#[0-9A-Fa-f]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|[*?TF])|(,)|(\S)"""
)

#: Limit of the values of a point.
MOST_VALUES = 100

#: Characters that are looked at to see how many values a point has, if there are no commas.
HEAD = 10_000


def columns_of(text: str, context: Context, room: int) -> Mapping[str, NDArray[np.float64]]:
    """Return the values of a trace by the channel's name, each ``(N,)``, with X and Y.

    Parameters
    ----------
    text : str
        The content of a trace, not empty.
    context : Context
    room : int
        The largest number of points.

    Raises
    ------
    DataError
        If there are more points.
    ValueError
        If the values do not fit the channels.
    """
    names = [channel.name for channel in context.channels]
    if missing := {"X", "Y"} - set(names):
        raise ValueError(f"its format has no channel {' and '.join(sorted(missing))}")
    kept = [(at, _Column(context.channels[at].factor)) for at, n in enumerate(names) if n in KEPT]
    text = text.strip().strip(",")
    if not text:
        raise ValueError("it has no value")
    for number, point in enumerate(_points(text, context)):
        if number >= room:
            raise DataError(f"it has more than {MOST_POINTS:,} points")
        for at, column in kept:
            column.add(*point[at])
    return {names[at]: np.frombuffer(column.values, np.float64) for at, column in kept}


def _points(text: str, context: Context) -> Iterator[list[tuple[str, str]]]:
    """Yield the points, each a list of prefixes and numbers, at least one for each channel."""
    count = len(context.channels)
    size = None if "," in text else _size(text, context)
    point: list[tuple[str, str]] = []
    for match in VALUE.finditer(text):
        prefix, number, comma, other = match.groups()
        if other or len(point) > MOST_VALUES:
            raise ValueError(f"cannot read the point {_around(text, match.start())!r}")
        if number:
            point.append((prefix, number))
        if comma or len(point) == size:
            _check(point, count, text, match.start())
            yield point
            point = []
    if point:
        if size is not None:
            raise ValueError(f"its values are not points of {size}, and it has no commas")
        _check(point, count, text, len(text))
        yield point


def _size(text: str, context: Context) -> int | None:
    """Return the number of values of each point of a trace without commas; None for one point."""
    count = len(context.channels)
    head = text[:HEAD]
    lines = [line for line in head.splitlines() if line.strip()]
    if len(head) < len(text):
        # The last one is cut.
        lines.pop()
    sizes = {sum(bool(match[2]) for match in VALUE.finditer(line)) for line in lines}
    if context.is_declared or len(sizes) != 1 or min(sizes) < count:
        return count
    # Without a format, a line with three values is X, Y and something more.
    [size] = sizes
    if len(lines) > 1:
        return size
    return None if size % count else count


def _check(point: list[tuple[str, str]], count: int, text: str, at: int) -> None:
    if len(point) < count:
        raise ValueError(
            f"the point {_around(text, at)!r} has {len(point)} values; its format has {count}"
        )


def _around(text: str, at: int) -> str:
    """Return the point at a place of a text, shortened."""
    begin = text.rfind(",", 0, at) + 1
    end = text.find(",", at)
    return text[begin : end if end >= 0 else None].strip()[:40]


class _Column:
    """The absolute values of a channel; a prefix holds until the next one.

    ``!`` precedes an absolute value, ``'`` a first difference and ``"`` a second difference. ``*``
    repeats the last difference, and ``?`` repeats the last value.
    """

    def __init__(self, factor: float) -> None:
        self.values = array("d")
        self._factor = factor
        self._mode, self._value, self._speed, self._change = "!", 0.0, 0.0, 0.0

    def add(self, prefix: str, text: str) -> None:
        """Add the next value."""
        mode = self._mode = prefix or self._mode
        if text == "*":
            self._speed += self._change if mode == '"' else 0.0
            self._value += self._speed if mode != "!" else 0.0
        elif text not in "?TF":
            number = _number(text)
            if mode == "!":
                self._speed, self._change = number - self._value, 0.0
                self._value = number
            else:
                self._change = number if mode == '"' else 0.0
                self._speed = self._speed + number if mode == '"' else number
                self._value += self._speed
        self.values.append(self._value * self._factor)


def _number(text: str) -> float:
    """Return a decimal or hexadecimal number, such as ``-1.5`` or ``#1F``."""
    if "#" not in text:
        return float(text)
    try:
        return float(int(text.replace("#", ""), 16))
    except OverflowError as error:
        raise ValueError(f"cannot read the number {text[:40]}") from error
