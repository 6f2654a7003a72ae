"""Arrays of arrays of numbers out of a pickle, without running anything that it names.

The files of sketch-rnn are such pickles. A pickle may name any function of Python and have it
called; this reader knows five names, all those of an array of numbers, and puts harmless things of
its own in their places: not even numpy's own are called before shape and type are checked.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError, reason_of

#: Types of numbers: whole ones with a sign or without, and floats.
NUMBERS = frozenset(f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8)) | {"f2", "f4", "f8"}


class _Type:
    """What a pickle says of the type of an array."""

    def __init__(self, code: Any = "", *_: Any) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


class _Array:
    """What a pickle says of an array."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Name:
    """The place of ``numpy.ndarray``, which is an argument and is never called."""


def _bytes(text: Any, encoding: Any = "latin1") -> bytes:
    """Python 2 wrote bytes so."""
    return str(text).encode("latin1")


_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Name,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _bytes,
}


# The one of plain Python: in the other a few bytes can claim any amount of memory.
class _Unpickler(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return our own thing in the place of a known one; refuse any other name."""
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise DataError(
                f"its pickle asks for {module}.{name}; only arrays of numbers are taken out of "
                f"pickles, for they can run anything"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise DataError("its pickle refers to something outside it")


def arrays_of(content: bytes) -> list[NDArray[np.float64]]:
    """Return the arrays of numbers that a pickled array of objects holds, in order.

    Raises
    ------
    DataError
        If it holds anything else, or is cut short.
    """
    try:
        outer = _Unpickler(io.BytesIO(content), encoding="latin1").load()
        items = outer.state[4]
        if not isinstance(items, list):
            raise DataError("its pickle holds no list of arrays")
        return [_numbers(item) for item in items]
    except DataError:
        raise
    except Exception as error:
        # The bytes decide what goes wrong.
        raise DataError(f"its pickle cannot be read ({reason_of(error)})") from error


def _numbers(item: Any) -> NDArray[np.float64]:
    _, shape, kind, columns_first, raw = item.state
    if not isinstance(kind, _Type) or kind.code not in NUMBERS or kind.order not in "<>=|":
        raise DataError("its pickle holds an array of something that is no number")
    dtype = np.dtype(f"{kind.order}{kind.code}")
    data = raw if isinstance(raw, bytes) else _bytes(raw)
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise DataError("its pickle holds an array whose bytes do not fill its shape")
    order = "F" if columns_first else "C"
    return np.frombuffer(data, dtype).reshape(shape, order=order).astype(np.float64)  # type: ignore[call-overload,no-any-return]
