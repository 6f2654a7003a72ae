"""Which files are read, and what is said of those that are not."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import seqgen
from seqgen.data.finding import unread_text
from seqgen.errors import CorpusError, PluginError


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder of two texts among files and folders of many other kinds."""
    folder = tmp_path / "mixed"
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "run").mkdir()
    (folder / "run" / "run.json").write_text('{"seqgen": "run"}')
    (folder / "one.txt").write_text("one text " * 9)
    (folder / "sub" / "two.TXT").write_text("two texts " * 9)
    for name in ("a.log", "b.LOG", "sub/c.log", "d.yml", "README", ".gitignore"):
        (folder / name).write_bytes(bytes(8))
    return folder


UNREAD = {
    ".log": 3,
    ".yml": 1,
    "folder written by seqgen": 1,
    "hidden": 1,
    "hidden folder": 1,
    "without suffix": 1,
}
SAID = (
    "6 files of other kinds were not read: 3 .log, 1 .yml, 1 hidden, 1 without suffix; "
    "not searched: 1 folder written by seqgen, 1 hidden folder"
)


def test_files_of_other_kinds_are_counted_and_told(
    mixed: Path, tmp_path: Path, capsys, command
) -> None:
    assert command("prepare", "text", mixed, "--out", tmp_path / "c", "--report") == 0
    printed = capsys.readouterr()
    assert SAID in printed.out and SAID in " ".join(printed.err.split())
    kept = json.loads((tmp_path / "c" / "corpus.json").read_text())
    assert kept["unread"] == UNREAD and kept["pieces"] == 2
    assert command("info", tmp_path / "c") == 0
    assert SAID in capsys.readouterr().out
    assert command("prepare", "text", mixed, "--out", tmp_path / "c", "--report", "--json") == 0
    assert json.loads(capsys.readouterr().out)["unread"] == UNREAD


def test_what_came_since_beside_the_same_files_is_counted(mixed: Path) -> None:
    folder = seqgen.prepare("text", [mixed]).folder
    (mixed / "e.yml").write_bytes(bytes(8))
    again = seqgen.prepare("text", [mixed])
    assert again.folder == folder and again.info["unread"] == UNREAD | {".yml": 2}
    (mixed / "gone.txt").symlink_to("nowhere")
    [skipped] = seqgen.prepare("text", [mixed]).info["skipped"]
    assert skipped["reason"] == "is a link to nowhere, which does not exist"


def test_score_tells_it_as_well(run: seqgen.Run, mixed: Path, capsys, command) -> None:
    (mixed / "one.txt").write_text("one green bottle")
    assert command("score", run.folder, mixed, "--json") == 0
    printed = capsys.readouterr()
    assert SAID in " ".join(printed.err.split())
    assert json.loads(printed.out)["unread"] == UNREAD


def test_a_folder_without_a_file_of_the_domain_says_what_is_in_it(mixed: Path) -> None:
    with pytest.raises(CorpusError, match=r"no file for the domain 'music'.*: 3 \.log, 2 \.txt"):
        seqgen.prepare("music", [mixed])


def test_many_kinds_are_told_in_one_line() -> None:
    assert unread_text({".yml": 1}) == "1 file of another kind was not read: 1 .yml"
    folders = unread_text({"folder written by seqgen": 2, "hidden folder": 1})
    assert folders == "not searched: 2 folders written by seqgen, 1 hidden folder"
    many = unread_text({f".{number:02}": 1 for number in range(14)})
    assert many.startswith("14 files of other kinds were not read: 1 .00, 1 .01,")
    assert many.endswith("1 .09, 4 of 4 more kinds")


def test_only_files_are_read(tmp_path: Path, monkeypatch) -> None:
    """Pipes and sockets are refused without opening them, which would never come back."""
    folder = tmp_path / "odd"
    (folder / "real").mkdir(parents=True)
    (folder / "good.txt").write_text("a good text")
    (folder / "real" / "too.txt").write_text("a good text too")
    os.mkfifo(folder / "pipe.txt")
    os.mkfifo(folder / "real" / "run.json")
    (folder / "device.txt").symlink_to("/dev/zero")
    (folder / "loop.txt").symlink_to(folder / "loop.txt")
    (folder / "gone.txt").symlink_to("nowhere")
    (folder / "again").symlink_to(folder)
    (folder / "folder.txt").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        # A socket's path has a limit of about a hundred bytes.
        monkeypatch.chdir(folder)
        server.bind("socket.txt")
    corpus = seqgen.prepare("text", [folder], jobs=1)
    assert corpus.info["pieces"] == 2
    skipped = {Path(e["source"]).name: e["reason"] for e in corpus.info["skipped"]}
    assert skipped == {
        "again": "is a link to a folder, which is not followed; name that folder as well",
        "device.txt": "is a device; only files are read: save what it gives in a file",
        "gone.txt": "is a link to nowhere, which does not exist",
        "loop.txt": "cannot be read (Too many levels of symbolic links)",
        "pipe.txt": "is a pipe; only files are read: save what it gives in a file",
        "run.json": "is a pipe; only files are read: save what it gives in a file",
        "socket.txt": "is a socket; only files are read: save what it gives in a file",
    }
    for name, reason in skipped.items():
        if name not in ("again", "run.json"):
            with pytest.raises(CorpusError, match=f"{name} {reason[:12]}"):
                seqgen.prepare("text", [folder / name])


def test_standard_input_is_said_to_be_a_pipe() -> None:
    code = "import seqgen, sys\ntry: seqgen.prepare('text', ['/dev/stdin'])\n"
    code += "except seqgen.errors.CorpusError as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", code], input="text", capture_output=True, text=True
    )
    assert done.stdout.startswith("/dev/stdin is a pipe; only files are read"), done.stderr


def test_a_file_given_as_standard_input_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a text to read")
    code = "import seqgen; print(seqgen.prepare('text', ['/dev/stdin']).source(0))"
    with (tmp_path / "a.txt").open() as file:
        done = subprocess.run([sys.executable, "-c", code], stdin=file, capture_output=True)
    assert done.stdout.decode().strip() == "a.txt", done.stderr


@pytest.mark.parametrize("domain", ["text", "music", "handwriting", "speech"])
def test_files_that_are_all_refused_are_what_is_wrong(domain: str, tmp_path: Path) -> None:
    suffix = {"text": ".txt", "music": ".mid", "handwriting": ".svg", "speech": ".wav"}[domain]
    (tmp_path / f"bad{suffix}").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(CorpusError) as caught:
        seqgen.prepare(domain, [tmp_path])
    first, second = str(caught.value).splitlines()
    assert first == "none of the files could be used:" and f"bad{suffix}: " in second


def test_any_text_is_text_whatever_its_suffix(tmp_path: Path) -> None:
    texts = {
        "Makefile": "all:\n\tcc a.c\n",
        "a.bib": "@book{a}",
        "b.hpp": "int a;",
        "c.htm": "<p>",
        "d.yml": "a: 1",
        "e.TEX": "\\section{a}",
        "f": "Приве\u0301т",
        "g.d/h.sty": "\\def\\a{}",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "wide.log").write_text("sixteen bits", "utf-16")
    (tmp_path / "old.log").write_bytes("vieux café à côté de l'hôtel".encode("latin-1"))
    binary = {
        "a.png": b"\x89PNG\r\n\x1a\n plain",
        "b.pdf": b"%PDF-1.4 plain",
        "c.dat": bytes(99),
        "d.bin": bytes(range(256)),
        "e": b"\x7fELF\x02\x01\x01" + bytes(9),
    }
    for name, data in binary.items():
        (tmp_path / "binary").mkdir(exist_ok=True)
        (tmp_path / "binary" / name).write_bytes(data)
    for name in ("node_modules", "__pycache__", ".git"):
        (tmp_path / "binary" / name).mkdir()
        (tmp_path / "binary" / name / "a.txt").write_text("not meant")
    corpus = seqgen.prepare("text", [tmp_path])
    read = {Path(entry["name"]).name for entry in corpus.info["files"]}
    assert read == {Path(name).name for name in texts} | {"wide.log", "old.log"}
    assert not corpus.info["skipped"]
    assert corpus.info["unread"] == {
        **{f"{Path(name).suffix or 'without suffix'}": 1 for name in binary},
        "folder of a program": 2,
        "hidden folder": 1,
    }
    assert "2 folders of a program" in unread_text(corpus.info["unread"])
    # A file that is named is read, or refused with its reason.
    with pytest.raises(CorpusError, match=r"d\.bin: .*control codes"):
        seqgen.prepare("text", [tmp_path / "binary" / "d.bin"])


def test_a_domain_says_which_other_files_it_reads(tmp_path: Path, monkeypatch) -> None:
    from seqgen_text.domain import Text

    (tmp_path / "a.odd").write_text("a text")
    monkeypatch.setattr(Text, "reads", lambda self, path: False)
    with pytest.raises(CorpusError, match=r"no file for the domain 'text'.*1 \.odd"):
        seqgen.prepare("text", [tmp_path])
    monkeypatch.setattr(Text, "reads", lambda self, path: "yes")
    with pytest.raises(PluginError, match="reads must return True or False, found 'yes'"):
        seqgen.prepare("text", [tmp_path])


def prepare_input(data: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "seqgen", "prepare", "text", *options]
    return subprocess.run(command, input=data, capture_output=True)


def test_standard_input_is_read_like_a_file(tmp_path: Path) -> None:
    text = "".join(f"{number} bottles on the wall\n\n" for number in range(99))
    done = prepare_input(text.encode(), "-", "--json")
    assert done.returncode == 0, done.stderr
    info = json.loads(done.stdout)
    (tmp_path / "a.txt").write_text(text)
    named = seqgen.prepare("text", [tmp_path / "a.txt"])
    [entry], [other] = info["files"], named.info["files"]
    assert entry == other | {"name": "standard input"}
    assert "standard input" in " ".join(info["chosen"])
    again = json.loads(prepare_input(text.encode(), "--json", "-").stdout)
    assert again == info
    assert b"standard input, which is empty" in prepare_input(b"", "-").stderr
    held_out = prepare_input(b"x", str(tmp_path / "a.txt"), "--valid", "-")
    assert b"is a pipe; only files are read" in held_out.stderr
