"""Files that kill the process that reads them, or never end."""

import os
import time
from pathlib import Path

import pytest

import seqgen
import seqgen.discovery
import seqgen.preparation


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder of eight texts, one of which a fragile parser cannot stand."""
    for number in range(8):
        (tmp_path / f"{number}.txt").write_text(f"text number {number}")
    (tmp_path / "3.txt").write_text("bad")
    return tmp_path


def make_fragile(monkeypatch, fail) -> None:
    """Let the reader of texts call `fail` in the process that reads the bad one."""
    from seqgen_text.domain import Text

    class Fragile(Text):
        def read(self, path: Path):
            if path.read_text() == "bad":
                fail()
            return super().read(path)

    whole = seqgen.discovery.load_domain
    monkeypatch.setattr("seqgen.preparation.load_domain", lambda name: (Fragile(), whole(name)[1]))


def skipped(corpus: seqgen.Corpus) -> list[tuple[str, str]]:
    return [(Path(entry["source"]).name, entry["reason"]) for entry in corpus.info["skipped"]]


def test_a_crash_of_a_parser_costs_one_file(texts: Path, tmp_path: Path, monkeypatch) -> None:
    """The same when what was read is kept in between, and when all is read twice."""
    make_fragile(monkeypatch, os.abort)
    for kept in (2**26, 40):
        monkeypatch.setattr("seqgen.reading.KEPT_BYTES", kept)
        corpus = seqgen.prepare("text", [texts], tmp_path / f"corpus {kept}", jobs=2)
        assert skipped(corpus) == [("3.txt", "its parser crashed")]
        names = [Path(corpus.source(index)).name for index in range(corpus.info["pieces"])]
        assert names == [f"{number}.txt" for number in (0, 1, 2, 4, 5, 6, 7)]


def test_a_crash_while_a_codec_is_chosen_costs_one_file(texts, tmp_path, monkeypatch) -> None:
    """Of a large corpus some files are read before all the others, to choose by."""
    make_fragile(monkeypatch, os.abort)
    monkeypatch.setattr("seqgen.reading.KEPT_BYTES", 40)
    chosen = []

    def suggested(domain, found, options, pieces):
        chosen.extend(pieces)
        return choice

    implementation, _ = seqgen.discovery.load_domain("text")
    choice = seqgen.preparation._choice(implementation, "text", "characters", None)
    monkeypatch.setattr("seqgen.preparation._choice", lambda *_: None)
    monkeypatch.setattr("seqgen.preparation._suggestion", suggested)
    corpus = seqgen.prepare("text", [texts], tmp_path / "corpus", jobs=2)
    assert len(chosen) == corpus.info["pieces"] == 7


def test_a_machine_of_one_core_survives_as_well(texts: Path, tmp_path: Path, monkeypatch) -> None:
    make_fragile(monkeypatch, os.abort)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    corpus = seqgen.prepare("text", [texts], tmp_path / "corpus")
    assert skipped(corpus) == [("3.txt", "its parser crashed")]


@pytest.mark.slow
def test_a_parser_that_never_ends_costs_one_file(texts: Path, tmp_path, monkeypatch) -> None:
    make_fragile(monkeypatch, lambda: time.sleep(1e6))
    monkeypatch.setattr("seqgen.reading.PATIENCE", 10.0)
    corpus = seqgen.prepare("text", [texts], tmp_path / "corpus", jobs=2)
    assert skipped(corpus) == [("3.txt", "its parser had not ended after 10 seconds")]
    assert corpus.info["pieces"] == 7
