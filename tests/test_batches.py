"""Streams: every token is a target once, in context, and the state is clean at every seam."""

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import seqgen
from seqgen.config import FramingName
from seqgen.data.batches import FRAMINGS, IGNORE, Batch, Framing, TrainingStream, held_out_stream
from seqgen.data.corpus import Corpus
from seqgen.errors import ConfigError, RunError

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
        inputs, _ = lanes_of(TrainingStream(corpus, 1, 3 * 16, seed), 3)
        return [inputs[0, 48 * n + 1 : 48 * (n + 1) : 3].tolist() for n in range(3)]

    first = epochs(0)
    assert all(sorted(epoch) == list(range(16)) for epoch in first)
    assert first[0] != first[1] != first[2]
    assert epochs(0) == first != epochs(1)


def test_an_epoch_reads_everything_once(tmp_path: Path) -> None:
    pieces = [character * 7 for character in "abcdefgh"]
    corpus = make(tmp_path / "corpus", pieces)
    inputs, targets = lanes_of(TrainingStream(corpus, 4, 18, 0), 1)
    # Two pieces of seven ids, START and END, are eighteen steps in each of four lanes.
    assert sorted(targets[targets != IGNORE].tolist()) == sorted([*range(8)] * 7 + [8] * 8)
    assert (inputs == corpus.vocab.start).sum() == 8


def test_augmentation_is_drawn_afresh_for_training_only(tmp_path: Path, monkeypatch) -> None:
    from seqgen_text.codecs.characters import CharacterCodec

    def shift(self, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return (ids + rng.integers(1, 26)) % 26

    monkeypatch.setattr(CharacterCodec, "augment", shift)
    corpus = make(tmp_path / "corpus", ["abcdefghijklmnopqrstuvwxyz"])
    held_out, _ = lanes_of(held_out_stream(corpus, "valid", 1, 28))
    assert held_out[0, 1:27].tolist() == list(range(26))
    training, _ = lanes_of(TrainingStream(corpus, 1, 28, 0), 3)
    epochs = [training[0, 28 * n + 1 : 28 * n + 27].tolist() for n in range(3)]
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert all(epoch != list(range(26)) for epoch in epochs)


def test_an_augmentation_may_change_the_length(tmp_path: Path, monkeypatch) -> None:
    from seqgen_text.codecs.characters import CharacterCodec

    monkeypatch.setattr(CharacterCodec, "augment", lambda self, ids, rng: np.repeat(ids, 2))
    corpus = make(tmp_path / "corpus", ["abcdefgh"])
    inputs, _ = lanes_of(TrainingStream(corpus, 2, 10, 0), 1)
    assert inputs[0].tolist() == [corpus.vocab.start, 0, 0, 1, 1, 2, 2, 3, 3, corpus.vocab.end]
    assert inputs[1].tolist() == [4, 4, 5, 5, 6, 6, 7, 7, corpus.vocab.end, 4]


@pytest.mark.parametrize("lanes", [1, 3])
def test_features_stand_beside_the_targets_they_belong_to(lanes) -> None:
    """In every lane and over seams: a target's row is that of its place in the piece."""
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


@pytest.fixture(scope="module")
def music() -> Corpus:
    """Chorales: with features, and transposed by every epoch."""
    return seqgen.prepare("music", [bach(f"bwv{number}.7.mxl") for number in (10, 101, 102, 110)])


def equal(one: Batch, two: Batch) -> bool:
    return one.carried == two.carried and all(
        getattr(one, name).dtype == getattr(two, name).dtype
        and np.array_equal(getattr(one, name), getattr(two, name))
        for name in ("inputs", "targets", "features", "allowed")
    )


def check_resuming(corpus: Corpus, lanes: int, framing: Framing, windows: list[int]) -> None:
    """From the place after every window, a new stream goes on as the unbroken one does."""
    stream = TrainingStream(corpus, lanes, 1, 7, framing)
    places, batches = [], []
    for window in windows:
        places.append(json.loads(json.dumps(stream.place())))
        batches.append(stream.read(window))
    for first, place in enumerate(places):
        resumed = TrainingStream(corpus, lanes, 1, 7, framing, place=place)
        assert resumed.place() == place
        for window, batch in zip(windows[first:], batches[first:], strict=True):
            assert equal(resumed.read(window), batch)


@MANY
@given(
    st.lists(st.text("abc", min_size=1, max_size=30), min_size=1, max_size=6),
    st.integers(1, 9),
    st.sampled_from(sorted(FRAMINGS)),
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
)
def test_a_text_stream_goes_on_from_any_place(tmp_path, pieces, lanes, name, windows) -> None:
    """With pieces shorter than a window, fewer tokens than lanes, and over many epochs."""
    check_resuming(make(tmp_path / "corpus", pieces), lanes, FRAMINGS[name], windows)


@pytest.mark.parametrize("name", FRAMINGS)
def test_a_music_stream_goes_on_from_any_place(name: str, music: Corpus) -> None:
    check_resuming(music, 3, FRAMINGS[name], [100, 1, 64, 700, 128, 1200, 33])
    check_resuming(music, 40, FRAMINGS[name], [5, 90, 1])


def test_going_on_opens_one_piece_a_lane(music: Corpus, monkeypatch) -> None:
    """However much was read before."""
    stream = TrainingStream(music, 3, 100, 0)
    for _ in range(50):
        next(stream)
    assert all(epoch > 2 for epoch, _, _ in stream.place().values())
    opened = []
    real = Corpus.piece
    monkeypatch.setattr(Corpus, "piece", lambda self, n: opened.append(n) or real(self, n))
    TrainingStream(music, 3, 100, 0, place=stream.place()).read(1)
    assert len(opened) <= 2 * 3  # the piece, and at its end the one after


def test_a_place_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    many = make(tmp_path / "many", list("abcdefgh"))
    stream = TrainingStream(many, 4, 5, 0)
    next(stream)
    with pytest.raises(RunError, match="has lanes 0, 1, 2, 3, expected 0 to 7"):
        TrainingStream(many, 8, 5, 0, place=stream.place())
    few = make(tmp_path / "few", ["abcdefgh"])
    with pytest.raises(RunError, match="lane 0 is segment 1 of 1"):
        TrainingStream(few, 4, 5, 0, place=stream.place())


@pytest.mark.parametrize("name", FRAMINGS)
@pytest.mark.parametrize("ranks", [2, 3, 4, 6])
def test_the_batches_of_all_ranks_are_the_batch_of_one(name, ranks, music, tmp_path) -> None:
    for corpus in (music, make(tmp_path / "corpus", ["abcabca", "bc", "cab"])):
        whole = TrainingStream(corpus, 6, 20, 1, FRAMINGS[name])
        parts = [
            TrainingStream(corpus, 6, 20, 1, FRAMINGS[name], rank=rank, ranks=ranks)
            for rank in range(ranks)
        ]
        for window in (20, 7, 300):
            check_stacked(whole.read(window), [part.read(window) for part in parts])
        together = {number: at for part in parts for number, at in part.place().items()}
        assert together == whole.place()
        # One place of all lanes serves every rank, and a rank's own serves it.
        for place in (together, parts[-1].place()):
            resumed = TrainingStream(
                corpus, 6, 20, 1, FRAMINGS[name], rank=ranks - 1, ranks=ranks, place=place
            )
            assert resumed.place() == parts[-1].place()


def check_stacked(whole: Batch, parts: list[Batch]) -> None:
    columns = ("inputs", "targets", "features", "allowed")
    stacked = (np.concatenate([getattr(part, name) for part in parts]) for name in columns)
    assert equal(whole, Batch(*stacked, whole.carried))


def test_lanes_that_cannot_be_shared_out_are_refused(music: Corpus) -> None:
    with pytest.raises(ConfigError, match=r"batch of 2 .* among 3 processes; .* at least 3, or"):
        TrainingStream(music, 2, 8, 0, ranks=3)
    with pytest.raises(ConfigError, match="rank must be from 0 to 1, found 2"):
        TrainingStream(music, 16, 8, 0, rank=2, ranks=2)


def test_windows_of_any_length_are_cut_from_the_same_lanes(music: Corpus) -> None:
    even, uneven = TrainingStream(music, 3, 100, 0), TrainingStream(music, 3, 100, 0)
    lengths = [1, 150, 49, 3, 97, 200, 500]
    read = [uneven.read(length) for length in lengths]
    assert [batch.inputs.shape for batch in read] == [(3, length) for length in lengths]
    whole = [next(even) for _ in range(10)]
    for column in ("inputs", "targets", "features"):
        one, two = (
            np.concatenate([getattr(batch, column) for batch in batches], axis=1)
            for batches in (read, whole)
        )
        np.testing.assert_array_equal(one, two)


def test_framings_have_the_names_that_the_settings_take() -> None:
    assert (*FRAMINGS,) == get_args(FramingName)
    assert [name for name, framing in FRAMINGS.items() if framing.carried] == ["carried"]


def test_windows_are_those_that_are_carried_but_cold(music: Corpus) -> None:
    carried = TrainingStream(music, 2, 30, 0)
    cold = TrainingStream(music, 2, 30, 0, FRAMINGS["windows"])
    for _ in range(50):
        one, two = next(carried), next(cold)
        assert one.carried and not two.carried
        assert equal(Batch(two.inputs, two.targets, two.features, two.allowed), one)


def test_one_to_one_is_a_window_a_step(music: Corpus) -> None:
    windows = TrainingStream(music, 2, 30, 0)
    steps = TrainingStream(music, 2, 30, 0, FRAMINGS["one-to-one"])
    for _ in range(50):
        one, two = next(windows), next(steps)
        assert two.inputs.shape == two.targets.shape == two.features.shape[:2] == (60, 1)
        np.testing.assert_array_equal(two.inputs.ravel(), one.inputs.ravel())
        np.testing.assert_array_equal(two.targets.ravel(), one.targets.ravel())
        np.testing.assert_array_equal(two.features[:, 0], one.features.reshape(60, -1))


def test_one_to_many_shows_the_first_input_of_a_window_and_of_a_piece(tmp_path: Path) -> None:
    corpus = make(tmp_path / "corpus", ["abcdefg", "cb"])
    end, start = corpus.vocab.end, corpus.vocab.start
    [batch] = held_out_stream(corpus, "valid", 1, 13, FRAMINGS["one-to-many"])
    blank = start
    assert batch.inputs[0].tolist() == [start, *[blank] * 7, end, start, blank, blank, end]
    first, second, third = held_out_stream(corpus, "valid", 1, 5, FRAMINGS["one-to-many"])
    assert first.inputs[0].tolist() == [start, *[blank] * 4]
    assert second.inputs[0].tolist() == [4, blank, blank, end, start]
    assert second.targets[0].tolist() == [5, 6, end, IGNORE, 2]
    assert third.inputs[0].tolist() == [2, blank, end, end, end]
    assert third.targets[0].tolist() == [1, end, *[IGNORE] * 3]
    assert not first.carried


def test_features_of_blanks_tell_nothing(music: Corpus) -> None:
    shown = next(TrainingStream(music, 2, 60, 0))
    batch = next(TrainingStream(music, 2, 60, 0, FRAMINGS["one-to-many"]))
    blank = batch.inputs != shown.inputs
    assert blank.sum() > 100 and not batch.features[blank].any() and shown.features[blank].any()
    np.testing.assert_array_equal(batch.features[:, 0], shown.features[:, 0])
    np.testing.assert_array_equal(batch.targets, shown.targets)


@MANY
@given(
    st.lists(st.text("abc", min_size=1, max_size=30), min_size=1, max_size=6),
    st.integers(1, 5),
    st.integers(1, 17),
)
def test_the_one_target_of_many_is_the_last(tmp_path, pieces, lanes, window) -> None:
    """Its window is what the lane reads up to it; the rest of a lane begins with END."""
    corpus = make(tmp_path / "corpus", pieces)
    inputs, targets = lanes_of(held_out_stream(corpus, "valid", lanes, 1000))
    framing = FRAMINGS["many-to-one"]
    batches = list(held_out_stream(corpus, "valid", lanes, window, framing))
    for batch in batches:
        assert not batch.carried and batch.inputs.shape == (lanes, window)
        assert (batch.targets[:, :-1] == IGNORE).all()
    for lane in range(lanes):
        counted = np.flatnonzero(targets[lane] != IGNORE)
        stops = [int(group[-1]) + 1 for group in batched(counted, window)]
        assert len(stops) <= len(batches)
        for batch, begin, stop in zip(batches, [0, *stops], stops, strict=False):
            row = inputs[lane, max(begin, stop - window) : stop]
            filling = [corpus.vocab.end] * (window - len(row))
            assert batch.inputs[lane].tolist() == [*filling, *row]
            assert batch.targets[lane, -1] == targets[lane, stop - 1]
        for batch in batches[len(stops) :]:
            assert (batch.targets[lane] == IGNORE).all()


def batched(values: np.ndarray, size: int) -> list[np.ndarray]:
    return [values[low : low + size] for low in range(0, len(values), size)]


@pytest.mark.parametrize("window", [1, 6, 7, 18])
def test_every_token_is_the_one_target_of_many_about_equally_often(window, tmp_path) -> None:
    """END too, and though the length of the lane is a multiple of the window."""
    corpus = make(tmp_path / "corpus", ["abcd", "efghijkl", "mn"])
    stream = TrainingStream(corpus, 1, window, 0, FRAMINGS["many-to-one"])
    drawn = [int(next(stream).targets[0, -1]) for _ in range(8000)]
    counts = Counter(drawn)
    assert set(counts) == set(range(15))
    assert counts.pop(corpus.vocab.end) == pytest.approx(8000 * 3 / 17, rel=0.2)
    assert all(count == pytest.approx(8000 / 17, rel=0.25) for count in counts.values())


def test_lanes_in_one_long_piece_share_what_the_codec_says_about_it(tmp_path, monkeypatch) -> None:
    words = " ".join(f"{{ word{number} }}" for number in range(2000))
    path = tmp_path / "book.txt"
    path.write_text(words)
    options = {"grammar": "balanced"}
    corpus = seqgen.prepare(
        "text", [path], tmp_path / "corpus", codec="characters", options=options
    )
    masks, followed = corpus.codec.masks, list[int]()

    def counted(ids):
        followed.append(len(ids))
        return masks(ids)

    monkeypatch.setattr(corpus.codec, "masks", counted)
    stream = TrainingStream(corpus, 16, 32, 0)
    for _ in range(20):
        next(stream)
    assert followed.count(len(corpus.piece(0))) == 1
