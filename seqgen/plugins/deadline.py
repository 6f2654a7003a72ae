"""Interrupts a parser in this process that takes too long."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from typing import TypeVar

Item = TypeVar("Item")

#: Seconds until a parser that has caught `TooLong` is interrupted again.
AGAIN = 1.0


class TooLong(BaseException):
    """The time limit is exceeded; not an `Exception`, so that parsers do not catch it."""


def within(seconds: float, items: Iterator[Item]) -> Iterator[Item]:
    """Yield items as long as producing all of them takes no more than `seconds`.

    The time for using an item does not count. Without a timer signal (on Windows, in a thread, or
    with another handler installed) the time is checked after each item only. The same holds for
    calls of compiled code, which no signal interrupts.

    Raises
    ------
    TooLong
        If producing the items takes longer.
    """
    left = seconds
    while left > 0:
        began = time.monotonic()
        try:
            item = _next(items, left)
        except StopIteration:
            return
        left -= time.monotonic() - began
        yield item
    raise TooLong


def _next(items: Iterator[Item], seconds: float) -> Item:
    """Return the next item, or raise `TooLong` after `seconds` if a timer is available."""
    if not _has_timer():
        return next(items)
    try:
        signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
        try:
            return next(items)
        finally:
            _stop_timer()
    except TooLong:
        # The signal may have come just before the timer was stopped.
        _stop_timer()
        raise


def _has_timer() -> bool:
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
    )


def _interrupt(*_: object) -> None:
    raise TooLong


def _stop_timer() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
