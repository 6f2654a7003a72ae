"""The run folder: a model, the codec it was trained with, and how it came about.

Generating needs this folder and the plugin, never the corpus. JSON and safetensors only.

======================  =================================================================
``run.json``            domain, codec and its state, vocabulary hash, versions, settings
``model.safetensors``   the weights of the best model so far
``metrics.jsonl``       one line for each report of the training
``README.md``           the same for people
``samples/``            what was generated
======================  =================================================================
"""

from __future__ import annotations

import copy
import json
import platform
from collections.abc import Iterator
from dataclasses import asdict
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

import seqgen
from seqgen.config import ModelConfig, TrainConfig, from_mapping
from seqgen.corpus import Corpus
from seqgen.discovery import load_codec, load_domain
from seqgen.errors import CorpusError, RunError
from seqgen.files import RUN, new_folder, read_description, write_atomic, write_json
from seqgen.plugin import CONTRACT, Codec, Domain
from seqgen.vocab import Vocab

if TYPE_CHECKING:
    from seqgen.model import SequenceLSTM
    from seqgen.training import Report

FORMAT = 1
WEIGHTS = "model.safetensors"
METRICS = "metrics.jsonl"


class Run:
    """A run folder, opened.

    Parameters
    ----------
    folder : Path or str
        What `create_run` made.
    device : str
        Where the model goes: cpu, cuda, mps, or auto for the best there is.

    Raises
    ------
    RunError
        If the folder is no run, or of another format.
    """

    def __init__(self, folder: Path | str, device: str = "auto") -> None:
        self.folder = Path(folder)
        try:
            self.info = read_description(self.folder / RUN)
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.folder} is no run folder ({error}); make one with seqgen train"
            ) from error
        if self.info.get("format") != FORMAT:
            raise RunError(
                f"{self.folder} has run format {self.info.get('format')}, this seqgen reads "
                f"format {FORMAT}; train again, or use the seqgen {self.info.get('versions')}"
            )
        self.device = device
        self._has_own_model = False
        place = str(self.folder / RUN)
        try:
            self.vocab = Vocab.of(self.info["vocab"])
            self.model_config = from_mapping(ModelConfig, self.info["model"], place)
            self.train_config = from_mapping(TrainConfig, self.info["train"], place)
        except KeyError as error:
            raise RunError(f"{place} is damaged: it has no {error}; train again") from error

    @property
    def longest(self) -> int:
        """Tokens in the longest piece of the corpus."""
        return int(self.info["corpus"]["longest"])

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The reports of the training so far."""
        path = self.folder / METRICS
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    def corpus(self) -> Corpus:
        """Open the corpus that the run was trained on.

        Raises
        ------
        CorpusError
            If it is not where it was, or is another one by now.
        """
        about = self.info["corpus"]
        folder = about.get("folder", "its folder")
        try:
            corpus = Corpus(folder)
        except CorpusError as error:
            raise CorpusError(
                f"the corpus of {self.folder} is not in {folder} any more ({error})"
            ) from error
        if corpus.info["key"] != about["key"]:
            raise CorpusError(f"{folder} holds another corpus than {self.folder} was trained on")
        return corpus

    @cached_property
    def domain(self) -> Domain:
        """The domain that reads and writes this run's pieces."""
        return load_domain(self.info["domain"])[0]

    @cached_property
    def codec(self) -> Codec:
        """The codec that the model was trained with."""
        return load_codec(self.info)

    @cached_property
    def model(self) -> SequenceLSTM:
        """The best model so far; fresh weights if there was no training yet."""
        import torch

        from seqgen.model import SequenceLSTM, choose_device

        torch.manual_seed(self.train_config.seed)
        model = SequenceLSTM(self.model_config, self.vocab, tuple(self.codec.feature_sizes))
        if (self.folder / WEIGHTS).exists():
            self._load_weights(model)
        return model.to(choose_device(self.device))

    @property
    def weights(self) -> dict[str, NDArray[numpy.float32]]:
        """The weights of `model` by name; PyTorch is not needed for those in the folder."""
        path = self.folder / WEIGHTS
        if self._has_own_model or not path.exists():
            state = self.model.state_dict()
            return {name: value.float().cpu().numpy() for name, value in state.items()}
        try:
            return safetensors.numpy.load_file(path)
        except (OSError, safetensors.SafetensorError) as error:
            raise RunError(f"{path} cannot be read ({error}); train again") from error

    def with_model(self, model: SequenceLSTM) -> Run:
        """Return this run with another model of the same shape; the folder stays as it is."""
        other = copy.copy(self)
        other._has_own_model = True
        other.model = model
        return other

    def train(self, corpus: Corpus) -> Iterator[Report]:
        """Train the model and keep the best; yields what `seqgen.training.train` reports.

        Parameters
        ----------
        corpus : Corpus
            Of the same vocabulary as the run.

        Raises
        ------
        RunError
            If the run is trained already, or the corpus has another vocabulary.
        """
        from seqgen.training import train

        if corpus.vocab.digest != self.vocab.digest:
            raise RunError(
                f"{corpus.folder} has another vocabulary ({corpus.vocab.size} ids) than "
                f"{self.folder} ({self.vocab.size} ids); train a new run on it"
            )
        if (self.folder / WEIGHTS).exists():
            raise RunError(f"{self.folder} is trained already; train a new run")
        model, saved = self.model.train(), False
        report = None
        try:
            with (self.folder / METRICS).open("w", encoding="utf-8") as log:
                for report in train(model, corpus, self.train_config):
                    log.write(json.dumps(asdict(report)) + "\n")
                    log.flush()
                    if report.improved:
                        self._save(model, report)
                        saved = True
                    yield report
        except (GeneratorExit, KeyboardInterrupt):
            # The caller left the loop before the first evaluation: what was learned is kept.
            if report is not None and not saved:
                self._save(model, report)
                saved = True
            raise
        finally:
            if saved:
                self._load_weights(model)
            model.eval()

    def _save(self, model: SequenceLSTM, report: Report) -> None:
        import torch

        weights = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
        write_atomic(self.folder / WEIGHTS, safetensors.numpy.save(weights))
        self.info["result"] = asdict(report) | {"threads": torch.get_num_threads()}
        write_json(self.folder / RUN, self.info)
        write_atomic(self.folder / "README.md", model_card(self.info))

    def _load_weights(self, model: SequenceLSTM) -> None:
        import torch

        try:
            tensors = {name: torch.from_numpy(value) for name, value in self.weights.items()}
            model.load_state_dict(tensors)
        except RuntimeError as error:
            raise RunError(f"{self.folder / WEIGHTS} does not fit {RUN}: {error}") from error

    def __repr__(self) -> str:
        codec = self.info["codec"]["name"]
        return f"Run({str(self.folder)!r}: {self.info['domain']}, codec {codec})"


def create_run(
    folder: Path | str,
    corpus: Corpus,
    model: ModelConfig | None = None,
    train: TrainConfig | None = None,
    *,
    overwrite: bool = False,
) -> Run:
    """Make a run folder for a corpus, ready to train.

    Raises
    ------
    RunError
        If `folder` is taken, and is no run or may not be replaced.
    """
    from seqgen.model import choose_device

    train = train or TrainConfig()
    choose_device(train.device)
    about = ("domain", "distribution", "version", "codec", "vocab", "vocab_digest")
    counts = ("key", "seed", "pieces", "longest", "tokens", "units")
    info = {
        "seqgen": "run",
        "format": FORMAT,
        "contract": CONTRACT,
        "versions": versions(),
        **{name: corpus.info[name] for name in about},
        "corpus": {name: corpus.info[name] for name in counts}
        | {name: len(corpus.info[name]) for name in ("files", "duplicates", "skipped")}
        | {"folder": str(corpus.folder.resolve())},
        "model": asdict(model or ModelConfig()),
        "train": asdict(train),
        "result": None,
    }
    # A run whose training never began holds nothing to lose.
    begun = any((Path(folder) / name).exists() for name in (WEIGHTS, METRICS))
    overwrite = overwrite or not begun
    with new_folder(Path(folder), marker=RUN, overwrite=overwrite) as temporary:
        write_json(temporary / RUN, info)
    return Run(folder, train.device)


def load(folder: Path | str, device: str = "auto") -> Run:
    """Open a trained run.

    Raises
    ------
    RunError
        If the folder is no run, or holds no trained model.
    """
    run = Run(folder, device)
    if not (run.folder / WEIGHTS).exists():
        raise RunError(f"{folder} holds no trained model; its training saved nothing")
    return run


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on, besides the plugin's."""
    return {
        "seqgen": seqgen.__version__,
        "python": platform.python_version(),
        "torch": version("torch"),
        "numpy": numpy.__version__,
    }


def model_card(info: dict[str, Any]) -> str:
    """Return a description of a run for people, in Markdown."""
    corpus = info["corpus"]
    facts = {
        "codec": f"{info['codec']['name']} of {info['distribution']} {info['version']}",
        "corpus": f"{corpus['pieces']} pieces, {corpus['tokens']['train']:,} training tokens",
        "left out": f"{corpus['duplicates']} duplicate pieces, {corpus['skipped']} unusable",
        "model": ", ".join(f"{name} {value}" for name, value in info["model"].items()),
        **result_facts(info["result"]),
        "versions": ", ".join(f"{name} {value}" for name, value in info["versions"].items()),
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return f"""# A {info["domain"]} model

Made with seqgen: an LSTM that writes {info["domain"]} token by token.

| | |
|---|---|
{rows}

    seqgen generate . -n 4
"""


def result_facts(result: dict[str, Any] | None) -> dict[str, str]:
    """Return what came of a training, for people."""
    if result is None:
        return {"training": "none yet"}
    loss, kind = result["valid_loss"], "validation"
    if loss is None:
        loss, kind = result["loss"], "training"
    return {
        "training": f"{result['seconds']:.0f} s, {result['step']:,} updates, "
        f"{result['tokens']:,} tokens",
        f"{kind} loss": f"{loss:.4f} nats per token",
    }
