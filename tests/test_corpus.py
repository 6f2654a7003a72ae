import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

import seqgen
from seqgen.corpus import SPLITS, Corpus
from seqgen.errors import ConfigError, CorpusError, DataError, PluginError, RunError


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_every_piece_comes_back(corpus: Corpus, verses: Path) -> None:
    texts = sorted(path.read_text() for path in verses.iterdir())
    stored = sorted(corpus.codec.decode(corpus.piece(i)) for i in range(corpus.info["pieces"]))
    assert stored == texts


def test_pieces_are_split_whole_and_once(corpus: Corpus) -> None:
    segments = [segment for split in SPLITS for segment in corpus.segments(split)]
    assert sorted(segment.piece for segment in segments) == list(range(corpus.info["pieces"]))
    for segment in segments:
        assert (segment.start, segment.stop) == (0, len(corpus.piece(segment.piece)))
    assert all(corpus.size(split) > 0 for split in SPLITS)


def test_the_same_input_gives_the_same_bytes(verses: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        seqgen.prepare("text", [verses], tmp_path / str(jobs), jobs=jobs)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


def test_relative_paths_are_those_of_now(tmp_path: Path, monkeypatch) -> None:
    """Processes that were started elsewhere read them all the same."""
    for place in ("one", "two"):
        (tmp_path / place / "texts").mkdir(parents=True)
        for number in range(6):
            (tmp_path / place / "texts" / f"{number}.txt").write_text(f"{place} {number}")
        monkeypatch.chdir(tmp_path / place)
        corpus = seqgen.prepare("text", ["texts"], jobs=2)
        assert corpus.info["pieces"] == 6 and not corpus.info["skipped"]


def test_a_second_run_reads_nothing_again(verses: Path, monkeypatch) -> None:
    first = seqgen.prepare("text", [verses])

    def fail(*_: object) -> None:
        raise AssertionError("the file was read again")

    monkeypatch.setattr("seqgen_text.domain.Text.read", fail)
    assert seqgen.prepare("text", [verses]).folder == first.folder


def test_other_content_makes_another_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one text")
    first = seqgen.prepare("text", [tmp_path])
    (tmp_path / "a.txt").write_text("two text")
    assert seqgen.prepare("text", [tmp_path]).folder != first.folder


def test_a_new_piece_never_moves_an_old_one(verses: Path, tmp_path: Path) -> None:
    def splits(corpus: Corpus) -> dict[str, str]:
        return {
            corpus.codec.decode(corpus.piece(segment.piece)): split
            for split in SPLITS
            for segment in corpus.segments(split)
        }

    before = splits(seqgen.prepare("text", [verses]))
    (tmp_path / "new.txt").write_text("a bottle more")
    after = splits(seqgen.prepare("text", [verses, tmp_path]))
    assert before.items() <= after.items()
    other = splits(seqgen.prepare("text", [verses], seed=1))
    assert other != before


def test_of_long_pieces_the_end_is_held_out(verses: Path, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("green bottles " * 2000)
    corpus = seqgen.prepare("text", [verses, tmp_path])
    parts = [s.piece for split in SPLITS for s in corpus.segments(split)]
    [book] = {piece for piece in parts if parts.count(piece) == 3}
    assert len(corpus.piece(book)) == 28_000
    assert len(parts) == 40 + 3


def test_a_corpus_of_another_build_of_the_plugin_is_made_again(verses, monkeypatch) -> None:
    """Under one version number, as while a plugin is being written."""
    from seqgen_text.characters import CharacterCodec

    whole = CharacterCodec.from_state.__func__

    def larger(cls, state, options):
        return whole(cls, {**state, "characters": state["characters"] + "~"}, options)

    seqgen.prepare("text", [verses], seed=5)
    reads = []
    monkeypatch.setattr(CharacterCodec, "from_state", classmethod(larger))
    seqgen.prepare("text", [verses], seed=5, progress=lambda *now: reads.append(now))
    assert reads


def test_one_odd_file_never_ends_the_others(verses: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.txt")
    (tmp_path / name).write_text("a file with a name that is not UTF-8")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    corpus = seqgen.prepare("text", [verses, tmp_path])
    assert corpus.info["pieces"] == 41
    [skipped] = corpus.info["skipped"]
    assert "gone.txt" in skipped["source"] and "FileNotFoundError" in skipped["reason"]
    assert any(r"\xff.txt" in file["name"] for file in corpus.info["files"])


def test_a_damaged_corpus_is_refused_and_made_again(verses: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    whole = digest(seqgen.prepare("text", [verses], out).folder)
    tokens = out / "tokens.npy"
    for damage in (tokens.unlink, lambda: tokens.write_bytes(b"\x93NUMPY")):
        damage()
        with pytest.raises(CorpusError, match="is damaged"):
            Corpus(out)
        assert digest(seqgen.prepare("text", [verses], out, overwrite=True).folder) == whole


def test_one_long_piece_is_held_out_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("abcdefghij" * 100)
    corpus = seqgen.prepare("text", [tmp_path])
    rows = [(split, s.start, s.stop) for split in SPLITS for s in corpus.segments(split)]
    assert rows == [("train", 0, 850), ("valid", 850, 950), ("test", 950, 1000)]


@pytest.mark.parametrize("text", ["a", "ab", "abc"])
def test_the_tiniest_corpus_has_something_to_train_on(text: str, tmp_path: Path) -> None:
    (tmp_path / "tiny.txt").write_text(text)
    corpus = seqgen.prepare("text", [tmp_path])
    assert corpus.size("train") >= 1
    assert sum(corpus.size(split) for split in SPLITS) == len(text)


def test_duplicates_are_removed_and_counted(tmp_path: Path) -> None:
    for name, text in (("a", "same"), ("b", "same"), ("c", "other")):
        (tmp_path / f"{name}.txt").write_text(text)
    corpus = seqgen.prepare("text", [tmp_path])
    assert corpus.info["pieces"] == 2
    assert [Path(source).name for source in corpus.info["duplicates"]] == ["b.txt"]


def test_bad_files_are_skipped_and_listed(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes("naïve".encode("latin-1"))
    corpus = seqgen.prepare("text", [tmp_path])
    assert corpus.info["pieces"] == 1
    reasons = {Path(entry["source"]).name: entry["reason"] for entry in corpus.info["skipped"]}
    assert reasons.keys() == {"empty.txt", "latin.txt"}
    assert reasons["empty.txt"] == "the file is empty"
    assert "byte 2 is not UTF-8" in reasons["latin.txt"]


def test_a_parser_that_crashes_costs_one_file(tmp_path: Path, monkeypatch) -> None:
    from seqgen_text.domain import Text

    whole = Text.read

    def fragile(self, path: Path) -> list[str]:
        if path.name == "bad.txt":
            raise RecursionError("parser went wild")
        return whole(self, path)

    monkeypatch.setattr(Text, "read", fragile)
    for name in ("good", "bad"):
        (tmp_path / f"{name}.txt").write_text(name)
    corpus = seqgen.prepare("text", [tmp_path])
    assert [entry["reason"] for entry in corpus.info["skipped"]] == [
        "RecursionError: parser went wild"
    ]


def test_large_corpora_are_read_twice_instead_of_kept(verses: Path, tmp_path, monkeypatch) -> None:
    kept = seqgen.prepare("text", [verses], tmp_path / "kept")
    monkeypatch.setattr("seqgen.preparation.KEPT_BYTES", 0)
    streamed = seqgen.prepare("text", [verses], tmp_path / "streamed")
    assert digest(kept.folder) == digest(streamed.folder)


def test_nothing_left_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no file for the domain 'text'.*it reads .txt"):
        seqgen.prepare("text", [tmp_path])
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(DataError, match="empty"):
        seqgen.prepare("text", [tmp_path])
    with pytest.raises(CorpusError, match="does not exist"):
        seqgen.prepare("text", [tmp_path / "nowhere"])
    assert [path.name for path in tmp_path.iterdir()] == ["empty.txt"]


def test_a_taken_folder_is_not_replaced_silently(verses: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("another text")
    out = tmp_path / "corpus"
    seqgen.prepare("text", [tmp_path / "a.txt"], out)
    with pytest.raises(RunError, match="--overwrite"):
        seqgen.prepare("text", [verses], out)
    assert seqgen.prepare("text", [verses], out, overwrite=True).info["pieces"] == 40


def test_wrong_names_are_answered_with_the_right_ones(verses: Path) -> None:
    with pytest.raises(PluginError, match="no codec 'character'; it has characters; did you mean"):
        seqgen.prepare("text", [verses], codec="character")
    with pytest.raises(ConfigError, match="unknown setting 'rare'"):
        seqgen.prepare("text", [verses], options={"rare": 3})


def test_options_reach_the_codec_and_are_kept(verses: Path) -> None:
    corpus = seqgen.prepare("text", [verses], options={"rarest": "200"})
    assert corpus.info["codec"]["options"] == {"rarest": 200}
    assert Corpus(corpus.folder).codec.options.rarest == 200


def test_a_split_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown split 'validation'; the splits are train"):
        seqgen.write_corpus(tmp_path / "c", "text", {"train": ["a"], "validation": ["b"]})
    with pytest.raises(CorpusError, match="no piece to train on"):
        seqgen.write_corpus(tmp_path / "c", "text", {"valid": ["a"]})
    with pytest.raises(DataError, match="train 1 is empty"):
        seqgen.write_corpus(tmp_path / "c", "text", {"train": ["a", ""]})
    assert not (tmp_path / "c").exists()


def test_a_corpus_folder_is_not_read_as_files(corpus: Corpus) -> None:
    with pytest.raises(CorpusError, match="was written by seqgen itself"):
        seqgen.prepare("text", [corpus.folder])


def test_a_codec_that_cannot_be_fitted_names_its_plugin(verses: Path, monkeypatch) -> None:
    from seqgen_text.characters import CharacterCodec

    def broken(cls, pieces, options):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(CharacterCodec, "fit", classmethod(broken))
    with pytest.raises(PluginError, match=r"of seqgen-text .* \(ZeroDivisionError: by nothing\)"):
        seqgen.prepare("text", [verses], seed=77)


def test_another_format_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    info = json.loads((corpus.folder / "corpus.json").read_text())
    (tmp_path / "corpus.json").write_text(json.dumps(info | {"format": 99}))
    with pytest.raises(CorpusError, match="format 99, this seqgen reads format 1"):
        Corpus(tmp_path)
    with pytest.raises(CorpusError, match="is no corpus folder"):
        Corpus(tmp_path / "nowhere")


def test_the_files_are_what_docs_format_says(tmp_path: Path) -> None:
    pieces = {"train": ["ab", "ba"], "valid": ["a"], "test": ["b"]}
    corpus = seqgen.write_corpus(tmp_path / "corpus", "text", pieces)
    tokens = (corpus.folder / "tokens.npy").read_bytes()
    assert tokens[:8] == b"\x93NUMPY\x01\x00"
    assert tokens[128:] == bytes([0, 1, 1, 0, 0, 1])
    assert np.load(corpus.folder / "tokens.npy").dtype == np.uint8
    assert np.load(corpus.folder / "offsets.npy").tolist() == [0, 2, 4, 5, 6]
    rows = np.load(corpus.folder / "segments.npy").tolist()
    assert rows == [(0, 0, 2, 0), (1, 0, 2, 0), (2, 0, 1, 1), (3, 0, 1, 2)]
    assert corpus.info["vocab"] == ["a", "b"]


def test_an_id_outside_the_vocabulary_blames_the_codec(tmp_path: Path, monkeypatch) -> None:
    from seqgen_text.characters import CharacterCodec

    monkeypatch.setattr(CharacterCodec, "encode", lambda self, piece: np.array([0, 99]))
    with pytest.raises(DataError, match=r"CharacterCodec encoded .* with ids 0 to 99"):
        seqgen.write_corpus(tmp_path / "c", "text", {"train": ["ab"]})
    assert list(tmp_path.iterdir()) == []
