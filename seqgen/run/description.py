"""``run.json`` and what else tells of a run: every key that anything reads, and its type.

Whoever shares a run folder may have altered it, so all is checked when it is opened: what is wrong
is told before pieces are drawn. docs/format.md says what the keys mean. Next: `seqgen.run.folder`.
"""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

from seqgen.bounds import LARGEST, Within
from seqgen.config import ModelConfig, TrainConfig, from_mapping
from seqgen.data.integrity import Amount, CodecEntry, Many
from seqgen.errors import ConfigError, DataError, RunError
from seqgen.files import RUN, read_description
from seqgen.plugin import CONTRACT
from seqgen.storage.checked_json import check
from seqgen.vocab import Vocab

#: Of 3 some settings had other names; of 2 features were added to the logits as well; of 1 outputs
#: were not normalised.
FORMAT = 4


class Splits(TypedDict):
    """Tokens in each split."""

    train: Many
    valid: Many
    test: Many


class Corpus(TypedDict):
    """The corpus that was trained on."""

    key: str
    seed: Many | None
    pieces: Many
    longest: Annotated[int, Within(1, LARGEST)]
    tokens: Splits
    units: dict[str, Amount]
    files: Many
    duplicates: Many
    skipped: Many
    folder: NotRequired[str]


class Plan(TypedDict):
    """The forecast of the training."""

    weights: Many
    tokens: Amount
    epochs: Amount
    megabytes: Amount
    reasons: list[str]
    seconds: Amount
    measured: Many
    ending: Amount


class Baseline(TypedDict):
    """What n-grams reach."""

    order: Many
    valid_loss: Amount
    seconds: NotRequired[Amount]


class Reached(TypedDict):
    """What weights say of themselves, in their own file."""

    step: Many
    tokens: Many
    chosen_loss: float | None
    valid_loss: float | None
    carried_loss: float | None
    valid_tokens: Many
    temperature: NotRequired[Annotated[float, Within(1e-9, 1e9)]]


class ReportLine(TypedDict):
    """A line of ``metrics.jsonl``."""

    step: Many
    tokens: Many
    seconds: Amount
    loss: float
    valid_loss: float | None
    fraction: NotRequired[float]
    learning_rate: NotRequired[float]
    carried_loss: NotRequired[float | None]
    improved: NotRequired[bool]
    interrupted: NotRequired[bool]
    message: NotRequired[str]


class Result(ReportLine):
    """The report at which the weights were saved, and what was found out later."""

    chosen_loss: float | None
    valid_tokens: Many
    threads: NotRequired[Many]
    temperature: NotRequired[Annotated[float, Within(1e-9, 1e9)]]


class Repetition(TypedDict):
    """How repetitive pieces are."""

    commonest: Amount
    run: Many
    distinct: Amount
    poorest: Amount


class Sampling(TypedDict):
    """The default settings that were measured."""

    temperature: Annotated[float, Within(0.001, 1000, besides=(0,))]
    min_p: Annotated[float, Within(0, 1)]
    new: Repetition
    corpus: Repetition
    excess: float


class Origin(TypedDict):
    """The run that this one goes on from."""

    run: str
    kept: Many
    new: Many
    dropped: Many


#: ``from`` is no name in Python.
_From = TypedDict("_From", {"from": NotRequired[Origin]})


class RunDescription(_From):
    """``run.json``; of the settings in ``model`` and ``train`` `seqgen.config` has the types."""

    seqgen: Literal["run"]
    format: int
    contract: int
    versions: dict[str, str]
    domain: str
    distribution: str
    version: str
    codec: CodecEntry
    vocab: list[str]
    vocab_digest: str
    corpus: Corpus
    model: dict[str, Any]
    train: dict[str, Any]
    plan: Plan
    result: Result | None
    baseline: NotRequired[Baseline]
    sampling: NotRequired[Sampling]


class Opened(NamedTuple):
    """What a run folder says of itself, checked."""

    info: dict[str, Any]
    vocab: Vocab
    model: ModelConfig
    train: TrainConfig


def read_run(folder: Path) -> Opened:
    """Read and check ``run.json``.

    Raises
    ------
    RunError
        If there is none, it is of another format or contract, or a key is missing or wrong.
    """
    try:
        info = read_description(folder / RUN)
    except (OSError, ValueError) as error:
        raise RunError(
            f"{folder} is no run folder ({error}); make one with seqgen train"
        ) from error
    _check_format(folder, info)
    place = folder / RUN
    try:
        check(info, RunDescription)
        vocab = Vocab.of(info["vocab"])
        model = from_mapping(ModelConfig, info["model"], "model")
        train = from_mapping(TrainConfig, info["train"], "train")
        if not model.hidden:
            raise ConfigError("model: hidden must be above 0 in a run")
    except (ValueError, DataError, ConfigError) as error:
        raise RunError(
            f"{place} is damaged: {error}; copy the whole folder again, or train again"
        ) from error
    if vocab.digest != info["vocab_digest"]:
        raise RunError(
            f"{place} is damaged: its vocab_digest is not that of its vocab; copy the whole "
            f"folder again, or train again"
        )
    return Opened(info, vocab, model, train)


def _check_format(folder: Path, info: dict[str, Any]) -> None:
    for what, own in (("format", FORMAT), ("contract", CONTRACT)):
        found = info.get(what, own)
        if found != own or isinstance(found, bool):
            raise RunError(
                f"{folder} has run {what} {reprlib.repr(found)}, this seqgen reads {what} {own}; "
                f"train again, or use the versions {reprlib.repr(info.get('versions'))}"
            )
