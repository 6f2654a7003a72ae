"""Reader and writer of our own JSON, which the capture page saves.

::

    {"text": "ab", "writer": "me", "strokes": [[[x, y, t, p], ...], ...], "letters": [[0, ...]]}

or a list of such drawings. x goes to the right and y down, in any unit; t is in seconds, and p is
the pressure of the pen from 0 to 1. Only ``strokes`` is required. t and p are optional; with p
alone, t is ``null``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError, reason_of
from seqgen_handwriting.files.json_parts import Parts
from seqgen_handwriting.files.text_files import check_json
from seqgen_handwriting.files.xml_files import content_of
from seqgen_handwriting.ink import MOST_POINTS, MOST_STROKES, Ink, checked

#: Limit of the lists of a file: each point is one.
MOST_LISTS = MOST_POINTS + 2 * MOST_STROKES

#: Limit of the points of a stroke: an hour without lifting the pen.
MOST_OF_STROKE = 200_000


def read_json(path: Path) -> Iterator[Ink | DataError]:
    """Yield the drawings of a file; an unusable one as a `DataError`.

    Raises
    ------
    DataError
        If the file is not JSON, is an empty list, or has more than `MOST_LISTS` points.
    """
    content = content_of(path)
    check_json(content, MOST_LISTS)
    is_one = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"["
    try:
        drawings = Parts(content, 0 if is_one else 1)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the file is not JSON ({error})") from error
    stubs = [drawings.frame] if is_one else drawings.frame
    if not stubs:
        raise DataError("it has no drawing")
    for number, stub in enumerate(stubs, 1):
        try:
            yield checked(_ink(Parts(drawings.content(stub), 2)))
        except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
            yield DataError(
                f"drawing {number}: expected an object with strokes, lists of [x, y], [x, y, t] "
                f"or [x, y, t, p] ({reason_of(error)})"
            )
        except DataError as error:
            yield DataError(f"drawing {number}: {error}")


def as_json(ink: Ink) -> str:
    """Return ink as one JSON object."""
    strokes = [stroke.tolist() for stroke in ink.strokes]
    for number, rows in enumerate(strokes):
        if ink.times is not None or ink.pressure is not None:
            times = [None] * len(rows) if ink.times is None else ink.times[number].tolist()
            rows[:] = [[*row, time] for row, time in zip(rows, times, strict=True)]
        if ink.pressure is not None:
            pressed = ink.pressure[number].tolist()
            rows[:] = [[*row, value] for row, value in zip(rows, pressed, strict=True)]
    drawing: dict[str, Any] = {"text": ink.text, "writer": ink.writer, "strokes": strokes}
    if ink.letters is not None:
        drawing["letters"] = [letters.tolist() for letters in ink.letters]
    return json.dumps(drawing, ensure_ascii=False, allow_nan=False) + "\n"


def _ink(parts: Parts) -> Ink:
    drawing = parts.frame
    drawn = _arrays(parts, drawing["strokes"], np.float64)
    if any(stroke.ndim != 2 or stroke.shape[1] not in (2, 3, 4) for stroke in drawn):
        raise DataError("expected each stroke as a list of [x, y], [x, y, t] or [x, y, t, p]")
    letters, times, pressure = drawing.get("letters"), None, None
    if letters is not None:
        letters = tuple(_arrays(parts, letters, np.int64))
    if drawn and all(stroke.shape[1] > 2 for stroke in drawn):
        times = tuple(stroke[:, 2] for stroke in drawn)
    if drawn and all(stroke.shape[1] > 3 for stroke in drawn):
        pressure = tuple(stroke[:, 3] for stroke in drawn)
        if all(np.isnan(part).all() for part in times or ()):
            times = None
    return Ink(
        tuple(stroke[:, :2] for stroke in drawn),
        str(drawing.get("text") or ""),
        letters,
        str(drawing.get("writer") or ""),
        times,
        pressure,
    )


def _arrays(parts: Parts, stubs: Any, kind: type[Any]) -> list[NDArray[Any]]:
    """Return the lists of numbers of strokes as arrays, without empty ones.

    Raises
    ------
    DataError
        If there are too many, or one is too long.
    """
    if len(stubs) > MOST_STROKES:
        raise DataError(f"it has {len(stubs):,} strokes; {MOST_STROKES:,} is the most")
    found = []
    for number, stub in enumerate(stubs, 1):
        content = parts.content(stub)
        if max(content.count(b"["), content.count(b",") // 3) > MOST_OF_STROKE:
            raise DataError(f"stroke {number} has more than {MOST_OF_STROKE:,} points; split it")
        values = json.loads(content)
        if len(values):
            found.append(np.array(values, kind))
    return found
