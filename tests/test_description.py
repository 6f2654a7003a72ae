"""The reader of descriptions: what it lets through, and how it names what it refuses."""

import json
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest

from seqgen.bounds import Within
from seqgen.storage.checked_json import DEEPEST, check, parse


class Part(TypedDict):
    """One of several."""

    name: str


class Table(TypedDict):
    """A value of each kind."""

    kind: Literal["run"]
    count: Annotated[int, Within(1, 9)]
    loss: float | None
    longest: Annotated[int, Within(1, 9)] | None
    parts: list[Part]
    units: dict[str, float]
    flag: NotRequired[bool]
    state: NotRequired[dict[str, Any]]


GOOD: dict[str, Any] = {
    "kind": "run",
    "count": 9,
    "loss": None,
    "longest": None,
    "parts": [{"name": "a", "more": 1}],
    "units": {"bars": 2, "beats": 0.5},
    "later": "added",
}


def test_what_the_table_says_passes() -> None:
    check(GOOD, Table)
    check(GOOD | {"loss": 1, "longest": 1, "flag": False, "state": {"any": [None]}}, Table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "corpus"}, "kind must be 'run', found 'corpus'"),
        ({"kind": []}, r"kind must be 'run', found \[\]"),
        ({"count": True}, "count must be a whole number, found True"),
        ({"count": 9.0}, "count must be a whole number, found 9.0"),
        ({"count": 10}, "count must be from 1 to 9, found 10"),
        ({"longest": 0}, "longest must be from 1 to 9, found 0"),
        ({"loss": "1"}, "loss must be a number, found '1'"),
        ({"parts": None}, "parts must be a list, found None"),
        ({"parts": [{"name": "a"}, {}]}, r"it has no key 'parts\[1\].name'"),
        ({"units": {"bars": None}}, "units.bars must be a number, found None"),
        ({"flag": 1}, "flag must be true or false, found 1"),
        ({"state": "x" * 1000}, "state must be an object, found 'xxxxx"),
    ],
)
def test_what_is_otherwise_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        check(GOOD | change, Table)
    assert len(str(caught.value)) < 100


def test_a_key_that_is_missing_is_named() -> None:
    for key in ("kind", "count", "loss", "parts", "units"):
        with pytest.raises(ValueError, match=f"it has no key '{key}'"):
            check({name: value for name, value in GOOD.items() if name != key}, Table)
    with pytest.raises(ValueError, match="it must be an object, found 5"):
        check(5, Table)


@pytest.mark.parametrize("content", ["NaN", "[Infinity]", '{"a": -Infinity}', "1e999", "-1e999"])
def test_numbers_that_are_not_finite_are_refused(content: str) -> None:
    with pytest.raises(ValueError, match="is not finite"):
        parse(content)


def test_depth_and_size_are_bounded(monkeypatch) -> None:
    for count in (DEEPEST + 1, 500, 200_000):
        with pytest.raises(ValueError, match="nested deeper than 64 levels"):
            parse("[" * count + "]" * count)
        with pytest.raises(ValueError, match="nested deeper than 64 levels"):
            parse('{"a":' * count + "1" + "}" * count)
    assert parse("[" * DEEPEST + "]" * DEEPEST)
    monkeypatch.setattr("seqgen.storage.checked_json.LARGEST", 10)
    with pytest.raises(ValueError, match="12 bytes, and at most 10 are read"):
        parse('"1234567890"')


def test_plain_json_comes_back() -> None:
    value = {"a": [1, 2.5, None, True, "ß", {}], "large": 10**30}
    assert parse(json.dumps(value)) == value
    assert parse("\ufeff[]".encode()) == []
