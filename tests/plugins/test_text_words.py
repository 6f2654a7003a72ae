import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seqgen_text.codecs.counting import Counts
from seqgen_text.codecs.word_parts import cased, split, uncased
from seqgen_text.codecs.words import WordCodec, WordOptions

from seqgen.conformance import codecs, trackers
from seqgen.conformance.subject import Subject
from seqgen.errors import DataError
from seqgen.grammar import unpacked
from seqgen.plugins.discovery import load_domain
from seqgen.testing import NothingToCheck

#: All of Unicode without lone surrogates, and what is special to words.
TEXT = st.text(
    st.characters(codec="utf-8") | st.sampled_from("aAbB'’ _.\r\n\t\x00ßẞİıσςΣǅŉ\u0301"),
    max_size=30,
)
PLAY = "HAMLET. To be, or not to be: that's the question.\n\nTo BE!\n" * 5


def fit(*pieces: str, **options: object) -> WordCodec:
    return WordCodec.fit(pieces, WordOptions(**options))


def names(codec: WordCodec, text: str) -> list[str]:
    return [codec.vocab[token] for token in codec.encode(text).tolist()]


@settings(deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=5), st.integers(0, 2))
@example(["a  b", " a b ", "a\r\nb\x00\t\t c" + " " * 100], 1)
@example(["It's O'NEIL's ’tis don’t' '"], 2)
@example(["ΣΑΣ σας ΟΔΟΣ İstanbul ŉa ǅ ǆ Straße STRASSE iPhone 3D 3d"], 2)
def test_any_text_comes_back(pieces: list[str], rarest: int) -> None:
    codec = fit(*pieces, rarest=rarest)
    for text in [*pieces, "".join(pieces), " ".join(reversed(pieces))]:
        ids = codec.encode(text)
        assert codec.decode(ids) == text
        allowed = unpacked(codec.masks(ids)[:], len(codec.vocab) + 1)
        assert allowed[range(len(ids) + 1), [*ids.tolist(), len(codec.vocab)]].all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), max_size=40))
def test_any_ids_are_text_that_comes_back(tokens: list[int]) -> None:
    codec = fit(PLAY)
    ids = np.array(tokens, np.int64) % len(codec.vocab)
    text = codec.decode(ids)
    again = codec.encode(text)
    assert codec.decode(again) == text
    for start in range(len(again) + 1):
        # Only a capital whose mark is cut off is lost.
        rest = codec.decode(codec.continuation(again, start))
        assert (codec.decode(again[:start]) + rest).casefold() == text.casefold()


def test_words_gaps_and_marks_are_tokens() -> None:
    codec = fit(PLAY)
    assert names(codec, "To be, or") == ["<cap>", "to", "be", ", ", "or"]
    assert names(codec, "HAMLET that's") == ["<upper>", "hamlet", "that's"]
    assert names(codec, "Moth toBe") == [
        *("<cap>", "<spell>", "letter m", "letter o", "letter t", "letter h", "</spell>"),
        *("<spell>", "letter t", "letter o", "letter B", "letter e", "</spell>"),
    ]
    assert names(codec, " to  be. ") == [" ", "to", " ", " ", "be", ". "]


def test_units_are_words_characters_and_bytes() -> None:
    codec = fit("Été, été!\n")
    assert codec.units(codec.encode("Été, été!")) == {"words": 2, "characters": 9, "bytes": 13}
    assert codec.place(codec.encode("été\nété"), 1) == "line 1"
    assert codec.place(codec.encode("été,\n\nété"), 9) == "line 3"


def test_an_unknown_letter_is_named_and_can_be_mended() -> None:
    codec = fit("the cat, 'tis")
    with pytest.raises(DataError, match=r"character 'ö' at position 6 .* alphabet of"):
        codec.encode("the cöt")
    assert codec.mend_prompt("the cöt?", "nearest").piece == "the ct"  # no o either
    assert codec.mend_prompt("THÉ cat’s", "nearest").piece == "THE cat's"
    codec.encode("THE cat's CHAT")
    with pytest.raises(DataError, match=r"a lone surrogate\) at position 2"):
        codec.encode("t\ud83d")


def test_a_spelled_word_has_letters_and_an_end() -> None:
    codec = fit(PLAY)
    tracker = codec.tracker()
    steps = ["<cap>", "<spell>", "letter a", "</spell>"]
    offered = []
    for step in steps:
        mask = tracker.allowed()
        assert mask[codec.vocab.index(step)]
        offered.append({codec.vocab[at] for at in np.flatnonzero(mask[:-1])})
        assert mask[-1] == (step == "<cap>")
        tracker.push(codec.vocab.index(step))
    letters = {name for name in codec.vocab if name.startswith("letter ")}
    assert "be" in offered[1] and ", " not in offered[1] and "<cap>" not in offered[1]
    assert offered[2] == letters and offered[3] == letters | {"</spell>"}
    assert tracker.allowed()[-1]


def test_the_vocabulary_is_chosen_by_count() -> None:
    text = "one " * 4 + "two " * 3 + "three " * 2
    assert "two" in fit(text).vocab and "three" not in fit(text).vocab
    assert "three" in fit(text, rarest=2).vocab
    assert "one" in fit(text, most=1).vocab and "two" not in fit(text, most=1).vocab


@given(st.lists(st.text("ab", max_size=3)), st.integers(1, 4), st.integers(1, 5))
def test_counts_beyond_memory_are_the_same(texts: list[str], most: int, rarest: int) -> None:
    wanted = sorted({text for text in texts if texts.count(text) >= rarest}, key=str)
    wanted = sorted(sorted(wanted, key=lambda text: -texts.count(text))[:most])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqgen_text.codecs.counting.MOST", 1)
        for order in (texts, texts[::-1]):
            with Counts() as counts:
                for text in order:
                    counts.add([text])
                assert counts.most_frequent(most, rarest) == wanted


@given(TEXT)
def test_parts_of_a_text_and_of_a_word_join_again(text: str) -> None:
    assert "".join(gap + word for gap, word in split(text)) == text
    assert cased(*uncased(text)) == text


def test_a_model_of_signs_alone_has_no_words() -> None:
    codec = fit("?!? ...")
    assert codec.vocab == (" ", "!", ".", "?")
    assert codec.decode(codec.encode("...!")) == "...!"


PTB = " no it was n't <unk> \n mr. <unk> said N \n"


def test_the_form_of_the_penn_treebank_has_words_and_lines() -> None:
    codec = fit(PTB, form="ptb")
    assert codec.vocab == ("\n", "<unk>", "N", "it", "mr.", "n't", "no", "said", "was")
    ids = codec.encode(PTB)
    assert codec.decode(ids) == "no it was n't <unk>\nmr. <unk> said N\n"
    assert names(codec, "mr. jones\n\nsaid") == ["mr.", "<unk>", "\n", "\n", "said"]
    assert codec.units(ids)["words"] == len(ids) == 11
    assert codec.masks(ids) is None and codec.tracker() is None


@pytest.mark.parametrize("options", [WordOptions(form="ptb"), WordOptions(rarest=1)], ids=str)
def test_other_options_keep_the_contract(options: WordOptions, tmp_path: Path) -> None:
    pieces = [PLAY, "Words, words, WORDS;\n\tmy lord’s 42 words\n" * 20]
    codec = WordCodec.fit(pieces, options)
    ids = [codec.encode(piece) for piece in pieces]
    domain, found = load_domain("text")
    subject = Subject("text", found.spec, domain, "words", codec, pieces, ids)
    for promise in (*codecs.PROMISES, *trackers.PROMISES):
        place = tmp_path / promise.__name__
        place.mkdir()
        with suppress(NothingToCheck):
            promise(subject, place)


@pytest.mark.parametrize("wrong", [[1], "words", [""], None])
def test_a_broken_state_is_refused(wrong: object) -> None:
    state = json.loads(json.dumps(fit(PLAY).state()))
    with pytest.raises(DataError, match="words must be a list of texts"):
        WordCodec.from_state(state | {"words": wrong}, WordOptions())
