"""Splits that are given by files, folders or lists: they are exactly what was given."""

import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

import seqgen
from seqgen.data.splits import LONG_PIECE, SPLITS
from seqgen.errors import ConfigError, CorpusError

LINES = [f"{number} green bottles hanging on the wall\n" for number in range(30)]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the folders train, valid and test; one text is in all of them."""
    for split, lines in (("train", LINES[:9]), ("valid", LINES[9:12]), ("test", LINES[12:14])):
        (tmp_path / "data" / split).mkdir(parents=True)
        for number, line in enumerate([*lines, LINES[20]]):
            (tmp_path / "data" / split / f"{number}.txt").write_text(line)
    return tmp_path / "data"


def contents(corpus: seqgen.Corpus) -> dict[str, list[str]]:
    """Return the texts of each split."""
    return {
        split: [corpus.codec.decode(corpus.piece(part.piece)) for part in corpus.segments(split)]
        for split in SPLITS
    }


def check_given(corpus: seqgen.Corpus, in_order: bool = True) -> None:
    found = contents(corpus)
    if not in_order:
        # Archives have their members in any order.
        found = {split: sorted(texts, key=LINES.index) for split, texts in found.items()}
    assert found == {
        "train": [*LINES[:9], LINES[20]],
        "valid": [*LINES[9:12], LINES[20]],
        "test": [*LINES[12:14], LINES[20]],
    }
    assert corpus.info["seed"] is None and not corpus.info["duplicates"]


def test_given_splits_are_exactly_what_was_given(files: Path, tmp_path: Path) -> None:
    corpus = seqgen.prepare("text", [files], valid=[files / "valid"], test=[files / "test"])
    check_given(corpus)
    assert {entry["split"] for entry in corpus.info["files"]} == set(SPLITS)
    again = seqgen.prepare(
        "text", [files / "train"], valid=[files / "valid"], test=[files / "test"]
    )
    assert again.folder == corpus.folder
    drawn = seqgen.prepare("text", [files], draw_splits=True)
    assert drawn.folder != corpus.folder and "split" not in drawn.info["files"][0]
    swapped = seqgen.prepare("text", [files], valid=[files / "test"], test=[files / "valid"])
    assert swapped.folder != corpus.folder
    some = seqgen.prepare("text", [files / "train"], valid=[files / "valid"])
    assert not contents(some)["test"] and len(contents(some)["valid"]) == 4


def test_the_command_takes_folders_and_lists(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seqgen_command
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = sorted((Path("data") / "test").iterdir())
    (tmp_path / "test.txt").write_text("\n".join(map(str, paths)) + "\n\n")
    prepare = ("prepare", "text", "data", "--valid", "data/valid", "--test")
    status, out, err = seqgen_command(*prepare, "@test.txt", "--out", "corpus", "--json")
    assert status == 0, err
    assert json.loads(out)["tokens"]["test"] == sum(len(path.read_text()) for path in paths)
    check_given(seqgen.Corpus("corpus"))
    (tmp_path / "empty").write_text("\n")
    for wrong, reason in (("@none", "cannot read the list none"), ("@empty", "names no file")):
        status, _, err = seqgen_command(*prepare, wrong)
        assert status == 2 and reason in err
    status, _, err = seqgen_command("train", "text", "corpus", "--valid", "data/valid")
    assert status == 2 and "encoded already" in err


def test_what_is_no_path_is_refused_by_name(files: Path) -> None:
    for name in ("paths", "valid", "test"):
        with pytest.raises(ConfigError, match=f"{name} must be a path or a list of paths, found 3"):
            seqgen.prepare("text", **({"paths": [files]} | {name: 3}))


def test_splits_that_cannot_be_are_refused(files: Path) -> None:
    train, valid, test = (files / split for split in SPLITS)
    with pytest.raises(ConfigError, match="none to train on"):
        seqgen.prepare("text", valid=[valid])
    with pytest.raises(ConfigError, match="given twice"):
        seqgen.prepare("text", [files], test=[test], split_label="part")
    with pytest.raises(CorpusError, match="all files are held out"):
        seqgen.prepare("text", [valid], valid=[valid])
    with pytest.raises(CorpusError, match="is named for valid and for test"):
        seqgen.prepare("text", [train], valid=[valid], test=[valid / "0.txt"])
    with pytest.raises(CorpusError, match="no file for the domain"):
        (files / "none").mkdir()
        seqgen.prepare("text", [train], valid=[files / "none"])


def test_held_out_pieces_with_symbols_of_their_own_stay(files: Path) -> None:
    (files / "valid" / "strange.txt").write_text("Ж")
    (files / "test" / "empty.txt").write_text("")
    corpus = seqgen.prepare("text", [files], valid=[files / "valid"], test=[files / "test"])
    assert "Ж" in contents(corpus)["valid"]
    [skipped] = corpus.info["skipped"]
    assert skipped["source"].endswith("empty.txt")
    with pytest.raises(CorpusError, match=r"could be used \(split test\)"):
        empty = files / "test" / "empty.txt"
        seqgen.prepare("text", [files / "train"], valid=[files / "valid"], test=[empty])


def test_folders_called_so_are_the_splits(files: Path, tmp_path: Path, seqgen_command) -> None:
    corpus = seqgen.prepare("text", [files])
    check_given(corpus)
    said = "splits: given by folders (test and train and valid)"
    assert said in corpus.info["chosen"]
    check_given(seqgen.prepare("text", [files / split for split in SPLITS]))
    (files / "valid").rename(files / "dev")
    check_given(seqgen.prepare("text", [files]))
    prepare = ("prepare", "text", files, "--out", tmp_path / "drawn")
    status, _, err = seqgen_command(*prepare, "--draw-splits")
    assert status == 0 and "splits" not in err
    assert seqgen.Corpus(tmp_path / "drawn").info["seed"] == 0


@pytest.mark.parametrize("names", ["{}.txt", "ptb.{}.txt", "wiki-{}-1.txt"])
def test_files_called_so_are_the_splits(names: str, tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / names.format(split)).write_text(f"text for {split}")
    corpus = seqgen.prepare("text", [tmp_path])
    assert contents(corpus) == {split: [f"text for {split}"] for split in SPLITS}
    assert "splits: given by file names (test and train and valid)" in corpus.info["chosen"]
    named = seqgen.prepare("text", sorted(tmp_path.iterdir()))
    assert contents(named) == contents(corpus)


def test_the_files_of_a_split_may_be_numbered(tmp_path: Path) -> None:
    counts = {"train": 3, "validation": 1, "test": 2}
    for split, count in counts.items():
        for number in range(count):
            path = tmp_path / f"{split}-{number:05}-of-{count:05}.txt"
            path.write_text(f"text {number} for {split}")
    found = contents(seqgen.prepare("text", [tmp_path]))
    assert [len(found[split]) for split in SPLITS] == [3, 1, 2]
    assert found["valid"] == ["text 0 for validation"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["train.txt", "a.txt", "b.txt", "c.txt"], ""),
        (["my.train.txt", "your.valid.txt"], ""),
        (["train/a.txt", "valid/a.txt", "b.txt"], "b.txt is for none of them"),
        (["train_and_test.txt", "valid.txt"], ""),
        (["valid.txt", "test.txt"], ""),
    ],
)
def test_splits_are_drawn_where_names_do_not_give_them(
    names: list[str], said: str, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}")
    corpus = seqgen.prepare("text", [tmp_path])
    assert corpus.info["seed"] == 0
    found = [choice for choice in corpus.info["chosen"] if choice.startswith("splits")]
    assert len(found) == bool(said) and all(said in choice for choice in found)


@pytest.mark.parametrize("is_named", [True, False])
def test_validation_is_drawn_from_train_if_only_test_is_given(is_named: bool, files: Path) -> None:
    shutil.rmtree(files / "valid")
    for number, line in enumerate(LINES):
        (files / "train" / f"{number}.txt").write_text(line)
    if is_named:
        (files / "train").rename(files / "other")
        corpus = seqgen.prepare("text", [files], test=[files / "test"])
    else:
        corpus = seqgen.prepare("text", [files])
        said = "splits: given by folders (test and train); validation is drawn from train"
        assert said in corpus.info["chosen"]
    found = contents(corpus)
    # The text that is in both folders stays in both.
    assert found["test"] == [*LINES[12:14], LINES[20]]
    assert found["valid"] and not {*found["train"]} & {*found["valid"]}
    assert sorted(found["train"] + found["valid"]) == sorted(LINES)
    assert corpus.info["seed"] == 0


@pytest.mark.parametrize("length", [20, LONG_PIECE + 1])
def test_validation_is_drawn_from_the_end_of_a_single_file(length: int, tmp_path: Path) -> None:
    texts = {split: f"{split} " * length for split in ("train", "test")}
    for split, text in texts.items():
        (tmp_path / f"{split}.txt").write_text(text)
    corpus = seqgen.prepare("text", [tmp_path])
    parts = {
        split: [(each.start, each.stop) for each in corpus.segments(split)] for split in SPLITS
    }
    size = len(texts["train"])
    assert parts["test"] == [(0, len(texts["test"]))]
    assert parts["train"] == [(0, size * 9 // 10)] and parts["valid"] == [(size * 9 // 10, size)]


def test_a_readme_beside_the_splits_is_left_out(files: Path) -> None:
    (files / "README.md").write_text("How these texts were collected.")
    (files / "LICENSE").write_text("Everybody may use them.")
    corpus = seqgen.prepare("text", [files])
    check_given(corpus)
    left_out = [(Path(each["source"]).name, each["reason"]) for each in corpus.info["skipped"]]
    reason = "is about the files beside it, and in none of their splits"
    assert left_out == [("LICENSE", reason), ("README.md", reason)]
    # One that is in a split is a text like others, and so is one that is named.
    (files / "README.md").rename(files / "train" / "README.md")
    assert "How these texts were collected." in contents(seqgen.prepare("text", [files]))["train"]
    named = seqgen.prepare("text", [*(files / split for split in SPLITS), files / "LICENSE"])
    assert named.info["seed"] == 0 and not named.info["skipped"]


@pytest.mark.parametrize("form", ["zip", "tar", "gztar"])
@pytest.mark.parametrize("kept", [2**20, 10], ids=["kept", "read twice"])
def test_folders_in_an_archive_are_the_splits(
    files: Path, tmp_path: Path, form: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqgen.data.reading.KEPT_BYTES", kept)
    (files / "README.md").write_text("How these texts were collected.")
    (files / "valid" / ".hidden.txt").write_text("a hidden text")
    (files / "picture.png").write_text("no text")
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), form, files))
    corpus = seqgen.prepare("text", [archive], jobs=1)
    check_given(corpus, in_order=False)
    said = f"splits: given by folders in {archive.name} (test and train and valid)"
    assert corpus.info["chosen"][-1] == said
    assert "split" not in corpus.info["files"][0]
    [left_out] = corpus.info["skipped"]
    assert left_out["source"] == f"{archive.name}/README.md"
    assert corpus.info["unread"] == {".png": 1, "hidden": 1}
    assert seqgen.prepare("text", [archive], jobs=1).folder == corpus.folder
    assert seqgen.prepare("text", [archive], draw_splits=True).info["seed"] == 0


@pytest.mark.parametrize("names", ["{}.txt", "wiki/wiki.{}.txt", "{}-00000-of-00002.txt"])
def test_files_in_archives_are_the_splits(names: str, tmp_path: Path) -> None:
    for number, splits in enumerate((("train",), SPLITS[1:])):
        with zipfile.ZipFile(tmp_path / f"{number}.zip", "w") as archive:
            for split in splits:
                archive.writestr(names.format(split), f"text for {split}")
    one = tmp_path / "all.tar.gz"
    with tarfile.open(one, "w:gz") as tar:
        for split in SPLITS:
            entry = tarfile.TarInfo(names.format(split))
            entry.size = len(f"text for {split}")
            tar.addfile(entry, io.BytesIO(f"text for {split}".encode()))
    corpus = seqgen.prepare("text", [one])
    assert contents(corpus) == {split: [f"text for {split}"] for split in SPLITS}
    # Names in different archives are not alike, but names of folders may be in any.
    assert seqgen.prepare("text", sorted(tmp_path.glob("*.zip"))).info["seed"] == 0


def test_an_archive_beside_folders_of_splits_may_have_some_too(files: Path) -> None:
    shutil.make_archive(str(files / "more"), "zip", files, "test")
    shutil.rmtree(files / "test")
    check_given(seqgen.prepare("text", [files]), in_order=False)
    # The name of an archive counts before the names in it.
    (files / "more.zip").rename(files / "test.zip")
    for split in ("train", "valid"):
        shutil.make_archive(str(files / split), "zip", files / split)
        shutil.rmtree(files / split)
    corpus = seqgen.prepare("text", [files])
    check_given(corpus, in_order=False)
    assert [entry["split"] for entry in corpus.info["files"]] == ["test", "train", "valid"]


def test_splits_are_drawn_where_names_in_an_archive_do_not_give_them(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (files / "other.txt").write_text("a text in no folder")
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", files))
    corpus = seqgen.prepare("text", [archive])
    assert corpus.info["seed"] == 0 and corpus.info["pieces"] == 16
    assert corpus.info["chosen"][-1] == (
        "splits: drawn, although folders in packed.zip give test and train and valid, because "
        "other.txt is for none of them; unpack, and name files with `valid` and `test`"
    )
    monkeypatch.setattr("seqgen.data.given_splits.LISTED", 18)
    assert seqgen.prepare("text", [archive]).info["chosen"][-1] == corpus.info["chosen"][-1]
    monkeypatch.setattr("seqgen.data.given_splits.LISTED", 17)
    assert "archives with over 17 files" in seqgen.prepare("text", [archive]).info["chosen"][-1]


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_a_damaged_archive_keeps_the_splits_of_its_good_members(
    files: Path, tmp_path: Path, form: str
) -> None:
    last = b"the last text, which is damaged"
    (files / "valid" / "9.txt").write_bytes(last)
    archive = tmp_path / f"packed.{form}"
    if form == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for path in sorted(files.rglob("*.txt")):
                packed.write(path, path.relative_to(files))
        archive.write_bytes(archive.read_bytes().replace(last, last[::-1]))
    else:
        shutil.make_archive(str(archive.with_suffix("")), form, files)
        content = archive.read_bytes()
        archive.write_bytes(content[: content.index(last) + 5])
    corpus = seqgen.prepare("text", [archive], jobs=1)
    check_given(corpus, in_order=False)
    [skipped] = corpus.info["skipped"]
    assert "it is damaged" in skipped["reason"]


def test_the_report_says_that_few_files_are_in_folders_of_splits(files: Path) -> None:
    shutil.rmtree(files / "valid")
    (files / "other").mkdir()
    for number in range(30):
        (files / "other" / f"{number}.txt").write_text(LINES[number])
    [*_, how] = seqgen.prepare("text", [files]).info["chosen"]
    assert how == (
        "splits: drawn, because only 13 of 43 files are in folders test and train; name files with "
        "`valid` and `test`"
    )
