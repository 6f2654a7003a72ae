"""Every setting of the engine: frozen dataclasses whose field sentences are the command's help."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from seqgen.bounds import (
    CountOrZero,
    Minutes,
    Seed,
    Within,
    bounded_hints,
    check_fields,
    check_value,
)
from seqgen.errors import ConfigError

T = TypeVar("T")

#: Keys of `seqgen.batches.FRAMINGS`.
FramingName: TypeAlias = Literal["carried", "windows", "many-to-one", "one-to-many", "one-to-one"]

#: Below 1, so that something is left.
SHARE_DROPPED = Within(0, 0.99)

#: Between 0 and the least of these, logits over the temperature would be too large to be numbers.
TEMPERATURES = Within(0.001, 1000, besides=(0,))


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the network."""

    layers: Annotated[int, Within(1, 64)] = 1
    """LSTM layers."""
    hidden: Annotated[int, Within(0, 16_384)] = 0
    """Units in each layer; 0 chooses as many as the budget can feed."""
    embedding: Annotated[int, Within(0, 16_384)] = 64
    """Width of the learned token embedding; 0 feeds one-hot vectors instead."""
    skip: bool = False
    """Feed the input to every layer and every layer to the output (Graves 2013)."""
    tied: bool = False
    """Use the token embedding as output weights as well."""
    dropout: Annotated[float | None, SHARE_DROPPED] = None
    """Share of every layer's outputs that training drops; by default by how often the budget
    reads the corpus."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.tied and not self.embedding:
            raise ConfigError("tied needs a learned embedding; set embedding above 0")


@dataclass(frozen=True)
class TrainConfig:
    """How long and how to train."""

    minutes: Minutes = 0.0
    """Time to spend, evaluation included; 3 if no budget is given. Of several budgets, the one that
    is spent first ends the training."""
    epochs: Annotated[float, Within(0.001, 1e9, besides=(0,))] = 0.0
    """Passes over the training pieces; if only minutes are given, as many as a corpus bears."""
    tokens: Annotated[int, Within(0, 10**15)] = 0
    """Tokens to read."""
    batch: Annotated[int, Within(0, 65_536)] = 0
    """Lanes: sequences that are read side by side; 0 takes 16, or fewer of a small corpus."""
    window: Annotated[int, Within(0, 65_536)] = 0
    """Steps between two updates; 0 takes 64."""
    framing: FramingName = "carried"
    """What the model sees of a window: the state carried over from the one before, or windows
    that begin with nothing; docs/framings.md explains each."""
    step_size: Annotated[float, Within(1e-9, 10, besides=(0,))] = 0.0
    """Largest step size of AdamW; it rises over the first 2 % of the budget and then falls to 0;
    0 chooses by the width."""
    weight_decay: Annotated[float | None, Within(0, 1000)] = None
    """Weight decay of AdamW; by default by how often the budget reads the corpus."""
    clip: Annotated[float, Within(1e-6, 1e6)] = 1.0
    """Largest norm of the gradient."""
    most_dropout: Annotated[float | None, SHARE_DROPPED] = None
    """How far dropout rises while validation costs half as much again as training; by default 0.6,
    or not at all where dropout is set."""
    evaluations: Annotated[int, Within(1, 10**6)] = 10
    """How often to measure the validation loss; the best model is kept."""
    evaluation_tokens: CountOrZero = 0
    """Validation tokens to read at each evaluation; 0 takes 131,072, or as many as a tenth of the
    time allows."""
    checkpoint: Annotated[float, Within(0, 1e6)] = 1.0
    """Minutes between two checkpoints; from the last one a training that was killed goes on."""
    threads: Annotated[int, Within(0, 1024)] = 0
    """Processor threads; 0 takes the fastest for a budget in minutes and 1 otherwise."""
    seed: Seed = 0
    """Seed of weights, order, augmentation and dropout."""
    device: str = "auto"
    """Where to train: cpu, cuda, mps, or auto for the best there is."""

    def __post_init__(self) -> None:
        check_fields(self)
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

    temperature: Annotated[float | None, TEMPERATURES] = None
    """Sampling temperature. Above 1 is more random, below 1 more conservative, 0 is greedy; by
    default what training measured to suit the model, or the codec's."""
    final_temperature: Annotated[float | None, TEMPERATURES] = None
    """Let the temperature move to this one over the piece."""
    cooling: CountOrZero = 0
    """Tokens over which it moves; 0 takes as many as the longest piece of the corpus has."""
    top_k: CountOrZero = 0
    """Keep only this many of the likeliest tokens; 0 keeps all."""
    typical_p: Annotated[float, Within(1e-6, 1)] = 1.0
    """Keep tokens about as surprising as expected that together have this probability."""
    top_p: Annotated[float, Within(1e-6, 1)] = 1.0
    """Keep the likeliest tokens that together have this probability (Holtzman 2020)."""
    min_p: Annotated[float | None, Within(0, 1)] = None
    """Drop tokens whose probability is below this fraction of the most likely token's (Nguyen
    2024); by default what training measured, or the codec's. Codecs with kinds of tokens apply
    all filters within each kind."""
    repetition_penalty: Annotated[float, Within(0.001, 1000)] = 1.0
    """Divide by this the probability of tokens that were there already."""
    no_repeat_ngram: CountOrZero = 0
    """Write no sequence of so many tokens twice, as far as possible; 0 allows it."""
    repetition_window: CountOrZero = 0
    """How many tokens back both look; 0 looks at the whole piece."""
    bias: tuple[str, ...] = ()
    """Add to a token's log-probability, as NAME=NUMBER; may be repeated."""
    ban: tuple[str, ...] = ()
    """Never draw the token of this name; <end> is the end of a piece; may be repeated."""

    def __post_init__(self) -> None:
        check_fields(self)

    def completed(self, temperature: float, min_p: float) -> SampleConfig:
        """Return these settings with the given values where they name none."""
        return replace(
            self,
            temperature=temperature if self.temperature is None else self.temperature,
            min_p=min_p if self.min_p is None else self.min_p,
        )


@dataclass(frozen=True)
class LimitConfig:
    """When a piece stops that does not end by itself."""

    length: Annotated[float, Within(0, 1e12, besides=(math.inf,))] = 0.0
    """Most tokens in a piece, the prompt's included; 0 allows, after the prompt, twice the longest
    piece of the corpus, but at most 4096, or what a given text calls for."""
    unit: str = "tokens"
    """What the length counts: tokens, or a unit of the codec such as characters or quarters."""
    seconds: Annotated[float, Within(0, 1e9)] = 0.0
    """Most seconds to spend; pieces begun are kept as they are; 0 sets no limit."""

    def __post_init__(self) -> None:
        check_fields(self)


def from_mapping(config: type[T], values: Mapping[str, Any], place: str) -> T:
    """Build a settings dataclass from plain values, text converted to the field's type.

    Raises
    ------
    ConfigError
        For a name that is not a field, or a value of the wrong kind or outside its bounds;
        `place` says where.
    """
    hints = get_type_hints(config)
    for name in values:
        if name not in hints:
            close = difflib.get_close_matches(name, hints, 1)
            known = ", ".join(hints) or "none"
            hint = f"did you mean {close[0]!r}?" if close else f"known are: {known}"
            raise ConfigError(f"{place}: unknown setting {name!r}; {hint}")
    converted = {}
    for name, value in values.items():
        converted[name] = _converted(value, hints[name], f"{place}: {name}")
        check_value(f"{place}: {name}", converted[name], bounded_hints(config)[name])
    return config(**converted)


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
