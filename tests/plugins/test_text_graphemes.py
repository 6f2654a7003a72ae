import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seqgen_text.codecs.characters import CharacterCodec, CharacterOptions
from seqgen_text.codecs.graphemes import graphemes

from seqgen.conformance import codecs, trackers
from seqgen.conformance.subject import Subject
from seqgen.errors import DataError
from seqgen.plugins.discovery import load_domain
from seqgen.testing import NothingToCheck

FAMILY, FLAG, THUMB, HEART = "👨‍👩‍👧", "🇩🇪", "👍🏽", "❤️"
#: All of Unicode, and what graphemes are made of.
TEXT = st.text(
    st.characters()
    | st.sampled_from("ab\n\u0301\u0308\u200d\u200c\ufe0f👍🏽👨👩🇩🇪🇫\u1112\u1161\u11ab"),
    max_size=30,
)


def fit(*pieces: str, **options: object) -> CharacterCodec:
    return CharacterCodec.fit(pieces, CharacterOptions(**{"unit": "grapheme", **options}))


@pytest.mark.parametrize(
    "parts",
    [
        ["e\u0301", "e", " ", "a\u0308\u0304"],
        [FAMILY, FLAG, "🇫🇷", THUMB, "👍", HEART, "x", "y\u200d", "x"],
        ["\u1112\u1161\u11ab", "\u1100\u1173\u11af", "한"],
        ["नि", "ம்", "กำ"[0], "\u0e33"],
        ["\n", "\u0301", "\n", "\r", "\n"],
        ["🏴\U000e0067\U000e0062\U000e007f", "1\ufe0f\u20e3"],
    ],
    ids=repr,
)
def test_what_belongs_to_a_character_stays_with_it(parts: list[str]) -> None:
    assert [*graphemes("".join(parts))] == parts


@settings(max_examples=60)
@given(st.lists(TEXT, min_size=1, max_size=4), st.sampled_from(["none", "line", "paragraph"]))
@example([f"{FAMILY}{FLAG}\n\n\n{THUMB}e\u0301"], "paragraph")
def test_any_text_comes_back(pieces: list[str], boundary: str) -> None:
    codec = fit(*pieces, boundary=boundary)
    for text in [*pieces, "".join(pieces), "".join(pieces)[::-1]]:
        ids = codec.encode(text)
        assert codec.decode(ids) == text
        assert codec.units(ids)["characters"] == len(text)
        if end := codec.open_end(ids):
            assert codec.decode(ids[: end.kept]) + end.text == text


@settings(max_examples=60)
@given(TEXT, TEXT, st.sampled_from(["none", "paragraph"]))
def test_what_follows_a_prompt_changes_its_open_end_only(
    text: str, more: str, boundary: str
) -> None:
    codec = fit(text + more, boundary=boundary)
    before, after = codec.encode(text), codec.encode(text + more)
    end = codec.open_end(before)
    kept = len(before) if end is None else end.kept
    assert before[:kept].tolist() == after[:kept].tolist()


def test_a_grapheme_is_a_token_and_a_new_one_is_spelled() -> None:
    codec = fit(f"caf\u0065\u0301 {FAMILY} {FAMILY}", "e\u0308")
    assert codec.vocab[-3:] == ("e\u0301", "e\u0308", FAMILY)
    names = [codec.vocab[token] for token in codec.encode(f"e\u0301{FAMILY}f\u0301👩\u0308")]
    assert names == ["e\u0301", FAMILY, "f", "\u0301", "👩", "\u0308"]
    rare = fit("e\u0301" * 9 + "a\u0308", rarest=2)
    assert "e\u0301" in rare.vocab and rare.decode(rare.encode("a\u0308e\u0301")) == "e\u0301"


def test_thousands_of_characters_are_tokens() -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 6000)))
    codec = CharacterCodec.fit([text * 2], CharacterOptions())
    assert len(codec.vocab) == 6000
    assert codec.decode(codec.encode(text)) == text


@pytest.mark.parametrize("boundary", ["none", "paragraph"])
def test_graphemes_keep_the_contract(boundary: str, tmp_path: Path) -> None:
    pieces = [f"na\u0131\u0308ve {FLAG}\n\n" * 9, f"{FAMILY} cafe\u0301\n" * 9]
    codec = fit(*pieces, boundary=boundary)
    ids = [codec.encode(piece) for piece in pieces]
    domain, found = load_domain("text")
    subject = Subject("text", found.spec, domain, "characters", codec, pieces, ids)
    for promise in (*codecs.PROMISES, *trackers.PROMISES):
        place = tmp_path / promise.__name__
        place.mkdir()
        with suppress(NothingToCheck):
            promise(subject, place)


@pytest.mark.parametrize("wrong", ["e\u0301", [1], ["e"], ["xy"], [["e", "e"]], None])
def test_a_broken_state_is_refused(wrong: object) -> None:
    codec = fit("e\u0301e")
    state = json.loads(json.dumps(codec.state()))
    again = CharacterCodec.from_state(state, codec.options)
    np.testing.assert_array_equal(again.encode("e\u0301e"), codec.encode("e\u0301e"))
    with pytest.raises(DataError, match="clusters must be texts of several of these characters"):
        CharacterCodec.from_state(state | {"clusters": wrong}, codec.options)
