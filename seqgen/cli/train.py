"""``seqgen train``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from seqgen.cli.outputs import check_folder
from seqgen.cli.prepare import prepare_corpus
from seqgen.cli.printing import print_json, show
from seqgen.cli.tensorboard import REPORTS, require_tensorboard, writer
from seqgen.config import ModelConfig, TrainConfig
from seqgen.errors import ConfigError

if TYPE_CHECKING:
    from seqgen.cli.console import Meter
    from seqgen.data.corpus import Corpus
    from seqgen.run.folder import Run
    from seqgen.training.loop import Report


#: If the best model comes before this share of the budget, the budget was too large.
TOO_EARLY = 0.5


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

    Settings that you leave out are chosen for the corpus, the budget and this machine. Ctrl-C ends
    training early and keeps the model; `seqgen resume` continues.

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
        How pieces become tokens; by default one that fits the files.
    codec_option
        A setting of the codec as NAME=VALUE; may be repeated.
    start
        A trained run whose network to start from. Symbols of both corpora keep their weights.
    model
        The network.
    training
        The budget and the optimizer.
    tensorboard
        Also write the reports to RUN/tensorboard, for TensorBoard.
    overwrite
        Replace the run folder if it is there.
    json
        Print the description of the run for programs.
    """
    from seqgen.cli.console import say, say_corpus, stderr
    from seqgen.discovery import load_domain
    from seqgen.model import choose_device
    from seqgen.run.folder import Run, load
    from seqgen.training.creation import create_run, refuse_trained
    from seqgen.training.parallel import join

    _, found = load_domain(domain)
    check_folder(out, found.suffixes, "the folder gets the model and what belongs to it")
    if out is not None:
        refuse_trained(out, overwrite)
    choose_device(training.device)
    if tensorboard:
        require_tensorboard()
    before = None if start is None else load(start, training.device)
    world = join()
    stderr.quiet = not world.leads
    with world.leader_first():
        corpus = _corpus(domain, paths, codec, codec_option)
    say_corpus(corpus)
    if not corpus.size("valid"):
        say(
            "the corpus is too small to hold pieces out: 'valid' is measured on the training pieces"
        )
    with ExitStack() as held:
        place = held.enter_context(hold_run(out, Path("runs") / domain)) if world.leads else None
        folder = world.share(place) or Path()
        with world.leader_first():
            if world.leads:
                run = create_run(folder, corpus, model, training, start=before, overwrite=overwrite)
            else:
                run = Run(folder, training.device)
        _say_origin(run)
        watch = writer(run.folder / REPORTS) if tensorboard and world.leads else None
        train_run(run, corpus, watch)
    if json:
        print_json(run.info)
    else:
        show(run.folder)


@contextmanager
def hold_run(out: Path | None, default: Path) -> Iterator[Path]:
    """Hold the folder of a new run: the one that is named, or the first free one."""
    from seqgen.files import numbered
    from seqgen.storage.locks import hold, hold_first

    if out is None:
        with hold_first(numbered(default)) as free:
            yield free
    else:
        with hold(out):
            yield out


def _corpus(
    domain: str, paths: tuple[Path, ...], codec: str | None, codec_option: tuple[str, ...]
) -> Corpus:
    """Open the corpus folder that is named, or prepare what is."""
    from seqgen.data.corpus import Corpus
    from seqgen.files import CORPUS

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
        return corpus
    return prepare_corpus(domain, paths, None, codec, codec_option)


def train_run(run: Run, corpus: Corpus, watch: Callable[[Report], None] | None = None) -> None:
    """Train and show how far it is; `watch` is told as well.

    Raises
    ------
    KeyboardInterrupt
        After saving, if the user ended the training.
    """
    import torch

    from seqgen.cli.console import meter, say
    from seqgen.data.spans import evaluated_split
    from seqgen.run.card import sampling_facts
    from seqgen.training.parallel import join
    from seqgen.training.session import measure_baseline
    from seqgen.training.session import train as session_train

    device = next(run.model.parameters()).device.type
    _say_plan(run.info["plan"])
    if join().leads:
        baseline = measure_baseline(run, corpus)
        say(f"to beat: {baseline['order']}-grams, {baseline['valid_loss']:.4f} nats per token")
    say(f"training on {device}, into {run.folder}")
    report = None
    with meter("train") as show, closing(session_train(run, corpus)) as reports:
        for report in reports:
            try:
                if watch is not None:
                    watch(report)
                _show(report, show)
            except KeyboardInterrupt:
                with suppress(StopIteration):  # that was the last
                    report = reports.throw(KeyboardInterrupt())
                _show(report, show)
    join().leave()  # another process tells
    if report is None:
        return  # there was nothing left to do
    best = run.info["result"]
    threads = f" with {torch.get_num_threads()} threads" if device == "cpu" else ""
    epochs = report.tokens / max(corpus.size("train"), 1)
    say(
        f"read {report.tokens:,} tokens ({epochs:.1f} epochs) in {report.seconds:.0f} s{threads}; "
        f"best validation loss {best['valid_loss']:.4f} nats per token, "
        f"on {best['valid_tokens']:,} of {corpus.size(evaluated_split(corpus)):,} held-out tokens"
    )
    for fact in sampling_facts(run.info.get("sampling")).values():
        say(f"chose {fact}")
    if best["valid_loss"] >= baseline["valid_loss"]:
        say(
            f"counting {baseline['order']}-grams predicts better than this network: "
            f"train longer, or on more pieces"
        )
    if not report.interrupted and (advice := advice_for(best, corpus.size("train"))):
        say(advice)
    if report.interrupted:
        say(
            f"ended early; the best model is in {run.folder}:\n"
            f"  seqgen generate {run.folder}\n  seqgen resume {run.folder}"
        )
        raise KeyboardInterrupt


def _show(report: Report, show: Meter) -> None:
    """Show how far a training is; an evaluation stays on the screen."""
    text = f"loss {report.loss:.3f}  {report.tokens / report.seconds:,.0f} tokens/s"
    if report.valid_loss is not None:
        text += f"  valid {report.valid_loss:.3f}{' *' if report.improved else ''}"
    if report.message:
        text = report.message if report.valid_loss is None else f"{text}  {report.message}"
    remember = report.valid_loss is not None or bool(report.message)
    show(report.fraction, text, remember=remember)


def advice_for(best: dict[str, Any], tokens: int) -> str:
    """Return what to do about a training that went on for too long, if it did.

    Parameters
    ----------
    best : dict
        The result of the run.
    tokens : int
        In the training split.
    """
    if best["fraction"] > TOO_EARLY:
        return ""
    epochs = best["tokens"] / max(tokens, 1)
    return (
        f"held-out pieces were predicted best after {epochs:.1f} epochs, {best['fraction']:.0%} of "
        f"this training, before the corpus was learned by heart: try "
        f"--epochs {max(epochs, 1):.0f}, or more --dropout"
    )


def _say_origin(run: Run) -> None:
    """Tell what a run takes over from another."""
    from seqgen.cli.console import say

    if (origin := run.info.get("from")) is not None:
        say(
            f"starting from {origin['run']}: {origin['kept']} symbols kept, {origin['new']} new, "
            f"{origin['dropped']} dropped"
        )


def _say_plan(plan: dict[str, Any]) -> None:
    """Tell what was chosen, why, and what to expect."""
    from seqgen.cli.console import say

    for reason in plan["reasons"]:
        say(f"chose {reason}")
    say(
        f"{plan['weights']:,} weights, about {plan['tokens']:,.0f} tokens to read "
        f"({plan['epochs']:,.1f} epochs), {plan['megabytes']:,.0f} MB"
    )
