"""Files that kill the process that reads them, or never end."""

import concurrent.futures
import itertools
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

import seqgen
import seqgen.data.preparation
import seqgen.errors
import seqgen.plugins.discovery
from seqgen.plugins.deadline import within


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
        def read(self, path: Path, options):
            if path.read_text() == "bad":
                fail()
            return super().read(path, options)

    whole = seqgen.plugins.discovery.load_domain
    monkeypatch.setattr(
        "seqgen.data.preparation.load_domain", lambda name: (Fragile(), whole(name)[1])
    )


def skipped(corpus: seqgen.Corpus) -> list[tuple[str, str]]:
    return [(Path(entry["source"]).name, entry["reason"]) for entry in corpus.info["skipped"]]


def test_a_crash_of_a_parser_costs_one_file(texts: Path, tmp_path: Path, monkeypatch) -> None:
    """The same when what was read is kept in between, and when all is read twice."""
    make_fragile(monkeypatch, os.abort)
    for kept in (2**26, 40):
        monkeypatch.setattr("seqgen.data.reading.KEPT_BYTES", kept)
        corpus = seqgen.prepare("text", [texts], tmp_path / f"corpus {kept}", jobs=2)
        assert skipped(corpus) == [("3.txt", "its parser crashed")]
        names = [Path(corpus.source(index)).name for index in range(corpus.info["pieces"])]
        assert names == [f"{number}.txt" for number in (0, 1, 2, 4, 5, 6, 7)]


def test_a_crash_while_a_codec_is_chosen_costs_one_file(texts, tmp_path, monkeypatch) -> None:
    """Of a large corpus some files are read before all the others, to choose by."""
    make_fragile(monkeypatch, os.abort)
    monkeypatch.setattr("seqgen.data.reading.KEPT_BYTES", 40)
    chosen = []

    def suggested(domain, found, options, pieces):
        chosen.extend(pieces)
        return choice

    implementation, _ = seqgen.plugins.discovery.load_domain("text")
    choice = seqgen.data.fitting.named_codec(implementation, "text", "characters", None)
    monkeypatch.setattr("seqgen.data.preparation.named_codec", lambda *_: None)
    monkeypatch.setattr("seqgen.data.preparation.suggested_codec", suggested)
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
    monkeypatch.setattr("seqgen.data.reading.PATIENCE", 5.0)
    corpus = seqgen.prepare("text", [texts], tmp_path / "corpus", jobs=2)
    assert skipped(corpus) == [("3.txt", "its parser took longer than 5 seconds")]
    assert corpus.info["pieces"] == 7


def test_a_parser_that_never_ends_here_costs_one_file(texts: Path, tmp_path, monkeypatch) -> None:
    """Also where this process reads, and where the parser catches all that it can."""

    def hang() -> None:
        while True:
            try:
                time.sleep(1e6)
            except Exception:
                continue

    make_fragile(monkeypatch, hang)
    for name, kept in (("kept", 2**26), ("alone", 1)):
        monkeypatch.setattr("seqgen.data.reading.KEPT_BYTES", kept)
        monkeypatch.setattr("seqgen.data.reading.PATIENCE", 0.3 if kept > 1 else 0.1)
        corpus = seqgen.prepare("text", [texts], tmp_path / name, jobs=1)
        assert skipped(corpus) == [("3.txt", "its parser took longer than 0.3 seconds")]
        assert corpus.info["pieces"] == 7
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("in_main_thread", [True, False])
def test_a_file_without_an_end_keeps_its_pieces(tmp_path, monkeypatch, in_main_thread) -> None:
    from seqgen_text.domain import Text

    class Endless(Text):
        def read(self, path: Path, options):
            for number in itertools.count():
                time.sleep(0.01)
                yield f"piece {number}"

    whole = seqgen.plugins.discovery.load_domain
    monkeypatch.setattr(
        "seqgen.data.preparation.load_domain", lambda name: (Endless(), whole(name)[1])
    )
    (tmp_path / "a.txt").write_text("a")
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        prepare = partial(seqgen.prepare, "text", [tmp_path], tmp_path / "c", patience=0.2)
        corpus = prepare() if in_main_thread else thread.submit(prepare).result()
    [(name, reason)] = skipped(corpus)
    count = corpus.info["pieces"]
    assert name == "a.txt" and 0 < count < 30
    assert reason == f"after piece {count}: its parser took longer than 0.2 seconds"


def test_time_that_is_taken_by_others_does_not_count() -> None:
    for item in within(0.2, iter(range(3))):
        time.sleep(0.1 if item < 2 else 0)
    assert item == 2


def test_patience_is_a_number_of_seconds(texts: Path) -> None:
    for patience in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(seqgen.errors.ConfigError, match="patience must be"):
            seqgen.prepare("text", [texts], patience=patience)
