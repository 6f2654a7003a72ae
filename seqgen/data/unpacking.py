"""Unpacks archives and compressed files, one member at a time, for domains that read files.

Members become temporary files with names of our own: a name in an archive is only shown and
compared with patterns. Only members that are read together keep theirs, as far as that is harmless
(`seqgen.data.together`). All that an archive says of itself may be a lie, so what is read and
written is bounded.

Comes from: `seqgen.data.finding` and `seqgen.data.decompression`. Next: `seqgen.data.reading` reads
the members as it reads files.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections import Counter
from collections.abc import Container, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from math import inf
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias, cast

from seqgen.data.decompression import CHUNK, MOST_HEADER, MOST_RATIO, OPENERS, Bounded, Stream
from seqgen.data.finding import HIDDEN, Skipped, Sources, packed
from seqgen.data.names import shown
from seqgen.data.together import Companions, Together
from seqgen.errors import DataError, reason_of

#: Bytes that any archive may unpack to; below it `MOST_RATIO` is not checked.
ALLOWANCE = 2**26

#: Most characters of a name.
LONGEST_NAME = 500

#: Most packed files that are looked into, most members of each, and bytes of a member.
LOOKED_INTO, LOOKED_AT, LOOK = 20, 20, 2**21

#: Most members that `places_inside` lists.
LISTED = 100_000

#: Kinds of members that are neither files nor folders, and of those that are packed again.
LINK, NESTED = "link in an archive", "an archive in an archive"


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


#: Name of a member, its content, a reason why it has none, or None for a link; and its share.
_Member: TypeAlias = tuple[str, Stream | DataError | None, int]


#: Numbers of temporary files.
_NUMBERS = count(1)


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
            chosen = sources.inside.get(path)
            unpacked = members(path, folder, sources.suffixes, Counter(), LOOK, chosen)
            readable = (each for each in unpacked if isinstance(each, Readable))
            inside = [_named_alike(each) for each in islice(readable, LOOKED_AT + 1)]
        found += inside if 0 < len(inside) <= LOOKED_AT else [path]
    return found


def places_inside(path: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Yield where the members of an archive that a domain reads are said to be, in order.

    Of a damaged archive these are the members that `members` can read, or fewer; it reports why. A
    tar archive is unpacked once for it.

    Parameters
    ----------
    path : Path
    suffixes : tuple of str
        What the domain reads.
    """
    form = packed(path.name)
    if form is not None and form.container:
        yield from (place for place in _places(path) if not _kind(path, place, suffixes))


def _places(path: Path) -> Iterator[Path]:
    """Yield where the files in an archive are said to be, as far as it can be read."""
    with suppress(Exception):
        for name, content, _ in _unpacked(path):
            if content is not None:
                yield _place(path, name)


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
    chosen: Container[Path] | None = None,
    companions: Companions | None = None,
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
    chosen : container of Path, optional
        Where the members to read are said to be; by default all are read.
    companions : callable, optional
        Returns the companions of a file. Those in the archive are unpacked first, beside it.

    Yields
    ------
    Readable or Skipped
        A member, or why one, or the rest of the archive, cannot be read.
    """
    form = packed(path.name)
    assert form is not None
    number = 0
    together = Together(path, folder)
    if companions is not None and form.container:
        together = yield from _companions_of(path, folder, suffixes, companions)
    try:
        for name, content, share in _unpacked(path):
            number += 1
            place = _place(path, name)
            kind = _kind(path, place, suffixes) if name else ""
            if isinstance(content, DataError):
                yield Skipped(shown(place), str(content))
            elif content is None:
                unread[LINK] += 1
            elif place in together.companions:
                continue
            elif kind == NESTED:
                yield Skipped(
                    shown(place), f"it is {NESTED}, which is not read; unpack the outer one"
                )
            elif kind:
                unread[kind] += 1
            elif chosen is None or place in chosen:
                # The suffix is one of the domain's own, or that of the user's file.
                suffix = (place if name else Path(path.stem)).suffix.lower()
                file = together.file(place) or folder / f"{next(_NUMBERS)}{suffix}"
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


def _companions_of(
    path: Path, folder: Path, suffixes: tuple[str, ...], companions: Companions
) -> Generator[Skipped, None, Together]:
    """Unpack the companions of members and return them; yield what is not read with others."""
    places = [*islice(_places(path), LISTED + 1)]
    if len(places) > LISTED:
        yield Skipped(
            shown(path),
            f"holds over {LISTED:,} files, so files that say more about others, such as tables "
            f"of texts, are not read with them; unpack it if it has some",
        )
        return Together(path, folder)
    is_read = {place: not _kind(path, place, suffixes) for place in places}
    together = Together.of(path, folder / f"{next(_NUMBERS)}.together", is_read, companions)
    yield from _unpack_companions(together)
    return together


def _unpack_companions(together: Together) -> Iterator[Skipped]:
    """Unpack the companions of members; yield those that are damaged."""
    if not together.companions:
        return
    path = together.path
    with suppress(Exception):  # The members are read later, and then a damage is reported.
        for name, content, _ in _unpacked(path):
            place = _place(path, name)
            file = together.file(place) if place in together.companions else None
            if file is None or content is None or isinstance(content, DataError):
                continue
            try:
                _copied(content, file, inf)
            except Exception as error:
                yield Skipped(shown(place), str(_damage(error)))


def _kind(path: Path, place: Path, suffixes: tuple[str, ...]) -> str:
    """Return what a member is if the domain does not read it, or ""."""
    suffix = place.suffix.lower()
    if any(part.startswith(".") for part in place.relative_to(path).parts):
        return HIDDEN
    if suffix in suffixes:
        return ""
    return NESTED if packed(place.name) is not None else suffix or "without suffix"


def _unpacked(path: Path) -> Iterator[_Member]:
    """Yield all that a packed file has, in order; it may unpack to so many bytes and no more."""
    form = packed(path.name)
    assert form is not None
    unpack = {"zip": _zipped, "tar": _tarred}.get(form.container, _compressed)
    return unpack(path, form.compression, max(MOST_RATIO * path.stat().st_size, ALLOWANCE))


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
                bounded = Bounded(content, left)
                yield member.filename, bounded, member.compress_size
                left = bounded.left


def _tarred(path: Path, compression: str, most: int) -> Iterator[_Member]:
    """Yield the files of a tar archive, read once from its beginning to its end."""
    with path.open("rb") as file:
        stream = Bounded(OPENERS[compression](file), most)
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
        yield "", Bounded(OPENERS[compression](file), most), path.stat().st_size


def _place(path: Path, name: str) -> Path:
    """Return where a member is said to be: below the archive, wherever its name points to."""
    parts = PurePosixPath(name[:LONGEST_NAME].replace("\\", "/").replace("\0", "")).parts
    return path.joinpath(*(part for part in parts if part not in ("/", "..")))


def _copied(content: Stream, file: Path, longest: float) -> int:
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
