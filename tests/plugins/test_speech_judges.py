"""Measures of sounds: judges of labels, distortion, and what `seqgen compare` shows."""

import numpy as np
import pytest
from seqgen_speech.domain import Speech
from seqgen_speech.measures.cepstrum import distortion, mel_cepstra
from seqgen_speech.measures.labels import LabelJudge
from seqgen_speech.measures.metrics import syllable_rate
from seqgen_speech.measures.quality import is_installed, rating
from seqgen_speech.sound import Sound

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
    judge = LabelJudge(sounds[::2], names[::2])
    assert judge.share(sounds[1::2], names[1::2]) == 1
    assert judge.heard(Sound(sounds[1].samples / 30, 8000)) == "a"
    assert judge.heard(sounds[1].at(16_000)) == "a"
    assert judge.heard(SILENCE) in formants
    # The same seed gives the same judge.
    again = LabelJudge(sounds[::2], names[::2])
    np.testing.assert_array_equal(again._weights[0], judge._weights[0])


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
    assert syllable_rate(Sound(samples.astype(np.float32), 8000)) == 4


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
