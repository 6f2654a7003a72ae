"""Frames as tokens, texts over frames, and the codec of Codec 2."""

from __future__ import annotations

import copy
import ctypes
import importlib.util
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_speech.cleaning import cleaned
from seqgen_speech.codecs import codec2_library
from seqgen_speech.codecs.codec2 import LEVEL, MODES, Codec2, Codec2Options
from seqgen_speech.codecs.frame_codec import FrameCodec, FrameOptions
from seqgen_speech.codecs.frame_tokens import FrameTokens
from seqgen_speech.codecs.symbols import Said, Spelling, Survey
from seqgen_speech.espeak import _library
from seqgen_speech.letters import has_letters, letters_of
from seqgen_speech.sound import Sound

from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import Label, Labelled
from seqgen.drawing.guide import follow_each, guide_of
from seqgen.drawing.rules import Positions
from seqgen.errors import DataError, PluginError
from seqgen.following import STRIDE
from seqgen.grammar import unpacked
from seqgen.plugins.checks import next_mask

needs_codec2 = pytest.mark.skipif(
    importlib.util.find_spec("pycodec2") is None, reason="pycodec2 is not installed"
)

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed"
)

SIZES = (4, 3, 5)
TOKENS = FrameTokens(("loudness", "pitch", "shape"), SIZES, True)


class Levels(FrameCodec):
    """A toy: 100 frames a second, whose fields are the first samples in steps of a tenth."""

    options_type = FrameOptions
    names, sizes = ("loudness", "pitch", "shape"), SIZES

    @classmethod
    def sample_rate(cls, options):
        return 1_000

    @classmethod
    def frame_rate(cls, options):
        return 100.0

    def analysed(self, sound):
        count = -(-len(sound.samples) // 10)
        padded = np.pad(sound.samples, (0, 10 * count - len(sound.samples)))
        fields = np.round(10 * padded.reshape(count, 10)[:, :3]).astype(np.int64)
        fields[fields[:, 0] == 0] = 0
        return fields

    def synthesised(self, frames):
        samples = np.zeros((len(frames), 10), np.float32)
        samples[:, :3] = frames / 10
        return samples.ravel()


def levels(count: int, text: str = "", seed: int = 0) -> Sound:
    rng = np.random.default_rng(seed)
    frames = np.stack([rng.integers(0, size, count) for size in SIZES], 1)
    frames[frames[:, 0] == 0] = 0
    return Sound(Levels.synthesised(None, frames), 1_000, text)


def voice(seconds: float = 0.6, rate: int = 8_000) -> Sound:
    """Return a buzz that begins after 0.2 seconds."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
    return Sound((0.3 * buzz * (time > 0.2)).astype(np.float32).clip(-1, 1), rate)


@given(st.lists(st.integers(0, len(TOKENS.vocab) + 1), max_size=60))
def test_any_ids_are_frames_that_keep_their_ids(ids: list[int]) -> None:
    frames = TOKENS.frames(np.array(ids, np.int64))
    assert ((frames >= 0) & (frames < SIZES)).all()
    again = np.concatenate([np.zeros(0, np.int64), *TOKENS.spell(frames)])
    np.testing.assert_array_equal(
        TOKENS.frames(again), np.where(frames[:, :1] == 0, 0, frames) if len(frames) else frames
    )


def test_a_frame_of_silence_is_one_token() -> None:
    frames = np.array([[2, 1, 4], [0, 0, 0], [1, 2, 0]])
    spelled_frames = [row.tolist() for row in TOKENS.spell(frames)]
    assert spelled_frames == [[2, 5, 11], [0], [1, 6, 7]]
    assert [TOKENS.vocab[token] for token in spelled_frames[0]] == [
        "loudness 2",
        "pitch 1",
        "shape 4",
    ]
    np.testing.assert_array_equal(TOKENS.frames(np.array([2, 5, 11, 0, 1, 6, 7])), frames)


def test_features_are_the_field_the_frame_and_the_frame_before() -> None:
    rows = TOKENS.features(np.array([2, 5, 11, 3, 6]))
    assert rows.tolist() == [
        [0, 0, 0, 0],
        [1, 3, 0, 0],
        [2, 3, 2, 0],
        [0, 0, 0, 3],
        [1, 4, 0, 6],
        [2, 4, 3, 12],
    ]
    assert (rows < TOKENS.feature_sizes).all()


@given(st.text("ab ,", max_size=30), st.integers(0, 60), st.booleans(), st.integers(0, 9))
def test_every_symbol_but_a_blank_has_a_frame(text, count, has_times, seed) -> None:
    begins = np.sort(np.random.default_rng(seed).uniform(-1, 3, len(text))) if has_times else None
    said = Said(
        tuple(letters_of(text)), None if begins is None else begins[: len(letters_of(text))]
    )
    if not said.symbols:
        return
    voiced = np.array([symbol != " " for symbol in said.symbols])
    if count < voiced.sum():
        with pytest.raises(DataError, match="symbols of its text"):
            said.frames(count, 25.0)
        return
    frames = said.frames(count, 25.0)
    assert frames.sum() == count
    assert (frames[voiced] > 0).all() and not frames[~voiced].any()


def test_frames_follow_known_times() -> None:
    said = Said(("a", " ", "b", "c"), np.array([0.1, 0.5, 0.5, 0.9]))
    assert said.frames(12, 10.0).tolist() == [5, 0, 4, 3]


def test_texts_are_small_letters_pauses_and_single_blanks() -> None:
    assert letters_of('  "Don\'t\tgo (home),\nANNA: 7%!" ') == "dont go home, anna: 7!"
    assert letters_of("हिन्दी (ที่) Nǐ") == "हिन्दी ที่ nǐ"


@pytest.mark.parametrize("kind", ["letters", "phonemes"])
def test_times_of_gaps_alone_say_nothing(kind) -> None:
    sound = timed("_ _")
    assert Spelling(kind).said_in(sound).symbols == ()
    survey = Survey(kind)
    survey.add(sound, 100.0, Spelling(kind))
    assert not survey.most
    codec = Levels.fit([levels(40, "ab"), sound], FrameOptions(text="letters"))
    frames = codec.tokens.spell(codec.analysed(sound))
    np.testing.assert_array_equal(codec.encode(sound), np.concatenate(frames))
    # Nor do the gaps that are left of an unknown text.
    assert codec.mend_prompt(levels(40, "x y"), "skip").piece.times == ()


def test_letters_with_times_may_be_capital_and_have_signs() -> None:
    sound = replace(timed("D o n ' t _ G o ."), text="Don't go.")
    said = Spelling("letters").said_in(sound)
    assert said.symbols == (*"dont go.",) and said.begins is not None
    assert said.begins[:4].tolist() == [sound.times[at][1] for at in (0, 1, 2, 4)]
    assert has_letters(sound) and not has_letters(replace(sound, text="go"))


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e308, -1e308])
def test_frames_stay_counts_whatever_the_times(odd) -> None:
    for at in range(3):
        begins = np.array([0.0, 0.1, 0.2])
        begins[at] = odd
        frames = Said((*"abc",), begins).frames(12, 10.0)
        assert frames.sum() == 12 and (frames > 0).all()


def test_places_are_a_guess_if_one_sound_has_no_times() -> None:
    known, open_ = replace(timed("a b"), text="ab"), levels(40, "ab")
    for pieces, is_guess in (([known], False), ([known, open_], True), ([open_, known], True)):
        codec = Levels.fit(pieces, FrameOptions(text="letters"))
        assert codec.dictation is not None and codec.dictation.is_guess == is_guess


def test_a_text_is_said_symbol_by_symbol_to_its_end() -> None:
    pieces = [levels(40, "ab ba", seed) for seed in range(3)]
    codec = Levels.fit([*pieces, levels(3, "much too long")], FrameOptions(text="letters"))
    assert codec.dictation is not None and codec.dictation.alphabet == (" ", "a", "b")
    ids = codec.encode(pieces[0])
    again = codec.decode(ids)
    assert again.text == "ab ba"
    np.testing.assert_array_equal(again.samples, pieces[0].samples)
    tracker, rng, written = codec.tracker("Ba, b"[:2]), np.random.default_rng(1), []
    while True:
        token = tracker.forced()
        token = rng.choice(np.flatnonzero(tracker.allowed())) if token is None else token
        if token == len(codec.vocab):
            break
        tracker.push(int(token))
        written.append(int(token))
    assert codec.decode(np.array(written)).text == "ba"
    assert len(written) <= codec.most_tokens("ba")
    with pytest.raises(DataError, match="does not know the symbols 'x'"):
        codec.tracker("axe")


SPOKEN = Levels.fit([levels(40, "ab ba", seed) for seed in range(3)], FrameOptions(text="letters"))
IDS = st.lists(st.integers(0, len(SPOKEN.vocab) - 1), max_size=60)


@given(IDS, st.sampled_from([None, "ab", " ba"]), st.integers(0, 2 * STRIDE), IDS)
@settings(deadline=None)
def test_compiled_code_follows_any_ids(prompt, text, symbols, ids) -> None:
    """It has the features and masks of the tracker, in prompts, texts and long spellings."""
    assert SPOKEN.dictation is not None
    tracker, end = SPOKEN.tracker(text), len(SPOKEN.vocab)
    for token in [*prompt, *[SPOKEN.dictation.first] * symbols]:
        tracker.push(token)
    twin = copy.deepcopy(tracker)
    for some in (ids[:STRIDE], ids[STRIDE:]):
        found = twin.followed()
        others = [found._replace(state=np.zeros(500, np.int64)), found]
        guide = guide_of(others, [None, None], [False, False], True, len(SPOKEN.feature_sizes))
        for token in some:
            # One that is not due belongs to a prompt.
            token = token if tracker.forced() in (None, end) or token % 2 else tracker.forced()
            tracker.push(token)
            masks = [np.zeros((2, end + 1), bool) for _ in range(2)]
            rows = np.zeros((2, len(SPOKEN.feature_sizes)), np.int64)
            given_here = np.array([end, token]), rows, *masks, np.zeros((2, 0), np.int64)
            follow_each(guide, Positions(*given_here, *np.zeros((2, 2), np.int64)), 0)
            assert rows[1].tolist() == list(tracker.features())
            possible, allowed = masks[0][1], masks[1][1]
            np.testing.assert_array_equal(allowed, next_mask(SPOKEN, tracker))
            np.testing.assert_array_equal(possible, allowed | tracker.allowed())
    assert twin.forced() == tracker.forced()


def timed(symbols: str, seconds: float = 0.4) -> Sound:
    """Return a sound whose symbols, divided by blanks, take equal parts; "_" is the gap."""
    names = [" " if each == "_" else each for each in symbols.split()]
    edges = np.linspace(0, seconds, len(names) + 1).tolist()
    return replace(levels(40), times=tuple(zip(names, edges, edges[1:], strict=False)))


def test_phonemes_with_times_are_symbols() -> None:
    sound = replace(timed("h ˈaɪ _ ð ɛ ."), text="Hi there")
    codec = Levels.fit([sound], FrameOptions(text="phonemes"))
    assert codec.dictation is not None and not codec.dictation.is_guess
    assert codec.dictation.alphabet == (" ", ".", "h", "ð", "ɛ", "ˈaɪ")
    again = codec.decode(codec.encode(sound))
    assert [symbol for symbol, *_ in again.times] == ["h", "ˈaɪ", " ", "ð", "ɛ", "."]
    # Phonemes do not say how people write. The frames of a gap are those of the phoneme before.
    assert again.text == ""
    np.testing.assert_allclose(
        [end for *_, end in again.times], [0.07, 0.2, 0.2, 0.27, 0.33, 0.4], atol=1e-9
    )
    np.testing.assert_array_equal(codec.encode(again), codec.encode(sound))
    # Letters cannot use them.
    letters = Levels.fit([sound], FrameOptions(text="letters"))
    assert letters.dictation is not None and letters.dictation.is_guess
    assert "".join(letters.dictation.alphabet) == " ehirt"


@needs_espeak
def test_texts_are_spelled_in_phonemes() -> None:
    pieces = [levels(60, text) for text in ("see the tea.", "He sees tea!")]
    codec = Levels.fit(pieces, FrameOptions())
    ids = codec.encode(pieces[1])
    symbols = [symbol for symbol, *_ in codec.decode(ids).times]
    assert symbols == ["h", "iː", " ", "s", "ˈiː", "z", " ", "t", "ˈiː", "!"]
    with pytest.raises(DataError, match="does not know the symbol"):
        codec.tracker("fish")
    mended = codec.mend_condition("TEA, fish?", "nearest")
    assert isinstance(mended.piece, Sound) and mended.changes
    codec.tracker(mended.piece)
    again = codec.mend_prompt(replace(pieces[0], text="zeal, see"), "nearest")
    assert codec.decode(codec.encode(again.piece)).seconds == pieces[0].seconds


@needs_espeak
def test_a_new_sound_has_the_text_that_it_was_asked_for() -> None:
    pieces = [levels(60, text) for text in ("see the tea.", "He sees tea!")]
    codec = Levels.fit(pieces, FrameOptions(text="phonemes"))
    written = codec.decode(codec.encode(pieces[1]))
    assert written.text == "" and codec.answer(written, "He sees tea!").text == "He sees tea!"
    assert codec.answer(written, pieces[1]).text == "He sees tea!"
    # More or less than that is not the text: a prompt came before, or the sound was cut.
    assert codec.answer(written, "sees tea!").text == ""
    labelled = LabelledCodec(codec, [Label("speaker", None, {"ada": 2})])
    assert labelled.answer(written, Labelled({"speaker": "ada"}, "He sees tea!")).text
    assert labelled.answer(written, Labelled({"speaker": "ada"}, None)) is written


def test_phonemes_need_espeak_where_a_text_is_asked_for(monkeypatch) -> None:
    codec = Levels.fit([timed("h ˈaɪ .")], FrameOptions(text="phonemes"))
    codec = Levels.from_state(codec.state(), codec.options)
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    _library.cache_clear()
    with pytest.raises(PluginError, match=r'pip install "seqgen-speech\[espeak\]"'):
        codec.tracker("hi")
    codec.tracker(timed("h ˈaɪ ."))


def test_without_espeak_symbols_are_letters(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    _library.cache_clear()
    codec = Levels.fit([levels(40, "ab")], FrameOptions())
    assert codec.dictation is not None and codec.dictation.alphabet == (" ", "a", "b")


@needs_espeak
def test_symbols_are_letters_where_espeak_cannot_be_loaded(monkeypatch) -> None:
    monkeypatch.setattr("espeakng_loader.get_library_path", lambda: "/no such library")
    _library.cache_clear()
    codec = Levels.fit([levels(40, "ab")], FrameOptions())
    assert codec.dictation is not None and codec.dictation.alphabet == (" ", "a", "b")
    with pytest.raises(PluginError, match=r"cannot be loaded .* `options=.*letters"):
        Levels.fit([levels(40, "an ab")], FrameOptions(text="phonemes"))


def test_silence_the_next_symbol_and_the_end_have_groups_of_their_own() -> None:
    codec = Levels.fit([levels(40, "ab")], FrameOptions(text="letters"))
    groups = dict(zip(codec.vocab, codec.groups, strict=True))
    alone = {name: group for name, group in groups.items() if group}
    assert [*alone] == ["loudness 0", *codec.vocab[12:]]
    assert alone["loudness 0"] != alone["symbol a"] != alone["advance"]


def test_recordings_without_texts_have_no_symbols() -> None:
    for codec in (
        Levels.fit([levels(20)], FrameOptions()),
        Levels.fit([levels(20, "ab")], FrameOptions(text="none")),
    ):
        assert codec.dictation is None and codec.vocab == TOKENS.vocab
        ids = codec.encode(levels(20, "ab"))
        assert (ids < len(TOKENS.vocab)).all()
        masks = unpacked(codec.masks(ids)[:], len(codec.vocab) + 1)
        tracker = codec.tracker()
        for position, token in enumerate(ids.tolist()):
            np.testing.assert_array_equal(tracker.allowed(), masks[position])
            assert masks[position, token]
            tracker.push(token)
        assert masks[-1, -1] and not masks[0, -1]
        with pytest.raises(DataError, match="speaks freely"):
            codec.tracker("ab")


def test_a_rest_begins_with_a_whole_frame() -> None:
    codec = Levels.fit([levels(20)], FrameOptions())
    ids = codec.encode(levels(20, seed=4))
    frames = codec.tokens.frames(ids)
    for start in range(len(ids) + 1):
        before = int(codec.tokens.completes(ids[:start]).sum())
        is_inside = codec.tokens.features(ids[:start])[-1, 0] > 0
        rest = codec.tokens.frames(codec.continuation(ids, start))
        np.testing.assert_array_equal(rest, frames[before + is_inside :])


@needs_codec2
@pytest.mark.parametrize("mode", MODES)
def test_fields_of_codec2_become_the_same_bits(mode: str, monkeypatch) -> None:
    seen = {}

    def encoded(number, samples):
        seen["rows"] = codec2_library.encoded(number, samples)
        return seen["rows"]

    def decoded(number, rows, size):
        seen["again"] = rows
        return codec2_library.decoded(number, rows, size)

    monkeypatch.setattr("seqgen_speech.codecs.codec2.encoded", encoded)
    monkeypatch.setattr("seqgen_speech.codecs.codec2.decoded", decoded)
    codec = Codec2.fit([], Codec2Options(mode=mode))
    frames = codec.analysed(voice())
    codec.synthesised(frames)
    loud = frames[:, 0] > 0
    assert loud.any()
    np.testing.assert_array_equal(seen["again"][loud], seen["rows"][1:][loud])


@needs_codec2
@pytest.mark.parametrize("mode", MODES)
def test_codec2_decodes_the_same_whatever_came_before(mode: str) -> None:
    codec = Codec2.fit([], Codec2Options(mode=mode))
    random = np.random.default_rng(5).integers(0, len(codec.vocab), 400)
    first = codec.decode(random).samples
    codec.decode(random[:90])
    np.testing.assert_array_equal(codec.decode(random).samples, first)
    assert np.isfinite(first).all() and np.abs(first).max() <= 1


@needs_codec2
@pytest.mark.parametrize("mode", MODES)
def test_copies_of_codec2_keep_time_and_level(mode: str) -> None:
    codec, sound = Codec2.fit([], Codec2Options(mode=mode)), cleaned(voice(), LEVEL)
    copy = codec.decode(codec.encode(sound)).samples
    assert len(copy) == len(sound.samples)
    power = [
        np.add.reduceat(each**2, np.arange(0, len(copy), 80)) for each in (sound.samples, copy)
    ]
    loud = [np.flatnonzero(each > 0.05 * each.max()) for each in power]
    assert abs(loud[0][0] - loud[1][0]) <= 2
    assert abs(10 * np.log10(power[0].sum() / power[1].sum())) < 4


@needs_codec2
@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 1103), max_size=40))
def test_codec2_decodes_anything(ids: list[int]) -> None:
    codec = Codec2.fit([], Codec2Options())
    sound = codec.decode(np.array(ids, np.int64))
    assert np.isfinite(sound.samples).all() and np.abs(sound.samples).max(initial=0) <= 1


def test_without_its_library_codec2_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(codec2_library, "find_spec", lambda name: None)
    codec = Codec2.fit([], Codec2Options())
    with pytest.raises(PluginError, match=r"seqgen-speech\[codec2\]"):
        codec.encode(voice())


@needs_codec2
def test_codec2_decodes_the_same_while_others_hold_its_library() -> None:
    codec = Codec2.fit([], Codec2Options())
    ids = np.random.default_rng(5).integers(0, len(codec.vocab), 200)
    held = ctypes.CDLL(str(codec2_library._path()))
    first = codec.decode(ids).samples
    np.testing.assert_array_equal(codec.decode(ids).samples, first)
    assert held.codec2_create
