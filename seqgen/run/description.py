"""The keys of ``run.json`` and of the reports of a training, with their types.

A run folder from elsewhere may have been altered, so every key is checked on opening, before any
piece is drawn. docs/format.md explains the keys. Next: `seqgen.run.folder`.
"""

from __future__ import annotations

import platform
import reprlib
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

from seqgen import __version__
from seqgen.bounds import LARGEST, Within
from seqgen.conditions.labels import check_labels
from seqgen.config import ModelConfig, TrainConfig, from_mapping
from seqgen.data.integrity import Amount, CodecEntry, Many
from seqgen.errors import ConfigError, DataError, RunError
from seqgen.files import RUN, read_description
from seqgen.network.clusters import check_clusters
from seqgen.plugin import CONTRACT
from seqgen.storage.checked_json import check
from seqgen.vocab import Vocab

#: Format 5 named no output layer, 4 no architecture, 3 had other names for some settings, 2 added
#: features to the logits too, and 1 did not normalise outputs. They are refused.
FORMAT = 6


class Splits(TypedDict):
    """Number of tokens in each split."""

    train: Many
    valid: Many
    test: Many


class Corpus(TypedDict):
    """The corpus of the training."""

    key: str
    seed: Many | None
    pieces: Many
    longest: Annotated[int, Within(1, LARGEST)]
    tokens: Splits
    units: dict[str, Amount]
    files: Many
    duplicates: Many
    skipped: Many
    folder: str


class Architecture(TypedDict):
    """The distribution that offers the architecture, whose name is in ``model``."""

    distribution: str
    version: str


class Plan(TypedDict):
    """The forecast of the training, and the reasons for the settings that were chosen."""

    weights: Many
    tokens: Amount
    epochs: Amount
    megabytes: Amount
    measured: Many
    ending: Amount
    reasons: list[str]
    seconds: Amount


class Baseline(TypedDict):
    """The losses of the best n-gram model and of even guesses, and the seconds to measure them."""

    order: Many
    valid_loss: Amount
    uniform: Amount
    seconds: Amount


class Reached(TypedDict):
    """The metadata of a weights file: how good the weights are."""

    step: Many
    tokens: Many
    chosen_loss: float | None
    valid_loss: float | None
    carried_loss: float | None
    valid_tokens: Many
    temperature: NotRequired[Annotated[float, Within(1e-9, 1e9)]]


class ReportLine(TypedDict):
    """A line of ``metrics.jsonl``: a `seqgen.Report`."""

    fraction: float
    step: Many
    tokens: Many
    seconds: Amount
    loss: float
    learning_rate: float
    valid_loss: float | None
    carried_loss: float | None
    improved: bool
    interrupted: bool
    message: str


class Result(ReportLine):
    """The report at which the weights were saved, with later measurements."""

    chosen_loss: float | None
    valid_tokens: Many
    threads: NotRequired[Many]
    temperature: NotRequired[Annotated[float, Within(1e-9, 1e9)]]


class Repetition(TypedDict):
    """How repetitive pieces are; `seqgen.training.defaults.Repetition` explains the measures."""

    most_common: Amount
    run: Many
    distinct: Amount
    poorest: Amount


class Sampling(TypedDict):
    """The default sampling settings, measured at the end of training."""

    temperature: Annotated[float, Within(0.001, 1000, besides=(0,))]
    min_p: Annotated[float, Within(0, 1)]
    new: Repetition
    corpus: Repetition
    excess: float


class Realigned(TypedDict):
    """A round of realigning: what moved, and the validation loss before and after."""

    round: Many
    step: Many
    pieces: Many
    all: Many
    moved: Annotated[float, Within(0, 1)]
    before: float
    after: float
    most: list[Many]


class Origin(TypedDict):
    """The run whose weights this one started from, and how many symbols were matched."""

    run: str
    kept: Many
    new: Many
    dropped: Many


#: ``from`` is a keyword of Python, so a class cannot have it as a field.
_From = TypedDict("_From", {"from": NotRequired[Origin]})


class RunDescription(_From):
    """``run.json``; `seqgen.config` has the types of the settings in ``model`` and ``train``."""

    seqgen: Literal["run"]
    format: int
    contract: int
    versions: dict[str, str]
    domain: str
    distribution: str
    version: str
    codec: CodecEntry
    read_options: dict[str, Any]
    vocab: list[str]
    vocab_digest: str
    corpus: Corpus
    architecture: Architecture
    model: dict[str, Any]
    train: dict[str, Any]
    clusters: NotRequired[list[Many]]
    plan: Plan
    result: Result | None
    baseline: NotRequired[Baseline]
    sampling: NotRequired[Sampling]
    realigned: NotRequired[list[Realigned]]
    launch: NotRequired[str]
    about: NotRequired[str]


class Opened(NamedTuple):
    """The checked content of ``run.json``."""

    info: dict[str, Any]
    vocab: Vocab
    model: ModelConfig
    train: TrainConfig


def read_run(folder: Path) -> Opened:
    """Read and check ``run.json``.

    Raises
    ------
    RunError
        If the file is missing, has another format or contract, or a key is missing or wrong.
    """
    try:
        info = read_description(folder / RUN)
    except (OSError, ValueError) as error:
        raise RunError(
            f"{folder} is not a run folder ({error}); make one with seqgen train"
        ) from error
    _check_format(folder, info)
    place = folder / RUN
    try:
        check(info, RunDescription)
        check_labels(info["codec"].get("labels", ()))
        vocab = Vocab.of(info["vocab"])
        model = from_mapping(ModelConfig, info["model"], "model")
        train = from_mapping(TrainConfig, info["train"], "train")
        if not model.hidden:
            raise ConfigError("model: hidden must be above 0 in a run")
        if model.output == "adaptive":
            check_clusters(info.get("clusters", ()), vocab.targets)
    except (ValueError, DataError, ConfigError) as error:
        raise RunError(
            f"{place} is damaged: {error}; copy the whole folder again, or train again"
        ) from error
    if vocab.digest != info["vocab_digest"]:
        raise RunError(
            f"{place} is damaged: vocab_digest does not match vocab; copy the whole folder "
            f"again, or train again"
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


def versions() -> dict[str, str]:
    """Return the versions of seqgen, Python, PyTorch and NumPy."""
    return {
        "seqgen": __version__,
        "python": platform.python_version(),
        "torch": version("torch"),
        "numpy": version("numpy"),
    }
