"""Plugin code that prints, exits or hangs harms only itself: it runs in these guards.

Imports and readers run in `guarded`, listeners of a training in threads with `guarded_thread`.

Next: `seqgen.plugins.faults` says whose code failed, where, and which rule it broke.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, NoReturn, TextIO, TypeVar

from seqgen.errors import PluginError, reason_of
from seqgen.plugins.deadline import TooLong, within
from seqgen.storage.signals import came_from_signal

Result = TypeVar("Result")
Item = TypeVar("Item")

#: Seconds that a plugin module may take to be imported; it has nothing heavy to import.
IMPORT_SECONDS = 10.0

_exit_now = os._exit

#: Process and thread of each guard that is entered.
_guarded: list[tuple[int, int]] = []

#: Threads whose standard output is the error stream.
_diverted: set[int] = set()


class Ended(PluginError):
    """Plugin code tried to end the process, or did not end itself."""


class _Exit(BaseException):
    """Stands for a call of ``os._exit``; no `Exception`, so that no plugin takes it for its own."""


@contextmanager
def guarded(*, silent: bool = False) -> Iterator[None]:
    """Run plugin code: what it prints goes to the error stream, and it cannot end the process.

    Parameters
    ----------
    silent : bool
        Drop what is printed, also on the error stream.

    Raises
    ------
    Ended
        If the code calls ``sys.exit`` or ``os._exit``, or raises KeyboardInterrupt without a
        signal. The traceback is that of the plugin's code.
    """
    dropped = io.StringIO()
    with (
        _unending(),
        redirect_stdout(dropped if silent else sys.stderr),
        redirect_stderr(dropped if silent else sys.stderr),
    ):
        yield


@contextmanager
def _unending() -> Iterator[None]:
    """Raise `Ended` in place of what would end the process."""
    here = os.getpid(), threading.get_ident()
    _guarded.append(here)
    os._exit = _exit_outside
    try:
        yield
    except (SystemExit, KeyboardInterrupt, _Exit) as error:
        if isinstance(error, KeyboardInterrupt) and came_from_signal():
            raise
        reason = str(error) if isinstance(error, _Exit) else reason_of(error)
        ended = Ended(f"{reason}, which would have ended the process")
        raise ended.with_traceback(error.__traceback__) from error
    finally:
        _guarded.remove(here)


@contextmanager
def guarded_thread() -> Iterator[None]:
    """Run plugin code in a thread of its own, as `guarded` does, in a block of `diverting`.

    Raises
    ------
    Ended
        As `guarded`.
    """
    # `guarded` replaces sys.stdout, which all threads share.
    _diverted.add(threading.get_ident())
    try:
        with _unending():
            yield
    finally:
        _diverted.discard(threading.get_ident())


@contextmanager
def diverting() -> Iterator[None]:
    """Send to the error stream what guarded threads print, until the block ends."""
    by_thread: Any = _ByThread(sys.stdout)
    before, sys.stdout = sys.stdout, by_thread
    try:
        yield
    finally:
        # A thread that hangs may print later; others may have replaced the stream meanwhile.
        if sys.stdout is by_thread and not _diverted:
            sys.stdout = before


class _ByThread:
    """Standard output, but the error stream for guarded threads."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout

    def __getattr__(self, name: str) -> Any:
        outside = threading.get_ident() in _diverted
        return getattr(sys.stderr if outside else self._stdout, name)


def guarded_items(items: Callable[[], Iterable[Item]]) -> Iterator[Item]:
    """Yield items that plugin code makes; only the plugin runs in the guard, not the consumer."""
    with guarded():
        iterator = iter(items())
    while True:
        with guarded():
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item


def guarded_import(load: Callable[[], Result]) -> Result:
    """Return the result of a function that imports a plugin module, in silence.

    Raises
    ------
    Ended
        If the module tries to end the process, or takes longer than `IMPORT_SECONDS`.
    """
    try:
        with guarded(silent=True):
            return next(within(IMPORT_SECONDS, (load() for _ in range(1))))
    except TooLong as error:
        ended = Ended(f"its import had not ended after {IMPORT_SECONDS:g} seconds")
        raise ended.with_traceback(error.__traceback__) from error


def _exit_outside(status: int) -> NoReturn:
    """End the process as ``os._exit`` does, but not in a guard; a forked process has none."""
    if (os.getpid(), threading.get_ident()) in _guarded:
        raise _Exit(f"os._exit({status})")
    _exit_now(status)
