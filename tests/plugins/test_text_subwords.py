import json
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seqgen_text.codecs.chunks import LONGEST_RUN, chunks
from seqgen_text.codecs.counting import Counts
from seqgen_text.codecs.merging import learned_subwords, merged
from seqgen_text.codecs.subwords import BASE, SubwordCodec, SubwordOptions

from seqgen.conformance import codecs, trackers
from seqgen.conformance.subject import Subject
from seqgen.errors import DataError
from seqgen.grammar import unpacked
from seqgen.plugins.discovery import load_domain
from seqgen.testing import NothingToCheck

#: All of Unicode without lone surrogates, and what is special to chunks.
TEXT = st.text(
    st.characters(codec="utf-8") | st.sampled_from("aAbB'’ _.\r\n\t\x0012٣\u0301中文"), max_size=40
)
PLAY = "HAMLET. To be, or not to be: that's the question.\n\n'Tis well – indeed!\n" * 9


def fit(*pieces: str, **options: int) -> SubwordCodec:
    return SubwordCodec.fit(pieces, SubwordOptions(**{"rarest": 3, **options}))


def names(codec: SubwordCodec, text: str) -> list[str]:
    return [codec.vocab[token] for token in codec.encode(text).tolist()]


@settings(deadline=None, max_examples=60)
@given(st.lists(TEXT, min_size=1, max_size=4), st.integers(1, 3), st.sampled_from([244, 260, 4096]))
@example(["a  b", " a b ", "a\r\nb\x00\t\t c" + " " * 100], 1, 4096)
@example(["中文" * 40, "é" * 99, "_" * 70, "\n" * 50 + "e" + "\u0301" * 80], 1, 4096)
def test_any_text_comes_back(pieces: list[str], rarest: int, most: int) -> None:
    codec = fit(*pieces, rarest=rarest, most=most)
    assert len(BASE) <= len(codec.vocab) <= most
    for text in [*pieces, "".join(pieces), "unseen 𝄞 Ω", " ".join(reversed(pieces))]:
        ids = codec.encode(text)
        assert codec.decode(ids) == text
        assert "".join(map(codec.text_stream(), ids.tolist())) == text
        allowed = unpacked(codec.masks(ids)[:], len(codec.vocab) + 1)
        assert allowed[range(len(ids) + 1), [*ids.tolist(), len(codec.vocab)]].all()
        assert codec.units(ids)["bytes"] == len(text.encode())


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), max_size=40))
def test_any_ids_are_text_that_comes_back(tokens: list[int]) -> None:
    codec = fit(PLAY)
    ids = np.array(tokens, np.int64) % len(codec.vocab)
    text = codec.decode(ids)
    again = codec.encode(text)
    assert codec.decode(again) == text
    for start in range(len(again) + 1):
        # A character whose bytes are cut apart is lost.
        both = codec.decode(again[:start]) + codec.decode(codec.continuation(again, start))
        assert both == text or len(both) == len(text) - 1


@settings(deadline=None)
@given(TEXT, TEXT)
def test_what_follows_a_text_changes_its_last_chunk_only(text: str, more: str) -> None:
    before, after = [*chunks(text)], [*chunks(text + more)]
    assert "".join(before) == text and "".join(after) == text + more
    kept = max(len(before) - 1, 0)
    assert after[:kept] == before[:kept]


def test_chunks_are_words_digits_signs_and_blanks() -> None:
    text = "He's  'ere, 2026!\n\n    if(x_1)\n\t\treturn;"
    assert [*chunks(text)] == [
        *("He", "'s", " ", " 'ere", ",", " ", "2", "0", "2", "6", "!\n\n"),
        *("   ", " if", "(", "x_", "1", ")\n", "\t\t", "return", ";"),
    ]
    assert list(map(len, chunks("中" * 70))) == [LONGEST_RUN, LONGEST_RUN, 70 - 2 * LONGEST_RUN]


def test_frequent_parts_are_tokens_and_rare_characters_bytes() -> None:
    codec = fit(PLAY)
    assert names(codec, "be, or not") == ["b", "e", ",", " or", " not"]
    assert names(codec, " be Ω–") == [" be", " ", "0xCE", "0xA9", "–"]
    assert names(codec, "that's 24")[-4:] == ["'s", " ", "2", "4"]


def by_the_book(counts: dict[str, int], most: int, rarest: int) -> list[str]:
    """Learn subwords as slowly as the paper describes it."""
    spelled = {chunk: list(chunk) for chunk in counts}
    learned: dict[str, None] = {}
    while len(learned) < most:
        pairs = Counter[tuple[str, str]]()
        for chunk, symbols in spelled.items():
            for pair in pairwise(symbols):
                pairs[pair] += counts[chunk]
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < rarest:
            break
        learned["".join(best)] = None
        for symbols in spelled.values():
            place = 0
            while place < len(symbols) - 1:
                if (symbols[place], symbols[place + 1]) == best:
                    symbols[place : place + 2] = ["".join(best)]
                place += 1
    return list(learned)


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=8), st.integers(1, 9), max_size=8),
    st.integers(1, 12),
    st.integers(1, 9),
)
def test_subwords_are_those_of_the_paper(counts: dict[str, int], most: int, rarest: int) -> None:
    learned = learned_subwords(counts, "abc", most, rarest)
    assert learned == by_the_book(counts, most, rarest)
    ranks = {text: rank for rank, text in enumerate(learned)}
    for chunk in counts:
        assert "".join(merged(chunk, ranks)) == chunk
    assert not any("b" in text for text in learned_subwords(counts, "ac", most, rarest))


def test_a_larger_corpus_has_as_many_tokens() -> None:
    sizes = [len(SubwordCodec.fit([PLAY * n], SubwordOptions()).vocab) for n in (40, 80, 160)]
    assert len(BASE) + 20 < sizes[0] == sizes[1] == sizes[2]


def test_the_order_of_the_pieces_does_not_matter() -> None:
    pieces = [PLAY, "question mark\n" * 5, "the tea – the sea " * 4, "Ünïcödé " * 3]
    state = fit(*pieces).state()
    assert state == fit(*reversed(pieces)).state() and len(state["subwords"]) > 40


def test_another_process_learns_the_same() -> None:
    program = (
        "import json, sys; from seqgen_text.codecs.subwords import *;"
        "codec = SubwordCodec.fit([sys.argv[1]], SubwordOptions(rarest=3));"
        "print(json.dumps(codec.state()))"
    )
    done = subprocess.run([sys.executable, "-c", program, PLAY], capture_output=True, check=True)
    assert json.loads(done.stdout) == fit(PLAY).state()


@given(st.lists(st.text("ab", max_size=3), min_size=1), st.integers(1, 4))
def test_the_largest_counts_do_not_depend_on_memory(texts: list[str], most: int) -> None:
    with Counts() as counts:
        counts.add(texts)
        wanted = counts.largest(most)
    assert list(wanted.values()) == [count for _, count in Counter(texts).most_common(most)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqgen_text.codecs.counting.MOST", 1)
        patch.setattr("seqgen_text.codecs.counting.PART", 3)
        with Counts() as counts:
            counts.add(reversed(texts))
            assert counts.largest(most) == wanted


def test_a_mask_allows_whole_characters_only() -> None:
    codec = fit(PLAY)
    tracker = codec.tracker()
    for token, wanted in [("0xE2", "0x94"), ("0x94", "0x80"), ("0x80", " or")]:
        tracker.push(codec.vocab.index(token))
        allowed = {codec.vocab[at] for at in np.flatnonzero(tracker.allowed()[:-1])}
        assert wanted in allowed
        assert (" or" in allowed) == tracker.allowed()[-1] == (token == "0x80")


@pytest.mark.parametrize("options", [{"rarest": 1}, {"most": 244}, {"rarest": 5}], ids=str)
def test_all_options_keep_the_contract(options: dict[str, int], tmp_path: Path) -> None:
    pieces = [PLAY, "Words, words, WORDS;\n\tmy lord’s 42 words\n中文中文 " * 6]
    codec = fit(*pieces, **options)
    ids = [codec.encode(piece) for piece in pieces]
    domain, found = load_domain("text")
    subject = Subject("text", found.spec, domain, "subwords", codec, pieces, ids)
    for promise in (*codecs.PROMISES, *trackers.PROMISES):
        place = tmp_path / promise.__name__
        place.mkdir()
        with suppress(NothingToCheck):
            promise(subject, place)


@pytest.mark.parametrize(
    ("key", "wrong", "message"),
    [
        ("characters", ["é"], "characters must be a text"),
        ("characters", "\ud800", "characters must be a text"),
        ("characters", "éé", "must differ"),
        ("characters", "a", "must differ"),
        ("subwords", None, "subwords must be texts of 2 to 32 characters"),
        ("subwords", "ab", "subwords must be texts"),
        ("subwords", ["a"], "subwords must be texts"),
        ("subwords", ["a" * 33], "subwords must be texts"),
        ("subwords", ["a\ud800"], "subwords must be texts"),
        ("subwords", [7], "subwords must be texts"),
        ("subwords", ["ab", "ab"], "must differ"),
        ("subwords", ["0x80"], "must differ"),
    ],
)
def test_a_broken_state_is_refused(key: str, wrong: object, message: str) -> None:
    state = json.loads(json.dumps(fit(PLAY).state()))
    with pytest.raises(DataError, match=message):
        SubwordCodec.from_state(state | {key: wrong}, SubwordOptions())


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(DataError, match=r"a lone surrogate\) at position 2"):
        fit(PLAY).encode("t\ud83d")
    assert fit(PLAY, "\ud83d" * 9).state() == fit(PLAY).state()
