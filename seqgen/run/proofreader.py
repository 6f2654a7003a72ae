"""The proofreader of a run: it reads the letters of new pieces, and is saved beside the model.

A domain learns it from training pieces (`Domain.learn_proofreader`) as plain arrays, which travel
with the run. Comes from: `seqgen.evaluation.proofreading`. Next: `seqgen.generation.retrying` draws
again what it cannot read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from seqgen.errors import DataError, RunError
from seqgen.files import write_atomic
from seqgen.plugins.proofreaders import (
    DTYPES,
    MOST_ARRAYS,
    MOST_BYTES,
    Learned,
    Proofreader,
    proofreader_of,
)
from seqgen.run.folder import Run
from seqgen.run.results import PROOFREADER
from seqgen.storage.tensors import TensorFile

#: Most bytes of the header of the file.
HEADER = 2**20


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
