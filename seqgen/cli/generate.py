"""``seqgen generate``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from seqgen.bounds import Beam, Candidates, Count, CountOrZero, Seed, Width, checked
from seqgen.cli.inputs import Inputs
from seqgen.cli.outputs import check_folder
from seqgen.cli.printing import print_json, show
from seqgen.config import LimitConfig, SampleConfig
from seqgen.errors import ConfigError, CorpusError
from seqgen.unknown import OrError

if TYPE_CHECKING:
    from seqgen.generation.pieces import Generated
    from seqgen.report.samples import Samples
    from seqgen.run.folder import Run


#: Seconds of compiling after which the user is told.
NOTICE_AFTER = 2.0


@checked
def generate(
    run: Path,
    *,
    count: Annotated[Count, Parameter(name=["--count", "-n"])] = 1,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    prompt: Annotated[str | None, Parameter(group="Beginning", allow_leading_hyphen=True)] = None,
    prompt_tokens: Annotated[CountOrZero, Parameter(group="Beginning")] = 0,
    without_prompt: Annotated[bool, Parameter(group="Beginning", negative="")] = False,
    unknown: Annotated[OrError, Parameter(group="Beginning")] = "error",
    adapt: Annotated[bool, Parameter(group="Beginning", negative="")] = False,
    given: Annotated[str | None, Parameter(group="Beginning", allow_leading_hyphen=True)] = None,
    sample: Annotated[SampleConfig, Parameter(name="*", group="Sampling")] = SampleConfig(),  # noqa: B008
    candidates: Annotated[Candidates, Parameter(group="Sampling")] = None,
    beam: Annotated[Beam, Parameter(group="Sampling")] = 0,
    limit: Annotated[LimitConfig, Parameter(name="*", group="Limits")] = LimitConfig(),  # noqa: B008
    stop: Annotated[tuple[str, ...], Parameter(group="Limits", allow_leading_hyphen=True)] = (),
    seed: Seed = 0,
    batch_size: Width = 32,
    int8: Annotated[bool, Parameter(negative="")] = False,
    device: str = "auto",
    format: Annotated[str | None, Parameter(group="Results")] = None,
    rank: Annotated[bool, Parameter(group="Results", negative="")] = False,
    novelty: Annotated[bool, Parameter(group="Results", negative="")] = False,
    page: Annotated[bool, Parameter(group="Results", negative="")] = False,
    overwrite: Annotated[bool, Parameter(group="Results", negative="")] = False,
    json: Annotated[bool, Parameter(group="Results", negative="")] = False,
) -> None:
    """Write new pieces with a trained model.

    A single piece of text is shown while it is written. Ctrl-C keeps what exists.

    Parameters
    ----------
    run
        The run folder that `seqgen train` made.
    count
        Number of pieces.
    out
        A new folder for them; by default the first free of RUN/samples/1, 2 ...
    prompt
        What every piece begins with: a file, text for domains whose pieces can be typed, or - for
        text from standard input.
    prompt_tokens
        Keep only this many tokens of the prompt. 0 keeps all.
    without_prompt
        Leave the prompt out of the results.
    unknown
        What to do about symbols of a prompt, a given text or a stop text that the model does not
        know: refuse it, skip them, or take the nearest known ones. What was changed is told.
    adapt
        Train a copy of the model on the prompt before it continues it. The run does not change.
    given
        What the pieces are to follow, a file, text or - for text from standard input: a melody to
        harmonise, for example.
    sample
        How tokens are drawn.
    candidates
        Number of candidates per piece. Candidates that fit the given material are kept and copied,
        the rest are dropped. The codec chooses the default.
    beam
        Search for the most likely pieces with this many candidates instead of sampling. 0 samples.
    limit
        When to stop a piece that does not end.
    stop
        Stop a piece after this text; may be repeated.
    seed
        Seed of the random numbers. The same seed writes the same pieces.
    batch_size
        Number of pieces written side by side; it does not change them. A piece with several
        candidates is written alone.
    int8
        Round the weights to 8 bits: faster, with slightly different probabilities.
    device
        Device to run on: cpu, cuda, mps, or auto. auto is cuda for 64 or more pieces or candidates
        side by side, if there is one, and cpu otherwise.
    format
        Suffix of the files, such as .mid; by default the domain's first.
    rank
        Number the pieces by likelihood per token, the most likely first.
    novelty
        Say how much of each piece is copied from the training corpus, and from where.
    page
        Write index.html beside the pieces, to look at them and to listen. It shows novelty and the
        metrics of the domain if the corpus is still there.
    overwrite
        Replace the folder if it is there.
    json
        Print the manifest for programs.
    """
    from seqgen.files import SAMPLES, refuse_existing
    from seqgen.report.samples import chosen_suffix
    from seqgen.run.folder import load

    if prompt == given == "-":
        raise ConfigError("--prompt and --given cannot both read standard input (-)")
    loaded = load(run, device)
    check_folder(out, loaded.domain.formats, "--format chooses what the files in it are")
    if out is not None:
        refuse_existing(out, marker=SAMPLES, overwrite=overwrite)
    chosen_suffix(loaded, format)
    if novelty:
        loaded.corpus()
    inputs = Inputs(loaded, unknown)
    piece = None if prompt is None else inputs.prompt(prompt, prompt_tokens)
    if adapt and piece is None:
        raise ConfigError("--adapt needs a prompt; give one with --prompt")
    # Ids that are not to be shown.
    hidden = len(loaded.codec.encode(piece)) if without_prompt and piece is not None else 0
    novelty = novelty or (page and _has_corpus(loaded))
    condition = None if given is None else inputs.condition(given)
    stops = [inputs.stop(text) for text in stop]
    if candidates is None and not beam:
        candidates = loaded.codec.candidates(condition)
    single = count == 1 and candidates == 1
    typed = loaded.codec.text_stream() if single and not json else None
    if adapt:
        from seqgen.evaluation.adaptive import adapt as learn_from

        loaded = learn_from(loaded, piece)
    samples = generate_samples(
        loaded,
        out,
        count,
        typist=None if typed is None else _Typist(typed, hidden),
        beam=beam,
        format=format,
        rank=rank,
        novelty=novelty,
        overwrite=overwrite,
        about={
            "prompt": prompt,
            "prompt_tokens": prompt_tokens,
            "unknown": unknown,
            "adapt": adapt,
            "given": given,
            "stop": stop,
            "mended": inputs.mended,
        },
        prompt=piece,
        condition=condition,
        sample=sample,
        limit=limit,
        stop=stops,
        seed=seed,
        candidates=candidates,
        batch_size=batch_size,
        with_prompt=not without_prompt,
        int8=int8,
    )
    written = [write_samples_page(loaded, samples, samples.folder / "index.html")] if page else []
    if json:
        print_json(samples.manifest)
        return
    for path in samples.paths:
        if typed is not None:
            show("\n")
        elif path.suffix == ".txt":
            show(path.read_text("utf-8"), end="\n\n")
        show(path)
    for path in written:
        show(path)


def _has_corpus(run: Run) -> bool:
    """Tell whether the corpus of a run is at hand, with a remark where it is not."""
    from seqgen.cli.console import say

    try:
        run.corpus()
    except CorpusError as error:
        say(f"the page is without novelty and metrics: {error}")
        return False
    return True


def write_samples_page(run: Run, samples: Samples, path: Path) -> Path:
    """Write the page of some pieces; if they were compared with the corpus, with metrics too."""
    from seqgen.cli.compare import compare_samples
    from seqgen.report.page import write_page

    known = any("novelty" in entry for entry in samples.manifest["pieces"])
    pieces = [new.piece for new in samples.pieces]
    compared = compare_samples(run, samples.folder, pieces) if known else []
    return write_page(run, samples, path, compared)


def generate_samples(
    run: Run,
    folder: Path | None,
    count: int,
    *,
    typist: _Typist | None = None,
    beam: int = 0,
    format: str | None = None,
    rank: bool = False,
    novelty: bool = False,
    overwrite: bool = False,
    about: Mapping[str, Any] | None = None,
    **options: Any,
) -> Samples:
    """Generate, write and show how far it is; the options are those of `seqgen.generate`."""
    from seqgen.cli.console import meter
    from seqgen.generation.beam import search
    from seqgen.generation.engine import generate
    from seqgen.report.samples import write_samples

    compare = run.corpus() if novelty else None
    settings = {"count": count, "beam": beam, "rank": rank, **(about or {})}
    for name, value in options.items():
        if name == "sample":
            settings |= asdict(value.completed(**run.sampling))
        elif name == "limit":
            settings |= asdict(value)
        elif name not in ("prompt", "condition", "stop"):
            settings[name] = value
    if beam:
        drawing = options.get("sample", SampleConfig()), options.get("candidates")
        if drawing != (SampleConfig(), None):
            raise ConfigError("--beam does not sample; leave out the sampling options")
        kept = ("prompt", "condition", "limit", "stop", "with_prompt", "int8")
        chosen = {name: options[name] for name in kept if name in options}
        found = search(run, beam, count, **chosen)
        return write_samples(
            run, found, folder, format, settings=settings, compare=compare, overwrite=overwrite
        )
    with (
        _notice_of_compiling() as begun,
        nullcontext(None) if typist else meter("generate") as show,
    ):

        def progress(ended: int, drawn: int, ids: Sequence[int]) -> None:
            begun()
            if typist is not None:
                typist(ended, drawn, ids)
            if show is not None:
                show(ended / count, f"{ended} of {count} pieces, {drawn:,} tokens")

        new = generate(run, count, progress=progress, **options)
        return write_samples(
            run,
            _ranked(new) if rank else new,
            folder,
            format,
            settings=settings,
            compare=compare,
            overwrite=overwrite,
        )


@contextmanager
def _notice_of_compiling() -> Iterator[Callable[[], None]]:
    """Say so if compiling takes over two seconds; yields what to call at the first token."""
    from seqgen.cli.console import say
    from seqgen.compiling import told_of_compiling

    text = "compiling for this processor, which may take a minute; the next call starts at once"
    timer = Timer(NOTICE_AFTER, say, [text])
    timer.daemon = True

    def start() -> None:
        if not (timer.ident or timer.finished.is_set()):
            timer.start()

    with told_of_compiling(start):
        try:
            yield timer.cancel
        finally:
            timer.cancel()


class _Typist:
    """Shows a piece of text while it is written.

    Parameters
    ----------
    typed : callable
        The text that each id adds.
    hidden : int
        How many ids are not to be shown.
    """

    def __init__(self, typed: Callable[[int], str], hidden: int) -> None:
        self._typed, self._seen, self._shows = typed, hidden, True

    def __call__(self, ended: int, drawn: int, ids: Sequence[int]) -> None:
        """Show what is new."""
        if not self._shows:
            return
        text = "".join(map(self._typed, ids[self._seen :]))
        self._seen = len(ids)
        try:
            show(text, end="", flush=True)
        except BrokenPipeError:
            # Nobody reads on; the piece is written to its file all the same.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError:
            # The output is full, for example: that is told once the file is written.
            self._shows = False


def _ranked(new: Iterable[Generated]) -> Iterator[Generated]:
    """Yield all pieces, the likeliest per token first, also if their making is interrupted."""
    pieces: list[Generated] = []
    interrupt = None
    try:
        for piece in new:
            pieces.append(piece)
    except KeyboardInterrupt as error:
        interrupt = error
    yield from sorted(pieces, key=lambda piece: -piece.log_probability_per_token)
    if interrupt is not None:
        raise interrupt
