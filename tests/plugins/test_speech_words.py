"""Words recognised in speech."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqgen_speech.domain import Speech
from seqgen_speech.measures.words import (
    Recogniser,
    pronunciations,
    shares_recognised,
    spoken,
    word_errors,
)
from seqgen_speech.sound import Sound

from seqgen import write_corpus
from seqgen.errors import PluginError
from seqgen.evaluation.probing import worded_pieces

TEXTS = (
    "the red cat finds the box in the house.",
    "can you see the letter on the hill?",
    "twenty 3, forty 5.",
    "please bring the big lamp, anna.",
)


@pytest.fixture(scope="module")
def said() -> list[Sound]:
    """The texts, spoken by a synthesiser."""
    pytest.importorskip("espeakng_loader")
    pytest.importorskip("pocketsphinx")
    from seqgen_speech.demo import VOICES
    from seqgen_speech.espeak import speak

    return list(islice(speak((VOICES[1], text) for text in TEXTS), len(TEXTS)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Press 1 or 42, don’t wait!", "press one or forty two don't wait"),
        ("20 at 007, room 162, 13", "twenty at zero zero seven room one six two thirteen"),
        ("naïve A.M.", "naive a m"),
        ("ничего 、", ""),
    ],
)
def test_texts_become_words(text: str, words: str) -> None:
    assert spoken(text) == words.split()


WORDS = st.lists(st.sampled_from("abc"), max_size=6)


@given(WORDS, WORDS, WORDS)
def test_word_errors_are_a_distance(one: list[str], two: list[str], three: list[str]) -> None:
    assert word_errors(one, one) == 0
    assert word_errors(one, two) == word_errors(two, one)
    assert abs(len(one) - len(two)) <= word_errors(one, two) <= max(len(one), len(two))
    assert word_errors(one, three) <= word_errors(one, two) + word_errors(two, three)


def test_words_beyond_the_dictionary_have_a_pronunciation() -> None:
    pytest.importorskip("pocketsphinx")
    assert pronunciations(["touchtone", "pbx", "two"]) == {
        "touchtone": ["T AH CH T OW N"],
        "pbx": ["P IY B IY EH K S"],
        "two": ["T UW"],
    }


def test_the_words_of_a_synthesiser_are_recognised(said: list[Sound]) -> None:
    recogniser = Recogniser(TEXTS)
    shares = shares_recognised(recogniser, said, TEXTS)
    assert shares.mean() > 0.8
    # What was heard before does not matter, nor does loudness.
    quiet = [Sound(sound.samples / 20, sound.rate) for sound in said[::-1]]
    np.testing.assert_array_equal(shares_recognised(recogniser, quiet, TEXTS[::-1]), shares[::-1])
    # The language alone does not say which text it is.
    assert shares_recognised(recogniser, said, TEXTS[::-1]).mean() < 0.3


def test_silence_and_noise_say_nothing(said: list[Sound]) -> None:
    recogniser = Recogniser(TEXTS)
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 8000).astype(np.float32)
    sounds = [Sound(np.zeros(8000, np.float32), 8000), Sound(noise[:0], 8000), Sound(noise, 8000)]
    assert recogniser.heard(sounds[0]) == recogniser.heard(sounds[1]) == []
    shares = shares_recognised(recogniser, sounds, [TEXTS[0], TEXTS[1], TEXTS[2]])
    assert shares.max() < 0.3
    assert np.isnan(shares_recognised(recogniser, sounds[:1], ["..."])).all()


def test_texts_without_words_are_refused() -> None:
    with pytest.raises(PluginError, match="found none"):
        Recogniser(["...", ""])


def test_probes_are_heard_beside_the_corpus(said: list[Sound]) -> None:
    # The second sound says another text than it should; one of the corpus has no text.
    reference = [*said[2:], Sound(said[0].samples, said[0].rate)]
    found = Speech().measure_probes([TEXTS[0], TEXTS[3]], said[:2], iter(reference))
    metric = found["given words that are recognised"]
    assert metric.generated[0] > 0.8 and metric.generated[1] < 0.5
    assert metric.reference[:2].mean() > 0.7 and np.isnan(metric.reference[2])
    assert Speech().measure_probes([], [], reference[2:]) == {}


def test_pieces_of_a_corpus_in_phonemes_have_their_texts(said: list[Sound], tmp_path) -> None:
    plain = [Sound(sound.samples, sound.rate, sound.text) for sound in said]
    corpus = write_corpus(
        tmp_path / "corpus",
        "speech",
        {"train": plain, "valid": [*said[:1], *plain[1:]]},
        codec="frames",
        options={"text": "phonemes", "codes": 8, "stages": 1},
    )
    assert corpus.codec.decode(corpus.piece(0)).text == ""
    assert [sound.text for sound in worded_pieces(corpus)] == [*TEXTS]
