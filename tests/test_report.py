"""`seqgen prepare --report`: what became of each file."""

import json
from pathlib import Path

import pytest

import seqgen
from seqgen.cli.report import file_reports, table
from seqgen.data.corpus import Corpus


@pytest.fixture
def described(tmp_path: Path, monkeypatch) -> Corpus:
    """A corpus of a file in two pieces, one of one piece, a duplicate and a bad file."""
    from seqgen_text.domain import Text

    monkeypatch.setattr("seqgen_text.files.pieces.LONGEST", 300)
    monkeypatch.setattr(
        Text, "describe", lambda self, piece: {"ends": piece.count("\n"), "first": piece[0]}
    )
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("".join(f"line {number:04} of text\n" for number in range(25)))
    (folder / "b.txt").write_text("[b] one two")
    (folder / "c.txt").write_text("[b] one two")
    (folder / "d.txt").write_bytes(b"\xff\0")
    return seqgen.prepare("text", [folder], tmp_path / "corpus")


def test_every_file_has_a_row(described: Corpus) -> None:
    names, *rows = table(file_reports(described))
    assert names[:3] == ["file", "pieces", "tokens"]
    assert names[-3:] == ["ends", "first", "left out"]
    assert [Path(row[0]).name for row in rows] == ["a.txt", "b.txt", "c.txt", "d.txt"]
    a, b, c, d = (dict(zip(names[1:], row[1:], strict=True)) for row in rows)
    assert (a["pieces"], a["tokens"], a["left out"]) == ("2", "450", "")
    assert " to " in a["ends"] and a["characters"] == "450"
    assert (b["pieces"], b["tokens"], b["ends"], b["first"]) == ("1", "11", "0", "[")
    assert set(c.values()) == {"0", "", "a duplicate: the corpus has this piece"}
    assert d["pieces"] == "0" and "it is no text" in d["left out"]


def test_the_command_prints_the_report(described: Corpus, capsys) -> None:
    from seqgen.cli import prepare

    folder = described.folder.parent
    arguments = ("text", folder / "texts")
    prepare.prepare(*arguments, out=folder / "corpus", report=True)
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == str(folder / "corpus") and len(lines) == 5
    assert lines[2].split()[1:3] == ["1", "11"] and lines[2].split()[-1] == "["
    prepare.prepare(*arguments, out=folder / "corpus", report=True, json=True)
    report = json.loads(capsys.readouterr().out)["report"]
    assert report[1]["pieces"][0]["facts"] == {"ends": 0, "first": "["}
    prepare.prepare(*arguments, out=folder / "corpus", json=True)
    assert "report" not in json.loads(capsys.readouterr().out)
