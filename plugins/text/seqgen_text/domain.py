"""The text domain: a piece is a `str`, a file is one piece."""

from __future__ import annotations

import pydoc_data.topics
import statistics
import string
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from seqgen.errors import DataError
from seqgen.plugin import Codec, Domain
from seqgen_text.characters import CharacterCodec


class Text(Domain):
    """Reads and writes UTF-8 text."""

    codecs: ClassVar[Mapping[str, type[Codec]]] = {"characters": CharacterCodec}
    formats: ClassVar[tuple[str, ...]] = (".txt",)

    def read(self, path: Path) -> list[str]:
        """Read a file as one piece; line ends become newlines and a byte-order mark goes.

        Raises
        ------
        DataError
            If it is not UTF-8, or empty.
        """
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(
                f"byte {error.start} is not UTF-8 ({error.reason}); convert the file to UTF-8"
            ) from error
        if not text:
            raise DataError("the file is empty")
        return [text]

    def from_text(self, text: str) -> str:
        """Return the text."""
        return text

    def write(self, piece: str, path: Path) -> list[Path]:
        """Write the text as UTF-8, whatever the suffix."""
        path.write_text(piece, "utf-8", newline="\n")
        return [path]

    def preview(self, piece: str) -> dict[str, bytes | str]:
        """Return the text itself."""
        return {"text/plain": piece}

    def demo(self, folder: Path) -> Sequence[Path]:
        """Return English prose and Python source that come with every Python.

        The prose is the reference behind Python's ``help()``, one file a topic.
        """
        folder.mkdir(parents=True, exist_ok=True)
        topics = []
        for name, text in sorted(pydoc_data.topics.topics.items()):
            path = folder / f"{name.replace('/', '-')}.txt"
            if not path.exists():
                path.write_text(textwrap.dedent(text), "utf-8")
            topics.append(path)
        sources = [Path(str(module.__file__)) for module in (statistics, string, textwrap)]
        return [*topics, *sources]
