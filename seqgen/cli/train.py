"""``seqgen train``."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from seqgen.cli.opening import opened
from seqgen.cli.outputs import check_folder
from seqgen.cli.prepare import FileOptions, prepare_corpus
from seqgen.cli.printing import print_json, show
from seqgen.config import ModelConfig, TrainConfig
from seqgen.errors import ConfigError
from seqgen.files import RUN
from seqgen.run.results import WEIGHTS
from seqgen.wording import counted

if TYPE_CHECKING:
    from seqgen.cli.console import Meter
    from seqgen.data.corpus import Corpus
    from seqgen.listener import Report
    from seqgen.plugin import Codec
    from seqgen.run.folder import Run
    from seqgen.training.parallel import World


def train(
    domain: str,
    *paths: Path,
    out: Path | None = None,
    files: Annotated[FileOptions, Parameter(name="*", group="Files")] = FileOptions(),  # noqa: B008
    start: Annotated[Path | None, Parameter(name="--from")] = None,
    model: Annotated[ModelConfig, Parameter(name="*", group="Model")] = ModelConfig(),  # noqa: B008
    training: Annotated[TrainConfig, Parameter(name="*", group="Training")] = TrainConfig(),  # noqa: B008
    events: tuple[str, ...] = (),
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Train a model on files, folders or a corpus folder, and keep the best in a run folder.

    Settings that you leave out are chosen for the corpus, the budget and this machine. Ctrl-C ends
    training early and keeps the model; `seqgen resume` continues.

    Parameters
    ----------
    domain
        Name of an installed domain. The command `seqgen domains` lists them.
    paths
        Files, folders to search, - for standard input, or one folder made by `seqgen prepare`.
        Without paths the domain's demo data is used.
    out
        The run folder. The default is the first free of runs/DOMAIN, runs/DOMAIN-2 ...
    files
        How files become pieces and tokens.
    start
        Trained run to start from (fine-tuning). Symbols that both corpora have keep their weights;
        the files are encoded by its codec.
    model
        The network.
    training
        The budget and the optimizer.
    events
        Listener that gets the reports too, such as tensorboard, which writes to
        RUN/events/tensorboard. `seqgen plugins list` lists those of plugins. May be repeated.
    overwrite
        Replace the run folder if it exists.
    json
        Print the description of the run as JSON.
    """
    from seqgen.cli.console import say, say_corpus, stderr
    from seqgen.plugins.discovery import load_domain
    from seqgen.plugins.listeners import load_listener
    from seqgen.run.folder import Run
    from seqgen.training.creation import create_run, refuse_trained
    from seqgen.training.parallel import join

    _, found = load_domain(domain)
    check_folder(out, found.suffixes, "the model and its reports go into this folder")
    default = Path("runs") / domain
    begun = _begun_by_launch(out, default)
    if begun is None and out is not None:
        refuse_trained(out, overwrite)
    _check_network(model, training)
    for name in events:
        load_listener(name)
    before = None if start is None else opened(start, training.device)
    world = join()
    stderr.quiet = not world.leads
    if begun is not None and not begun.is_begun:
        # A process was lost after the training had ended.
        world.leave()
        _show_run(begun, json)
        return
    with world.leader_first():
        corpus = _corpus(domain, paths, files, None if before is None else before.codec)
    say_corpus(corpus)
    if not corpus.size("valid"):
        say(
            "the corpus is too small to hold out pieces: 'valid' is measured on the training pieces"
        )
    create = partial(
        create_run, corpus=corpus, model=model, train=training, start=before, overwrite=overwrite
    )
    if begun is not None:
        out, create = begun.folder, partial(Run, device=training.device)
    with _shared_run(world, out, default, create, training.device) as run:
        if begun is None:
            _say_origin(run)
        else:
            say(f"going on with {run.folder}")
        train_run(run, corpus, events)
    _show_run(run, json)


def _show_run(run: Run, json: bool) -> None:
    """Print the folder of a run, or its description as JSON."""
    if json:
        print_json(run.info)
    else:
        show(run.folder)


def _begun_by_launch(out: Path | None, default: Path) -> Run | None:
    """Return the run that this launch of torchrun trained before it started the processes again."""
    from seqgen.files import numbered
    from seqgen.run.folder import Run
    from seqgen.training.creation import launch

    if not launch():
        return None
    candidates = [out] if out is not None else takewhile(Path.exists, numbered(default))
    for folder in candidates:
        if (folder / RUN).exists():
            run = Run(folder)
            trained = run.is_begun or (folder / WEIGHTS).exists()
            if trained and run.info.get("launch") == launch():
                return run
    return None


def _check_network(model: ModelConfig, training: TrainConfig) -> None:
    """Refuse a device or an architecture that is not there, before files are read."""
    from seqgen.network.architectures import load_architecture
    from seqgen.network.model import choose_device

    choose_device(training.device)
    load_architecture(model.architecture)


@contextmanager
def _shared_run(
    world: World, out: Path | None, default: Path, create: Callable[[Path], Run], device: str
) -> Iterator[Run]:
    """Hold the folder of a new run; the first process creates it, then the others open it."""
    from seqgen.run.folder import Run

    with hold_run(out, default) if world.leads else nullcontext() as place:
        folder = world.share(place) or Path()
        with world.leader_first():
            run = create(folder) if world.leads else Run(folder, device)
        yield run


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
    domain: str, paths: tuple[Path, ...], files: FileOptions, before: Codec | None
) -> Corpus:
    """Open the corpus folder among the paths, or prepare the files."""
    from seqgen.data.corpus import Corpus
    from seqgen.files import CORPUS

    if len(paths) == 1 and (paths[0] / CORPUS).exists():
        corpus = Corpus(paths[0])
        if corpus.info["domain"] != domain:
            raise ConfigError(f"{paths[0]} is a corpus of {corpus.info['domain']}, not {domain}")
        if files != FileOptions():
            raise ConfigError(
                f"{paths[0]} is encoded already, by codec {corpus.info['codec']['name']!r} with "
                f"{corpus.info['codec']['options']}; leave out --codec, --codec-option, "
                f"--read, --label, --valid, --test, --draw-splits, --split-label and --weight, or "
                f"prepare another corpus"
            )
        return corpus
    return prepare_corpus(domain, paths, files, before=before)


def train_run(run: Run, corpus: Corpus, events: tuple[str, ...] = ()) -> None:
    """Train and show the progress; the listeners named in `events` get the reports too.

    Raises
    ------
    KeyboardInterrupt
        After saving, if the user ended the training.
    """
    from seqgen.cli.console import say, saying
    from seqgen.run.card import baseline_text
    from seqgen.training.listening import earlier
    from seqgen.training.parallel import join
    from seqgen.training.session import measure_baseline
    from seqgen.training.session import train as session_train

    device = next(run.model.parameters()).device.type
    _say_plan(run.info["plan"])
    if join().leads:
        baseline = measure_baseline(run, corpus)
        say(f"to beat: {baseline_text(baseline)}")
    say(f"training on {device}, into {run.folder}")
    if names := sorted({*events, *earlier(run.folder)}):
        say(f"listeners that get the reports: {', '.join(names)}")
    with saying("seqgen.events"):
        report = _follow(session_train(run, corpus, events))
    join().leave()  # the first process reports the result
    if report is None:
        return  # the budget was used up already
    _say_result(run, corpus, report, device)
    if report.interrupted:
        say(
            f"ended early; the best model is in {run.folder}:\n"
            f"  seqgen generate {run.folder}\n  seqgen resume {run.folder}"
        )
        raise KeyboardInterrupt


def _follow(training: Generator[Report, None, None]) -> Report | None:
    """Show every report of a training and return the last; Ctrl-C goes into the training."""
    from seqgen.cli.console import meter

    report = None
    with meter("train") as show, closing(training) as reports:
        for report in reports:
            try:
                _show(report, show)
            except KeyboardInterrupt:
                with suppress(StopIteration):  # that was the last report
                    report = reports.throw(KeyboardInterrupt())
                _show(report, show)
    return report


def _say_result(run: Run, corpus: Corpus, report: Report, device: str) -> None:
    """Print the loss of the best model, what was chosen for it, and what to do better."""
    from seqgen.cli.console import say
    from seqgen.data.spans import evaluated, evaluated_split
    from seqgen.run.card import advice_for, beaten_by, sampling_facts

    best = run.info["result"]
    epochs = report.tokens / max(corpus.size("train"), 1)
    say(
        f"read {report.tokens:,} tokens ({epochs:.1f} epochs) in {report.seconds:.0f} s"
        f"{_with_threads(best) if device == 'cpu' else ''}; "
        f"best validation loss {best['valid_loss']:.4f} nats per token, "
        f"on {best['valid_tokens']:,} of {corpus.size(evaluated_split(corpus)):,} held-out tokens"
    )
    if "temperature" in best:
        read = evaluated(corpus, run.train_config.evaluation_tokens).tokens
        say(
            f"without calibration the loss was {best['chosen_loss']:.4f}, on {read:,} held-out "
            f"tokens; calibration divided the logits by {best['temperature']}, fitted on the same "
            f"tokens; --temperature 1 of generate draws from the calibrated model"
        )
    for fact in sampling_facts(run.info.get("sampling")).values():
        say(f"chose {fact}")
    if advice := beaten_by(run.info["baseline"], best):
        say(advice)
    if not report.interrupted and (advice := advice_for(best, corpus.size("train"))):
        say(advice)


def _with_threads(result: dict[str, Any]) -> str:
    """Return the number of threads of a training as words; nothing if it is unknown."""
    count = result.get("threads")
    return "" if count is None else f" with {counted(count, 'thread')}"


def _show(report: Report, show: Meter) -> None:
    """Show the progress of a training; an evaluation stays on the screen."""
    text = f"loss {report.loss:.3f}  {report.tokens / report.seconds:,.0f} tokens/s"
    if report.valid_loss is not None:
        text += f"  valid {report.valid_loss:.3f}{' *' if report.improved else ''}"
    if report.message:
        text = report.message if report.valid_loss is None else f"{text}  {report.message}"
    remember = report.valid_loss is not None or bool(report.message)
    show(report.fraction, text, remember=remember)


def _say_origin(run: Run) -> None:
    """Print how many symbols a run takes over from another one."""
    from seqgen.cli.console import say

    if (origin := run.info.get("from")) is not None:
        say(
            f"starting from {origin['run']}: {origin['kept']} symbols kept, {origin['new']} new, "
            f"{origin['dropped']} dropped"
        )


def _say_plan(plan: dict[str, Any]) -> None:
    """Print the settings that were chosen, the reasons, and a forecast."""
    from seqgen.cli.console import say

    for reason in plan["reasons"]:
        say(f"chose {reason}")
    say(
        f"{plan['weights']:,} weights, about {plan['tokens']:,.0f} tokens to read "
        f"({plan['epochs']:,.1f} epochs), {plan['megabytes']:,.0f} MB"
    )
