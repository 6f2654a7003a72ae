"""Corpora in shards: the same pieces as in one file, and damage to any shard is noticed."""

import json
from pathlib import Path

import numpy as np
import pytest

import seqgen
from seqgen.config import ModelConfig, TrainConfig
from seqgen.data.corpus import Corpus
from seqgen.data.rewriting import rewrite
from seqgen.errors import CorpusError
from seqgen.files import file_digest

#: With 8 bytes a shard: [4 + 3], [20], [1 + 7], [2].
PIECES = {"train": ["abab", "bba", "ab" * 10, "b"], "valid": ["abbabba"], "test": ["ba"]}


def written(folder: Path) -> Corpus:
    return seqgen.write_corpus(folder, "text", PIECES)


@pytest.fixture
def sharded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    monkeypatch.setattr("seqgen.data.shards.SHARD", 8)
    return written(tmp_path / "sharded")


def test_shards_hold_the_pieces_of_one_file(sharded: Corpus, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.undo()
    plain = written(tmp_path / "plain")
    assert "shards" not in plain.info and sharded.info["shards"] == [0, 2, 3, 5]
    names = ["tokens.npy", "tokens-1.npy", "tokens-2.npy", "tokens-3.npy"]
    parts = [np.load(sharded.folder / name) for name in names]
    assert [len(part) for part in parts] == [7, 20, 8, 2]
    np.testing.assert_array_equal(np.concatenate(parts), np.load(plain.folder / "tokens.npy"))
    for number in range(6):
        np.testing.assert_array_equal(sharded.piece(number), plain.piece(number))
    np.testing.assert_array_equal(sharded.counts, plain.counts)
    assert sharded.info["key"] == plain.info["key"]


def test_training_reads_shards_as_one_file(sharded: Corpus, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.undo()
    weights = []
    for corpus in (sharded, written(tmp_path / "plain")):
        config = TrainConfig(tokens=200, batch_size=2, window=4, device="cpu", threads=1)
        folder = tmp_path / f"run-{corpus.folder.name}"
        run = seqgen.create_run(folder, corpus, ModelConfig(hidden=8, embedding=4), config)
        list(seqgen.train(run, corpus))
        weights.append(seqgen.load(folder, "cpu").weights)
    for name, value in weights[0].items():
        np.testing.assert_array_equal(value, weights[1][name])


def test_a_copy_changes_the_piece_of_a_later_shard(sharded: Corpus, tmp_path: Path) -> None:
    copy = rewrite(sharded, tmp_path / "copy", [(4, np.zeros(7, np.int64))])
    copy.verify()
    assert copy.piece(4).tolist() == [0] * 7
    for number in (0, 1, 2, 3, 5):
        np.testing.assert_array_equal(copy.piece(number), sharded.piece(number))


def test_a_shard_is_checked_when_it_is_first_read(sharded: Corpus) -> None:
    path = sharded.folder / "tokens-2.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    corpus = Corpus(sharded.folder)
    corpus.piece(0), corpus.piece(5)
    for read in (lambda: corpus.piece(3), corpus.verify):
        with pytest.raises(CorpusError, match=r"tokens-2.npy is damaged: SHA-256 must be"):
            read()
    data[-1] = 99
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=r"tokens-2.npy is damaged: ids must be below 2, found"):
        Corpus(sharded.folder).piece(4)


@pytest.mark.parametrize(
    "shards", [[], [1], [0, 0], [0, 3, 2], [0, 6], [0, -1], [0, 2, 3], [0, 1, 3, 5], "0", [[0]]]
)
def test_shards_that_cannot_be(shards: object, sharded: Corpus) -> None:
    path = sharded.folder / "corpus.json"
    path.write_text(json.dumps(sharded.info | {"shards": shards}))
    with pytest.raises(CorpusError, match="; prepare the corpus again"):
        Corpus(sharded.folder)


def test_a_missing_or_shorter_shard_is_refused(sharded: Corpus) -> None:
    path = sharded.folder / "tokens-1.npy"
    ids = np.load(path)
    np.save(path, ids[:-1])
    info = sharded.info | {"digests": sharded.info["digests"] | {path.name: file_digest(path)}}
    (sharded.folder / "corpus.json").write_text(json.dumps(info))
    with pytest.raises(CorpusError, match="offsets must go from 0 to 36, found 0 to 37"):
        Corpus(sharded.folder)
    path.unlink()
    with pytest.raises(CorpusError, match=r"tokens-1.npy is damaged"):
        Corpus(sharded.folder)
