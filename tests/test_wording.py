"""What a mistyped or shortened name means."""

import pytest

from seqgen.wording import closest, meant

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
