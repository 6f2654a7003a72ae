"""Who works on a folder: one process at a time; and what processes that were killed left behind.

A process holds a folder by a lock on ``.NAME.lock`` beside it, which ends with the process, however
it ends. What is being written has a name ending in ``.partial``: a folder belongs to who
holds its name, a file to who has it open and locked. So what nobody holds is a leftover.
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

#: Ends the name of what is being written, and of a folder that is being replaced.
PARTIAL, REPLACED = ".partial", ".replaced"

#: What `temporary_name` gives; other hidden names belong to others.
_LEFTOVER = re.compile(r"\.(.+)\.[0-9a-f]{16}\.(partial|replaced)", re.DOTALL)


@dataclass
class _Held:
    """By which thread a folder is held, by which lock, and how many times."""

    thread: int
    lock: BaseFileLock
    times: int = 1


#: What this process holds.
_held: dict[Path, _Held] = {}
_guard = threading.Lock()


@contextmanager
def hold(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Be the only one that works on a folder, which may not exist yet, until the block ends.

    A thread may hold again what it holds already.

    Parameters
    ----------
    path : Path
    wait : bool
        Wait for another process, rather than refuse.

    Raises
    ------
    InUse
        If another process or thread holds it.
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
        # Blocks may end in any order: those of generators do.
        with _guard:
            held.times -= 1
            ended = not held.times
            if ended:
                del _held[path]
        if ended:
            _release(held.lock)


@contextmanager
def hold_first(candidates: Iterable[Path]) -> Iterator[Path]:
    """Hold the first of some folders that neither exists nor is held; yields it."""
    with ExitStack() as held:
        for path in candidates:
            with suppress(InUse):
                held.enter_context(hold(path))
                # Whoever held it before may have made it.
                if not path.exists():
                    break
            held.close()
        yield path


def sweep(folder: Path, mine: Path | None = None) -> None:
    """Remove what killed processes left in a folder, and put back what they were replacing.

    Parameters
    ----------
    folder : Path
    mine : Path, optional
        What this thread holds and has not begun to write.
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
    """Return a hidden name beside a path, which no other process takes."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{suffix}")


@contextmanager
def new_file(path: Path) -> Iterator[None]:
    """Make a file that `sweep` of other processes leaves alone until the block ends."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        if fcntl is None:
            break
        with suppress(OSError):  # not every file system can
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            break
        os.close(descriptor)  # taken for a leftover before it was locked
    try:
        if fcntl is None:
            os.close(descriptor)
        yield
    finally:
        if fcntl is not None:
            os.close(descriptor)


def _settle(path: Path, leftover: Path) -> None:
    """Remove a folder that was left; if it is the old one of a path that is gone, put it back."""
    if leftover.name.endswith(REPLACED) and not path.exists():
        leftover.rename(path)
    else:
        shutil.rmtree(leftover, ignore_errors=True)


def _remove_unlocked(path: Path) -> None:
    """Remove a file unless some process has locked it."""
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
                f"{path} is in use{_holder(place)}; wait until that ends, or choose another folder"
            ) from error
        except OSError as error:
            if lock is not None:
                lock.release()
            refused = error
    reason = refused.strerror or refused
    if path.exists():
        raise RunError(f"{path} cannot be written ({reason}); allow writing there") from refused
    raise RunError(f"{path} cannot be made ({reason}); choose another folder (--out)") from refused


def _release(lock: BaseFileLock) -> None:
    # Before it is let go, so that nobody else's is removed.
    with suppress(OSError):
        Path(lock.lock_file).unlink()
    lock.release()


def _holder(place: Path) -> str:
    """Return who holds a lock, as far as the file tells."""
    try:
        process, _, since = place.read_text().strip().partition(" ")
    except OSError:
        return ""
    return f" by process {process} since {since}" if since else " by another process"
