"""Feeds the listeners of a training; none of them can stop it or make it wait.

Each listener has a thread and a queue of its own. What goes wrong is said once, to the logger
"seqgen.events". A listener shares the process, so what kills the process ends the training too:
`seqgen resume` continues it.

Comes from: `seqgen.training.keeping`. Next: `seqgen.listener` says what a listener is.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from seqgen.errors import PluginError
from seqgen.listener import Listener, Report
from seqgen.plugins.faults import reason_for
from seqgen.plugins.guard import diverting, guarded_thread
from seqgen.plugins.listeners import load_listener
from seqgen.run.results import EVENTS
from seqgen.wording import counted

#: Reports that wait for a slow listener at most, about a quarter of an hour; others are dropped.
MOST_WAITING = 1_000

#: Seconds at the end of a training in which its listeners finish.
CLOSE_SECONDS = 10.0

LOG = logging.getLogger("seqgen.events")


class Listening:
    """The listeners of a training.

    Parameters
    ----------
    listeners : mapping of str to function
        Functions that make the listeners, by name.
    """

    def __init__(self, listeners: Mapping[str, Callable[[], Listener]]) -> None:
        self._threads = [_ListenerThread(name, make) for name, make in listeners.items()]
        for each in self._threads:
            each.start()

    def report(self, report: Report) -> None:
        """Pass a report to all listeners, and say which of them have failed."""
        for each in self._threads:
            each.add(report)
            each.say_fault()

    def close(self) -> None:
        """Let the listeners finish, for a limited time, and say which reports were lost."""
        for each in self._threads:
            each.add(None)
        limit = time.monotonic() + CLOSE_SECONDS
        try:
            for each in self._threads:
                each.join(max(limit - time.monotonic(), 0.0))
        finally:
            for each in self._threads:
                each.leave()


class _ListenerThread(Thread):
    """Makes a listener, calls it, and closes it.

    It is a daemon: one that hangs does not keep the process from ending.
    """

    def __init__(self, name: str, make: Callable[[], Listener]) -> None:
        super().__init__(name=f"listener {name}", daemon=True)
        self._listener, self._make = name, make
        # Adding to a SimpleQueue never waits, and a signal handler may interrupt it.
        self._waiting: SimpleQueue[Report | None] = SimpleQueue()
        self._added, self._heard = 0, 0
        self._left, self._said = False, False
        self._fault: BaseException | None = None

    def run(self) -> None:
        """Call the listener until it fails or the training ends."""
        try:
            with guarded_thread():
                listener = self._make()
                while not self._left and (report := self._waiting.get()) is not None:
                    listener.report(report)
                    self._heard += 1
                if not self._left:
                    listener.close()
        except BaseException as error:
            self._fault = error

    def add(self, report: Report | None) -> None:
        """Add a report, or None at the end of the training; a full queue takes no report."""
        if report is None:
            self._waiting.put(None)
            return
        self._added += 1
        if self._fault is None and self._waiting.qsize() < MOST_WAITING:
            self._waiting.put(report)

    def say_fault(self) -> None:
        """Say once that the listener has failed, whose code it is, and where."""
        if self._fault is not None and not self._said:
            self._said = True
            LOG.warning(
                "the listener %r is off from now on, the training goes on: %s",
                self._listener,
                reason_for(self._fault),
            )

    def leave(self) -> None:
        """Stop waiting for the listener; say what it has missed."""
        self._left = True
        self.say_fault()
        if self._fault is not None:
            return
        lost = self._added - self._heard
        missed = f"it missed {lost:,} of {counted(self._added, 'report')}"
        if self.is_alive():
            text = "the listener %r did not finish in time after the training and was left; %s"
            LOG.warning(text, self._listener, missed)
        elif lost:
            LOG.warning("the listener %r is too slow; %s", self._listener, missed)


@contextmanager
def listening(
    folder: Path, info: Mapping[str, Any], names: Sequence[str]
) -> Iterator[Listening | None]:
    """Let listeners hear a training until the block ends.

    Those that heard an earlier part of the training go on, if they can still be loaded.

    Parameters
    ----------
    folder : Path
        The run folder.
    info : mapping
        The content of ``run.json``.
    names : sequence of str

    Yields
    ------
    Listening or None
        None if there is no listener.

    Raises
    ------
    PluginError
        If a listener cannot be loaded.
    """
    classes = {name: load_listener(name) for name in names}
    for name in earlier(folder):
        try:
            classes.setdefault(name, load_listener(name))
        except PluginError as error:
            LOG.warning("the training goes on without a listener: %s", error)
    if not classes:
        yield None
        return
    makers = {
        name: partial(_make, each, folder / EVENTS / name, copy.deepcopy(dict(info)))
        for name, each in sorted(classes.items())
    }
    with diverting():
        heard = Listening(makers)
        try:
            yield heard
        finally:
            heard.close()


def _make(listener: type[Listener], folder: Path, info: Mapping[str, Any]) -> Listener:
    folder.mkdir(parents=True, exist_ok=True)
    return listener(folder, info)


def earlier(folder: Path) -> list[str]:
    """Return the names of the listeners that have a folder in a run folder, sorted."""
    events = folder / EVENTS
    return (
        sorted(each.name for each in events.iterdir() if each.is_dir()) if events.exists() else []
    )
