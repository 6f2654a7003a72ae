"""Dictation: symbols announced word by word, content for each, and its realigning by a model."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgen.conditions import dictation_states as states
from seqgen.conditions.dictation import Dictation
from seqgen.conditions.dictation_tracker import DictationTracker
from seqgen.errors import DataError
from seqgen.grammar import unpacked

#: Three content tokens: 0 begins a unit of two tokens, 1 ends it, 2 is a unit of its own.
PAIRS = {"begins": np.array([True, False, True]), "ends": np.array([False, True, True])}
PLAIN = Dictation(3, "ab ", [2, 4, 0], separator=" ")
PAIRED = Dictation(3, "ab ", [2, 4, 0], implied=1, separator=" ", **PAIRS)
BOTH = pytest.mark.parametrize("dictation", [PLAIN, PAIRED])
SILENT = 5

TEXTS = st.text("ab ", min_size=1, max_size=9)
IDS = st.lists(st.integers(0, PLAIN.size - 1), max_size=60).map(lambda ids: np.array(ids, np.int64))


def contents_of(text: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Return one to three units for each symbol that is not silent."""
    return [rng.integers(0, 3, 0 if each == " " else rng.integers(1, 4)) for each in text]


def test_tokens_of_a_word_come_before_its_content() -> None:
    ids = PLAIN.spell("ab a", [np.array(part, np.int64) for part in ([0, 1], [2], [], [1])])
    names = np.array(["x", "y", "z", *PLAIN.tokens])[ids].tolist()
    assert names == [
        *("symbol a", "symbol b", "symbol  ", "advance", "x", "y", "advance", "z", "advance"),
        *("advance", "symbol a", "advance", "y", "advance"),
    ]
    followed = PLAIN.follow(ids)
    current, following, units = followed.features.T.tolist()
    assert current == [0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 0, 0, 1, 1, 0]
    assert following == [0, 1, 1, 1, 2, 2, 2, 3, 3, 0, 0, 1, 0, 0, 0]
    assert [PLAIN.feature_values[2][value] for value in units[4:10]] == [
        *(("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), (" ", 0)),
    ]
    assert [PLAIN.feature_values[2][value][1] for value in units[10:]] == [0, 0, 0, 1, 0]


@settings(max_examples=100, deadline=None)
@given(text=TEXTS, seed=st.integers(0, 99))
def test_a_text_and_its_content_come_back(text: str, seed: int) -> None:
    contents = contents_of(text, np.random.default_rng(seed))
    ids = PLAIN.spell(text, contents)
    found = PLAIN.spelled(ids)
    assert found is not None
    assert "".join("ab "[number] for number in found[0]) == text
    for one, other in zip(found[1], contents, strict=True):
        np.testing.assert_array_equal(one, other)
    # Content without a symbol, and half a word, are no texts.
    assert PLAIN.spelled(np.append(ids, 0)) is None
    assert PLAIN.spelled(ids[:-1]) is None
    masks = unpacked(PLAIN.masks(ids), PLAIN.size + 1)
    if text.strip():
        assert masks[np.arange(len(ids) + 1), np.append(ids, PLAIN.size)].all()


@BOTH
@settings(max_examples=60, deadline=None)
@given(ids=IDS)
def test_the_tracker_gives_features_and_masks_of_any_ids(dictation: Dictation, ids) -> None:
    tracker, rows = DictationTracker(dictation), dictation.follow(ids).features
    masks = unpacked(dictation.masks(ids), dictation.size + 1)
    for position in range(len(ids) + 1):
        assert list(tracker.features()) == rows[position].tolist()
        np.testing.assert_array_equal(tracker.allowed(), masks[position])
        assert masks[position].any() and tracker.situation == dictation.situations(ids)[position]
        if (forced := tracker.forced()) is not None:
            assert np.flatnonzero(masks[position]).tolist() == [forced]
        if position < len(ids):
            copied = copy.deepcopy(tracker)
            copied.push(dictation.advance)
            tracker.push(int(ids[position]))
    assert (rows < dictation.feature_sizes).all() and (rows >= 0).all()


def test_situations_are_told_apart() -> None:
    a, blank, advance = PLAIN.first, SILENT, PLAIN.advance
    ids = np.array([a, blank, advance, 0, 2, 1, advance, advance, 0])
    assert PAIRED.situations(ids).tolist() == [
        *(states.START, states.SPELLING, states.SPELLING),
        # The implied unit is the first of a.
        *(states.FILLED, states.WITHIN, states.FILLED, states.FILLED),
        *(states.SILENT, states.BETWEEN, states.WITHIN),
    ]
    assert PLAIN.situations(ids)[3] == states.BARE
    tables = {name: PAIRED.grammar[getattr(states, name)] for name in ("BARE", "WITHIN")}
    assert np.flatnonzero(tables["BARE"]).tolist() == [0, 2]
    assert np.flatnonzero(tables["WITHIN"]).tolist() == [1]


@BOTH
@settings(max_examples=60, deadline=None)
@given(prompt=TEXTS, text=TEXTS, seed=st.integers(0, 99))
def test_a_requested_text_follows_the_prompt_to_its_end(
    dictation: Dictation, prompt: str, text: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    if not text.strip():
        with pytest.raises(DataError, match="empty"):
            dictation.request(text)
        return
    request = dictation.request(text)
    tracker = DictationTracker(dictation, request)
    begun = PLAIN.spell(prompt, contents_of(prompt, rng)).tolist()
    begun = [2 if token < 3 else token for token in begun]
    for token in begun:
        tracker.push(token)
    ids = list(begun)
    while True:
        token = tracker.forced()
        token = int(rng.choice(np.flatnonzero(tracker.allowed()))) if token is None else token
        if token == dictation.size:
            break
        tracker.push(token)
        ids.append(token)
    written = np.array(ids)
    symbols = "".join("ab "[number] for number in dictation.follow(written).begun)
    between = "" if text[0] == " " or prompt[-1] == " " else " "
    assert symbols == prompt + between + text
    assert len(ids) - len(begun) <= dictation.most_tokens(request, 2)
    rest = dictation.continuation(written, len(begun))
    own = "".join("ab "[number] for number in dictation.follow(rest).begun)
    # A blank at the beginning may be the separator, or the text's own.
    assert own.lstrip() == text.lstrip() and len(text) - len(own) in (0, text[0] == " ")


def test_no_symbol_gets_more_than_in_the_corpus() -> None:
    tracker = DictationTracker(PLAIN, PLAIN.request("ab"))
    counts = []
    while (token := tracker.forced()) != PLAIN.size:
        token = 0 if token is None else token
        tracker.push(token)
        counts.append(token)
    assert counts == [*PLAIN.request("ab"), 0, 0, PLAIN.advance, 0, 0, 0, 0, PLAIN.advance]


def test_an_unknown_symbol_is_refused() -> None:
    with pytest.raises(DataError, match="symbol 'c'"):
        PLAIN.request("abc")


def test_without_an_alphabet_everything_is_content() -> None:
    free = Dictation(3, "", [])
    assert (free.tokens, free.feature_sizes, free.size) == ((), (), 3)
    ids = np.array([0, 1, 2])
    assert free.follow(ids).features.shape == (4, 0)
    masks = unpacked(free.masks(ids), 4)
    # A piece has one unit at least.
    assert masks.tolist() == [[True, True, True, False], *[[True] * 4] * 3]
    assert list(DictationTracker(free).features()) == []
