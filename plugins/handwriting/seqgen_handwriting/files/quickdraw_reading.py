"""Quick, Draw! reader: one drawing a line of JSON, raw or simplified."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seqgen.errors import DataError, reason_of
from seqgen.plugin import Labelled
from seqgen_handwriting.files.text_files import BAD_BYTE, bounded_lines, check_json, opened_text
from seqgen_handwriting.ink import MOST_STROKES, Ink, checked

#: Limit of the characters of a line.
LONGEST_LINE = 2**24

#: Limit of the lines of a file; the largest of Quick, Draw! has 340,000.
MOST_LINES = 500_000

#: Limit of the lists of a line: a stroke is a list of two or three.
MOST_LISTS = 5 * MOST_STROKES


def read_quickdraw(path: Path) -> Iterator[Labelled | DataError]:
    """Yield the drawings of a file; the word of each becomes its text and its label `class`.

    An unusable line is yielded as a `DataError`.

    Raises
    ------
    DataError
        After `MOST_LINES` lines, if there are more.
    """
    with opened_text(path) as file:
        for number, line in enumerate(bounded_lines(file, LONGEST_LINE, MOST_LINES), 1):
            if line is None:
                yield DataError(f"line {number} is longer than {LONGEST_LINE:,} characters")
            elif line.strip():
                yield _drawing(line, number)


def _drawing(line: str, number: int) -> Labelled | DataError:
    try:
        if not line.isascii() and BAD_BYTE.search(line):
            raise DataError("it is not UTF-8")
        check_json(line, MOST_LISTS)
        ink = checked(_ink(json.loads(line)))
        return Labelled({"class": ink.text} if ink.text else {}, ink)
    except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
        return DataError(
            f"line {number}: expected an object with word and drawing, a list of strokes "
            f"[[x, ...], [y, ...]] ({reason_of(error)})"
        )
    except DataError as error:
        return DataError(f"line {number}: {error}")


def _ink(found: Any) -> Ink:
    drawn = [[np.array(column, np.float64) for column in part] for part in found["drawing"]]
    drawn = [columns for columns in drawn if len(columns[0])]
    strokes = tuple(np.stack(columns[:2], axis=1) for columns in drawn)
    times = None
    if drawn and all(len(columns) > 2 for columns in drawn):
        # Milliseconds.
        times = tuple(columns[2] / 1000 for columns in drawn)
    return Ink(strokes, str(found.get("word") or ""), times=times)
