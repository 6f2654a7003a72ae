"""What is printed: no encoding stops it, and no text commands a terminal."""

import ast
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import seqgen
from seqgen.cli import COMMANDS, console
from seqgen.cli.generate import _notice_of_compiling
from seqgen.cli.printing import any_encoding, complain, print_json, show, visible

#: Clears the screen, writes to the clipboard, and turns the direction of writing.
HOSTILE = "a\x1b[2Jb\x1b]52;c;cm0=\x07c\x9b31md\u202ee\x7ff\u2028g\rh"
TAMED = "a␛[2Jb␛]52;c;cm0=␇c\\x9b31md\\u202ee␡f\\u2028g␍h"


class Terminal(io.StringIO):
    """What calls itself a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    made = Terminal()
    monkeypatch.setattr("sys.stdout", made)
    monkeypatch.setattr("sys.stderr", made)
    return made


def on_western(monkeypatch: pytest.MonkeyPatch) -> io.TextIOWrapper:
    """Let standard output take Western characters only, as a console of Windows does."""
    made = io.TextIOWrapper(io.BytesIO(), "cp1252", newline="\n")
    monkeypatch.setattr("sys.stdout", made)
    return made


def content(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode(stream.encoding)


def small_run(folder: Path, text: str) -> seqgen.Run:
    """A model that has seen a text for a moment."""
    (folder / "text.txt").write_text(text * 60, "utf-8")
    corpus = seqgen.prepare("text", [folder / "text.txt"], folder / "corpus")
    model = seqgen.ModelConfig(hidden=8, embedding=4, dropout=0.0)
    config = seqgen.TrainConfig(tokens=300, batch_size=2, window=8, evaluations=1, device="cpu")
    made = seqgen.create_run(folder / "run", corpus, model, config)
    for _ in seqgen.train(made, corpus):
        pass
    return made


def test_a_real_terminal_gets_symbols_and_a_pipe_the_text() -> None:
    master, slave = os.openpty()
    reader, writer = os.pipe()
    old, drawn = sys.stdout, b""
    try:
        for handle in (slave, writer):
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as sys.stdout:
                show(HOSTILE)
                show("tab\tand\nline")
                sys.stdout.flush()
                if handle == slave:
                    while not drawn.endswith(b"line\r\n"):
                        drawn += os.read(master, 1000)
        assert drawn.decode() == f"{TAMED}\r\ntab\tand\r\nline\r\n"
        assert os.read(reader, 1000).decode() == f"{HOSTILE}\ntab\tand\nline\n"
    finally:
        sys.stdout = old
        os.close(master)
        os.close(reader)


def test_no_character_below_the_blank_reaches_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    everything = "".join(map(chr, range(0x10000)))
    drawn = visible(everything, terminal)
    kept = {c for c in drawn if ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000}
    assert kept == {"\n", "\t"} and not {*"\u202a\u202e\u2066\u2069\u2028\u2029"} & {*drawn}
    assert "é中ع" in visible("é中ع", terminal)


def test_remarks_progress_and_tables_are_tamed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    name = f"[red]{HOSTILE}[/red]"
    console.say(name)
    complain(name)
    with console._lines("work") as meter:
        meter(0.5, name, remember=True)
    with console._bar("work") as bar:
        bar(0.5, name, remember=True)
    assert terminal.getvalue().count(f"[red]{TAMED}[/red]") >= 4
    before = len(terminal.getvalue())
    console.print_table([["file", "left out"], [name, "[bold]why\nnot[/bold]"]])
    table = terminal.getvalue()[before:]
    assert "\x1b[2J" not in table and "[red]a␛" in table.replace("\n", "")
    assert "[bold]why␊not[/bold]" in table


def test_learned_escapes_and_names_of_files_do_not_reach_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command
) -> None:
    terminal = on_terminal(monkeypatch)
    made = small_run(tmp_path, HOSTILE)
    for options in (["--length", 200], ["-n", 2, "--length", 100], ["--length", 100, "--json"]):
        assert (
            command("generate", made.folder, "--prompt", HOSTILE.replace("\r", ""), *options) == 0
        )
    written = (made.folder / "samples" / "1" / "text-1.txt").read_bytes()
    assert b"\x1b" in written, "the file has it as it is"
    bad = tmp_path / "\x1b[31m[red]\x9b.txt"
    bad.write_bytes(b"\xff\xfe\xfa")
    assert command("prepare", "text", tmp_path, "--out", tmp_path / "again", "--report") == 0
    assert command("info", tmp_path / "again") == 0
    assert command("score", made.folder, bad) == 4
    assert command("info", bad) == 1
    drawn = terminal.getvalue()
    # rich draws its bar with escapes of its own, which are no part of any text.
    assert not {"\x07", "\x9b", "\x7f", "\u202e"} & {*drawn}
    assert "\x1b[2J" not in drawn and "\x1b]52" not in drawn and "\x1b[31m[red]" not in drawn
    assert "␛[31m[red]\\x9b.txt" in drawn.replace("\n", "")


def test_json_on_a_terminal_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    print_json({"text": HOSTILE})
    drawn = terminal.getvalue()
    assert json.loads(drawn) == {"text": HOSTILE}
    assert not {"\x1b", "\x9b", "\x7f", "\u202e"} & {*drawn}


def test_chinese_is_written_where_it_cannot_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command
) -> None:
    western = on_western(monkeypatch)
    made = small_run(tmp_path, "春眠不觉晓，处处闻啼鸟。")
    assert command("generate", made.folder, "--length", 20) == 0
    said = "some characters are shown as ?, because the output is encoded as cp1252"
    assert capsys.readouterr().err.count(said) == 1
    text = (made.folder / "samples" / "1" / "text-1.txt").read_text("utf-8")
    assert "?" * len(text) in content(western) and text
    before = len(content(western))
    assert command("generate", made.folder, "--prompt", "春", "--length", 20, "--json") == 0
    assert json.loads(content(western)[before:])["settings"]["prompt"] == "春"
    assert command("info", made.folder) == 0
    capsys.readouterr()
    assert command("domains") == 0
    assert said not in capsys.readouterr().err, "where nothing is replaced nothing is said"


def test_messages_have_any_encoding_too(monkeypatch: pytest.MonkeyPatch, command) -> None:
    errors = io.TextIOWrapper(io.BytesIO(), "ascii", newline="\n")
    monkeypatch.setattr("sys.stderr", errors)
    assert command("info", "nowhere-ŋ") == 1
    assert "seqgen: nowhere-? is neither a run folder" in content(errors)


def test_the_name_of_a_file_goes_out_as_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    western = on_western(monkeypatch)
    with any_encoding():
        show(os.fsdecode(b"caf\xe9\xff.txt"))
    western.flush()
    assert western.buffer.getvalue() == b"caf\xe9\xff.txt\n"


def test_a_full_output_does_not_cost_the_piece(
    run: seqgen.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, command
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stdout", Full())
    assert command("generate", run.folder, "--length", 40, "--out", tmp_path / "out") == 1
    assert (tmp_path / "out" / "text-1.txt").read_text()
    assert "No space left on device: 'standard output'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "path", sorted(Path(console.__file__).parent.glob("*.py")), ids=lambda path: path.stem
)
def test_every_command_prints_through_one_place(path: Path) -> None:
    calls = [
        node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    ]
    assert path.stem == "printing" or not [
        call for call in calls if isinstance(call, ast.Name) and call.id == "print"
    ]


def test_help_has_all_its_words(seqgen_command) -> None:
    for name in COMMANDS:
        status, text, _ = seqgen_command(name, "--help-all")
        assert status == 0 and "`" not in text
        if name == "generate":
            assert "<end> ends a piece" in " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("compiles", [True, False])
def test_only_compiling_is_called_compiling(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], compiles: bool
) -> None:
    monkeypatch.setattr("seqgen.cli.generate.NOTICE_AFTER", 0.0)
    with _notice_of_compiling() as begun:
        if compiles:
            numba.njit(lambda number: number + 1)(1)
        begun()
    assert ("compiling for this processor" in capsys.readouterr().err) == compiles


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor with a shell")
def test_a_process_without_outputs_does_its_work(run) -> None:
    command = [sys.executable, "-m", "seqgen", "info"]
    for closed, folder, printed, status in (
        (">&-", run.folder, "", 0),
        ("2>&-", run.folder, "# A text model", 0),
        ("2>&-", run.folder / "nothing", "", 1),
    ):
        line = f"exec {shlex.join([*command, str(folder)])} {closed}"
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (status, "")
        assert done.stdout[: len(printed)] == printed and bool(done.stdout) == bool(printed)
