"""Generated pieces as files, with a manifest: the settings, and how each piece came about."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from inspect import signature
from itertools import count
from pathlib import Path
from typing import Any, Generic

from seqgen.bounds import Beam, Count, Tries, checked
from seqgen.config import SampleConfig, as_config, as_limit
from seqgen.data.corpus import Corpus
from seqgen.errors import ConfigError, PluginError
from seqgen.evaluation.criticism import learn_critic
from seqgen.evaluation.novelty import measure_novelty
from seqgen.evaluation.proofreading import proofreader_for
from seqgen.files import SAMPLES, finite, naming, new_folder, write_json
from seqgen.generation.beam import search
from seqgen.generation.choosing import best, unlikelihood
from seqgen.generation.engine import generate
from seqgen.generation.pieces import Generated
from seqgen.plugin import Piece
from seqgen.plugins.faults import naming_faults
from seqgen.report.reading_back import highest_number
from seqgen.run.description import versions
from seqgen.run.folder import Run
from seqgen.run.piece_files import check_format, writing_options
from seqgen.storage.locks import hold_first
from seqgen.storage.signals import undivided
from seqgen.wording import brief, counted

#: Arguments of `generate` that a beam does without.
_NOT_OF_A_BEAM = {
    *("sample", "candidates", "seed", "critic", "proofreader", "batch_size", "progress"),
}

#: Arguments of `generate` and `search` that are not JSON, or recorded under another name.
_NOT_RECORDED = {
    *("run", "count", "width", "prompt", "condition", "stop", "critic", "proofreader", "progress"),
}


@dataclass(frozen=True, repr=False)
class Samples(Generic[Piece]):
    """A folder of generated pieces, and an iterable of them.

    Attributes
    ----------
    folder : Path
    pieces : list of Generated
    manifest : dict
        The content of its ``manifest.json``.
    """

    folder: Path
    pieces: list[Generated[Piece]]
    manifest: dict[str, Any]

    def __iter__(self) -> Iterator[Generated[Piece]]:
        return iter(self.pieces)

    def __len__(self) -> int:
        return len(self.pieces)

    def __repr__(self) -> str:
        return f"Samples({str(self.folder)!r}: {counted(len(self.pieces), 'piece')})"

    @property
    def paths(self) -> list[Path]:
        """The files of all pieces."""
        return [self.folder / name for entry in self.manifest["pieces"] for name in entry["files"]]


@naming_faults
@checked
def generate_samples(
    run: Run[Piece],
    count: Count = 1,
    folder: Path | str | None = None,
    suffix: str | None = None,
    *,
    beam: Beam = 0,
    best_of: Tries = 1,
    tries: Tries = 1,
    rank: bool = False,
    compare: Corpus | None = None,
    settings: Mapping[str, Any] | None = None,
    write_options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Samples[Piece]:
    """Generate pieces and write them, with the settings that they were made with.

    Parameters
    ----------
    run, folder, suffix, rank, compare, write_options, overwrite
        As for `write_samples`.
    count : int
        Number of pieces.
    beam : int
        Search for the most likely pieces with this many candidates. 0 samples.
    best_of : int
        As for `generate`; the critic is learned from the corpus if there is none.
    tries : int
        As for `generate`; the proofreader is learned from the corpus if the run has none.
    settings : mapping, optional
        More settings for the manifest, as JSON.
    **options
        Arguments of `seqgen.generate`, such as `prompt`, `sample`, `limit`, `seed` and `progress`.
        A beam ignores `seed`, `batch_size` and `progress`.

    Raises
    ------
    ConfigError
        If a number is outside its bounds, the domain does not write such files, or `sample`,
        `candidates`, `best_of` or `tries` are given for a beam.
    DataError
        If the prompt cannot be encoded, or the codec's tracker allows no token.
    RunError
        If the folder is taken, or cannot be written.
    """
    options["limit"] = as_limit("limit", options.get("limit"))
    options["sample"] = as_config(SampleConfig, "sample", options.get("sample"))
    if beam:
        sampled = options.get("sample") not in (None, SampleConfig())
        if sampled or options.get("candidates") or best_of > 1 or tries > 1:
            raise ConfigError("a beam search does not sample; leave out the sampling options")
        options = {name: options[name] for name in options if name not in _NOT_OF_A_BEAM}
        new, call = search(run, beam, count, **options), signature(search)
        used = call.bind(run, beam, count, **options)
    else:
        options["best_of"] = best_of
        if best_of > 1 and options.get("critic") is None:
            options["critic"] = learn_critic(run, compare)
        options["tries"] = tries
        if tries > 1 and options.get("proofreader") is None and run.codec.dictation is not None:
            options["proofreader"] = proofreader_for(run, compare)
        new, call = generate(run, count, **options), signature(generate)
        used = call.bind(run, count, **options)
    used.apply_defaults()
    made_with = {"count": count, "beam": beam, "rank": rank}
    # The command has mended what it passes on, and knows what was asked for.
    made_with |= _recorded(run, used.arguments) | dict(settings or {})
    return write_samples(
        run,
        new,
        folder,
        suffix,
        rank=rank,
        compare=compare,
        settings=made_with,
        write_options=write_options,
        overwrite=overwrite,
    )


def settings_of(run: Run, **options: Any) -> dict[str, Any]:
    """Return what a manifest records of one piece of `seqgen.generate` with these options."""
    used = signature(generate).bind(run, 1, **options)
    used.apply_defaults()
    return {"count": 1, "beam": 0, "rank": False, **_recorded(run, used.arguments)}


def _recorded(run: Run, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `generate` or `search` for a manifest, with defaults filled in."""
    recorded: dict[str, Any] = {}
    for name, value in arguments.items():
        if name == "sample":
            recorded |= asdict(value.completed(**run.sampling))
        elif name == "limit":
            recorded |= asdict(value)
        elif name == "candidates" and value is None:
            recorded[name] = run.codec.candidates(arguments["condition"])
        elif name not in _NOT_RECORDED:
            recorded[name] = value
    return recorded


@naming_faults
@checked
def write_samples(
    run: Run[Piece],
    new: Generated[Piece] | Iterable[Generated[Piece]],
    folder: Path | str | None = None,
    suffix: str | None = None,
    *,
    rank: bool = False,
    compare: Corpus | None = None,
    settings: Mapping[str, Any] | None = None,
    write_options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Samples[Piece]:
    """Write pieces into a new folder, with a manifest.

    After Ctrl-C or an error the pieces that came before it are written, and it is raised again.

    Parameters
    ----------
    run : Run
    new : Generated, or iterable of Generated
        Each piece is written as soon as it comes.
    folder : Path or str, optional
        By default RUN/samples/N for the next free N.
    suffix : str, optional
        One of the domain's formats; by default its first.
    rank : bool
        Number the pieces by likelihood per token, the most likely first; they are written after
        the last one has come.
    compare : Corpus, optional
        Record how much of each piece is copied from the training pieces of this corpus.
    settings : mapping, optional
        How the pieces were made, as JSON, for the manifest.
    write_options : mapping, optional
        Values of the domain's options of writing, such as the paper of handwriting.
    overwrite : bool
        Replace an existing folder of samples.

    Raises
    ------
    ConfigError
        If the domain does not write such files.
    RunError
        If the folder is taken, or cannot be written.
    """
    new = [new] if isinstance(new, Generated) else new
    if not isinstance(new, Iterable) or isinstance(new, str):
        raise ConfigError(f"new must be pieces from seqgen.generate, found {brief(new)}")
    suffix = chosen_suffix(run, suffix)
    writing = chosen_write_options(run, write_options)
    pieces: list[Generated[Piece]] = []
    entries: list[dict[str, Any]] = []
    interrupted, failures = False, list[Exception]()
    began = time.monotonic()
    with ExitStack() as finishing, _place(run, folder, overwrite) as (place, temporary):
        try:
            new = _before_failure(best(new, unlikelihood) if rank else new, failures)
            for number, piece in enumerate(new, 1):
                name = f"{run.info['domain']}-{number}{suffix}"
                with undivided(), naming(place):
                    files = run.domain.write(piece.piece, temporary / name, writing)
                    _check_written(run, files, temporary, entries)
                    pieces.append(piece)
                    entries.append(_entry(piece, files, compare))
        except KeyboardInterrupt:
            if not pieces:
                raise
            interrupted = True
        # A second Ctrl-C must not lose the pieces before the folder has its name.
        finishing.enter_context(undivided())
        manifest: dict[str, Any] = {
            "seqgen": "samples",
            "run": run.title,
            "vocab_digest": run.info["vocab_digest"],
            "versions": versions() | {run.info["distribution"]: run.info["version"]},
            "trained_with": run.info["versions"],
            "settings": finite(dict(settings or {}), in_words=True),
            "write_options": finite(asdict(writing), in_words=True),
            "seconds": time.monotonic() - began,
            "interrupted": interrupted or bool(failures),
            "pieces": finite(entries),
        }
        with naming(place):
            write_json(temporary / SAMPLES, manifest)
    if interrupted:
        raise KeyboardInterrupt
    for error in failures:
        error.add_note(f"{counted(len(pieces), 'piece')} that came before it: {place}")
        raise error
    return Samples(place, pieces, manifest)


def _before_failure(
    new: Iterable[Generated[Piece]], failures: list[Exception]
) -> Iterator[Generated[Piece]]:
    """Yield pieces; an error after the first of them ends it, and goes to `failures`."""
    some = False
    try:
        for piece in new:
            if not isinstance(piece, Generated):
                raise ConfigError(f"new must be pieces from seqgen.generate, found {brief(piece)}")
            yield piece
            some = True
    except Exception as error:
        if not some:
            raise
        failures.append(error)


def _check_written(
    run: Run, files: list[Path], folder: Path, entries: list[dict[str, Any]]
) -> None:
    """Check the files that a domain says it wrote for one piece.

    Raises
    ------
    PluginError
        If there is none, or one is not in the folder, is named twice or belongs to another piece.
    """
    taken = {name for entry in entries for name in entry["files"]}
    names = [file.name for file in files]
    fine = all(file.parent == folder and file.is_file() for file in files)
    if not names or not fine or len({*names}) < len(names) or taken & {*names}:
        raise PluginError(
            f"write of {run.info['distribution']} must return the new files of a piece, each in "
            f"the folder of the given path, found {', '.join(map(str, files)) or 'none'}; tell its "
            f"authors"
        )


@contextmanager
def _place(run: Run, folder: Path | str | None, overwrite: bool) -> Iterator[tuple[Path, Path]]:
    """Make a folder of samples; yield its path, and the temporary folder to fill."""
    with ExitStack() as held:
        if folder is None:
            numbers = count(highest_number(run) + 1)
            next_ones = (run.output / "samples" / str(number) for number in numbers)
            folder = held.enter_context(hold_first(next_ones))
        made = new_folder(Path(folder), marker=SAMPLES, overwrite=overwrite)
        yield Path(folder), held.enter_context(made)


def chosen_suffix(run: Run, wanted: str | None) -> str:
    """Return the suffix of the files, with its dot; by default the domain's first.

    Raises
    ------
    ConfigError
        If the domain does not write such files.
    """
    suffix = wanted or run.domain.formats[0]
    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    check_format(run.domain, run.info["domain"], suffix)
    return suffix


def chosen_write_options(run: Run, wanted: Mapping[str, Any] | None) -> Any:
    """Return the options of writing; the others have their defaults.

    Raises
    ------
    ConfigError
        If the domain does not know an option, or its value is invalid.
    """
    return writing_options(run.domain, wanted, f"write options of {run.info['domain']}")


def _entry(piece: Generated, files: list[Path], compare: Corpus | None) -> dict[str, Any]:
    """Return the manifest entry of a piece."""
    about: dict[str, Any] = {
        "files": [file.name for file in files],
        "index": piece.index,
        "tokens": len(piece.ids),
        "prompt_tokens": piece.prompt,
        "stopped_by": piece.stopped_by,
        "log_probability": piece.log_probability,
        "log_probability_per_token": piece.log_probability_per_token,
        "seconds": piece.seconds,
    }
    if piece.criticism is not None:
        about["criticism"] = asdict(piece.criticism)
    if piece.words is not None:
        about["words"] = asdict(piece.words)
    if compare is not None:
        about["novelty"] = asdict(measure_novelty(compare, piece.ids, piece.prompt))
    return about
