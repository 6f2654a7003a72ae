"""CSV reader: one point per row; columns drawing, stroke, x, y and optionally t and text."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from seqgen.errors import DataError
from seqgen.plugin import Note
from seqgen_handwriting.files.text_files import BAD_BYTE, bounded_lines, opened_text
from seqgen_handwriting.ink import MOST_POINTS, MOST_STROKES, Ink, checked

#: Columns that a file needs.
NEEDED = ("drawing", "stroke", "x", "y")

#: Limit of the characters of the first line.
LONGEST_HEADER = 10_000

#: Limits of the characters of a line, of the lines of a file, and of its drawings.
LONGEST_LINE, MOST_LINES, MOST_DRAWINGS = 100_000, 10_000_000, 500_000

#: Stands for a line that is too long: one value, because no delimiter is in it.
TOO_LONG = f"it has {LONGEST_LINE} characters or more"

#: Number of drawings whose names are kept, to find one that goes on after others.
MOST_NAMES = 100_000


def read_csv(path: Path) -> Iterator[Ink | DataError | Note]:
    """Yield the drawings of a file, each from consecutive rows.

    The names of columns may have capitals. Values are separated by commas, semicolons (numbers may
    then have a decimal comma) or tabs. Rows of a stroke are joined by its name. y goes down; t is
    in seconds. An unusable drawing is yielded as a `DataError`.

    Raises
    ------
    DataError
        If a column is missing. After `MOST_LINES` lines or `MOST_DRAWINGS` drawings, if there are
        more.
    """
    with opened_text(path, newline="") as file:
        header = file.readline(LONGEST_HEADER)
        delimiter = max(",;\t", key=header.count)
        names = [name.strip(' "\r\n').lower() for name in header.split(delimiter)]
        if missing := [name for name in NEEDED if name not in names]:
            raise DataError(
                f"it has no column {', '.join(missing)}; the first line must be "
                f"'drawing,stroke,x,y' or 'drawing,stroke,x,y,t'"
            )
        columns = {name: names.index(name) for name in (*NEEDED, "t", "text") if name in names}
        whole = (line or TOO_LONG for line in bounded_lines(file, LONGEST_LINE, MOST_LINES))
        rows = csv.reader(whole, delimiter=delimiter, skipinitialspace=True, strict=True)
        seen: set[str] = set()
        apart = 0
        for number, drawing in enumerate(_drawings(_lines(rows), columns)):
            if number == MOST_DRAWINGS:
                raise DataError(f"it has more than {MOST_DRAWINGS:,} drawings; split it")
            apart += drawing.apart
            if drawing.name in seen:
                drawing.reason = "some of its rows come before other drawings; sort them"
            elif len(seen) < MOST_NAMES:
                seen.add(drawing.name)
            try:
                yield checked(drawing.ink())
            except DataError as error:
                yield DataError(f"drawing {drawing.name!r}, up to line {drawing.line}: {error}")
        if apart:
            yield Note(f"strokes whose rows are not together are joined ({apart:,})")


@dataclass
class _Drawing:
    """The rows of a drawing, read so far.

    Attributes
    ----------
    strokes : dict
        x, y and t of the points of each stroke by its name.
    reason : str
        Why it cannot be used; empty if it can.
    apart : int
        Number of strokes that went on after another one.
    """

    name: str
    is_timed: bool
    strokes: dict[str, array[float]] = field(default_factory=dict)
    text: str = ""
    reason: str = ""
    line: int = 0
    points: int = 0
    apart: int = 0
    last: str = ""

    def add(self, row: list[str], columns: Mapping[str, int]) -> None:
        """Add a row; the first that cannot be used makes the drawing unusable."""
        if self.reason:
            return
        self.points += 1
        if self.points > MOST_POINTS or len(self.strokes) > MOST_STROKES:
            self.reason = f"it has more than {MOST_POINTS:,} points or {MOST_STROKES:,} strokes"
            return
        name = row[columns["stroke"]]
        if name not in self.strokes:
            self.strokes[name] = array("d")
        elif name != self.last:
            self.apart += 1
        self.last = name
        time, text = _at(row, columns, "t"), _at(row, columns, "text")
        # One missing time makes the others useless.
        self.is_timed = self.is_timed and bool(time)
        values = row[columns["x"]], row[columns["y"]], time if self.is_timed else "0"
        try:
            self.strokes[name].extend([float(value.replace(",", ".")) for value in values])
        except ValueError:
            wanted = "x, y, t" if self.is_timed else "x, y"
            self.reason = f"expected numbers as {wanted} of each point"
        self.text = self.text or text
        if BAD_BYTE.search(text):
            self.reason = f"line {self.line} is not UTF-8"

    def ink(self) -> Ink:
        """Return the drawing.

        Raises
        ------
        DataError
            If a row could not be used.
        """
        if self.reason:
            raise DataError(self.reason)
        points = [np.array(stroke).reshape(-1, 3) for stroke in self.strokes.values()]
        times = tuple(stroke[:, 2] for stroke in points) if self.is_timed else None
        return Ink(tuple(stroke[:, :2] for stroke in points), self.text, times=times)


def _drawings(
    lines: Iterator[tuple[int, list[str] | str]], columns: Mapping[str, int]
) -> Iterator[_Drawing]:
    """Yield the drawings of consecutive rows; a line that is no row makes its drawing unusable."""
    least = max(columns[name] for name in NEEDED) + 1
    drawing: _Drawing | None = None
    for number, row in lines:
        bad = row if isinstance(row, str) else ""
        if row == [TOO_LONG]:
            bad = TOO_LONG
        elif isinstance(row, list) and len(row) < least:
            bad = f"it has {len(row)} values; expected {least} or more"
        # A line of one value says nothing of its drawing.
        is_named = isinstance(row, list) and len(row) > max(1, columns["drawing"])
        name = row[columns["drawing"]] if is_named else ""
        if drawing is None or (is_named and name != drawing.name):
            if drawing is not None:
                yield drawing
            drawing = _Drawing(name, "t" in columns)
        drawing.line = number
        if bad:
            drawing.reason = drawing.reason or f"line {number}: {bad}"
        elif isinstance(row, list):
            drawing.add(row, columns)
    if drawing is not None:
        yield drawing


def _lines(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the number of each line with its row, or with the reason why it is none."""
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield rows.line_num + 1, str(error)  # type: ignore[attr-defined]
            continue
        if row:
            yield rows.line_num + 1, row  # type: ignore[attr-defined]


def _at(row: list[str], columns: Mapping[str, int], name: str) -> str:
    """Return a value that may be missing."""
    at = columns.get(name, len(row))
    return row[at] if at < len(row) else ""
