"""Fixtures: a cache of its own for the whole run, and small corpora made here."""

import copy
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

# Tests measure behaviour, not speed, and on busy cores two threads wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from hypothesis import HealthCheck, settings

import seqgen
from seqgen.cli import app
from seqgen.cli import run as run_command
from seqgen.cli.printing import any_encoding

torch.set_num_threads(1)

# How long examples take says nothing on a busy machine.
settings.register_profile("seqgen", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("seqgen")

# A shell that starts the tests in the background has them and their processes ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

VERSES = [
    f"{count} green bottles hanging on the wall,\nand if one green bottle should fall,\n"
    f"there will be {count - 1}.\n"
    for count in range(40, 0, -1)
]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # All processes share what is compiled.
    folder /= "cache"
    folder.mkdir(exist_ok=True)
    os.environ["SEQGEN_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def verses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of forty short texts."""
    folder = tmp_path_factory.mktemp("verses")
    for number, verse in enumerate(VERSES):
        (folder / f"{number:02}.txt").write_text(verse)
    return folder


@pytest.fixture(scope="session")
def corpus(verses: Path) -> seqgen.Corpus:
    return seqgen.prepare("text", [verses])


@pytest.fixture(scope="session")
def chorales(tmp_path_factory: pytest.TempPathFactory) -> seqgen.Run:
    """A small model that has seen a few chorales."""
    from music21 import corpus

    folder = tmp_path_factory.mktemp("chorales")
    bach = Path(corpus.__file__).parent / "bach"
    made = seqgen.prepare("music", [bach / f"bwv{number}.7.mxl" for number in (10, 101, 102, 110)])
    model = seqgen.ModelConfig(hidden=32, embedding=16, dropout=0.0)
    config = seqgen.TrainConfig(tokens=20_000, batch_size=4, window=64, device="cpu")
    trained = seqgen.create_run(folder / "run", made, model, config)
    for _ in seqgen.train(trained, made):
        pass
    return trained


@pytest.fixture(scope="session")
def run(corpus: seqgen.Corpus, tmp_path_factory: pytest.TempPathFactory) -> seqgen.Run:
    """A small model that has read the verses for a few seconds."""
    folder = tmp_path_factory.mktemp("run") / "verses"
    model = seqgen.ModelConfig(hidden=64, embedding=16, dropout=0.0)
    config = seqgen.TrainConfig(
        tokens=60_000, batch_size=8, window=32, learning_rate=1e-2, device="cpu"
    )
    made = seqgen.create_run(folder, corpus, model, config)
    for _ in seqgen.train(made, corpus):
        pass
    return seqgen.load(folder, "cpu")


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # Only this machine has names and addresses.
    *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--mute-audio"),
    *("--autoplay-policy=no-user-gesture-required", "--window-size=1000,900"),
)


class Browser:
    """A session of Chromium, driven through chromedriver by the W3C's WebDriver protocol.

    Parameters
    ----------
    port : int
        Where chromedriver listens.
    folder : Path
        For the profile, which is empty at first, and for what is saved.
    """

    def __init__(self, port: int, folder: Path) -> None:
        self._address = f"http://127.0.0.1:{port}/session"
        self.saved = folder / "saved"
        options = {
            "binary": CHROMIUM,
            "args": [*FLAGS, f"--user-data-dir={folder / 'profile'}"],
            "prefs": {"download.default_directory": str(self.saved)},
        }
        wanted = {"browserName": "chrome", "goog:chromeOptions": options}
        wanted["goog:loggingPrefs"] = {"browser": "ALL"}
        made = self._ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self._address += f"/{made['sessionId']}"

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        body = None if method == "DELETE" else json.dumps(content or {}).encode()
        request = Request(self._address + path, body, method=method)
        with urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def close(self) -> None:
        self._ask("DELETE", "")

    def open(self, address: str) -> None:
        self._ask("POST", "/url", {"url": address})

    def run(self, script: str) -> Any:
        """Run a script; return what it returns, or what its promise becomes."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": []})

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + 30
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < end, f"never: {condition}; {self.complaints()}"
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        """Return what the console of the page has said since the last call."""
        return [each["message"] for each in self._ask("POST", "/se/log", {"type": "browser"})]

    def accessibility_faults(self) -> list[str]:
        """Return what axe finds: each broken rule with the elements that break it."""
        import axe_core_python

        axe = Path(axe_core_python.__file__).with_name("axe.min.js").read_text("utf-8")
        self.emulate("Runtime.evaluate", expression=axe)
        found: list[str] = self.run(
            "return axe.run().then((found) => found.violations.flatMap(({ id, nodes }) => "
            "nodes.map((node) => `${id}: ${node.html.slice(0, 200)}`)))"
        )
        return found

    def emulate(self, command: str, **parameters: Any) -> None:
        """Send a command of the Chrome DevTools protocol."""
        self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def text(self, name: str) -> str:
        return str(self.run(f"return document.getElementById('{name}').textContent"))

    def click(self, name: str) -> None:
        self._ask("POST", f"/element/{self._element(name)}/click")

    def type(self, name: str, text: str) -> None:
        self._ask("POST", f"/element/{self._element(name)}/value", {"text": text})

    def _element(self, name: str) -> str:
        found = self._ask("POST", "/element", {"using": "css selector", "value": f"#{name}"})
        return str(next(iter(found.values())))

    def press(self, *keys: str) -> None:
        """Press keys together, wherever the focus is."""
        actions = [{"type": "keyDown", "value": key} for key in keys]
        actions += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self.act([{"type": "key", "id": "keys", "actions": actions}])

    def act(self, actions: list[dict[str, Any]]) -> None:
        self._ask("POST", "/actions", {"actions": actions})

    def saved_file(self, pattern: str) -> Path:
        """Wait for the file that was saved."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            files = list(self.saved.glob(pattern))
            if files and not list(self.saved.glob("*.crdownload")):
                [path] = files
                return path
            time.sleep(0.1)
        raise AssertionError("nothing was saved within a minute")


@pytest.fixture(scope="module")
def open_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for the tests of a module."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("no Chromium with chromedriver (Debian: apt-get install chromium-driver)")
    with subprocess.Popen(
        [str(DRIVER), "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as driver:
        assert driver.stdout is not None
        started = (re.search(r"started successfully on port (\d+)", line) for line in driver.stdout)
        browser = None
        try:
            port = next((int(found[1]) for found in started if found), 0)
            assert port, "chromedriver does not start"
            browser = Browser(port, tmp_path_factory.mktemp("browser"))
            yield browser
        finally:
            if browser is not None:
                browser.close()
            driver.terminate()


@pytest.fixture(scope="session")
def watched():
    """Return a function that watches a piece; it returns ids, log-probabilities and the piece."""
    from seqgen.generation.watching import Asked, watch
    from seqgen.stepping.stepper import choose_stepper

    def collect(run: seqgen.Run, **asked: Any) -> tuple[list[int], list[float | None], Any]:
        ids: list[int] = []
        logs: list[float | None] = []
        steps = watch(run, choose_stepper(run, 1), Asked(**asked), lambda count: False)
        while True:
            try:
                seen = next(steps)
            except StopIteration as end:
                return ids, logs, end.value
            ids[seen.at :], logs[seen.at :] = seen.ids, seen.log_probabilities

    return collect


@pytest.fixture(scope="session")
def command():
    """Return a function that runs the command in this process and returns the exit status."""

    def run(*arguments: object) -> int:
        try:
            with any_encoding():
                run_command([str(argument) for argument in arguments])
        except SystemExit as error:
            return int(error.code or 0)
        finally:
            app.config = ()
        return 0

    return run


@pytest.fixture
def seqgen_command(capsys, command):
    """Return a function that runs the command and returns status, output and error output."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status = command(*arguments)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def write_metadata():
    """Return a function that makes what an installer writes beside a package with entry points."""

    def write(
        folder: Path, name: str, points: dict[str, str], group: str = "seqgen", version: str = "2.5"
    ) -> Path:
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata)
        lines = [f"{point} = {module}" for point, module in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
        return info

    return write


@pytest.fixture(scope="session")
def alterations():
    """Return a function that yields altered copies of JSON: one value removed or replaced in each.

    It yields the keys that lead to the value, and the altered copy. Of a list only the first entry
    is altered.
    """

    def paths_of(value: Any) -> Iterator[tuple[Any, ...]]:
        for key, part in value.items() if isinstance(value, dict) else enumerate(value[:1]):
            yield (key,)
            if isinstance(part, dict | list):
                yield from ((key, *rest) for rest in paths_of(part))

    def altered(info: dict[str, Any]) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
        removed = object()
        values = [removed, None, 5, "x", [], float("nan"), 10**30]
        for path, value in itertools.product(paths_of(info), values):
            changed = copy.deepcopy(info)
            place: Any = changed
            for key in path[:-1]:
                place = place[key]
            if value is removed:
                del place[path[-1]]
            else:
                place[path[-1]] = value
            yield path, changed

    return altered
