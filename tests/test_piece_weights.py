"""Weights of pieces: how often an epoch reads each, on average and exactly again."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import seqgen
from seqgen.cli.settings import parse_weights
from seqgen.conditions.labels import Labelled
from seqgen.config import ModelConfig, TrainConfig
from seqgen.data.batches import TrainingStream
from seqgen.data.corpus import Corpus
from seqgen.data.splits import READING, SEGMENT, SPLITS, Segments, whole
from seqgen.data.weighing import Weighing
from seqgen.errors import ConfigError, CorpusError, DataError
from seqgen.evaluation.ngram import baseline, count

#: Each piece is one letter, so the letters of a stream say which pieces it read.
WEIGHTS = {"a": 0.0, "b": 0.25, "c": 1.0, "d": 2.5, "e": 100.0}


def pieces(weights: dict[str, float]) -> list[Labelled]:
    return [Labelled({}, letter * 7, weight) for letter, weight in weights.items()]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    given = {"train": pieces(WEIGHTS), "valid": pieces({"a": 0.0, "b": 5.0})}
    return seqgen.write_corpus(tmp_path / "corpus", "text", given)


def readings(corpus: Corpus, epoch: int, seed: int = 0) -> Counter[str]:
    """Return how often an epoch reads each letter's piece."""
    read = corpus.segments("train").repeated(corpus.weights, seed, epoch)
    return Counter(corpus.codec.decode(corpus.piece(one.piece))[0] for one in read)


def test_an_epoch_reads_a_piece_as_often_as_its_weight_says(corpus: Corpus) -> None:
    epochs = [readings(corpus, epoch) for epoch in range(400)]
    for letter, weight in WEIGHTS.items():
        counts = {epoch[letter] for epoch in epochs}
        assert counts == {int(np.floor(weight)), int(np.ceil(weight))}
        assert sum(epoch[letter] for epoch in epochs) / 400 == pytest.approx(weight, abs=0.1)
    assert readings(corpus, 3) == readings(corpus, 3)
    assert len({tuple(sorted(readings(corpus, 1, seed).items())) for seed in range(20)}) == 4


def test_a_pieces_draws_do_not_depend_on_other_weights() -> None:
    rows = Segments(whole([5] * 50, [0] * 50))
    some = np.full(50, 0.5, "f4")
    others = np.where(np.arange(50) < 25, some, np.float32(7))
    first, second = (rows.repeated(each, 1, 2) for each in (some, others))
    assert [one.piece for one in first if one.piece < 25] == [
        one.piece for one in second if one.piece < 25
    ]


def test_without_weights_an_epoch_is_what_it_was() -> None:
    rows = Segments(whole([5] * 50, [0] * 50))
    assert rows.repeated(np.ones(50, "f4"), 0, 0) is rows


def test_an_epoch_is_never_empty() -> None:
    rows = Segments(whole([5] * 3, [0] * 3))
    for epoch in range(30):
        assert len(rows.repeated(np.full(3, 1e-6, "f4"), 0, epoch)) == 1


def test_repeats_are_numbered_and_kept_in_shares() -> None:
    rows = Segments(whole([4, 6], [0, 0]))
    read = rows.repeated(np.array([2, 3], "f4"), 0, 0)
    assert [(one.piece, one.repeat) for one in read] == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    parts = [part for share in read.shares(3) for part in share]
    assert sum(part.stop - part.start for part in parts) == read.tokens == 26
    assert {(part.piece, part.repeat) for part in parts} == {(o.piece, o.repeat) for o in read}
    assert np.zeros(1, READING)[list(SEGMENT.names)].dtype.names == SEGMENT.names


def test_each_repeat_of_a_piece_is_augmented_in_its_own_way(corpus: Corpus, monkeypatch) -> None:
    seen = []
    codec = type(corpus.codec)
    monkeypatch.setattr(
        codec, "augment", lambda self, ids, rng: seen.append((ids[0], rng.random())) or ids
    )
    # A piece has nine steps, with START and END, and an epoch at least 103 pieces.
    TrainingStream(corpus, 1, 1, 0).read(103 * 9)
    assert len(set(seen)) == len(seen) == 103
    assert Counter(letter for letter, _ in seen)[4] > 90


def test_a_resumed_stream_reads_the_same_bytes(corpus: Corpus) -> None:
    stream = TrainingStream(corpus, 3, 11, 5)
    for steps in range(1, 200):
        next(stream)
        if steps % 37 == 0:
            resumed = TrainingStream(corpus, 3, 11, 5, place=json.loads(json.dumps(stream.place())))
            for _ in range(5):
                ours, theirs = next(stream), next(resumed)
                assert ours.inputs.tobytes() == theirs.inputs.tobytes()
                assert ours.targets.tobytes() == theirs.targets.tobytes()


def test_training_goes_on_exactly_with_weights(corpus: Corpus, tmp_path: Path) -> None:
    config = TrainConfig(tokens=2000, batch_size=2, window=16, evaluations=4, device="cpu")
    weights = []
    for stops in (False, True):
        run = seqgen.create_run(tmp_path / f"{stops}", corpus, ModelConfig(hidden=8), config)
        training = seqgen.train(run, corpus)
        if stops:
            next(training), next(training), training.close()
            run = seqgen.load(run.folder)
            training = seqgen.train(run, corpus)
        for _ in training:
            pass
        weights.append((run.folder / "model.safetensors").read_bytes()[-1000:])
    assert weights[0] == weights[1]


def test_weight_0_is_never_in_training_and_held_out_pieces_are_not_weighted(corpus) -> None:
    assert [one.piece for one in corpus.segments("train")] == [1, 2, 3, 4]
    assert corpus.size("train") == 28 and corpus.size("valid") == 14
    assert corpus.weights.tolist() == [*WEIGHTS.values(), 0, 5]
    assert [origin.weight for origin in corpus.origins()] == corpus.weights.tolist()
    stream = TrainingStream(corpus, 2, 100, 0)
    assert 0 not in np.concatenate([next(stream).inputs for _ in range(50)])


def test_the_baseline_counts_pieces_as_often(tmp_path: Path) -> None:
    """Weights and copies of pieces give the same n-gram counts."""
    weighed = {"train": [Labelled({}, "abab", 3), "bb"], "valid": ["ab"]}
    copied = {"train": ["abab", "abab", "abab", "bb"], "valid": ["ab"]}
    one, two = (
        seqgen.write_corpus(tmp_path / name, "text", given)
        for name, given in (("weighed", weighed), ("copied", copied))
    )
    assert count(one).counted == count(two).counted == 14
    mine, theirs = asdict(baseline(one)), asdict(baseline(two))
    mine.pop("model"), theirs.pop("model")
    assert mine == theirs


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for letter in "abcdefghijklmnopqrstuvwxyz":
        folder = tmp_path / "data" / ("early" if letter < "n" else "late")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{letter}.txt").write_text(letter * 5)
    return tmp_path / "data"


def weights_of(corpus: Corpus) -> dict[str, float]:
    return {Path(one.source).stem: one.weight for one in corpus.origins()}


def test_rules_by_label_and_by_file(files: Path) -> None:
    rules = {"*.txt": 2, "age=late": 0.5, "late/z.txt": 1}
    corpus = seqgen.prepare("text", [files], labels={"age": "{}/*.txt"}, weights=rules)
    found = weights_of(corpus)
    assert (found["a"], found["n"], found["z"]) == (2, 0.5, 1)
    again = seqgen.prepare("text", [files], labels={"age": "{}/*.txt"}, weights=rules)
    assert again.folder == corpus.folder
    # The last rule that fits decides.
    other = dict(reversed(rules.items()))
    turned = seqgen.prepare("text", [files], labels={"age": "{}/*.txt"}, weights=other)
    assert set(weights_of(turned).values()) == {2} and turned.folder != corpus.folder


def test_rules_that_cannot_be(files: Path) -> None:
    for wrong in (["age=old"], "age=old", [("age=old", 2)]):
        with pytest.raises(
            ConfigError, match=r"weights must be a mapping, found .*; write weights="
        ):
            seqgen.prepare("text", [files], weights=wrong)
    for weight in (-1, 101, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="must be from 0 to 100"):
            Weighing({"a": weight})
    with pytest.raises(CorpusError, match=r"'early/z\.txt' has no use: it fits the end of no path"):
        seqgen.prepare("text", [files], weights={"early/z.txt": 2})
    with pytest.raises(CorpusError, match="'age=old' has no use: no piece has this label"):
        seqgen.prepare("text", [files], labels={"age": "{}/*"}, weights={"age=old": 2})
    with pytest.raises(CorpusError, match="all training pieces have weight 0"):
        seqgen.prepare("text", [files], weights={"*.txt": 0})
    with pytest.raises(DataError, match="the weight of a piece must be from 0 to 100"):
        seqgen.write_corpus(files / "x", "text", {"train": [Labelled({}, "a", 101)]})


def test_rules_of_the_command(files: Path, seqgen_command) -> None:
    assert parse_weights(["a=b:2", "x:/*.txt:0.5"]) == {"a=b": 2, "x:/*.txt": 0.5}
    for texts in (["a=b"], ["a=b:"], [":2"], ["a:b"]):
        with pytest.raises(ConfigError, match="must be RULE:NUMBER"):
            parse_weights(texts)
    with pytest.raises(ConfigError, match="occurs twice"):
        parse_weights(["a:1", "a:2"])
    given = ("prepare", "text", files, "--weight", "early/*:2", "--weight", "?.txt:0.5")
    status, out, err = seqgen_command(*given, "--report")
    assert status == 0, err
    assert "weight" in out.splitlines()[0] and "0.5" in out
    status, out, err = seqgen_command("prepare", "text", files, "--report")
    assert status == 0 and "weight" not in out.splitlines()[0]


def test_a_domain_yields_weights(files: Path, monkeypatch) -> None:
    from seqgen_text.domain import Text

    def read(self, path, options):
        yield Labelled({}, path.read_text(), 3.0 if path.stem < "m" else 1000.0)

    monkeypatch.setattr(Text, "read", read)
    corpus = seqgen.prepare("text", [files], files.parent / "weighed", jobs=1)
    assert set(weights_of(corpus)) == set("abcdefghijkl")
    assert set(weights_of(corpus).values()) == {3.0}
    assert {entry["reason"] for entry in corpus.info["skipped"]} == {
        "the weight of a piece must be from 0 to 100, found 1000.0"
    }
    assert set(SPLITS) == set(corpus.info["tokens"])
