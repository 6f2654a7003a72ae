"""The first guess of the times of phonemes, which the synthesiser gives."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from seqgen_speech.codecs.first_times import LONGEST, _places, first_times
from seqgen_speech.codecs.symbols import Said, Spelling, Survey
from seqgen_speech.demo import VOICES
from seqgen_speech.espeak import Voice, phonemes, said_alike, speak
from seqgen_speech.sound import Sound

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed"
)
TEXT, LANGUAGE = "Peter sees the old horse, every day.", "en-us"


def recorded(voice: Voice) -> Sound:
    """Return the text in a voice, with the times that the synthesiser tells."""
    return next(iter(speak([(voice, TEXT)])))


@needs_espeak
@pytest.mark.parametrize("voice", VOICES[1:3], ids=lambda voice: voice.speaker)
def test_times_are_found_in_another_voice(voice: Voice) -> None:
    sound = recorded(replace(voice, rate=120))
    symbols, true = zip(*((symbol, begin) for symbol, begin, _ in sound.times), strict=True)
    silence = np.zeros(sound.rate // 2, np.float32)  # half a second before and after
    samples = np.concatenate([silence, sound.samples, silence])
    found = first_times(replace(sound, samples=samples, times=()), symbols, LANGUAGE)
    assert found is not None
    assert (np.diff(found) >= 0).all()
    errors = np.abs(found[1:] - 0.5 - true[1:])
    frames = Said(symbols).frames(len(samples), sound.rate)
    evenly = np.abs((np.cumsum(frames)[:-1] / sound.rate) - 0.5 - true[1:])
    assert np.median(errors) < 0.03 < 0.1 < np.median(evenly)


@needs_espeak
def test_a_text_is_said_alike_whatever_was_said_before() -> None:
    first = said_alike(TEXT, LANGUAGE)
    for voice, text in ((VOICES[3], "What?"), (Voice("", "de+f2", 300, 70), "Guten Tag!")):
        list(speak([(voice, text)]))
        phonemes(f"{text} {text}", "fr")
        again = said_alike(TEXT, LANGUAGE)
        np.testing.assert_array_equal(again.samples, first.samples)
        assert again.times == first.times
    # What is said afterwards has its own pitch again, which flutters.
    one, other = (recorded(VOICES[1]) for _ in range(2))
    assert one.times != other.times


@needs_espeak
def test_frames_are_spread_evenly_where_nothing_can_be_compared() -> None:
    sound = replace(recorded(VOICES[0]), times=())
    spelling = Spelling("phonemes", LANGUAGE)
    said = spelling.said_in(sound)
    assert spelling.placed(said, sound).begins is not None
    long = np.zeros(int((LONGEST + 1) * 8_000), np.float32)
    for other in (Sound(long[:0], 8_000, TEXT), Sound(long, 8_000, TEXT), replace(sound, text="")):
        assert spelling.placed(said, other).begins is None
    letters = Spelling("letters")
    assert letters.placed(letters.said_in(sound), sound).begins is None


@needs_espeak
def test_guessed_times_are_to_be_realigned() -> None:
    sound, survey = replace(recorded(VOICES[0]), times=()), Survey("phonemes")
    survey.add(sound, 100.0, Spelling("phonemes", LANGUAGE))
    assert survey.is_guess


def test_the_path_repeats_and_leaves_out_frames() -> None:
    rng = np.random.default_rng(0)
    second = rng.normal(size=(12, 3)) * 10
    counts = np.array([1, 3, 1, 1, 5, 1, 2, 1, 1, 4, 1, 2])
    begins = np.cumsum(counts) - counts
    np.testing.assert_array_equal(_places(np.repeat(second, counts, 0), second), begins)
    np.testing.assert_array_equal(_places(second[[0, 2, 5]], second[:6])[[0, 2, 5]], np.arange(3))
