"""What `seqgen plugins new` writes works at once: it is installed, imported and checked here."""

import ast
import json
import runpy
import sys
import tomllib
from pathlib import Path

import pytest

import seqgen
from seqgen.conformance.subject import subject_of
from seqgen.errors import DataError
from seqgen.plugins import discovery
from seqgen.plugins import faults as plugin_faults
from seqgen.plugins import files as plugin_files
from seqgen.testing import Material, domain_checks, run_checks

#: Checks that take longest; they run for the package with everything.
LONG = ("learns_and_writes", "encodes_alike_elsewhere")


@pytest.fixture
def at(tmp_path: Path, monkeypatch) -> Path:
    """The current folder, and plugin files of this test alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(discovery, "_offered", {})
    monkeypatch.setattr(plugin_files, "_files", {})
    return tmp_path


@pytest.fixture
def install(monkeypatch, write_metadata):
    """Return a function that does what an installer does, from the files of a package alone."""

    def make(package: Path) -> None:
        project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
        [(group, points)] = project["entry-points"].items()
        write_metadata(package, project["name"], points, group, project["version"])
        monkeypatch.syspath_prepend(str(package))
        plugin_faults._announced.cache_clear()

    return make


@pytest.fixture
def made(at: Path, install, seqgen_command):
    """Return a function that makes a package, examines its files and installs it."""
    names = []

    def make(name: str, *arguments: str) -> tuple[Path, str]:
        status, out, err = seqgen_command("plugins", "new", name, *arguments)
        assert status == 0, err
        package = at / f"seqgen-{name}"
        listed = {str(at / line) for line in out.splitlines()}
        assert listed == {str(path) for path in package.rglob("*") if path.is_file()}
        for path in package.rglob("*"):
            assert path.is_dir() or "$" not in path.read_text()
        for path in package.rglob("*.py"):
            ast.parse(path.read_text())
            assert "\n\n\n\n" not in path.read_text()
        install(package)
        names.append(name)
        return package, err

    yield make
    for module in [
        each for each in sys.modules if each.split(".")[0].removeprefix("seqgen_") in names
    ]:
        sys.modules.pop(module)


def checked(name: str, folder: Path, *, everything: bool) -> dict[str, str]:
    """Return the states of the checks of a new domain; none may fail."""
    checks = domain_checks(name, Material(fast=True))
    chosen = [each for each in checks if everything or each.promise.__name__ not in LONG]
    outcomes = list(run_checks(chosen, folder))
    assert [str(each) for each in outcomes if each.state == "failed"] == []
    return {each.promise: each.state for each in outcomes}


@pytest.mark.parametrize("flags", [[], ["--labels"], ["--grammar"], ["--labels", "--grammar"]])
def test_a_new_package_keeps_every_promise(flags: list[str], at: Path, made) -> None:
    name = "new" + "".join(flag.removeprefix("--") for flag in flags)
    _, err = made(name, "--suffix", ".new", *flags)
    assert f"python -m pip install -e seqgen-{name} && seqgen plugins check {name}" in err
    states = checked(name, at / "checks", everything=len(flags) == 2)
    # An option, and with the flags masks and labels, are there to be checked.
    assert states["works_with_other_options"] == "passed"
    of_grammars = ("walks_on", "masks_as_it_tracks", "masks_allow_real_pieces")
    for promise in (*of_grammars, "ends_within_a_limit"):
        assert (states[promise] == "passed") == ("--grammar" in flags)
    assert (states["labels_pieces"] == "passed") == ("--labels" in flags)
    domain, _ = discovery.load_domain(name)
    labels = [domain.labels(piece) for piece in domain.read(domain.demo(at)[0], None)]
    assert ({"kind": "rising"} in labels) == ("--labels" in flags)


def test_a_new_package_writes_a_given_text(at: Path, made) -> None:
    made("dictating", "--suffix", ".new", "--dictation")
    states = checked("dictating", at / "checks", everything=False)
    for promise in ("spells_its_pieces", "follows_its_dictation", "writes_requested_texts"):
        assert states[promise] == "passed"
    pieces = {"train": subject_of("dictating", "dictated").pieces}
    corpus = seqgen.write_corpus(at / "corpus", "dictating", pieces)
    config = seqgen.TrainConfig(tokens=800, evaluations=1, batch_size=2)
    run = seqgen.create_run(at / "run", corpus, seqgen.ModelConfig(hidden=16), config)
    for _ in seqgen.train(run, corpus):
        pass
    [new] = seqgen.generate(run, 1, condition="the sea")
    assert "".join(letter for letter, _ in new.piece) == "the sea"
    with pytest.raises(DataError, match="does not know the symbol 'X'"):
        list(seqgen.generate(run, 1, condition="the X"))


def test_a_new_architecture_keeps_every_promise(made, seqgen_command) -> None:
    package, err = made("newcell", "--kind", "architecture")
    assert "python -m pip install -e 'seqgen-newcell[test]' && python -m pytest seqgen-new" in err
    assert run_tests(package) == ["test_promises"]
    status, _, err = seqgen_command("plugins", "check", "newcell")
    assert status == 2 and "newcell is an architecture" in err
    assert "seqgen.testing.check_architecture('newcell') checks it" in err
    status, _, err = seqgen_command("plugins", "check", "tensorboard")
    assert status == 2 and "tensorboard is a listener, and domains are checked here" in err


def test_a_new_listener_follows_a_training(at: Path, made, corpus) -> None:
    package, _ = made("newear", "--kind", "listener")
    assert run_tests(package, at) == ["test_it_writes_validation_losses"]
    config = seqgen.TrainConfig(tokens=800, batch_size=4, window=16, evaluations=2, device="cpu")
    run = seqgen.create_run(at / "run", corpus, seqgen.ModelConfig(hidden=8), config)
    losses = [report.valid_loss for report in seqgen.train(run, corpus, events=["newear"])]
    lines = (at / "run/events/newear/losses.jsonl").read_text().splitlines()
    heard = [json.loads(line)["loss"] for line in lines]
    assert heard == [loss for loss in losses if loss is not None] and len(heard) >= 2


def run_tests(package: Path, *arguments: Path) -> list[str]:
    """Run the tests of a package and return their names."""
    [path] = package.glob("tests/*.py")
    found = runpy.run_path(str(path))
    names = [name for name in found if name.startswith("test_")]
    for name in names:
        found[name](*arguments)
    return names


def test_a_single_file_keeps_every_promise(at: Path, seqgen_command) -> None:
    status, out, _ = seqgen_command("plugins", "new", "solo", "--suffix", ".so", "--single-file")
    assert (status, out) == (0, "solo.py\n")
    assert len((at / "solo.py").read_text().splitlines()) < 60
    status, out, err = seqgen_command("plugins", "check", "solo.py", "--fast", "--json")
    assert status == 0, err
    found = json.loads(out)
    states = {each["promise"]: each["state"] for each in found["checks"]}
    assert set(states.values()) == {"passed", "idle"}
    assert states["encodes_alike_elsewhere"] == states["learns_and_writes"] == "passed"
    [speeds] = found["speeds"]
    assert speeds["tokens_per_second"].keys() == {"encode", "decode"} and speeds["state"] > 10


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("class", "--suffix", ".x"), 2, "one lower-case word, such as chess, found 'class'"),
        (("Go", "--suffix", ".x"), 2, "one lower-case word"),
        (("../go", "--suffix", ".x"), 2, "one lower-case word"),
        (("text", "--suffix", ".x"), 2, "the domain 'text' is there already"),
        (("go", "--suffix", "SGF"), 2, "must be lower-case letters, digits or _, such as .pgn"),
        (("go", "--suffix", "."), 2, "must be lower-case letters, digits or _"),
        (("go",), 2, "--suffix must be lower-case letters, digits or _, such as .pgn, found ''"),
        (("lstm", "--kind", "architecture"), 2, "the architecture 'lstm' is there already"),
        (("tensorboard", "--kind", "listener"), 2, "the listener 'tensorboard' is there already"),
        (("go", "--kind", "listener", "--suffix", ".x"), 2, "--suffix is for domains; leave it"),
        (("go", "--kind", "architecture", "--labels"), 2, "--labels is for domains; leave it"),
        (("go", "--suffix", ".x", "--dictation", "--grammar"), 2, "leave out --grammar"),
        (("go", "--suffix", ".x", "--single-file", "--labels"), 2, "leave it out"),
        (("go", "--suffix", ".x", "--out", "there"), 1, "there is there already"),
    ],
)
def test_what_cannot_be_written_is_refused(
    arguments: tuple[str, ...], status: int, message: str, at: Path, seqgen_command
) -> None:
    (at / "there").mkdir()
    found, out, err = seqgen_command("plugins", "new", *arguments)
    assert (found, out) == (status, "") and message in err
    assert [path.name for path in at.iterdir()] == ["there"]
