"""The bytes of a file as text: its encoding, marks, line ends, and what is wrong with it."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from seqgen.errors import DataError
from seqgen.plugin import Note
from seqgen_text.files.recognising import (
    marked,
    recognised,
    twice_encoded,
    unmarked,
    why_no_text,
    wrong_and_right,
)

#: Bytes decoded at a time.
CHUNK = 2**20

#: Bytes at the beginning that show whether a file is text, and bytes that show its encoding.
BEGIN, SAMPLE = 2**16, 2**16

#: A byte that is not ASCII, and bytes that are kept before the first one of a long line.
BEYOND_ASCII, BEFORE = re.compile(rb"[\x80-\xff]"), 200

#: Characters beyond ASCII of an encoding that outweigh a wrong byte.
LEAST_RIGHT = 10

#: Change from ASCII to Japanese in ISO 2022, which has bytes of ASCII alone.
ESCAPED_KANJI = re.compile(rb"\x1b\$[@B]")

#: The option of reading that has the encoding recognised.
AUTO = "auto"

#: Name of the error handler that turns wrong bytes into `WRONG`.
ESCAPE = "seqgen_text.escape"

#: What stands for a wrong byte: half a character (a lone surrogate), which no text has.
WRONG = re.compile("[\udc00-\udcff]")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in wrong), error.end


codecs.register_error(ESCAPE, _escape)


class TextFile:
    """A file of text in any encoding.

    Parameters
    ----------
    path : Path
    encoding : str
        A name that Python knows, or `AUTO`.

    Attributes
    ----------
    encoding : str
        The encoding as which it is read.
    begin : str
        The text of its first bytes.
    notes : list of Note
        What there is to say about it; complete when all of it is read.

    Raises
    ------
    DataError
        If it is no text, or not in the encoding, or the encoding is not recognised.
    """

    def __init__(self, path: Path, encoding: str = AUTO) -> None:
        self._path = path
        self.notes: list[Note] = []
        with path.open("rb") as file:
            begin = file.read(BEGIN)
            if encoding != AUTO:
                self.encoding = encoding
            elif found := marked(begin):
                self.encoding = found
            else:
                self.encoding = _recognised(file, begin)
                if self.encoding != "utf-8":
                    self.notes.append(Note(f"read as {self.encoding}"))
        text = _checked(begin, self.encoding, encoding == AUTO)
        self.begin = text.removeprefix("\ufeff")

    def chunks(self) -> Iterator[str]:
        """Yield the text without a byte-order mark; U+FFFD stands for a wrong byte."""
        wrong = nuls = lines = first = 0
        for number, text in enumerate(self.escaped_chunks()):
            if not number and (example := twice_encoded(text)):
                seen, meant = example
                self.notes.append(Note(f"its UTF-8 was encoded twice: {seen!r} for {meant!r}"))
            nuls += text.count("\0")
            found = 0
            if not text.isascii() and (match := WRONG.search(text)):
                first = first or lines + text.count("\n", 0, match.start()) + 1
                text, found = WRONG.subn("\ufffd", text)
            wrong += found
            lines += text.count("\n")
            yield text
        if wrong:
            bytes_ = "byte is" if wrong == 1 else "bytes are"
            self.notes.append(
                Note(
                    f"{wrong:,} {bytes_} not {self.encoding} and read as U+FFFD, the first in line "
                    f"{first:,}"
                )
            )
        if nuls:
            self.notes.append(Note(f"it has {nuls:,} NUL{'s' * (nuls != 1)}"))

    def escaped_chunks(self) -> Iterator[str]:
        """Yield the text without a byte-order mark; a `WRONG` stands for a wrong byte."""
        made = codecs.getincrementaldecoder(self.encoding)(ESCAPE)
        decoder = io.IncrementalNewlineDecoder(made, translate=True)
        begun = False
        with self._path.open("rb") as file:
            while data := file.read(CHUNK):
                text = decoder.decode(data)
                yield text if begun else text.removeprefix("\ufeff")
                begun |= bool(text)
            yield decoder.decode(b"", final=True)


def _escaped(data: bytes, encoding: str) -> str:
    """Return the text of the beginning of a file; a `WRONG` stands for a wrong byte."""
    return codecs.getincrementaldecoder(encoding)(ESCAPE).decode(data, final=len(data) < BEGIN)


def _checked(begin: bytes, encoding: str, is_auto: bool) -> str:
    """Return the beginning of a file as text.

    Raises
    ------
    DataError
        Unless it is mostly in the encoding.
    """
    try:
        text = _escaped(begin, encoding)
    except UnicodeError as error:
        # UTF-16 without the mark that says the order of bytes.
        raise DataError(f"it is not {encoding} ({error})") from error
    wrong, right = wrong_and_right(text)
    if wrong > max(right / LEAST_RIGHT, len(text) / 1000, 1) or 0 < wrong == len(text):
        if is_auto:
            raise DataError(
                f"it is not {encoding}, although it begins so; name its encoding, as in "
                f'`read_options={{"encoding": "latin-1"}}`'
            )
        raise DataError(
            f"it is not {encoding}; name another encoding, or let it be recognised with "
            f'`read_options={{"encoding": "auto"}}`'
        )
    return text


def _recognised(file: BinaryIO, begin: bytes) -> str:
    """Return the encoding of a file without a mark that was read up to the end of `begin`.

    Raises
    ------
    DataError
        If it is no text, or its encoding is not recognised.
    """
    if found := unmarked(begin):
        return found
    if reason := why_no_text(begin):
        raise DataError(reason)
    if ESCAPED_KANJI.search(begin):
        return "iso2022_jp_2"
    sample = _beyond_ascii(file, begin)
    wrong, right = wrong_and_right(_escaped(sample, "utf-8"))
    if wrong <= right / LEAST_RIGHT:
        return "utf-8"
    if (found := recognised(sample)) is None:
        raise DataError(
            'its encoding is not recognised; name it, as in `read_options={"encoding": "latin-1"}`'
        )
    return found


def _beyond_ascii(file: BinaryIO, begin: bytes) -> bytes:
    """Return the first lines of a file that are not ASCII, about `SAMPLE` bytes."""
    found: list[bytes] = []
    size, held, data = 0, b"", begin
    while data and size < SAMPLE:
        if not data.isascii() or held:
            *lines, held = map(_shortened, (held + data).split(b"\n"))
            if len(held) > SAMPLE:
                lines, held = [*lines, held], b""
            lines = [line for line in lines if line]
            found += lines
            size += sum(map(len, lines))
        data = file.read(CHUNK)
    return b"\n".join([*found, held])[: 2 * SAMPLE]


def _shortened(line: bytes) -> bytes:
    """Return a line that is not ASCII, without a long beginning that is; nothing of another one."""
    first = BEYOND_ASCII.search(line)
    return line[max(first.start() - BEFORE, 0) if len(line) > SAMPLE else 0 :] if first else b""
