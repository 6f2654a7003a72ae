"""The text domain: a piece is a `str`, a file is one piece, a large one several."""

from __future__ import annotations

import codecs
import io
import pydoc_data.topics
import statistics
import string
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from seqgen.errors import DataError
from seqgen.files import plain_text, write_atomic
from seqgen.plugin import Codec, Domain
from seqgen_text.characters import CharacterCodec

#: Most characters in a piece; a longer file becomes several pieces.
LONGEST = 2**23

#: Bytes decoded at a time.
CHUNK = 2**20


class Text(Domain):
    """Reads and writes UTF-8 text."""

    codecs: ClassVar[Mapping[str, type[Codec]]] = {"characters": CharacterCodec}
    formats: ClassVar[tuple[str, ...]] = (".txt",)

    def read(self, path: Path) -> Iterator[str]:
        """Read a file as one piece; convert line ends to newlines and drop a byte-order mark.

        A file of more than `LONGEST` characters (8 million) is yielded as several pieces, so it
        may exceed memory. A piece is cut at the last paragraph end, or else the last line end, in
        the second half of `LONGEST`. Joined, the pieces are the text of the file.

        Raises
        ------
        DataError
            If the file is not UTF-8, or empty.
        """
        held: list[str] = []
        for decoded in _decoded(path):
            held.append(decoded)
            if sum(map(len, held)) > LONGEST:
                text = "".join(held)
                while len(text) > LONGEST:
                    seam = _seam(text)
                    yield text[:seam]
                    text = text[seam:]
                held = [text]
        if not any(held):
            raise DataError("the file is empty")
        yield "".join(held)

    def from_text(self, text: str) -> str:
        """Return the text as `read` returns it: with newlines, without a byte-order mark."""
        return plain_text(text)

    def write(self, piece: str, path: Path) -> list[Path]:
        """Write the text as UTF-8, whatever the suffix."""
        path.write_text(piece, "utf-8", newline="\n")
        return [path]

    def preview(self, piece: str) -> dict[str, bytes | str]:
        """Return the text itself."""
        return {"text/plain": piece}

    def demo(self, folder: Path) -> Sequence[Path]:
        """Return English prose and source code from the Python installation.

        The prose is the reference behind Python's ``help()``, one file for each topic.
        """
        folder.mkdir(parents=True, exist_ok=True)
        topics = []
        for name, text in sorted(pydoc_data.topics.topics.items()):
            path = folder / f"{name.replace('/', '-')}.txt"
            if not path.exists():
                write_atomic(path, textwrap.dedent(text))
            topics.append(path)
        sources = [Path(str(module.__file__)) for module in (statistics, string, textwrap)]
        return [*topics, *sources]


def _decoded(path: Path) -> Iterator[str]:
    """Yield the text of a file in chunks."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")(), translate=True)
    with path.open("rb") as file:
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            file.seek(0)
        try:
            while data := file.read(CHUNK):
                yield decoder.decode(data)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            # The decoder may hold back bytes of the chunk before: count back from here.
            position = file.tell() - len(error.object) + error.start
            raise DataError(
                f"byte {position} is not UTF-8 ({error.reason}); convert the file to UTF-8"
            ) from error


def _seam(text: str) -> int:
    """Return where to cut a text that is longer than `LONGEST`."""
    for end in ("\n\n", "\n"):
        if (at := text.rfind(end, LONGEST // 2, LONGEST)) >= 0:
            return at + len(end)
    return LONGEST
