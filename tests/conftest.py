"""Fixtures: a cache of its own for the whole run, and small corpora made here."""

import copy
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Tests measure behaviour, not speed, and on busy cores two threads wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from hypothesis import HealthCheck, settings

import seqgen
from seqgen.cli import app
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


@pytest.fixture(scope="session")
def command():
    """Return a function that runs the command in this process and returns the exit status."""

    def run(*arguments: object) -> int:
        try:
            with any_encoding():
                app.meta([str(argument) for argument in arguments])
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
