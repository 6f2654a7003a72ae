"""Reader of UNIPEN 1.0 (Guyon and others, 1994): strokes, and segments with labels."""

from __future__ import annotations

import io
import re
import shlex
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_handwriting.files.xml_files import content_of
from seqgen_handwriting.ink import MOST_POINTS, MOST_STROKES, Ink, checked

#: Limits of the points and strokes of a file, and of those in all of its segments together.
MOST_IN_FILE, MOST_STROKES_IN_FILE = 4 * MOST_POINTS, 4 * MOST_STROKES

#: Limits of the segments of a file, and of the characters of one.
MOST_SEGMENTS, LONGEST_SEGMENT = 100_000, 1000

#: Part of a segment: ``stroke[:point][-stroke[:point]]``, the last one included.
RANGE = re.compile(r"(\d+)(?::(\d+))?(?:-(\d+)(?::(\d+))?)?$")


@dataclass
class _Page:
    """The content of a file, read so far."""

    columns: tuple[str, ...] = ("X", "Y")
    levels: tuple[str, ...] = ()
    writer: str = ""
    included: str = ""
    strokes: list[NDArray[np.float64]] = field(default_factory=list)
    #: Level, places (see RANGE) and label of each segment.
    segments: list[tuple[str, str, str]] = field(default_factory=list)


def read_unipen(path: Path) -> Iterator[Ink | DataError]:
    """Yield the segments of the highest level with labels, or all strokes as one drawing.

    Strokes are those of ``.PEN_DOWN``, counted from 0. The format does not define whether y goes up
    or down; values stay as they are. An unusable segment is yielded as a `DataError`.

    Raises
    ------
    DataError
        If a line cannot be read, or there is no stroke.
    """
    page = _page(io.BytesIO(content_of(path)))
    if not page.strokes:
        raise DataError(
            f"it has no stroke, but includes {page.included}; read that file instead"
            if page.included
            else "it has no .PEN_DOWN with points"
        )
    named = {level for level, _, _ in page.segments}
    order = [*page.levels, *sorted(named - set(page.levels))]
    highest = next((level for level in order if level in named), None)
    if highest is None:
        yield checked(_ink(page, page.strokes, ""))
    room = MOST_STROKES_IN_FILE, MOST_IN_FILE
    for level, places, label in page.segments:
        if level == highest:
            try:
                chosen = _chosen(page.strokes, places, room)
                room = room[0] - len(chosen), room[1] - sum(map(len, chosen))
                yield checked(_ink(page, chosen, label))
            except DataError as error:
                yield DataError(f"segment {label!r}: {error}")


def _page(content: io.BytesIO) -> _Page:
    page, down, count = _Page(), False, 0
    rows = array("d")

    def lift() -> None:
        nonlocal rows
        if rows:
            page.strokes.append(np.array(rows).reshape(-1, len(page.columns)))
            rows = array("d")

    for number, line in enumerate(io.TextIOWrapper(content, "utf-8-sig", errors="replace"), 1):
        if not line.startswith("."):
            if down and line.strip():
                rows.extend(_row(line, page, number))
                count += 1
                if count > MOST_IN_FILE or len(page.strokes) > MOST_STROKES_IN_FILE:
                    raise DataError(
                        f"it has more than {MOST_IN_FILE:,} points or {MOST_STROKES_IN_FILE:,} "
                        f"strokes"
                    )
            continue
        keyword, *found = line[1:].split(None, 1) or [""]
        rest = found[0].rstrip() if found else ""
        if keyword in ("PEN_DOWN", "PEN_UP"):
            lift()
            down = keyword == "PEN_DOWN"
            if down and rest.strip():
                rows.extend(_row(rest, page, number))
        elif keyword not in ("DT", "COMMENT"):
            lift()
            down = False
            _note(page, keyword, rest)
    lift()
    return page


def _row(line: str, page: _Page, number: int) -> list[float]:
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        values = []
    if len(values) < len(page.columns):
        raise DataError(
            f"line {number}: expected {' '.join(page.columns)}, found {line.strip()[:40]!r}"
        )
    return values[: len(page.columns)]


def _note(page: _Page, keyword: str, rest: str) -> None:
    """Store the content of a line other than points."""
    match keyword:
        case "COORD":
            page.columns = tuple(rest.upper().split())
            if not {"X", "Y"} <= set(page.columns):
                raise DataError(f".COORD must name X and Y, found {rest!r}")
        case "HIERARCHY":
            page.levels = tuple(rest.split())
        case "WRITER_ID":
            page.writer = rest.strip()
        case "INCLUDE":
            page.included = rest.strip()
        case "SEGMENT":
            if len(page.segments) >= MOST_SEGMENTS or len(rest) > LONGEST_SEGMENT:
                raise DataError(
                    f"it has more than {MOST_SEGMENTS:,} segments, or one of more than "
                    f"{LONGEST_SEGMENT:,} characters"
                )
            try:
                words = shlex.split(rest)
            except ValueError:
                # An unpaired quotation mark is part of the label.
                words = rest.split()
            if len(words) > 3 and all(RANGE.match(part) for part in words[1].split(",")):
                page.segments.append((words[0], words[1], words[-1]))


def _chosen(
    strokes: list[NDArray[np.float64]], places: str, room: tuple[int, int]
) -> list[NDArray[np.float64]]:
    """Return strokes by places such as ``3``, ``3-5`` or ``3:10-4:20,7``.

    Raises
    ------
    DataError
        If there is no such stroke, or no room for so many strokes and points.
    """
    chosen: list[NDArray[np.float64]] = []
    points = 0
    for part in places.split(","):
        match = RANGE.match(part)
        assert match is not None
        first, begin, last, end = (None if word is None else int(word) for word in match.groups())
        first = first or 0
        last = first if last is None else last
        if last >= len(strokes):
            raise DataError(
                f"it ends at stroke {last}; the file has {len(strokes)} strokes, counted from 0"
            )
        for number in range(first, last + 1):
            low = begin if number == first else None
            high = end if number == last and end is not None else None
            chosen.append(strokes[number][low : None if high is None else high + 1])
            points += len(chosen[-1])
            if len(chosen) > room[0] or points > room[1]:
                raise DataError("the segments of the file repeat too many points")
    return [stroke for stroke in chosen if len(stroke)]


def _ink(page: _Page, strokes: list[NDArray[np.float64]], text: str) -> Ink:
    columns = page.columns
    x, y = columns.index("X"), columns.index("Y")
    times = None
    if "T" in columns:
        # Milliseconds.
        times = tuple(stroke[:, columns.index("T")] / 1000 for stroke in strokes)
    return Ink(tuple(stroke[:, [x, y]] for stroke in strokes), text, None, page.writer, times)
