"""Weights of one vocabulary as weights of another: what a symbol was worth goes where it is now.

Comes from: `seqgen.run.folder`, which starts a new run from an old one. Everything that does not
belong to a token stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqgen.config import ModelConfig
from seqgen.errors import RunError
from seqgen.vocab import Vocab

#: In place of the old id of a symbol that is new; counted from the end, the entry after all.
NEW = -1


@dataclass(frozen=True)
class Transfer:
    """What became of the symbols; START and END, which are always kept, are not counted.

    Attributes
    ----------
    kept, new, dropped : int
        Symbols that both vocabularies have, only the new one, only the old one.
    vocabulary : {"same", "reordered", "different"}
        How the new one stands to the old one, by their digests and their symbols.
    """

    kept: int
    new: int
    dropped: int
    vocabulary: Literal["same", "reordered", "different"]


def transfer_weights(
    weights: Mapping[str, NDArray[Any]],
    old: Vocab,
    new: Vocab,
    model_config: ModelConfig,
    feature_sizes_old: tuple[int, ...],
    feature_sizes_new: tuple[int, ...],
) -> tuple[dict[str, NDArray[Any]], Transfer]:
    """Return the weights for another vocabulary: kept symbols keep theirs, new ones get the mean.

    Parameters
    ----------
    weights : mapping of str to array
        Of a `SequenceLSTM` for `old`, by name.
    old, new : Vocab
    model_config : ModelConfig
        Of both models.
    feature_sizes_old, feature_sizes_new : tuple of int
        Of their codecs.

    Raises
    ------
    RunError
        If the features are of other sizes.
    """
    if feature_sizes_old != feature_sizes_new:
        raise RunError(
            f"the model has features of sizes {_listed(feature_sizes_old)}, the new corpus has "
            f"{_listed(feature_sizes_new)}; train a new run, on the files of both"
        )
    before = {name: number for number, name in enumerate(old.names)}
    payload = [before.get(name, NEW) for name in new.names]
    sources = np.array([*payload, old.end, old.start])
    mapped = {
        name: _mapped(name, value, sources, old, model_config) for name, value in weights.items()
    }
    kept = sum(source != NEW for source in payload)
    transfer = Transfer(
        kept,
        new=len(new.names) - kept,
        dropped=len(old.names) - kept,
        vocabulary="same"
        if new.digest == old.digest
        else "reordered"
        if kept == len(new.names) == len(old.names)
        else "different",
    )
    return mapped, transfer


def _mapped(
    name: str, value: NDArray[Any], sources: NDArray[Any], old: Vocab, config: ModelConfig
) -> NDArray[Any]:
    """Return one weight for the new vocabulary; docs/format.md has the shapes."""
    one_hot = not config.embedding
    targets = sources[:-1]  # START is never predicted
    match name.split("."):
        case ["embedding", "weight"]:
            return _moved(value, 0, sources, old.end)
        case ["output", "weight" | "bias"] | ["output_bias"]:
            return _moved(value, 0, targets, old.end)
        case ["features", _, "weight"] if one_hot:
            moved = _moved(value, 1, sources, old.end)
            # Here a feature adds to the vector of every symbol: new ones would change its effect.
            moved[:, sources == NEW] = 0
            return moved
        case ["layers", layer, "weight_ih"] if one_hot and (layer == "0" or config.skip):
            return _moved(value, 1, sources, old.end)
    return value


def _moved(value: NDArray[Any], axis: int, sources: NDArray[Any], payload: int) -> NDArray[Any]:
    """Rearrange an axis whose last entries belong to tokens; what stands before them stays.

    Parameters
    ----------
    value : array
    axis : int
    sources : int array
        The old id of every new one, the highest last, or `NEW`.
    payload : int
        How many old ids are symbols, of which a new one gets the mean.
    """
    others, tokens = np.split(value, [value.shape[axis] - sources[-1] - 1], axis)
    mean = tokens.take(range(payload), axis).mean(axis, keepdims=True)
    # The mean stands last, which is where NEW looks.
    moved = np.concatenate([tokens, mean], axis).take(sources, axis)
    return np.concatenate([others, moved], axis)


def _listed(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes)) or "none"
