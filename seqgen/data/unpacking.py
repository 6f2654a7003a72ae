"""Unpacks archives and compressed files, one member at a time, for domains that read files.

Members become temporary files with names of our own: a name in an archive is only shown and
compared with patterns. All that an archive says of itself may be a lie, so what is read and
written is bounded.

Comes from: `seqgen.data.finding`. Next: `seqgen.data.reading` reads the members as it reads files.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from math import inf
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol, TypeAlias, cast

from seqgen.data.finding import HIDDEN, Skipped, Sources, packed, shown
from seqgen.errors import DataError, reason_of

#: Largest ratio of what is unpacked to the size of an archive. Below `ALLOWANCE` none is checked.
MOST_RATIO, ALLOWANCE = 200, 2**26

#: Most bytes of a header in a tar archive, and most memory for the dictionary of xz and zstd.
MOST_HEADER, MOST_MEMORY = 2**20, 2**28

#: Bytes copied at a time, and most characters of a name.
CHUNK, LONGEST_NAME = 2**20, 500

#: Most packed files that are looked into, most members of each, and bytes of a member.
LOOKED_INTO, LOOKED_AT, LOOK = 20, 20, 2**21

#: Bytes of an archive that is read for the names of its members, and most names.
LOOKED_THROUGH, NAMES = 2**26, 10_000

#: Kind by which members are counted that are neither files nor folders.
LINK = "link in an archive"


@dataclass(frozen=True)
class Readable:
    """A file to read: one of the user's, or a member of an archive.

    Attributes
    ----------
    file : Path
        The file with its content.
    place : Path
        Where it is said to be: ``a.zip/folder/b.txt`` for a member.
    size : int
        Its bytes.
    share : int
        Bytes of the user's file that it takes, for the progress.
    """

    file: Path
    place: Path
    size: int
    share: int

    @property
    def is_temporary(self) -> bool:
        """Whether the file is removed after it was read."""
        return self.file != self.place.absolute()


class _Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, and none at the end."""


#: Name of a member, its content, a reason why it has none, or None for a link; and its share.
_Member: TypeAlias = tuple[str, _Stream | DataError | None, int]


class _Bounded:
    """A stream that fails when more is read than allowed, in all or until the next `allow`.

    Attributes
    ----------
    left : int
        Bytes that may still be read.
    """

    def __init__(self, stream: _Stream, most: int) -> None:
        self._stream = stream
        self.left, self._now = most, most

    def allow(self, size: int) -> None:
        """Allow `size` more bytes until the next call."""
        self._now = size

    def read(self, size: int = CHUNK) -> bytes:
        """Return at most `size` bytes.

        Raises
        ------
        DataError
            If more was read than allowed.
        """
        data = self._stream.read(size)
        self.left -= len(data)
        self._now -= len(data)
        if self.left < 0:
            raise DataError(
                f"it unpacks to more than {MOST_RATIO} times its size, as an attack would; unpack "
                f"it yourself if you trust it"
            )
        if self._now < 0:
            raise DataError(f"a header in it has over {MOST_HEADER:,} bytes")
        return data


class _Xz:
    """The content of an xz file, with a bound on the memory that it may ask for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = lzma.LZMADecompressor(memlimit=MOST_MEMORY)

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, and none at the end."""
        while True:
            if self._decoder.eof:
                rest = (self._decoder.unused_data or self._file.read(CHUNK)).lstrip(b"\0")
                if not rest:
                    return b""
                self._decoder = lzma.LZMADecompressor(memlimit=MOST_MEMORY)
                data = rest
            else:
                data = self._file.read(2**16) if self._decoder.needs_input else b""
                if self._decoder.needs_input and not data:
                    raise EOFError("it ends too early")
            if found := self._decoder.decompress(data, size):
                return found


def _zstd(file: BinaryIO) -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise DataError(
            "zstandard is needed to read it: python -m pip install 'seqgen-toolkit[zstd]'"
        ) from error
    decoder = zstandard.ZstdDecompressor(max_window_size=MOST_MEMORY)
    return decoder.stream_reader(file, read_across_frames=True)


#: Numbers of temporary files.
_NUMBERS = count(1)

#: What opens the content of a compressed file, by suffix.
OPENERS: dict[str, Callable[[BinaryIO], Any]] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".xz": _Xz,
    ".zst": _zstd,
    "": lambda file: file,
}


def unpacked_size(path: Path, most: int) -> int:
    """Return the bytes of all members of a packed file, or a number over `most` if there are more.

    What cannot be read counts as nothing.
    """
    form = packed(path.name)
    assert form is not None
    try:
        if form.container == "zip":
            with zipfile.ZipFile(path) as archive:
                return sum(member.file_size for member in archive.infolist())
        size = 0
        with path.open("rb") as file:
            stream = OPENERS[form.compression](file)
            while size <= most and (data := stream.read(CHUNK)):
                size += len(data)
        return size
    except Exception:
        # A damaged archive is reported when it is read.
        return 0


def to_look_at(sources: Sources, folder: Path) -> list[Path]:
    """Return the files by which a domain chooses how to read.

    In place of a packed file these are the beginnings of its members, in files with the same names.
    One with more than `LOOKED_AT` members stays, and so do all if there are more than
    `LOOKED_INTO`.

    Parameters
    ----------
    sources : Sources
    folder : Path
        Where to write; the caller removes the files.
    """
    some = [path for path in sources.files if sources.packed(path)]
    some = some if len(some) <= LOOKED_INTO else []
    found: list[Path] = []
    for path in sources.files:
        inside: list[Path] = []
        if path in some:
            unpacked = members(path, folder, sources.suffixes, Counter(), LOOK)
            readable = (each for each in unpacked if isinstance(each, Readable))
            inside = [_named_alike(each) for each in islice(readable, LOOKED_AT + 1)]
        found += inside if 0 < len(inside) <= LOOKED_AT else [path]
    return found


def names_inside(path: Path) -> list[Path]:
    """Return where the members of an archive are said to be, at most `NAMES`.

    There are none of a damaged archive, or one that unpacks to more than `LOOKED_THROUGH` bytes.
    """
    form = packed(path.name)
    unpack = {"zip": _zipped, "tar": _tarred}.get(form.container) if form else None
    if form is None or unpack is None:
        return []
    try:
        found = islice(unpack(path, form.compression, LOOKED_THROUGH), NAMES)
        return [_place(path, name) for name, _, _ in found]
    except Exception:
        # A damaged archive is reported when it is read.
        return []


def _named_alike(member: Readable) -> Path:
    """Rename an unpacked member: its own name, as far as that is harmless, in a new folder."""
    is_alone = packed(member.place.name) is not None
    name = member.place.stem if is_alone else member.place.name
    folder = member.file.with_suffix(".member")
    folder.mkdir()
    return member.file.rename(folder / re.sub(r"[^\w.-]", "_", name)[-50:])


def members(
    path: Path,
    folder: Path,
    suffixes: tuple[str, ...],
    unread: Counter[str],
    longest: float = inf,
) -> Iterator[Readable | Skipped]:
    """Unpack the members of a packed file that a domain reads, in order.

    Parameters
    ----------
    path : Path
    folder : Path
        Where to write; the caller removes the files.
    suffixes : tuple of str
        What the domain reads. A compressed file is read whatever its suffix.
    unread : Counter of str
        Is increased by the members of other kinds.
    longest : float
        Bytes of each member; the rest is left out.

    Yields
    ------
    Readable or Skipped
        A member, or why one, or the rest of the archive, cannot be read.
    """
    form = packed(path.name)
    assert form is not None
    number = 0
    most = max(MOST_RATIO * path.stat().st_size, ALLOWANCE)
    unpack = {"zip": _zipped, "tar": _tarred}.get(form.container, _compressed)
    try:
        for name, content, share in unpack(path, form.compression, most):
            number += 1
            place = _place(path, name)
            suffix = (place if name else Path(path.stem)).suffix.lower()
            if isinstance(content, DataError):
                yield Skipped(shown(place), str(content))
            elif content is None:
                unread[LINK] += 1
            elif name and any(part.startswith(".") for part in place.relative_to(path).parts):
                unread[HIDDEN] += 1
            elif name and packed(place.name) is not None and suffix not in suffixes:
                reason = "it is an archive in an archive, which is not read; unpack the outer one"
                yield Skipped(shown(place), reason)
            elif name and suffix not in suffixes:
                unread[suffix or "without suffix"] += 1
            else:
                # The suffix is one of the domain's own, or that of the user's file.
                file = folder / f"{next(_NUMBERS)}{suffix}"
                try:
                    size = _copied(content, file, longest)
                except Exception as error:
                    # The other members of a zip archive do not depend on this one.
                    if form.container != "zip" or isinstance(error, DataError):
                        raise
                    yield Skipped(shown(place), str(_damage(error)))
                    continue
                yield Readable(file, place, size, share)
        if not number:
            yield Skipped(shown(path), "holds no file")
    except Exception as error:
        # A damaged or hostile archive may make its reader fail in any way.
        where = f"at member {number:,}: " if number and form.container else ""
        yield Skipped(shown(path), where + str(_damage(error)))


def _damage(error: Exception) -> DataError:
    """Return what went wrong in words."""
    if isinstance(error, DataError):
        return error
    return DataError(f"it is damaged ({reason_of(error)})")


def _zipped(path: Path, compression: str, most: int) -> Iterator[_Member]:
    """Yield the files of a zip archive."""
    left = most
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            if member.flag_bits & 1:
                yield member.filename, DataError("it is encrypted"), 0
                continue
            try:
                content = archive.open(member)
            except Exception as error:
                yield member.filename, _damage(error), 0
                continue
            with content:
                bounded = _Bounded(content, left)
                yield member.filename, bounded, member.compress_size
                left = bounded.left


def _tarred(path: Path, compression: str, most: int) -> Iterator[_Member]:
    """Yield the files of a tar archive, read once from its beginning to its end."""
    with path.open("rb") as file:
        stream = _Bounded(OPENERS[compression](file), most)
        stream.allow(MOST_HEADER)
        done = 0
        with tarfile.open(fileobj=cast(Any, stream), mode="r|") as archive:
            while (member := archive.next()) is not None:
                # tarfile keeps all members that it saw.
                cast(Any, archive).members = []
                if member.isreg():
                    stream.allow(most)
                    content = archive.extractfile(member)
                    assert content is not None
                    share = file.tell() - done
                    done += share
                    yield member.name, content, share
                    while content.read(CHUNK):
                        pass  # what nobody read lies before the next header
                elif not member.isdir():
                    yield member.name, None, 0
                stream.allow(MOST_HEADER)


def _compressed(path: Path, compression: str, most: int) -> Iterator[_Member]:
    """Yield the one file that a compressed file is; it has no name of its own."""
    with path.open("rb") as file:
        yield "", _Bounded(OPENERS[compression](file), most), path.stat().st_size


def _place(path: Path, name: str) -> Path:
    """Return where a member is said to be: below the archive, wherever its name points to."""
    parts = PurePosixPath(name[:LONGEST_NAME].replace("\\", "/").replace("\0", "")).parts
    return path.joinpath(*(part for part in parts if part not in ("/", "..")))


def _copied(content: _Stream, file: Path, longest: float) -> int:
    """Write a member to a file and return its bytes; nothing is left of a damaged one."""
    size = 0
    try:
        with file.open("wb") as copy:
            while size < longest and (data := content.read(CHUNK)):
                size += copy.write(data)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return size
