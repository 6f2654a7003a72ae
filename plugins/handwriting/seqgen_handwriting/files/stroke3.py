"""Reader and writer of stroke-3 in npz files: rows of (dx, dy, pen lifted), as in sketch-rnn.

Two forms are read. That of sketch-rnn has arrays of objects, named ``train`` and so on, of stroke-3
or stroke-5 rows. The plain form, which is also written, needs no pickle: ``rows`` ``(P, 3)`` of all
drawings, ``offsets`` ``(D + 1,)`` where each drawing begins, ``text`` and ``writer`` ``(D,)``, and
optionally ``letters``, ``times`` and ``pressure`` ``(P,)``.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_handwriting.files.numeric_pickle import arrays_of
from seqgen_handwriting.ink import MOST_POINTS, OF_POINTS, Ink, checked

#: What zipfile, zlib and numpy raise for damaged bytes.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError),
    *(ValueError, TypeError, MemoryError),
)

#: Limit of the unpacked bytes of a file.
MOST_BYTES = 2**27

#: Limit of the drawings of a file.
MOST_DRAWINGS = 500_000

#: Arrays of the plain form.
PLAIN = ("rows", "offsets", "text", "writer", *OF_POINTS)


def read_stroke3(path: Path) -> Iterator[Ink | DataError]:
    """Yield the drawings of an npz file, array by array, sorted by name.

    An unusable drawing is yielded as a `DataError`.

    Raises
    ------
    DataError
        If the file is not an npz file, or holds anything but arrays of numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > MOST_BYTES:
                raise DataError(f"the file holds {size:,} bytes; {MOST_BYTES:,} is the most")
            names = {name.removesuffix(".npy"): name for name in archive.namelist()}
            if {"rows", "offsets"} <= names.keys():
                known = [name for name in PLAIN if name in names]
                yield from _plain({name: _array(archive, names[name]) for name in known})
                return
            for name in sorted(names.values()):
                yield from drawings_in(archive, name)
    except DAMAGE as error:
        raise DataError(f"the file is not an npz file, or is damaged ({error})") from error


def write_stroke3(ink: Ink) -> bytes:
    """Return ink as an npz file in the plain form."""
    points = np.concatenate([*ink.strokes, np.zeros((0, 2))])
    ends = np.cumsum([len(stroke) for stroke in ink.strokes], dtype=np.int64)
    rows = np.zeros((len(points), 3))
    rows[:, :2] = np.diff(points, axis=0, prepend=np.zeros((1, 2)))
    rows[ends - 1, 2] = 1
    arrays: dict[str, Any] = {
        "rows": rows,
        "offsets": np.array([0, len(rows)], np.int64),
        "text": np.array([ink.text]),
        "writer": np.array([ink.writer]),
    }
    for name, values in ink.of_points.items():
        if values:
            arrays[name] = np.concatenate(values)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def ink_of_rows(rows: NDArray[Any], **known: Any) -> Ink:
    """Return the drawing of stroke-3 rows ``(N, 3)`` or stroke-5 rows ``(N, 5)``.

    Parameters
    ----------
    rows : array of numbers
    **known
        ``text`` and ``writer``; those of `OF_POINTS` with one value for each row.

    Raises
    ------
    DataError
        If the rows have another shape, or there are too many.
    """
    if rows.ndim != 2 or rows.shape[1] not in (3, 5):
        raise DataError(
            f"expected rows of 3 or 5 numbers, found an array of the shape {rows.shape}"
        )
    if len(rows) > MOST_POINTS:
        raise DataError(f"it has {len(rows):,} points; {MOST_POINTS:,} is the most")
    rows = rows.astype(np.float64, copy=False)
    lifted = rows[:, 2] > 0
    if rows.shape[1] == 5:
        over = np.flatnonzero(rows[:, 4] > 0)
        rows = rows[: over[0] if len(over) else None]
        lifted = rows[:, 3] > 0
    # Sums with NaN or infinity would warn here; `checked` refuses them.
    with np.errstate(all="ignore"):
        points = np.cumsum(rows[:, :2], axis=0)
    ends = np.flatnonzero(lifted[:-1]) + 1
    parts = {
        name: tuple(np.split(values, ends)) for name, values in known.items() if name in OF_POINTS
    }
    strokes = tuple(np.split(points, ends)) if len(points) else ()
    return checked(Ink(strokes, **(known | parts)))


def _plain(arrays: Mapping[str, NDArray[Any]]) -> Iterator[Ink | DataError]:
    rows, offsets = arrays["rows"], arrays["offsets"].ravel()
    if len(offsets) > MOST_DRAWINGS + 1:
        raise DataError(f"it has {len(offsets) - 1:,} drawings; {MOST_DRAWINGS:,} is the most")
    offsets = offsets.astype(np.int64)
    if (back := np.flatnonzero(np.diff(offsets) < 0)).size:
        # Drawings that overlap could be as many times the file.
        raise DataError(
            f"its offset {offsets[back[0] + 1]} follows {offsets[back[0]]}; expected no smaller one"
        )
    for number, (begin, end) in enumerate(pairwise(offsets.tolist())):
        try:
            if not 0 <= begin <= end <= len(rows):
                raise DataError(f"its offsets {begin} and {end} are not within {len(rows)} rows")
            known: dict[str, Any] = {
                name: str(arrays[name][number])
                for name in ("text", "writer")
                if name in arrays and number < len(arrays[name])
            }
            for name in OF_POINTS:
                if name in arrays:
                    kind = np.int64 if name == "letters" else np.float64
                    known[name] = arrays[name][begin:end].astype(kind)
            yield ink_of_rows(rows[begin:end], **known)
        except DataError as error:
            yield DataError(f"drawing {number + 1}: {error}")


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as file:
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            raise DataError(f"its array {name} cannot be read ({error})") from error


def drawings_in(archive: zipfile.ZipFile, name: str) -> Iterator[Ink | DataError]:
    """Yield the drawings of an array of objects such as ``train.npy``.

    Raises
    ------
    DataError
        If it holds anything but arrays of numbers.
    """
    with archive.open(name) as file:
        if not _holds_objects(file, name):
            raise DataError(
                f"its array {name} holds no drawings; expected arrays of sketch-rnn, or rows and "
                f"offsets"
            )
        arrays = arrays_of(file.read())
    for number, rows in enumerate(arrays, 1):
        try:
            yield ink_of_rows(rows)
        except DataError as error:
            yield DataError(f"drawing {number} of {name.removesuffix('.npy')}: {error}")


def _holds_objects(file: IO[bytes], name: str) -> bool:
    """Read the header of an array; return whether its elements are objects."""
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            _, _, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            _, _, dtype = np.lib.format.read_array_header_2_0(file)
    except ValueError as error:
        raise DataError(f"its array {name} cannot be read ({error})") from error
    return bool(dtype.hasobject)
