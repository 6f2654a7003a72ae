"""Notes: what readers say about files that they read."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import seqgen
from seqgen.cli.inputs import Inputs
from seqgen.data.finding import Noted, notes_lines
from seqgen.data.one_file import LONGEST_NOTE
from seqgen.errors import DataError
from seqgen.plugin import Note


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Six files whose reader yields a note before each piece, and one file without a piece."""
    from seqgen_text.domain import Text

    def read(self, path: Path, options: object) -> Iterator[str | Note | DataError]:
        yield Note("read backwards")
        for line in path.read_text().splitlines():
            yield line[::-1]
            yield Note("long " * 1000)

    monkeypatch.setattr(Text, "read", read)
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.txt").write_text(f"to be {number}\nor not {number}\n")
    (folder / "none.txt").write_text("")
    return folder


@pytest.mark.parametrize("kept", [2**20, 0], ids=["kept", "read twice"])
def test_notes_are_neither_pieces_nor_errors(folder: Path, kept: int, monkeypatch) -> None:
    monkeypatch.setattr("seqgen.data.reading.KEPT_BYTES", kept)
    corpus = seqgen.prepare("text", [folder], jobs=1)
    assert corpus.info["pieces"] == 12
    assert [entry["reason"] for entry in corpus.info["skipped"]] == ["holds no piece"]
    notes = [Noted(**note) for note in corpus.info["notes"]]
    assert len(notes) == 6 * 3 + 1
    assert {len(note.text) for note in notes} == {len("read backwards"), LONGEST_NOTE}
    assert notes_lines(notes[:3]) == [
        "0.txt: read backwards",
        f"0.txt: {notes[1].text}",
    ]
    assert notes_lines(notes)[0] == "0.txt and 6 more: read backwards"
    sources = [origin.source for origin in corpus.origins()]
    assert sources[:2] == ["0.txt", "0.txt, piece 2"]


def test_commands_print_notes(folder: Path, tmp_path: Path, seqgen_command) -> None:
    out = tmp_path / "corpus"
    arguments = ("prepare", "text", folder, "--out", out, "--jobs", "1", "--report")
    status, printed, said = seqgen_command(*arguments)
    assert not status and "0.txt and 6 more: read backwards" in said
    names, first, *_ = printed.splitlines()
    assert "notes" in names and "read backwards; long long" in first
    _, printed, _ = seqgen_command("info", out)
    assert "0.txt and 6 more: read backwards" in printed
    _, printed, _ = seqgen_command(*arguments, "--json")
    assert json.loads(printed)["report"][0]["notes"][0] == "read backwards"


@pytest.mark.parametrize("labels", [(), ("--label", "who={}.txt")], ids=["plain", "labelled"])
def test_commands_print_what_a_codec_found_out(
    labels, tmp_path: Path, monkeypatch, seqgen_command
) -> None:
    monkeypatch.setattr("seqgen_text.codecs.characters.CharacterCodec.fit_note", "all in capitals")
    (tmp_path / "a.txt").write_text("TO BE OR NOT TO BE\n" * 9)
    arguments = ("--codec", "characters", "--out", tmp_path / "corpus", "--jobs", "1", *labels)
    status, _, said = seqgen_command("prepare", "text", tmp_path / "a.txt", *arguments)
    assert not status and "all in capitals" in said
    _, printed, _ = seqgen_command("info", tmp_path / "corpus")
    assert "fitted      all in capitals" in printed


def test_a_prompt_from_a_file_has_no_notes(folder: Path, run) -> None:
    path = folder / "prompt.txt"
    path.write_text("neerg 7")
    assert Inputs(run, "error").prompt(str(path), 0) == "7 green"
