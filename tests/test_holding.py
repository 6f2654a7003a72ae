"""Two at once: nobody's work is lost or mixed; and what killed processes left is removed."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import seqgen
from seqgen.errors import InUse, RunError
from seqgen.files import new_folder, write_atomic
from seqgen.report.samples import write_samples
from seqgen.run.folder import Run
from seqgen.storage.locks import REPLACED, hold, hold_first, sweep, temporary_name

MARK = '{"seqgen": "test"}'
LIMIT = seqgen.LimitConfig(length=20)

#: Holds a folder until its input ends, or it is killed.
HOLDER = """
import sys
from pathlib import Path
from seqgen.files import new_folder
from seqgen.storage.locks import hold
if sys.argv[2] == "hold":
    with hold(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
else:
    with new_folder(Path(sys.argv[1]), marker="mark", overwrite=True) as folder:
        (folder / "mark").write_text('{"seqgen": "test"}')
        print("held", flush=True)
        sys.stdin.read()
"""


class Other:
    """Another process that holds a folder."""

    def __init__(self, path: Path, what: str = "hold") -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", HOLDER, str(path), what]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdout.readline() == "held\n"

    def __enter__(self) -> subprocess.Popen:
        return self.process

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_mark(path: Path, content: str = MARK, overwrite: bool = False) -> None:
    with new_folder(path, marker="mark", overwrite=overwrite) as folder:
        (folder / "mark").write_text(content)


def test_who_holds_a_folder_is_told_and_death_lets_it_go(tmp_path: Path) -> None:
    with Other(tmp_path / "run") as other:
        with pytest.raises(InUse, match=rf"run is in use by process {other.pid} since \d{{4}}-"):
            write_mark(tmp_path / "run")
        with hold_first([tmp_path / "run", tmp_path / "run-2"]) as free:
            assert free == tmp_path / "run-2"
    write_mark(tmp_path / "run")
    assert names(tmp_path) == ["run"], "no lock is left"


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    write_mark(tmp_path / "old", '{"seqgen": "old"}')
    with Other(tmp_path / "alive", "make"):
        with Other(tmp_path / "killed", "make"):
            pass
        (temporary_name(tmp_path / "file")).write_text("half")
        (tmp_path / ".hidden").write_text("somebody else's")
        # Killed between two names: the old folder is there, the new one not yet.
        (tmp_path / "old").rename(temporary_name(tmp_path / "old", ".replaced"))
        assert len(names(tmp_path)) == 7
        write_mark(tmp_path / "next")
        stems = [name.lstrip(".").split(".")[0] for name in names(tmp_path)]
        assert sorted(stems) == ["alive", "alive", "hidden", "next", "old"]
        assert "old" in (tmp_path / "old/mark").read_text()
    sweep(tmp_path)
    assert names(tmp_path) == [".hidden", "next", "old"]


def test_a_file_that_is_being_written_is_no_leftover(tmp_path: Path, monkeypatch) -> None:
    path, fsync = tmp_path / "file", os.fsync

    def swept(descriptor: int) -> None:
        threading.Thread(target=sweep, args=[tmp_path]).run()
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", swept)
    write_atomic(path, "whole")
    assert path.read_text() == "whole" and names(tmp_path) == ["file"]


def test_two_threads_never_hold_the_same(tmp_path: Path) -> None:
    refused = []

    def hold_too() -> None:
        try:
            with hold(tmp_path / "run"):
                pass
        except InUse as error:
            refused.append(str(error))

    with hold(tmp_path / "run"), hold(tmp_path / "run"):
        thread = threading.Thread(target=hold_too)
        thread.start()
        thread.join()
    assert len(refused) == 1 and f"process {os.getpid()}" in refused[0]
    hold_too()
    assert len(refused) == 1 and names(tmp_path) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_somebody_else_put_there_meanwhile_stays(tmp_path: Path, overwrite: bool) -> None:
    """Also what was made stays, under another name."""
    path = tmp_path / "samples"
    with (
        pytest.raises(RunError, match=r"the result is in .*samples-2"),
        new_folder(path, marker="mark", overwrite=overwrite) as folder,
    ):
        (folder / "mark").write_text(MARK)
        path.mkdir()
        (path / "thesis").write_text("mine")
    assert (path / "thesis").read_text() == "mine"
    assert (tmp_path / "samples-2/mark").read_text() == MARK


def test_the_system_refuses_what_no_check_has_seen(tmp_path: Path, monkeypatch) -> None:
    """Something may come between the last look and the new name."""
    path = tmp_path / "samples"
    with (
        pytest.raises(RunError, match=r"the result is in .*samples-2"),
        new_folder(path, marker="mark"),
    ):
        path.mkdir()
        (path / "thesis").write_text("mine")
        monkeypatch.setattr("seqgen.files.refuse_existing", lambda *_, **__: None)
        monkeypatch.setattr("seqgen.files._holds_something", lambda _: False)
    assert (path / "thesis").read_text() == "mine" and (tmp_path / "samples-2").is_dir()


def test_a_folder_is_held_until_the_last_of_one_thread_lets_go(tmp_path: Path) -> None:
    first, second = hold(tmp_path / "run"), hold(tmp_path / "run")
    refused = []

    def other() -> None:
        try:
            with hold(tmp_path / "run"):
                refused.append(False)
        except InUse:
            refused.append(True)

    first.__enter__()
    second.__enter__()
    for holder in (None, first, second):
        if holder is not None:
            holder.__exit__(None, None, None)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert refused == [True, True, False] and names(tmp_path) == []


def test_hidden_names_of_others_are_no_leftovers(tmp_path: Path) -> None:
    (tmp_path / ".photos.old.partial").mkdir()
    (tmp_path / ".photos.old.partial/one").write_text("mine")
    (tmp_path / ".film.0123456789abcdef.partial.part").write_text("mine")
    (tmp_path / ".film.partial").write_text("mine")
    (tmp_path / ".theses.replaced").mkdir()
    before = sorted(tmp_path.rglob("*"))
    sweep(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    for leftover in (temporary_name(tmp_path / "a.b"), temporary_name(tmp_path / "c", REPLACED)):
        leftover.mkdir()
    temporary_name(tmp_path / "d").write_text("half")
    sweep(tmp_path)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "c"])


def test_an_old_folder_stays_until_the_new_one_is_there(tmp_path: Path, monkeypatch) -> None:
    write_mark(tmp_path / "run", '{"seqgen": "old"}')
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output") as refused:
        patch.setattr("pathlib.Path.rename", full)
        write_mark(tmp_path / "run", overwrite=True)
    assert refused.value.filename == str(tmp_path / "run")
    assert "old" in (tmp_path / "run/mark").read_text() and names(tmp_path) == ["run"]


def test_samples_written_at_once_are_in_folders_of_their_own(run) -> None:
    new = list(seqgen.generate(run, 2, limit=LIMIT))

    def both():
        yield new[0]
        # The other one takes its name now, and is there first.
        other = threading.Thread(target=lambda: others.append(write_samples(run, new)))
        other.start()
        other.join()
        yield new[1]

    others: list = []
    first = write_samples(run, both())
    numbers = [int(samples.folder.name) for samples in (first, *others)]
    assert numbers[1] == numbers[0] + 1
    for samples in (first, *others):
        assert [path.read_text() for path in samples.paths] == [piece.piece for piece in new]


def test_two_trainings_of_one_run_never_mix(corpus, tmp_path: Path) -> None:
    """A second training, or another run in its place, is refused while the first goes on."""
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    config = seqgen.TrainConfig(tokens=2000, batch_size=2, window=16, device="cpu", evaluations=2)
    made = seqgen.create_run(tmp_path / "run", corpus, model, config)
    refused = []

    def second() -> None:
        for attempt in (
            lambda: next(seqgen.train(Run(made.folder, "cpu"), corpus)),
            lambda: seqgen.create_run(made.folder, corpus, model, config, overwrite=True),
        ):
            try:
                attempt()
            except InUse as error:
                refused.append(error)
        # What it measures beside is not written over what the training writes.
        seqgen.measure_baseline(Run(made.folder, "cpu"), corpus)

    training = seqgen.train(made, corpus)
    next(training)
    thread = threading.Thread(target=second)
    thread.start()
    thread.join()
    list(training)
    assert len(refused) == 2 and not made.is_begun
    steps = [row["step"] for row in made.metrics]
    assert steps == sorted(set(steps))
    info = json.loads((made.folder / "run.json").read_text())
    assert "baseline" not in info and info["result"]["temperature"]


def test_a_corpus_in_the_cache_is_made_once_by_two(verses: Path, monkeypatch) -> None:
    made, finish = [], seqgen.data.corpus.CorpusWriter.finish

    def slow(self, *arguments) -> None:
        if not made:
            made.append(self)
            other.start()
            other.join(0.2)
            assert other.is_alive(), "it waits"
        else:
            made.append(self)
        finish(self, *arguments)

    monkeypatch.setattr("seqgen.data.corpus.CorpusWriter.finish", slow)
    found: list = []
    other = threading.Thread(
        target=lambda: found.append(seqgen.prepare("text", [verses], seed=707, jobs=1))
    )
    found.append(seqgen.prepare("text", [verses], seed=707, jobs=1))
    other.join()
    assert len(made) == 1 and found[0].folder == found[1].folder


def test_one_thread_trains_a_run_once_at_a_time(corpus, tmp_path: Path) -> None:
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    config = seqgen.TrainConfig(tokens=1_000, batch_size=2, window=8, device="cpu", evaluations=2)
    run = seqgen.create_run(tmp_path / "run", corpus, model, config)
    first = seqgen.train(run, corpus)
    next(first)
    with pytest.raises(InUse, match="already being trained by this process"):
        next(seqgen.train(Run(run.folder, "cpu"), corpus))
    assert list(first), "the first one goes on"
    second = seqgen.create_run(run.folder, corpus, model, config, overwrite=True)
    assert list(seqgen.train(second, corpus))
