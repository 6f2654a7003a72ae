import hashlib
import itertools
import json
import os
import tracemalloc
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqgen_text.files.decoding import TextFile

import seqgen
from seqgen.data.corpus import Corpus, CorpusWriter
from seqgen.data.splits import SEGMENT, SPLITS, Segments, assign_splits, draw
from seqgen.errors import ConfigError, CorpusError, DataError, PluginError, RunError


def peak_of(function: Callable[[], object]) -> int:
    """Return the most bytes that Python and numpy had allocated in a call."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def large_text(size: int) -> str:
    """Return lines of digits, no two alike."""
    return "".join(f"line {number:08} of a large file\n" for number in range(size // 30))


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


def test_a_large_file_gives_the_same_bytes_however_it_is_read(
    verses: Path, tmp_path: Path, monkeypatch
) -> None:
    """In one piece of work or many, by this process or another, between files or last."""
    (tmp_path / "texts").mkdir()
    for name in ("a", "zz"):
        (tmp_path / "texts" / f"{name}.txt").write_text(name + large_text(9_000_000))
    paths, folders = [verses, tmp_path / "texts"], []
    for jobs, kept in itertools.product((1, 2), (2**26, 2**20)):
        monkeypatch.setattr("seqgen.data.reading.KEPT_BYTES", kept)
        folder = tmp_path / f"{jobs} {kept}"
        folders.append(seqgen.prepare("text", paths, folder, jobs=jobs).folder)
    assert all(digest(folder) == digest(folders[0]) for folder in folders)


def test_a_source_is_a_file_and_which_of_its_pieces(verses: Path, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_text.files.pieces.LONGEST", 300)
    path = tmp_path / "large.txt"
    path.write_text(large_text(900))
    corpus = seqgen.prepare("text", [path, verses], tmp_path / "corpus", jobs=1)
    sources = [corpus.source(index) for index in range(corpus.info["pieces"])]
    name = f"{tmp_path.name}/large.txt"  # beside the folder of the verses
    assert sources[:3] == [name, f"{name}, piece 2", f"{name}, piece 3"]
    assert all(source.endswith(".txt") for source in sources[3:])
    texts = [corpus.codec.decode(corpus.piece(index)) for index in range(3)]
    assert "".join(texts) == path.read_text()


def test_what_comes_before_an_error_is_kept(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_text.files.pieces.LONGEST", 300)
    monkeypatch.setattr("seqgen_text.files.decoding.CHUNK", 100)
    chunks = TextFile.chunks

    def failing(self: TextFile) -> Iterator[str]:
        yield from chunks(self)
        raise DataError("it breaks off")

    monkeypatch.setattr(TextFile, "chunks", failing)
    (tmp_path / "large.txt").write_bytes(large_text(900).encode())
    corpus = seqgen.prepare("text", [tmp_path])
    assert corpus.info["pieces"] == 2
    [skipped] = corpus.info["skipped"]
    assert skipped["reason"].startswith("after piece 2: it breaks off")


def test_memory_does_not_grow_with_a_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_text.files.pieces.LONGEST", 2**18)
    monkeypatch.setattr("seqgen.data.reading.KEPT_BYTES", 2**20)
    peaks = []
    for size in (6_000_000, 30_000_000):
        path = tmp_path / f"{size}.txt"
        path.write_text(large_text(size))
        peaks.append(peak_of(lambda path=path: seqgen.prepare("text", [path])))
    # The alphabet is counted in a table of 9 MB; a piece has 2 MB of ids.
    assert peaks[1] < 16_000_000
    assert peaks[1] < peaks[0] + 1_000_000


def test_small_pieces_leave_little_in_memory(corpus: Corpus, tmp_path: Path) -> None:
    pieces = 20_000

    def write() -> None:
        draws = array("d")
        with CorpusWriter(tmp_path, corpus.codec) as writer:
            for number in range(pieces):
                digest = writer.add("a file", corpus.codec.encode(f"{number} green bottles"))
                assert digest is not None
                draws.append(draw(digest, 0))
        leaders = writer.near_duplicates.leaders(range(pieces))
        assert len(assign_splits(draws, writer.lengths, leaders)) == pieces

    assert peak_of(write) / pieces < 280


def test_progress_moves_within_a_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_text.files.pieces.LONGEST", 300)
    monkeypatch.setattr("seqgen.data.reading.KEPT_BYTES", 0)
    (tmp_path / "large.txt").write_text(large_text(3_000))
    told: list[tuple[str, int, int]] = []
    seqgen.prepare("text", [tmp_path], progress=lambda *now: told.append(now))
    for stage in ("reading", "encoding"):
        done = [now for name, now, total in told if name == stage and total == 3_000]
        assert done == sorted(done) and len(set(done)) >= 10 and done[-1] == 3_000


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=9), st.integers(1, 20))
def test_shares_are_equal_and_all_there_is(spans: list[tuple[int, int]], lanes: int) -> None:
    rows = [(piece, low, low + length, 0) for piece, (low, length) in enumerate(spans)]
    shares = Segments(np.array(rows, SEGMENT)).shares(lanes)

    def tokens(segments) -> list[tuple[int, int]]:
        return [(s.piece, at) for s in segments for at in range(s.start, s.stop)]

    parts = [tokens(share) for share in shares]
    assert [token for part in parts for token in part] == tokens(Segments(np.array(rows, SEGMENT)))
    assert len(parts) == lanes
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_many_segments_take_little_memory() -> None:
    segments = Segments(np.ones(200_000, SEGMENT))
    order = np.arange(200_000)[::-1]
    assert peak_of(lambda: segments[order].shares(64)) < 100 * 200_000


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
    from seqgen_text.codecs.characters import CharacterCodec

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
    assert "gone.txt" in skipped["source"] and "which does not exist" in skipped["reason"]
    assert any(r"\xff.txt" in file["name"] for file in corpus.info["files"])


def test_a_corpus_of_an_edited_plugin_is_made_again(verses: Path, monkeypatch) -> None:
    first = seqgen.prepare("text", [verses])
    monkeypatch.setattr("seqgen.data.preparation.source_digest", lambda _: "edited")
    assert seqgen.prepare("text", [verses]).folder != first.folder


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
    (tmp_path / "image.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\r")
    corpus = seqgen.prepare("text", [tmp_path])
    assert corpus.info["pieces"] == 1
    reasons = {Path(entry["source"]).name: entry["reason"] for entry in corpus.info["skipped"]}
    assert reasons.keys() == {"empty.txt", "image.txt"}
    assert reasons["empty.txt"] == "the file is empty"
    assert reasons["image.txt"].startswith("it is a PNG image")


def test_a_parser_that_crashes_costs_one_file(tmp_path: Path, monkeypatch) -> None:
    from seqgen_text.domain import Text

    whole = Text.read

    def fragile(self, path: Path, options) -> list[str]:
        if path.name == "bad.txt":
            raise RecursionError("parser went wild")
        return whole(self, path, options)

    monkeypatch.setattr(Text, "read", fragile)
    for name in ("good", "bad"):
        (tmp_path / f"{name}.txt").write_text(name)
    corpus = seqgen.prepare("text", [tmp_path])
    assert [entry["reason"] for entry in corpus.info["skipped"]] == [
        "RecursionError: parser went wild"
    ]


def test_large_corpora_are_read_twice_instead_of_kept(verses: Path, tmp_path, monkeypatch) -> None:
    kept = seqgen.prepare("text", [verses], tmp_path / "kept")
    monkeypatch.setattr("seqgen.data.reading.KEPT_BYTES", 0)
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
    with pytest.raises(RunError, match="overwrite=True"):
        seqgen.prepare("text", [verses], out)
    assert seqgen.prepare("text", [verses], out, overwrite=True).info["pieces"] == 40


def test_wrong_names_are_answered_with_the_right_ones(verses: Path) -> None:
    known = "it has characters, bytes, subwords, words; did you mean 'characters'"
    with pytest.raises(PluginError, match=f"no codec 'character'; {known}"):
        seqgen.prepare("text", [verses], codec="character")
    with pytest.raises(ConfigError, match="unknown setting 'rare'"):
        seqgen.prepare("text", [verses], options={"rare": 3})


def test_options_reach_the_codec_and_are_kept(verses: Path) -> None:
    corpus = seqgen.prepare("text", [verses], options={"rarest": "200"})
    assert corpus.info["codec"]["options"]["rarest"] == 200
    assert Corpus(corpus.folder).codec.options.rarest == 200


def test_a_split_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown split 'validation'; the splits are train"):
        seqgen.write_corpus(tmp_path / "c", "text", {"train": ["a"], "validation": ["b"]})
    with pytest.raises(CorpusError, match="there is no training piece"):
        seqgen.write_corpus(tmp_path / "c", "text", {"valid": ["a"]})
    with pytest.raises(DataError, match="train 1 is empty"):
        seqgen.write_corpus(tmp_path / "c", "text", {"train": ["a", ""]})
    assert not (tmp_path / "c").exists()


def test_a_corpus_folder_is_not_read_as_files(corpus: Corpus) -> None:
    with pytest.raises(CorpusError, match="was written by seqgen itself"):
        seqgen.prepare("text", [corpus.folder])


def test_a_codec_that_cannot_be_fitted_names_its_plugin(verses: Path, monkeypatch) -> None:
    from seqgen_text.codecs.characters import CharacterCodec

    def broken(cls, pieces, options):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(CharacterCodec, "fit", classmethod(broken))
    with pytest.raises(PluginError, match=r"of seqgen-text .* \(ZeroDivisionError: by nothing\)"):
        seqgen.prepare("text", [verses], seed=77)


def test_another_format_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    info = json.loads((corpus.folder / "corpus.json").read_text())
    (tmp_path / "corpus.json").write_text(json.dumps(info | {"format": 99}))
    with pytest.raises(CorpusError, match="format 99, this seqgen reads format 5"):
        Corpus(tmp_path)
    with pytest.raises(CorpusError, match="is not a corpus folder"):
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
    assert np.load(corpus.folder / "weights.npy").tolist() == [1, 1, 1, 1]
    assert corpus.info["vocab"] == ["a", "b"]


def test_an_id_outside_the_vocabulary_blames_the_codec(tmp_path: Path, monkeypatch) -> None:
    from seqgen_text.codecs.characters import CharacterCodec

    monkeypatch.setattr(CharacterCodec, "encode", lambda self, piece: np.array([0, 99]))
    with pytest.raises(DataError, match=r"CharacterCodec encoded .* with ids 0 to 99"):
        seqgen.write_corpus(tmp_path / "c", "text", {"train": ["ab"]})
    assert list(tmp_path.iterdir()) == []


def test_other_pieces_or_splits_make_another_corpus(tmp_path: Path) -> None:
    """The key tells them apart, where the vocabularies are the same."""
    splits = [
        {"train": ["abc", "cab"]},
        {"train": ["abc", "cab"]},
        {"train": ["cab", "abc"]},
        {"train": ["abc"], "valid": ["cab"]},
        {"train": ["abca", "b"]},
    ]
    keys = [
        seqgen.write_corpus(tmp_path / str(number), "text", pieces).info["key"]
        for number, pieces in enumerate(splits)
    ]
    assert keys[0] == keys[1] and len({*keys}) == 4
