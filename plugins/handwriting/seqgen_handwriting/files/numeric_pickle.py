"""Reads arrays of numbers from a pickle without calling anything that it names.

The files of sketch-rnn hold such pickles. A pickle can name any Python function and have it called.
This reader knows only the five names that an array of numbers needs, and replaces them by harmless
classes of its own. Even numpy is called only after shape and type are checked.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError, reason_of

#: Type codes of numbers: signed and unsigned integers, and floats.
NUMBERS = frozenset(f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8)) | {"f2", "f4", "f8"}

#: Limit of the reads of a pickle. An array of numbers takes about 35, and a byte can make a list.
MOST_READS = 6_000_000


class _Type:
    """The dtype of an array in a pickle."""

    def __init__(self, code: Any = "", *_: Any) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


class _Array:
    """An array in a pickle: only its state is kept."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Name:
    """Replaces ``numpy.ndarray``, which is an argument and never called."""


def _bytes(text: Any, encoding: Any = "latin1") -> bytes:
    """Return bytes that Python 2 wrote as text."""
    return str(text).encode("latin1")


_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Name,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _bytes,
}


# The pure Python class: in the C class a few bytes can claim any amount of memory.
class _Unpickler(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return our own replacement of a known name; refuse any other."""
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise DataError(
                f"its pickle asks for {module}.{name}; only arrays of numbers are read from "
                f"pickles, because a pickle can run any function"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        """Refuse what a pickle keeps elsewhere."""
        raise DataError("its pickle refers to an object outside it")


class _Content(io.BytesIO):
    """The bytes of a pickle, which end after `MOST_READS` reads."""

    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes."""
        self.reads += 1
        if self.reads > MOST_READS:
            raise DataError(f"its pickle has more than {MOST_READS:,} parts")
        return super().read(size)


def arrays_of(content: bytes) -> list[NDArray[np.float64]]:
    """Return the arrays of numbers that a pickled array of objects holds, in order.

    Raises
    ------
    DataError
        If it holds anything else, has too many parts, or is truncated.
    """
    try:
        outer = _Unpickler(_Content(content), encoding="latin1").load()
        items = outer.state[4]
        if not isinstance(items, list):
            raise DataError("its pickle holds no list of arrays")
        return [_numbers(item) for item in items]
    except DataError:
        raise
    except Exception as error:
        # Damaged bytes can raise any exception.
        raise DataError(f"its pickle cannot be read ({reason_of(error)})") from error


def _numbers(item: Any) -> NDArray[np.float64]:
    _, shape, kind, columns_first, raw = item.state
    if not isinstance(kind, _Type) or kind.code not in NUMBERS or kind.order not in "<>=|":
        raise DataError("its pickle holds an array that is not of numbers")
    dtype = np.dtype(f"{kind.order}{kind.code}")
    data = raw if isinstance(raw, bytes) else _bytes(raw)
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise DataError("its pickle holds an array whose bytes do not fill its shape")
    order = "F" if columns_first else "C"
    return np.frombuffer(data, dtype).reshape(shape, order=order).astype(np.float64)  # type: ignore[call-overload,no-any-return]
