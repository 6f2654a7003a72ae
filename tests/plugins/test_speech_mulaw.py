"""The codec of samples and its predictor."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqgen_speech.codecs import mulaw
from seqgen_speech.codecs.mulaw import AMPLITUDES, LIMITS, SILENCE, MulawCodec, levels_of
from seqgen_speech.codecs.predictor import ERROR, FULL, ORDER, WEIGHTS, new_state, predicted, push
from seqgen_speech.sound import Sound

import seqgen
from seqgen.plugin import Labelled

CODEC = MulawCodec(mulaw.MulawOptions())


def voice(count: int = 8000, rate: int = 8000) -> np.ndarray:
    """Return a buzz of 110 Hz with two resonances and a little noise."""
    rng = np.random.default_rng(3)
    source = (np.arange(count) % (rate // 110) == 0) + 0.01 * rng.standard_normal(count)
    sound = np.zeros(count + 4)
    weights = 0.97 * np.poly(0.95 * np.exp([0.6j, -0.6j, 1.4j, -1.4j])).real[1:]
    for n in range(count):
        sound[n + 4] = source[n] - weights @ sound[n + 3 : (n - 1 if n else None) : -1]
    return (0.5 * sound[4:] / np.abs(sound).max()).astype(np.float32)


def test_levels_are_symmetric_and_silence_is_zero() -> None:
    assert AMPLITUDES[SILENCE] == 0 and (np.diff(AMPLITUDES) > 0).all()
    assert (np.round(AMPLITUDES) == AMPLITUDES).all() and AMPLITUDES[0] == -FULL
    np.testing.assert_array_equal(AMPLITUDES[1:][::-1], -AMPLITUDES[1:])
    assert levels_of(np.zeros(3, np.float32)).tolist() == [SILENCE] * 3


def test_silence_is_one_token_with_one_row_of_features() -> None:
    ids = CODEC.encode(Sound(np.zeros(2000, np.float32), 8000))
    assert {*ids.tolist()} == {SILENCE}
    assert (CODEC.features(ids) == (SILENCE // 4, 4, 0, 0)).all()


@given(st.lists(st.integers(0, 255), max_size=400))
def test_any_ids_are_a_sound_that_keeps_them(ids: list[int]) -> None:
    sound = CODEC.decode(np.array(ids, np.int64))
    assert np.isfinite(sound.samples).all() and np.abs(sound.samples).max(initial=0) <= 1
    assert CODEC.encode(sound).tolist() == ids
    # 16 bits are enough for 256 levels.
    rounded = np.round(sound.samples * FULL) / FULL
    assert CODEC.encode(Sound(rounded.astype(np.float32), 8000)).tolist() == ids


@given(st.floats(-1, 1, width=32))
def test_a_sample_gets_the_nearest_level(sample: float) -> None:
    [level] = levels_of(np.float32([sample]))
    error = abs(AMPLITUDES[level] / FULL - sample)
    assert error <= 0.0225 * abs(sample) + 1.2e-4 or level == 255
    assert error <= 0.045


def test_levels_are_kept_exactly() -> None:
    samples = voice()
    decoded = CODEC.decode(CODEC.encode(Sound(samples, 8000))).samples
    np.testing.assert_array_equal(levels_of(decoded), levels_of(samples))


def test_predicted_levels_need_fewer_bits() -> None:
    def bits(levels: np.ndarray) -> float:
        shares = np.bincount(levels, minlength=256) / len(levels)
        return float(-(shares[shares > 0] * np.log2(shares[shares > 0])).sum())

    samples = voice()
    assert bits(CODEC.encode(Sound(samples, 8000))) < bits(levels_of(samples)) - 1.5


def test_weights_are_those_of_the_normal_equations() -> None:
    state, samples = new_state(), voice(500) * FULL
    for sample in samples:
        push(state, sample, predicted(state))
    age = (np.arange(160) + 0.5) / 160
    weight = np.where(age < 0.2, age * (10 - 25 * age), 1 - ((age - 0.2) / 0.8) ** 2)
    recent = samples[:-161:-1].astype(float) * weight
    power = np.array([recent[: 160 - lag] @ recent[lag:] for lag in range(ORDER + 1)])
    matrix = power[np.abs(np.subtract.outer(np.arange(ORDER), np.arange(ORDER)))]
    matrix[np.diag_indices(ORDER)] = power[0] * (1 + 1e-4) + 160
    expected = np.linalg.solve(matrix, power[1:])
    np.testing.assert_allclose(state[WEIGHTS : WEIGHTS + ORDER], expected, rtol=1e-6)
    foreseen = expected @ samples[: -ORDER - 1 : -1]
    assert predicted(state) == pytest.approx(foreseen, rel=1e-6)
    assert state[ERROR] > 0


def test_a_part_begins_its_own_predictions() -> None:
    ids = CODEC.encode(Sound(voice(), 8000))
    rest = CODEC.continuation(ids, 3000)
    np.testing.assert_array_equal(CODEC.decode(rest).samples, CODEC.decode(ids).samples[3000:])


def test_the_limits_lie_between_the_levels() -> None:
    assert (AMPLITUDES[:-1] < LIMITS).all() and (AMPLITUDES[1:] > LIMITS).all()


def test_recordings_of_another_rate_are_resampled() -> None:
    codec = MulawCodec(mulaw.MulawOptions(rate=4000))
    ids = codec.encode(Sound(voice(16_000, 16_000), 16_000))
    assert len(ids) == 4000
    assert codec.decode(ids).rate == 4000 and codec.units(ids)["seconds"] == 1.0
    assert codec.place(ids, 2000) == "second 0.500"


def test_a_new_sound_stops_after_three_seconds_by_default() -> None:
    assert CODEC.most_tokens(None) == 24_000


def test_compiled_code_follows_the_predictor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New sounds are the same as with the tracker in Python, also with labels and a prompt."""
    sounds = [Sound(voice(600)[200:], 8000), Sound(voice(900)[400:], 8000)]
    pieces = [Labelled({"speaker": name}, sound) for name, sound in zip("ab", sounds, strict=True)]
    corpus = seqgen.write_corpus(tmp_path / "corpus", "speech", {"train": pieces}, codec="mulaw")
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    run = seqgen.create_run(tmp_path / "run", corpus, model, seqgen.TrainConfig(tokens=300))
    for _ in seqgen.train(run, corpus):
        pass
    ways = {
        "length": seqgen.LimitConfig(length=70),
        "least": seqgen.LimitConfig(length=50, least_length=45),
    }

    def written() -> list[list[int]]:
        asked = {"condition": Labelled({"speaker": "b"}), "prompt": sounds[0], "seed": 3}
        return [
            new.ids.tolist()
            for limit in ways.values()
            for new in seqgen.generate(run, 3, limit=limit, **asked)
        ]

    fast = written()
    monkeypatch.setattr("seqgen.generation.writer.followed", lambda tracker: None)
    assert written() == fast
