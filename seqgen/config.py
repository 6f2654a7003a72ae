"""Every setting of the engine: frozen dataclasses whose field sentences are the command's help."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from seqgen.errors import ConfigError

T = TypeVar("T")

#: Keys of `seqgen.batches.FRAMINGS`.
FramingName: TypeAlias = Literal["carried", "windows", "many-to-one", "one-to-many", "one-to-one"]


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the network."""

    layers: int = 1
    """LSTM layers."""
    hidden: int = 0
    """Units in each layer; 0 chooses as many as the budget can feed."""
    embedding: int = 64
    """Width of the learned token embedding; 0 feeds one-hot vectors instead."""
    skip: bool = False
    """Feed the input to every layer and every layer to the output (Graves 2013)."""
    tied: bool = False
    """Use the token embedding as output weights as well."""
    dropout: float | None = None
    """Share of every layer's outputs that training drops; by default by how often the budget
    reads the corpus."""

    def __post_init__(self) -> None:
        _at_least(self, 1, "layers")
        _at_least(self, 0, "hidden", "embedding")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must be at least 0 and below 1, found {self.dropout}")
        if self.tied and not self.embedding:
            raise ConfigError("tied needs a learned embedding; set embedding above 0")


@dataclass(frozen=True)
class TrainConfig:
    """How long and how to train."""

    minutes: float = 0.0
    """Time to spend, evaluation included; 3 if no budget is given. Of several budgets, the one that
    is spent first ends the training."""
    epochs: float = 0.0
    """Passes over the training pieces; if only minutes are given, as many as a corpus bears."""
    tokens: int = 0
    """Tokens to read."""
    batch: int = 0
    """Lanes: sequences that are read side by side; 0 takes 16, or fewer of a small corpus."""
    window: int = 0
    """Steps between two updates; 0 takes 64."""
    framing: FramingName = "carried"
    """What the model sees of a window: the state carried over from the one before, or windows
    that begin with nothing; docs/framings.md explains each."""
    step_size: float = 0.0
    """Largest step size of AdamW; it rises over the first 2 % of the budget and then falls to 0;
    0 chooses by the width."""
    weight_decay: float | None = None
    """Weight decay of AdamW; by default by how often the budget reads the corpus."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    most_dropout: float | None = None
    """How far dropout rises while validation costs half as much again as training; by default 0.6,
    or not at all where dropout is set."""
    evaluations: int = 10
    """How often to measure the validation loss; the best model is kept."""
    checkpoint: float = 1.0
    """Minutes between two checkpoints; from the last one a training that was killed goes on."""
    threads: int = 0
    """Processor threads; 0 takes the fastest for a budget in minutes and 1 otherwise."""
    seed: int = 0
    """Seed of weights, order, augmentation and dropout."""
    device: str = "auto"
    """Where to train: cpu, cuda, mps, or auto for the best there is."""

    def __post_init__(self) -> None:
        _at_least(self, 0, "minutes", "epochs", "tokens", "batch", "window", "step_size")
        _at_least(self, 0, "checkpoint", "threads", "seed")
        if self.weight_decay is not None:
            _at_least(self, 0, "weight_decay")
        if self.most_dropout is not None and not 0 <= self.most_dropout < 1:
            raise ConfigError(
                f"most_dropout must be at least 0 and below 1, found {self.most_dropout}"
            )
        _at_least(self, 1, "evaluations")
        if not self.clip > 0:
            raise ConfigError(f"clip must be above 0, found {self.clip}")
        if self.framing not in get_args(FramingName):
            choices = ", ".join(map(repr, get_args(FramingName)))
            raise ConfigError(f"framing must be one of {choices}, found {self.framing!r}")

    @property
    def seconds(self) -> float:
        """The budget in seconds; 0 if there is none of time."""
        return 60 * self.minutes if self.minutes or self.epochs or self.tokens else 180.0


@dataclass(frozen=True)
class SampleConfig:
    """How a token is drawn from the model's distribution; docs/sampling.md gives the order."""

    temperature: float | None = None
    """Above 1 bolder than the model, below 1 safer; 0 always takes the likeliest; by default
    what suits the codec."""
    final_temperature: float | None = None
    """Let the temperature move to this one over the piece."""
    cooling: int = 0
    """Tokens over which it moves; 0 takes as many as the longest piece of the corpus has."""
    top_k: int = 0
    """Keep only this many of the likeliest tokens; 0 keeps all."""
    typical_p: float = 1.0
    """Keep tokens about as surprising as expected that together have this probability."""
    top_p: float = 1.0
    """Keep the likeliest tokens that together have this probability (Holtzman 2020)."""
    min_p: float = 0.05
    """Drop tokens less likely than this share of the likeliest (Nguyen 2024). This and what stands
    above goes kind by kind where the codec tells kinds of tokens apart."""
    repetition_penalty: float = 1.0
    """Divide by this the probability of tokens that were there already."""
    no_repeat_ngram: int = 0
    """Write no sequence of so many tokens twice, as far as possible; 0 allows it."""
    repetition_window: int = 0
    """How many tokens back both look; 0 looks at the whole piece."""
    bias: tuple[str, ...] = ()
    """Add to a token's log-probability, as NAME=NUMBER; may be repeated."""
    ban: tuple[str, ...] = ()
    """Never draw the token of this name; <end> is the end of a piece; may be repeated."""

    def __post_init__(self) -> None:
        _at_least(self, 0, "cooling", "top_k", "min_p", "no_repeat_ngram", "repetition_window")
        for name in ("temperature", "final_temperature"):
            if getattr(self, name) is not None:
                _at_least(self, 0, name)
        for name in ("typical_p", "top_p"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(
                    f"{name} must be above 0 and at most 1, found {getattr(self, name)}"
                )
        if not self.min_p <= 1:
            raise ConfigError(f"min_p must be at most 1, found {self.min_p}")
        if not self.repetition_penalty > 0:
            raise ConfigError(
                f"repetition_penalty must be above 0, found {self.repetition_penalty}"
            )


@dataclass(frozen=True)
class LimitConfig:
    """When a piece stops that does not end by itself."""

    length: float = 0.0
    """Most tokens in a piece, the prompt's included; 0 allows, after the prompt, twice the longest
    piece of the corpus, but at most 4096, or what a given text calls for."""
    unit: str = "tokens"
    """What the length counts: tokens, or a unit of the codec such as characters or quarters."""
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
    hints = get_type_hints(config)
    for name in values:
        if name not in hints:
            close = difflib.get_close_matches(name, hints, 1)
            known = ", ".join(hints) or "none"
            hint = f"did you mean {close[0]!r}?" if close else f"known are: {known}"
            raise ConfigError(f"{place}: unknown setting {name!r}; {hint}")
    return config(
        **{
            name: _converted(value, hints[name], f"{place}: {name}")
            for name, value in values.items()
        }
    )


def _converted(value: Any, hint: Any, place: str) -> Any:
    """Return a value as what the type hint says."""
    if isinstance(hint, UnionType):
        if value is None:
            return None
        hint = next(each for each in get_args(hint) if each is not NoneType)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            choices = ", ".join(map(repr, get_args(hint)))
            raise ConfigError(f"{place} must be one of {choices}, found {value!r}")
        return value
    try:
        if hint is bool and isinstance(value, str):
            return {"true": True, "false": False}[value.lower()]
        if hint in (int, float) and isinstance(value, str):
            return hint(value)
    except (KeyError, ValueError):
        raise ConfigError(f"{place} must be of type {hint.__name__}, found {value!r}") from None
    accepted = (int, float) if hint is float else hint
    if hint in (bool, int, float, str) and (
        not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool)
    ):
        raise ConfigError(f"{place} must be of type {hint.__name__}, found {value!r}")
    return value


def _at_least(config: object, least: float, *names: str) -> None:
    for name in names:
        # Written so that what is not a number fails as well.
        if not getattr(config, name) >= least:
            raise ConfigError(f"{name} must be at least {least}, found {getattr(config, name)}")
