"""Listeners of plugins, made here as fake distributions: none stops or changes a training."""

import importlib
import json
import re
import subprocess
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from threading import Event

import pytest

import seqgen
from seqgen.cli.plugins_list import found_plugins
from seqgen.config import ModelConfig, TrainConfig
from seqgen.errors import PluginError
from seqgen.listener import Listener, Report
from seqgen.plugins.faults import RULES
from seqgen.plugins.listeners import find_listeners, load_listener
from seqgen.training import listening
from seqgen.training.listening import Listening

PAGE = Path(__file__).parent.parent / "docs" / "listeners.md"
CONFIG = TrainConfig(tokens=800, batch_size=4, window=16, evaluations=4, device="cpu", checkpoint=0)
TINY = ("--tokens", 800, "--batch-size", 4, "--window", 16, "--hidden", 8, "--device", "cpu")

HOOK = """
    from seqgen.plugin import ListenerSpec, hookimpl

    @hookimpl
    def seqgen_events():
        return [ListenerSpec("NAME", "a listener", "NAME_listener:Own", contract=2)]
"""

#: Writes what it is called with; `HERE` is where the rows below break it.
LISTENER = """
    import _thread, json, os, sys, threading, time
    from dataclasses import asdict

    class Own:
        def __init__(self, folder, info):
            self.file = folder / "calls.jsonl"
            self.write({"domain": info["domain"], "thread": threading.get_ident()})
            info.clear()

        def write(self, row):
            with self.file.open("a") as file:
                print(json.dumps(row), file=file)

        def report(self, report):
            HERE
            self.write(asdict(report))

        def close(self):
            self.write({"closed": True})
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch, write_metadata):
    """Return a function that makes an installed distribution with one listener."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    made = []

    def make(name: str, here: str = "pass", listener: str = LISTENER, hook: str = HOOK) -> Path:
        for module, code in ((f"{name}_plugin", hook), (f"{name}_listener", listener)):
            made.append(module)
            text = textwrap.dedent(code).replace("NAME", name).replace("HERE", here)
            (folder / f"{module}.py").write_text(text)
        points = {name: f"{name}_plugin"}
        write_metadata(folder, f"seqgen-fake-{name}", points, "seqgen.events")
        importlib.invalidate_caches()
        return folder

    yield make
    for module in made:
        sys.modules.pop(module, None)


def trained(folder: Path, corpus: seqgen.Corpus, *events: str) -> list[Report]:
    run = seqgen.create_run(folder, corpus, ModelConfig(hidden=8, embedding=4), CONFIG)
    return list(seqgen.train(run, corpus, events=events))


def calls(folder: Path, name: str) -> list[dict]:
    lines = (folder / "events" / name / "calls.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_reports_arrive_in_order_and_complete(install, corpus, tmp_path: Path, capsys) -> None:
    install("normal", "print(report.step)")
    run = seqgen.create_run(tmp_path / "run", corpus, ModelConfig(hidden=8), CONFIG)
    reports = []
    for report in seqgen.train(run, corpus, events=["normal"]):
        print("mine")
        reports.append(report)
    first, *heard, last = calls(tmp_path / "run", "normal")
    assert first["domain"] == "text" and last == {"closed": True}
    assert heard == [asdict(report) for report in reports] and len(heard) >= 4
    assert heard == list(seqgen.load(tmp_path / "run", "cpu").metrics)
    out, err = capsys.readouterr()
    assert out == "mine\n" * len(reports)
    assert err.split() == [str(report.step) for report in reports]
    assert seqgen.load(tmp_path / "run", "cpu").info["domain"] == "text"


BROKEN = {
    "raises": ("raise KeyError(7)", "KeyError: 7"),
    "sys_exit": ("sys.exit(0)", "SystemExit: 0, which would have ended the process"),
    "os_exit": ("os._exit(0)", "os._exit(0), which would have ended the process"),
    "keyboard": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_fault_is_said_once_and_the_others_go_on(
    kind: str, install, corpus, tmp_path: Path, caplog
) -> None:
    code, reason = BROKEN[kind]
    install("normal")
    site = install(kind, code)
    reports = trained(tmp_path / "run", corpus, kind, "normal")
    [said] = [record.getMessage() for record in caplog.records if record.name == "seqgen.events"]
    assert said.startswith(f"the listener {kind!r} is off from now on, the training goes on: ")
    assert f"seqgen-fake-{kind} 2.5: Own.report fails ({reason}" in said
    line = 1 + textwrap.dedent(LISTENER).splitlines().index("        HERE")
    assert f"{site / kind}_listener.py, line {line}; {RULES['report'].text}" in said
    assert len(calls(tmp_path / "run", kind)) == 1
    assert len(calls(tmp_path / "run", "normal")) == len(reports) + 2
    assert reports[-1].fraction == 1


@pytest.mark.parametrize("method", ["__init__", "close"])
def test_a_fault_of_any_method_names_its_rule(method, install, corpus, tmp_path, caplog) -> None:
    head = next(line for line in LISTENER.splitlines() if f"def {method}(" in line)
    install("bad", listener=LISTENER.replace(head, f"{head}\n            raise KeyError(7)"))
    assert trained(tmp_path / "run", corpus, "bad")[-1].fraction == 1
    [record] = [record for record in caplog.records if record.name == "seqgen.events"]
    assert f"Own.{method} fails (KeyError: 7)" in record.getMessage()
    assert RULES[method].text in record.getMessage()


def test_the_model_is_the_same_with_and_without_listeners(install, corpus, tmp_path) -> None:
    install("normal")
    install("broken", "raise KeyError(7)")
    trained(tmp_path / "alone", corpus)
    trained(tmp_path / "heard", corpus, "normal", "broken")
    alone, heard = (tmp_path / name / "model.safetensors" for name in ("alone", "heard"))
    assert alone.read_bytes() == heard.read_bytes()
    assert not (tmp_path / "alone" / "events").exists()


class Waiting(Listener):
    """Hears nothing until it is released."""

    def __init__(self, released: Event) -> None:
        self.released, self.started, self.steps, self.closed = released, Event(), [], False

    def report(self, report: Report) -> None:
        self.started.set()
        assert self.released.wait(60)
        self.steps.append(report.step)

    def close(self) -> None:
        self.closed = True


def report_of(step: int) -> Report:
    return Report(0.5, step, step, 1.0, 1.0, 0.1)


def test_a_slow_listener_misses_reports_and_their_number_is_said(monkeypatch, caplog) -> None:
    monkeypatch.setattr(listening, "MOST_WAITING", 3)
    released = Event()
    slow = Waiting(released)
    heard = Listening({"slow": lambda: slow})
    for step in range(10):
        heard.report(report_of(step))
    released.set()
    heard.close()
    # The thread takes the first report at any moment, which makes room for one more.
    assert slow.steps[:3] == [0, 1, 2] and len(slow.steps) in (3, 4) and slow.closed
    assert slow.steps == sorted(slow.steps)
    lost = 10 - len(slow.steps)
    assert caplog.messages == [
        f"the listener 'slow' is too slow; it missed {lost} of 10 reports",
    ]


def test_a_listener_that_hangs_is_left(monkeypatch, caplog) -> None:
    monkeypatch.setattr(listening, "CLOSE_SECONDS", 0.1)
    released = Event()
    hanging = Waiting(released)
    heard = Listening({"hanging": lambda: hanging})
    heard.report(report_of(1))
    heard.report(report_of(2))
    assert hanging.started.wait(60)
    heard.close()
    assert caplog.messages == [
        "the listener 'hanging' did not finish in time after the training and was left; "
        "it missed 2 of 2 reports"
    ]
    released.set()
    [thread] = heard._threads
    thread.join(60)
    assert hanging.steps == [1] and not hanging.closed  # what is left takes no further report


def test_the_command_says_that_a_listener_hangs(
    install, verses, tmp_path: Path, seqgen_command, monkeypatch
) -> None:
    monkeypatch.setattr(listening, "CLOSE_SECONDS", 1.0)
    install("hanging", "print('noise'); threading.Event().wait()")
    install("normal")
    out = tmp_path / "run"
    arguments = ("train", "text", verses, "--out", out, *TINY)
    status, shown, err = seqgen_command(*arguments, "--events", "hanging", "--events", "normal")
    assert (status, shown) == (0, f"{out}\n")
    assert "listeners that get the reports: hanging, normal" in err and "noise" in err
    assert err.count("the listener 'hanging' did not finish in time") == 1
    assert calls(out, "normal")[-1] == {"closed": True}


def test_a_process_ends_though_a_listener_hangs() -> None:
    code = """
import threading
from seqgen.training import listening

class Hanging:
    def report(self, report):
        print("never shown on standard output")
        started.set()
        threading.Event().wait()

listening.CLOSE_SECONDS = 0.1
started = threading.Event()
with listening.diverting():
    heard = listening.Listening({"hanging": Hanging})
    heard.report(object())
    started.wait()
    heard.close()
print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "the listener 'hanging' did not finish in time" in done.stderr


def test_a_resumed_training_goes_on_with_its_listeners(install, corpus, tmp_path, caplog) -> None:
    install("normal")
    run = seqgen.create_run(tmp_path / "run", corpus, ModelConfig(hidden=8), CONFIG)
    training = seqgen.train(run, corpus, events=["normal"])
    first = next(training)
    training.close()
    (run.folder / "events" / "gone").mkdir()
    rest = list(seqgen.train(seqgen.Run(run.folder, "cpu"), corpus))
    found = calls(run.folder, "normal")
    assert [call.get("step", "") for call in found] == [
        *("", first.step, ""),
        *("", *(report.step for report in rest), ""),
    ]
    assert [found[2], found[-1]] == [{"closed": True}] * 2
    [said] = caplog.messages
    assert said.startswith("the training goes on without a listener: no listener 'gone'")


def test_ctrl_c_still_saves_and_closes(install, corpus, tmp_path: Path) -> None:
    install("normal")
    run = seqgen.create_run(tmp_path / "run", corpus, ModelConfig(hidden=8), CONFIG)
    training = seqgen.train(run, corpus, events=["normal"])
    next(training)
    last = training.throw(KeyboardInterrupt())
    assert last.interrupted and not list(training)
    *_, heard, closed = calls(run.folder, "normal")
    assert heard == asdict(last) and closed == {"closed": True}
    assert (run.folder / "model.safetensors").exists()


BROKEN_PLUGINS = {
    "no_import": ({"hook": "import no_such_library"}, "No module named 'no_such_library'"),
    "wrong_type": (
        {
            "hook": HOOK.replace(
                'ListenerSpec("NAME", "a listener", "NAME_listener:Own", contract=2)', "7"
            )
        },
        "must return ListenerSpec objects, found 7",
    ),
    "old": ({"hook": HOOK.replace(", contract=2)", ")")}, "written for contract 1"),
    "no_class": ({"listener": "Own = 7"}, "its implementation must be a class, found 7"),
    "no_method": (
        {"listener": "class Own:\n    def report(self, report): pass"},
        "no_method_listener.Own lacks close",
    ),
}


@pytest.mark.parametrize("kind", BROKEN_PLUGINS)
def test_a_broken_plugin_is_refused_before_files_are_read(
    kind, install, tmp_path: Path, seqgen_command
) -> None:
    changes, cause = BROKEN_PLUGINS[kind]
    install(kind, **changes)
    arguments = ("train", "text", tmp_path / "nowhere", "--events", kind)
    status, _, err = seqgen_command(*arguments)
    assert status == 3 and f"the listener {kind!r} cannot be used: " in err and cause in err
    assert seqgen_command("train", "text", tmp_path / "nowhere")[0] == 4


def test_listeners_are_listed_and_can_be_left_out(install, seqgen_command, monkeypatch) -> None:
    install("normal")
    install("tensorboard", hook=HOOK)
    listed = {each["distribution"]: each for each in found_plugins()}
    assert listed["seqgen-fake-normal"]["state"] == "loaded"
    [about] = listed["seqgen-fake-normal"]["listeners"]
    assert listed["seqgen-fake-tensorboard"]["state"] == "refused"
    core = listed["seqgen-toolkit"]
    assert core["state"] == "loaded" and core["domains"] == []
    assert [each["name"] for each in core["architectures"]] == ["lstm"]
    assert [each["name"] for each in core["listeners"]] == ["tensorboard"]
    assert (about["name"], about["contract"]) == ("normal", 2)
    assert "  listener normal: contract 2\n" in seqgen_command("plugins", "list")[1]
    own, taken = [each for each in find_listeners() if each.name == "tensorboard"]
    assert (own.status, own.distribution) == ("ok", "seqgen-toolkit")
    assert taken.status == "conflict" and "is the listener of the core" in taken.problem
    monkeypatch.setenv("SEQGEN_PLUGINS", "seqgen-text")
    listed = {each["distribution"]: each for each in found_plugins()}
    assert listed["seqgen-fake-normal"]["state"] == "left out"
    with pytest.raises(PluginError, match="SEQGEN_PLUGINS=seqgen-text leaves out"):
        load_listener("normal")


def test_an_unknown_listener_lists_the_known_and_suggests() -> None:
    with pytest.raises(PluginError, match=r"installed are .*tensorboard; did you mean 'tensorb"):
        load_listener("tensorbord")


def test_the_listener_of_the_page_works(
    corpus, tmp_path: Path, monkeypatch, write_metadata
) -> None:
    code = dict(
        re.findall(r"`(seqgen_notes/\w+\.py)`.*?```python\n(.*?)```", PAGE.read_text(), re.S)
    )
    assert len(code) == 2
    (tmp_path / "seqgen_notes").mkdir()
    for place, text in code.items():
        (tmp_path / place).write_text(text)
    assert '[project.entry-points."seqgen.events"]\nnotes = "seqgen_notes"\n' in PAGE.read_text()
    write_metadata(tmp_path, "seqgen-notes", {"notes": "seqgen_notes"}, "seqgen.events")
    monkeypatch.syspath_prepend(str(tmp_path))
    reports = trained(tmp_path / "run", corpus, "notes")
    lines = (tmp_path / "run" / "events" / "notes" / "losses.txt").read_text().splitlines()
    assert lines == [
        "codec characters",
        *(f"{each.step} {each.valid_loss}" for each in reports if each.valid_loss is not None),
    ]
    for name in ("seqgen_notes", "seqgen_notes.listener"):
        sys.modules.pop(name)
