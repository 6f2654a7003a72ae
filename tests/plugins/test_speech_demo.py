"""The demo of speech: sentences that a synthesiser says."""

import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from seqgen_speech import demo
from seqgen_speech.domain import Speech
from seqgen_speech.espeak import Voice, _pause, phonemes, speak
from seqgen_speech.files.sound_writing import sound_file
from seqgen_speech.sound import Sound

from seqgen.errors import DataError, PluginError
from seqgen.plugin import Labelled


def test_sentences_differ_and_are_the_same_every_time() -> None:
    first, second = (list(islice(demo.sentences(), 2000)) for _ in range(2))
    assert first == second and len({*first}) == 2000
    assert not any(set(text) - set("abcdefghijklmnopqrstuvwxyz ,.?") for text in first)


def test_sentences_end_when_forms_are_used_up(monkeypatch) -> None:
    monkeypatch.setattr(demo, "FORMS", ("turn LEFT.",))
    assert sorted(demo.sentences()) == ["turn back.", "turn left.", "turn right."]
    assert demo.unseen(3) == []


#: Speaks a text in the first voice, and writes the sound.
SPEAK = """
import sys
import numpy as np
from seqgen_speech.demo import VOICES
from seqgen_speech.espeak import speak
sound = next(speak([(VOICES[0], sys.argv[1])]))
names, *ends = zip(*sound.times)
np.savez(sys.argv[2], samples=sound.samples, rate=sound.rate, names=names, ends=ends)
"""


def spoken_first(text: str, file: Path) -> Sound:
    """Return what a new process speaks: the pitch of a voice wavers on from text to text."""
    subprocess.run([sys.executable, "-c", SPEAK, text, str(file)], capture_output=True, check=True)
    with np.load(file) as found:
        times = zip(found["names"].tolist(), *found["ends"].tolist(), strict=True)
        return Sound(found["samples"], int(found["rate"]), text, tuple(times))


def test_the_demo_is_made_once_with_texts_and_speakers(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(demo, "SENTENCES", 12)
    paths = Speech().demo(tmp_path / "demo")
    made = [path.read_bytes() for path in paths]
    assert len(paths) == 12
    [piece] = Speech().read(paths[0])
    assert isinstance(piece, Labelled) and piece.labels == {"speaker": "ada"}
    assert piece.content.text == next(demo.sentences())
    assert 1 < piece.content.seconds < 5 and abs(piece.content.samples).max() > 0.1
    # Sound and times come from the synthesiser together; both are read again.
    read, told = piece.content, spoken_first(piece.content.text, tmp_path / "spoken.npz")
    assert [symbol for symbol, *_ in read.times] == [*phonemes(read.text, "en-us")]
    assert read.times == tuple((name, round(a, 4), round(b, 4)) for name, a, b in told.times)
    assert made[0] == sound_file(told.at(demo.RATE), ".flac")
    changed = [path.stat().st_mtime_ns for path in paths]
    assert [path.stat().st_mtime_ns for path in Speech().demo(tmp_path / "demo")] == changed
    # One that is missing is made again, the same.
    paths[3].unlink()
    assert [path.read_bytes() for path in Speech().demo(tmp_path / "demo")] == made


def test_phonemes_have_stress_gaps_and_pauses() -> None:
    said = "".join(phonemes('Hello, "world"! It\'s 25 (maybe)', "en-us"))
    assert said == "həlˈoʊ, wˈɜːld! ɪts twˈɛnti fˈaɪv mˈeɪbiː."
    assert phonemes("ja", "de") == ("j", "ˈɑː", ".")
    with pytest.raises(DataError, match="does not know the language 'martian'") as error:
        phonemes("hello", "martian")
    # Each language that the message names is there.
    named = re.findall(r"\b(en-us|en|de|es|fr)\b", str(error.value).partition("such as")[2])
    assert len(named) == 5 and all(phonemes("hello", language) for language in named)


def test_another_language_within_a_text_is_no_phoneme() -> None:
    said = phonemes("das Meeting im Shop", "de")
    assert said and not any("(" in symbol for symbol in said)


def test_signs_without_sound_do_not_hide_a_pause() -> None:
    assert _pause("so, --", 6, False) == "," and _pause("so --", 5, True) == "."
    assert _pause("so --", 5, False) == "" and _pause("", 9, False) == ""


def test_phonemes_of_a_text_are_found_once(monkeypatch) -> None:
    first = phonemes("a text of this test", "en-us")
    monkeypatch.setattr("seqgen_speech.espeak._spoken", None)
    assert phonemes("a text of this test", "en-us") is first


def test_phonemes_are_where_the_sound_is() -> None:
    [sound] = speak([(demo.VOICES[0], "see, see.")])
    spans = {
        symbol: slice(int(begin * sound.rate), int(end * sound.rate))
        for symbol, begin, end in sound.times
    }
    assert [symbol for symbol, *_ in sound.times] == [*"s", "ˈiː", ",", " ", *"s", "ˈiː", "."]
    assert all(begin <= end for _, begin, end in sound.times)
    assert sound.times[-1][2] == sound.seconds
    # A vowel is loud, a pause is silent, and an s changes sign often.
    power = {symbol: (sound.samples[span] ** 2).mean() for symbol, span in spans.items()}
    assert power["ˈiː"] > 100 * power[","]
    turns = {
        symbol: np.diff(np.sign(sound.samples[span])).astype(bool).mean()
        for symbol, span in spans.items()
    }
    assert turns["s"] > 2 * turns["ˈiː"]


def test_an_unknown_voice_is_named() -> None:
    with pytest.raises(PluginError, match="with the voice 'of nobody'"):
        list(speak([(Voice("x", "of nobody", 160, 50), "hello")]))
