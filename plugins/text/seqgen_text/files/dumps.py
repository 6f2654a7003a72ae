"""Wikipedia dumps: each article of a MediaWiki export is a piece; memory does not grow with it.

The format is https://www.mediawiki.org/wiki/Help:Export. Dumps come from others, so everything that
could be large is bounded, and document types, which can declare entities, are refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from xml.parsers import expat

from seqgen.errors import DataError
from seqgen.plugin import Note
from seqgen_text.files.pieces import LONGEST

#: Most characters of a title and of a namespace's number.
LONGEST_NAME = 1000

#: Most bytes of a tag, a comment or anything else that the parser holds until it ends.
LONGEST_TAG = 2**22

#: Most elements inside each other, and most names of elements and attributes. MediaWiki has fewer.
DEEPEST, MOST_NAMES = 32, 1000

#: How a dump begins.
_BEGINNING = re.compile(r"\s*(<\?xml[^>]*\?>\s*)?<mediawiki[\s>]")

#: How the text of a redirect begins, in dumps that do not mark it.
_REDIRECT = re.compile(r"\s*#redirect\b", re.IGNORECASE)

#: Codes of expat for a file that ends too early: nothing more, and something that has no end.
_CUT = (3, 5, 6, 20)

_PAGE = ("mediawiki", "page")

#: Elements whose text is collected, with the most characters that are held.
_COLLECTED = {
    (*_PAGE, "title"): LONGEST_NAME,
    (*_PAGE, "ns"): LONGEST_NAME,
    (*_PAGE, "revision", "text"): LONGEST,
}


def is_dump(begin: str) -> bool:
    """Return whether a file with this beginning is a dump."""
    return _BEGINNING.match(begin) is not None


def pages(chunks: Iterator[str]) -> Iterator[str | DataError | Note]:
    """Yield the articles of a dump, each with its title as a heading in its first line.

    Of several revisions of a page the last one counts. Redirects, empty pages and pages of other
    namespaces than 0, such as talk, are left out and counted in a note. A page of more than
    `LONGEST` characters is a `DataError` in its place.

    Parameters
    ----------
    chunks : iterator of str
        The file.

    Raises
    ------
    DataError
        If it is not XML from some place on, or not as MediaWiki writes it; the pages before it are
        yielded.
    """
    reader = _Reader()
    for chunk in chain(chunks, [None]):
        try:
            reader.feed(chunk)
        finally:
            yield from reader.take()  # also those before a fault
    if left_out := reader.left_out:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(left_out.items()))
        yield Note(f"pages of the dump that are left out: {counts}")
    if reader.is_cut:
        yield Note("the dump is cut off; a page that has no end is left out")


class _Reader:
    """Collects pages from the events of expat.

    Attributes
    ----------
    left_out : Counter of str
        Number of pages by the reason why they are left out.
    is_cut : bool
        Whether the file ends before the dump does; known when closed.
    """

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self.is_cut = False
        self._path: list[str] = []
        self._names: set[str] = set()
        self._found: list[str | DataError] = []
        self._fed = 0
        self._limit = 0
        self._is_redirect = False
        self._parts: dict[str, list[str]] = {}
        self._sizes: Counter[str] = Counter()
        # Chunks are decoded already, whatever encoding the file names.
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse

    def feed(self, chunk: str | None) -> None:
        """Read a chunk; None ends the file.

        Raises
        ------
        DataError
            If it is not XML, or not as MediaWiki writes it.
        """
        data = (chunk or "").encode("utf-8", "replace")  # half a character becomes "?"
        self._fed += len(data)
        try:
            self._parser.Parse(data, chunk is None)
        except expat.ExpatError as error:
            if chunk is not None or error.code not in _CUT:
                raise DataError(
                    f"the dump is not XML from here on: {error}{self._place()}"
                ) from error
            self.is_cut = True
        if self._fed - self._parser.CurrentByteIndex > LONGEST_TAG:
            raise self._odd(f"a tag or comment has more than {LONGEST_TAG:,} bytes")

    def take(self) -> Iterator[str | DataError]:
        """Yield the pages that were read since the last call."""
        yield from self._found
        self._found.clear()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._names.update((name, *attributes))
        if len(self._names) > MOST_NAMES:
            raise self._odd(f"it has more than {MOST_NAMES:,} names of tags and attributes")
        if len(self._path) == DEEPEST:
            raise self._odd(f"more than {DEEPEST} elements are inside each other")
        self._path.append(name)
        path = tuple(self._path)
        self._limit = _COLLECTED.get(path, 0)
        if self._limit:
            self._parts[name], self._sizes[name] = [], 0
        elif path == (*_PAGE, "redirect"):
            self._is_redirect = True

    def _characters(self, text: str) -> None:
        if self._limit:
            name = self._path[-1]
            self._sizes[name] += len(text)
            if self._sizes[name] <= self._limit:
                self._parts[name].append(text)

    def _end(self, name: str) -> None:
        if tuple(self._path) == _PAGE:
            self._end_page()
        self._path.pop()
        self._limit = 0

    def _end_page(self) -> None:
        """Keep the page that ends, or count why it is left out."""
        title, namespace, text = (self._collected(name) for name in ("title", "ns", "text"))
        title = " ".join(title.split())
        if namespace.strip() not in ("", "0"):
            self.left_out["of other namespaces"] += 1
        elif self._is_redirect or _REDIRECT.match(text):
            self.left_out["redirects"] += 1
        elif self._sizes["text"] > LONGEST:
            size = self._sizes["text"]
            self._found.append(
                DataError(f"page {title!r} has {size:,} characters; {LONGEST:,} is the most")
            )
        elif not text.strip():
            self.left_out["empty"] += 1
        else:
            self._found.append(f"= {title} =\n{text}" if title else text)
        self._parts, self._sizes, self._is_redirect = {}, Counter(), False

    def _collected(self, name: str) -> str:
        return "".join(self._parts.get(name, ()))

    def _refuse(self, *declaration: object) -> None:
        raise self._odd("it declares a document type, which can be an attack; remove <!DOCTYPE")

    def _odd(self, reason: str) -> DataError:
        """Return the error for what MediaWiki does not write."""
        line = self._parser.CurrentLineNumber
        return DataError(f"the dump is not as MediaWiki writes it: line {line:,}: {reason}")

    def _place(self) -> str:
        """Return the page that is being read, for messages."""
        title = " ".join(self._collected("title").split())
        return f", in page {title!r}" if title else ""
