"""What a piece of a text is: the file, its lines, paragraphs or pages, or what is between marks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, TypeAlias

#: What a piece can be. `auto` looks at the files; a record is a row of a table.
Kind: TypeAlias = Literal["auto", "file", "line", "paragraph", "record", "page", "delimiter"]

#: Unicode's forms in which texts can be read.
Form: TypeAlias = Literal["none", "nfc", "nfkc"]

#: Most characters in a piece; a longer one is read in parts.
LONGEST = 2**23

#: What a delimiter may contain for characters that are hard to type.
ESCAPES = (("\\n", "\n"), ("\\t", "\t"), ("\\f", "\f"))


def typed(delimiter: str) -> str:
    """Return a delimiter with the characters that its escapes stand for."""
    for escape, character in ESCAPES:
        delimiter = delimiter.replace(escape, character)
    return delimiter


def split(chunks: Iterator[str], kind: Kind, delimiter: str = "") -> Iterator[str]:
    """Yield the pieces of a text; they have at most `LONGEST` characters, and none is empty.

    A longer piece is yielded in parts, so a text may exceed memory. It is cut at the last paragraph
    end, or else the last line end, in the second half of `LONGEST`. Joined, the parts are the
    piece.

    Parameters
    ----------
    chunks : iterator of str
        The text, with newlines as line ends.
    kind : Kind
        Lines and paragraphs lose the newlines at their ends; those of blanks alone are left out.
        Pages are what is between form feeds; `seqgen_text.files.dumps` has those of dumps.
    delimiter : str
        What is between two pieces of the kind `delimiter`.
    """
    if kind == "paragraph":
        yield from _paragraphs(chunks)
        return
    between = {"line": "\n", "page": "\f", "delimiter": delimiter}.get(kind, "")
    for piece in _between(chunks, between):
        if piece.strip() if kind == "line" else piece:
            yield piece


def tidied(text: str, form: Form, strips: bool) -> str:
    """Return a text in a Unicode form, and without blanks at the ends of lines if wanted."""
    if form != "none":
        text = unicodedata.normalize("NFC" if form == "nfc" else "NFKC", text)
    return re.sub(r"[^\S\n]+$", "", text, flags=re.MULTILINE) if strips else text


def _between(chunks: Iterator[str], delimiter: str) -> Iterator[str]:
    """Yield the texts between delimiters, in parts of at most `LONGEST` characters."""
    text = ""
    for chunk in chunks:
        text += chunk
        if delimiter:
            *whole, text = text.split(delimiter)
            yield from (part for each in whole for part in _parts(each))
        *parts, text = _parts(text)
        yield from parts
    yield text


def _paragraphs(chunks: Iterator[str]) -> Iterator[str]:
    """Yield what is between lines that are empty or of blanks alone."""
    lines: list[str] = []
    size = 0
    for line in _between(chunks, "\n"):
        if line.strip() and size + len(line) < LONGEST:
            lines.append(line)
            size += len(line) + 1
            continue
        if lines:
            yield "\n".join(lines)
        lines = [line] if line.strip() else []
        size = sum(map(len, lines))
    if lines:
        yield "\n".join(lines)


def _parts(text: str) -> Iterator[str]:
    """Cut a text into parts of at most `LONGEST` characters; the last may be empty."""
    while len(text) > LONGEST:
        seam = _seam(text)
        yield text[:seam]
        text = text[seam:]
    yield text


def _seam(text: str) -> int:
    """Return where to cut a text that is longer than `LONGEST`."""
    for end in ("\n\n", "\n"):
        if (at := text.rfind(end, LONGEST // 2, LONGEST)) >= 0:
            return at + len(end)
    return LONGEST
