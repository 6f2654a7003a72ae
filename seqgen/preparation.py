"""From files to a corpus: find, read, fit, encode, store; what cannot be used is listed.

A corpus may be larger than memory: files are read twice, once to fit the codec and once to
encode, a few at a time, and a large one piece by piece. If nobody names a codec, the domain
suggests one after a look at some pieces.

`prepare` goes the whole way; `write_corpus` starts from pieces that a program has already.
Next: `seqgen.corpus`, where they are stored.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from itertools import islice
from multiprocessing import TimeoutError as TakesTooLong
from pathlib import Path
from typing import Any, TypeAlias

import joblib
import numpy as np
from numpy.typing import NDArray

from seqgen.config import from_mapping
from seqgen.corpus import FORMAT, SPLITS, Corpus, CorpusWriter, Split, assign_splits, draw, whole
from seqgen.discovery import Found, codec_type, load_codec, load_domain
from seqgen.errors import ConfigError, CorpusError, DataError, PluginError
from seqgen.files import (
    CORPUS,
    cache_folder,
    file_digest,
    is_output,
    new_folder,
    refuse_existing,
)
from seqgen.plugin import Codec, Domain, Piece
from seqgen.vocab import Vocab

#: Bytes of files whose content is in memory at once. Up to this many together stay there
#: between fitting and encoding; of more, as many at a time are shared out among processes.
KEPT_BYTES = 64 * 2**20

#: A codec is chosen by so many files of a larger corpus, and by so many pieces of each.
SAMPLED_FILES, SAMPLED_PIECES = 50, 4
#: Seconds that a file may take another process before it counts as hanging.
PATIENCE = 600.0

#: Called with the stage ("reading", "encoding"), how many bytes are done and how many there are.
Progress: TypeAlias = Callable[[str, int, int], None]

#: Steps in which progress is told.
STEPS = 1000


@dataclass(frozen=True)
class Skipped:
    """A source that was left out, and why."""

    source: str
    reason: str


def prepare(
    domain: str,
    paths: Iterable[Path | str] = (),
    out: Path | str | None = None,
    *,
    codec: str | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    jobs: int = -1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Corpus:
    """Read files, encode their pieces and store them; once for the same content.

    Files are read in parallel by joblib, so ``joblib.parallel_config`` chooses where: other
    processes of this machine by default, or a Dask or Ray cluster. A file of more than
    `KEPT_BYTES` is read in this process, piece by piece as its domain yields them.

    A file whose parser crashes its process, or takes longer than `PATIENCE`, is skipped as any
    other bad one. Nothing protects from that where this process reads itself: a large file, up to
    four files, and any with ``jobs=1``.

    Parameters
    ----------
    domain : str
        Name of an installed domain.
    paths : iterable of Path or str
        Files, and folders to search; none at all means the domain's demo data.
    out : Path or str, optional
        The corpus folder; by default one in the cache, named by content.
    codec : str, optional
        Name of one of the domain's codecs; by default the one that it suggests for these pieces.
    options : mapping, optional
        Values for fields of the codec's options.
    seed : int
        Which pieces are held out.
    jobs : int
        Processes; -1 takes all cores.
    overwrite : bool
        Replace another corpus in `out`.
    progress : callable, optional
        Told how far it is.

    Returns
    -------
    Corpus
        Its ``info["skipped"]`` lists the files that could not be used.

    Raises
    ------
    PluginError, ConfigError
        For an unusable domain, codec or option.
    CorpusError
        If no piece is left.
    RunError
        If `out` is taken.
    """
    if seed < 0 or jobs == 0:
        raise ConfigError(f"seed must be at least 0 and jobs not 0, found {seed} and {jobs}")
    implementation, found = load_domain(domain)
    choice = _choice(implementation, domain, codec, options)
    files, unreadable = _digests(_find_files(implementation, found, [Path(p) for p in paths]))
    info = _description(found) | {
        "codec": choice.description if choice else {"name": None, "options": dict(options or {})},
        "seed": seed,
        "files": [{"name": _shown(file), "sha256": digest} for file, digest in files.items()],
    }
    key = hashlib.sha256(json.dumps(info, sort_keys=True, default=str).encode()).hexdigest()
    folder = Path(out) if out else cache_folder() / "corpora" / f"{domain}-{key[:16]}"
    if (ready := _finished(folder, key)) is not None:
        return ready
    replace = overwrite or out is None
    refuse_existing(folder, marker=CORPUS, overwrite=replace)
    reader = _Reader(implementation, list(files), unreadable, jobs, progress or _silent)
    choice = choice or _suggestion(implementation, found, options, reader.sample())
    fitted = _fit(choice, reader, found)
    with (
        new_folder(folder, marker=CORPUS, overwrite=replace) as temporary,
        CorpusWriter(temporary, fitted) as writer,
    ):
        draws, ranks = array("d"), array("Q")
        for source, (ids, facts) in reader.encoded(fitted):
            digest = writer.add(source, ids, facts)
            if digest is not None:
                draws.append(draw(digest, seed))
                ranks.append(int.from_bytes(digest[:8], "little"))
        if not draws:
            raise _nothing_usable(reader)
        info |= {"codec": choice.description, "reason": choice.reason, "key": key}
        info["skipped"] = [asdict(entry) for entry in reader.skipped]
        leaders = writer.twins.leaders(ranks)
        writer.finish(info, assign_splits(draws, writer.lengths, leaders), leaders)
    return Corpus(folder)


def write_corpus(
    folder: Path | str,
    domain: str,
    pieces: Mapping[Split, Iterable[Piece]],
    *,
    codec: str | None = None,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Corpus:
    """Encode pieces that are already split and store them.

    The codec is fitted on the training pieces. A piece that it refuses is an error here, and
    nothing is removed or moved: published splits stay as they are. Twins across them are counted.

    Parameters
    ----------
    folder : Path or str
        The corpus folder to make.
    domain : str
        Name of an installed domain.
    pieces : mapping
        The pieces of "train", and of "valid" and "test" if there are any.
    codec, options, overwrite
        As for `prepare`.

    Raises
    ------
    PluginError, ConfigError
        For an unusable domain, codec or option, or an unknown split.
    DataError
        If a piece cannot be encoded, or there is none to train on.
    RunError
        If `folder` is taken.
    """
    if unknown := [split for split in pieces if split not in SPLITS]:
        raise ConfigError(f"unknown split {unknown[0]!r}; the splits are {', '.join(SPLITS)}")
    implementation, found = load_domain(domain)
    listed = {split: list(pieces.get(split, ())) for split in SPLITS}
    if not listed["train"]:
        raise CorpusError("there is no piece to train on")
    choice = _choice(implementation, domain, codec, options)
    choice = choice or _suggestion(implementation, found, options, listed["train"])
    fitted = choice.codec_class.fit(listed["train"], choice.options)
    with (
        new_folder(Path(folder), marker=CORPUS, overwrite=overwrite) as temporary,
        CorpusWriter(temporary, fitted, keep_duplicates=True) as writer,
    ):
        splits = []
        for number, split in enumerate(SPLITS):
            for index, piece in enumerate(listed[split]):
                facts = dict(implementation.describe(piece))
                writer.add(f"{split} {index}", fitted.encode(piece), facts)
                splits.append(number)
        info = _description(found) | {"codec": choice.description, "reason": choice.reason}
        info |= {"seed": None, "files": [], "skipped": [], "key": ""}
        leaders = writer.twins.leaders(range(len(splits)))
        writer.finish(info, whole(writer.lengths, splits), leaders)
    return Corpus(folder)


def encode_files(
    domain: str,
    paths: Iterable[Path | str],
    codec: Codec,
    *,
    jobs: int = -1,
    progress: Progress | None = None,
) -> Iterator[tuple[str, NDArray[Any]] | Skipped]:
    """Yield the pieces of files as a codec encodes them, then what could not be used.

    Parameters
    ----------
    domain : str
        Name of an installed domain.
    paths : iterable of Path or str
        Files, and folders to search, as for `prepare`.
    codec : Codec
        A fitted one of this domain.
    jobs, progress
        As for `prepare`.

    Yields
    ------
    tuple of str and integer array, or Skipped
        The source and the ids of a piece.

    Raises
    ------
    CorpusError
        If there is no file, or no piece in any.
    """
    implementation, found = load_domain(domain)
    files, unreadable = _digests(_find_files(implementation, found, [Path(p) for p in paths]))
    reader = _Reader(implementation, list(files), unreadable, jobs, progress or _silent)
    usable = False
    for source, (ids, _) in reader.encoded(codec):
        usable = True
        yield source, ids
    if not usable:
        raise _nothing_usable(reader)
    yield from reader.skipped


@dataclass(frozen=True)
class _Choice:
    """A codec with its options, and why it was chosen if nobody named it."""

    name: str
    codec_class: type[Codec]
    options: Any
    reason: str = ""

    @property
    def description(self) -> dict[str, Any]:
        return {"name": self.name, "options": asdict(self.options)}


def _choice(
    domain: Domain, domain_name: str, codec: str | None, options: Mapping[str, Any] | None
) -> _Choice | None:
    """Return the codec that is named, or the only one; None if one has to be suggested.

    Raises
    ------
    PluginError, ConfigError
        If there is no such codec, or none that has these options.
    """
    refusals = []
    for candidate in domain.codecs if codec is None else [codec]:
        name, codec_class = codec_type(domain, domain_name, candidate)
        place = f"options of codec {name!r}"
        try:
            chosen = from_mapping(codec_class.options_type, options or {}, place)
        except ConfigError as error:
            refusals.append(error)
            continue
        if candidate == codec or len(domain.codecs) == 1:
            return _Choice(name, codec_class, chosen)
    if codec is not None or len(refusals) == len(domain.codecs):
        raise refusals[0]
    return None


def _suggestion(
    domain: Domain, found: Found, options: Mapping[str, Any] | None, pieces: Iterable[Piece]
) -> _Choice:
    """Return the codec that the domain suggests, and say whose fault it is if that fails."""
    try:
        name, reason = domain.suggest(pieces)
    except Exception as error:
        raise PluginError(
            f"{found.distribution} {found.version} cannot choose a codec for these files "
            f"({_reason(error)}); name one of {', '.join(domain.codecs)}, and tell its authors"
        ) from error
    choice = _choice(domain, found.name, name, options)
    assert choice is not None  # for a codec is named
    return replace(choice, reason=reason)


def _fit(choice: _Choice, reader: _Reader, found: Found) -> Codec:
    """Fit a codec, and say whose fault it is if that fails."""
    try:
        fitted = choice.codec_class.fit(reader.pieces(), choice.options)
        Vocab.of(fitted.vocab)
    except DataError as error:
        raise _nothing_usable(reader, str(error)) from error
    except Exception as error:
        raise PluginError(
            f"{choice.codec_class.__name__} of {found.distribution} {found.version} cannot be "
            f"fitted on these files ({_reason(error)}); tell its authors"
        ) from error
    return fitted


def _description(found: Found) -> dict[str, Any]:
    return {
        "seqgen": "corpus",
        "format": FORMAT,
        "domain": found.name,
        "distribution": found.distribution,
        "version": found.version,
    }


def _silent(stage: str, done: int, total: int) -> None:
    pass


def _finished(folder: Path, key: str) -> Corpus | None:
    """Return the corpus of this key if it is there, whole, and its codec is still the same."""
    try:
        corpus = Corpus(folder)
        load_codec(corpus.info)
    except (CorpusError, PluginError):
        return None
    return corpus if corpus.info["key"] == key else None


def _digests(paths: list[Path]) -> tuple[dict[Path, str], list[Skipped]]:
    """Return the content hash of every file that can be read, and the others."""
    digests, unreadable = {}, []
    for path in paths:
        try:
            digests[path] = file_digest(path)
        except OSError as error:
            unreadable.append(Skipped(_shown(path), _reason(error)))
    return digests, unreadable


def _shown(path: Path) -> str:
    """Return a path as text that any file can hold, whatever bytes are in its name."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _find_files(domain: Domain, found: Found, paths: list[Path]) -> list[Path]:
    """Return the files to read, each once, sorted; a file named outright needs no known suffix."""
    if not paths:
        return list(domain.demo(cache_folder() / "demo" / found.name))
    files: set[Path] = set()
    for path in paths:
        if is_output(path):
            raise CorpusError(
                f"{path} was written by seqgen itself; name the files that it was made from"
            )
        if path.is_dir():
            files.update(_search(path, found.suffixes))
        elif path.is_file():
            files.add(path)
        else:
            raise CorpusError(f"{path} does not exist")
    if not files:
        raise CorpusError(
            f"no file for the domain {found.name!r} in {', '.join(map(str, paths))}; "
            f"it reads {', '.join(found.suffixes)}"
        )
    return sorted(files)


def _search(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files in a folder, but not hidden ones, and not what seqgen itself has written."""
    for place, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and not is_output(Path(place, name))
        ]
        for name in names:
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                yield Path(place, name)


#: The source of a piece with the piece, or with its ids and facts, or what was refused.
_Content: TypeAlias = tuple[str, Any] | Skipped


class _Reader:
    """Reads the pieces of files in parallel, once for fitting and once for encoding.

    Small corpora stay in memory in between, so that slow formats are read only once and
    memory still does not grow with the corpus.
    """

    def __init__(
        self,
        domain: Domain,
        files: list[Path],
        unreadable: list[Skipped],
        jobs: int,
        progress: Progress,
    ) -> None:
        self._domain = domain
        self._sizes = {file: file.stat().st_size for file in files}
        self._total = max(sum(self._sizes.values()), 1)
        self._unreadable = unreadable
        self._refused: list[Skipped] = []
        # Starting processes costs about a second: not worth it for a file or two.
        self._jobs = jobs if len(files) > 4 else 1
        self._progress = progress
        self._kept: list[tuple[str, Piece]] | None = None

    @property
    def skipped(self) -> list[Skipped]:
        """What could not be used so far."""
        return self._unreadable + self._refused

    def sample(self) -> Iterator[Piece]:
        """Yield pieces to choose a codec by: all of a small corpus, which then stays, or some."""
        if self._total <= KEPT_BYTES:
            self._kept = list(self._accepted(self._read("reading", None)))
            yield from self.pieces()
            return
        files = list(self._sizes)
        spread = np.linspace(0, len(files) - 1, min(SAMPLED_FILES, len(files)))
        for file in [files[round(at)] for at in spread]:
            contents = _read_file(self._domain, file, _shown(file), None)
            for content in islice(contents, SAMPLED_PIECES):
                if not isinstance(content, Skipped):
                    yield content[1]

    def pieces(self) -> Iterator[Piece]:
        """Yield all pieces, to fit a codec."""
        if self._kept is not None:
            yield from (piece for _, piece in self._kept)
            return
        small, kept = self._total <= KEPT_BYTES, []
        for source, piece in self._accepted(self._read("reading", None)):
            if small:
                kept.append((source, piece))
            yield piece
        # A codec that has nothing to learn does not read to the end, and nothing is kept.
        self._kept = kept if small else None

    def encoded(self, codec: Codec) -> Iterator[tuple[str, tuple[NDArray[Any], dict[str, Any]]]]:
        """Yield the source, ids and facts of every piece; ids in the smallest dtype that fits."""
        if self._kept is None:
            return self._accepted(self._read("encoding", codec))
        return self._accepted(
            _encode(self._domain, codec, source, piece) for source, piece in self._kept
        )

    def _accepted(self, contents: Iterable[_Content]) -> Iterator[tuple[str, Any]]:
        """Yield what can be used, and take note of the rest."""
        for content in contents:
            if isinstance(content, Skipped):
                self._refused.append(content)
            else:
                yield content

    def _read(self, stage: str, codec: Codec | None) -> Iterator[_Content]:
        """Yield the contents of all files in order, and tell how far that is."""
        self._refused = []
        done, due = 0, 0.0
        for size, contents in self._opened(codec):
            end = done + size
            for content in contents:
                yield content
                # What a piece holds is at least a byte each: an estimate that is never too high.
                done = min(done + _length(content), end)
                if done >= due:
                    self._progress(stage, done, self._total)
                    due = done + self._total / STEPS
            done = end
        self._progress(stage, self._total, self._total)

    def _opened(self, codec: Codec | None) -> Iterator[tuple[int, Iterable[_Content]]]:
        """Yield the size and the contents of every file, in order."""
        for files in self._groups():
            # Workers outlive a call and stay in the folder that they were started in.
            tasks = [(self._domain, file.absolute(), _shown(file), codec) for file in files]
            results: Iterable[Iterable[_Content]]
            if self._jobs == 1 or len(files) == 1:
                results = (_read_file(*task) for task in tasks)
            else:
                results = _survivors(tasks, self._jobs)
            yield from zip((self._sizes[file] for file in files), results, strict=True)

    def _groups(self) -> Iterator[list[Path]]:
        """Gather consecutive files of at most `KEPT_BYTES` together; a larger one is alone.

        Processes send all that they have read, however slowly it is taken, so what they are
        given at once is bounded.
        """
        group: list[Path] = []
        held = 0
        for file, size in self._sizes.items():
            if group and held + size > KEPT_BYTES:
                yield group
                group, held = [], 0
            group.append(file)
            held += size
        if group:
            yield group


def _survivors(tasks: list[Any], jobs: int) -> Iterator[list[_Content]]:
    """Yield what other processes read, in order; one that dies costs the file that killed it.

    Which file that was is found by reading those whose result has not come yet one at a time.
    """
    done = 0
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator", timeout=PATIENCE)
    try:
        for contents in parallel(joblib.delayed(_read_whole_file)(*task) for task in tasks):
            yield contents
            done += 1
    except (BrokenProcessPool, TakesTooLong):
        yield from map(_read_alone, tasks[done:])


def _read_alone(task: Any) -> list[_Content]:
    """Return what one file holds, read in a process that may die."""
    try:
        # With one job joblib would read it in this process.
        [contents] = joblib.Parallel(n_jobs=2, timeout=PATIENCE)(
            [joblib.delayed(_read_whole_file)(*task)]
        )
    except BrokenProcessPool:
        return [Skipped(task[2], "its parser crashed")]
    except TakesTooLong:
        return [Skipped(task[2], f"its parser had not ended after {PATIENCE:g} seconds")]
    return list(contents)


def _read_whole_file(*task: Any) -> list[_Content]:
    """Return all that `_read_file` yields, for another process."""
    return list(_read_file(*task))


def _read_file(domain: Domain, file: Path, name: str, codec: Codec | None) -> Iterator[_Content]:
    """Yield the pieces of a file, or their ids if there is a codec, and what is refused."""
    number = 0
    try:
        for number, piece in enumerate(domain.read(file), 1):
            source = name if number == 1 else f"{name}, piece {number}"
            if isinstance(piece, DataError):
                yield Skipped(source, str(piece))
            else:
                yield (source, piece) if codec is None else _encode(domain, codec, source, piece)
    except Exception as error:
        # A parser may fail in any way on a damaged file; one file never ends the others.
        place = f"after piece {number}: " if number else ""
        yield Skipped(name, place + _reason(error))
        return
    if not number:
        yield Skipped(name, "holds no piece")


def _encode(domain: Domain, codec: Codec, source: str, piece: Piece) -> _Content:
    """Return the source of a piece with its ids and facts, or why there are none."""
    try:
        ids = codec.encode(piece)
        facts = dict(domain.describe(piece))
    except Exception as error:
        # As with reading: one odd piece never ends the others.
        return Skipped(source, _reason(error))
    if not len(ids):
        return Skipped(source, "holds an empty piece")
    small = ids.astype(np.min_scalar_type(len(codec.vocab) + 1))
    # An id that does not fit is left as it is, for the writer to say what is wrong.
    return source, (small if np.array_equal(small, ids) else ids, facts)


def _length(content: _Content) -> int:
    """Return how many characters, notes, ids ... there are, as far as one can tell."""
    held = content[1] if isinstance(content, tuple) else None
    # Of what is encoded, the ids.
    held = held[0] if isinstance(held, tuple) else held
    return len(held) if isinstance(held, Sized) else 0


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"


def _nothing_usable(reader: _Reader, cause: str = "") -> CorpusError:
    """Return the error that lists why no file could be used."""
    skipped = reader.skipped
    reasons = "".join(f"\n  {entry.source}: {entry.reason}" for entry in skipped[:20])
    more = f"\n  and {len(skipped) - 20} more" if len(skipped) > 20 else ""
    cause = f" ({cause})" if cause else ""
    colon = ":" if reasons else ""
    return CorpusError(f"none of the files could be used{cause}{colon}{reasons}{more}")
