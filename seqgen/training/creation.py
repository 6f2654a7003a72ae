"""Creating a run: a folder with every setting chosen for a corpus, ready to train.

Next: `seqgen.training.session` trains it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import safetensors.numpy
from numpy.typing import NDArray

from seqgen.bounds import checked
from seqgen.conditions.unlabelled import unlabelled
from seqgen.config import ModelConfig, TrainConfig, as_config
from seqgen.data.corpus import Corpus
from seqgen.errors import ConfigError
from seqgen.files import RUN, new_folder, refuse_existing, write_atomic, write_json
from seqgen.network.architectures import load_architecture
from seqgen.network.clusters import choose_clusters, moved_clusters
from seqgen.plugin import CONTRACT
from seqgen.plugins.faults import naming_faults
from seqgen.run.corpus import whereabouts
from seqgen.run.description import FORMAT, versions
from seqgen.run.folder import Run
from seqgen.run.results import CHECKPOINTS, INITIAL, WEIGHTS, checkpoints_in
from seqgen.storage.locks import hold
from seqgen.training.transfer import (
    labels_alike,
    old_ids,
    transfer_weights,
    with_features_of,
    with_labels_of,
)

if TYPE_CHECKING:
    from seqgen.training.autopilot import Plan


@naming_faults
@checked
def create_run(
    folder: Path | str,
    corpus: Corpus,
    model: ModelConfig | Mapping[str, Any] | None = None,
    train: TrainConfig | Mapping[str, Any] | None = None,
    *,
    start: Run | None = None,
    overwrite: bool = False,
) -> Run:
    """Create a run folder for a corpus, ready to train.

    Parameters
    ----------
    folder : Path or str
    corpus : Corpus
    model : ModelConfig or mapping, optional
        The network, such as ``{"hidden": 128}``; by default that of `start`, if given.
    train : TrainConfig or mapping, optional
        The budget and the optimizer, such as ``{"minutes": 3}``.
    start : Run, optional
        A trained run of the same domain and codec, whose weights to start from. Symbols that both
        corpora have keep their weights; new symbols get the mean.
    overwrite : bool
        Replace an existing run.

    Returns
    -------
    Run

    Raises
    ------
    RunError
        If `folder` exists and is not a run or may not be replaced, or another process trains it.
    ConfigError
        If `start` has another domain, codec or network.
    """
    # These import torch; a folder that exists is refused before that.
    from seqgen.network.model import choose_device
    from seqgen.training.autopilot import plan

    place = Path(folder)
    refuse_trained(place, overwrite)
    model, train = as_config(ModelConfig, "model", model), as_config(TrainConfig, "train", train)
    # A training stays on the device on which it begins.
    device = choose_device(train.device).type
    train = replace(train, device=device if train.device == "auto" else train.device)
    initial, origin = None, None
    if start is not None:
        model = _same_network(start, model)
        initial, origin = _transferred(start, corpus)
    info = _described(corpus, plan(corpus, model, train), start, place)
    if origin is not None:
        info["from"] = origin
    if launched := launch():
        info["launch"] = launched
    with hold(place):
        overwrite = refuse_trained(place, overwrite)
        with new_folder(place, marker=RUN, overwrite=overwrite) as temporary:
            if initial is not None:
                write_atomic(temporary / INITIAL, safetensors.numpy.save(initial))
            write_json(temporary / RUN, info)
    return Run(folder, train.device)


def _described(corpus: Corpus, chosen: Plan, start: Run | None, place: Path) -> dict[str, Any]:
    """Return the content of ``run.json`` of a run in a folder."""
    clusters = {}
    if chosen.model.output == "adaptive":
        clusters["clusters"] = (
            choose_clusters(corpus.counts)
            if start is None
            else moved_clusters(start.clusters, old_ids(start.vocab, corpus.vocab)[:-1])
        )
    about = ("domain", "distribution", "version", "codec", "vocab", "vocab_digest")
    _, network = load_architecture(chosen.model.architecture)
    counts = ("key", "seed", "pieces", "longest", "tokens", "units")
    return {
        "seqgen": "run",
        "format": FORMAT,
        "contract": CONTRACT,
        "versions": versions(),
        **{name: corpus.info[name] for name in about},
        "read_options": asdict(corpus.read_options),
        "corpus": {name: corpus.info[name] for name in counts}
        | {name: len(corpus.info[name]) for name in ("files", "duplicates", "skipped")}
        | {"folder": whereabouts(corpus, place)},
        "architecture": {"distribution": network.distribution, "version": network.version},
        "model": asdict(chosen.model),
        "train": asdict(chosen.train),
        **clusters,
        "plan": asdict(chosen.forecast)
        | {"reasons": list(chosen.reasons), "seconds": chosen.seconds},
        "result": None,
    }


def launch() -> str:
    """Return the name that the user gave this launch of torchrun (``--rdzv-id``), or nothing.

    It stays the same when torchrun starts the processes again.
    """
    name = os.environ.get("TORCHELASTIC_RUN_ID", "")
    return "" if name == "none" else name


def refuse_trained(folder: Path, overwrite: bool) -> bool:
    """Raise `RunError` if a run may not be created here; return whether one may be replaced."""
    # A run whose training never began may always be replaced.
    trained = (folder / WEIGHTS).exists() or bool(checkpoints_in(folder / CHECKPOINTS))
    refuse_existing(folder, marker=RUN, overwrite=overwrite or not trained)
    return overwrite or not trained


def _same_network(start: Run, model: ModelConfig) -> ModelConfig:
    """Return the network of a run, with the dropout rates of `model`."""
    same = replace(
        start.model_config,
        dropout=model.dropout,
        # A run without the setting has no tables.
        context_rows=start.model_config.context_rows or 0,
        context_dropout=model.context_dropout,
    )
    # What is chosen automatically stays as it is.
    output = same.output if model.output == "auto" else model.output
    rows = same.context_rows if model.context_rows is None else model.context_rows
    nothing_asked = ModelConfig(
        output=same.output,
        context_rows=same.context_rows,
        context_dropout=same.context_dropout,
        dropout=same.dropout,
    )
    asked = asdict(replace(model, output=output, context_rows=rows))
    left_open = asdict(nothing_asked)
    others = {
        name: (kept, asked[name])
        for name, kept in asdict(same).items()
        if asked[name] not in (kept, left_open[name])
    }
    if others:
        raise ConfigError(
            f"a run that starts from {start.name} has its network, with "
            f"{', '.join(f'{name} {kept}' for name, (kept, _) in others.items())}; found "
            f"{', '.join(f'{name} {wanted}' for name, (_, wanted) in others.items())}; leave out "
            f"these settings of the network, or `start`"
        )
    return same


def _transferred(
    start: Run, corpus: Corpus
) -> tuple[dict[str, NDArray[numpy.float32]], dict[str, Any]]:
    """Return the weights of a run for a corpus, and their description for ``run.json``."""
    for what, old, new in (
        ("domain", start.info["domain"], corpus.info["domain"]),
        ("codec", start.info["codec"]["name"], corpus.info["codec"]["name"]),
    ):
        if old != new:
            raise ConfigError(
                f"{start.name} has the {what} {old!r}, {corpus.folder} has {new!r}; "
                f"prepare the corpus with the {what} {old!r}, or leave out `start`"
            )
    old, new = start.codec, corpus.codec
    width = start.model_config.embedding or start.vocab.size
    weights = with_features_of(
        with_labels_of(start.weights, old, new, width), unlabelled(old), unlabelled(new)
    )
    alike = labels_alike(old, new)
    weights, transfer = transfer_weights(
        weights, start.vocab, corpus.vocab, start.model_config, alike
    )
    counts = {name: getattr(transfer, name) for name in ("kept", "new", "dropped")}
    return weights, {"run": start.title, **counts}
