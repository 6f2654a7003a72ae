"""CSV reader: one point per row; columns drawing, stroke, x, y and optionally t and text."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from seqgen.errors import DataError
from seqgen_handwriting.ink import MOST_POINTS, Ink, checked


def read_csv(path: Path) -> Iterator[Ink | DataError]:
    """Yield the drawings of a file, each from consecutive rows.

    y goes down; t is in seconds. An unusable drawing is yielded as a `DataError`.

    Raises
    ------
    DataError
        If a column is missing, or the file is not CSV in UTF-8.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        try:
            names = set(rows.fieldnames or ())
            if missing := [name for name in ("drawing", "stroke", "x", "y") if name not in names]:
                raise DataError(
                    f"it has no column {', '.join(missing)}; the first line must be "
                    f"'drawing,stroke,x,y' "
                    f"or 'drawing,stroke,x,y,t'"
                )
            for name, drawing in groupby(rows, key=lambda row: row["drawing"]):
                try:
                    yield checked(_ink(drawing, "t" in names))
                except DataError as error:
                    yield DataError(f"drawing {name!r}, up to line {rows.line_num}: {error}")
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(
                f"it cannot be read from line {rows.line_num + 1} on: {error}"
            ) from error


def _ink(rows: Iterator[dict[str, str]], timed: bool) -> Ink:
    strokes: list[list[tuple[float, float, float]]] = []
    text, last, count = "", None, 0
    for row in rows:
        text = text or row.get("text") or ""
        if not strokes or row["stroke"] != last:
            strokes.append([])
        last, count = row["stroke"], count + 1
        if count > MOST_POINTS:
            raise DataError(f"it has more than {MOST_POINTS:,} points")
        # One missing time makes the others useless.
        timed = timed and bool(row["t"])
        try:
            time = float(row["t"]) if timed else 0.0
            strokes[-1].append((float(row["x"]), float(row["y"]), time))
        except (TypeError, ValueError) as error:
            columns = "x, y, t" if timed else "x, y"
            raise DataError(f"expected numbers as {columns} of each point") from error
    points = [np.array(stroke) for stroke in strokes]
    times = tuple(stroke[:, 2] for stroke in points) if timed else None
    return Ink(tuple(stroke[:, :2] for stroke in points), text, times=times)
