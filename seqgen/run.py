"""The run folder: a model, the codec it was trained with, and how it came about.

Generating needs this folder and the plugin, never the corpus. JSON and safetensors only.

======================  =================================================================
``run.json``            domain, codec and its state, vocabulary hash, versions, settings
``model.safetensors``   the weights of the best model so far
``initial.safetensors`` those to begin with, if the run starts from another one
``metrics.jsonl``       one line for each report of the training
``README.md``           the same for people
``checkpoints/``        where a training that is not finished goes on
``samples/``            what was generated
======================  =================================================================
"""

from __future__ import annotations

import copy
import math
import platform
import time
from collections.abc import Generator
from contextlib import nullcontext, suppress
from dataclasses import asdict, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

import seqgen
from seqgen.config import ModelConfig, TrainConfig
from seqgen.data.corpus import Corpus
from seqgen.discovery import load_codec, load_domain
from seqgen.errors import ConfigError, CorpusError, InUse, RunError
from seqgen.files import (
    RUN,
    new_folder,
    refuse_existing,
    write_atomic,
    write_json,
)
from seqgen.plugin import CONTRACT, Codec, Domain
from seqgen.run_description import FORMAT, read_run
from seqgen.storage.locks import hold, sweep
from seqgen.storage.tensors import Kind, expected, read_weights
from seqgen.training.checkpoints import Checkpoints
from seqgen.training.keeping import WEIGHTS, Keeper, learn, reached, read_reports
from seqgen.training.transfer import transfer_weights

if TYPE_CHECKING:
    from seqgen.model import SequenceLSTM
    from seqgen.training.loop import Report

INITIAL = "initial.safetensors"
CHECKPOINTS = "checkpoints"


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
        self.info, self.vocab, self.model_config, self.train_config = read_run(self.folder)
        self.device = device
        self._has_own_model = False
        self.info["result"] = reached(self.folder, self.info["result"])

    @property
    def longest(self) -> int:
        """Tokens in the longest piece of the corpus."""
        return int(self.info["corpus"]["longest"])

    @property
    def is_begun(self) -> bool:
        """Whether there is a training to go on with."""
        return bool(Checkpoints(self.folder / CHECKPOINTS).paths)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The reports of the training so far."""
        return read_reports(self.folder)

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
        return load_codec(self.info, self.folder)

    @cached_property
    def model(self) -> SequenceLSTM:
        """The best model so far; without a training yet, fresh weights or those to begin with."""
        import torch

        from seqgen.model import SequenceLSTM, choose_device

        torch.manual_seed(self.train_config.seed)
        sizes, boundaries = tuple(self.codec.feature_sizes), self.codec.boundaries
        # What is made in inference mode could never be trained.
        with torch.inference_mode(False):
            weights = self._saved_weights()
            model = SequenceLSTM(self.model_config, self.vocab, sizes, boundaries)
            if weights is not None:
                model.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights})
            return model.to(choose_device(self.device))

    @property
    def weights(self) -> dict[str, NDArray[numpy.float32]]:
        """The weights of `model` by name; PyTorch is not needed for those in the folder."""
        if not self._has_own_model and (weights := self._saved_weights()) is not None:
            return weights
        state = self.model.state_dict()
        return {name: value.float().cpu().numpy() for name, value in state.items()}

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kinds of the weights by name, as they follow from the settings."""
        try:
            return expected(self.model_config, self.vocab, self.codec.feature_sizes)
        except ConfigError as error:
            raise RunError(f"{self.folder / RUN} is damaged: {error}") from error

    def _saved_weights(self) -> dict[str, NDArray[numpy.float32]] | None:
        """Return the best weights, or else those to begin with; None if there are none."""
        kinds = self.kinds
        for name in (WEIGHTS, INITIAL):
            if (self.folder / name).exists():
                return read_weights(self.folder / name, kinds)
        planned = self.info["plan"]["weights"]
        count = sum(math.prod(kind.shape) for kind in kinds.values())
        if count != planned:
            raise RunError(
                f"the settings in {self.folder / RUN} make {count:,} weights, and {planned:,} were "
                f"planned; train a new run"
            )
        return None

    @property
    def sampling(self) -> dict[str, float]:
        """The ``temperature`` and ``min_p`` by default: as measured, or else the codec's."""
        names = ("temperature", "min_p")
        measured = self.info.get("sampling")
        return {name: measured[name] if measured else getattr(self.codec, name) for name in names}

    def with_model(self, model: SequenceLSTM) -> Run:
        """Return this run with another model of the same shape; the folder stays as it is."""
        other = copy.copy(self)
        other._has_own_model = True
        other.model = model
        return other

    def measure_baseline(self, corpus: Corpus) -> dict[str, Any]:
        """Measure what n-grams of the corpus reach on its validation split, once, and keep it.

        Returns
        -------
        dict
            ``order`` of the best n-gram model, and its ``valid_loss`` in nats per token.
        """
        from seqgen.evaluation.ngram import baseline

        if "baseline" not in self.info:
            began = time.monotonic()
            found = baseline(corpus, self.info["plan"]["measured"])
            self.info["baseline"] = {
                "order": found.order,
                "valid_loss": found.nats_per_token,
                "seconds": time.monotonic() - began,
            }
            # Who trains this run meanwhile keeps its own.
            with suppress(InUse), hold(self.folder):
                write_json(self.folder / RUN, self._reread() | {"baseline": self.info["baseline"]})
        measured: dict[str, Any] = self.info["baseline"]
        return measured

    def _reread(self) -> dict[str, Any]:
        """Return what ``run.json`` says by now; this process holds the folder.

        Raises
        ------
        RunError
            If it is another run than was opened.
        """
        info = Run(self.folder).info
        same = ("domain", "codec", "vocab_digest", "corpus", "model", "train")
        if any(info.get(name) != self.info.get(name) for name in same):
            raise RunError(
                f"{self.folder} was replaced by another run since it was opened; open it again"
            )
        return info

    def train(self, corpus: Corpus) -> Generator[Report, None, None]:
        """Train the model and keep the best; yields what `seqgen.training.loop.train` reports.

        A training that was killed or left goes on from its last checkpoint.

        Parameters
        ----------
        corpus : Corpus
            Of the same vocabulary as the run.

        Raises
        ------
        RunError
            If the run is trained already, or the corpus has another vocabulary.
        Diverged
            If the loss becomes useless again and again, with ever smaller steps.
        InUse
            If another process trains this run.
        """
        from seqgen.training.learner import Learner
        from seqgen.training.parallel import join

        if corpus.vocab.digest != self.vocab.digest:
            raise RunError(
                f"{corpus.folder} has another vocabulary ({corpus.vocab.size} ids) than "
                f"{self.folder} ({self.vocab.size} ids); train a new run on it"
            )
        corpus.verify()
        world = join()
        with hold(self.folder) if world.leads else nullcontext():
            checkpoints = Checkpoints(self.folder / CHECKPOINTS)
            if world.leads:
                now = self._reread()
                self.info = now | self.info | {"result": now["result"]}
                sweep(self.folder)
                sweep(checkpoints.folder)
            if (self.folder / WEIGHTS).exists() and not checkpoints.paths:
                raise RunError(f"{self.folder} is trained already; train a new run")
            learner = Learner(self.model, corpus, self.train_config, world)
            learner.counts.budget = self._seconds_to_learn(
                self._compile_steps() if world.leads else 0.0
            )
            checkpoints.restore(learner)
            keeper = Keeper(self.folder, self.info)
            try:
                if world.leads:
                    keeper.begin(learner.counts.step)
                finished = yield from learn(learner, corpus, keeper, checkpoints)
                if world.leads and finished:
                    self._calibrate(corpus, keeper)
                    self._choose_sampling(corpus, keeper)
                    checkpoints.remove()
            finally:
                if world.leads and (self.folder / WEIGHTS).exists():
                    self._load_weights(self.model)
                self.model.eval()

    def _compile_steps(self) -> float:
        """Compile what measures the sampling defaults in the end; return the seconds it took.

        The first time on a machine that takes longer than a short budget may be exceeded by.
        """
        from seqgen.training.defaults import compile_steps

        began = time.monotonic()
        if self.train_config.seconds and self.codec.tracker() is None:
            compile_steps(self.with_model(self.model))
        return time.monotonic() - began

    def _seconds_to_learn(self, compiling: float) -> float:
        """Return what is left of a budget of time for learning; 0 if there is none.

        Planning, compiling and the baseline took their part; the end of the training takes another.
        """
        plan, baseline = self.info["plan"], self.info.get("baseline", {})
        seconds = self.train_config.seconds
        begun = plan["seconds"] + baseline.get("seconds", 0.0) + compiling
        return float(max(seconds - begun - plan["ending"], seconds / 4))

    def _calibrate(self, corpus: Corpus, keeper: Keeper) -> None:
        """Make the best model as sure of itself as it is right on the validation split, once."""
        from seqgen.data.spans import evaluated
        from seqgen.training.calibration import fit_temperature
        from seqgen.training.loop import losses

        calibrated = "temperature" in (self.info["result"] or {})
        if calibrated or not ((self.folder / WEIGHTS).exists() and corpus.size("valid")):
            return
        self._load_weights(self.model)
        temperature = fit_temperature(self.model, corpus, self.train_config.evaluation_tokens)
        self.model.temper(temperature)
        measured = self.info["plan"]["measured"]
        loss, carried = losses(self.model, corpus, self.train_config, measured)
        found = {
            "temperature": temperature,
            "valid_loss": loss,
            "carried_loss": carried,
            "valid_tokens": evaluated(corpus, measured).tokens,
        }
        keeper.save(self.model, self.info["result"] | found)

    def _choose_sampling(self, corpus: Corpus, keeper: Keeper) -> None:
        """Choose how tokens are drawn by default, where no tracker keeps pieces from repeating."""
        from seqgen.training.defaults import affordable, choose_sampling

        if (self.folder / WEIGHTS).exists() and self.codec.tracker() is None:
            run, weights = Run(self.folder, "cpu"), self.info["plan"]["weights"]
            tokens = affordable(weights, self.vocab.targets, self.info["result"]["tokens"])
            if tokens and (chosen := choose_sampling(run, corpus, tokens)):
                self.info["sampling"] = chosen
                keeper.describe()

    def _load_weights(self, model: SequenceLSTM) -> None:
        import torch

        weights = self.weights
        model.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights})

    def __repr__(self) -> str:
        codec = self.info["codec"]["name"]
        return f"Run({str(self.folder)!r}: {self.info['domain']}, codec {codec})"


def create_run(
    folder: Path | str,
    corpus: Corpus,
    model: ModelConfig | None = None,
    train: TrainConfig | None = None,
    *,
    start: Run | None = None,
    overwrite: bool = False,
) -> Run:
    """Make a run folder for a corpus, ready to train.

    Parameters
    ----------
    folder : Path or str
    corpus : Corpus
    model : ModelConfig, optional
        The network; by default that of `start`, if there is one.
    train : TrainConfig, optional
    start : Run, optional
        A trained run to go on from, of the same domain and codec. Symbols of both corpora keep
        their weights, new ones get the mean.
    overwrite : bool
        Replace a run that is there.

    Raises
    ------
    RunError
        If `folder` is taken, and is no run or may not be replaced, or another process trains it.
    ConfigError
        If `start` has another domain, codec or network.
    """
    from seqgen.model import choose_device
    from seqgen.training.autopilot import plan

    refuse_trained(Path(folder), overwrite)
    train = train or TrainConfig()
    # Where a training begins it has to go on.
    device = choose_device(train.device).type
    train = replace(train, device=device if train.device == "auto" else train.device)
    model = model or ModelConfig()
    initial, origin = None, None
    if start is not None:
        model = _same_network(start, model)
        initial, origin = _transferred(start, corpus)
    chosen = plan(corpus, model, train)
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
        "model": asdict(chosen.model),
        "train": asdict(chosen.train),
        "plan": asdict(chosen.forecast)
        | {"reasons": list(chosen.reasons), "seconds": chosen.seconds},
        "result": None,
    }
    if origin is not None:
        info["from"] = origin
    place = Path(folder)
    with hold(place):
        overwrite = refuse_trained(place, overwrite)
        with new_folder(place, marker=RUN, overwrite=overwrite) as temporary:
            if initial is not None:
                write_atomic(temporary / INITIAL, safetensors.numpy.save(initial))
            write_json(temporary / RUN, info)
    return Run(folder, train.device)


def refuse_trained(folder: Path, overwrite: bool) -> bool:
    """Raise `RunError` if a run may not be made here; return whether one is replaced."""
    # A run whose training never began holds nothing to lose.
    trained = (folder / WEIGHTS).exists() or bool(Checkpoints(folder / CHECKPOINTS).paths)
    refuse_existing(folder, marker=RUN, overwrite=overwrite or not trained)
    return overwrite or not trained


def _same_network(start: Run, model: ModelConfig) -> ModelConfig:
    """Return the network of a run; only how much it drops may be another."""
    same = replace(start.model_config, dropout=model.dropout)
    if model not in (ModelConfig(dropout=model.dropout), same):
        raise ConfigError(
            f"{start.folder} has another network ({start.model_config}) than is asked for "
            f"({model}); leave out the model options, or leave out --from"
        )
    return same


def _transferred(
    start: Run, corpus: Corpus
) -> tuple[dict[str, NDArray[numpy.float32]], dict[str, Any]]:
    """Return the weights of a run for a corpus, and what `run.json` says of them."""
    for what, old, new in (
        ("domain", start.info["domain"], corpus.info["domain"]),
        ("codec", start.info["codec"]["name"], corpus.info["codec"]["name"]),
    ):
        if old != new:
            raise ConfigError(
                f"{start.folder} has the {what} {old!r}, {corpus.folder} has {new!r}; "
                f"prepare the corpus with the {what} {old!r}, or leave out --from"
            )
    weights, transfer = transfer_weights(
        start.weights,
        start.vocab,
        corpus.vocab,
        start.model_config,
        tuple(start.codec.feature_sizes),
        tuple(corpus.codec.feature_sizes),
    )
    counts = {name: getattr(transfer, name) for name in ("kept", "new", "dropped")}
    return weights, {"run": str(start.folder.resolve()), **counts}


def load(folder: Path | str, device: str = "auto") -> Run:
    """Open a trained run.

    Raises
    ------
    RunError
        If the folder is no run, or holds no trained model.
    """
    run = Run(folder, device)
    if not (run.folder / WEIGHTS).exists():
        raise RunError(
            f"{folder} holds no trained model: training ended before it saved one; train again"
        )
    return run


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on, besides the plugin's."""
    return {
        "seqgen": seqgen.__version__,
        "python": platform.python_version(),
        "torch": version("torch"),
        "numpy": numpy.__version__,
    }
