"""How a command ends from outside: signals, kills, and systems where nothing can be written."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import seqgen
from seqgen.errors import RunError
from seqgen.storage.locks import hold
from seqgen.storage.signals import ENDING, received, undivided

ON_LINUX = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")


def start(*arguments: object, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "seqgen", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env=os.environ | environment
    )


def until(condition) -> None:
    """Wait for something that comes soon."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_signal_between_two_handlers_leaves_both_as_they_were(monkeypatch) -> None:
    real, before = signal.signal, [signal.getsignal(number) for number in ENDING]
    told = []

    def second_comes(number, handler):
        old = real(number, handler)
        told.append(number)
        if len(told) == 1:
            raise KeyboardInterrupt
        return old

    monkeypatch.setattr("signal.signal", second_comes)
    with pytest.raises(KeyboardInterrupt), undivided():
        raise AssertionError("not begun")
    assert told and [signal.getsignal(number) for number in ENDING] == before


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_saves_what_was_generated(run, tmp_path: Path, name: str) -> None:
    number, out = getattr(signal, name), tmp_path / "out"
    endless = ("--length", "100000000", "--ban", "<end>", "--out", out)
    process = start("generate", run.folder, *endless)
    shown = process.stdout.read(1)
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == 128 + number, errors
    assert "Traceback" not in errors and "interrupted" in errors
    assert list(tmp_path.iterdir()) == [out]
    assert json.loads((out / "manifest.json").read_text())["interrupted"]
    assert (out / "text-1.txt").read_text("utf-8").startswith(shown)


def test_a_training_ends_by_sigterm_with_its_model(corpus, tmp_path: Path) -> None:
    sizes = ("--hidden", "16", "--batch-size", "4", "--window", "16", "--device", "cpu")
    process = start(
        *(
            "train",
            "text",
            corpus.folder,
            "--out",
            tmp_path / "run",
            "--tokens",
            "100000000",
            *sizes,
        )
    )
    until(lambda: (tmp_path / "run/metrics.jsonl").exists())
    until(lambda: seqgen.Run(tmp_path / "run").metrics)
    process.terminate()
    _, errors = process.communicate()
    assert process.returncode == 143 and "the best model is in" in errors
    run = seqgen.load(tmp_path / "run", "cpu")
    assert run.is_begun and run.info["result"]["interrupted"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_ctrl_c_while_the_command_is_imported_is_no_traceback() -> None:
    code = (
        "import builtins, signal\n"
        "real = builtins.__import__\n"
        "def slow(name, *rest):\n"
        "    if name == 'cyclopts': signal.raise_signal(signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "from seqgen.__main__ import main\n"
        "builtins.__import__ = slow\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_what_is_undivided_hears_of_a_signal_at_its_end(name: str, monkeypatch) -> None:
    number, done = getattr(signal, name), []
    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), undivided():
            with undivided():
                signal.raise_signal(number)
                done.append("inner")
            done.append("outer")
    finally:
        signal.signal(number, before)
    assert done == ["inner", "outer"] and not received


def test_a_signal_is_heard_of_though_the_undivided_block_fails() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as caught, undivided():
            signal.raise_signal(signal.SIGINT)
            raise OSError("the disk is full")
    finally:
        assert signal.signal(signal.SIGINT, before) is signal.default_int_handler
    assert isinstance(caught.value.__cause__, OSError)


def test_an_error_that_comes_with_ctrl_c_ends_a_training(corpus, tmp_path, monkeypatch) -> None:
    """It is neither lost nor followed by more learning."""

    def fail(self, report) -> None:
        signal.raise_signal(signal.SIGINT)
        raise OSError("the disk is full")

    monkeypatch.setattr("seqgen.training.keeping.Keeper.record", fail)
    config = seqgen.TrainConfig(tokens=1_000, batch_size=2, window=8, device="cpu", evaluations=1)
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    with pytest.raises(OSError, match="the disk is full"):
        list(seqgen.train(seqgen.create_run(tmp_path / "run", corpus, model, config), corpus))


@ON_LINUX
def test_a_folder_that_cannot_be_made_is_refused_with_the_reason() -> None:
    with (
        pytest.raises(RunError, match=r"/proc/x cannot be made \(No such file.*another `folder`"),
        hold(Path("/proc/x")),
    ):
        pass


READER = """
import os, sys, time
from pathlib import Path
import seqgen.data.reading
from seqgen.data.workers import share_out
import joblib
if __name__ == "__main__":
    def report(number):
        Path(sys.argv[1], str(os.getpid())).touch()
        time.sleep(600)
    share_out([joblib.delayed(report)(number) for number in range(2)], 2)
"""


@ON_LINUX
@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_readers_end_with_the_process_that_started_them(tmp_path: Path, how: str) -> None:
    """Ctrl-C reaches all processes of a terminal; readers say nothing of it."""
    (tmp_path / "pids").mkdir()
    (tmp_path / "script.py").write_text(READER.replace("sys.argv[1]", repr(str(tmp_path / "pids"))))
    process = subprocess.Popen(
        [sys.executable, tmp_path / "script.py"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: len(list((tmp_path / "pids").iterdir())) == 2)
    readers = [int(path.name) for path in (tmp_path / "pids").iterdir()]
    if how == "killed":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGINT)
    process.wait()
    errors = process.stderr.read()
    until(lambda: not any(_alive(reader) for reader in readers))
    assert errors.count("Traceback") == (how == "interrupted"), errors


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


NOWHERE = """
import sys, tempfile
import numba.core.caching as caching
def refuse(self): raise OSError(30, "Read-only file system")
# Folders beside the sources cannot be written.
caching.InTreeCacheLocator.ensure_cache_path = refuse
sys.argv = ["seqgen", *sys.argv[1:]]
from seqgen.__main__ import main
main()
"""


def test_a_command_works_where_neither_home_nor_the_installation_can_be_written(
    run, tmp_path: Path
) -> None:
    """Below a file nothing can be made, not even by root."""
    nowhere = {"HOME": "/dev/null/home", "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": "/dev/null/c"}
    environment = {name: value for name, value in os.environ.items() if name != "SEQGEN_CACHE"}
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(f"text number {number}, long enough to be read")

    def command(*arguments: object, **more: str) -> subprocess.CompletedProcess:
        line = [sys.executable, "-c", NOWHERE, *map(str, arguments)]
        place = environment | nowhere | more
        return subprocess.run(line, capture_output=True, text=True, env=place, cwd=tmp_path)

    done = command("prepare", "text", *tmp_path.glob("*.txt"))
    assert done.returncode == 0, done.stderr
    [cache] = tmp_path.glob("seqgen-*")
    assert done.stdout.startswith(str(cache)) and cache.stat().st_mode & 0o077 == 0
    assert done.stderr.count("the cache folder cannot be written") == 1
    # Machine code is kept in a cache folder of seqgen only, never among the temporary files.
    code = "import seqgen.compiling as c; f = c.compiled(lambda x: x + 1); f(1); print(f._cache)"
    (tmp_path / "probe.py").write_text(NOWHERE.split("sys.argv")[0] + code)
    for chosen, kept in ((tmp_path / "mine", True), (None, False)):
        more = {} if chosen is None else {"SEQGEN_CACHE": str(chosen)}
        place = environment | nowhere | more
        done = subprocess.run(
            [sys.executable, tmp_path / "probe.py"], capture_output=True, text=True, env=place
        )
        assert done.returncode == 0, done.stderr
        assert ("NullCache" not in done.stdout) == kept
    assert list((tmp_path / "mine/compiled").rglob("*.nbi"))


def test_a_foreign_temporary_folder_is_not_taken_for_the_cache(tmp_path, monkeypatch) -> None:
    from seqgen import files

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"seqgen-{os.getuid()}").mkdir(mode=0o777)
    (tmp_path / f"seqgen-{os.getuid()}").chmod(0o777)
    folder = files._temporary_cache.__wrapped__()
    assert folder.parent == tmp_path and folder.name != f"seqgen-{os.getuid()}"


def test_two_processes_never_mix_machine_code() -> None:
    """They take turns, so two signatures never get one name."""
    from seqgen.compiling import _SharedCache

    inside: list[str] = []
    cache, other = _SharedCache(_add), _SharedCache(_add)
    with cache._locked():
        thread = threading.Thread(target=lambda: _enter(other, inside))
        thread.start()
        thread.join(0.2)
        assert not inside
    thread.join()
    assert inside == ["other"]


def _enter(cache, inside: list[str]) -> None:
    with cache._locked():
        inside.append("other")


def _add(x: int) -> int:
    return x + 1


def test_out_of_memory_is_a_message(run, monkeypatch, capsys) -> None:
    from seqgen.cli import app

    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")):

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        # A module that is imported now must not keep another `load`.
        monkeypatch.setattr("seqgen.run.folder.Run.__init__", fail)
        with pytest.raises(SystemExit) as ended:
            app.meta(["generate", str(run.folder)])
        said = capsys.readouterr().err
        assert ended.value.code == 1 and "out of memory; compute the batch in parts" in said


@pytest.mark.parametrize("name", ["resume", "info", "score", "generate"])
def test_what_has_no_out_does_not_propose_it(name: str, run, monkeypatch, capsys) -> None:
    from seqgen.cli import app

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "elsewhere")

    # A module that is imported now must not keep another `Run`.
    monkeypatch.setattr("seqgen.run.folder.Run.__init__", refuse)
    with pytest.raises(SystemExit) as ended:
        app.meta([name, str(run.folder)])
    said = capsys.readouterr().err
    assert ended.value.code == 1 and "'elsewhere'; allow writing there" in said
    assert ("--out" in said) == (name == "generate")


def test_a_run_that_cannot_be_written_says_where_to_write(run, tmp_path: Path, monkeypatch) -> None:
    from seqgen.report.samples import write_samples

    mkdir, limit = Path.mkdir, seqgen.LimitConfig(length=5)

    def read_only(self: Path, *arguments: object, **options: object) -> None:
        if run.folder.resolve() in self.resolve().parents:
            raise OSError(30, "Read-only file system", str(self))
        mkdir(self, *arguments, **options)

    monkeypatch.setattr("pathlib.Path.mkdir", read_only)
    shut = seqgen.load(run.folder, "cpu")
    monkeypatch.setattr("seqgen.report.samples.highest_number", lambda _: 98)
    with pytest.raises(RunError, match=r"samples/99 cannot be made \(Read-only.*another `folder`"):
        write_samples(shut, seqgen.generate(shut, 1, limit=limit))
    written = write_samples(shut, seqgen.generate(shut, 1, limit=limit), tmp_path / "out")
    assert len(written.paths) == 1
