"""Where files go and how they get there: whole or not at all, and never over another."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

from seqgen.errors import DataError, RunError

#: Names of the files that say what a folder is.
CORPUS, RUN, SAMPLES = MARKERS = ("corpus.json", "run.json", "manifest.json")

#: Temporary files are private; under their own names they get what any new file would.
_UMASK = os.umask(0)
os.umask(_UMASK)


def cache_folder() -> Path:
    """Return the folder for what can be made again; ``SEQGEN_CACHE`` overrides the default."""
    chosen = os.environ.get("SEQGEN_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("seqgen"))


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never half."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_UMASK)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically, keys in the order given."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def new_folder(path: Path, *, marker: str, overwrite: bool = False) -> Iterator[Path]:
    """Fill a folder under a temporary name; it appears under its own when all is in it.

    Parameters
    ----------
    path : Path
        The folder to make.
    marker : str
        Name of the JSON file that says what the folder is, with a key ``seqgen``; a folder
        without it is never replaced.
    overwrite : bool
        Replace a folder of this kind that is already there.

    Raises
    ------
    RunError
        If something is there that may not be replaced.
    """
    path = path.resolve()
    refuse_existing(path, marker=marker, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_UMASK)
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
            path.replace(old / path.name)
            try:
                temporary.replace(path)
            except BaseException:
                (old / path.name).replace(path)
                raise
            finally:
                shutil.rmtree(old)
        else:
            temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def refuse_existing(path: Path, *, marker: str, overwrite: bool) -> None:
    """Raise `RunError` if `path` holds anything that may not be replaced."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not _is_marked(path / marker):
        raise RunError(f"{path} is there and was not made by this command; choose another folder")
    if not overwrite:
        raise RunError(
            f"{path} is already there; choose another folder, or allow overwriting (--overwrite)"
        )


def is_output(folder: Path) -> bool:
    """Tell whether a folder was written by seqgen: a corpus, a run or samples."""
    return any(_is_marked(folder / marker) for marker in MARKERS)


def read_description(path: Path) -> dict[str, Any]:
    """Return the JSON object that describes a folder.

    Raises
    ------
    OSError, ValueError
        If there is none.
    """
    content = json.loads(path.read_text("utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds {type(content).__name__}, not an object")
    return content


def _is_marked(path: Path) -> bool:
    try:
        return "seqgen" in read_description(path)
    except (OSError, ValueError):
        return False


def free_name(path: Path) -> Path:
    """Return `path`, or the first of path-2, path-3 ... that does not exist."""
    number, candidate = 1, path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def page_name(path: Path, suffix: str, number: int) -> Path:
    """Return the file of a page of what is written to a path: ``a.svg``, ``a-page-2.svg`` ..."""
    if number == 1:
        return path
    return path.with_name(f"{path.name[: -len(suffix)]}-page-{number}{path.name[-len(suffix) :]}")


def text_of(data: bytes) -> str:
    """Return the text of bytes in UTF-8, as `plain_text` does.

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
    """Return a text without a byte-order mark, and with newlines for all line ends."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
