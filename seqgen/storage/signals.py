"""Signals that end a command: Ctrl-C, ``kill`` and a closed terminal all do the same."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: The signals among them that this system has.
ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

#: Signals received since `listen`.
received: list[int] = []


def listen() -> None:
    """Make all signals in `ENDING` raise KeyboardInterrupt, except those that are ignored."""
    for number in ENDING:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _end)


def stop_listening() -> None:
    """Let signals end this process at once, because all work is done."""
    for number in ENDING:
        if signal.getsignal(number) is _end:
            signal.signal(number, signal.SIG_DFL)


def exit_status() -> int:
    """Return 128 plus the number of the first signal, or of SIGINT if none was received."""
    return 128 + (received[0] if received else signal.SIGINT)


def forget_ctrl_c() -> bool:
    """Forget Ctrl-C, for a command that goes on after it; False if another signal came."""
    if any(number != signal.SIGINT for number in received):
        return False
    received.clear()
    return True


def came_from_signal() -> bool:
    """Return whether a KeyboardInterrupt may come from a signal, and not from a plugin's code."""
    handler = signal.getsignal(signal.SIGINT)
    return bool(received) if handler is _end else handler is not signal.SIG_IGN


def _end(number: int, frame: FrameType | None) -> None:
    received.append(number)
    raise KeyboardInterrupt


@contextmanager
def undivided() -> Iterator[None]:
    """Delay signals until the block ends, so that its work is done as a whole.

    If the block fails while a signal waits, KeyboardInterrupt is raised with the error as its
    cause.
    """
    with _delayed(math.inf):
        yield


@contextmanager
def noticed() -> Iterator[list[int]]:
    """Give a list that gets the first signal, so that a loop can end where it is best.

    KeyboardInterrupt is raised when the block ends, and at once if there is a second signal.
    """
    with _delayed(1) as waiting:
        yield waiting


@contextmanager
def _delayed(most: float) -> Iterator[list[int]]:
    """Delay so many signals until the block ends; give a list of those that wait."""
    waiting: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield waiting
        return
    handlers = {number: signal.getsignal(number) for number in ENDING}
    # A signal that is ignored, or ends the process at once, stays as it is.
    ours = {number: handler for number, handler in handlers.items() if callable(handler)}
    failure: BaseException | None = None

    def wait(number: int, frame: FrameType | None) -> None:
        waiting.append(number)
        if len(waiting) > most:
            ours[signal.Signals(number)](number, frame)

    try:
        for number in ours:
            signal.signal(number, wait)
        yield waiting
    except BaseException as error:
        failure = error
        raise
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        if waiting:
            try:
                ours[waiting[0]](waiting[0], None)
            except KeyboardInterrupt as interruption:
                raise interruption from failure


@contextmanager
def unheard() -> Iterator[None]:
    """Start processes which Ctrl-C does not reach, as a terminal sends it to all of them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
