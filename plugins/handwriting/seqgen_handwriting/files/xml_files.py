"""XML in, without the ways in which XML can do harm."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from seqgen.errors import DataError

#: Bytes of the largest file that is read at once.
MOST_BYTES = 2**26

_FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def content_of(path: Path) -> bytes:
    """Return the bytes of a file that is not too large to be held.

    Raises
    ------
    DataError
        If it is larger than `MOST_BYTES`, or empty.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise DataError(f"the file holds {size:,} bytes; {MOST_BYTES:,} is the most")
    if not size:
        raise DataError("the file is empty")
    return path.read_bytes()


def root_of(path: Path) -> Element:
    """Return the root of an XML file, of which entities and references to files are refused.

    Raises
    ------
    DataError
        If it is no XML, or holds entities, or is too large.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    content = content_of(path)
    try:
        root: Element = fromstring(content)
    except ParseError as error:
        raise DataError(f"the file is no XML ({error})") from error
    except DefusedXmlException as error:
        raise DataError(
            "the file declares entities, which can be a trap; take them out of its DOCTYPE"
        ) from error
    except (ValueError, LookupError) as error:
        # An encoding that is not known, or not what it is said to be.
        raise DataError(f"the file cannot be decoded ({error})") from error
    return root


def kind(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def allowed(text: str) -> str:
    """Return text without what XML 1.0 cannot hold (section 2.2), and without carriage returns."""
    return _FORBIDDEN.sub("", text)
