"""The vocoder: pitch, spectral envelopes, and sound from both."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_speech.vocoder import envelope, frames, pitch, synthesis
from seqgen_speech.vocoder.envelope import BANDS, COEFFICIENTS, cosines, mel_cepstrum
from seqgen_speech.vocoder.frames import around, count_frames
from seqgen_speech.vocoder.pitch import pitch_codes, pitches
from seqgen_speech.vocoder.synthesis import synthesised

RATE, HOP, PITCHES = 8000, 160, 60


def vowel(hertz: float, seconds: float = 0.5) -> np.ndarray:
    """Return harmonics of a pitch that fall by 6 dB an octave."""
    times = np.arange(round(seconds * RATE)) / RATE
    parts = [np.sin(2 * np.pi * k * hertz * times + k) / k for k in range(1, int(3800 / hertz))]
    return np.asarray(0.2 * np.sum(parts, axis=0))


def noise(seconds: float = 0.5) -> np.ndarray:
    return np.asarray(0.1 * np.random.default_rng(5).standard_normal(round(seconds * RATE)))


def logs(cepstra: np.ndarray) -> np.ndarray:
    """Return the logarithm of the amplitude in each band ``(F, BANDS)``."""
    return np.asarray(cepstra @ cosines(np.arange(BANDS) + 0.5, cepstra.shape[1]))


def test_frames_cover_a_sound_and_lie_around_their_middles() -> None:
    assert [count_frames(count, 100) for count in (0, 1, 100, 101)] == [1, 1, 1, 2]
    samples = np.arange(1.0, 9.0)
    assert around(samples, 4, range(2), 4).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert around(samples, 4, range(1, 2), 8).tolist() == [[3, 4, 5, 6, 7, 8, 0, 0]]


@pytest.mark.parametrize("hertz", [62, 95, 133, 210, 333, 480])
def test_a_vowel_has_its_pitch_within_half_a_step(hertz: float) -> None:
    codes = pitch_codes(vowel(hertz), RATE, HOP, PITCHES)[2:-2]
    assert (codes > 0).all()
    found = pitches(PITCHES)[codes - 1]
    assert np.abs(np.log2(found / hertz)).max() < 0.05


def test_noise_silence_and_a_quiet_hum_are_unvoiced() -> None:
    assert not pitch_codes(noise(), RATE, HOP, PITCHES).any()
    assert not pitch_codes(np.zeros(4000), RATE, HOP, PITCHES).any()
    assert not pitch_codes(np.full(4000, 0.3), RATE, HOP, PITCHES).any()
    loud_then_hum = np.concatenate([vowel(150), 0.001 * vowel(100)])
    codes = pitch_codes(loud_then_hum, RATE, HOP, PITCHES)
    assert codes[2:20].all() and not codes[30:].any()


def test_pitch_glides_without_jumps_of_octaves() -> None:
    times = np.arange(RATE) / RATE
    phase = np.cumsum(100 * 2**times) / RATE
    samples = 0.2 * sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 12))
    codes = pitch_codes(np.asarray(samples), RATE, HOP, PITCHES)[2:-2]
    assert codes.all() and np.abs(np.diff(codes)).max() <= 2 and codes[-1] - codes[0] > 14


def test_white_noise_has_an_even_envelope_and_gain_is_loudness_alone() -> None:
    samples = np.random.default_rng(1).standard_normal(20 * RATE)
    cepstra = mel_cepstrum(samples, RATE, HOP, 100.0)
    # The mean logarithm of a power is below the logarithm of its mean.
    assert np.abs(logs(cepstra.mean(axis=0, keepdims=True)) + 0.15).max() < 0.15
    louder = mel_cepstrum(2 * samples, RATE, HOP, 100.0) - cepstra
    np.testing.assert_allclose(louder[:, 0], np.log(2), atol=1e-6)
    np.testing.assert_allclose(louder[:, 1:], 0, atol=1e-6)


def test_the_envelope_of_a_vowel_does_not_show_its_harmonics() -> None:
    low, high = (
        logs(mel_cepstrum(vowel(hertz), RATE, HOP, hertz))[5:-5].mean(axis=0)
        for hertz in (100.0, 250.0)
    )
    # Harmonics of equal amplitudes are 2.5 times as dense.
    expected = low + np.log(250 / 100) / 2
    assert np.abs(expected - high)[9:-4].max() < 0.1


def test_a_sound_made_from_envelopes_has_these_envelopes_and_this_pitch() -> None:
    hertz = np.where(np.arange(40) < 20, 140.0, 0.0)
    cepstra = np.zeros((40, COEFFICIENTS))
    cepstra[:, :4] = (-3.5, 0.6, -0.4, 0.3)
    samples = synthesised(cepstra, hertz, RATE, HOP)
    assert len(samples) == 40 * HOP
    codes = pitch_codes(samples, RATE, HOP, PITCHES)
    voiced = codes > 0
    assert voiced[1:19].all() and not voiced[21:].any()
    assert np.abs(np.log2(pitches(PITCHES)[codes[1:19] - 1] / 140)).max() < 0.06
    again = mel_cepstrum(samples, RATE, HOP, np.where(hertz > 0, hertz, 55.0))
    for part in (slice(2, 18), slice(22, 38)):
        off = (again - cepstra)[part].mean(axis=0)
        assert abs(off[0]) < 0.2 and np.abs(off[1:6]).max() < 0.15


@given(
    st.lists(st.floats(-1, 1, width=32), max_size=400),
    st.floats(20, 400),
    st.sampled_from([1000, 8000, 16000]),
)
@settings(max_examples=20, deadline=None)
def test_any_samples_are_analysed_and_made_again(
    values: list[float], hop: float, rate: int
) -> None:
    samples = np.array(values)
    codes = pitch_codes(samples, rate, hop, PITCHES)
    hertz = np.concatenate([[0.0], pitches(PITCHES)])[codes]
    cepstra = mel_cepstrum(samples, rate, hop, np.maximum(hertz, 60))
    assert len(codes) == len(cepstra) == count_frames(len(samples), hop)
    made = synthesised(cepstra, hertz, rate, hop)
    assert np.isfinite(made).all() and np.abs(made).max() <= 1
    assert len(made) == round(len(codes) * hop)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.concatenate([vowel(120), noise(), vowel(180)])

    def everything() -> list[np.ndarray]:
        codes = pitch_codes(samples, RATE, HOP, PITCHES)
        hertz = np.concatenate([[0.0], pitches(PITCHES)])[codes]
        cepstra = mel_cepstrum(samples, RATE, HOP, np.maximum(hertz, 60))
        return [codes, cepstra, synthesised(cepstra, hertz, RATE, HOP)]

    whole = everything()
    for module in (pitch, envelope, synthesis):
        monkeypatch.setattr(module, "BLOCK", 7)
    for one, other in zip(whole, everything(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_a_block_of_frames_copies_its_part_of_the_sound_only(monkeypatch) -> None:
    samples, seen = np.arange(1.0, 1_000_001), []
    zeros = np.zeros
    monkeypatch.setattr(frames.np, "zeros", lambda count: seen.append(count) or zeros(count))
    found = around(samples, 160, range(3000, 3002), 400)
    assert found[:, 200].tolist() == [480_081, 480_241] and sum(seen) < 600
    # Far beyond both ends there is nothing.
    assert not around(samples[:3], 100, range(2, 4), 8).any()
    assert around(samples[:3], 1, range(3), 9)[2].tolist() == [0, 0, 1, 2, 3, 0, 0, 0, 0]
