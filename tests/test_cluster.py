"""A Dask cluster of two workers makes the same bytes as one process, also where workers die."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import seqgen
from seqgen.cluster import Cluster, Lost
from seqgen.errors import ClusterError

pytest.importorskip("distributed")

FRAGILE = """
import os, time
from pathlib import Path
from seqgen.plugin import *
import seqgen_text.domain as text

class Fragile(text.Text):
    name = "fragile"
    suffixes = (".frg",)

    def read(self, path, options):
        if path.read_text() == "abort":
            os.abort()
        if path.read_text() == "once":
            for mark in (path.with_suffix(".1"), path.with_suffix(".2")):
                if mark.exists():
                    mark.unlink()
                    os.abort()
        return super().read(path, options)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of two workers, which also gets the domain `fragile`."""
    plugin = tmp_path_factory.mktemp("plugin") / "fragile.py"
    plugin.write_text(FRAGILE)
    seqgen.load_plugin(plugin)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "2")
        with seqgen.on_cluster("local") as made:
            yield made


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def sent(act: Callable[[int], object]) -> Callable[[int], int]:
    """Return a function that cloudpickle sends whole, for workers cannot import tests."""

    def number_after(number: int) -> int:
        act(number)
        return number

    return number_after


def dying(folder: Path | None) -> Callable[[int], int]:
    """Return a function that kills its worker at 5; only once, if there is a folder for a mark."""

    def act(number: int) -> None:
        if number == 5 and (folder is None or not (folder / "killed").exists()):
            if folder is not None:
                (folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return sent(act)


def test_two_local_clusters_run_at_once(cluster: Cluster, monkeypatch) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    with seqgen.on_cluster("local") as other:
        assert [*other.each(sent(lambda number: None), [[(1,)]])] == [1]


def test_results_come_in_order_and_few_tasks_wait(cluster: Cluster) -> None:
    taken = []

    def tasks() -> Iterator[list[tuple[int]]]:
        for number in range(0, 60, 2):
            taken.append(number)
            yield [(number,), (number + 1,)]

    found = cluster.each(sent(lambda number: None), tasks())
    assert next(found) == 0 and len(taken) <= 6
    assert [0, *found] == [*range(60)]


def test_a_worker_that_dies_costs_nothing(cluster: Cluster, tmp_path: Path) -> None:
    tasks = [[(number,) for number in range(at, at + 3)] for at in range(0, 12, 3)]
    assert [*cluster.each(dying(tmp_path), tasks)] == [*range(12)]


def test_an_item_that_kills_its_workers_costs_itself(cluster: Cluster) -> None:
    found = [*cluster.each(dying(None), [[(4,), (5,), (6,)], [(7,)]])]
    assert isinstance(found.pop(1), Lost) and found == [4, 6, 7]


def test_workers_that_are_gone_for_good_are_replaced(cluster: Cluster) -> None:
    """Dask starts no other worker where one died while it was starting."""
    import dask

    workers = cluster._client.scheduler_info(n_workers=-1)["workers"]
    with dask.config.set({"distributed.deploy.lost-worker-timeout": 0.1}):
        cluster._client.retire_workers([*workers], close_workers=True)
        assert [*cluster.each(sent(lambda number: None), [[(1,)], [(2,)]])] == [1, 2]


def test_an_item_that_takes_too_long_costs_itself(cluster: Cluster) -> None:
    slow = sent(lambda number: time.sleep(60 if number == 2 else 0))
    found = [*cluster.each(slow, [[(1,), (2,)], [(3,)]], patience=0.5)]
    assert isinstance(found.pop(1), Lost) and found == [1, 3]


def test_a_corpus_has_the_bytes_of_one_process(cluster, verses, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen.data.workers.TASK_FILES", 4)
    there = seqgen.prepare("text", [verses], tmp_path / "there")
    monkeypatch.setattr("seqgen.cluster._joined", [])
    here = seqgen.prepare("text", [verses], tmp_path / "here", jobs=1)
    assert content(there.folder) == content(here.folder)


def fragile(folder: Path, third: str) -> list[Path]:
    """Return eight files; what is in one of them ends the process of its parser."""
    for number in range(8):
        (folder / f"{number}.frg").write_text(f"text number {number}")
    (folder / "3.frg").write_text(third)
    return sorted(folder.glob("*.frg"))


def test_a_file_that_kills_its_workers_is_listed(cluster: Cluster, tmp_path: Path) -> None:
    files = fragile(tmp_path, "abort")
    corpus = seqgen.prepare("fragile", files, tmp_path / "corpus", patience=30)
    [entry] = corpus.info["skipped"]
    assert Path(entry["source"]).name == "3.frg" and "crashed twice" in entry["reason"]
    names = [Path(corpus.source(index)).name for index in range(corpus.info["pieces"])]
    assert names == [f"{number}.frg" for number in (0, 1, 2, 4, 5, 6, 7)]


def test_a_file_whose_worker_dies_once_alone_is_not_lost(
    cluster: Cluster, tmp_path: Path, monkeypatch
) -> None:
    files = fragile(tmp_path, "once")
    # The first death is among other files, the second alone.
    marks = [tmp_path / "3.1", tmp_path / "3.2"]
    for mark in marks:
        mark.touch()
    there = seqgen.prepare("fragile", files, tmp_path / "there", patience=30)
    assert not any(mark.exists() for mark in marks)
    monkeypatch.setattr("seqgen.cluster._joined", [])
    here = seqgen.prepare("fragile", files, tmp_path / "here", jobs=1)
    assert there.info["skipped"] == [] and content(there.folder) == content(here.folder)


def test_a_worker_of_another_version_is_refused(cluster: Cluster) -> None:
    message = r"tcp://.* has seqgen-toolkit 0.1.0, and this process has seqgen-toolkit 9.9; install"
    act = sent(lambda number: None)
    with pytest.raises(ClusterError, match=message):
        [*cluster.each(act, [[(1,)]], needs=[("seqgen-toolkit", "9.9")])]
    with pytest.raises(ClusterError, match=r"has no seqgen-walk, .* has seqgen-walk 1.2; install"):
        [*cluster.each(act, [[(1,)]], needs=[("seqgen-walk", "1.2")])]


def test_a_worker_that_joins_late_is_refused(cluster: Cluster, monkeypatch) -> None:
    monkeypatch.setattr(Cluster, "_check", lambda self, needed: None)
    with pytest.raises(ClusterError, match=r"tcp://.* has no seqgen-walk"):
        [*cluster.each(sent(lambda number: None), [[(1,)]], needs=[("seqgen-walk", "1.2")])]


def test_without_dask_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "dask", None)
    with (
        pytest.raises(ClusterError, match=r"seqgen-toolkit\[cluster\]"),
        seqgen.on_cluster("local"),
    ):
        pass


def test_a_file_that_workers_do_not_see_is_named(cluster: Cluster, tmp_path: Path) -> None:
    from seqgen.data.workers import on_workers

    tasks = [(None, tmp_path / "gone.txt", "gone.txt")]
    with pytest.raises(ClusterError, match=r"does not see .*gone.txt; put the files on storage"):
        [*on_workers(cluster, tasks, {"gone.txt": 1}, 10, set())]


def test_an_address_where_nobody_answers_is_refused(monkeypatch) -> None:
    monkeypatch.setattr("seqgen.cluster.PATIENCE", 0.3)
    message = r"no cluster answers at tcp://127.0.0.1:9 .*such as tcp://host:8786, or local"
    with pytest.raises(ClusterError, match=message), seqgen.on_cluster("tcp://127.0.0.1:9"):
        pass
