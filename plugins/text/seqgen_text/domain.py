"""The text domain: a piece is a `str`; a file is one piece, a row of a table too."""

from __future__ import annotations

import functools
import pydoc_data.topics
import statistics
import string
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from seqgen.errors import ConfigError, DataError
from seqgen.files import plain_text, write_atomic
from seqgen.plugin import Codec, Domain, Labelled, Metric, NoOptions
from seqgen_text.codecs.bytes import ByteCodec
from seqgen_text.codecs.characters import CharacterCodec
from seqgen_text.codecs.subwords import SubwordCodec
from seqgen_text.codecs.words import WordCodec
from seqgen_text.files.decoding import decoded
from seqgen_text.files.tables import SUFFIXES, Columns, read_table

#: Most characters in a piece; a longer file becomes several pieces.
LONGEST = 2**23

#: What a separator may contain for characters that are hard to type.
ESCAPES = (("\\n", "\n"), ("\\t", "\t"), ("\\f", "\f"))


@dataclass(frozen=True)
class ReadOptions:
    """Options of reading."""

    encoding: str = "utf-8"
    """Encoding of the files, such as latin-1, cp1252 or utf-16."""
    separator: str = ""
    """Text between the pieces of a file, such as `<|endoftext|>`, or `\\n` for a piece a line. By
    default a file is one piece. `\\n`, `\\t` and `\\f` stand for newline, tab and form feed."""
    text: str = ""
    """Column of a table with the text, or several, as in `title,body`; by default `text`, `title`,
    `body` or `content`, or else the column with the longest texts."""
    weight: str = ""
    """Column of a table with the weight of each row, from 0 to 100."""
    header: Literal["auto", "yes", "no"] = "auto"
    """Whether the first row of a CSV or TSV file has the names of the columns."""

    def __post_init__(self) -> None:
        try:
            "a".encode(self.encoding)
        except (LookupError, ValueError) as error:
            raise ConfigError(
                f"encoding must be one that Python knows, such as utf-8 or latin-1, found "
                f"{self.encoding!r}"
            ) from error

    @property
    def between(self) -> str:
        """The separator, with the characters that its escapes stand for."""
        return functools.reduce(lambda text, pair: text.replace(*pair), ESCAPES, self.separator)

    @property
    def columns(self) -> Columns:
        """What is said about the columns of tables."""
        texts = tuple(name.strip() for name in self.text.split(",") if name.strip())
        header = None if self.header == "auto" else self.header == "yes"
        return Columns(texts, self.weight, header)


class Text(Domain):
    """Reads text and tables of texts in any encoding, and writes UTF-8."""

    read_options: ClassVar[type[Any]] = ReadOptions

    codecs: ClassVar[Mapping[str, type[Codec]]] = {
        "characters": CharacterCodec,
        "bytes": ByteCodec,
        "subwords": SubwordCodec,
        "words": WordCodec,
    }
    formats: ClassVar[tuple[str, ...]] = (".txt",)

    def read(
        self, path: Path, options: ReadOptions = ReadOptions()
    ) -> Iterator[str | Labelled | DataError]:
        """Read the pieces of a file; convert line ends to newlines and drop a byte-order mark.

        Each row of a CSV, TSV or JSON Lines file is a piece (`seqgen_text.files.tables`).

        Another file is one piece, or what is between two separators, unless that is empty. A piece
        of more than `LONGEST` characters (8 million) is yielded in parts, so a file may exceed
        memory. It is cut at the last paragraph end, or else the last line end, in the second half
        of `LONGEST`. Joined, the parts are the piece.

        Raises
        ------
        DataError
            If the file is in another encoding or empty, or a table does not have a named column.
        """
        if (suffix := path.suffix.lower()) in SUFFIXES:
            # A wrong byte costs only its row.
            chunks = decoded(path, options.encoding, "surrogateescape")
            yield from read_table(chunks, suffix, options.columns)
            return
        is_empty = True
        for piece in _split(decoded(path, options.encoding), options.between):
            if piece:
                is_empty = False
                yield piece
        if is_empty:
            raise DataError("the file is empty")

    def from_text(self, text: str) -> str:
        """Return the text as `read` returns it: with newlines, without a byte-order mark."""
        return plain_text(text)

    def write(self, piece: str, path: Path, options: NoOptions = NoOptions()) -> list[Path]:
        """Write the text as UTF-8, whatever the suffix."""
        path.write_text(piece, "utf-8", newline="\n")
        return [path]

    def preview(self, piece: str) -> dict[str, bytes | str]:
        """Return the text itself."""
        return {"text/plain": piece}

    def metrics(self, generated: Sequence[str], reference: Iterable[str]) -> Mapping[str, Metric]:
        """Return the metrics of `seqgen_text.measures.metrics`."""
        from seqgen_text.measures.metrics import measure

        return measure(generated, reference)

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


def _split(chunks: Iterator[str], separator: str) -> Iterator[str]:
    """Yield the texts between separators, and longer ones than `LONGEST` in parts."""
    text = ""
    for chunk in chunks:
        text += chunk
        if separator:
            *whole, text = text.split(separator)
            yield from (part for each in whole for part in _parts(each))
        *parts, text = _parts(text)
        yield from parts
    yield text


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
