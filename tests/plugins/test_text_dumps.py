"""Wikipedia dumps: which pages are pieces, dumps that are cut off, and hostile ones."""

import bz2
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqgen_text.domain import ReadOptions, Text
from seqgen_text.files import dumps
from seqgen_text.files.choosing import choose_pieces
from seqgen_text.files.dumps import is_dump, pages

import seqgen
from seqgen.errors import DataError
from seqgen.plugin import Note

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <namespaces><namespace key="1">Talk</namespace></namespaces>
  </siteinfo>
"""
END = "</mediawiki>\n"


def page(title: str, *texts: str, namespace: int | None = 0, more: str = "") -> str:
    revisions = "".join(
        "<revision><contributor><username>Ann</username></contributor><comment>title text</comment>"
        f'<text bytes="{len(text)}" xml:space="preserve">{escape(text)}</text></revision>'
        for text in texts
    )
    space = "" if namespace is None else f"<ns>{namespace}</ns>"
    return f"<page><title>{escape(title)}</title>{space}<id>1</id>{more}{revisions}</page>\n"


DUMP = (
    HEAD
    + page("Cats & dogs", "'''Cats''' <ref>a</ref>\n\n[[Dog]] &nbsp; é")
    + page("Dog", "#REDIRECT [[Cats & dogs]]", more='<redirect title="Cats &amp; dogs" />')
    + page("Hound", "#redirect [[Dog]]")
    + page("Talk:Dog", "A dog.", namespace=1)
    + page("Nothing", "")
    + page("Old", "One.", "Two.", namespace=None)
    + END
)
CATS = "= Cats & dogs =\n'''Cats''' <ref>a</ref>\n\n[[Dog]] &nbsp; é"
LEFT_OUT = "pages of the dump that are left out: 1 empty, 1 of other namespaces, 2 redirects"
CUT = Note("the dump is cut off; a page that has no end is left out")


def in_chunks(text: str, size: int) -> Iterator[str]:
    return (text[at : at + size] for at in range(0, len(text), size))


def message(chunks: Iterator[str]) -> str:
    with pytest.raises(DataError) as caught:
        list(pages(chunks))
    return str(caught.value)


@pytest.mark.parametrize("size", [1, 7, 2**20])
def test_articles_are_pieces_with_their_titles(size: int) -> None:
    assert list(pages(in_chunks(DUMP, size))) == [CATS, "= Old =\nTwo.", Note(LEFT_OUT)]


@given(st.integers(1, len(DUMP) - len(END)))
def test_a_dump_that_is_cut_off_has_the_pages_before(end: int) -> None:
    found = list(pages(iter([DUMP[:end]])))
    assert found[-1] == CUT
    whole = DUMP[:end].count("</page>")
    assert [each for each in found if isinstance(each, str)] == [CATS][: min(whole, 1)] + [
        "= Old =\nTwo."
    ][: whole // 6]


@given(st.lists(st.tuples(*[st.text(st.characters(exclude_categories=["C"]))] * 2)))
def test_any_text_comes_back(articles: list[tuple[str, str]]) -> None:
    articles = [(title, "." + text) for title, text in articles]
    found = list(pages(iter([HEAD, *(page(*article) for article in articles), END])))
    headings = [f"= {' '.join(title.split())} =\n" for title, _ in articles]
    assert found == [
        (heading if heading != "=  =\n" else "") + text
        for heading, (_, text) in zip(headings, articles, strict=True)
    ]


def test_pages_before_a_fault_are_kept(tmp_path: Path) -> None:
    (tmp_path / "dump.xml").write_text(HEAD + page("A", "One.") + "<page><title>B</title><a></b>")
    corpus = seqgen.prepare("text", [tmp_path])
    assert corpus.codec.decode(corpus.piece(0)) == "= A =\nOne."
    assert corpus.info["pieces"] == 1
    [skipped] = corpus.info["skipped"]
    assert "after piece 1: the dump is not XML from here on: mismatched tag" in skipped["reason"]
    assert "in page 'B'" in skipped["reason"]


@pytest.mark.parametrize("name", ["dump.xml", "dump.txt", "dump.xml.bz2"])
def test_dumps_are_recognised_by_their_beginning(name: str, tmp_path: Path) -> None:
    content = ('<?xml version="1.0" encoding="utf-8"?>\n' + DUMP).encode()
    path = tmp_path / name
    path.write_bytes(bz2.compress(content) if path.suffix == ".bz2" else content)
    corpus = seqgen.prepare("text", [path])
    assert {corpus.codec.decode(corpus.piece(number)) for number in range(2)} == {
        CATS,
        "= Old =\nTwo.",
    }
    assert [note["text"] for note in corpus.info["notes"]] == [LEFT_OUT]
    assert corpus.info["chosen"] == ["pieces: each page of a Wikipedia dump"]


def test_a_dump_is_read_as_asked(tmp_path: Path) -> None:
    path, other = tmp_path / "a.xml", tmp_path / "b.xml"
    path.write_text(DUMP)
    other.write_text("<mediawikis/>\f<page/>")
    assert list(Text().read(path, ReadOptions(piece="file"))) == [DUMP]
    assert CATS in list(Text().read(path, ReadOptions(piece="page")))
    assert list(Text().read(other, ReadOptions(piece="page"))) == ["<mediawikis/>", "<page/>"]
    assert choose_pieces([path], "auto")[2] == "each page of a Wikipedia dump"
    assert choose_pieces([path, other], "auto")[2] == (
        "each page of a Wikipedia dump, and each other file"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_dumps_may_have_any_encoding(encoding: str, tmp_path: Path) -> None:
    # What the first line says does not count: archives and editors change encodings.
    (tmp_path / "a.xml").write_bytes(f'<?xml version="1.0" encoding="x"?>{DUMP}'.encode(encoding))
    assert CATS in list(Text().read(tmp_path / "a.xml", ReadOptions(encoding)))


def test_entities_are_refused() -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>'
    assert "declares a document type" in message(iter([bomb + HEAD]))
    assert "declares a document type" in message(iter(['<!DOCTYPE a SYSTEM "a.dtd">' + HEAD]))
    assert "undefined entity" in message(iter([HEAD + "<page><title>&c;</title>"]))


@pytest.mark.parametrize(
    ("begin", "endless", "reason"),
    [
        (HEAD, "<a>", "32 elements are inside each other"),
        (HEAD + '<a b="', "c" * 2**20, "a tag or comment has more than 4,194,304 bytes"),
        (HEAD + "<!--", "c" * 2**20, "a tag or comment has more than 4,194,304 bytes"),
        (HEAD + "<" + "a" * 9, "a" * 2**20, "a tag or comment has more than 4,194,304 bytes"),
    ],
)
def test_endless_dumps_are_refused(begin: str, endless: str, reason: str) -> None:
    read = 0

    def chunks() -> Iterator[str]:
        nonlocal read
        yield begin
        for chunk in repeat(endless):
            read += len(chunk)
            yield chunk

    assert reason in message(chunks())
    assert read <= 2**24


def test_endless_names_are_refused() -> None:
    names = "".join(f"<a{number}/>" for number in range(2000))
    assert "more than 1,000 names of tags and attributes" in message(iter([HEAD, names]))
    attributes = "".join(f' a{number}=""' for number in range(2000))
    assert "more than 1,000 names of tags and attributes" in message(
        iter([HEAD, f"<a{attributes}/>"])
    )


def test_a_page_that_is_too_long_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumps, "LONGEST", 100)
    monkeypatch.setitem(dumps._COLLECTED, ("mediawiki", "page", "revision", "text"), 100)
    dump = HEAD + page("A", "a" * 101) + page("B", "b" * 100) + page("C" * 2000, "c") + END
    first, second, third = pages(in_chunks(dump, 50))
    assert str(first) == "page 'A' has 101 characters; 100 is the most"
    assert second == "= B =\n" + "b" * 100
    assert isinstance(third, str) and len(third) < 1100


def test_what_is_in_a_title_or_text_is_no_page() -> None:
    inner = page("Inner", "inner")
    dump = f"{HEAD}<page><title>A</title><revision><text>a{inner}b</text></revision></page>{END}"
    assert list(pages(iter([dump]))) == ["= A =\na"]
    assert list(pages(iter([f"{HEAD}<x>{inner}</x>{END}"]))) == []


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        ("<mediawiki>", True),
        ('\n<?xml version="1.0"?>\n<mediawiki xml:lang="en">', True),
        ("<mediawikis>", False),
        ("text <mediawiki>", False),
        ("", False),
    ],
)
def test_is_dump(begin: str, expected: bool) -> None:
    assert is_dump(begin) == expected
