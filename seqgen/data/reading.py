"""Reads the pieces of files in parallel, and notes why others cannot be used.

A small corpus stays in memory between two passes. A large corpus is read a few files at a time, a
large file piece by piece. If a parser fails, crashes or hangs, only its file is lost.

Comes from: `seqgen.data.finding`. Next: `seqgen.data.preparation` fits a codec on the pieces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np

from seqgen.cluster import joined
from seqgen.conditions.labels import Labelled, content_of
from seqgen.data.finding import Noted, Skipped, Sources, unread_text
from seqgen.data.labelling import FileLabels, Labelling
from seqgen.data.names import shown
from seqgen.data.one_file import (
    Content,
    Encoded,
    encode_piece,
    mended_piece,
    read_file,
)
from seqgen.data.unpacking import Readable, members, to_look_at, unpacked_size
from seqgen.data.workers import on_workers, survivors
from seqgen.errors import CorpusError, PluginError, reason_of
from seqgen.options import options_from
from seqgen.plugin import Codec, Domain, Piece
from seqgen.plugins.announcements import Announced
from seqgen.plugins.checks import checked_companions
from seqgen.plugins.deadline import TooLong, within
from seqgen.plugins.faults import LOG, fault_of
from seqgen.plugins.guard import guarded
from seqgen.unknown import OrError

#: Bytes of files that are held in memory at once. A corpus of at most this size stays in memory
#: between fitting and encoding. A larger one is distributed to processes in groups of this size.
KEPT_BYTES = 64 * 2**20

#: Size of the sample of a larger corpus: files, and pieces of each.
SAMPLED_FILES, SAMPLED_PIECES = 50, 4

#: Time limit in seconds for each `KEPT_BYTES` of a file; then its parser counts as hanging.
PATIENCE = 600.0

#: Called with the stage ("reading", "encoding"), the bytes done and all bytes.
Progress: TypeAlias = Callable[[str, int, int], None]

#: Number of progress reports for all files.
STEPS = 1000


@dataclass
class Outcome:
    """What was skipped and changed; filled in when all files are read.

    Attributes
    ----------
    skipped : list of Skipped
        Sources that could not be used, with reasons.
    unread : dict of str to int
        Number of files of other kinds, by suffix.
    notes : list of Noted
        What readers say about files that they read.
    changes : Counter of (str, str)
        Number of times an unknown symbol (first) became another (second), or "" if it was dropped.
    """

    skipped: list[Skipped] = field(default_factory=list)
    unread: dict[str, int] = field(default_factory=dict)
    notes: list[Noted] = field(default_factory=list)
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)


def read_options_of(domain: Domain, name: str, values: Mapping[str, Any] | None = None) -> Any:
    """Return the options of reading of a domain; those without a value have their defaults.

    Raises
    ------
    PluginError, ConfigError
        If the domain declares them wrongly, or does not know one.
    """
    return options_from(domain.read_options, values or {}, f"read options of {name}")


def chosen_reading(
    domain: Domain, found: Announced, sources: Sources, values: Mapping[str, Any] | None
) -> tuple[Any, str]:
    """Return the options of reading, with what the domain chooses for these files, and the reason.

    Raises
    ------
    PluginError, ConfigError
        As `read_options_of`, or if the plugin fails or returns something else.
    """
    options = read_options_of(domain, found.name, values)
    with TemporaryDirectory(prefix="seqgen-") as folder:
        chooses = getattr(type(domain), "choose_reading", None) is not Domain.choose_reading
        files = to_look_at(sources, Path(folder)) if chooses else sources.files
        try:
            with guarded():
                chosen, reason = domain.choose_reading(files, options)
            if not isinstance(chosen, type(options)) or not isinstance(reason, str):
                raise TypeError(f"it must return {type(options).__name__} and a reason")
        except Exception as error:
            raise fault_of(error) or PluginError(
                f"{found.distribution} {found.version} cannot choose how to read these files "
                f"({reason_of(error)}); tell its authors"
            ) from error
    # Names of files may have bytes that are no characters.
    return chosen, reason.encode("utf-8", "backslashreplace").decode()


class Reader:
    """Reads the pieces of files in parallel, once for fitting and once for encoding.

    A small corpus stays in memory in between, so slow formats are read only once. Memory does not
    grow with the corpus.

    Parameters
    ----------
    domain : Domain
    sources : Sources
    jobs : int
        Number of processes; -1 uses all cores.
    progress : callable
    patience : float, optional
        Time limit in seconds for each `KEPT_BYTES` of a file; by default `PATIENCE`.
    labelling : Labelling, optional
        Where labels, weights and splits come from.
    unknown : {"error", "skip", "nearest"}
        How to treat unknown symbols.

    Attributes
    ----------
    notes : list of Noted
        What readers said so far about files that they read.
    """

    def __init__(
        self,
        domain: Domain,
        sources: Sources,
        jobs: int,
        progress: Progress | None,
        options: Any,
        patience: float | None = None,
        labelling: Labelling | None = None,
        unknown: OrError = "error",
    ) -> None:
        self._domain = domain
        self._options = options
        self._unknown = unknown
        has = getattr(type(domain), "companions", None) is not Domain.companions
        self._companions = partial(checked_companions, domain) if has else None
        self._labelling = Labelling({}) if labelling is None else labelling
        self._sources = sources
        self._sizes = {file: file.stat().st_size for file in sources.files}
        self._unread_inside: Counter[str] = Counter()
        self._total = max(sum(self._sizes.values()), 1)
        self._patience = PATIENCE if patience is None else patience
        self._refused: list[Skipped] = []
        # Of these not one pass may have pieces that another one lacks.
        self._lost: set[str] = set()
        self.notes: list[Noted] = []
        # Starting processes takes about a second, which a few files do not repay.
        has_archive = any(map(self._is_container, sources.files))
        self._jobs = jobs if len(sources.files) > 4 or has_archive else 1
        self._progress = progress or _silent
        self._kept: list[tuple[str, Labelled]] | None = None

    @property
    def skipped(self) -> list[Skipped]:
        """Sources that could not be used so far, with reasons."""
        return self._sources.skipped + self._refused

    @property
    def unread(self) -> dict[str, int]:
        """Number of files of other kinds, by suffix."""
        return dict(sorted((self._sources.unread + self._unread_inside).items()))

    def nothing_usable(self, cause: str = "") -> CorpusError:
        """Return the error that lists why no file could be used."""
        skipped = self.skipped
        reasons = "".join(f"\n  {entry.source}: {entry.reason}" for entry in skipped[:20])
        more = f"\n  and {len(skipped) - 20} more" if len(skipped) > 20 else ""
        more += f"\n{unread_text(self.unread)}" if self.unread else ""
        cause = f" ({cause})" if cause else ""
        colon = ":" if reasons else ""
        return CorpusError(f"none of the files could be used{cause}{colon}{reasons}{more}")

    @cached_property
    def _is_small(self) -> bool:
        """Whether the files, unpacked, are at most `KEPT_BYTES`."""
        left = KEPT_BYTES
        for file, size in self._sizes.items():
            left -= unpacked_size(file, left) if self._sources.packed(file) else size
            if left < 0:
                return False
        return True

    def _is_container(self, file: Path) -> bool:
        form = self._sources.packed(file)
        return form is not None and bool(form.container)

    def sample(self) -> Iterator[Labelled]:
        """Yield pieces to choose a codec: all of a small corpus, which is kept, or a sample."""
        if self._is_small:
            self._kept = list(self._accepted(self._read("reading", None)))
            yield from self.pieces()
            return
        files = list(self._sizes)
        spread = np.linspace(0, len(files) - 1, min(SAMPLED_FILES, len(files)))
        opened = self._opened([files[round(at)] for at in spread], None)
        # An archive may have many more.
        for _, contents in islice(opened, SAMPLED_FILES):
            for content in islice(contents, SAMPLED_PIECES):
                if isinstance(content, tuple):
                    yield content[1]

    def pieces(self) -> Iterator[Labelled]:
        """Yield all pieces, to fit a codec."""
        if self._kept is not None:
            yield from (piece for _, piece in self._kept)
            return
        small, kept = self._is_small, []
        for source, piece in self._accepted(self._read("reading", None)):
            if small:
                kept.append((source, piece))
            yield piece
        # A codec that has nothing to learn does not read to the end; then nothing is kept.
        self._kept = kept if small else None

    def encoded(self, codec: Codec) -> Iterator[tuple[str, Encoded]]:
        """Yield the source of every piece with its encoded form."""
        # Where workers encode, they read a small corpus again, which is less than to send it.
        if self._kept is None or (joined() is not None and self._jobs != 1):
            return self._accepted(self._read("encoding", codec))
        return self._accepted(
            encode_piece(self._domain, codec, self._unknown, source, piece)
            for source, piece in self._kept
        )

    def originals(self, codec: Codec) -> Iterator[Piece]:
        """Yield the pieces that a codec can encode, as read or mended; keep none in memory."""
        for source, piece in self._accepted(self._read("reading", None)):
            encoded = encode_piece(self._domain, codec, self._unknown, source, piece)
            if not isinstance(encoded, Skipped):
                yield mended_piece(codec, piece.content, self._unknown).piece

    def _accepted(self, contents: Iterable[Content]) -> Iterator[tuple[str, Any]]:
        """Yield usable contents, and record the skipped ones and the notes."""
        for content in contents:
            if isinstance(content, Noted):
                self.notes.append(content)
            elif isinstance(content, Skipped):
                self._refused.append(content)
                if content.fault:
                    LOG.debug("%s", content.fault)
            else:
                yield content

    def _read(self, stage: str, codec: Codec | None) -> Iterator[Content]:
        """Yield the contents of all files in order, and report progress."""
        self._refused, self.notes = [], []
        self._unread_inside.clear()
        done, due = 0, 0.0
        for size, contents in self._opened(self._sizes, codec):
            end = done + size
            for content in contents:
                yield content
                # Each item of a piece takes at least one byte, so this is never too high.
                done = min(done + _length(content), end)
                if done >= due:
                    self._progress(stage, done, self._total)
                    due = done + self._total / STEPS
            done = end
        self._progress(stage, self._total, self._total)

    def _opened(
        self, chosen: Iterable[Path], codec: Codec | None
    ) -> Iterator[tuple[int, Iterable[Content]]]:
        """Yield the size and the contents of some files and members of archives, in order."""
        with TemporaryDirectory(prefix="seqgen-") as folder:
            for group in self._groups(self._readable(chosen, Path(folder))):
                if isinstance(group, Skipped):
                    yield 0, [group]
                    continue
                tasks = [(*self._task(each), codec, self._unknown, self._options) for each in group]
                results: Iterable[Iterable[Content]]
                if self._jobs == 1 or len(group) == 1:
                    pairs = zip(group, tasks, strict=True)
                    results = (self._read_here(each.size, task) for each, task in pairs)
                elif (cluster := joined()) is not None:
                    sizes = {shown(each.place): each.size for each in group}
                    results = on_workers(cluster, tasks, sizes, self._patience, self._lost)
                else:
                    results = survivors(tasks, self._jobs, self._patience)
                yield from zip((each.share for each in group), results, strict=True)
                for each in group:
                    if each.is_temporary:
                        each.file.unlink()

    def _task(self, each: Readable) -> tuple[Domain, Path, str, FileLabels]:
        """Return what `read_file` needs to know of a file."""
        return self._domain, each.file, shown(each.place), self._labelling.file(each.place)

    def _readable(self, files: Iterable[Path], folder: Path) -> Iterator[Readable | Skipped]:
        """Yield the files, and in place of an archive its members, unpacked one by one."""
        for file in files:
            if self._sources.packed(file):
                yield from members(
                    *(file, folder, self._sources.suffixes, self._unread_inside),
                    chosen=self._sources.inside.get(file),
                    companions=self._companions,
                )
            else:
                # Absolute paths: workers outlive a call and keep the folder they started in.
                yield Readable(file.absolute(), file, self._sizes[file], self._sizes[file])

    def _read_here(self, size: int, task: Any) -> Iterator[Content]:
        """Yield the contents of one file, read piece by piece in this process."""
        number, seconds = 0, self._patience * max(size / max(KEPT_BYTES, 1), 1.0)
        try:
            for content in within(seconds, read_file(*task)):
                number += not isinstance(content, Noted)
                yield content
        except TooLong:
            place = f"after piece {number}: " if number else ""
            yield Skipped(task[2], f"{place}its parser took longer than {seconds:g} seconds")

    def _groups(self, files: Iterable[Readable | Skipped]) -> Iterator[list[Readable] | Skipped]:
        """Yield groups of consecutive files of at most `KEPT_BYTES`; a larger file is alone.

        Processes send everything they have read, even if the receiver is slow, so groups bound the
        memory.
        """
        group: list[Readable] = []
        held = 0
        for file in files:
            size = 0 if isinstance(file, Skipped) else file.size
            if group and (isinstance(file, Skipped) or held + size > KEPT_BYTES):
                yield group
                group, held = [], 0
            if isinstance(file, Skipped):
                yield file
            else:
                group.append(file)
                held += size
        if group:
            yield group


def _length(content: Content) -> int:
    """Return the number of characters, notes or ids, or 0 if it is unknown."""
    held = content[1] if isinstance(content, tuple) else None
    held = held.ids if isinstance(held, Encoded) else content_of(held)
    return len(held) if isinstance(held, Sized) else 0


def _silent(stage: str, done: int, total: int) -> None:
    pass
