"""JSON lists are read element by element, whatever the size of chunks."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqgen_text.domain import ReadOptions, Text
from seqgen_text.files import json_lists
from seqgen_text.files.json_lists import elements

from seqgen.errors import DataError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def chunked(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@given(st.lists(VALUES, max_size=5), st.integers(1, 20), st.sampled_from([None, 2]))
def test_elements_are_those_of_the_list(values: list, size: int, indent: int | None) -> None:
    lines = list(elements(iter(chunked(json.dumps(values, indent=indent), size))))
    assert [json.loads(line) for line in lines] == values
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)


@pytest.mark.parametrize(
    ("text", "before", "reason"),
    [
        ("", 0, r"it is no JSON \(Expecting value\)"),
        ('{"a": 1}', 0, "at its beginning is '{'"),
        ("[1, 2", 2, r"it is no JSON \(Expecting value\)"),
        ("[1, 2 3]", 2, "after element 2 is '3'"),
        ("[1, nothing]", 1, r"it is no JSON \(Expecting value\)"),
        ("[" * 100_000, 0, "it is no JSON"),
        ("[1, 2] [3]", 2, "more follows its end"),
        ("[]" + " " * 7000 + "{}", 0, "more follows its end"),
    ],
)
def test_what_is_no_list_is_said(text: str, before: int, reason: str) -> None:
    found = []
    with pytest.raises(DataError, match=reason):
        found.extend(elements(iter(chunked(text, 7000))))
    found = []
    with pytest.raises(DataError):
        for line in elements(iter(chunked(text, 7000))):
            found.append(line)
    assert len(found) == before


def test_an_element_without_end_is_not_held(monkeypatch) -> None:
    monkeypatch.setattr(json_lists, "LONGEST", 1000)
    taken = 0

    def endless():
        nonlocal taken
        yield '["'
        while True:
            taken += 1
            yield "a" * 100

    with pytest.raises(DataError, match="it is no JSON or has over 1,000 characters"):
        list(elements(endless()))
    assert taken < 20


def test_records_of_a_json_list_are_pieces(tmp_path: Path) -> None:
    path = tmp_path / "titles.json"
    rows = [{"title": f"title {number}", "site": "ab"[number % 2]} for number in range(20)]
    path.write_text(json.dumps(rows, indent=1))
    found = list(Text().read(path, ReadOptions(piece="record")))
    assert [(one.content, dict(one.labels)) for one in found] == [
        (row["title"], {"site": row["site"]}) for row in rows
    ]
    assert list(Text().read(path)) == [path.read_text()]


def test_reports_name_elements(tmp_path: Path) -> None:
    path = tmp_path / "titles.json"
    path.write_text('[\n\n"a",\n\n{"text": ""}, "b"] more')
    _, empty, _, more = Text().read(path, ReadOptions(piece="record"))
    assert str(empty) == "element 2: its text is empty"
    assert str(more) == "element 4: it is no JSON list: more follows its end"


def test_a_long_text_beyond_ascii_is_one_record(tmp_path: Path) -> None:
    path = tmp_path / "books.json"
    path.write_text(json.dumps(["Ж" * 300_000], ensure_ascii=False), "utf-8")
    [found] = Text().read(path, ReadOptions(piece="record"))
    assert found.content == "Ж" * 300_000
