"""Measures of sounds: judges of labels, distortion, and what `seqgen compare` shows."""

from types import SimpleNamespace

import numpy as np
import pytest
from seqgen_speech.cepstra import mel_cepstra
from seqgen_speech.domain import Speech
from seqgen_speech.measures import metrics, quality
from seqgen_speech.measures.cepstrum import _aligned, distortion
from seqgen_speech.measures.labels import LabelJudge, known_of
from seqgen_speech.measures.metrics import values_of
from seqgen_speech.measures.quality import HEARD, RATING, is_installed, rating
from seqgen_speech.measures.words import shares_recognised
from seqgen_speech.sound import Sound

from seqgen.plugin import Labelled

#: What the network of DNSMOS returns for anything.
OUT = [[[0.0, 0.0, 0.0]]]

SILENCE = Sound(np.zeros(0, np.float32), 8000)


def hum(pitch: float, formant: float, seconds: float = 0.5, rate: int = 8000) -> Sound:
    """Return a buzz with one resonance."""
    time = np.arange(round(seconds * rate)) / rate
    tones = range(1, int(3500 / pitch))
    samples = sum(
        np.sin(2 * np.pi * pitch * tone * time) / (1 + ((pitch * tone - formant) / 150) ** 2)
        for tone in tones
    )
    return Sound((0.3 * samples / np.abs(samples).max()).astype(np.float32), rate)


def test_judges_tell_sounds_apart_whatever_loudness_and_rate() -> None:
    rng = np.random.default_rng(1)
    formants = {"a": 700, "i": 2200, "u": 400}
    names = [name for name in formants for _ in range(12)]
    sounds = [hum(rng.uniform(90, 250), formants[name], rng.uniform(0.3, 0.6)) for name in names]
    judge = LabelJudge.of(sounds[::2], names[::2])
    assert judge.share(sounds[1::2], names[1::2]) == 1
    assert judge.heard(Sound(sounds[1].samples / 30, 8000)) == "a"
    assert judge.heard(sounds[1].at(16_000)) == "a"
    assert judge.heard(SILENCE) in formants
    # The same seed gives the same judge.
    again = LabelJudge.of(sounds[::2], names[::2])
    for one, other in zip(again._network.parameters(), judge._network.parameters(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_judge_learns_every_label_with_several_values() -> None:
    formants = {"a": 700, "i": 2200}
    rows = [(pitch, name) for pitch in range(90, 200, 10) for name in formants]
    pieces = [
        Labelled({"vowel": name, "room": "one", "voice": "low" if pitch < 150 else "high"}, sound)
        for pitch, name in rows
        for sound in [hum(pitch, formants[name])]
    ]
    pieces[0] = Labelled({"vowel": "a"}, pieces[0].content)
    judge = Speech().label_judge(iter(pieces))
    assert judge is not None
    assert judge(hum(100, 2300)) == {"vowel": "i", "voice": "low"}
    assert judge(SILENCE).keys() == {"vowel", "voice"}
    assert Speech().label_judge([pieces[1], Labelled({}, SILENCE)]) is None


def test_a_judge_listens_for_a_minute() -> None:
    minute = np.tile(hum(185, 700, 1.0).samples, 60)
    longer = np.concatenate([minute, hum(100, 2300).samples])
    known, same = (known_of(Sound(samples, 8000)) for samples in (longer, minute))
    np.testing.assert_array_equal(known, same)


def test_distortion_ignores_loudness_and_speed_but_not_the_spectrum() -> None:
    sound = hum(120, 700)
    assert distortion(sound, sound) == pytest.approx(0, abs=1e-6)
    other = distortion(sound, hum(120, 2200))
    assert other == pytest.approx(distortion(hum(120, 2200), sound)) and other > 5
    assert distortion(sound, hum(120, 700, 0.7)) < other / 4
    assert distortion(sound, Sound(sound.samples / 2, 8000)) < other / 4
    assert np.isfinite(distortion(sound, SILENCE))


def test_a_band_at_full_scale_has_the_largest_cepstrum() -> None:
    loud, quiet = mel_cepstra(hum(100, 500), 5), mel_cepstra(SILENCE, 5)
    assert loud.shape == (50, 5) and quiet.shape == (1, 5)
    assert loud[:, 0].min() > quiet[0, 0]


@pytest.mark.parametrize("count", [1, 3, 7])
def test_syllables_are_counted(count: int) -> None:
    times = np.arange(8000 * count // 4) / 8000
    level = 0.02 + np.sin(np.pi * 4 * times) ** 2
    samples = level * hum(120, 700, len(times) / 8000).samples
    found = values_of(Sound(samples.astype(np.float32), 8000))
    assert found["syllables per second"] == 4


def test_measures_of_sounds_have_a_row_for_each() -> None:
    half = np.concatenate([hum(120, 700).samples, np.zeros(4000, np.float32)])
    found = Speech().metrics([Sound(half, 8000), SILENCE], iter([hum(120, 700)]))
    assert found["duration"].generated.tolist() == [1, 0]
    assert found["silence"].generated[0] == pytest.approx(0.5, abs=0.02)
    assert found["pitch"].generated[0] == pytest.approx(120, rel=0.03)
    assert found["pitch range"].generated[0] < 1 and np.isnan(found["pitch"].generated[1])
    for metric in found.values():
        assert metric.generated.shape == (2,) and metric.reference.shape == (1,)
        assert np.isfinite(metric.reference).all()


def test_noise_is_rated_lower_than_a_voice() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("espeakng_loader")
    from seqgen_speech.demo import VOICES
    from seqgen_speech.espeak import speak

    if not is_installed():
        pytest.skip("speechmos is not installed")
    [voice] = speak([(VOICES[1], "the red cat finds the box in the house.")])
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, len(voice.samples)).astype(np.float32)
    worse = Sound((voice.samples * 0.5 + noise).clip(-1, 1), voice.rate)
    assert 1 <= rating(worse) < rating(voice) - 0.5 <= 5
    assert rating(voice) == rating(voice) and np.isnan(rating(SILENCE))
    assert "rating by DNSMOS" in Speech().metrics([voice], [worse])


def test_what_is_too_long_to_be_resampled_has_no_pitch_and_its_beginning_is_rated(
    monkeypatch,
) -> None:
    monkeypatch.setattr("seqgen_speech.sound.MOST_SAMPLES", 200_000)
    heard = []
    monkeypatch.setattr(
        quality, "_network", lambda: SimpleNamespace(run=lambda _, fed: heard.append(fed) or OUT)
    )
    sound = Sound(np.tile(hum(120, 700, 1.0, 4_000).samples, 120), 4_000)
    assert rating(sound) == pytest.approx(RATING[2]) and heard[0]["input_1"].shape == (1, HEARD)
    found = values_of(sound)
    assert found["duration"] == 120 and np.isnan(found["pitch"])
    recogniser = SimpleNamespace(heard=lambda sound: ["yes"])
    shares = shares_recognised(recogniser, [sound, hum(120, 700)], ["yes", "yes"])
    assert np.isnan(shares[0]) and shares[1] == 1


def test_the_pitch_of_a_sound_is_found_once(monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(
        metrics, "voiced_pitches", lambda sound: calls.append(sound) or np.array([100.0, 200.0])
    )
    found = Speech().metrics([hum(120, 700)], [])
    assert len(calls) == 1 and found["pitch"].generated.tolist() == [150]


def test_distortion_keeps_a_row_of_all_pairs_of_frames() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
    sums, steps = np.full((41, 31), np.inf), np.zeros((41, 31), int)
    sums[0, 0] = 0
    for row, column in np.ndindex(40, 30):
        near = [(row, column), (row, column + 1), (row + 1, column)]
        best = min(near, key=lambda place: sums[place])
        sums[row + 1, column + 1] = sums[best] + np.linalg.norm(first[row] - second[column])
        steps[row + 1, column + 1] = steps[best] + 1
    assert _aligned(first, second) == (pytest.approx(sums[-1, -1]), steps[-1, -1])


def test_training_a_judge_leaves_torch_as_it_was() -> None:
    torch = pytest.importorskip("torch")
    threads, random = torch.get_num_threads(), torch.get_rng_state()
    LabelJudge.of([hum(120, 700), hum(120, 2200)], ["a", "i"])
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), random)
