"""Safe XML: bounded while it is read, and without forbidden characters when it is written.

A tree takes many times the bytes of its file: ``<a/>`` takes 4 bytes in the file and 100 in memory.
So tags and attributes are counted before the file is parsed, and it is parsed piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from seqgen.errors import DataError

#: Limit of the bytes of a file that is read at once.
MOST_BYTES = 2**26

#: Limit of the tags, attributes and references of an XML file together.
MOST_PARTS = 500_000

#: Limit of the characters of a tag with its attributes, or of the text between two tags.
LONGEST_PART = 2**24

#: Limits of entities and default values of attributes that a DOCTYPE declares, such as namespaces.
MOST_DECLARED, LONGEST_DECLARED = 100, 200

#: Bytes that are parsed at a time.
PIECE = 2**18

_FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_size(path: Path) -> None:
    """Refuse a file that is empty or too large to be held.

    Raises
    ------
    DataError
        If it is empty, or larger than `MOST_BYTES`.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise DataError(f"the file holds {size:,} bytes; {MOST_BYTES:,} is the most")
    if not size:
        raise DataError("the file is empty")


def content_of(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    DataError
        As `check_size`.
    """
    check_size(path)
    return path.read_bytes()


def root_of(path: Path) -> Element:
    """Return the root of an XML file.

    A DOCTYPE may declare short entities, as Illustrator does for namespaces. Other entities and
    references to files are refused.

    Raises
    ------
    DataError
        If it is not XML, declares other entities, or is too large.
    """
    from defusedxml.common import DefusedXmlException

    check_size(path)
    _count_parts(path)
    try:
        root: Element = _parsed(path)
    except ParseError as error:
        raise DataError(f"the file is not XML ({error})") from error
    except DefusedXmlException as error:
        raise DataError(
            "the file declares entities, which can be an attack; remove them from its DOCTYPE"
        ) from error
    except (ValueError, LookupError) as error:
        # An unknown encoding, or a wrong one.
        raise DataError(f"the file cannot be decoded ({error})") from error
    return root


def local_name(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def allowed(text: str) -> str:
    """Return text without carriage returns and characters that XML 1.0 forbids (section 2.2)."""
    return _FORBIDDEN.sub("", text)


def _count_parts(path: Path) -> None:
    """Refuse a file whose tree would be too large.

    Each tag begins with ``<`` and each attribute has a ``=``, in all encodings that are read.
    """
    tags = values = references = 0
    for piece in _pieces(path):
        # A file of an encoding with two bytes per character has the same bytes.
        tags += piece.count(b"<")
        values += piece.count(b"=")
        references += piece.count(b"&")
        # An element has two tags.
        if tags / 2 + values + references > MOST_PARTS:
            raise DataError(
                f"the file has more than {MOST_PARTS:,} tags, attributes and references"
            )


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _parsed(path: Path) -> Element:
    from defusedxml.common import EntitiesForbidden
    from defusedxml.ElementTree import DefusedXMLParser

    builder = _Builder()
    parser: Any = DefusedXMLParser(target=builder)
    declared = 0

    def declare(name: str, is_parameter: bool, value: str | None, *about: Any) -> None:
        """Allow an entity that is a short text, and nothing that could grow or refer to a file."""
        nonlocal declared
        declared += 1
        short = value is not None and len(value) <= LONGEST_DECLARED
        if is_parameter or not short or declared > MOST_DECLARED or set("<&%") & set(value or ""):
            raise EntitiesForbidden(name, value, *about[:3], None)

    def declare_attribute(tag: str, name: str, kind: str, default: str | None, _: bool) -> None:
        """Allow a default value of an attribute as an entity: every element gets a copy of it."""
        if default is not None:
            declare(name, False, default, None, None, None)

    parser.parser.EntityDeclHandler = declare
    parser.parser.AttlistDeclHandler = declare_attribute
    waited = 0
    for piece in _pieces(path):
        seen = builder.events
        parser.feed(piece)
        # The parser holds an unfinished tag whole.
        waited = waited + len(piece) if builder.events == seen else 0
        if waited > LONGEST_PART:
            raise DataError(f"a tag of it has more than {LONGEST_PART:,} bytes")
    root: Element = parser.close()
    return root


class _Builder(TreeBuilder):
    """Builds a tree within `MOST_PARTS` and `LONGEST_PART`.

    Attributes
    ----------
    events : int
        Number of tags, attributes and texts so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events = self._parts = self._length = self._memory = 0
        self._width = 1

    def start(self, tag: str, attrs: dict[str, str]) -> Element:
        """Open an element."""
        self._parts += 1 + len(attrs)
        if self._parts > MOST_PARTS:
            raise DataError(f"the file has more than {MOST_PARTS:,} tags and attributes")
        self._end_text()
        for value in attrs.values():
            self._hold(value)
            self._end_text()
        return super().start(tag, attrs)

    def end(self, tag: str) -> Element:
        """Close an element."""
        self._end_text()
        return super().end(tag)

    def data(self, data: str) -> None:
        """Add text."""
        self._hold(data)
        if self._length > LONGEST_PART:
            raise DataError(f"a text between two tags has more than {LONGEST_PART:,} characters")
        super().data(data)

    def _hold(self, text: str) -> None:
        self.events += 1
        self._length += len(text)
        if not text.isascii():
            # Python then holds the whole text with up to four bytes per character.
            self._width = 4

    def _end_text(self) -> None:
        self.events += 1
        self._memory += self._length * self._width
        self._length, self._width = 0, 1
        if self._memory > MOST_BYTES:
            raise DataError(f"its texts take more than {MOST_BYTES:,} bytes")
