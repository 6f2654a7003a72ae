"""Locks on folders: one process works on a folder at a time, and leftovers are removed.

A process locks ``.NAME.lock`` beside a folder; the lock ends with the process, however that ends.
Unfinished folders and files have names ending in ``.partial``. An unfinished folder belongs to the
process that holds its final name, an unfinished file to the process that has locked it. Unfinished
items that no process holds are leftovers.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seqgen.errors import InUse, RunError

if TYPE_CHECKING:
    from filelock import BaseFileLock

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: Suffix of an unfinished item, and of a folder that is being replaced.
PARTIAL, REPLACED = ".partial", ".replaced"

#: Names made by `temporary_name`; other hidden names are left alone.
_LEFTOVER = re.compile(r"\.(.+)\.[0-9a-f]{16}\.(partial|replaced)", re.DOTALL)


@dataclass
class _Held:
    """A folder that this process holds: the thread, the lock, and how many times."""

    thread: int
    lock: BaseFileLock
    times: int = 1


#: The folders that this process holds.
_held: dict[Path, _Held] = {}
_guard = threading.Lock()


@contextmanager
def hold(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a folder, which need not exist yet, until the block ends.

    A thread may hold the same folder several times.

    Parameters
    ----------
    path : Path
    wait : bool
        Wait for another process instead of raising an error.

    Raises
    ------
    InUse
        If another process or thread holds the folder.
    RunError
        If neither the folder nor its parent can be written.
    """
    path, thread = path.resolve(), threading.get_ident()
    with _guard:
        held = _held.get(path)
        if held is not None and held.thread != thread:
            held = None
        if held is not None:
            held.times += 1
    if held is None:
        held = _Held(thread, _acquire(path, wait))
        with _guard:
            _held[path] = held
    try:
        yield
    finally:
        # Blocks of generators may end in any order.
        with _guard:
            held.times -= 1
            ended = not held.times
            if ended:
                del _held[path]
        if ended:
            _release(held.lock)


@contextmanager
def hold_first(candidates: Iterable[Path]) -> Iterator[Path]:
    """Hold and yield the first folder that neither exists nor is held."""
    with ExitStack() as held:
        for path in candidates:
            with suppress(InUse):
                held.enter_context(hold(path))
                # The process that held it before may have created it.
                if not path.exists():
                    break
            held.close()
        yield path


def sweep(folder: Path, mine: Path | None = None) -> None:
    """Remove leftovers of killed processes from a folder, and restore folders being replaced.

    Parameters
    ----------
    folder : Path
    mine : Path, optional
        A folder that this thread holds and has not begun to write.
    """
    if not folder.is_dir():
        return
    with suppress(OSError):
        for leftover in list(folder.iterdir()):
            if (name := _LEFTOVER.fullmatch(leftover.name)) is None:
                continue
            if not leftover.is_dir():
                _remove_unlocked(leftover)
                continue
            path = folder / name[1]
            if mine is not None and path.resolve() == mine.resolve():
                _settle(path, leftover)
            elif path.resolve() not in _held:
                with suppress(InUse, RunError), hold(path):
                    _settle(path, leftover)


def temporary_name(path: Path, suffix: str = PARTIAL) -> Path:
    """Return a unique hidden name beside a path."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{suffix}")


@contextmanager
def new_file(path: Path) -> Iterator[None]:
    """Create a file that `sweep` in other processes does not remove until the block ends."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        if fcntl is None:
            break
        with suppress(OSError):  # not every file system can
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            break
        os.close(descriptor)  # removed as a leftover before it was locked
    try:
        if fcntl is None:
            os.close(descriptor)
        yield
    finally:
        if fcntl is not None:
            os.close(descriptor)


def _settle(path: Path, leftover: Path) -> None:
    """Remove a leftover folder; restore a replaced folder whose successor is missing."""
    if leftover.name.endswith(REPLACED) and not path.exists():
        leftover.rename(path)
    else:
        shutil.rmtree(leftover, ignore_errors=True)


def _remove_unlocked(path: Path) -> None:
    """Remove a file unless a process has locked it."""
    if fcntl is None:
        return
    with suppress(OSError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


def _acquire(path: Path, wait: bool) -> BaseFileLock:
    from filelock import FileLock, Timeout

    lock = None
    places = [path.parent / f".{path.name}.lock"]
    if path.is_dir():
        places.append(path / ".lock")
    for place in places:
        try:
            if place.parent == path.parent:
                path.parent.mkdir(parents=True, exist_ok=True)
            place.touch()  # where no file can be made, as in /proc, FileLock reports a timeout
            lock = FileLock(place, thread_local=False)
            lock.acquire(timeout=-1 if wait else 0)
            place.write_text(f"{os.getpid()} {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
            return lock
        except Timeout as error:
            raise InUse(
                f"{path} is in use{_holder(place)}; wait until that ends, or choose another name"
            ) from error
        except OSError as error:
            if lock is not None:
                lock.release()
            refused = error
    reason = refused.strerror or refused
    if path.exists():
        raise RunError(f"{path} cannot be written ({reason}); allow writing there") from refused
    raise RunError(f"{path} cannot be made ({reason}); choose another `folder`") from refused


def _release(lock: BaseFileLock) -> None:
    # Remove the file before releasing the lock: afterwards it may be another process's.
    with suppress(OSError):
        Path(lock.lock_file).unlink()
    lock.release()


def _holder(place: Path) -> str:
    """Return which process holds a lock, if the file says so."""
    try:
        process, _, since = place.read_text().strip().partition(" ")
    except OSError:
        return ""
    return f" by process {process} since {since}" if since else " by another process"
