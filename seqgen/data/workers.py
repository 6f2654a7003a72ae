"""Worker processes: they have its plugin files, and end with the main process.

The main process alone handles Ctrl-C.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable
from typing import Any

import joblib

from seqgen.plugins.files import PluginFile, load_again, plugin_files
from seqgen.storage.signals import unheard

#: Seconds between two checks that the parent process is alive.
LOOK_EVERY = 0.5


def share_out(tasks: Iterable[Any], processes: int, **options: Any) -> Any:
    """Run joblib tasks in other processes, which this call starts.

    Parameters
    ----------
    tasks : iterable
        Results of `joblib.delayed`.
    processes : int
    **options
        Other options of `joblib.Parallel`, which determine the result.
    """
    parallel = joblib.Parallel(
        n_jobs=processes, initializer=_begin, initargs=(os.getpid(), plugin_files()), **options
    )
    with unheard():
        return parallel(tasks)


def _begin(starter: int, files: tuple[PluginFile, ...]) -> None:
    """Prepare a worker before its first task; workers of a cluster have another parent."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    local = multiprocessing.current_process().name.startswith("LokyProcess")
    # The starter may have been killed while this process was starting.
    parent = starter if local else os.getppid()
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    load_again(files)


def _end_with(parent: int) -> None:
    """End this process soon after its parent ends, even if that was killed."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    os._exit(1)
