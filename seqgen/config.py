"""Every setting of the engine, as frozen dataclasses; the command's help is their docstrings."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    TypeVar,
    get_args,
    get_type_hints,
)

from seqgen.bounds import (
    CountOrZero,
    Minutes,
    Seed,
    Within,
    as_texts,
    bounded_hints,
    check_choice,
    check_fields,
    check_kind,
    check_value,
)
from seqgen.errors import ConfigError
from seqgen.wording import meant

T = TypeVar("T")

#: Keys of `seqgen.data.batches.FRAMINGS`.
FramingName: TypeAlias = Literal["carried", "windows", "many-to-one", "one-to-many", "one-to-one"]

#: Dropout stays below 1, so that some units are left.
SHARE_DROPPED = Within(0, 0.99)

#: The architecture of the core, with a compiled step.
CORE = "lstm"

#: Number of clusters of rare ids beside the shortlist, with an adaptive output.
CLUSTERS = 3

#: Number of tables of contexts: of the last two, three, four and five tokens.
CONTEXTS = 4

#: Below 0.001, logits divided by the temperature could overflow; 0 means greedy.
TEMPERATURES = Within(0.001, 1000, besides=(0,))


class Settings:
    """Settings that show the fields that were chosen: ``LimitConfig(length=50)``."""

    def __repr__(self) -> str:
        changed = [
            f"{each.name}={value!r}"
            for each in fields(self)  # type: ignore[arg-type]
            if (value := getattr(self, each.name)) != each.default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"


@dataclass(frozen=True, repr=False)
class ModelConfig(Settings):
    """The network."""

    made_by = "seqgen.ModelConfig(hidden=128)"

    architecture: str = CORE
    """Kind of its layers. The command `seqgen architectures` lists them."""
    layers: Annotated[int, Within(1, 64)] = 1
    """Number of layers."""
    hidden: Annotated[int, Within(0, 16_384)] = 0
    """Width of each layer, in units. 0 chooses it for the budget and the corpus."""
    embedding: Annotated[int, Within(0, 16_384)] = 64
    """Width of the token embedding. 0 uses one-hot vectors instead."""
    skip: bool = False
    """Connect the input to every layer, and every layer to the output (Graves 2013)."""
    tied: bool = False
    """Use the token embedding as output weights too (weight tying)."""
    output: Literal["auto", "full", "adaptive"] = "auto"
    """Output layer. `adaptive` puts rare tokens into clusters, which is faster for large
    vocabularies (adaptive softmax, Grave et al. 2017); `full` does not; `auto` chooses by the
    number of tokens."""
    context_rows: Annotated[int | None, Within(0, 2**22)] = None
    """Rows of each table of contexts. The last two, three, four and five tokens are each hashed to
    a row, and the rows are added to the input. 0 leaves the tables out. The default depends on the
    corpus."""
    context_dropout: Annotated[float | None, SHARE_DROPPED] = None
    """Dropout rate of these rows. The default depends on the number of epochs."""
    dropout: Annotated[float | None, SHARE_DROPPED] = None
    """Dropout rate of every layer's outputs. The default depends on the number of epochs."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.tied and not self.embedding:
            raise ConfigError("tied needs a learned embedding; set embedding above 0")


@dataclass(frozen=True, repr=False)
class TrainConfig(Settings):
    """The budget of a training and the optimizer."""

    made_by = "seqgen.TrainConfig(minutes=3)"

    minutes: Minutes = 0.0
    """Training time in minutes, including evaluation. 0 means 3, or no limit with another budget.
    Training ends when the first of several budgets is used up."""
    epochs: Annotated[float, Within(0.001, 1e9, besides=(0,))] = 0.0
    """Passes over the training pieces. With a time budget alone, training ends before the network
    overfits the corpus."""
    tokens: Annotated[int, Within(0, 10**15)] = 0
    """Number of tokens to train on."""
    batch_size: Annotated[int, Within(0, 65_536)] = 0
    """Number of sequences in a batch. 0 chooses 16; fewer for a small corpus, more on a GPU."""
    accumulate: Annotated[int, Within(1, 65_536)] = 1
    """Number of parts into which each process divides its batch (gradient accumulation). The parts
    are computed one after another, which takes less memory; the batch stays the same."""
    window: Annotated[int, Within(0, 65_536)] = 0
    """Length of a training window: tokens of each sequence between two updates. 0 chooses 64."""
    framing: FramingName = "carried"
    """How windows are cut. `carried` keeps the state of the previous window; the others start each
    window with a zero state. docs/framings.md explains them."""
    learning_rate: Annotated[float, Within(1e-9, 10, besides=(0,))] = 0.0
    """Peak learning rate of AdamW. The rate rises over the first 2 % of the budget, then falls to
    0. 0 chooses the peak from the width and the number of updates."""
    weight_decay: Annotated[float | None, Within(0, 1000)] = None
    """Weight decay of AdamW. The default depends on the number of epochs."""
    clip: Annotated[float, Within(1e-6, 1e6)] = 1.0
    """Largest gradient norm; larger gradients are scaled down to it."""
    most_dropout: Annotated[float | None, SHARE_DROPPED] = None
    """Upper limit of the dropout, which rises while the validation loss is 1.5 times the training
    loss or more. The default is 0.6, or the dropout if that is set."""
    evaluations: Annotated[int, Within(1, 10**6)] = 10
    """Number of evaluations on the validation split. The model with the lowest loss is kept."""
    evaluation_tokens: CountOrZero = 0
    """Validation tokens for each evaluation. 0 chooses 131,072, or fewer so that all evaluations
    take a tenth of the time."""
    checkpoint: Annotated[float, Within(0, 1e6)] = 1.0
    """Minutes between checkpoints. `seqgen resume` continues from the last one."""
    threads: Annotated[int, Within(0, 1024)] = 0
    """CPU threads. 0 chooses the fastest number for a time budget, and 1 otherwise."""
    seed: Seed = 0
    """Random seed for weights, order of pieces, augmentation and dropout."""
    device: str = "auto"
    """Device to train on: cpu, cuda, mps, or auto for the fastest available."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Numbers in the products of matrices. With `bfloat16`, of 16 bits, training is faster on
    processors that multiply them; weights and evaluations keep 32. `auto` takes it for a time
    budget on such a processor."""
    gradients: Literal["float32", "bfloat16"] = "float32"
    """Numbers in the messages by which several processes add up their gradients. `bfloat16` halves
    the traffic, and rounds the gradients to 8 bits."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def seconds(self) -> float:
        """The time budget in seconds; 0 if there is only a budget of epochs or tokens."""
        return 60 * self.minutes if self.minutes or self.epochs or self.tokens else 180.0


@dataclass(frozen=True, repr=False)
class SampleConfig(Settings):
    """How a token is drawn from the model's distribution; docs/sampling.md explains the order."""

    made_by = "seqgen.SampleConfig(temperature=0.8)"

    temperature: Annotated[float | None, TEMPERATURES] = None
    """Sampling temperature. 1 draws from the calibrated model, above 1 is more random, below 1 more
    conservative, 0 is greedy. The default was measured at the end of training, or is that of the
    codec."""
    final_temperature: Annotated[float | None, TEMPERATURES] = None
    """Temperature at the end of a piece; the temperature changes linearly."""
    cooling: CountOrZero = 0
    """Number of tokens over which the temperature changes. 0 means the length of the longest piece
    of the corpus."""
    top_k: CountOrZero = 0
    """Keep only the k most likely tokens. 0 keeps all."""
    typical_p: Annotated[float, Within(1e-6, 1)] = 1.0
    """Keep the tokens whose surprise is closest to the average, up to this total probability. 1
    keeps all (Meister 2023)."""
    top_p: Annotated[float, Within(1e-6, 1)] = 1.0
    """Keep the most likely tokens up to this total probability. 1 keeps all (Holtzman 2020)."""
    min_p: Annotated[float | None, Within(0, 1)] = None
    """Drop tokens whose probability is below this fraction of the most likely token's (Nguyen
    2024). The default is chosen as for the temperature. Codecs with token groups apply all filters
    within each group."""
    guidance: Annotated[float | None, Within(0, 100)] = None
    """How much requested labels count. 1 is the model as it is; 2 and more make pieces more typical
    of the labels, and take longer (classifier-free guidance, Ho and Salimans 2022). The
    default is that of the codec."""
    repetition_penalty: Annotated[float, Within(0.001, 1000)] = 1.0
    """Divide the probability of tokens that the piece already has by this number. 1 changes
    nothing."""
    no_repeat_ngram: CountOrZero = 0
    """Never repeat a sequence of n tokens if another token is possible. 0 allows repetition."""
    repetition_window: CountOrZero = 0
    """Number of recent tokens that the penalty and the n-grams consider. 0 means the whole
    piece."""
    bias: tuple[str, ...] = ()
    """Add a number to the log-probability of a token, as NAME=NUMBER. May be repeated."""
    ban: tuple[str, ...] = ()
    """Never draw the token of this name. `<end>` ends a piece, `\\n` is a newline. May be
    repeated."""

    def __post_init__(self) -> None:
        check_fields(self)
        # A text alone would be a tuple of its letters.
        for name in ("bias", "ban"):
            object.__setattr__(self, name, as_texts(getattr(self, name)))

    def completed(self, temperature: float, min_p: float, guidance: float) -> SampleConfig:
        """Return these settings with the given values as defaults."""
        return replace(
            self,
            temperature=temperature if self.temperature is None else self.temperature,
            min_p=min_p if self.min_p is None else self.min_p,
            guidance=guidance if self.guidance is None else self.guidance,
        )


@dataclass(frozen=True, repr=False)
class LimitConfig(Settings):
    """When to stop a piece that does not end by itself."""

    made_by = "seqgen.LimitConfig(length=200)"

    length: Annotated[float, Within(0, 1e12, besides=(math.inf,))] = 0.0
    """Most that is written, not counting the prompt. 0 allows as many tokens as twice the longest
    piece of the corpus (at most 4096), or as the codec needs, such as for a given text."""
    least_length: Annotated[float, Within(0, 1e12)] = 0.0
    """Least that is written, not counting the prompt: before it a piece neither ends nor stops at a
    stop text, unless the codec's grammar allows nothing but the end."""
    unit: str = "tokens"
    """Unit of both lengths: tokens, or one of the codec, such as characters, words or quarters."""
    seconds: Annotated[float, Within(0.001, 1e9, besides=(0,))] = 0.0
    """Time limit in seconds; unfinished pieces are kept. 0 means no limit."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.length and self.least_length > self.length:
            raise ConfigError(
                f"the least length ({self.least_length:g}) is above the length ({self.length:g})"
            )


def as_config(kind: type[T], name: str, value: T | Mapping[str, Any] | None) -> T:
    """Return the settings that a caller gives: an object, a mapping of its fields, or none.

    Raises
    ------
    ConfigError
        If it is something else, or has an unknown or invalid field.
    """
    check_kind(name, value, kind | Mapping | None)
    if value is None:
        return kind()
    return from_mapping(kind, value, name) if isinstance(value, Mapping) else value


#: A limit as programs may give it; a number is a length in tokens.
Limit: TypeAlias = LimitConfig | Mapping[str, Any] | float | None


def as_limit(name: str, value: Limit) -> LimitConfig:
    """Return the limit that a caller gives; a number is a length in tokens.

    Raises
    ------
    ConfigError
        As for `as_config`.
    """
    if isinstance(value, float | numbers.Real):
        return LimitConfig(length=value)
    return as_config(LimitConfig, name, value)


def from_mapping(config: type[T], values: Mapping[str, Any], place: str) -> T:
    """Build a settings dataclass from plain values; text is converted to the field's type.

    Raises
    ------
    ConfigError
        For an unknown name, a value of the wrong type, or one outside its bounds. The message
        begins with `place`.
    """
    hints = get_type_hints(config)
    for name in values:
        if name not in hints:
            known = ", ".join(hints) or "none"
            hint = meant(name, hints) or f"; known are: {known}"
            raise ConfigError(f"{place}: unknown setting {name!r}{hint}")
    converted = {}
    for name, value in values.items():
        converted[name] = _converted(value, hints[name], f"{place}: {name}")
        check_value(f"{place}: {name}", converted[name], bounded_hints(config)[name])
    try:
        return config(**converted)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error


def _converted(value: Any, hint: Any, place: str) -> Any:
    """Return a value converted to the type of a hint."""
    if isinstance(hint, UnionType):
        if value is None:
            return None
        hint = next(each for each in get_args(hint) if each is not NoneType)
    check_choice(place, value, hint)
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
