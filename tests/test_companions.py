"""Pieces of several files: read from a file and its companions, and written as several files."""

import json
import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from seqgen_handwriting.domain import LONGEST_TEXT, Handwriting
from seqgen_handwriting.files.inkml_writing import inkml
from seqgen_handwriting.files.svg_writing import svg
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.paper import on_paper
from seqgen_speech.domain import Speech
from seqgen_speech.sound import Sound
from seqgen_text.domain import Text

import seqgen
from seqgen.data.encoding import encode_files
from seqgen.data.finding import find_files
from seqgen.errors import CorpusError, DataError, PluginError
from seqgen.files import file_digest
from seqgen.plugins.discovery import load_domain
from seqgen.report.reading_back import read_samples


class Pairs(Text):
    """Texts ``a.txt`` with a second part ``a.more`` or ``a.md``."""

    def companions(self, path: Path) -> list[Path]:
        return [path.with_suffix(".more"), path.with_suffix(".md")]

    def reads(self, path: Path) -> bool:
        return False

    def read(self, path, options=None):
        parts = [other.read_text() for other in [path, *self.companions(path)] if other.is_file()]
        yield "".join(parts)

    def write(self, piece, path, options=None):
        more = path.with_suffix(".more")
        path.write_text(piece[:3])
        more.write_text(piece[3:])
        return [path, more]


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch) -> Path:
    """A folder with texts, companions of two kinds, and a file that accompanies nothing."""
    for name in ("companions", "reads", "read", "write"):
        monkeypatch.setattr(Text, name, getattr(Pairs, name))
    folder = tmp_path / "pairs"
    folder.mkdir()
    names = ("a.txt", "a.more", "b.txt", "b.md", "c.txt", "d.more", "e.md")
    for name in names:
        (folder / name).write_text(f"{name} and some words\n")
    return folder


def test_companions_are_read_with_their_file_only(pairs: Path) -> None:
    sources = find_files(*load_domain("text"), [pairs])
    assert [path.name for path in sources.files] == ["a.txt", "b.txt", "c.txt", "e.md"]
    found = {
        path.name: [one.name for one in sources.companions[path]] for path in sources.companions
    }
    assert found == {"a.txt": ["a.more"], "b.txt": ["b.md"]}
    # The file without a piece is counted, the companions are not.
    assert sources.unread == {".more": 1} and not sources.skipped
    named = find_files(*load_domain("text"), [pairs / "b.md", pairs / "b.txt"])
    assert [path.name for path in named.files] == ["b.txt"]


def test_companions_named_in_other_words_are_no_pieces(pairs: Path, monkeypatch) -> None:
    def companions(self, path: Path) -> list[Path]:
        return [path.parent / ".." / path.parent.name / f"{path.stem}.md"]

    monkeypatch.setattr(Text, "companions", companions)
    (pairs.parent / "link").symlink_to(pairs)
    for folder in (pairs, pairs.parent / "link"):
        sources = find_files(*load_domain("text"), [folder])
        # "e.md" names itself.
        assert [path.name for path in sources.files] == ["a.txt", "b.txt", "c.txt", "e.md"]
        [(path, [companion])] = sources.companions.items()
        assert (path.name, companion.name) == ("b.txt", "b.md")
    # Links to files may share their content, as in folders that git-annex keeps.
    (pairs / "b.md").rename(pairs.parent / "stored")
    for name in ("b.md", "f.txt"):
        (pairs / name).symlink_to(pairs.parent / "stored")
    sources = find_files(*load_domain("text"), [pairs])
    assert "f.txt" in [path.name for path in sources.files] and len(sources.companions) == 1


def test_companions_of_demo_files_are_no_pieces(pairs: Path, monkeypatch) -> None:
    monkeypatch.setattr(Text, "demo", lambda self, folder: sorted(pairs.glob("[ab].*")))
    sources = find_files(*load_domain("text"), [])
    assert [path.name for path in sources.files] == ["a.txt", "b.txt"]


def test_a_companion_is_held_out_with_its_file_only(pairs: Path) -> None:
    with pytest.raises(CorpusError, match=r"b\.md is read together with .*b\.txt; hold out"):
        seqgen.prepare("text", [pairs], valid=[pairs / "b.md"], jobs=1)
    corpus = seqgen.prepare("text", [pairs], valid=[pairs / "b.txt"], jobs=1)
    held_out = [each["name"] for each in corpus.info["files"] if each["split"] == "valid"]
    assert [Path(name).name for name in held_out] == ["b.txt"]


@pytest.mark.parametrize("wrong", [None, "a.more", ["a.more"]])
def test_companions_that_are_no_paths_are_a_fault(pairs: Path, monkeypatch, wrong) -> None:
    monkeypatch.setattr(Text, "companions", lambda self, path: wrong)
    with pytest.raises(
        PluginError, match=r"companions must return paths, found .*tell its authors"
    ):
        seqgen.prepare("text", [pairs], jobs=1)


def test_a_changed_companion_is_another_corpus(pairs: Path) -> None:
    corpus = seqgen.prepare("text", [pairs], jobs=1)
    [entry] = [each for each in corpus.info["files"] if each["name"].endswith("a.txt")]
    assert [Path(name).name for name in entry["companions"]] == ["a.more"]
    texts = {corpus.codec.decode(corpus.piece(index)) for index in range(4)}
    assert "a.txt and some words\na.more and some words\n" in texts
    assert seqgen.prepare("text", [pairs], jobs=1).folder == corpus.folder
    (pairs / "a.more").write_text("other words and some\n")
    assert seqgen.prepare("text", [pairs], jobs=1).folder != corpus.folder


def test_a_companion_of_many_files_is_read_once_for_its_digest(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Text, "companions", lambda self, path: [path.parent / "table.tsv"])
    for name in ("table.tsv", "a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(name)
    read = []

    def digest(path: Path) -> str:
        read.append(path.name)
        return file_digest(path)

    monkeypatch.setattr("seqgen.data.finding.file_digest", digest)
    found = find_files(*load_domain("text"), [tmp_path]).digests()
    assert sorted(read) == ["a.txt", "b.txt", "c.txt", "table.tsv"]
    assert all(entry["companions"] for entry in found.values())


def test_written_companions_are_kept_listed_and_read_back(pairs: Path, run, tmp_path: Path) -> None:
    options = {"limit": seqgen.LimitConfig(length=9)}
    samples = seqgen.generate_samples(run, 3, tmp_path / "out", **options)
    names = [entry["files"] for entry in samples.manifest["pieces"]]
    assert names == [[f"text-{number}.txt", f"text-{number}.more"] for number in (1, 2, 3)]
    assert all(path.is_file() for path in samples.paths) and len(samples.paths) == 6
    pieces, refused = read_samples(run, tmp_path / "out")
    assert pieces == [new.piece for new in samples.pieces] and not refused


@pytest.mark.parametrize("kind", ["none", "elsewhere", "missing", "twice", "of another"])
def test_files_that_write_may_not_return(kind: str, run, tmp_path: Path, monkeypatch) -> None:
    def write(self, piece, path, options=None):
        path.write_text(piece)
        other = {"elsewhere": tmp_path / "else.txt", "of another": path.with_name("same.txt")}
        wrong = other.get(kind, path)
        if kind != "missing":
            wrong.write_text(piece)
        return (
            []
            if kind == "none"
            else [path, wrong.with_suffix(".x") if kind == "missing" else wrong]
        )

    monkeypatch.setattr(Text, "write", write)
    with pytest.raises(PluginError, match="must return the new files of a piece"):
        seqgen.generate_samples(run, 2, tmp_path / "out", limit=seqgen.LimitConfig(length=5))
    assert not (tmp_path / "out").exists()


def texts(corpus: seqgen.Corpus) -> list[str]:
    return sorted(corpus.codec.decode(corpus.piece(at)) for at in range(corpus.info["pieces"]))


@pytest.mark.parametrize("kept", [2**20, 10], ids=["kept", "read twice"])
@pytest.mark.parametrize("form", ["zip", "tar", "gztar"])
def test_companions_in_an_archive_are_read_with_their_file(
    pairs: Path, tmp_path: Path, monkeypatch, form: str, kept: int
) -> None:
    monkeypatch.setattr("seqgen.data.reading.KEPT_BYTES", kept)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    archive = Path(shutil.make_archive(str(tmp_path / "pairs"), form, pairs))
    packed, plain = (
        seqgen.prepare("text", [path], tmp_path / f"corpus-{path.name}", jobs=1)
        for path in (archive, pairs)
    )
    assert texts(packed) == texts(plain)
    assert packed.info["unread"] == plain.info["unread"] == {".more": 1}
    assert not packed.info["skipped"] and not [*temporary.iterdir()]
    codec, found = packed.codec, encode_files("text", [archive], packed.codec, jobs=1)
    assert sorted(codec.decode(ids) for _, ids in found) == texts(plain)


def test_companions_in_an_archive_of_too_many_files_are_said(
    pairs: Path, tmp_path: Path, monkeypatch
) -> None:
    archive = shutil.make_archive(str(tmp_path / "pairs"), "zip", pairs)
    monkeypatch.setattr("seqgen.data.unpacking.LISTED", 6)
    corpus = seqgen.prepare("text", [Path(archive)], tmp_path / "corpus", codec="characters")
    assert any("over 6 files" in line["reason"] for line in corpus.info["skipped"])


def test_names_of_companions_in_an_archive_do_no_harm(pairs: Path, tmp_path: Path) -> None:
    """Each of these names would fail, or reach beyond its folder, as the name of a file."""
    archive = tmp_path / "names.zip"
    names = ("/up/a", "../../b", "n" * 300, "twice", "twice", "same", "same.txt/c", "..\\d")
    with zipfile.ZipFile(archive, "w") as packed, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, name in enumerate(names):
            packed.writestr(f"{name}.txt", f"text {number} ")
            packed.writestr(f"{name}.more", f"more {number}")
    before = {*tmp_path.rglob("*")}
    corpus = seqgen.prepare("text", [archive], tmp_path / "corpus", jobs=1)
    found = texts(corpus)
    # Names that are too long, or those of other files, cost the companion only.
    assert [text[:6] for text in found] == [f"text {number}" for number in range(len(names))]
    assert {f"text {at} more {at}" for at in (0, 1, 6, 7)} <= {*found}
    made = {*tmp_path.rglob("*")} - before
    assert all(path.is_relative_to(tmp_path / "corpus") or path.name[0] == "." for path in made)


def test_a_damaged_companion_in_an_archive_is_reported(pairs: Path, tmp_path: Path) -> None:
    archive = tmp_path / "damaged.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(pairs.iterdir()):
            packed.write(path, path.name)
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"a.more and", b"a.more AND"))
    corpus = seqgen.prepare("text", [archive], jobs=1)
    [skipped] = corpus.info["skipped"]
    assert skipped["source"] == "damaged.zip/a.more" and "damaged" in skipped["reason"]
    assert "a.txt and some words\n" in texts(corpus)


@pytest.mark.parametrize("table", ["metadata.csv", "texts.tsv"])
def test_recordings_in_an_archive_have_their_texts_and_splits(table: str, tmp_path: Path) -> None:
    names = [f"{split}/{number}.wav" for split in ("train", "valid") for number in range(2)]
    folder = tmp_path / "talks"
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        samples = np.sin(np.arange(4000) / (3 + number)).astype(np.float32) / 2
        Speech().write(Sound(samples, 8000), folder / name)
    if table == "metadata.csv":
        rows = "".join(f"{name.removesuffix('.wav')}|ho {Path(name).stem}\n" for name in names)
        (folder / table).write_text(rows)
    else:
        for split in ("train", "valid"):
            rows = "".join(f"{n}.wav\tho {n}\n" for n in range(2))
            (folder / split / table).write_text("file\ttext\n" + rows)
    archive = shutil.make_archive(str(tmp_path / "talks"), "gztar", folder)
    corpus = seqgen.prepare("speech", [archive], tmp_path / "corpus", jobs=1)
    said = {origin.source: origin.facts["text"] for origin in corpus.origins()}
    assert said == {f"{Path(archive).name}/{name}": f"ho {Path(name).stem}" for name in names}
    assert len(corpus.segments("valid")) == 2 and not corpus.info["unread"]


def drawing(text: str = "") -> Ink:
    return Ink((np.array([[0.0, 0.0], [5.0, 9.0], [7.0, 3.0]]),), text)


def plain_svg(ink: Ink) -> str:
    """Return an SVG of another program: without a title."""
    [sheet] = [on_paper(ink)]
    return svg(sheet).replace(' data-seqgen="ink"', "")


@pytest.mark.parametrize(("suffix", "write"), [(".svg", plain_svg), (".inkml", inkml)])
def test_a_text_beside_a_drawing_is_its_text(suffix: str, write, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text(write(drawing()))
    [before] = Handwriting().read(path)
    assert before.text == ""
    path.with_suffix(".txt").write_bytes("\ufeffGrüße\r\n".encode())
    [ink] = Handwriting().read(path)
    assert ink.text == "Grüße" and ink.letters is None
    path.write_text(write(drawing("its own")))
    [ink] = Handwriting().read(path)
    assert ink.text == "its own"


@pytest.mark.parametrize("content", [b"\xff", b"a" * (LONGEST_TEXT + 1)])
def test_a_text_that_cannot_be_used_costs_its_drawing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text(plain_svg(drawing()))
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"its text a\.txt"):
        list(Handwriting().read(tmp_path / "a.svg"))


def test_drawings_with_texts_become_a_corpus(tmp_path: Path, seqgen_command) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"{name}.svg").write_text(plain_svg(drawing()))
        (tmp_path / f"{name}.txt").write_text(f"text {name}")
    (tmp_path / "notes.txt").write_text("of no drawing")
    status, out, err = seqgen_command("prepare", "handwriting", tmp_path, "--report", "--json")
    assert status == 0, err
    info = json.loads(out)
    assert info["unread"] == {".txt": 1} and not info["skipped"]
    assert all(len(entry["companions"]) == 1 for entry in info["files"])
    facts = [piece["facts"].get("text") for each in info["report"] for piece in each["pieces"]]
    assert "text a" in facts
