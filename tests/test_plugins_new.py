"""What `seqgen plugins new` writes works at once: it is installed, imported and checked here."""

import ast
import json
import sys
from pathlib import Path

import pytest

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


def install(package: Path, name: str, monkeypatch) -> None:
    """Do what an installer does, from the files of the package alone."""
    import tomllib

    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    info = package / f"seqgen_{name}-{project['version']}.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(metadata)
    points = project["entry-points"]["seqgen"].items()
    lines = [f"{point} = {module}" for point, module in points]
    (info / "entry_points.txt").write_text("\n".join(["[seqgen]", *lines]))
    monkeypatch.syspath_prepend(str(package))
    plugin_faults._announced.cache_clear()


@pytest.mark.parametrize("flags", [[], ["--labels"], ["--grammar"], ["--labels", "--grammar"]])
def test_a_new_package_keeps_every_promise(
    flags: list[str], at: Path, monkeypatch, seqgen_command
) -> None:
    name = "new" + "".join(flag.removeprefix("--") for flag in flags)
    status, out, err = seqgen_command("plugins", "new", name, "--suffix", ".new", *flags)
    assert status == 0, err
    package = at / f"seqgen-{name}"
    listed = {str(at / line) for line in out.splitlines()}
    assert listed == {str(path) for path in package.rglob("*") if path.is_file()}
    assert f"python -m pip install -e seqgen-{name} && seqgen plugins check {name}" in err
    for path in package.rglob("*.py"):
        ast.parse(path.read_text())
        assert "$" not in path.read_text() and "\n\n\n\n" not in path.read_text()
    install(package, name, monkeypatch)
    checks = domain_checks(name, Material(fast=True))
    everything = len(flags) == 2
    chosen = [each for each in checks if everything or each.promise.__name__ not in LONG]
    outcomes = {each.promise: each for each in run_checks(chosen, at / "checks")}
    assert [str(each) for each in outcomes.values() if each.state == "failed"] == []
    # An option, and with the flags masks and labels, are there to be checked.
    assert outcomes["works_with_other_options"].state == "passed"
    for promise in ("walks_on", "masks_as_it_tracks", "masks_allow_real_pieces"):
        assert (outcomes[promise].state == "passed") == ("--grammar" in flags)
    domain, _ = discovery.load_domain(name)
    labels = [domain.labels(piece) for piece in domain.read(domain.demo(at)[0], None)]
    assert ({"kind": "rising"} in labels) == ("--labels" in flags)
    for module in (f"seqgen_{name}", f"seqgen_{name}.domain"):
        sys.modules.pop(module)


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
        (("text", "--suffix", ".x"), 2, "there is a domain 'text' already"),
        (("go", "--suffix", "sgf"), 2, "must be a dot and lower-case letters"),
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
