"""The text of HTML, without its tags; memory does not grow with the file.

Whitespace is as in HTML (https://html.spec.whatwg.org, CSS Text 3, section 4.1): runs of it are one
blank, but in `<pre>`, and elements that are blocks stand in lines of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser

from seqgen.errors import DataError

#: Most characters of a tag, comment or script, which the parser holds until it ends.
LONGEST_TAG = 2**22

#: Characters read at a time; more where a tag, comment or script goes on.
CHUNK = 2**16

#: Elements whose content is no text to be read.
DROPPED = frozenset(("script", "style", "template"))

#: Elements that keep their blanks and line ends.
PLAIN = frozenset(("pre", "textarea"))

#: Elements in paragraphs of their own, with an empty line before and after.
PARAGRAPHS = frozenset(
    (
        *("blockquote", "dl", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre"),
        *("table", "title", "ul"),
    )
)

#: Elements in lines of their own.
LINES = frozenset(
    (
        *("address", "article", "aside", "body", "caption", "center", "dd", "details", "dialog"),
        *("div", "dt", "fieldset", "figcaption", "footer", "form", "head", "header", "html"),
        *("legend", "li", "main", "nav", "option", "section", "summary", "textarea", "tr"),
    )
)

#: Elements with a blank before and after.
CELLS = frozenset(("td", "th"))

#: Suffixes of HTML, and how other files of it begin.
SUFFIXES = (".htm", ".html", ".xhtml")
_BEGINNING = re.compile(r"\s*(<\?xml[^>]*\?>\s*)?(<!doctype html|<html)[\s>]", re.IGNORECASE)

_BLANKS = re.compile(r"([ \t\n\r\f]+)")


def is_html(begin: str, suffix: str) -> bool:
    """Return whether a file with this beginning and suffix is HTML."""
    return suffix in SUFFIXES or _BEGINNING.match(begin) is not None


def without_tags(chunks: Iterator[str]) -> Iterator[str]:
    """Yield the text of a page of HTML, which ends with a newline unless it is empty.

    Scripts, styles, templates and comments are dropped, and entities become characters.

    Raises
    ------
    DataError
        If a tag, comment or script has more than `LONGEST_TAG` characters, or the parser fails.
    """
    parser = _Text()
    for part in _parts(chunks, parser):
        try:
            parser.feed(part)
        except AssertionError as error:  # what the parser raises for some wrong declarations
            line, _ = parser.getpos()
            raise DataError(f"the HTML cannot be read from line {line:,} on ({error})") from error
        if len(parser.rawdata) > LONGEST_TAG:
            line, _ = parser.getpos()
            raise DataError(
                f"the HTML has a tag, comment or script of more than {LONGEST_TAG:,} characters in "
                f"line {line:,}"
            )
        yield parser.take()
    parser.close()
    yield parser.take() + "\n" * parser.has_text


def _parts(chunks: Iterator[str], parser: HTMLParser) -> Iterator[str]:
    """Yield the text in parts that are at least as long as what the parser still holds.

    The parser reads what it holds again with each part, so the work stays in proportion.
    """
    for chunk in chunks:
        at = 0
        while at < len(chunk):
            size = max(CHUNK, len(parser.rawdata))
            yield chunk[at : at + size]
            at += size


class _Text(HTMLParser):
    """Collects the text of a page.

    Attributes
    ----------
    has_text : bool
        Whether there was any.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.has_text = False
        self._written: list[str] = []
        self._dropped, self._depth = "", 0
        self._plain = 0
        self._begins_plain = False
        #: Line ends and a blank that are due before the next text.
        self._ends, self._blank = 0, False

    def take(self) -> str:
        """Return the text that was read since the last call."""
        text = "".join(self._written)
        self._written.clear()
        return text

    def close(self) -> None:
        """Read the end of a text, and drop a tag, comment or script that has no end.

        The inherited method looks for an end once more after each sign of an open comment.
        """
        rest, self.rawdata = self.rawdata, ""
        if rest == "<" or not rest.startswith("<"):
            self.handle_data(unescape(rest))

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Drop what a script or style has; end a line before a block."""
        if self._dropped:
            self._depth += tag == self._dropped
        elif tag in DROPPED:
            self._dropped, self._depth = tag, 1
        elif tag == "br":
            self._end_line(self._ends + 1 if self._plain else min(self._ends + 1, 2))
        else:
            self._seam(tag)
            if tag in PLAIN:
                self._plain += 1
                self._begins_plain = True

    def handle_endtag(self, tag: str) -> None:
        """End what the tag began."""
        if self._dropped:
            self._depth -= tag == self._dropped
            if not self._depth:
                self._dropped = ""
            return
        if tag in PLAIN and self._plain:
            self._plain -= 1
            self._ends = min(self._ends, 2)
        self._seam(tag)

    def handle_data(self, data: str) -> None:
        """Add text, with single blanks outside preformatted blocks."""
        if self._dropped:
            return
        if not self._plain:
            for at, part in enumerate(_BLANKS.split(data)):
                if at % 2:
                    self._blank = True
                elif part:
                    self._write(part)
            return
        if self._begins_plain:
            # A newline right after <pre> means nothing.
            data = data.removeprefix("\n")
            self._begins_plain = False
        data = data if self.has_text else data.lstrip("\n")
        if text := data.rstrip("\n"):
            self._write(text)
        self._end_line(self._ends + len(data) - len(text))

    def parse_marked_section(self, i: int, report: object = True) -> int:
        """Skip `<![` up to the next `>`, as browsers do; the inherited one fails for some."""
        return self.parse_bogus_comment(i)

    def _seam(self, tag: str) -> None:
        """End the line before or after an element that is a block."""
        if tag in PARAGRAPHS:
            self._end_line(2)
        elif tag in LINES:
            self._end_line(1)
        elif tag in CELLS:
            self._blank = True

    def _end_line(self, ends: int) -> None:
        if self.has_text:
            self._ends = max(self._ends, ends)

    def _write(self, text: str) -> None:
        """Write text after what is due before it."""
        if self._ends:
            self._written.append("\n" * self._ends)
        elif self._blank and self.has_text:
            self._written.append(" ")
        self._written.append(text)
        self._ends, self._blank, self.has_text = 0, False, True
