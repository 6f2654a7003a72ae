"""What the command prints: it never fails on an encoding, and no text can command a terminal.

Text that was learned, names of files and messages may hold anything. To files and pipes they go
out as they are; on a terminal control characters are shown as symbols.
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

#: What a terminal may obey: C0 without newline and tab, DEL, C1, line separators, overrides of the
#: direction of writing, and halves of characters.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

#: Name of the error handler for characters that a stream cannot encode.
_REPLACING = "seqgen.replacing"

#: Characters that could not be encoded so far.
_lost: set[str] = set()


def show(text: object = "", *, end: str = "\n", flush: bool = False) -> None:
    """Print text on standard output."""
    print(visible(str(text), sys.stdout), end=end, flush=flush)


def complain(text: str) -> None:
    """Print a message on the error stream, without what a terminal needs for progress."""
    print(visible(f"seqgen: {text}", sys.stderr), file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a result for programs, valid whatever the encoding and the terminal."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if not _can_encode(text, sys.stdout):
        text = json.dumps(value, indent=2)
    if _is_terminal(sys.stdout):
        text = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    print(text)


def visible(text: str, stream: TextIO | None) -> str:
    """Return text with symbols for control characters, if the stream is a terminal."""
    return _CONTROLS.sub(_symbol, text) if _is_terminal(stream) else text


def open_outputs() -> None:
    """Let what is printed go nowhere where the process was started without an output."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115


@contextmanager
def any_encoding() -> Iterator[None]:
    """Replace characters that standard output and error cannot encode, and say so in the end."""
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
    """Return what stands for the first character that cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    code = ord(error.object[error.start])
    # Python reads bytes of file names that are no text as these; the name goes out as it is.
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
