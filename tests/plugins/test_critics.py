"""What the critics of the domains find in pieces that are made to have a fault."""

from dataclasses import replace

import numpy as np
import pytest
from seqgen_handwriting.demo import demo_lines
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.ink import Ink
from seqgen_music.domain import MusicDomain
from seqgen_music.measures.criticism import silence, standstill
from seqgen_music.music import Music, Track, make_notes
from seqgen_speech.domain import Speech
from seqgen_speech.sound import Sound
from seqgen_text.domain import Text
from seqgen_text.measures.criticism import WINDOW, unbalanced, windows_of
from seqgen_text.measures.parsing import LONGEST, xml_errors

QUARTER = 24


def tune(notes: list[tuple[float, float, int]], tracks: int = 1) -> Music:
    """Return a piece of (onset, duration, pitch), times in quarters, each track an octave lower."""
    rows = [
        (round(onset * QUARTER), round(duration * QUARTER), pitch - 12 * track, 80, track)
        for track in range(tracks)
        for onset, duration, pitch in notes
    ]
    return Music(make_notes(rows), tuple(Track() for _ in range(tracks)), QUARTER)


def melody(number: int, tracks: int = 1) -> Music:
    rng = np.random.default_rng(number)
    pitches = rng.choice([60, 62, 64, 65, 67, 69, 71, 72], 24 + number % 9)
    return tune([(at, 1, int(pitch)) for at, pitch in enumerate(pitches)], tracks)


def test_music_that_is_short_or_stands_still_has_a_fault() -> None:
    criticise = MusicDomain().critic(melody(number) for number in range(40))
    assert not criticise(melody(100), None).faults
    short = criticise(tune([(0, 1, 60), (1, 1, 67)]), None).faults
    assert any(fault.startswith("length 2 quarters; all") for fault in short)
    still = criticise(tune([(0, 1, 60), (1, 20, 67), (21, 1, 72), (22, 2, 62)]), None).faults
    assert any(
        fault == "longest standstill of a part 20 quarters; all pieces of the corpus have at most 1"
        for fault in still
    )


def test_parallels_are_faults_only_where_a_corpus_has_four_voices() -> None:
    in_octaves = melody(100, tracks=4)
    of_one_voice = MusicDomain().critic(melody(number) for number in range(40))
    assert not any("parallel" in fault for fault in of_one_voice(in_octaves, None).faults)
    still = [tune([(0, 8, 60 + number % 5), (8, 8, 64)], tracks=4) for number in range(40)]
    found = MusicDomain().critic(still)(in_octaves, None).faults
    assert any(fault.startswith("parallel fifths and octaves ") for fault in found)


def test_silence_is_where_no_part_sounds() -> None:
    assert silence(tune([(0, 1, 60), (4, 1, 62)])) == 3
    assert silence(tune([(0, 5, 60), (1, 1, 62), (4, 2, 64)])) == 0
    assert silence(tune([])) == 0


def test_a_part_stands_still_between_onsets_and_to_its_end() -> None:
    assert standstill(tune([(0, 1, 60), (4, 1, 62)])) == 4
    assert standstill(tune([(0, 1, 60), (1, 5, 62)])) == 5
    assert np.isnan(standstill(tune([])))


def test_letters_that_look_like_others_are_named() -> None:
    lines = list(demo_lines(240))
    criticise = Handwriting().critic(iter(lines))
    right = sum(not criticise(line, line.text).faults for line in lines[:40])
    assert right > 30
    line = next(each for each in lines if "a" in each.text and not criticise(each, None).faults)
    place = line.text.index("a")
    wrong = line.text[:place] + "k" + line.text[place + 1 :]
    assert f"letter {place + 1}, 'k', is read as 'a'" in criticise(line, wrong).faults
    assert criticise(line, line.text + "n").faults == (
        f"letter {len(line.text) + 1}, 'n', is missing",
    )
    assert len(criticise(Ink(()), "no").faults) >= 2


def test_drawings_without_letters_are_measured() -> None:
    rng = np.random.default_rng(0)
    drawings = [Ink(tuple(rng.normal(size=(9, 2)) for _ in range(3))) for _ in range(40)]
    criticise = Handwriting().critic(iter(drawings))
    many = replace(drawings[0], strokes=drawings[0].strokes * 20)
    assert any(
        fault.startswith("strokes 60 strokes; all") for fault in criticise(many, None).faults
    )


def test_texts_with_unknown_words_and_open_brackets_have_faults() -> None:
    words, rng = ["the", "cat", "sat", "on", "a", "mat", "and"], np.random.default_rng(0)
    corpus = [" ".join(rng.choice(words, 30)) + " (see below)." for _ in range(60)]
    criticise = Text().critic(iter(corpus))
    assert not criticise(corpus[0], None).faults
    faults = criticise("teh cta ast no a tam dna (", None).faults
    assert any(fault.startswith("unknown words 0.857; all") for fault in faults)
    assert any(fault.startswith("brackets without the other one ") for fault in faults)


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("(a [b] {c})", 0), ("(]", 2), ("a) b (", 2), ("“a” “b", 1)]
)
def test_brackets_are_counted(text: str, count: int) -> None:
    assert unbalanced(text) == count


@pytest.mark.parametrize("length", [0, 1, WINDOW, WINDOW + 1, WINDOW * 3 // 2, WINDOW * 3 - 1])
def test_windows_leave_out_a_short_rest_only(length: int) -> None:
    windows = windows_of("a" * length)
    assert windows and sum(map(len, windows)) > length - WINDOW / 2 and len(windows[0]) <= WINDOW


def test_a_text_that_does_not_parse_in_the_language_of_its_corpus_has_a_fault() -> None:
    corpus = [f'{{"number": {number}, "text": "one"}}' for number in range(30)]
    criticise = Text().critic(iter(corpus))
    assert "it does not parse as JSON" in criticise('{"number": 1, "text"', None).faults
    assert not criticise(corpus[3], None).faults


@pytest.mark.parametrize("encoding", ["foo", "utf-7", "shift_jis", "hex"])
def test_an_unknown_encoding_of_xml_is_an_error(encoding: str) -> None:
    assert xml_errors(f'<?xml version="1.0" encoding="{encoding}"?><a/>') == 1


def test_a_text_that_is_too_long_to_parse_has_no_fault() -> None:
    criticise = Text().critic("<a>" + "<b>word</b>" * 50 + "</a>" for _ in range(25))
    for times in (50, LONGEST // 10):
        for end, faulty in (("</a>", False), ("", times == 50)):
            faults = criticise("<a>" + "<b>word</b>" * times + end, None).faults
            assert ("it does not parse as XML" in faults) == faulty


def test_speech_that_is_mostly_silent_or_high_has_a_fault() -> None:
    def tone(hertz: float, seconds: float, silent: float = 0.0, text: str = "") -> Sound:
        times = np.arange(round(8000 * seconds)) / 8000
        samples = 0.5 * np.sin(2 * np.pi * hertz * times) * (times >= silent)
        return Sound(samples.astype(np.float32), 8000, text)

    criticise = Speech().critic(tone(100 + number, 0.3 + 0.01 * number) for number in range(25))
    assert not criticise(tone(110, 0.4), None).faults
    faults = criticise(tone(330, 1.0, silent=0.8), None).faults
    assert {fault.split()[0] for fault in faults} >= {"duration", "silence", "pitch"}
    paced = Speech().critic(tone(100 + number, 0.5, text="abcde") for number in range(25))
    faults = paced(tone(110, 0.5, text="a"), None).faults
    assert any(fault.startswith("seconds per letter 0.5") for fault in faults)
