"""The pieces of files: find files, read them in parallel, and say why what was refused.

Small corpora stay in memory between two passes; of a large one a few files at a time are read, and
a large file piece by piece. A file whose parser fails, crashes or hangs costs only itself.
Next: `seqgen.preparation` fits a codec on the pieces and encodes them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import TimeoutError as TakesTooLong
from pathlib import Path
from typing import Any, TypeAlias

import joblib
import numpy as np
from numpy.typing import NDArray

from seqgen.discovery import Found
from seqgen.errors import CorpusError, DataError
from seqgen.files import cache_folder, file_digest, is_output
from seqgen.plugin import Codec, Domain, Piece

#: Bytes of files whose content is in memory at once. Up to this many together stay there
#: between fitting and encoding; of more, as many at a time are shared out among processes.
KEPT_BYTES = 64 * 2**20

#: A sample of a larger corpus is of so many files, and of so many pieces of each.
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


def digests(paths: list[Path]) -> tuple[dict[Path, str], list[Skipped]]:
    """Return the content hash of every file that can be read, and the others."""
    found, unreadable = {}, []
    for path in paths:
        try:
            found[path] = file_digest(path)
        except OSError as error:
            unreadable.append(Skipped(shown(path), reason_of(error)))
    return found, unreadable


def shown(path: Path) -> str:
    """Return a path as text that any file can hold, whatever bytes are in its name."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def find_files(domain: Domain, found: Found, paths: list[Path]) -> list[Path]:
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


class Reader:
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
        for _, contents in self._opened([files[round(at)] for at in spread], None):
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

    def originals(self, codec: Codec) -> Iterator[Piece]:
        """Yield the pieces that a codec encodes, as they were read; none is kept."""
        for source, piece in self._accepted(self._read("reading", None)):
            if not isinstance(_encode(self._domain, codec, source, piece), Skipped):
                yield piece

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
        for size, contents in self._opened(self._sizes, codec):
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

    def _opened(
        self, chosen: Iterable[Path], codec: Codec | None
    ) -> Iterator[tuple[int, Iterable[_Content]]]:
        """Yield the size and the contents of some files, in order."""
        for files in self._groups(chosen):
            # Workers outlive a call and stay in the folder that they were started in.
            tasks = [(self._domain, file.absolute(), shown(file), codec) for file in files]
            results: Iterable[Iterable[_Content]]
            if self._jobs == 1 or len(files) == 1:
                results = (_read_file(*task) for task in tasks)
            else:
                results = _survivors(tasks, self._jobs)
            yield from zip((self._sizes[file] for file in files), results, strict=True)

    def _groups(self, files: Iterable[Path]) -> Iterator[list[Path]]:
        """Gather consecutive files of at most `KEPT_BYTES` together; a larger one is alone.

        Processes send all that they have read, however slowly it is taken, so what they are
        given at once is bounded.
        """
        group: list[Path] = []
        held = 0
        for file in files:
            size = self._sizes[file]
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
    # With one process, as on a machine of one core, joblib would read in this one.
    processes = max(joblib.effective_n_jobs(jobs), 2)
    parallel = joblib.Parallel(n_jobs=processes, return_as="generator", timeout=PATIENCE)
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
        yield Skipped(name, place + reason_of(error))
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
        return Skipped(source, reason_of(error))
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


def reason_of(error: Exception) -> str:
    """Return what an exception says, with its kind if it is not one of ours."""
    return str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
