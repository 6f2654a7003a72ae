"""Headers of any fields, token by token and for whole pieces; and requests in words."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqgen.conditions import requests
from seqgen.conditions.header import Field, Header
from seqgen.conditions.requests import Request, parse
from seqgen.errors import DataError

#: A key of 3, a mark, a list of 4 instruments, a tempo of 2; and two tokens of the body.
HEADER = Header(
    [
        Field("key", 2, 3),
        Field("mark", 0, 1, is_mark=True),
        Field("players", 5, 4, is_list=True),
        Field("tempo", 9, 2),
    ],
    12,
)
WHOLE = np.array([3, 5, 7, 10, 1, 11])


def allowed(state) -> list[int]:
    return np.flatnonzero(state.allowed()).tolist()


def test_a_header_is_followed_field_by_field() -> None:
    state, seen = HEADER.state(), []
    for token in WHOLE.tolist():
        if state.is_open:
            seen.append(allowed(state))
        state.push(token)
    assert seen == [[2, 3, 4], [5, 6, 7, 8], [6, 7, 8, 9, 10], [8, 9, 10]]
    assert (state.is_open, state.length) == (False, 4)
    assert HEADER.numbers(WHOLE) == {"key": [1], "mark": [], "players": [0, 2], "tempo": [1]}
    assert HEADER.feature_sizes == (4, 2, 5, 3)
    assert HEADER.features(WHOLE).tolist() == [
        *([0, 0, 0, 0], [2, 0, 0, 0], [2, 0, 1, 0], [2, 0, 3, 0]),
        *([2, 0, 3, 2], [2, 0, 3, 2], [2, 0, 3, 2]),
    ]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, [3, 4, 5, 6]),  # the optional field, or the next one
        ({"bars": [frozenset([0, 1])]}, [3, 4]),
        ({"bars": [frozenset([1])]}, [4]),
        ({"bars": []}, [5, 6]),
    ],
)
def test_an_optional_field_comes_where_it_is_wanted(wanted, ids: list[int]) -> None:
    bars = Field("bars", 3, 2, is_optional=True)
    header = Header([Field("key", 0, 3), bars, Field("tempo", 5, 2)], 7)
    state = header.state(wanted)
    assert allowed(state) == [0, 1, 2]
    state.push(0)
    assert allowed(state) == ids
    assert (header.length(np.array([0, 6, 1])), header.length(np.array([0, 3, 6, 1]))) == (2, 3)


def test_training_pieces_may_have_a_mark() -> None:
    marked = np.insert(WHOLE, 1, 0)
    assert HEADER.length(marked) == 5 and HEADER.numbers(marked)["mark"] == [0]
    assert not HEADER.masks(marked)[:, 0].any()


@given(st.lists(st.integers(0, 11), max_size=12))
def test_whole_pieces_and_single_tokens_agree(tokens: list[int]) -> None:
    ids, state = np.array(tokens, np.int64), HEADER.state()
    masks, rows = HEADER.masks(ids), HEADER.features(ids)
    assert len(masks) == HEADER.open_positions(ids) and rows.shape == (len(ids) + 1, 4)
    for position in range(len(ids) + 1):
        assert state.is_open == (position < len(masks))
        if state.is_open:
            np.testing.assert_array_equal(state.allowed(), masks[position])
        assert state.features() == rows[position].tolist()
        if position < len(ids):
            state.push(tokens[position])
    assert state.length == HEADER.length(ids)


wanted = st.fixed_dictionaries(
    {},
    optional={
        "key": st.tuples(st.frozensets(st.integers(0, 2), min_size=1, max_size=1)),
        "players": st.lists(st.frozensets(st.integers(0, 3), min_size=1), min_size=1, max_size=3),
    },
)


@given(wanted, st.integers(0, 1000))
def test_requested_values_are_in_the_header(wanted, seed: int) -> None:
    rng, state, ids = np.random.default_rng(seed), HEADER.state(wanted), []
    while state.is_open:
        ids.append(int(rng.choice(allowed(state))))
        state.push(ids[-1])
    numbers = HEADER.numbers(np.array(ids))
    for name, sets in wanted.items():
        assert all(set(numbers[name]) & each for each in sets)
        assert set(numbers[name]) <= frozenset().union(*sets)
    assert not any(state.missing(name) for name in wanted)


def test_a_prompt_may_contradict_a_request() -> None:
    state = HEADER.state({"players": [frozenset({0})], "key": [frozenset({2})]})
    assert allowed(state) == [4]
    for token in (3, 6):
        state.push(token)
    assert state.missing("players") == [frozenset({0})] and allowed(state) == [9, 10]


def test_a_copy_goes_its_own_way() -> None:
    state = HEADER.state()
    state.push(2)
    other = copy.deepcopy(state)
    other.push(5)
    assert (state.length, other.length, state.found[2]) == (1, 2, [])
    assert other.header is HEADER


def test_no_field_is_no_header() -> None:
    header, ids = Header([], 3), np.array([1, 2])
    assert (header.length(ids), header.masks(ids).shape, header.features(ids).shape) == (
        *(0, (0, 4)),
        (3, 0),
    )


# Requests ---------------------------------------------------------------------------------------

KNOWN = {
    "bars": Request("Number of bars.", "8", requests.count),
    "key": Request("The key.", "C", values={"C": 0, "D": 2}),
    "size": Request("A size.", "2.5", requests.number, {"2": 2.0, "2.5": 2.5}),
    "players": Request("Who plays.", "a+b", requests.names),
}


def test_requests_are_read() -> None:
    found = parse(" bars=8,key = D, size=2.50,players=a + b", KNOWN)
    assert found == {"bars": 8, "key": 2, "size": 2.5, "players": ("a", "b")}
    assert parse(None, KNOWN) == {}
    assert requests.example(KNOWN) == "bars=8, key=C, size=2.5, players=a+b"
    assert [each.offer for each in KNOWN.values()] == ["such as 8", "C, D", "2, 2.5", "such as a+b"]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("bars=0", "cannot follow 'bars=0' in 'bars=0': expected a whole number"),
        ("bars=²", "expected a whole number"),
        ("size=inf", "expected a number above 0"),
        ("size=3", "this model knows 2, 2.5$"),
        ("key=c", "this model knows C, D"),
        ("players=a+", "expected names joined by"),
        ("player=a", "one of bars, key, size, players, such as .*; did you mean 'players'"),
        ("bars=1, key", "cannot follow 'key' in 'bars=1, key': expected NAME=VALUE"),
        ("bars=1, bars=1", "bars is given twice"),
        ("", "cannot follow ''"),
        (7, "follows words such as 'bars=8, key=C, size=2.5, players=a\\+b', found 7"),
    ],
)
def test_requests_that_cannot_be(condition, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse(condition, KNOWN)


def test_long_lists_are_cut() -> None:
    many = replace(KNOWN["key"], values={f"v{number:02}": number for number in range(30)})
    assert many.offer.endswith("v18, v19, ...")
    with pytest.raises(DataError, match=r"v19, \.\.\.; did you mean 'v2"):
        parse("key=v2", {"key": many})
