"""`seqgen plugins check` on files of one's own: unusable ones, and checks that take long."""

import json
import time
from pathlib import Path

import pytest

from seqgen.conformance.domains import has_pieces, reads_pieces
from seqgen.conformance.subject import subject_of
from seqgen.plugins import discovery
from seqgen.plugins import files as plugin_files

#: Throws of a juggler, one digit each.
CODE = '''
import numpy as np
from seqgen.errors import DataError
from seqgen.plugin import Codec, Domain, NoOptions


class Throws(Codec):
    options_type, vocab = NoOptions, tuple("0123456789")

    def __init__(self, options):
        self.options = options

    @classmethod
    def fit(cls, pieces, options):
        if all(piece == "999" for piece in pieces):
            raise DataError("nobody throws so high")
        return cls(options)

    def encode(self, piece):
        if "8" in piece:
            raise DataError("a throw of 8 is too high")
        return np.array([int(throw) for throw in piece], np.int64)

    def decode(self, ids):
        return "".join(str(token) for token in ids)

    def state(self):
        return {}

    @classmethod
    def from_state(cls, state, options):
        return cls(options)


class Juggling(Domain):
    """Throws, a pattern in each line."""

    name, formats, codecs = "juggle", (".jug",), {"throws": Throws}

    def read(self, path, options):
        if "bug" in path.name:
            return {}["bug"]
        lines = path.read_text().split()
        if not lines:
            raise DataError("no line holds throws")
        return [line if line.isdigit() else DataError(f"{line!r} is no throw") for line in lines]

    def write(self, piece, path, options):
        path.write_text(piece)
        return [path]

    def preview(self, piece):
        return {"text/plain": piece or "-"}

    def demo(self, folder):
        raise NotImplementedError
'''


@pytest.fixture
def check(tmp_path: Path, monkeypatch, seqgen_command):
    """Return a function that checks the plugin with files of the given contents."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(discovery, "_offered", {})
    monkeypatch.setattr(plugin_files, "_files", {})
    monkeypatch.setattr("seqgen.testing.PROMISES", (has_pieces, reads_pieces))
    subject_of.cache_clear()
    (tmp_path / "juggle.py").write_text(CODE)

    def run(files: dict[str, str], *arguments: str) -> tuple[int, str, str]:
        Path("mine").mkdir()
        for name, content in files.items():
            Path("mine", name).write_text(content)
        return seqgen_command(
            "plugins", "check", "juggle.py", "--fast", "--files", "mine", *arguments
        )

    return run


def test_unusable_files_and_pieces_are_skipped_and_named(check) -> None:
    files = {f"{number}.jug": "333 441 531" for number in range(6)}
    status, out, err = check(files | {"0.jug": "", "4.jug": "333 ? 834"}, "--json")
    assert status == 0, err
    found = json.loads(out)
    assert {each["state"] for each in found["checks"]} == {"passed"}
    expected = [
        ("mine/0.jug", "no line holds throws"),
        ("mine/4.jug, piece 2", "'?' is no throw"),
        ("mine/4.jug, piece 3", "a throw of 8 is too high"),
    ]
    assert [(each["source"], each["reason"]) for each in found["skipped"]] == expected
    assert "left out 3 sources that could not be used:" in err
    assert all(f"{source}: {reason}" in err for source, reason in expected)


def test_other_files_take_the_place_of_unusable_ones(check) -> None:
    files = {f"{number:02}.jug": "" for number in range(20)}
    status, out, err = check(files | {"07.jug": "333"}, "--json")
    assert status == 0, err
    assert len(json.loads(out)["skipped"]) == 19
    assert "  and 9 more\n" in err


@pytest.mark.parametrize(
    ("content", "method", "words"),
    [
        ("", "Juggling.read", ["none of 2 files can be used:", "mine/1.jug: no line holds"]),
        ("??", "Juggling.read", ["mine/1.jug: '??' is no throw"]),
        ("999", "Throws.fit", ["fit refuses the pieces: nobody throws so high"]),
        ("88", "Throws.encode", ["can encode no piece of 2 files:", "mine/1.jug: a throw of 8"]),
    ],
)
def test_a_failure_names_the_files_and_the_methods_that_ran(
    content: str, method: str, words: list[str], check
) -> None:
    status, out, _ = check({"1.jug": content, "2.jug": content})
    assert status == 3
    assert out.count("FAILED") == 1, out
    assert all(word in out for word in words)
    assert f": {method} at " in out
    methods = ("Juggling.demo", "Juggling.read", "Throws.fit", "Throws.encode")
    others = {*methods} - {method, "Throws.fit" if method == "Throws.encode" else ""}
    assert not [other for other in others if f": {other} at " in out]


def test_a_fault_of_read_names_the_file(check) -> None:
    status, out, _ = check({"1.jug": "333", "bug.jug": ""})
    assert status == 3
    assert "mine/bug.jug: " in out and "Juggling.read fails (KeyError: 'bug')" in out


def test_files_that_are_not_there_or_not_read_are_named(check, seqgen_command) -> None:
    status, out, _ = check({"1.txt": "333"})
    assert status == 3 and "no file for the domain 'juggle' in mine; it reads .jug" in out
    assert "where:" not in out
    status, _, err = seqgen_command("plugins", "check", "juggle.py", "--files", "none")
    assert status == 2 and "there is no file or folder none to check with" in err


def test_a_long_check_says_what_it_does_and_how_to_shorten_it(
    check, monkeypatch, seqgen_command
) -> None:
    def has_pieces_slowly(subject, folder) -> None:
        """The pieces are looked at slowly."""
        time.sleep(0.2)

    monkeypatch.setattr("seqgen.testing.PROMISES", (has_pieces_slowly,))
    monkeypatch.setattr("seqgen.cli.console.LINE_EVERY", 0.01)
    monkeypatch.setattr("seqgen.cli.plugins_check.SLOW", 0.1)
    status, _, err = check({"1.jug": "333"})
    assert status == 0
    assert "running: throws: has_pieces_slowly: The pieces are looked at slowly." in err
    assert "--fast" not in err
    arguments = ("plugins", "check", "juggle.py", "--files", "mine")
    _, _, err = seqgen_command(*arguments)
    assert "has_pieces_slowly took 0 s; --fast shortens checks like this" in err
