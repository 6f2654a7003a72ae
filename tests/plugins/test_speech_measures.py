"""Pictures of sound, and the baseline of linear prediction."""

import re
import zlib
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from seqgen_speech.codecs.mulaw import AMPLITUDES, LEVELS, MulawCodec, MulawOptions, levels_of
from seqgen_speech.codecs.predictor import new_state, predicted, push
from seqgen_speech.domain import Speech
from seqgen_speech.letters import words_of
from seqgen_speech.measures.likelihood import SCALES, _share, bits_of, linear_bits
from seqgen_speech.render.pictures import (
    COLUMNS,
    SPECTRUM,
    WAVE,
    png,
    png_of,
    spectrogram,
    svg,
    waveform,
)
from seqgen_speech.sound import Sound


def tone(hertz: float, count: int = 8000, rate: int = 8000) -> Sound:
    samples = 0.5 * np.sin(2 * np.pi * hertz * np.arange(count) / rate)
    return Sound(samples.astype(np.float32), rate, "a <tone>")


def grey_of(data: bytes) -> np.ndarray:
    """Read a PNG of one channel without filters."""
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    size = int.from_bytes(data[33:37], "big")
    lines = zlib.decompress(data[41 : 41 + size])
    return np.frombuffer(lines, np.uint8).reshape(height, width + 1)[:, 1:]


@pytest.mark.parametrize("hertz", [500, 2000, 3500])
def test_a_tone_is_a_line_at_its_frequency(hertz: int) -> None:
    grey = spectrogram(tone(hertz))
    darkest = grey.mean(axis=1).argmin()
    assert (len(grey) - 1 - darkest) / (len(grey) - 1) * 4000 == pytest.approx(hertz, abs=20)
    # Only that line is dark.
    assert (grey.mean(axis=1) < 128).mean() < 0.1


def test_a_picture_of_speech_is_small() -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, 8000).astype(np.float32)
    grey = spectrogram(Sound(noise, 8000))
    assert {0, 255} < {*grey.ravel().tolist()} and len(np.unique(grey)) <= 32
    assert len(png_of(grey)) < 0.4 * grey.size


def test_a_waveform_has_the_extremes_of_each_column() -> None:
    sound = tone(3, 8000)
    wave = waveform(sound)
    parts = sound.samples.reshape(COLUMNS, -1)
    np.testing.assert_array_equal(wave, np.stack([parts.min(1), parts.max(1)], 1))


def test_the_png_shows_the_waveform_over_the_spectrogram() -> None:
    loud = Sound(np.concatenate([np.zeros(4000, np.float32), tone(1000, 4000).samples]), 8000)
    grey = grey_of(png(loud))
    assert grey.shape == (WAVE + SPECTRUM, COLUMNS)
    drawn = (grey[:WAVE] == 0).sum(axis=0)
    assert drawn[: COLUMNS // 2 - 2].max() <= 2 and drawn[COLUMNS // 2 + 2 :].min() > 30
    assert grey[WAVE:, : COLUMNS // 2 - 20].min() > 200 and grey[WAVE:, -300:].min() == 0


def test_the_svg_says_where_time_begins_and_ends() -> None:
    root = ElementTree.fromstring(svg(tone(1000)))
    x0, x1 = (float(root.get(f"data-{end}")) for end in ("x0", "x1"))
    assert root.get("data-seconds") == "1" and x0 < x1 == float(root.get("viewBox").split()[2])
    words = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words[-1] == "a <tone>" and {"0.5 s", "4 kHz"} <= {*words}


def test_words_are_drawn_at_their_times() -> None:
    times = (("h", 0.1, 0.2), ("ˈaɪ", 0.2, 0.5), (" ", 0.5, 0.5), ("<", 0.5, 0.9), (".", 0.9, 1.0))
    sound = Sound(tone(8000).samples, 8000, "High <", times)
    assert words_of(times) == [("hˈaɪ", 0.1, 0.5), ("<", 0.5, 0.9)]
    root = ElementTree.fromstring(svg(sound))
    x0, x1 = (float(root.get(f"data-{end}")) for end in ("x0", "x1"))
    places = {
        each.text: (float(each.get("x")) - x0) / (x1 - x0)
        for each in root.iter("{http://www.w3.org/2000/svg}text")
    }
    assert places["hˈaɪ"] == pytest.approx(0.1, abs=0.01)
    assert places["<"] == pytest.approx(0.5, abs=0.01)
    assert "High <" in places, "phonemes are not how people write"
    # Letters at their times are the text.
    spelled = Sound(sound.samples, 8000, "Hi!", (("h", 0.1, 0.2), ("i", 0.2, 0.9), ("!", 0.9, 1)))
    assert "hi" in svg(spelled) and "Hi!" not in svg(spelled)


@pytest.mark.parametrize("count", [0, 1, 3, 500])
@pytest.mark.parametrize("silent", [True, False])
def test_the_shortest_sounds_have_pictures(count: int, silent: bool, tmp_path: Path) -> None:
    sound = Sound(np.full(count, 0 if silent else 0.5, np.float32), 8000)
    for suffix in (".svg", ".png", ".wav"):
        [path] = Speech().write(sound, tmp_path / f"a{suffix}")
        assert path.stat().st_size > 40
    assert not re.search("nan|inf", svg(sound).partition("<image")[0])


def test_a_notebook_shows_picture_and_player() -> None:
    shown = tone(1000)._repr_html_()
    assert "<svg" in shown and "<audio controls" in shown
    assert repr(tone(1000)) == "Sound(1.00 s at 8,000 Hz, 'a <tone>')"


def test_the_baseline_is_a_distribution() -> None:
    state = new_state()
    for level in levels_of(tone(700, 300).samples):
        push(state, AMPLITUDES[level], predicted(state))
    for scale in SCALES:
        shares = [_share(state, level, scale) for level in range(LEVELS)]
        assert min(shares) > 0 and sum(shares) == pytest.approx(1)


def test_the_baseline_predicts_tones_and_not_noise() -> None:
    noise = np.random.default_rng(5).uniform(-1, 1, 4000).astype(np.float32)
    steady, random = linear_bits([tone(700)], 8000), linear_bits([Sound(noise, 8000)], 8000)
    assert steady < 2.5 < 5.5 < random
    ids = levels_of(tone(700).samples)
    assert steady == pytest.approx(bits_of(ids).mean())
    # Each sample is scored by those before it.
    np.testing.assert_array_equal(bits_of(ids[:900]), bits_of(ids)[:900])


def test_the_baseline_belongs_to_the_codec_of_samples() -> None:
    codec = MulawCodec(MulawOptions())
    found = Speech().likelihoods(codec, SimpleNamespace(), [tone(700)])
    assert found == {"bits per sample of linear prediction": linear_bits([tone(700)], 8000)}
    assert Speech().likelihoods(SimpleNamespace(), SimpleNamespace(), []) == {}
