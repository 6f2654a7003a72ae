"""``seqgen train``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from seqgen.cli.prepare import prepare_corpus
from seqgen.cli.tensorboard import writer
from seqgen.config import ModelConfig, TrainConfig
from seqgen.errors import ConfigError

if TYPE_CHECKING:
    from seqgen.corpus import Corpus
    from seqgen.run import Run
    from seqgen.training import Report


def train(
    domain: str,
    *paths: Path,
    out: Path | None = None,
    codec: str | None = None,
    codec_option: tuple[str, ...] = (),
    start: Annotated[Path | None, Parameter(name="--from")] = None,
    model: Annotated[ModelConfig, Parameter(name="*", group="Model")] = ModelConfig(),  # noqa: B008
    training: Annotated[TrainConfig, Parameter(name="*", group="Training")] = TrainConfig(),  # noqa: B008
    tensorboard: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Train a model on files, folders or a corpus folder, and keep the best in a run folder.

    Ctrl-C ends training early and keeps the model.

    Parameters
    ----------
    domain
        One of those that `seqgen domains` lists.
    paths
        Files, folders to search, or one folder made by `seqgen prepare`; none at all means
        the domain's demo data.
    out
        The run folder; by default the first free of runs/DOMAIN, runs/DOMAIN-2 ...
    codec
        How pieces become tokens; by default the domain's first codec.
    codec_option
        A setting of the codec as NAME=VALUE; may be repeated.
    start
        A trained run to go on from, with its network: symbols of both corpora keep their weights.
    model
        The network.
    training
        The budget and the optimizer.
    tensorboard
        Write what is reported to RUN/tensorboard as well, for TensorBoard.
    overwrite
        Replace the run folder if it is there.
    json
        Print the description of the run for programs.
    """
    from seqgen.cli.console import print_json, say, say_corpus
    from seqgen.corpus import Corpus
    from seqgen.files import CORPUS, free_name
    from seqgen.run import create_run, load

    if len(paths) == 1 and (paths[0] / CORPUS).exists():
        corpus = Corpus(paths[0])
        if corpus.info["domain"] != domain:
            raise ConfigError(f"{paths[0]} is a corpus of {corpus.info['domain']}, not {domain}")
        if codec or codec_option:
            raise ConfigError(
                f"{paths[0]} is encoded already, by codec {corpus.info['codec']['name']!r} with "
                f"{corpus.info['codec']['options']}; leave out --codec and --codec-option, or "
                f"prepare another corpus"
            )
    else:
        corpus = prepare_corpus(domain, paths, None, codec, codec_option)
    say_corpus(corpus)
    if not corpus.size("valid"):
        say("too little to hold anything out: 'valid' is measured on the training pieces")
    folder = out or free_name(Path("runs") / domain)
    if start is None:
        run = create_run(folder, corpus, model, training, overwrite=overwrite)
    else:
        # Settings of the model that nobody gave are those of the run to start from.
        given = None if model == ModelConfig() else model
        run = create_run(
            folder, corpus, given, training, start=load(start, training.device), overwrite=overwrite
        )
        origin = run.info["from"]
        say(
            f"starting from {start}: {origin['kept']} symbols kept, {origin['new']} new, "
            f"{origin['dropped']} dropped"
        )
    train_run(run, corpus, writer(run.folder / "tensorboard") if tensorboard else None)
    if json:
        print_json(run.info)
    else:
        print(run.folder)


def train_run(run: Run, corpus: Corpus, watch: Callable[[Report], None] | None = None) -> None:
    """Train and show how far it is; `watch` is told as well.

    Raises
    ------
    KeyboardInterrupt
        After saving, if the user ended the training.
    """
    import torch

    from seqgen.cli.console import meter, say

    weights = sum(parameter.numel() for parameter in run.model.parameters())
    device = next(run.model.parameters()).device.type
    say(f"training {weights:,} weights on {device}, into {run.folder}")
    report = None
    with meter("train") as show:
        for report in run.train(corpus):
            if watch is not None:
                watch(report)
            speed = report.tokens / report.seconds
            text = f"loss {report.loss:.3f}  {speed:,.0f} tokens/s"
            if report.valid_loss is not None:
                text += f"  valid {report.valid_loss:.3f}{' *' if report.improved else ''}"
            show(report.fraction, text, remember=report.valid_loss is not None)
    assert report is not None
    best = run.info["result"]
    threads = f" with {torch.get_num_threads()} threads" if device == "cpu" else ""
    epochs = report.tokens / max(corpus.size("train"), 1)
    say(
        f"read {report.tokens:,} tokens ({epochs:.1f} epochs) in {report.seconds:.0f} s{threads}; "
        f"best validation loss {best['valid_loss']:.4f} nats per token"
    )
    if report.interrupted:
        say(f"ended early; the best model is in {run.folder}: seqgen generate {run.folder}")
        raise KeyboardInterrupt
