"""Atomic writes of files and folders, the cache folder, and no overwriting by accident."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import platformdirs

from seqgen.errors import DataError, RunError
from seqgen.storage.checked_json import LARGEST, check, parse
from seqgen.storage.locks import REPLACED, hold, new_file, sweep, temporary_name
from seqgen.storage.signals import undivided

#: Names of the files that say what a folder is: a corpus, a run or samples.
CORPUS, RUN, SAMPLES = MARKERS = ("corpus.json", "run.json", "manifest.json")


#: Digits of the key of a corpus in names and messages.
SHORT = 16

#: Most steps from a folder to the one that it shares with what is near.
STEPS_UP = 2


def cache_folder() -> Path:
    """Return the folder for files that can be made again; ``SEQGEN_CACHE`` overrides the default.

    If that folder cannot be written, it is a folder of this user among the temporary files.
    """
    chosen = _chosen_cache()
    return chosen if _can_write(chosen) else _temporary_cache()


def cached_corpus(domain: str, key: str) -> Path:
    """Return the folder of a corpus in the cache, named by its content."""
    return cache_folder() / "corpora" / f"{Path(domain).name}-{key[:SHORT]}"


def cache_is_kept() -> bool:
    """Return whether the cache folder is the chosen one, not a temporary one."""
    return _can_write(_chosen_cache())


def _chosen_cache() -> Path:
    chosen = os.environ.get("SEQGEN_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("seqgen"))


@cache
def _can_write(folder: Path) -> bool:
    """Create a folder, and return whether files can be written in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@cache
def _temporary_cache() -> Path:
    """Return a temporary folder that no other user can write."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"seqgen-{user}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == user and not status.st_mode & 0o022:
            return folder
    return Path(tempfile.mkdtemp(prefix="seqgen-"))


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file atomically: readers and crashes see the old content or the new one.

    Raises
    ------
    OSError
        If writing fails; its ``filename`` is the path.
    """
    data = content.encode() if isinstance(content, str) else content
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_name(path)
        try:
            with new_file(temporary):
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the path to errors of the system, such as a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        error.filename = str(path)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically; keys keep their order.

    Raises
    ------
    ValueError
        If it has a number that JSON does not have, such as infinity (`finite`).
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(path, text + "\n")


def finite(value: Any, *, in_words: bool = False) -> Any:
    """Return a value with null for the numbers that JSON does not have: inf, -inf and nan.

    Parameters
    ----------
    value : object
    in_words : bool
        Write the texts "inf", "-inf" and "nan" instead, as settings are given in TOML.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value) if in_words else None
    if isinstance(value, Mapping):
        return {key: finite(each, in_words=in_words) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each, in_words=in_words) for each in value]
    return value


@contextmanager
def new_folder(
    path: Path, *, marker: str, overwrite: bool = False, wait: bool = False
) -> Iterator[Path]:
    """Yield a temporary folder, and rename it to `path` when the block ends without an error.

    The final name is held meanwhile. Leftovers of killed processes are removed.

    Parameters
    ----------
    path : Path
        The new folder.
    marker : str
        Name of the JSON file with a key ``seqgen`` that says what the folder is. A folder without
        it is never replaced.
    overwrite : bool
        Replace an existing folder of this kind.
    wait : bool
        Wait for another process that holds the folder, instead of raising an error.

    Raises
    ------
    InUse
        If another process works on the folder.
    RunError
        If something exists there that may not be replaced, or the place cannot be written.
    """
    path = path.resolve()
    with hold(path, wait=wait):
        sweep(path.parent, mine=path)
        refuse_existing(path, marker=marker, overwrite=overwrite)
        temporary = temporary_name(path)
        try:
            temporary.mkdir()
            yield temporary
            with naming(path):
                _flush(temporary)
                _put_in_place(temporary, path, marker, overwrite)
        except OSError as error:
            # The full disk is the one being written, whatever file noticed it.
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                with naming(path):
                    raise
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Flush all files of a folder to the disk, so that the rename cannot come first."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            # Windows flushes only files that are open for writing.
            with file.open("rb+") as opened:
                os.fsync(opened.fileno())


def _put_in_place(temporary: Path, path: Path, marker: str, overwrite: bool) -> None:
    """Rename a folder to its final name; keep the folder it replaces until then.

    Raises
    ------
    RunError
        If another process has put something there. Both folders stay, the new one renamed.
    """
    refused: RunError | None = None
    try:
        refuse_existing(path, marker=marker, overwrite=overwrite)
        old = temporary_name(path, REPLACED)
        with undivided():
            if _holds_something(path):
                path.rename(old)
            try:
                # The system refuses to replace a folder that is not empty.
                temporary.rename(path)
            except BaseException:
                if old.exists():
                    old.rename(path)
                raise
        shutil.rmtree(old, ignore_errors=True)
    except RunError as error:
        refused = error
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        refused = RunError(f"{path} was made by another process meanwhile")
    if refused is not None:
        free = free_name(path)
        temporary.rename(free)
        raise RunError(f"{refused}; the result is in {free}") from refused


def refuse_existing(path: Path, *, marker: str, overwrite: bool) -> None:
    """Raise `RunError` if `path` holds something that may not be replaced."""
    if not path.exists() or (path.is_dir() and not _holds_something(path)):
        return
    if not _is_marked(path / marker):
        raise RunError(
            f"{path} already exists and was not made by this command; choose another folder"
        )
    if not overwrite:
        raise RunError(f"{path} is already there; choose another folder, or pass `overwrite=True`")


def refuse_file(path: Path, *, overwrite: bool) -> None:
    """Raise `RunError` if a file cannot be written at `path`, or would replace another.

    Its folder has to be there.
    """
    if not path.parent.is_dir():
        raise RunError(f"the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise RunError(f"{path} is a folder; choose another name")
    if path.exists() and not overwrite:
        raise RunError(f"{path} is already there; choose another name, or pass `overwrite=True`")


def _holds_something(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


def is_output(folder: Path) -> bool:
    """Return whether seqgen wrote a folder: a corpus, a run or samples."""
    return any(_is_marked(folder / marker) for marker in MARKERS)


def read_description(path: Path, table: Any = dict[str, Any]) -> dict[str, Any]:
    """Return the JSON object that describes a folder.

    Parameters
    ----------
    path : Path
    table : type
        A `TypedDict` of its keys, for `seqgen.storage.checked_json.check`.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, or does not fit the table.
    """
    if not path.parent.is_dir():
        is_file = path.parent.exists()
        raise OSError("it is a file" if is_file else "there is no such folder")
    if not path.exists():
        raise OSError(f"it has no {path.name}")
    if not path.is_file():
        # Opening a pipe would wait for a writer.
        raise OSError(f"{path.name} is not a file")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name} has more than {LARGEST:,} bytes")
    content = parse(path.read_bytes())
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds {type(content).__name__}, not an object")
    check(content, table)
    return content


def _is_marked(path: Path) -> bool:
    try:
        return "seqgen" in read_description(path)
    except (OSError, ValueError):
        return False


def shared_folder(paths: Iterable[Path]) -> Path | None:
    """Return the deepest folder above absolute paths; None for one of the machine.

    The root, and what is above the home folder, say where things are on this machine.
    """
    try:
        shared = Path(os.path.commonpath(list(paths)))
    except ValueError:  # different drives of Windows
        return None
    home = Path.home().resolve()
    return None if shared == Path(shared.anchor) or shared in home.parents else shared


def near(path: Path, start: Path) -> str | None:
    """Return the path from one folder to another one, at most two steps up; None if it is far.

    Both may then move together, and the path says nothing of the machine.
    """
    path, start = path.resolve(), start.resolve()
    shared = shared_folder([path, start])
    if shared is None or len(start.relative_to(shared).parts) > STEPS_UP:
        return None
    return Path(os.path.relpath(path, start)).as_posix()


def numbered(path: Path) -> Iterator[Path]:
    """Yield `path`, then path-2, path-3 ..."""
    yield path
    yield from (path.with_name(f"{path.name}-{number}") for number in count(2))


def free_name(path: Path) -> Path:
    """Return `path`, or the first of path-2, path-3 ... that does not exist."""
    return next(name for name in numbered(path) if not name.exists())


def page_name(path: Path, suffix: str, number: int) -> Path:
    """Return the file name of a page: ``a.svg`` for page 1, ``a-page-2.svg`` for page 2 ..."""
    if number == 1:
        return path
    return path.with_name(f"{path.name[: -len(suffix)]}-page-{number}{path.name[-len(suffix) :]}")


def text_of(data: bytes) -> str:
    """Decode UTF-8 and return the text as `plain_text` does.

    Raises
    ------
    DataError
        With the position of the first byte that is not UTF-8.
    """
    try:
        return plain_text(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte {error.start} is not UTF-8 ({error.reason}); convert it to UTF-8"
        ) from error


def plain_text(text: str) -> str:
    """Return a text without a byte-order mark and with newlines for all line ends."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
