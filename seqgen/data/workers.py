"""Other processes that do a part of the work: they end with this one, and leave Ctrl-C to it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable
from typing import Any

import joblib

from seqgen.storage.signals import unheard

#: Seconds between two looks at whether the process that started this one is alive.
LOOK_EVERY = 0.5


def share_out(tasks: Iterable[Any], processes: int, **options: Any) -> Any:
    """Do the tasks of joblib in other processes; they are started by this call.

    Parameters
    ----------
    tasks : iterable
        As `joblib.delayed` makes them.
    processes : int
    **options
        Others of `joblib.Parallel`, which also says what is returned.
    """
    parallel = joblib.Parallel(
        n_jobs=processes, initializer=_begin, initargs=(os.getpid(),), **options
    )
    with unheard():
        return parallel(tasks)


def _begin(starter: int) -> None:
    """Prepare a process before its first task; those of a cluster have other parents."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    local = multiprocessing.current_process().name.startswith("LokyProcess")
    # It may have been killed while this process was starting.
    parent = starter if local else os.getppid()
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process soon after its parent, which may have been killed."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    os._exit(1)
