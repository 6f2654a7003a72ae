"""Streams: every token is a target once, in context, and the state is clean at every seam."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import seqgen
from seqgen.batches import IGNORE, held_out_stream, training_stream
from seqgen.corpus import Corpus

MANY = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def make(folder: Path, pieces: list[str]) -> Corpus:
    return seqgen.write_corpus(folder, "text", {"train": pieces, "valid": pieces}, overwrite=True)


def lanes_of(stream, windows: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    batches = list(itertools.islice(stream, windows))
    return (
        np.concatenate([batch.inputs for batch in batches], axis=1),
        np.concatenate([batch.targets for batch in batches], axis=1),
    )


@MANY
@given(
    st.lists(st.text("abc", min_size=1, max_size=30), min_size=1, max_size=6),
    st.integers(1, 5),
    st.integers(1, 17),
)
def test_every_token_and_end_is_a_target_once(tmp_path, pieces, lanes, window) -> None:
    corpus = make(tmp_path / "corpus", pieces)
    _, targets = lanes_of(held_out_stream(corpus, "valid", lanes, window))
    counted = sorted(targets[targets != IGNORE].tolist())
    wanted = sorted(
        token
        for segment in corpus.segments("valid")
        for token in [*corpus.piece(segment.piece).tolist(), corpus.vocab.end]
    )
    assert counted == wanted


@MANY
@given(
    st.lists(st.text("abc", min_size=1, max_size=30), min_size=1, max_size=6),
    st.integers(1, 5),
    st.integers(1, 17),
)
def test_a_target_is_the_next_input_and_end_forgets(tmp_path, pieces, lanes, window) -> None:
    corpus = make(tmp_path / "corpus", pieces)
    end, start = corpus.vocab.end, corpus.vocab.start
    inputs, targets = lanes_of(held_out_stream(corpus, "valid", lanes, window))
    followed = inputs[:, 1:]
    counted = targets[:, :-1] != IGNORE
    seam = followed == end
    # What follows an input is its target; only a seam puts END in between.
    assert ((targets[:, :-1] == followed) | seam)[counted].all()
    # START comes first in a lane or after END, and END's own target is never counted.
    assert (inputs[:, :-1][followed == start] == end).all()
    assert (targets[inputs == end] == IGNORE).all()


def test_training_draws_order_afresh_but_repeatably(tmp_path: Path) -> None:
    corpus = make(tmp_path / "corpus", list("abcdefghijklmnop"))

    def epochs(seed: int) -> list[list[int]]:
        inputs, _ = lanes_of(training_stream(corpus, 1, 3 * 16, seed), 3)
        return [inputs[0, 48 * n + 1 : 48 * (n + 1) : 3].tolist() for n in range(3)]

    first = epochs(0)
    assert all(sorted(epoch) == list(range(16)) for epoch in first)
    assert first[0] != first[1] != first[2]
    assert epochs(0) == first != epochs(1)


def test_an_epoch_reads_everything_once(tmp_path: Path) -> None:
    pieces = [character * 7 for character in "abcdefgh"]
    corpus = make(tmp_path / "corpus", pieces)
    inputs, targets = lanes_of(training_stream(corpus, 4, 18, 0), 1)
    # Two pieces of seven ids, START and END, are eighteen steps in each of four lanes.
    assert sorted(targets[targets != IGNORE].tolist()) == sorted([*range(8)] * 7 + [8] * 8)
    assert (inputs == corpus.vocab.start).sum() == 8


def test_augmentation_is_drawn_afresh_for_training_only(tmp_path: Path, monkeypatch) -> None:
    from seqgen_text.characters import CharacterCodec

    def shift(self, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return (ids + rng.integers(1, 26)) % 26

    monkeypatch.setattr(CharacterCodec, "augment", shift)
    corpus = make(tmp_path / "corpus", ["abcdefghijklmnopqrstuvwxyz"])
    held_out, _ = lanes_of(held_out_stream(corpus, "valid", 1, 28))
    assert held_out[0, 1:27].tolist() == list(range(26))
    training, _ = lanes_of(training_stream(corpus, 1, 28, 0), 3)
    epochs = [training[0, 28 * n + 1 : 28 * n + 27].tolist() for n in range(3)]
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert all(epoch != list(range(26)) for epoch in epochs)


def test_an_augmentation_may_change_the_length(tmp_path: Path, monkeypatch) -> None:
    from seqgen_text.characters import CharacterCodec

    monkeypatch.setattr(CharacterCodec, "augment", lambda self, ids, rng: np.repeat(ids, 2))
    corpus = make(tmp_path / "corpus", ["abcdefgh"])
    inputs, _ = lanes_of(training_stream(corpus, 2, 10, 0), 1)
    assert inputs[0].tolist() == [corpus.vocab.start, 0, 0, 1, 1, 2, 2, 3, 3, corpus.vocab.end]
    assert inputs[1].tolist() == [4, 4, 5, 5, 6, 6, 7, 7, corpus.vocab.end, 4]


def test_long_pieces_are_read_in_chunks(tmp_path: Path, monkeypatch) -> None:
    corpus = make(tmp_path / "corpus", ["abc" * 50])
    whole = lanes_of(held_out_stream(corpus, "valid", 2, 16))
    monkeypatch.setattr("seqgen.batches.CHUNK", 7)
    chunked = lanes_of(held_out_stream(corpus, "valid", 2, 16))
    np.testing.assert_array_equal(whole, chunked)


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("chunk", [7, 100, 2**16])
def test_features_stand_beside_the_targets_they_belong_to(lanes, chunk, monkeypatch) -> None:
    """In every lane, over seams and chunks: a target's row is that of its place in the piece."""
    monkeypatch.setattr("seqgen.batches.CHUNK", chunk)
    corpus = seqgen.prepare("music", [bach("bwv10.7.mxl"), bach("bwv102.7.mxl")])
    width = len(corpus.codec.feature_sizes)
    wanted = []
    for segment in corpus.segments("train"):
        ids = corpus.piece(segment.piece).astype(np.int64)
        rows = corpus.codec.features(ids)
        following = [*ids.tolist(), corpus.vocab.end]
        first = 0 if segment.start == 0 else segment.start + 1
        wanted += [(following[at], *rows[at].tolist()) for at in range(first, segment.stop + 1)]
    got = []
    for batch in held_out_stream(corpus, "train", lanes, 50):
        counted = batch.targets != IGNORE
        pairs = zip(batch.targets[counted], batch.features[counted].reshape(-1, width), strict=True)
        got += [(int(target), *row.tolist()) for target, row in pairs]
    assert sorted(got) == sorted(wanted)


def bach(name: str) -> Path:
    from music21 import corpus

    return Path(corpus.__file__).parent / "bach" / name
