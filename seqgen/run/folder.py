"""The run: a folder with a model, its codec, settings and results. This module only reads it.

Generating needs the folder and the plugin, not the corpus. All files are JSON or safetensors.
Comes from: `seqgen.training.creation` makes the folder, `seqgen.training.session` trains it.

======================  =================================================================
``run.json``            domain, codec and its state, vocabulary hash, versions, settings
``model.safetensors``   the weights of the best model so far
``initial.safetensors`` the weights to start from, if the run starts from another one
``proofreader.safetensors``  what reads the words of new pieces, if the domain has such
``metrics.jsonl``       one line for each report of the training
``README.md``           the model card
``checkpoints/``        where an unfinished training resumes
``samples/``            generated pieces
======================  =================================================================
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, overload

import numpy
from numpy.typing import NDArray

from seqgen.bounds import checked
from seqgen.config import CORE
from seqgen.data.corpus import Corpus
from seqgen.errors import ConfigError, PluginError, RunError
from seqgen.files import RUN
from seqgen.network.architectures import load_architecture
from seqgen.plugin import Codec, Domain, Piece
from seqgen.plugins.discovery import bundled_model, domain_names
from seqgen.plugins.rebuilding import domain_of, load_codec, load_read_options
from seqgen.run.corpus import open_corpus
from seqgen.run.description import read_run
from seqgen.run.piece_files import read_piece, write_piece
from seqgen.run.results import (
    CHECKPOINTS,
    INITIAL,
    WEIGHTS,
    check_trained,
    checkpoints_in,
    latest_result,
    read_reports,
)
from seqgen.storage.tensors import Kind, expected, read_weights

if TYPE_CHECKING:
    from seqgen.network.model import SequenceModel


class Run(Generic[Piece]):
    """An open run folder: ``Run[str]`` is one whose pieces are texts.

    Parameters
    ----------
    folder : Path or str
        A folder that `create_run` made.
    device : str
        Device of the model: cpu, cuda, mps, or auto for the fastest available.
    corpus : Path or str, optional
        Where its corpus is, if it has moved.

    Attributes
    ----------
    name : str
        What the command calls it: its folder, or the domain that it comes with.
    output : Path
        The folder of what it writes: its own, or one in the working folder if it comes with a
        domain.
    info : dict
        The content of ``run.json``.
    vocab : Vocab
    model_config : ModelConfig
    train_config : TrainConfig
    stepper : callable or None
        Makes its stepper (`seqgen.stepping.stepper`) for a number of sequences and whether weights
        have 8 bits; None for the one that fits the model.

    Raises
    ------
    RunError
        If the folder is not a run, or has another format.
    """

    made_by = "seqgen.load({})"

    @checked
    def __init__(
        self, folder: Path | str, device: str = "auto", corpus: Path | str | None = None
    ) -> None:
        self.folder = self.output = Path(folder)
        self.name = str(folder)
        self._corpus = None if corpus is None else Path(corpus)
        self.info, self.vocab, self.model_config, self.train_config = read_run(self.folder)
        self.device = device
        self._has_own_model = False
        self.stepper: Callable[[int, bool], Any] | None = None
        self.info["result"] = latest_result(self.folder, self.info["result"])

    @property
    def title(self) -> str:
        """`name` without the folders around it."""
        return Path(self.name).resolve().name

    @property
    def clusters(self) -> list[int]:
        """The cluster of each id to predict; empty without an adaptive output."""
        return list(self.info.get("clusters", ())) if self.model_config.output == "adaptive" else []

    @property
    def longest(self) -> int:
        """Number of tokens in the longest piece of the corpus."""
        return int(self.info["corpus"]["longest"])

    @property
    def is_begun(self) -> bool:
        """Whether there is an unfinished training to resume."""
        return bool(checkpoints_in(self.folder / CHECKPOINTS))

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The reports of the training so far."""
        return read_reports(self.folder)

    def corpus(self) -> Corpus:
        """Open the corpus that the run was trained on.

        Raises
        ------
        CorpusError
            If it is not found, or the folder that was named holds another corpus.
        """
        return open_corpus(self.info, self.folder, self._corpus, self.name)

    @cached_property
    def domain(self) -> Domain[Piece]:
        """The domain that reads and writes this run's pieces."""
        return domain_of(self.info, self.folder)[0]

    def read_options(self, changes: Mapping[str, Any] | None = None) -> Any:
        """Return the options that the training files were read with, with some changed.

        Raises
        ------
        ConfigError
            If the domain does not know an option, or its value is invalid.
        """
        options = self.info["read_options"] | (changes or {})
        return load_read_options(self.info | {"read_options": options}, self.folder)

    def read(self, path: Path | str, options: Mapping[str, Any] | None = None) -> Piece:
        """Return the one piece of a file.

        Parameters
        ----------
        path : Path or str
        options : mapping, optional
            Options of reading that differ from those of the training files.

        Raises
        ------
        DataError
            If the file cannot be read, or holds no piece or several.
        """
        return read_piece(self.domain, self.info["domain"], Path(path), self.read_options(options))

    def write(
        self,
        piece: Piece,
        path: Path | str,
        options: Mapping[str, Any] | None = None,
        *,
        overwrite: bool = False,
    ) -> list[Path]:
        """Write a piece into a file, in the format of its suffix.

        Other programs see all of it or nothing.

        Parameters
        ----------
        piece : piece
        path : Path or str
        options : mapping, optional
            Values of the domain's options of writing, such as the paper of handwriting.
        overwrite : bool
            Replace a file.

        Returns
        -------
        list of Path
            The files: more than one for a score of several pages, for example.

        Raises
        ------
        ConfigError
            If the domain does not write such files, or not with these options.
        DataError
            If the piece is none of this domain.
        RunError
            If the file is already there.
        """
        return write_piece(self.domain, piece, path, options, overwrite=overwrite)

    @cached_property
    def codec(self) -> Codec[Piece]:
        """The codec that the model was trained with.

        Raises
        ------
        RunError
            If ``run.json`` says that other symbols were realigned.
        """
        codec = load_codec(self.info, self.folder)
        for entry in self.info.get("realigned", ()):
            try:
                if codec.dictation is not None:
                    codec.dictation.raise_most(entry["most"])
            except ValueError as error:
                raise RunError(f"{self.folder / RUN} is damaged: realigned: {error}") from error
        return codec

    @cached_property
    def model(self) -> SequenceModel:
        """The best model so far; before training, a model with its initial weights."""
        import torch

        from seqgen.network.model import SequenceModel, choose_device

        torch.manual_seed(self.train_config.seed)
        sizes, boundaries = tuple(self.codec.feature_sizes), self.codec.boundaries
        # Tensors made in inference mode could never be trained.
        with torch.inference_mode(False):
            weights = self._saved_weights()
            model = SequenceModel(self.model_config, self.vocab, sizes, boundaries, self.clusters)
            if weights is not None:
                model.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights})
            return model.to(choose_device(self.device))

    @property
    def weights(self) -> dict[str, NDArray[numpy.float32]]:
        """The weights of `model` by name; reading them from the folder needs no PyTorch."""
        if not self._has_own_model and (weights := self._saved_weights()) is not None:
            return weights
        state = self.model.state_dict()
        return {name: value.float().cpu().numpy() for name, value in state.items()}

    @property
    def kinds(self) -> dict[str, Kind]:
        """Shape and dtype of every weight by name, as the settings require."""
        sizes = tuple(self.codec.feature_sizes)
        try:
            table = expected(self.model_config, self.vocab, sizes)
            if self.model_config.architecture == CORE:
                return table
            self._require_architecture()
            from seqgen.network.model import kinds_of

            return kinds_of(self.model_config, self.vocab, sizes)
        except ConfigError as error:
            raise RunError(f"{self.folder / RUN} is damaged: {error}") from error

    def _require_architecture(self) -> None:
        """Raise `PluginError` if the architecture cannot be loaded."""
        name, origin = self.model_config.architecture, self.info["architecture"]
        try:
            load_architecture(name)
        except PluginError as error:
            raise PluginError(
                f"{self.folder} was made with the architecture {name!r} of "
                f"{origin['distribution']} {origin['version']}, which cannot be loaded ({error}); "
                f"install that version, or train again"
            ) from error

    def _saved_weights(self) -> dict[str, NDArray[numpy.float32]] | None:
        """Return the best weights, or the weights to start from, or None if the folder has none."""
        kinds = self.kinds
        for name in (WEIGHTS, INITIAL):
            if (self.folder / name).exists():
                return read_weights(self.folder / name, kinds)
        planned = self.info["plan"]["weights"]
        count = sum(math.prod(kind.shape) for kind in kinds.values())
        if count != planned:
            raise RunError(
                f"the settings in {self.folder / RUN} give {count:,} weights, expected "
                f"{planned:,}; train a new run"
            )
        return None

    @property
    def sampling(self) -> dict[str, float]:
        """The default ``temperature`` and ``min_p``: as training measured, or the codec's.

        The default ``guidance`` is always the codec's.
        """
        names = ("temperature", "min_p")
        measured = self.info.get("sampling")
        chosen = {name: measured[name] if measured else getattr(self.codec, name) for name in names}
        return {**chosen, "guidance": self.codec.guidance}

    def with_model(
        self, model: SequenceModel, stepper: Callable[[int, bool], Any] | None = None
    ) -> Run[Piece]:
        """Return this run with another model of the same shape; the folder does not change.

        Generation steps with what `stepper` makes, as in the attributes.
        """
        other = copy.copy(self)
        other._has_own_model = True
        other.model, other.stepper = model, stepper
        return other

    def __repr__(self) -> str:
        codec = self.info["codec"]["name"]
        return f"Run({str(self.folder)!r}: {self.info['domain']}, codec {codec})"


@overload
def load(folder: Path | str, device: str = "auto", corpus: Path | str | None = None) -> Run: ...
@overload
def load(
    folder: Path | str,
    device: str = "auto",
    corpus: Path | str | None = None,
    *,
    domain: type[Domain[Piece]],
) -> Run[Piece]: ...
def load(
    folder: Path | str,
    device: str = "auto",
    corpus: Path | str | None = None,
    *,
    domain: type[Domain[Any]] | None = None,
) -> Run[Any]:
    """Open a trained run.

    Parameters
    ----------
    folder : Path or str
        A run folder, or the name of a domain that comes with a model, such as ``"music"``. A
        folder of that name comes first.
    device, corpus
        As for `Run`.
    domain : class, optional
        The class of the run's domain, such as `seqgen_music.domain.MusicDomain`. Then type
        checkers know what its pieces are.

    Returns
    -------
    Run
        ``Run[Any]``, or with `domain` a run of its pieces, such as ``Run[str]``.

    Raises
    ------
    RunError
        If the folder is not a run, holds no trained model, or is of another domain.
    """
    run = open_run(folder, device, corpus)
    check_trained(run.folder, run.name)
    if domain is not None and not isinstance(run.domain, domain):
        raise RunError(
            f"{folder} is a run of {run.info['domain']}, whose class is "
            f"{type(run.domain).__name__}, found domain={domain.__name__}"
        )
    return run


def open_run(
    folder: Path | str, device: str = "auto", corpus: Path | str | None = None
) -> Run[Any]:
    """Open a run, trained or not, by its folder or by the domain that it comes with.

    Raises
    ------
    RunError
        If there is neither such a run nor such a domain.
    PluginError
        If the plugin of the domain cannot be loaded.
    """
    domain = str(folder)
    if Path(folder).exists() or domain not in domain_names():
        return Run(folder, device, corpus)
    place = bundled_model(domain)
    if place is None:
        raise RunError(
            f"there is no folder {domain}, and no model comes with the domain {domain!r}; make a "
            f"model with seqgen train {domain}"
        )
    run: Run[Any] = Run(place, device, corpus)
    run.name, run.output = domain, Path(f"new-{domain}")
    return run
