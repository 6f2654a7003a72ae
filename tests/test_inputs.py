"""Prompts, conditions and stop texts: in files, words or a pipe, and of unknown symbols."""

import io
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import seqgen
from seqgen.cli.inputs import Beginning, Inputs
from seqgen.cli.standard_input import standard_input
from seqgen.errors import ConfigError, DataError
from seqgen.grammar import IndexedMasks, forbidden, packed

#: One text, as the systems of this world write it.
FORMS = {
    "plain": b"9 green\nbottles",
    "crlf": b"9 green\r\nbottles",
    "cr": b"9 green\rbottles",
    "mark": b"\xef\xbb\xbf9 green\r\nbottles",
}


class Pipe(io.TextIOWrapper):
    """Standard input with these bytes, as the system gives it: line ends stay as they are."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8", newline="\n")


@pytest.fixture
def inputs(run: seqgen.Run) -> Inputs:
    return Inputs(run, "error")


@pytest.mark.parametrize("form", FORMS)
def test_a_text_is_the_same_wherever_it_comes_from(form, inputs, tmp_path, monkeypatch) -> None:
    data = FORMS[form]
    (tmp_path / "prompt.txt").write_bytes(data)
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[data], daemon=True).start()
    monkeypatch.setattr("sys.stdin", Pipe(data))
    texts = [inputs.prompt(given, 0) for given in ("-", str(tmp_path / "prompt.txt"))]
    texts += [inputs.prompt(str(tmp_path / "pipe"), 0), inputs.prompt(data.decode(), 0)]
    assert texts == ["9 green\nbottles"] * 4
    ids = inputs.run.codec.encode("9 green\nbottles").tolist()
    assert inputs.stop(data.decode()).tolist() == ids


def test_waiting_for_a_pipe_is_reported(inputs, tmp_path, monkeypatch, capsys) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr("seqgen.cli.inputs.NOTICE_AFTER", 0.0)
    threading.Timer(0.5, pipe.write_bytes, args=[b"9 green"]).start()
    assert inputs.prompt(str(pipe), 0) == "9 green"
    said = " ".join(capsys.readouterr().err.split())
    assert "--prompt: waiting for a process to write to" in said


def test_the_line_end_that_echo_adds_is_no_part_of_a_prompt(inputs, monkeypatch) -> None:
    for piped, prompt in ((b"9 green\n", "9 green"), (b"9 green\n\n", "9 green\n")):
        monkeypatch.setattr("sys.stdin", Pipe(piped))
        assert inputs.prompt("-", 0) == prompt


@pytest.mark.parametrize("form", FORMS)
def test_what_is_given_is_the_same_as_well(form, inputs, tmp_path, monkeypatch) -> None:
    """In a file of any name; the line end of a file is no part of it."""
    data = FORMS[form] + b"\r\n"
    monkeypatch.setattr(Inputs, "_is_of_domain", lambda self, path: False)
    monkeypatch.setattr("sys.stdin", Pipe(data))
    (tmp_path / "given.text").write_bytes(data)
    for given in ("-", str(tmp_path / "given.text"), data.decode()):
        assert inputs.condition(given) == "9 green\nbottles"


def test_parts_are_kept_of_a_piece_only(inputs) -> None:
    for given in ("9 green", ""):
        with pytest.raises(DataError, match="--keep names parts of a piece; give a file of one"):
            inputs.condition(*[given] if given else [], keep="bars 1-4")
    with pytest.raises(ConfigError, match="--keep names parts of a piece; give the piece with"):
        Beginning(keep="bars 1-4").check()
    with pytest.raises(ConfigError, match="--keep and --prompt exclude one another"):
        Beginning(keep="bars 1-4", given=("one.mid",), prompt="two.mid").check()


def test_an_input_that_is_no_text_is_told(monkeypatch) -> None:
    for stdin, message in (
        (None, "--given - reads standard input, which is closed"),
        (Pipe(b""), "--given - reads standard input, which is empty"),
        (Pipe(b"ab\xff"), "--given -: byte 2 is not UTF-8"),
    ):
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(DataError, match=message):
            standard_input("--given")
    closed = Pipe(b"")
    closed.close()
    monkeypatch.setattr("sys.stdin", closed)
    with pytest.raises(DataError, match="which is closed"):
        standard_input("--given")


def test_a_command_without_standard_input_says_so(run: seqgen.Run) -> None:
    line = f"{sys.executable} -m seqgen generate {run.folder} --prompt - <&-"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    assert done.returncode == 4 and "standard input, which is closed" in done.stderr


def test_files_that_are_missing_or_folders_are_told(inputs, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my-texts").mkdir()
    for read in (lambda given: inputs.prompt(given, 0), inputs.condition):
        for given in ("nosuch.txt", "letter.docx", "my-texts/nosuch", "nosuch.svg"):
            with pytest.raises(DataError, match=f"there is no file {given}; .* piped in"):
                read(given)
        with pytest.raises(DataError, match="my-texts is a folder; name one of its files"):
            read("my-texts")
    for given in ("green", "a.b", "of it.", "1.5", "g" * 999):
        assert inputs.condition(given) == given


def test_a_broken_file_is_named(inputs, tmp_path, monkeypatch) -> None:
    from seqgen_text.domain import Text

    def broken(self, path, options):
        raise ZeroDivisionError("by nothing")

    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(DataError, match=r"empty.txt: the file is empty"):
        inputs.prompt(str(tmp_path / "empty.txt"), 0)
    monkeypatch.setattr(Text, "read", broken)
    with pytest.raises(DataError, match=r"empty.txt cannot be read \(ZeroDivisionError: by noth"):
        inputs.prompt(str(tmp_path / "empty.txt"), 0)


def test_a_prompt_of_another_domain_names_the_files_that_are_read(chorales, tmp_path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Anna")
    with pytest.raises(DataError, match=r"letter.txt: .*; files of music end in .*\.mid"):
        Inputs(chorales, "error").prompt(str(tmp_path / "letter.txt"), 0)


def test_a_file_that_is_no_text_cannot_be_given(inputs, tmp_path) -> None:
    (tmp_path / "letter.docx").write_bytes(b"PK\x03\x04\xff")
    with pytest.raises(DataError, match=r"letter.docx is neither text nor a file of this domain"):
        inputs.condition(str(tmp_path / "letter.docx"))


def test_what_was_changed_of_unknown_symbols_is_told_and_kept(
    run, tmp_path, capsys, command
) -> None:
    out = tmp_path / "out"
    arguments = ("--prompt", "9 grêèên ←", "--unknown", "nearest", "--stop", "é", "-o", out)
    assert command("generate", run.folder, *arguments, "--length", 20) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("9 greeen ")
    said = " ".join(printed.err.split())
    assert "--prompt: 'ê' became 'e' twice, 'è' became 'e' once; 1 symbol was left out" in said
    assert "--stop: 'é' became 'e' once" in said
    settings = json.loads((out / "manifest.json").read_text())["settings"]
    assert settings["prompt"] == "9 grêèên ←" and settings["unknown"] == "nearest"
    [prompt], [stop] = settings["mended"]["prompt"], settings["mended"]["stop"]
    assert prompt["became"] == "9 greeen " and stop["became"] == "e"
    assert {"symbol": "ê", "became": "e", "count": 2} in prompt["changes"]
    assert {"symbol": "←", "became": "", "count": 1} in prompt["changes"]


def test_rare_characters_that_a_codec_leaves_out_are_told(inputs, monkeypatch, capsys) -> None:
    codec = inputs.run.codec
    known = {"characters": codec.state()["characters"], "dropped": "é"}
    rare = type(codec).from_state(known, codec.options)
    monkeypatch.setitem(vars(inputs.run), "codec", rare)
    assert inputs.prompt("9 gréen", 0) == "9 gren"
    assert "--prompt: 1 symbol was left out: 'é' once" in capsys.readouterr().err
    assert inputs.mended["prompt"][0]["changes"] == [{"symbol": "é", "became": "", "count": 1}]


@pytest.mark.parametrize("unknown", ["skip", "nearest"])
def test_a_prompt_of_which_nothing_is_left_is_an_error(run, capsys, unknown, command) -> None:
    status = command("generate", run.folder, "--prompt", "日本語🙂", "--unknown", unknown)
    said = " ".join(capsys.readouterr().err.split())
    assert status == 4 and "--prompt: nothing is left of it that the model knows" in said
    assert "4 symbols were left out: '日' once" in said
    with pytest.raises(DataError, match="--stop: nothing is left"):
        Inputs(run, unknown).stop("日")


def test_standard_input_is_read_once(run: seqgen.Run, capsys, command) -> None:
    assert command("generate", run.folder, "--prompt", "-", "--given", "-") == 2
    assert "cannot both read standard input" in capsys.readouterr().err


def test_unknown_symbols_of_files_are_adapted_for_scoring(run, tmp_path, capsys, command) -> None:
    (tmp_path / "a.txt").write_text("9 grêen bottles")
    (tmp_path / "b.txt").write_text("9 green bottles – ê")
    (tmp_path / "c.txt").write_text("日本")
    assert command("score", run.folder, tmp_path, "--unknown", "nearest", "--json") == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert {"symbol": "ê", "became": "e", "count": 2} in found["unknown"]
    assert "unknown symbols: 'ê' became 'e' twice" in " ".join(printed.err.split())
    [skipped] = found["skipped"]
    assert skipped["source"].endswith("c.txt") and "nothing is left" in skipped["reason"]
    [piece] = [piece for piece in found["pieces"] if piece["source"].endswith("a.txt")]
    mended = run.codec.mend_prompt("9 grêen bottles", "nearest")
    [scored] = seqgen.score(run, [mended.piece])
    assert mended.changes == {("ê", "e"): 1}
    assert piece["nats"]["network"] == pytest.approx(scored.nats, rel=1e-5)
    assert command("score", run.folder, "--unknown", "skip") == 2
    assert re.search(r"--unknown is for files", capsys.readouterr().err)


def test_what_is_refused_names_its_option(inputs: Inputs) -> None:
    """A prompt and stop texts may come in one call."""
    with pytest.raises(DataError, match=r"^--stop: character 'é' at position 1 is not in this"):
        inputs.stop("é")
    with pytest.raises(DataError, match=r"^--prompt: character 'é' at position 3"):
        inputs.prompt("9 é", 0)
    with pytest.raises(DataError, match=r"^--stop is empty; leave it out"):
        inputs.stop("")
    with pytest.raises(DataError, match=r"^--prompt is empty; leave it out"):
        inputs.prompt("", 0)


@pytest.fixture
def no_doubles(run: seqgen.Run, monkeypatch) -> None:
    """Give the codec of the run a grammar: no character follows itself."""
    table = np.ones((len(run.codec.vocab) + 1,) * 2, bool)
    np.fill_diagonal(table[:-1], False)
    rows = packed(table)
    masks = lambda self, ids: IndexedMasks(rows, np.append(-1, ids) % len(rows))  # noqa: E731
    monkeypatch.setattr(type(run.codec), "masks", masks)


def test_a_prompt_that_the_grammar_forbids_is_told_and_used(inputs, no_doubles, capsys) -> None:
    assert inputs.prompt("9 green bottles", 0) == "9 green bottles"
    said = " ".join(capsys.readouterr().err.split())
    assert said == (
        "--prompt: the codec's grammar does not allow 'e' at line 1 (token 6), and 1 more; "
        "the model goes on from there"
    )
    inputs.prompt("9 green bottles", 5)
    inputs.prompt("9 one", 0)
    assert not capsys.readouterr().err


def test_a_typed_turn_that_the_grammar_forbids_is_told(
    run, no_doubles, monkeypatch, tmp_path, capsys, command
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("9 green\n ball\n"))
    arguments = ("write", run.folder, "--length", 8, "--out", tmp_path / "a.txt")
    assert command(*arguments) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("does not allow 'e' at line 1 (token 6); the model goes on") == 1
    assert said.count("does not allow 'l' at line 1 (token ") == 1


def test_forbidden_ids_are_those_whose_masks_lack_them() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 7, 8, 9, 30):
        table = rng.random((5, count + 1)) < 0.5
        ids, rows = rng.integers(0, count, 50), rng.integers(0, 5, 51)
        expected = np.flatnonzero(~table[rows[:-1], ids])
        for masks in (packed(table[rows]), IndexedMasks(packed(table), rows)):
            np.testing.assert_array_equal(forbidden(masks, ids), expected)
    assert not len(forbidden(packed(table[:1]), ids[:0]))
