"""The table of tensors that seqgen writes (names, shapes, dtypes), and the reader that checks them.

The reader compares the header of a file with the table before it loads a tensor: a shared file may
have been altered, and compiled code trusts its shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from seqgen.config import CLUSTERS, CONTEXTS, ModelConfig
from seqgen.errors import ConfigError, RunError
from seqgen.vocab import Vocab

#: The library has no type hints.
_open: Any = safetensors.safe_open

#: Largest vocabulary for one-hot input: its table takes 1 GB.
MOST_ONE_HOT = 2**14

#: The dtype of weights in half the space.
HALF = "F16"

#: In a shape: any size.
ANY = -1


class Kind(NamedTuple):
    """Shape and dtype of a tensor, known before it is loaded.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
        The name in safetensors: F32, F16, I64 or U8.
    """

    shape: tuple[int, ...]
    dtype: str = "F32"

    def __str__(self) -> str:
        sizes = ", ".join("any" if size == ANY else str(size) for size in self.shape)
        return f"{self.dtype} ({sizes})"

    def fits(self, other: Kind) -> bool:
        """Return whether this kind matches another one, which may have sizes of `ANY`."""
        if self.dtype != other.dtype or len(self.shape) != len(other.shape):
            return False
        return all(
            wanted in (size, ANY) for size, wanted in zip(self.shape, other.shape, strict=True)
        )


def expected(config: ModelConfig, vocab: Vocab, feature_sizes: Sequence[int]) -> dict[str, Kind]:
    """Return the kind of every weight of a model by name; docs/format.md has the table.

    Raises
    ------
    ConfigError
        If `hidden` is 0, or the vocabulary is too large for one-hot input.
    """
    hidden, width = config.hidden, config.embedding or vocab.size
    if not hidden:
        raise ConfigError("hidden must be above 0 here; seqgen.create_run chooses if it is 0")
    if not config.embedding and vocab.size > MOST_ONE_HOT:
        raise ConfigError(
            f"one-hot inputs take {MOST_ONE_HOT:,} tokens at most, the vocabulary has "
            f"{vocab.size:,}; set embedding above 0"
        )
    shapes: dict[str, tuple[int, ...]] = {}
    if config.embedding:
        shapes["embedding.weight"] = vocab.size, width
    for layer in range(config.layers):
        inputs = width if layer == 0 else hidden + width * config.skip
        shapes[f"layers.{layer}.weight_ih"] = 4 * hidden, inputs
        shapes[f"layers.{layer}.weight_hh"] = 4 * hidden, hidden
        shapes[f"layers.{layer}.bias"] = (4 * hidden,)
    top = hidden * (config.layers if config.skip else 1)
    if config.tied:
        shapes["project.weight"] = width, top
        shapes["output_bias"] = (vocab.targets,)
    else:
        shapes["output.weight"] = vocab.targets, top
        shapes["output.bias"] = (vocab.targets,)
    if config.output == "adaptive":
        shapes["clusters.weight"] = CLUSTERS, width if config.tied else top
        shapes["clusters.bias"] = (CLUSTERS,)
    for number, size in enumerate(feature_sizes):
        shapes[f"features.{number}.weight"] = size, width
    for number in range(CONTEXTS if config.context_rows else 0):
        shapes[f"contexts.{number}.weight"] = config.context_rows or 0, width
    return {name: Kind(shape) for name, shape in shapes.items()}


def compare(found: Mapping[str, Kind], table: Mapping[str, Kind]) -> None:
    """Compare tensors with a table.

    Raises
    ------
    ValueError
        With the first tensor that is missing, unknown or of another kind.
    """
    for name, kind in table.items():
        if name not in found:
            raise ValueError(f"it has no tensor {name}{_reason(name, found)}")
        if not found[name].fits(kind):
            raise ValueError(f"the tensor {name} must be {kind}, found {found[name]}")
    for name in found.keys() - table.keys():
        raise ValueError(f"it has an unknown tensor {name[:80]!r}")


def _reason(name: str, found: Mapping[str, Kind]) -> str:
    """Return why a tensor may be missing, if that is known."""
    contexts = sum(other.startswith("contexts.") for other in found)
    if not name.startswith("contexts.") or not contexts:
        return ""
    return (
        f": an older version trained the run, with {contexts} tables of contexts instead of "
        f"{CONTEXTS}, so it has to be trained again"
    )


def compare_arrays(arrays: Mapping[str, NDArray[Any]], table: Mapping[str, Kind]) -> None:
    """Compare arrays in memory with a table, as `compare` does."""
    names = {np.dtype(np.float32): "F32", np.dtype(np.int64): "I64", np.dtype(np.uint8): "U8"}
    compare(
        {
            name: Kind(array.shape, names.get(array.dtype, str(array.dtype)))
            for name, array in arrays.items()
        },
        table,
    )


class TensorFile:
    """A safetensors file; only its header is read until its tensors are requested.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ValueError
        If the file is not safetensors, or its size does not match its tensors.
    """

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_file():
            # Opening a pipe would wait for a writer.
            raise ValueError(f"{path.name} is not a file")
        try:
            self._file: Any = _open(path, "numpy")
        except (OSError, safetensors.SafetensorError) as error:
            raise ValueError(str(error)) from error
        #: The metadata of the file.
        self.about: dict[str, str] = self._file.metadata() or {}
        self.kinds: dict[str, Kind] = {}
        for name in self._file.keys():  # noqa: SIM118
            part = self._file.get_slice(name)
            self.kinds[name] = Kind(tuple(part.get_shape()), part.get_dtype())

    def read(self, table: Mapping[str, Kind]) -> dict[str, NDArray[Any]]:
        """Return all tensors of a table by name.

        Raises
        ------
        ValueError
            If the tensors do not match the table.
        """
        compare(self.kinds, table)
        try:
            return {name: self._file.get_tensor(name) for name in table}
        except (OSError, safetensors.SafetensorError) as error:
            raise ValueError(str(error)) from error


def read_weights(path: Path, table: Mapping[str, Kind]) -> dict[str, NDArray[np.float32]]:
    """Return the weights in a file by name; those of float16 become float32.

    Parameters
    ----------
    path : Path
    table : mapping of str to Kind
        The result of `expected` for the settings in ``run.json``.

    Raises
    ------
    RunError
        If the file cannot be read, or holds the weights of another model.
    """
    try:
        file = TensorFile(path)
    except ValueError as error:
        raise RunError(f"{path} cannot be read ({error}); train again") from error
    try:
        weights = file.read({name: _as_stored(file, name, table[name]) for name in table})
    except ValueError as error:
        raise RunError(
            f"{path} does not fit run.json ({error}); copy the whole folder again, or train again"
        ) from error
    return {name: array.astype(np.float32, copy=False) for name, array in weights.items()}


def _as_stored(file: TensorFile, name: str, kind: Kind) -> Kind:
    """Return the kind of a weight of float32 in a file, which may keep it as float16."""
    is_half = name in file.kinds and file.kinds[name].dtype == HALF
    return kind._replace(dtype=HALF) if is_half and kind.dtype == "F32" else kind


def halved(weights: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float16]]:
    """Return weights as float16, which `read_weights` reads as well.

    Raises
    ------
    ValueError
        If a weight is too large for float16, or is not finite.
    """
    halves = {}
    for name, array in weights.items():
        with np.errstate(over="ignore"):
            halves[name] = array.astype(np.float16)
        if not np.isfinite(halves[name]).all():
            raise ValueError(f"the tensor {name} has weights that float16 cannot hold")
    return halves
