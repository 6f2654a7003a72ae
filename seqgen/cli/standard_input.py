"""Standard input: as a text, or as a file among others."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from seqgen.errors import DataError
from seqgen.files import plain_text, text_of

#: The path that means standard input.
INPUT = Path("/dev/stdin")

#: Commands whose files may be ``-``.
READERS = ("prepare", "train")

#: Bytes of standard input that are copied at a time.
COPIED = 2**20

#: Largest number of bytes read from a text, a pipe or a device.
LONGEST_TEXT = 64 << 20


def with_input(tokens: Sequence[str]) -> list[str]:
    """Return the tokens of a command that reads files with `INPUT` for ``-``.

    The parser of the command line takes ``-`` for an option, also as the value of one.
    """
    if not tokens or tokens[0] not in READERS:
        return list(tokens)
    return [str(INPUT) if token == "-" else token for token in tokens]


@contextmanager
def input_copied(paths: Iterable[Path]) -> Iterator[list[Path]]:
    """Yield paths with a copy of standard input for its path; the copy is removed afterwards.

    Raises
    ------
    DataError
        If standard input is closed or empty.
    """
    from seqgen.data.names import INPUT_FOLDERS, STANDARD_INPUT

    named = list(paths)
    if INPUT not in named:
        yield named
        return
    if sys.stdin is None or sys.stdin.closed:
        raise DataError("- reads standard input, which is closed; pipe the data in")
    with TemporaryDirectory(prefix=INPUT_FOLDERS) as folder:
        copy = Path(folder) / STANDARD_INPUT
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, COPIED)
            size = file.tell()
        if not size:
            raise DataError("- reads standard input, which is empty; pipe the data in")
        yield [copy if path == INPUT else path for path in named]


def standard_input(option: str) -> str:
    """Return all text of standard input.

    Raises
    ------
    DataError
        If it is closed, empty, or no text.
    """
    # A process may be started without one.
    if sys.stdin is None or sys.stdin.closed:
        raise DataError(f"{option} - reads standard input, which is closed; pipe the text in")
    binary = getattr(sys.stdin, "buffer", None)
    try:
        text = plain_text(sys.stdin.read()) if binary is None else text_of(all_bytes(binary))
    except DataError as error:
        raise DataError(f"{option} -: {error}") from error
    if not text:
        raise DataError(f"{option} - reads standard input, which is empty; pipe the text in")
    return text


def all_bytes(file: BinaryIO) -> bytes:
    """Return the content of a file, pipe or device; a device may be endless."""
    content = file.read(LONGEST_TEXT + 1)
    if len(content) > LONGEST_TEXT:
        raise DataError(f"more than {LONGEST_TEXT >> 20} MB came; give a shorter text")
    return content
