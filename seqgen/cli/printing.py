"""Safe printing: no encoding error, and no control characters on a terminal.

Learned text, file names and messages may contain any character. Files and pipes get them unchanged;
on a terminal control characters are shown as symbols.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

#: Characters that may control a terminal: C0 except newline and tab, DEL, C1, line separators,
#: overrides of the writing direction, and lone surrogates.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

#: Name of the error handler for characters that a stream cannot encode.
_REPLACING = "seqgen.replacing"

#: Characters so far that could not be encoded.
_lost: set[str] = set()


def show(text: object = "", *, end: str = "\n", flush: bool = False) -> None:
    """Print text on standard output."""
    with _naming_output():
        print(visible(str(text), sys.stdout), end=end, flush=flush)


def flush() -> None:
    """Write out what standard output holds back."""
    with _naming_output():
        sys.stdout.flush()


@contextmanager
def _naming_output() -> Iterator[None]:
    """Name standard output in errors of the system, such as a full disk."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or "standard output"
        raise


def complain(text: str) -> None:
    """Print a message on the error stream, without a progress display."""
    print(visible(f"seqgen: {text}", sys.stderr), file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a result as JSON that is valid in any encoding and on any terminal."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    if not _can_encode(text, sys.stdout):
        text = json.dumps(value, indent=2, allow_nan=False)
    if _is_terminal(sys.stdout):
        text = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    with _naming_output():
        print(text)


def visible(text: str, stream: TextIO | None) -> str:
    """Return text; if the stream is a terminal, with symbols for control characters."""
    return _CONTROLS.sub(_symbol, text) if _is_terminal(stream) else text


def open_outputs() -> None:
    """Discard what is printed if the process was started without standard output or error."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115


@contextmanager
def any_encoding() -> Iterator[None]:
    """Replace characters that standard output and error cannot encode; say so at the end."""
    _lost.clear()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_REPLACING)
    try:
        yield
    finally:
        if _lost:
            encoding = getattr(sys.stdout, "encoding", None) or "ascii"
            complain(
                f"some characters are shown as ?, because the output is encoded as {encoding}; "
                f"PYTHONIOENCODING=utf-8 chooses another encoding, and files have all characters"
            )


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return a replacement for a character that cannot be encoded, and the next position."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    code = ord(error.object[error.start])
    # Python decodes undecodable bytes of file names to these; print the original byte.
    if 0xDC80 <= code <= 0xDCFF:
        return bytes([code - 0xDC00]), error.start + 1
    _lost.add(error.object[error.start])
    return "?", error.start + 1


codecs.register_error(_REPLACING, _replaced)


def _symbol(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _can_encode(text: str, stream: TextIO | None) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
