"""Tables of texts: rows are pieces, columns are labels; a bad row costs only itself."""

import csv
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seqgen_text.domain import ReadOptions, Text
from seqgen_text.files import tables

import seqgen
from seqgen.conditions.labels import Labelled
from seqgen.errors import DataError
from seqgen.plugin import Note

HEADLINES = [
    ("Cats win prize", "pets"),
    ('"Dogs", says a man, "lose"', "pets"),
    ("Tax, up", "news"),
]


def table(rows: list[tuple[str, ...]], delimiter: str = ",", names: tuple[str, ...] = ()) -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows([names, *rows] if names else rows)
    return file.getvalue()


def read(
    tmp_path: Path, content: str | bytes, suffix: str = ".csv", **options: Any
) -> list[tuple[str, dict[str, str]] | str]:
    """Return texts and labels of the rows, and the reasons for rows that cannot be used."""
    path = tmp_path / f"table{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [
        str(piece) if isinstance(piece, DataError) else (piece.content, dict(piece.labels))
        for piece in Text().read(path, ReadOptions(**options))
        if not isinstance(piece, Note)
    ]


@pytest.mark.parametrize(
    ("delimiter", "suffix"), [(",", ".csv"), (";", ".csv"), ("|", ".CSV"), ("\t", ".tsv")]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_rows_are_pieces(delimiter: str, suffix: str, encoding: str, tmp_path: Path) -> None:
    content = table(HEADLINES, delimiter, ("title", "kind of site")).encode(encoding)
    wanted = [(title, {"kind_of_site": site}) for title, site in HEADLINES]
    assert read(tmp_path, content, suffix) == wanted
    assert (
        read(tmp_path, content.replace(b"\r\n", b"\n"), suffix)[0] == wanted[0] or "16" in encoding
    )


def test_json_lines_are_pieces(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "title": "a\nb", "site": "pets", "ok": True, "tags": ["x"], "none": None},
        {"title": "été", "score": 1.5},
    ]
    content = "\n\n".join(json.dumps(row) for row in rows)
    assert read(tmp_path, content, ".jsonl") == [
        ("a\nb", {"id": "1", "site": "pets", "ok": "true", "none": "", "score": ""}),
        ("été", {"id": "", "site": "", "ok": "", "none": "", "score": "1.5"}),
    ]
    assert read(tmp_path, '"one"\n"two"', ".jsonl") == [("one", {}), ("two", {})]


def test_which_column_is_the_text(tmp_path: Path) -> None:
    rows = [("x", "short", "the longest of all of them", str(number)) for number in range(3)]

    def text(names: tuple[str, ...], **options: str) -> str:
        [first, *_] = read(tmp_path, table(rows, names=names), **options)
        return first[0] if isinstance(first, tuple) else first

    assert text(("a", "Body", "c", "d")) == "short"
    assert text(("a", "content", "title", "d")) == "the longest of all of them"
    assert text(("a", "b", "c", "d")) == "the longest of all of them"
    assert text(("a", "b", "c", "d"), text="A") == "x"
    assert text(("a", "b", "c", "d"), text="b, a") == "short\nx"
    with pytest.raises(DataError, match="no column 'z'; its columns are a, b, c, d"):
        text(("a", "b", "c", "d"), text="z")


def test_the_text_column_is_said_in_the_report(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(table(HEADLINES, names=("title", "site")))
    corpus = seqgen.prepare("text", [path])
    assert next(corpus.origins()).facts == {"text": "title"}


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("title,site\nCats win,a\nDogs lose,b\n", True),
        ("what,year\nCats win,1999\nDogs lose,2000\n", True),
        ("what,who\nCats win the first prize,anna\nDogs,bob\n", True),
        ("Cats win,anna\nDogs lose,bob\nCows draw,eve\n", False),
        ("12,anna\n13,bob\n", False),
        ("a,a\nb,b\n", False),
        ("title\nOne, two, and three\nFour\n", True),
        ("One\nTwo\n", False),
        (",text,site\n0,Cats win,a\n1,Dogs lose,b\n", True),  # as pandas writes it
        (",what,site\n0,Cats win,a\n1,Dogs lose,b\n", True),
        ("text,site,site\nCats win,a,b\n", True),
        ("Cats win,,a\nDogs lose,,b\n", False),
        (",Cats win,a\n,Dogs lose,b\n", False),
    ],
)
def test_a_header_is_recognised(content: str, header: bool, tmp_path: Path) -> None:
    rows = len(content.splitlines())
    assert len(read(tmp_path, content)) == rows - header
    assert len(read(tmp_path, content, header="yes")) == rows - 1
    assert len(read(tmp_path, content, header="no")) == rows
    if not header:
        assert set(read(tmp_path, content)[0][1]) <= {"column_1", "column_2", "column_3"}


def test_names_become_labels(tmp_path: Path) -> None:
    content = "title,a b,a-b,2nd,,title\nsome words,1,2,3,4,5\n"
    [(text, labels)] = read(tmp_path, content, header="yes")
    assert text == "some words"
    assert labels == {"a_b": "1", "a_b_2": "2", "column_2nd": "3", "column_5": "4", "title_2": "5"}


def test_rows_that_cannot_be_used_cost_only_themselves(tmp_path: Path) -> None:
    content = (
        b"title,site\n"
        b"one,a\n"
        b"two,a,b\n"  # 3
        b"three\n"
        b'"four,a\n'  # 5: a quote that nothing closes
        b"five,a\n"
        b'si"x,a\n'
        b'"se"ven,a\n'  # 8
        b"eight\0,a\n"
        b"nine\xff,a\n"
        b",a\n"  # 11
        b"\n"
        b'"ten\nlines",b\n'
    )
    found = read(tmp_path, content, encoding="utf-8")
    assert [row for row in found if isinstance(row, tuple)] == [
        ("one", {"site": "a"}),
        ("five", {"site": "a"}),
        ('si"x', {"site": "a"}),
        ("ten\nlines", {"site": "b"}),
    ]
    reasons = dict(row.split(": ", 1) for row in found if isinstance(row, str))
    assert reasons == {
        "line 3": "it has 3 columns, expected 2",
        "line 4": "it has 1 column, expected 2",
        "line 5": reasons["line 5"],
        "line 8": "',' expected after '\"'",
        "line 9": "its text has a NUL",
        "line 10": "its text has the byte 0xff, which is of no encoding",
        "line 11": "its text is empty",
    }


def test_lines_of_json_that_cannot_be_used(tmp_path: Path) -> None:
    lines = [
        '{"text": "one"}',
        "{",
        "[1]",
        "[" * 100_000,
        '{"text": ' + "9" * 5000 + "}",
        '{"text": "\\ud83d"}',
        '{"other": "two"}',
        '{"text": ["two"]}',
        json.dumps({f"n{number}": 1 for number in range(2000)}),
        '{"text": "three"}',
    ]
    found = read(tmp_path, "\n".join(lines), ".jsonl")
    assert found[0][0] == "one" and found[-1][0] == "three"
    assert len(found) == 10 and all(isinstance(row, str) for row in found[1:-1])


def test_a_long_row_or_an_open_quote_is_bounded(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tables, "LONGEST", 1000)
    long = "x" * 5000
    for content in (
        f"title,site\none,a\n{long},a\ntwo,b\n",
        f'title,site\none,a\n"{long}\ntwo,b\n',
    ):
        one, wrong, two = read(tmp_path, content)
        assert (one[0], two[0]) == ("one", "two")
        assert wrong.startswith("line 3: a row has at most 1,000 characters")
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        file.write("title,site\n")
        for _ in range(3000):
            file.write('"' + "x" * 990 + "\n")
    tracemalloc.start()
    count = sum(1 for _ in Text().read(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The chunks that are read take most of it: the file has 3 MB.
    assert count == tables.REPORTED + 1 and peak < 9_000_000


def test_a_long_line_of_json_says_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tables, "LONGEST", 100)
    short, fits = json.dumps({"text": "one"}), json.dumps({"text": "x" * 88})
    assert len(fits) == 100
    for longer in (json.dumps({"text": "x" * 89}), json.dumps({"text": "x" * 5000})):
        # The last line may have no end.
        found = read(tmp_path, "\n".join([short, longer, fits, longer]), ".jsonl")
        assert [row[0] for row in (found[0], found[2])] == ["one", "x" * 88]
        told = "a row has at most 100 characters, and this line has more"
        assert [found[1], found[3]] == [f"line 2: {told}", f"line 4: {told}"]
    assert read(tmp_path, fits, ".jsonl")[0][0] == "x" * 88


def test_many_bad_rows_are_counted(tmp_path: Path) -> None:
    found = read(tmp_path, "title,site\n" + "a,b\n" * 99 + "x\n" * 150 + "e,f\n", header="yes")
    assert found[-1] == "50 more rows cannot be used" and found[-2][0] == "e"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"title,site\n", b"\xef\xbb\xbf"])
def test_tables_without_a_row(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the table has no row"):
        read(tmp_path, content, header="yes")


def test_weights_of_rows(tmp_path: Path) -> None:
    content = "title,site,weight\none,a,2.5\ntwo,b,many\nthree,c,101\n"
    path = tmp_path / "table.csv"
    path.write_text(content)
    one, two, _ = Text().read(path, ReadOptions(weight="weight"))
    assert isinstance(one, Labelled) and one.weight == 2.5 and one.labels == {"site": "a"}
    assert str(two) == "line 3: its weight must be a number from 0 to 100, found 'many'"
    corpus = seqgen.prepare("text", [path], read_options={"weight": "weight"})
    assert corpus.weights.tolist() == [2.5]
    assert [entry["reason"] for entry in corpus.info["skipped"]] == [
        "line 3: its weight must be a number from 0 to 100, found 'many'",
        "line 4: its weight must be a number from 0 to 100, found '101'",
    ]


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=3, max_size=9), st.integers(1, 40))
def test_what_csv_writes_comes_back(tmp_path: Path, rows: list[tuple[str, str]], chunk) -> None:
    content = table(rows, names=("title", "label")).replace("\r\n", "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqgen_text.files.decoding.CHUNK", chunk)
        found = read(tmp_path, content)
    wanted = [(title, {"label": label}) for title, label in rows if title.strip()]
    assert [row for row in found if isinstance(row, tuple)] == wanted


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200), st.sampled_from(tables.SUFFIXES))
def test_any_bytes_give_pieces_or_reasons(tmp_path: Path, content: bytes, suffix: str) -> None:
    try:
        read(tmp_path, content, suffix)
    except DataError as error:
        assert str(error)
