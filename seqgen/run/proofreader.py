"""The proofreader of a run: it reads the words of new pieces, and is saved beside the model.

A domain learns it from training pieces (`Domain.learn_proofreader`) as plain arrays, which travel
with the run. Comes from: `seqgen.evaluation.proofreading`. Next: `seqgen.generation.retrying` draws
again what it cannot read.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from seqgen.errors import DataError, PluginError, RunError
from seqgen.files import write_atomic
from seqgen.plugin import Domain, Piece
from seqgen.plugins.faults import method_text
from seqgen.run.folder import Run
from seqgen.run.results import PROOFREADER
from seqgen.storage.tensors import TensorFile

#: What a proofreader learned, by name.
Learned: TypeAlias = Mapping[str, NDArray[Any]]

#: Says how badly the last dictated symbol of a piece can be read: from 1 on it is misread.
Proofreader: TypeAlias = Callable[[Piece], float]

#: Most bytes of all arrays together and of the header of their file, and most arrays.
MOST_BYTES, HEADER, MOST_ARRAYS = 2**24, 2**20, 64

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


def save_proofreader(run: Run, learned: Learned) -> None:
    """Write what a proofreader learned into the run folder."""
    write_atomic(run.folder / PROOFREADER, safetensors.numpy.save(dict(learned)))


def saved_proofreader(run: Run) -> Proofreader | None:
    """Return the proofreader in the folder of a run; None if there is none.

    Raises
    ------
    RunError
        If the file is damaged.
    """
    path = run.folder / PROOFREADER
    if not path.exists():
        return None
    try:
        return proofreader_of(run.domain, _read(run))
    except (ValueError, DataError) as error:
        raise RunError(
            f"{path} is damaged: {error}; copy the whole folder again, or delete this file: what "
            f"it holds is then learned from the corpus"
        ) from error


def _read(run: Run) -> dict[str, NDArray[Any]]:
    """Return the arrays in the file; raise `ValueError` if it holds something else."""
    path = run.folder / PROOFREADER
    most = MOST_BYTES + HEADER
    if path.is_file() and path.stat().st_size > most:
        raise ValueError(f"expected at most {most:,} bytes, found {path.stat().st_size:,}")
    file = TensorFile(path)
    if not 0 < len(file.kinds) <= MOST_ARRAYS:
        raise ValueError(f"expected 1 to {MOST_ARRAYS} tensors, found {len(file.kinds):,}")
    for name, kind in file.kinds.items():
        if kind.dtype not in DTYPES.values():
            raise ValueError(f"the tensor {name[:80]!r} must be F32 or I64, found {kind.dtype}")
    arrays = file.read(file.kinds)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"the tensor {name[:80]!r} has numbers that are not finite")
    return arrays
