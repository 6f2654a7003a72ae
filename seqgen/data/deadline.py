"""Ends in this process what takes too long, such as a parser that never comes back."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from typing import TypeVar

Item = TypeVar("Item")

#: Seconds after which what has caught `TooLong` is interrupted again.
AGAIN = 1.0


class TooLong(BaseException):
    """Time is over. No `Exception`, so that what is interrupted does not take it for its own."""


def within(seconds: float, items: Iterator[Item]) -> Iterator[Item]:
    """Yield items while making all of them together takes no longer than so many seconds.

    What uses an item may take its time. Where the signal of a timer is not to be had (on Windows,
    in a thread, beside another handler of it), time is looked at after each item only, as in a
    call of compiled code, which no signal interrupts.

    Raises
    ------
    TooLong
        If they took longer.
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
    """Return the next item, or raise `TooLong` after so many seconds if that is possible."""
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
        # It may have come just before the timer was stopped.
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
