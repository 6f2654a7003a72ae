"""Every setting of the engine: frozen dataclasses whose field sentences are the command's help."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from seqgen.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the network."""

    layers: int = 1
    """LSTM layers."""
    hidden: int = 256
    """Units in each layer."""
    embedding: int = 64
    """Width of the learned token embedding; 0 feeds one-hot vectors instead."""
    skip: bool = False
    """Feed the input to every layer and every layer to the output (Graves 2013)."""
    tied: bool = False
    """Use the token embedding as output weights as well."""
    dropout: float = 0.2
    """Share of every layer's outputs that training drops."""

    def __post_init__(self) -> None:
        _at_least(self, 1, "layers", "hidden")
        _at_least(self, 0, "embedding", "dropout")
        if self.dropout >= 1:
            raise ConfigError(f"dropout must be below 1, found {self.dropout}")
        if self.tied and not self.embedding:
            raise ConfigError("tied needs a learned embedding; set embedding above 0")


@dataclass(frozen=True)
class TrainConfig:
    """How long and how to train: minutes, epochs or tokens, and 3 minutes if none is given."""

    minutes: float = 0.0
    """Time to spend, evaluation included."""
    epochs: float = 0.0
    """Passes over the training pieces."""
    tokens: int = 0
    """Tokens to read."""
    batch: int = 16
    """Lanes: sequences that are read side by side."""
    window: int = 128
    """Steps between two updates; the state is carried across."""
    step_size: float = 6e-3
    """Largest step size of AdamW; it rises over the first 2 % of the budget and then falls to 0."""
    weight_decay: float = 0.01
    """Weight decay of AdamW."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    evaluations: int = 10
    """How often to measure the validation loss; the best model is kept."""
    threads: int = 0
    """Processor threads; 0 takes the fastest for a budget in minutes and 1 otherwise."""
    seed: int = 0
    """Seed of weights, order, augmentation and dropout."""
    device: str = "auto"
    """Where to train: cpu, cuda, mps, or auto for the best there is."""

    def __post_init__(self) -> None:
        _at_least(self, 0, "minutes", "epochs", "tokens", "weight_decay", "threads", "seed")
        _at_least(self, 1, "batch", "window", "evaluations")
        for name in ("step_size", "clip"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0, found {getattr(self, name)}")
        given = [name for name in ("minutes", "epochs", "tokens") if getattr(self, name)]
        if len(given) > 1:
            raise ConfigError(f"give one budget, found {' and '.join(given)}")
        if not given:
            object.__setattr__(self, "minutes", 3.0)


@dataclass(frozen=True)
class SampleConfig:
    """How a token is drawn from the model's distribution, in this order."""

    temperature: float = 1.0
    """Above 1 bolder, below 1 safer; 0 always takes the likeliest."""
    top_k: int = 0
    """Keep only this many of the likeliest tokens; 0 keeps all."""
    top_p: float = 1.0
    """Keep the likeliest tokens that together have this probability (Holtzman 2020)."""
    min_p: float = 0.0
    """Drop tokens less likely than this share of the likeliest (Nguyen 2024)."""

    def __post_init__(self) -> None:
        _at_least(self, 0, "temperature", "top_k", "min_p")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p must be above 0 and at most 1, found {self.top_p}")
        if self.min_p > 1:
            raise ConfigError(f"min_p must be at most 1, found {self.min_p}")


@dataclass(frozen=True)
class LimitConfig:
    """When a piece stops that does not end by itself."""

    length: int = 0
    """Most tokens in a piece; 0 allows twice the longest training piece, at most 4096."""
    seconds: float = 0.0
    """Most seconds to spend; pieces begun are kept as they are; 0 sets no limit."""

    def __post_init__(self) -> None:
        _at_least(self, 0, "length", "seconds")


def from_mapping(config: type[T], values: Mapping[str, Any], place: str) -> T:
    """Build a settings dataclass from plain values, text converted to the field's type.

    Raises
    ------
    ConfigError
        For a name that is not a field, or a value of the wrong kind; `place` says where.
    """
    fields = {field.name: field for field in dataclasses.fields(config)}  # type: ignore[arg-type]
    converted = {}
    for name, value in values.items():
        if name not in fields:
            close = difflib.get_close_matches(name, fields, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(fields)}"
            raise ConfigError(f"{place}: unknown setting {name!r}; {hint}")
        converted[name] = _converted(value, fields[name].default, f"{place}: {name}")
    return config(**converted)


def _converted(value: Any, default: Any, place: str) -> Any:
    if isinstance(default, tuple) and isinstance(value, (list, tuple)):
        return tuple(value)
    if not isinstance(value, str) or isinstance(default, str):
        return value
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[value.lower()]
        return type(default)(value)
    except (KeyError, TypeError, ValueError):
        wanted = type(default).__name__
        raise ConfigError(f"{place} must be of type {wanted}, found {value!r}") from None


def _at_least(config: object, least: float, *names: str) -> None:
    for name in names:
        if getattr(config, name) < least:
            raise ConfigError(f"{name} must be at least {least}, found {getattr(config, name)}")
