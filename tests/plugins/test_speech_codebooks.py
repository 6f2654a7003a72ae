"""The codec `frames`: its codebooks, their sample, and sounds made from any codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_speech.codecs import section_sample
from seqgen_speech.codecs.books import NOTHING, Books
from seqgen_speech.codecs.frames import Frames, FramesOptions, described
from seqgen_speech.codecs.k_means import k_means, nearest
from seqgen_speech.codecs.section_sample import SectionSample
from seqgen_speech.codecs.variation import TEMPO
from seqgen_speech.sound import Sound

import seqgen
from seqgen.errors import DataError
from seqgen.grammar import forbidden
from seqgen.plugin import Labelled

OPTIONS = FramesOptions(codes=16)


def spoken(seed: int, seconds: float = 1.0, rate: int = 8_000) -> Sound:
    """Return syllables: a gliding buzz through one resonance, a hiss, and a pause."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(90 + 60 * rng.random() + 40 * time) / rate
    colour = 1 + 3 * rng.random()
    buzz = sum(np.sin(k * phase) * np.exp(-((k / 6 - colour) ** 2)) for k in range(1, 20))
    hiss = rng.standard_normal(len(time))
    part = (time * 5 % 3).astype(int)
    samples = np.select([part == 0, part == 1], [0.2 * buzz, 0.05 * hiss], 0.0)
    return Sound(samples.astype(np.float32).clip(-1, 1), rate)


@pytest.fixture(scope="module")
def codec() -> Frames:
    return Frames.fit([spoken(seed) for seed in range(6)], OPTIONS)


def test_k_means_finds_clusters_in_any_order() -> None:
    rng = np.random.default_rng(0)
    middles = rng.uniform(-9, 9, (5, 3))
    points = np.repeat(middles, 40, axis=0) + 0.01 * rng.standard_normal((200, 3))
    centres = k_means(points, 5)
    np.testing.assert_array_equal(centres, k_means(rng.permutation(points), 5))
    assert np.abs(centres - middles[np.lexsort(middles.T[::-1])]).max() < 0.02
    distances = ((points[:, None] - centres) ** 2).sum(axis=2)
    np.testing.assert_array_equal(nearest(points, centres), distances.argmin(axis=1))


def test_k_means_of_few_points_are_these_points() -> None:
    points = np.array([[1.0, 2.0], [0.0, -0.0], [1.0, 2.0]])
    assert k_means(points, 8).tolist() == [[0.0, 0.0], [1.0, 2.0]]


def test_a_sample_is_bounded_and_does_not_depend_on_the_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(section_sample, "SECTION", 0.5)
    monkeypatch.setattr(section_sample, "ENOUGH", 2.0)
    sounds = [spoken(seed, 0.3 + seed / 7) for seed in range(12)]

    def kept(pieces: list[Sound]) -> list[bytes]:
        sample = SectionSample()
        for piece in pieces:
            sample.add(piece)
        return [section.samples.tobytes() for section in sample.sections()]

    some = kept(sounds)
    assert some == kept(sounds[::-1])
    assert 2.0 <= sum(map(len, some)) / 4 / 8_000 < 2.5


def test_the_same_codebooks_in_any_order_and_after_json(codec: Frames) -> None:
    again = Frames.fit([spoken(seed) for seed in range(6)][::-1], OPTIONS)
    assert again.state() == codec.state()
    state = json.loads(json.dumps(codec.state()))
    rebuilt = Frames.from_state(state, OPTIONS)
    assert rebuilt.vocab == codec.vocab
    np.testing.assert_array_equal(rebuilt.encode(spoken(9)), codec.encode(spoken(9)))


def test_frames_know_silence_hiss_and_pitch(codec: Frames) -> None:
    frames = codec.analysed(spoken(0, 0.6))
    assert frames.shape == (30, 3)
    assert not frames[22:29].any(), "the pause is silence"
    hushed = frames[:, 0] <= len(codec.books.unvoiced)
    assert not hushed[2:8].any() and hushed[12:18].all() and frames[12:18, 0].all()
    _, pitch = codec.books.restored(frames)
    assert ((pitch[2:8] > 80) & (pitch[2:8] < 200)).all() and not pitch[12:18].any()


def test_each_stage_comes_closer_and_codes_keep_their_frames(codec: Frames) -> None:
    frames = codec.analysed(spoken(3))
    cepstra, pitch = codec.books.restored(frames)
    np.testing.assert_array_equal(codec.books.quantise(cepstra, pitch)[:, 0], frames[:, 0])
    errors = []
    for stages in (1, 2, 3):
        finer = Frames.fit(
            [spoken(seed) for seed in range(6)], FramesOptions(codes=16, stages=stages)
        )
        heard = finer.analysed(spoken(2))
        copy = finer.books.restored(heard)[0][heard[:, 0] > 0]
        truth = described(spoken(2), finer.options)[0][heard[:, 0] > 0]
        errors.append(float(((copy - truth)[:, 1:] ** 2).mean()))
    assert errors[0] > errors[1] > errors[2]


def test_a_copy_has_length_loudness_and_pauses_of_the_original(codec: Frames) -> None:
    sound = spoken(4)
    copy = codec.decode(codec.encode(sound)).samples
    assert len(copy) == len(sound.samples)

    def powers(samples: np.ndarray) -> np.ndarray:
        return np.asarray((samples.reshape(50, -1) ** 2).mean(axis=1))

    one, other = powers(sound.samples), powers(copy)
    loud = one > 0.1 * one.max()
    assert np.abs(10 * np.log10(other[loud] / one[loud])).mean() < 3
    assert other[22:28].max() < 1e-6


@pytest.fixture(scope="module")
def speaker() -> Frames:
    """Return a codec of frames with letters."""
    sounds = [replace(spoken(seed), text="ab, b") for seed in range(6)]
    return Frames.fit(sounds, replace(OPTIONS, text="letters"))


def test_variations_are_of_another_tempo_and_keep_text_and_pauses(speaker: Frames) -> None:
    ids = speaker.encode(replace(spoken(7, 0.6), text="ab, b"))
    parts = speaker.parted(ids)
    assert parts is not None and len(parts.frames) == 30
    pause = (parts.frames[:, 0] == 0).mean()
    assert pause > 0.2
    varied = [speaker.augment(ids, np.random.default_rng(seed)) for seed in range(40)]
    lengths = set()
    for other in map(speaker.parted, varied):
        assert other is not None and other.symbols == parts.symbols == ("a", "b", ",", " ", "b")
        assert set(other.of) == set(parts.of)
        assert abs(np.log(len(other.frames) / 30)) < TEMPO + 0.05
        assert abs((other.frames[:, 0] == 0).mean() - pause) < 1.5 / 30
        lengths.add(len(other.frames))
    assert len(lengths) > 4
    assert len({each.tobytes() for each in varied}) == 40
    for each in varied:
        assert not len(forbidden(speaker.masks(each), each))


def test_variations_without_strength_are_the_piece_itself() -> None:
    still = Frames.fit([spoken(seed) for seed in range(3)], replace(OPTIONS, vary=0.0))
    ids = still.encode(spoken(1))
    assert still.augment(ids, np.random.default_rng(0)) is ids


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_ids_that_no_sound_has_stay_as_they_are(speaker: Frames, data: st.DataObject) -> None:
    ids = np.array(data.draw(st.lists(st.integers(0, len(speaker.vocab) - 1), max_size=40)), int)
    parts = speaker.parted(ids)
    varied = speaker.augment(ids, np.random.default_rng(1))
    if parts is None:
        assert varied is ids
    else:
        np.testing.assert_array_equal(speaker.joined(parts), ids)
        assert speaker.parted(varied) is not None


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_ids_are_sound_within_full_scale(codec: Frames, data: st.DataObject) -> None:
    ids = np.array(data.draw(st.lists(st.integers(0, len(codec.vocab) - 1), max_size=90)), int)
    sound = codec.decode(ids)
    assert np.isfinite(sound.samples).all() and np.abs(sound.samples).max(initial=0) <= 1
    assert len(sound.samples) == 160 * int(codec.tokens.completes(ids).sum())


@pytest.mark.parametrize("rate", [8_000, 16_000])
@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(900),
        np.full(900, 0.5),
        np.ones(1),
        np.random.default_rng(0).standard_normal(2000).clip(-1, 1),
        np.tile([1.0, -1.0], 800),
    ],
)
def test_corpora_of_one_odd_sound_are_learned_and_copied(samples: np.ndarray, rate: int) -> None:
    sound = Sound(samples.astype(np.float32), 8_000)
    codec = Frames.fit([sound], FramesOptions(rate=rate, codes=8))
    copy = codec.decode(codec.encode(sound))
    assert copy.rate == rate and np.isfinite(copy.samples).all()
    other = codec.decode(codec.encode(spoken(1)))
    assert np.isfinite(other.samples).all()


def test_without_sounds_there_are_no_codebooks() -> None:
    with pytest.raises(DataError, match="no sound"):
        Frames.fit([], OPTIONS)


def test_silence_is_nothing() -> None:
    book = np.zeros((1, 2))
    books = Books(-5.0, np.zeros((1, 1)), np.zeros((0, 2)), [book])
    assert books.sizes == (2, 1)
    cepstra, pitch = books.restored(np.array([[0, 0], [1, 0]]))
    assert cepstra[:, 0].tolist() == [NOTHING, 0.0] and not pitch.any()


@pytest.mark.parametrize("text", ["", "ab a"])
def test_compiled_code_follows_frames(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New sounds are the same as with the tracker in Python, also with labels and a prompt."""
    sounds = [replace(spoken(seed), text=text) for seed in range(2)]
    pieces = [Labelled({"speaker": name}, sound) for name, sound in zip("ab", sounds, strict=True)]
    options = {"codes": 16, "text": "letters"}
    corpus = seqgen.write_corpus(
        tmp_path / "corpus", "speech", {"train": pieces}, codec="frames", options=options
    )
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    run = seqgen.create_run(tmp_path / "run", corpus, model, seqgen.TrainConfig(tokens=300))
    for _ in seqgen.train(run, corpus):
        pass
    limits = (seqgen.LimitConfig(length=70), seqgen.LimitConfig(length=50, least_length=45))
    conditions = [
        Labelled({"speaker": "b"}),
        *([Labelled({"speaker": "a"}, "ba b")] if text else []),
    ]

    def written() -> list[list[int]]:
        prompt = replace(spoken(1, 0.3), text=text)
        return [
            new.ids.tolist()
            for condition in conditions
            for limit in limits
            for new in seqgen.generate(
                run, 3, limit=limit, condition=condition, prompt=prompt, seed=3
            )
        ]

    fast = written()
    monkeypatch.setattr("seqgen.generation.writer.followed", lambda tracker: None)
    assert written() == fast


def test_a_sound_that_is_too_long_at_the_rate_teaches_nothing(
    codec: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = spoken(7, 12.0, 4_000)
    monkeypatch.setattr("seqgen_speech.sound.MOST_SAMPLES", 90_000)
    fitted = Frames.fit([long, *(spoken(seed) for seed in range(6))], OPTIONS)
    assert fitted.state() == codec.state()
    with pytest.raises(DataError, match=r"it has 96,000 samples at 8,000 Hz; at most 90,000"):
        fitted.encode(long)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("learned quiet", float("nan")),
        ("learned unvoiced 0 0", 1e300),
        ("learned unvoiced", "abc"),
        ("learned voiced 0 1", 1e4),
        ("learned voiced 0", [0.0]),
        ("learned shapes 1", [[1.0]]),
        ("learned shapes 1", []),
        ("learned shapes", []),
        ("learned shapes 0 0 3", float("nan")),
        ("learned shapes 0 0 3", -1e5),
        ("survey kind", "xx"),
        ("survey most", {"a": -1}),
        ("survey frames", 1e300),
    ],
)
def test_a_state_that_no_sound_made_is_refused(codec: Frames, place: str, value: object) -> None:
    state = json.loads(json.dumps(codec.state()))
    *path, last = (int(key) if key.isdigit() else key for key in place.split())
    part = state
    for key in path:
        part = part[key]
    part[last] = value
    with pytest.raises(DataError):
        Frames.from_state(state, OPTIONS)
