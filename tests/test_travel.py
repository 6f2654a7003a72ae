"""Runs that move to another folder or machine, without what they were made from."""

import json
import shutil
import sys
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path
from types import SimpleNamespace

import pytest

import seqgen
from seqgen.data.names import Names
from seqgen.errors import CorpusError
from seqgen.files import near, shared_folder
from seqgen.serve.playground import Playground

SHORT = seqgen.TrainConfig(
    tokens=4_000, batch_size=4, window=32, device="cpu", evaluations=8, threads=1
)
SMALL = seqgen.ModelConfig(hidden=16, embedding=8)


@pytest.fixture(scope="module")
def moved(verses: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A run and an unfinished one, their corpus elsewhere; their old folder and cache are gone."""
    place = tmp_path_factory.mktemp("machine") / "home"
    cache, old, new = (place / name for name in ("cache", "old", "new"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQGEN_CACHE", str(cache))
        shutil.copytree(verses, old / "texts" / "verses")
        (old / "texts" / "empty.txt").write_text("")
        texts = [old / "texts" / "verses", old / "texts" / "empty.txt"]
        corpus = seqgen.prepare("text", texts, old / "corpora" / "verses")
        run = seqgen.create_run(old / "run", corpus, SMALL, SHORT)
        seqgen.measure_baseline(run, corpus)
        for _ in seqgen.train(run, corpus):
            pass
        begun = seqgen.create_run(old / "begun", corpus, SMALL, SHORT)
        seqgen.measure_baseline(begun, corpus)
        training = seqgen.train(begun, corpus)
        next(report for report in training if report.improved)
        training.close()
        seqgen.create_run(old / "after", corpus, train=SHORT, start=run)
        new.mkdir()
        for name, to in (("run", "run"), ("begun", "begun"), ("after", "after"), ("corpora", "x")):
            (old / name).rename(new / to)
        (new / "x" / "verses").rename(new / "far")
        shutil.rmtree(old)
        shutil.rmtree(cache, ignore_errors=True)
        patch.chdir(new)
        yield SimpleNamespace(place=place, new=new, cache=cache)


def test_a_run_without_its_corpus_writes_and_is_shown(moved, seqgen_command, monkeypatch) -> None:
    status, _, err = seqgen_command("generate", "run", "--length", 30, "--page")
    assert status == 0 and "the page is without novelty and metrics" in err
    assert seqgen_command("info", "run")[0] == 0
    Path("one.txt").write_text("7 green bottles\n")
    status, _, err = seqgen_command("score", "run", "one.txt", "--device", "cpu")
    assert status == 0 and "no baseline" in err and "--corpus FOLDER" in err
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"8 green\n\n")))
    assert seqgen_command("write", "run", "--length", 20)[0] == 0
    playground = Playground(seqgen.load("run", "cpu"), print)
    assert playground.about()["name"] == "run"
    piece = playground.begin({"limit": {"length": 5}})["piece"]
    playground.join(60)
    assert playground.session(piece).generated is not None
    playground.close()


def test_commands_find_the_corpus_where_it_is_now(moved, seqgen_command) -> None:
    for command in (
        ("generate", "run", "-n", 2, "--length", 30, "--novelty", "--page"),
        ("generate", "run", "--length", 30, "--best-of", 2),
        ("compare", "run"),
        ("score", "run", "--device", "cpu"),
        ("resume", "begun"),
    ):
        status, _, err = seqgen_command(*command)
        assert status == 4 and "the corpus of" in err and "--corpus FOLDER" in err, command
        status, _, err = seqgen_command(*command, "--corpus", "far")
        assert status == 0, (command, err)
    entries = json.loads(Path("run/samples/2/manifest.json").read_text())["pieces"]
    sources = {entry["novelty"]["source"] for entry in entries}
    assert all(name.startswith("verses/") and name.endswith(".txt") for name in sources)
    page = Path("run/samples/2/index.html").read_text()
    assert f"as in {min(sources)}" in page or f"as in {max(sources)}" in page


def test_a_wrong_corpus_is_refused_with_both_names(moved, verses: Path) -> None:
    other = seqgen.prepare("text", [verses], moved.place / "other", codec="bytes")
    with pytest.raises(CorpusError) as refused:
        seqgen.load("run", "cpu", other.folder).corpus()
    kept = json.loads(Path("run/run.json").read_text())["corpus"]
    for name in (str(other.folder), other.info["key"][:16], "verses", kept["key"][:16]):
        assert name in str(refused.value)


def test_a_corpus_that_was_prepared_again_is_found(moved, verses: Path) -> None:
    """Its names are relative, so the same files give the same corpus from any folder."""
    texts = moved.place / "elsewhere" / "texts"
    shutil.copytree(verses, texts / "verses")
    (texts / "empty.txt").write_text("")
    run = seqgen.load("run", "cpu")
    with pytest.raises(CorpusError, match="is not found"):
        run.corpus()
    again = seqgen.prepare("text", [texts / "verses", texts / "empty.txt"])
    assert run.corpus().info == again.info
    shutil.rmtree(moved.cache)


def test_nothing_stored_or_shown_names_the_machine(moved, seqgen_command) -> None:
    Path("given.txt").write_text("9 green ")
    outputs = [
        seqgen_command(*command)
        for command in (
            ("info", "run", "--json"),
            ("info", "after"),
            ("info", "far", "--json"),
            ("generate", "run", "--prompt", moved.new / "given.txt", "--length", 30, "--json"),
            ("score", "run", "--corpus", "far", "--device", "cpu", "--json"),
        )
    ]
    assert not any(status for status, _, _ in outputs)
    stored = [path for path in moved.new.rglob("*") if path.is_file()]
    assert len(stored) > 20
    texts = [path.read_bytes() for path in stored]
    texts += [text.encode() for _, *both in outputs for text in both]
    for machine in (moved.place, moved.place.parent, Path.home()):
        found = [text for text in texts if str(machine).encode() in text]
        assert not found, (machine, found[0][:400])


def test_a_corpus_far_away_is_remembered_by_the_machine_alone(
    corpus: seqgen.Corpus, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("SEQGEN_CACHE", str(tmp_path / "cache"))
    far = Path(shutil.copytree(corpus.folder, tmp_path / "data" / "a" / "b" / "far"))
    folder = tmp_path / "runs" / "x" / "y" / "run"
    seqgen.create_run(folder, seqgen.Corpus(far), SMALL, SHORT)
    assert seqgen.Run(folder).info["corpus"]["folder"] == "far"
    assert seqgen.Run(folder).corpus().folder == far
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(CorpusError, match=r'`corpus="FOLDER"`'):
        seqgen.Run(folder).corpus()


def test_a_corpus_nearby_moves_with_its_run(corpus: seqgen.Corpus, tmp_path: Path) -> None:
    shutil.copytree(corpus.folder, tmp_path / "one" / "corpus")
    near_by = seqgen.Corpus(tmp_path / "one" / "corpus")
    run = seqgen.create_run(tmp_path / "one" / "runs" / "a", near_by, SMALL, SHORT)
    assert run.info["corpus"]["folder"] == "../../corpus"
    (tmp_path / "one").rename(tmp_path / "two")
    found = seqgen.Run(tmp_path / "two" / "runs" / "a").corpus().folder
    assert found.samefile(tmp_path / "two" / "corpus")


@pytest.mark.parametrize("folder", ["", "\0", "a" * 5_000, "../" * 50, "/dev/stdin", "nowhere"])
def test_a_hostile_hint_is_only_a_corpus_that_is_not_found(
    folder: str, corpus: seqgen.Corpus, run: seqgen.Run, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEQGEN_CACHE", str(tmp_path))
    opened = seqgen.Run(run.folder, "cpu")
    for key in (corpus.info["key"], "../../x", ""):
        opened.info["corpus"] |= {"folder": folder, "key": key}
        with pytest.raises(CorpusError, match="is not found"):
            opened.corpus()


def test_names_tell_folders_apart_and_not_where_they_are(tmp_path: Path, monkeypatch) -> None:
    bach, mozart = tmp_path / "music" / "bach", tmp_path / "music" / "mozart"
    for folder in (bach / "late", mozart):
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text("a")
    one = Names([bach])
    assert one.of(str(bach / "late" / "a.txt")) == "late/a.txt"
    assert one.of(f"{bach / 'late' / 'a.txt'}, piece 2") == "late/a.txt, piece 2"
    assert Names([mozart / "a.txt"]).of(str(mozart / "a.txt")) == "a.txt"
    both = Names([bach, mozart, bach / "late"])
    assert both.of(str(bach / "late" / "a.txt")) == "bach/late/a.txt"
    assert both.of(str(mozart / "a.txt")) == "mozart/a.txt"
    assert both.within(f"twice: {mozart}/a.txt and x{mozart}/a.txt") == (
        f"twice: mozart/a.txt and x{mozart}/a.txt"
    )
    assert both.of("standard input") == "standard input"
    monkeypatch.chdir(bach)
    assert Names([Path()]).of("late/a.txt") == "late/a.txt"
    assert Names([Path("../mozart"), Path()]).of("../mozart/a.txt") == "mozart/a.txt"
    monkeypatch.setattr("seqgen.data.names.shared_folder", lambda paths: None)
    (mozart / "bach").mkdir()
    far = Names([bach, mozart / "bach"])
    names = {far.of(str(folder / "a.txt")) for folder in (bach, mozart / "bach")}
    assert names == {"bach/a.txt", "bach-2/a.txt"}


def test_what_is_near_says_nothing_of_the_machine(tmp_path: Path, monkeypatch) -> None:
    home = tmp_path / "home" / "ada"
    monkeypatch.setattr(Path, "home", lambda: home)
    assert near(home / "corpora" / "c", home / "runs" / "r") == "../../corpora/c"
    assert near(home / "run" / "corpus", home / "run") == "corpus"
    assert near(home / "c", home / "x" / "y" / "r") is None
    assert near(tmp_path / "home" / "bob" / "c", home / "r") is None
    assert shared_folder([Path("/etc"), home]) is None
