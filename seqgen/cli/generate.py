"""``seqgen generate``: reads the options, calls `generate_samples` and prints the results."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from seqgen.bounds import Beam, Candidates, Count, Seed, Tries, Width, checked
from seqgen.cli.inputs import Beginning, Inputs
from seqgen.cli.opening import opened
from seqgen.cli.outputs import check_folder
from seqgen.cli.printing import print_json, show
from seqgen.cli.settings import named_values
from seqgen.config import LimitConfig, SampleConfig
from seqgen.errors import CorpusError
from seqgen.wording import counted

if TYPE_CHECKING:
    from seqgen.data.corpus import Corpus
    from seqgen.generation.engine import Progress
    from seqgen.generation.pieces import Excerpt
    from seqgen.plugin import Piece
    from seqgen.report.samples import Samples
    from seqgen.run.folder import Run


#: Most probes of a page, which should not take minutes; ``seqgen compare`` writes all of them.
ON_A_PAGE = 20

#: Seconds of compiling after which a remark is printed.
NOTICE_AFTER = 2.0


@Parameter(negative="")
@dataclass(frozen=True)
class Results:
    """How the results are written and shown."""

    format: str | None = None
    """Suffix of the files, such as .mid; by default the domain's first."""
    write_options: Annotated[tuple[str, ...], Parameter(name="--write")] = ()
    """Option of writing as NAME=VALUE; `seqgen domains DOMAIN` lists them. May be repeated."""
    rank: bool = False
    """Number the pieces by likelihood per token, the most likely first."""
    novelty: bool = False
    """Measure how much of each piece is copied from the training corpus, and from where."""
    corpus: Path | None = None
    """Where the corpus of the run is, if it has moved."""
    page: bool = False
    """Write a page that shows and plays the pieces, index.html. It has novelty and metrics too if
    the corpus still exists."""
    overwrite: bool = False
    """Replace the folder if it exists."""
    json: bool = False
    """Print the manifest as JSON."""

    def check(self, run: Run, out: Path | None) -> None:
        """Refuse a folder or a format that cannot be written, before any work.

        Raises
        ------
        ConfigError
            If the folder is named like a file, or the domain does not write the format.
        RunError
            If the folder exists and may not be replaced.
        """
        from seqgen.files import SAMPLES, refuse_existing
        from seqgen.plugins.discovery import find_domains
        from seqgen.report.samples import chosen_suffix, chosen_write_options

        suffixes = {suffix for domain in find_domains() for suffix in domain.suffixes}
        suffixes.update(run.domain.formats)
        check_folder(out, suffixes, "--format chooses what the files in it are")
        if out is not None:
            refuse_existing(out, marker=SAMPLES, overwrite=self.overwrite)
        chosen_suffix(run, self.format)
        chosen_write_options(run, self.writing)

    @property
    def writing(self) -> dict[str, str]:
        """The options of writing by name."""
        return named_values("--write", self.write_options)

    def compared(self, run: Run) -> Corpus | None:
        """Return the corpus to compare with, if the results show novelty.

        Raises
        ------
        CorpusError
            If it is gone; a page without --novelty does without it, with a remark.
        """
        from seqgen.cli.console import say

        if not (self.novelty or self.page):
            return None
        try:
            return run.corpus()
        except CorpusError as error:
            if self.novelty:
                raise
            say(f"the page is without novelty and metrics: {error}")
            return None


@checked
def generate(
    run: Path,
    *,
    count: Annotated[Count, Parameter(name=["--count", "-n"])] = 1,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    beginning: Annotated[Beginning, Parameter(name="*", group="Beginning")] = Beginning(),  # noqa: B008
    sample: Annotated[SampleConfig, Parameter(name="*", group="Sampling")] = SampleConfig(),  # noqa: B008
    candidates: Annotated[Candidates, Parameter(group="Sampling")] = None,
    best_of: Annotated[Tries, Parameter(group="Sampling")] = 1,
    tries: Annotated[Tries, Parameter(group="Sampling")] = 1,
    beam: Annotated[Beam, Parameter(group="Sampling")] = 0,
    limit: Annotated[LimitConfig, Parameter(name="*", group="Limits")] = LimitConfig(),  # noqa: B008
    stop: Annotated[tuple[str, ...], Parameter(group="Limits", allow_leading_hyphen=True)] = (),
    seed: Seed = 0,
    batch_size: Width = 32,
    int8: Annotated[bool, Parameter(negative="")] = False,
    device: str = "auto",
    results: Annotated[Results, Parameter(name="*", group="Results")] = Results(),
) -> None:
    """Write new pieces with a trained model.

    A single piece of text is shown while it is written. Ctrl-C keeps what exists.

    Parameters
    ----------
    run
        A run folder from `seqgen train`, or a domain with a model: `music`, `text`.
    count
        Number of pieces.
    out
        A new folder for them; by default the first free of RUN/samples/1, 2 ...
    beginning
        What the pieces begin with and follow.
    sample
        How tokens are drawn.
    candidates
        Number of candidates per piece. Candidates that fit the given material are kept and copied,
        the rest are dropped. The codec chooses the default.
    best_of
        Write this many pieces for each one that is kept: those with the fewest faults, the best
        first. What a fault is, the domain learns from the corpus.
    tries
        Most attempts at each letter of a given text. A letter that is misread or hard to read is
        drawn again, and the best attempt stays.
    beam
        Search for the most likely pieces with this many candidates instead of sampling. 0 samples.
    limit
        When a piece stops.
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
    results
        How the results are written and shown.
    """
    from seqgen.report.samples import generate_samples

    beginning.check()
    loaded = opened(run, device, results.corpus)
    results.check(loaded, out)
    corpus = results.compared(loaded)
    inputs = Inputs(loaded, beginning.unknown, beginning.reading)
    piece, condition = beginning.read(inputs)
    stops = [inputs.stop(text) for text in stop]
    if candidates is None and not beam:
        candidates = loaded.codec.candidates(condition)
    typed = count == best_of == candidates == 1 and not results.json
    typist = _Typist.of(loaded, piece if beginning.without_prompt else None) if typed else None
    if beginning.adapt:
        loaded = _adapted(loaded, piece)
    with nullcontext(None) if beam else shown_progress(count * best_of, typist) as progress:
        samples = generate_samples(
            *(loaded, count, out, results.format),
            beam=beam,
            rank=results.rank,
            compare=corpus,
            settings={**beginning.as_settings(), "stop": stop, "mended": inputs.mended},
            write_options=results.writing,
            overwrite=results.overwrite,
            prompt=piece,
            condition=condition,
            sample=sample,
            limit=limit,
            stop=stops,
            seed=seed,
            candidates=candidates,
            best_of=best_of,
            tries=tries,
            batch_size=batch_size,
            with_prompt=not beginning.without_prompt,
            int8=int8,
            progress=progress,
        )
    _print_results(loaded, samples, results, typed=typist is not None)


def _say_if_beaten(run: Run) -> None:
    """Say that n-grams, or even guesses, predict better than the network, where they do."""
    from seqgen.cli.console import say
    from seqgen.run.card import beaten_by

    baseline, best = run.info.get("baseline"), run.info.get("result")
    if baseline and best and (advice := beaten_by(baseline, best)):
        say(advice)


def _adapted(run: Run, prompt: Piece | Excerpt) -> Run:
    """Return the run with a model that has learned from a prompt, and counts of its corpus."""
    from seqgen.cli.console import say
    from seqgen.evaluation.adaptive import adapt
    from seqgen.generation.pieces import prompt_of

    try:
        corpus = run.corpus()
    except CorpusError as error:
        corpus = None
        say(f"--adapt counts the prompt alone: {error}")
    return adapt(run, prompt_of(run.codec, prompt), corpus)


def _print_results(run: Run, samples: Samples, results: Results, *, typed: bool) -> None:
    """Write the page, and print the pieces that are text and the names of all files."""
    from seqgen.cli.console import say

    _say_if_beaten(run)
    paths = (
        [write_samples_page(run, samples, samples.folder / "index.html")] if results.page else []
    )
    if results.json:
        print_json(samples.manifest)
        return
    for path in samples.paths:
        if typed:
            show("\n")
        elif path.suffix == ".txt":
            show(path.read_text("utf-8"), end="\n\n")
        show(path)
    for path in paths:
        show(path)
    if results.novelty:
        for entry in samples.manifest["pieces"]:
            show(copied_text(entry))
    for piece, entry in zip(samples.pieces, samples.manifest["pieces"], strict=True):
        if piece.criticism is not None:
            show(f"{', '.join(entry['files'])}: {piece.criticism}")
    _say_what_was_read(samples)
    if short := sum(piece.stopped_by == "grammar" for piece in samples.pieces):
        say(
            f"{short} of {counted(len(samples.pieces), 'piece')} ended before the least length, "
            f"because the codec's grammar allowed nothing else"
        )


def _say_what_was_read(samples: Samples) -> None:
    """Say how many words were drawn again and how many are misread, if they were proofread."""
    from seqgen.cli.console import say

    found = [piece.words for piece in samples.pieces if piece.words is not None]
    if not found:
        return
    written, again, misread = (
        sum(getattr(words, name) for words in found) for name in ("written", "again", "misread")
    )
    words = f"of {counted(written, 'word')}"
    text = f"{again:,} {words} had letters that were drawn again"
    if misread:
        text += f"; {misread:,} could not be read even so; train longer, or raise --tries"
    say(text)


def copied_text(entry: Mapping[str, Any]) -> str:
    """Return the longest copied passage of a piece, from its entry in the manifest."""
    copied = entry["novelty"]
    name = ", ".join(entry["files"])
    if not copied["longest"]:
        return f"{name}: copied nothing"
    return (
        f"{name}: copied at most {counted(copied['longest'], 'token')}, from {copied['place']}; "
        f"they are in {copied['source']}, from {copied['source_place']}"
    )


def write_samples_page(run: Run, samples: Samples, path: Path, note: str = "") -> Path:
    """Write the page of some samples; with metrics, if they were compared with the corpus."""
    from seqgen.cli.compare import compare_samples
    from seqgen.report.page import write_page

    known = any("novelty" in entry for entry in samples.manifest["pieces"])
    pieces = [new.piece for new in samples.pieces]
    compared = compare_samples(run, samples.folder, pieces, ON_A_PAGE) if known else []
    return write_page(run, samples, path, compared, note)


@contextmanager
def shown_progress(count: int, typist: _Typist | None = None) -> Iterator[Progress]:
    """Show a bar, or with a typist the text itself; yield what `generate` calls."""
    from seqgen.cli.console import meter

    with (
        _notice_of_compiling() as begun,
        nullcontext(None) if typist else meter("generate") as show_bar,
    ):

        def progress(ended: int, drawn: int, ids: Sequence[int]) -> None:
            begun()
            if typist is not None:
                typist(ended, drawn, ids)
            if show_bar is not None:
                show_bar(ended / count, f"{ended} of {counted(count, 'piece')}, {drawn:,} tokens")

        yield progress


@contextmanager
def _notice_of_compiling() -> Iterator[Callable[[], None]]:
    """Print a remark if compiling takes over two seconds; yield what to call at the first token."""
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
        Returns the text that an id adds.
    hidden : int
        Number of characters at the beginning that are not shown.
    """

    def __init__(self, typed: Callable[[int], str], hidden: int) -> None:
        self._typed, self._seen, self._shows = typed, 0, True
        self._hidden = hidden

    @classmethod
    def of(cls, run: Run, hidden: Piece | Excerpt | None) -> _Typist | None:
        """Return one for a run whose pieces are text, or None; a hidden prompt is not shown."""
        from seqgen.generation.pieces import prompt_of

        typed, other = run.codec.text_stream(), run.codec.text_stream()
        if typed is None or other is None:
            return None
        shown = None if hidden is None else prompt_of(run.codec, hidden)
        prompt = [] if shown is None else run.codec.encode(shown).tolist()
        return cls(typed, sum(len(other(token)) for token in prompt))

    def __call__(self, ended: int, drawn: int, ids: Sequence[int]) -> None:
        """Show the new text."""
        if not self._shows:
            return
        text = "".join(map(self._typed, ids[self._seen :]))
        self._seen = len(ids)
        text, self._hidden = text[self._hidden :], max(self._hidden - len(text), 0)
        try:
            show(text, end="", flush=True)
        except BrokenPipeError:
            # The reader has left, as `head` does; the piece is still written to its file.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError:
            # The output is full, for example. Printing the name of the file reports it later.
            self._shows = False
