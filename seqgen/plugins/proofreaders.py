"""Checks what a domain learns to proofread with, and what its proofreader answers.

Next: `seqgen.run.proofreader` saves it, `seqgen.generation.retrying` reads symbols with it.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import PluginError
from seqgen.plugin import Domain, Piece
from seqgen.plugins.faults import method_text

#: What a proofreader learned, by name.
Learned: TypeAlias = Mapping[str, NDArray[Any]]

#: Says how badly the last dictated symbol of a piece can be read: 0 is sure, 1 or more is misread.
Proofreader: TypeAlias = Callable[[Piece], float]

#: Most bytes of all arrays together, and most arrays.
MOST_BYTES, MOST_ARRAYS = 2**24, 64

#: Their dtypes, with the names of safetensors.
DTYPES = {np.dtype(np.float32): "F32", np.dtype(np.int64): "I64"}


def checked_arrays(domain: Domain, learned: Any) -> dict[str, NDArray[Any]]:
    """Return what a domain learned, if it can be saved.

    Raises
    ------
    PluginError
        If it is no mapping of few small arrays of float32 or int64, or has numbers that are not
        finite.
    """
    fine = isinstance(learned, Mapping) and 0 < len(learned) <= MOST_ARRAYS
    if fine:
        fine = all(
            isinstance(name, str) and isinstance(array, np.ndarray) and array.dtype in DTYPES
            for name, array in learned.items()
        )
    if fine:
        fine = sum(array.nbytes for array in learned.values()) <= MOST_BYTES
        fine = fine and all(np.isfinite(array).all() for array in learned.values())
    if not fine:
        place = method_text(domain, "learn_proofreader")
        raise PluginError(
            f"learn_proofreader must return None, or up to {MOST_ARRAYS} arrays of float32 or "
            f"int64 by name, finite and at most {MOST_BYTES // 2**20} MB together, found "
            f"{reprlib.repr(learned)}; tell its authors ({place})"
        )
    return {name: np.ascontiguousarray(array) for name, array in learned.items()}


def proofreader_of(domain: Domain, learned: Learned) -> Proofreader:
    """Return the proofreader that learned something; its answers are checked.

    Raises
    ------
    DataError
        If the domain did not learn this.
    """
    read = domain.proofreader(learned)

    def proofread(piece: Piece) -> float:
        """Return what the proofreader of the domain says, if it is a number."""
        found = read(piece)
        if not isinstance(found, int | float | np.number) or not 0 <= found < math.inf:
            raise PluginError(
                f"the function of proofreader must return a number, 0 or more, found "
                f"{reprlib.repr(found)}; tell its authors ({method_text(domain, 'proofreader')})"
            )
        return float(found)

    return proofread
