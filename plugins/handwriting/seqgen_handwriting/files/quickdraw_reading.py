"""Quick, Draw! reader: one drawing a line of JSON, raw or simplified."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seqgen.errors import DataError, reason_of
from seqgen_handwriting.ink import Ink, checked

#: Limit of the characters of a line.
LONGEST_LINE = 2**24


def read_quickdraw(path: Path) -> Iterator[Ink | DataError]:
    """Yield the drawings of a file; the word of each becomes its text.

    An unusable line is yielded as a `DataError`.

    Raises
    ------
    DataError
        If the file is not UTF-8.
    """
    with path.open(encoding="utf-8-sig") as file:
        number = 0
        try:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise DataError(f"line {number} is longer than {LONGEST_LINE:,} characters")
                if line.strip():
                    yield _drawing(line, number)
        except UnicodeDecodeError as error:
            raise DataError(
                f"the text after line {number} is not UTF-8 ({error.reason})"
            ) from error


def _drawing(line: str, number: int) -> Ink | DataError:
    try:
        return checked(_ink(json.loads(line)))
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
