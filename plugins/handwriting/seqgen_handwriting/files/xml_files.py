"""Safe XML: size limits on reading, no entities, and no forbidden characters on writing."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from seqgen.errors import DataError

#: Limit of the bytes of a file that is read at once.
MOST_BYTES = 2**26

_FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def content_of(path: Path) -> bytes:
    """Return the bytes of a file.

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
    return path.read_bytes()


def root_of(path: Path) -> Element:
    """Return the root of an XML file; entities and references to files are refused.

    Raises
    ------
    DataError
        If it is not XML, declares entities, or is too large.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    content = content_of(path)
    try:
        root: Element = fromstring(content)
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
