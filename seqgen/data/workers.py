"""Reads files in worker processes or on a cluster; a parser that kills its worker costs its file.

Worker processes have the plugin files of the main process, and end with it. The main process alone
handles Ctrl-C.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import TimeoutError as TakesTooLong
from typing import Any

import joblib

from seqgen.cluster import Cluster, Lost
from seqgen.data.finding import Skipped
from seqgen.data.one_file import Content, read_whole_file
from seqgen.errors import ClusterError
from seqgen.plugins.faults import owner_of
from seqgen.plugins.files import PluginFile, is_file, load_again, plugin_files
from seqgen.storage.signals import unheard

#: Seconds between two checks that the parent process is alive.
LOOK_EVERY = 0.5

#: Most bytes and most files that a worker of a cluster reads in one task.
TASK_BYTES, TASK_FILES = 2**20, 32


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


def survivors(tasks: list[Any], jobs: int, patience: float) -> Iterator[list[Content]]:
    """Yield the contents that other processes read, in order; skip a file that kills its process.

    To find that file, all files without a result are read again one at a time.
    """
    done = 0
    # With one process, as on a machine with one core, joblib would read in this process.
    processes = max(joblib.effective_n_jobs(jobs), 2)
    delayed = (joblib.delayed(read_whole_file)(*task) for task in tasks)
    try:
        for contents in share_out(delayed, processes, return_as="generator", timeout=patience):
            yield contents
            done += 1
    except (BrokenProcessPool, TakesTooLong):
        yield from (read_alone(task, patience) for task in tasks[done:])


def read_alone(task: Any, patience: float) -> list[Content]:
    """Return the contents of a file, read in a process that may die or take `patience` seconds."""
    try:
        # With one job joblib would read it in this process.
        [contents] = share_out([joblib.delayed(read_whole_file)(*task)], 2, timeout=patience)
    except BrokenProcessPool:
        return [Skipped(task[2], "its parser crashed")]
    except TakesTooLong:
        return [Skipped(task[2], f"its parser took longer than {patience:g} seconds")]
    return list(contents)


def on_workers(
    cluster: Cluster,
    tasks: Sequence[Any],
    sizes: Mapping[str, int],
    patience: float,
    lost: set[str],
) -> Iterator[list[Content]]:
    """Yield the contents that the workers of a cluster read, in order.

    Parameters
    ----------
    cluster : Cluster
    tasks : sequence of tuple
        Arguments of `read_whole_file`.
    sizes : mapping of str to int
        Bytes of each file by its name.
    patience : float
        Time limit in seconds for one file.
    lost : set of str
        Names of files that ended their workers; they are not sent again. More are added.

    Raises
    ------
    ClusterError
        If a worker does not see a file, or lacks what a task needs.
    """
    sent = [task for task in tasks if task[2] not in lost]
    portions = _portions(sent, [sizes[task[2]] for task in sent])
    found = cluster.each(_read_there, portions, patience, _distributions(tasks[0]))
    for task in tasks:
        contents = Lost() if task[2] in lost else next(found)
        if isinstance(contents, Lost):
            lost.add(task[2])
            reason = f"its parser crashed twice, or took longer than {patience:g} seconds"
            contents = [Skipped(task[2], reason)]
        yield contents


def _distributions(task: Any) -> list[tuple[str, str]]:
    """Return the installed distributions of a task's domain and codec, and their versions."""
    owners = (owner_of(type(part)) for part in task)
    return [owner for owner in owners if owner is not None and not is_file(owner[0])]


def _portions(tasks: Sequence[Any], sizes: Sequence[int]) -> Iterator[list[Any]]:
    """Yield the tasks in portions, so that sending them takes little of the time of reading."""
    portion: list[Any] = []
    held = 0
    for task, size in zip(tasks, sizes, strict=True):
        if portion and (held + size > TASK_BYTES or len(portion) == TASK_FILES):
            yield portion
            portion, held = [], 0
        portion.append(task)
        held += size
    if portion:
        yield portion


def _read_there(*task: Any) -> list[Content]:
    """Return the contents of a file, on a worker of a cluster."""
    if not task[1].exists():
        raise ClusterError(
            f"a worker of the cluster on {platform.node()} does not see {task[1]}; put the files "
            f"on storage that all machines share, and TMPDIR, too, if there are archives"
        )
    return read_whole_file(*task)


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
