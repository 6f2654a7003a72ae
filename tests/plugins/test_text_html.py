"""The text of HTML: blocks, blanks, what is dropped, damaged and hostile pages."""

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqgen_text.domain import ReadOptions, Text
from seqgen_text.files.html_text import is_html, without_tags

from seqgen.errors import DataError

PAGE = """<!DOCTYPE html>
<html><head><title>A &amp; B</title>
<style>p > a { color: red }</style>
<script>if (a<b) document.write("</p><!--")</script></head>
<body><!-- <p>no</p> --><h1>Head <i>line</i></h1>
<p>One
 two<b> three </b>four.<br>five</p>
<ul><li>x<li>y</ul>
<table><tr><td>1<td>2</tr><tr><th>a</th><th>b</th></tr></table>
<pre>
int  a;

  b &lt; c

</pre>
<p>&eacute;&#233; <template><p>t<template>u</template></p></template>z<br><br><br>w</p>
</body></html>
"""
TEXT = """A & B

Head line

One two three four.
five

x
y

1 2
a b

int  a;

  b < c

éé z

w
"""


def text_of(page: str, size: int = 2**20) -> str:
    return "".join(without_tags(page[at : at + size] for at in range(0, len(page), size)))


@pytest.mark.parametrize("size", [1, 10, 2**20])
def test_a_page_becomes_text(size: int) -> None:
    assert text_of(PAGE, size) == TEXT


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("", ""),
        (" <p> <br> </p> ", ""),
        ("a < b & c &lt; d", "a < b & c < d\n"),
        ("a &am", "a &am\n"),
        ("a &amp", "a &\n"),
        ("a <", "a <\n"),
        ("a <b", "a\n"),
        ("a <!-- b <p>c", "a\n"),
        ("a <script> b", "a\n"),
        ("a </script> b </template> c", "a b c\n"),
        ("<template>a<style>b</style>c</template>d", "d\n"),
        ("<p>a<div>b</div>c", "a\nb\nc\n"),
        ("a<![if !x]>b<![endif]>c<![y z]>d", "abcd\n"),
        ("<?php a ?>b<!ELEMENT c>d", "bd\n"),
        ("a&nbsp;&nbsp;b", "a\xa0\xa0b\n"),
        ("&#0;&#xD800;&#x110000;", "\ufffd\ufffd\ufffd\n"),
        ("<pre>a\n<b>b</b>\n\n</pre>\n\n c  d", "a\nb\n\nc d\n"),
        ("<pre>\n\n a<br><br>b</pre></pre> c  d", " a\n\nb\n\nc d\n"),
        ("x<pre>\n\n a</pre>", "x\n\n\n a\n"),
        ("<pre>a", "a\n"),
        ("<P>a</P><SCRIPT>b</SCRIPT><P>c</P>", "a\n\nc\n"),
        ("<img alt='a > b'>c", "c\n"),
    ],
)
def test_forms_of_html(page: str, text: str) -> None:
    assert text_of(page) == text
    assert text_of(page, 1) == text


def test_only_html_is_stripped_and_only_on_request(tmp_path: Path) -> None:
    strip = ReadOptions(markup="strip", piece="paragraph")
    for name, is_stripped in [("a.html", True), ("b", True), ("c.htm", True), ("d.txt", False)]:
        path = tmp_path / name
        path.write_text("<p>a</p><p>b</p>" if name in ("c.htm", "d.txt") else PAGE)
        [whole] = Text().read(path)
        assert whole == path.read_text()
        found = list(Text().read(path, strip))
        if is_stripped:
            assert found[0] in ("A & B", "a") and found[-1] in ("w", "b")
        else:
            assert found == [whole]
    (tmp_path / "e.html").write_text("<script>a</script>")
    with pytest.raises(DataError, match="empty"):
        list(Text().read(tmp_path / "e.html", strip))


@pytest.mark.parametrize(
    ("begin", "suffix", "expected"),
    [
        ("", ".html", True),
        ("\n<!doctype HTML PUBLIC>", "", True),
        ('<?xml version="1.0"?><html lang="en">', ".xml", True),
        ("<htmls>", ".txt", False),
        ("see <html>", ".txt", False),
    ],
)
def test_is_html(begin: str, suffix: str, expected: bool) -> None:
    assert is_html(begin, suffix) == expected


@pytest.mark.parametrize("begin", ["<!--", "<a b='", "<script>"])
def test_what_never_ends_is_refused(begin: str) -> None:
    read = 0

    def chunks() -> Iterator[str]:
        nonlocal read
        yield f"a\n{begin}"
        for chunk in repeat("c" * 2**20):
            read += 1
            yield chunk

    with pytest.raises(DataError, match="of more than 4,194,304 characters in line 2"):
        list(without_tags(chunks()))
    assert read <= 9


@pytest.mark.parametrize("sign", ["<!--", "<![", "<!", "</", "<?", "<a ", "<a b='", "&", "<pre>"])
def test_many_signs_without_an_end_are_read_once(sign: str) -> None:
    # Read again after each sign, these would take hours.
    assert len(text_of(sign * 100_000)) in (0, 100_001)


@given(st.lists(st.sampled_from([*"<>!-[]&;/?'\"= \na", "<pre>", "<br>", "script", "![CDATA["])))
def test_damaged_html_gives_text(parts: list[str]) -> None:
    page = "".join(parts)
    text = text_of(page)
    assert text == "" or text.endswith("\n")
    assert len(text) <= 2 * len(page) + 1


@given(st.lists(st.text(st.sampled_from("ab<&é"), min_size=1), min_size=1))
def test_texts_of_paragraphs_come_back(texts: list[str]) -> None:
    from html import escape

    page = "".join(f"<p>{escape(text)}</p>" for text in texts)
    assert text_of(page) == "\n\n".join(texts) + "\n"
