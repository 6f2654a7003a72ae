"""Transfer of weights to another vocabulary: every symbol keeps its weights at its new id.

Weights that belong to no token stay the same. Comes from: `seqgen.training.creation`, which starts
a new run from an old one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.unlabelled import labels_of, unlabelled
from seqgen.config import CORE, ModelConfig
from seqgen.errors import PluginError, RunError
from seqgen.plugin import Codec
from seqgen.vocab import Vocab

#: Stands for the old id of a new symbol. As an index it is the last entry, where the mean is put.
NEW = -1


@dataclass(frozen=True)
class Transfer:
    """How many symbols were matched, without START and END, which are always kept.

    Attributes
    ----------
    kept, new, dropped : int
        Number of symbols in both vocabularies, only in the new one, only in the old one.
    vocabulary : {"same", "reordered", "different"}
        The new vocabulary compared with the old one.
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
    alike: Mapping[str, str] = MappingProxyType({}),
) -> tuple[dict[str, NDArray[Any]], Transfer]:
    """Return the weights for another vocabulary; new symbols get the mean of the old ones.

    Parameters
    ----------
    weights : mapping of str to array
        Weights of a `SequenceModel` for `old`, by name.
    old, new : Vocab
    model_config : ModelConfig
        The network, the same for both.
    alike : mapping of str to str
        New symbols that get the weights of an old one instead (`labels_alike`).

    Returns
    -------
    weights : dict of str to array
    transfer : Transfer

    Raises
    ------
    RunError
        If one-hot inputs of another architecture than the core's must be rearranged: only the
        core's layers say which weights belong to a token.
    """
    one_hot = not model_config.embedding
    if one_hot and model_config.architecture != CORE and old.digest != new.digest:
        raise RunError(
            f"the architecture {model_config.architecture!r} with one-hot inputs keeps its "
            f"vocabulary; train a new run, with an embedding"
        )
    moving = np.array(old_ids(old, new, alike))
    mapped = {
        name: _mapped(name, value, moving, old, model_config) for name, value in weights.items()
    }
    kept = len({*old.names} & {*new.names})
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


def old_ids(old: Vocab, new: Vocab, alike: Mapping[str, str] = MappingProxyType({})) -> list[int]:
    """Return the old id of every new id ``(V,)``, or `NEW`; END and START are always kept.

    A new symbol in `alike` gets the id of the old one that it begins as.
    """
    before = {name: number for number, name in enumerate(old.names)}
    found = (before.get(name, before.get(alike.get(name, ""), NEW)) for name in new.names)
    return [*found, old.end, old.start]


def labels_alike(old: Codec, new: Codec) -> dict[str, str]:
    """Return for each value of a label that only `new` has the token that means any value."""
    before = {label.name: label for label in labels_of(old)}
    return {
        token: before[label.name].tokens[0]
        for label in labels_of(new)
        if label.name in before
        for token in label.tokens
        if token not in before[label.name].tokens
    }


def with_features_of(
    weights: Mapping[str, NDArray[Any]], old: Codec, new: Codec
) -> dict[str, NDArray[Any]]:
    """Return weights with the features of another codec, value by value.

    Values are matched by `Codec.feature_values`; one that is new gets the mean. If a codec does not
    say what its values mean, they stay as they are, but it must have learned the same from both.

    Parameters
    ----------
    weights : mapping of str to array
        Weights of a `SequenceModel` for `old`, by name.
    old, new : Codec
        Without their labels.

    Raises
    ------
    RunError
        If features may mean something else, or another number of them is named.
    """
    before, after = old.feature_values, new.feature_values
    if not before and not after:
        if new.feature_sizes and old.state() != new.state():
            raise RunError(
                f"{type(new).__name__} does not say what the values of its features mean, and the "
                f"new corpus may have given them another meaning; train a new run, on the files "
                f"of both"
            )
        return dict(weights)
    for codec, values in ((old, before), (new, after)):
        if [len(each) for each in values] != [*codec.feature_sizes]:
            raise PluginError(
                f"{type(codec).__name__}: feature_values must name {_listed(codec.feature_sizes)} "
                f"values, found {_listed([*map(len, values)])}; tell its authors"
            )
    if len(before) != len(after):
        raise RunError(
            f"the model has {len(before)} features, the new corpus has {len(after)}; train a new "
            f"run, on the files of both"
        )
    changed = dict(weights)
    for number, (known, wanted) in enumerate(zip(before, after, strict=True)):
        name = f"features.{number}.weight"
        places = {value: place for place, value in enumerate(known)}
        table = weights[name]  # (values, E)
        mean = table.mean(axis=0, keepdims=True)
        moved = [places.get(value, NEW) for value in wanted]
        changed[name] = np.concatenate([table, mean])[moved]
    return changed


def with_labels_of(
    weights: Mapping[str, NDArray[Any]], old: Codec, new: Codec, width: int
) -> dict[str, NDArray[Any]]:
    """Return weights with a feature for each label of another codec, value by value.

    A value that is new begins as any value of its label does, and a label that is new without
    influence. Features that are no labels stay. Where there are some, a label that the new codec
    lacks leaves what any of its values adds.

    Parameters
    ----------
    weights : mapping of str to array
        Weights of a `SequenceModel` for `old`, by name.
    old, new : Codec
    width : int
        E, the width of the embedding; without one, the number of ids.
    """
    first, before = len(unlabelled(old).feature_sizes), _values_of(old)
    tables = {
        name: weights[f"features.{first + number}.weight"]  # (values, E)
        for number, name in enumerate(before)
    }
    changed = {name: value for name, value in weights.items() if not _is_feature_from(name, first)}
    if first:
        # Each position has one value of the first feature, so its rows can hold the sum.
        for name in sorted(tables.keys() - _values_of(new).keys()):
            changed["features.0.weight"] = changed["features.0.weight"] + tables[name][1]
    for number, (name, values) in enumerate(_values_of(new).items()):
        # Rows are: not read yet, any value, then the values.
        if (table := tables.get(name)) is None:
            moved = np.zeros((2 + len(values), width), np.float32)
        else:
            known = {value: 2 + at for at, value in enumerate(before[name])}
            moved = table[[0, 1, *(known.get(value, 1) for value in values)]]
        changed[f"features.{first + number}.weight"] = moved
    return changed


def _values_of(codec: Codec) -> dict[str, list[str]]:
    """Return the values of each label in the order of their ids."""
    labels = labels_of(codec)
    return {label.name: sorted(label.values) for label in labels}


def _is_feature_from(name: str, first: int) -> bool:
    kind, _, rest = name.partition(".")
    return kind == "features" and int(rest.partition(".")[0]) >= first


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
        case ["features" | "contexts", _, "weight"] if one_hot:
            moved = _moved(value, 1, sources, old.end)
            # With one-hot input a feature has a weight for every symbol; new symbols get 0.
            moved[:, sources == NEW] = 0
            return moved
        case ["layers", layer, "weight_ih"] if one_hot and (layer == "0" or config.skip):
            return _moved(value, 1, sources, old.end)
    return value


def _moved(value: NDArray[Any], axis: int, sources: NDArray[Any], payload: int) -> NDArray[Any]:
    """Rearrange an axis whose last entries belong to tokens; the entries before them stay.

    Parameters
    ----------
    value : array
    axis : int
    sources : int array
        The old id of every new id, or `NEW`; the highest old id comes last.
    payload : int
        Number of old symbols, whose mean a new symbol gets.
    """
    others, tokens = np.split(value, [value.shape[axis] - sources[-1] - 1], axis)
    mean = tokens.take(range(payload), axis).mean(axis, keepdims=True)
    # The mean comes last, at index NEW.
    moved = np.concatenate([tokens, mean], axis).take(sources, axis)
    return np.concatenate([others, moved], axis)


def _listed(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes)) or "none"
