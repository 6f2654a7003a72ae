"""A Dask cluster: its workers read files and write pieces, with the same bytes as one machine.

::

    with seqgen.on_cluster("tcp://host:8786"):
        seqgen.prepare("music", ["midi/"])

A task whose worker dies is tried again by Dask. When Dask gives up, each of its items is done
alone, and counts as lost after two deaths of workers that did it alone.
"""

from __future__ import annotations

import faulthandler
import importlib.metadata
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from seqgen.errors import ClusterError, SeqgenError, reason_of
from seqgen.plugins.files import PluginFile, load_again, plugin_files

Result = TypeVar("Result")

#: Seconds to wait for the scheduler.
PATIENCE = 30.0

#: Seconds to wait for a worker; Dask starts another one where one has died.
STARTING = 120.0

#: Seconds between two looks for a worker.
LOOK_EVERY = 5.0

#: Seconds after which Dask gives up a local worker that died and did not start again. A worker that
#: is given up while it starts would count as one that its task killed.
GIVEN_UP = 30.0

#: Tasks for each worker that are sent or wait to be fetched; this bounds the memory of all.
IN_FLIGHT = 3

#: Deaths of workers while they did an item alone, after which it counts as lost. One death may have
#: another cause, such as a machine that is switched off.
DEATHS = 2

#: The distribution of seqgen itself, as pip names it.
OURS = "seqgen-toolkit"

#: The clusters of the blocks that are entered, the innermost last.
_joined: list[Cluster] = []


class Lost(Exception):
    """Stands for the result of an item that ended two workers, or took too long, while alone."""


class Cluster:
    """The workers of a Dask scheduler.

    Parameters
    ----------
    client : distributed.Client
    replace : callable, optional
        Starts workers in place of those that are gone.
    """

    def __init__(self, client: Any, replace: Callable[[], None] = lambda: None) -> None:
        self._client, self._replace = client, replace

    def each(
        self,
        function: Callable[..., Result],
        tasks: Iterable[Sequence[tuple[Any, ...]]],
        patience: float = 0.0,
        needs: Iterable[tuple[str, str]] = (),
    ) -> Iterator[Result | Lost]:
        """Call a function with items on the workers; yield the results in the order of the items.

        Parameters
        ----------
        function : callable
            Called with an item as its arguments.
        tasks : iterable of sequence of tuple
            The items that one worker does together.
        patience : float
            Time limit in seconds for one item; 0 means none.
        needs : iterable of (str, str)
            Distributions that the workers need beside seqgen, and their versions.

        Raises
        ------
        ClusterError
            If there is no worker, or one has several threads, another version of seqgen or of what
            is needed; or if the scheduler is lost.
        """
        from distributed import KilledWorker

        needed = dict([(OURS, importlib.metadata.version(OURS)), *needs])
        self._check(needed)
        waiting: deque[tuple[Any, Sequence[tuple[Any, ...]]]] = deque()

        def sent(items: Sequence[tuple[Any, ...]]) -> Any:
            return self._sent(needed, function, items, patience)

        def first() -> Iterator[Result | Lost]:
            future, items = waiting.popleft()
            try:
                results = self._fetched(future)
            except KilledWorker:
                # The tasks of a worker are all suspected of its end; an innocent one must be alone.
                self._await([other for other, _ in waiting])
                yield from (self._alone(sent, item) for item in items)
            else:
                yield from results

        try:
            for items in tasks:
                waiting.append((sent(items), items))
                if len(waiting) >= IN_FLIGHT * self._workers():
                    yield from first()
            while waiting:
                yield from first()
        finally:
            self._client.cancel([future for future, _ in waiting])

    def _alone(self, sent: Callable[[Sequence[tuple[Any, ...]]], Any], item: Any) -> Any:
        """Return the result of an item that is the only one sent, or `Lost`."""
        from distributed import KilledWorker

        deaths = 0
        while deaths < DEATHS:
            try:
                [result] = self._fetched(sent([item]))
            except KilledWorker as error:
                deaths += error.allowed_failures + 1
            else:
                return result
        return Lost()

    def _sent(
        self,
        needed: Mapping[str, str],
        function: Any,
        items: Sequence[tuple[Any, ...]],
        patience: float,
    ) -> Any:
        """Send items to a worker; return a future of the list of their results."""
        import cloudpickle

        # Plugin files must be loaded there before objects of their classes are.
        content = cloudpickle.dumps((function, [*items]))
        return self._client.submit(_done, needed, plugin_files(), content, patience, pure=False)

    def _await(self, futures: Sequence[Any]) -> None:
        """Wait until futures have ended, in whatever way.

        Raises
        ------
        ClusterError
            If all workers are gone, or the scheduler is.
        """
        from distributed import CancelledError, wait

        try:
            while futures:
                try:
                    wait(futures, timeout=PATIENCE)
                    return
                except TimeoutError:
                    self._workers()
        except CancelledError as error:
            raise _gone(error) from error

    def _fetched(self, future: Any) -> Any:
        """Return the results of a task.

        Raises
        ------
        ClusterError
            If the worker cannot do it, such as for want of a plugin, or the scheduler is gone.
        KilledWorker
            If it ended its workers.
        """
        from distributed import CancelledError, KilledWorker

        while True:
            self._await([future])
            try:
                return future.result(timeout=PATIENCE)
            except (SeqgenError, KilledWorker):
                raise
            except CancelledError as error:
                raise _gone(error) from error
            except Exception as error:
                # The worker with the result may have died, so that the task is done again.
                if isinstance(error, TimeoutError) and future.status != "error":
                    continue
                raise ClusterError(
                    f"a worker of the cluster failed ({reason_of(error)}); install the same "
                    f"versions of seqgen and its plugins on all machines"
                ) from error

    def _check(self, needed: Mapping[str, str]) -> None:
        """Check what the workers have, before they get work.

        Raises
        ------
        ClusterError
            If a worker has no such distribution, or another version.
        """
        self._workers()
        for name, version in needed.items():
            # A function of Python itself, for a worker may have no seqgen.
            found = self._client.run(importlib.metadata.version, name, on_error="return")
            for worker, other in found.items():
                if isinstance(other, importlib.metadata.PackageNotFoundError):
                    raise _unequal(worker, name, version, None)
                if isinstance(other, str) and other != version:
                    raise _unequal(worker, name, version, other)

    def _workers(self) -> int:
        """Return the number of workers.

        Raises
        ------
        ClusterError
            If there is none, or one has several threads.
        """
        try:
            self._await_worker()
            threads = self._client.nthreads()
        except OSError as error:
            raise _gone(error) from error
        if crowded := [f"{name} has {count}" for name, count in threads.items() if count > 1]:
            raise ClusterError(
                f"the workers of a cluster need one thread each, because a parser that crashes "
                f"ends its process; {crowded[0]}; start them with one each (docs/scaling.md)"
            )
        return max(len(threads), 1)

    def _await_worker(self) -> None:
        """Wait until there is a worker.

        Raises
        ------
        ClusterError
            If none comes within `STARTING` seconds.
        """
        began = time.monotonic()
        while True:
            try:
                self._client.wait_for_workers(1, timeout=LOOK_EVERY)
                return
            except TimeoutError:
                # Dask starts no worker in place of one that dies while it starts.
                self._replace()
            if time.monotonic() - began > STARTING:
                raise ClusterError(
                    f"the cluster had no worker for {STARTING:g} seconds; start one on each "
                    f"machine by the command dask worker (docs/scaling.md)"
                )


def joined() -> Cluster | None:
    """Return the cluster of the innermost block of `on_cluster`, or None."""
    return _joined[-1] if _joined else None


@contextmanager
def on_cluster(address: str) -> Iterator[Cluster]:
    """Let `prepare` and `generate` share their work out to a Dask cluster until the block ends.

    The workers need the same versions of seqgen and its plugins, and see the files and runs under
    the same paths.

    Parameters
    ----------
    address : str
        Address of the scheduler, such as ``tcp://host:8786``; "local" starts a cluster on this
        machine with a worker for each core.

    Raises
    ------
    ClusterError
        If the package is missing, or nobody answers at the address.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ClusterError(
            "a cluster needs Dask; install it with pip install 'seqgen-toolkit[cluster]'"
        ) from error
    with ExitStack() as stack:
        replace = []
        try:
            if address == "local":
                # With no failure allowed `Cluster.each` finds the item that ends workers.
                settings = {
                    "distributed.scheduler.allowed-failures": 0,
                    "distributed.deploy.lost-worker-timeout": GIVEN_UP,
                }
                stack.enter_context(dask.config.set(settings))
                options = {
                    "threads_per_worker": 1,
                    "processes": True,
                    "dashboard_address": None,
                    # Another local cluster may have Dask's usual port.
                    "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"},
                }
                started = LocalCluster(n_workers=_cores(), silence_logs=50, **options)
                address = stack.enter_context(started)
                replace = [partial(started.scale, _cores())]
            client = stack.enter_context(Client(address, timeout=PATIENCE))
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"no cluster answers at {address} ({reason_of(error)}); give the address that "
                f"dask scheduler prints, such as tcp://host:8786, or local"
            ) from error
        made = Cluster(client, *replace)
        _joined.append(made)
        stack.callback(_joined.remove, made)
        yield made


def _gone(error: BaseException) -> ClusterError:
    return ClusterError(
        f"the scheduler of the cluster is gone ({reason_of(error)}); start it again, then give the "
        f"same command"
    )


def _unequal(worker: str, name: str, version: str, other: str | None) -> ClusterError:
    return ClusterError(
        f"the worker {worker} of the cluster has {f'{name} {other}' if other else f'no {name}'}, "
        f"and this process has {name} {version}; install the same version on all machines"
    )


def _cores() -> int:
    import joblib

    return int(joblib.cpu_count())


def _done(
    needed: Mapping[str, str], files: tuple[PluginFile, ...], content: bytes, patience: float
) -> list[Any]:
    """Return the results of items, on a worker; end the worker if one takes too long.

    Raises
    ------
    ClusterError
        If the worker has another version of something; it may have joined late.
    """
    import cloudpickle
    from distributed import get_worker

    for name, version in needed.items():
        try:
            other = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            other = None
        if other != version:
            raise _unequal(get_worker().address, name, version, other)
    load_again(files)
    function, items = cloudpickle.loads(content)
    results = []
    with Path(os.devnull).open("w") as nowhere:
        try:
            for item in items:
                if patience:
                    # Also ends compiled code, which no exception interrupts.
                    faulthandler.dump_traceback_later(patience, exit=True, file=nowhere)
                results.append(function(*item))
        finally:
            faulthandler.cancel_dump_traceback_later()
    return results
