"""What a mistyped or shortened name means, and how messages show values."""

import math

import pytest

from seqgen.criticism import Criticism
from seqgen.wording import LONGEST_SHOWN, closest, meant, shown

NAMES = ["stop", "step", "temperature", "temperature-end", "top-p"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("temp", "temperature"),
        ("temperature-", "temperature-end"),
        ("temperatuer", "temperature"),
        ("t", "top-p"),
        ("stp", "stop"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_the_shortest_name_that_begins_so_comes_first(name: str, expected: str) -> None:
    assert closest(name, iter(NAMES)) == expected


def test_a_hint_is_the_end_of_a_message() -> None:
    assert meant("temp", NAMES) == "; did you mean 'temperature'?"
    assert meant("zzz", NAMES) == ""


class Silent:
    def __repr__(self) -> str:
        raise ValueError("it has no name")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            Criticism(("the end is missing",), math.nan),
            "Criticism(faults=('the end is missing',), rarity=nan)",
        ),
        ("x" * 999, f"'{'x' * (LONGEST_SHOWN - 1)} ..."),
        (Silent, repr(Silent)),
    ],
)
def test_the_first_line_of_a_value_is_shown_whole(value: object, expected: str) -> None:
    assert shown(value) == expected


def test_a_value_that_cannot_be_written_is_named() -> None:
    assert "Silent" in shown(Silent())
    assert shown(type("Lines", (), {"__repr__": lambda self: "one\ntwo"})()) == "one ..."
