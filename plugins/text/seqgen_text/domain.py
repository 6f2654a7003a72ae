"""The text domain: a piece is a `str`; a file is one piece, a row of a table too."""

from __future__ import annotations

import pydoc_data.topics
import statistics
import string
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from seqgen.errors import ConfigError, DataError
from seqgen.files import plain_text, write_atomic
from seqgen.plugin import Codec, Criticism, Domain, Labelled, Metric, NoOptions, Note
from seqgen_text.codecs.bytes import ByteCodec
from seqgen_text.codecs.characters import CharacterCodec
from seqgen_text.codecs.choosing import suggest
from seqgen_text.codecs.subwords import SubwordCodec
from seqgen_text.codecs.words import WordCodec
from seqgen_text.files.choosing import choose_pieces, is_text
from seqgen_text.files.decoding import AUTO, TextFile
from seqgen_text.files.dumps import is_dump, pages
from seqgen_text.files.html_text import is_html, without_tags
from seqgen_text.files.json_lists import elements
from seqgen_text.files.pieces import Form, Kind, split, tidied, typed
from seqgen_text.files.tables import SUFFIXES, Columns, read_table


@dataclass(frozen=True)
class ReadOptions:
    """Options of reading."""

    encoding: str = AUTO
    """Encoding of the files, such as latin-1, cp1252 or utf-16; auto recognises it."""
    piece: Kind = "auto"
    """What a piece is: a file, a line, a paragraph, a record (a row of a table), a page (of a
    Wikipedia dump, or between form feeds), or what is between two delimiters; auto looks at the
    files."""
    delimiter: str = ""
    """Text between two pieces, such as `<|endoftext|>`. `\\n`, `\\t` and `\\f` stand for newline,
    tab and form feed."""
    text: str = ""
    """Column of a table with the text, or several, as in `title,body`; by default `text`, `title`,
    `body` or `content`, or else the column with the longest texts."""
    weight: str = ""
    """Column of a table with the weight of each row, from 0 to 100."""
    header: Literal["auto", "yes", "no"] = "auto"
    """Whether the first row of a CSV or TSV file has the names of the columns."""
    normalise: Form = "none"
    """Unicode form of the texts: `nfc` joins letters and their accents, `nfkc` also replaces
    characters such as ligatures by plain ones."""
    trailing: Literal["keep", "strip"] = "keep"
    """Whether blanks at the ends of lines are kept."""
    markup: Literal["keep", "strip"] = "keep"
    """Whether files of HTML keep their tags, or only their text is read."""

    def __post_init__(self) -> None:
        try:
            "a".encode("utf-8" if self.encoding == AUTO else self.encoding)
        except (LookupError, ValueError) as error:
            raise ConfigError(
                f"encoding must be one that Python knows, such as utf-8 or latin-1, or auto, "
                f"found {self.encoding!r}"
            ) from error

        if self.piece == "delimiter" and not self.delimiter:
            raise ConfigError(
                "piece=delimiter needs the text between two pieces; give it with "
                '`read_options={"delimiter": "TEXT"}`'
            )

    @property
    def kind(self) -> Kind:
        """What a piece is; naming a delimiter is enough to choose it."""
        return "delimiter" if self.piece == "auto" and self.delimiter else self.piece

    @property
    def columns(self) -> Columns:
        """What is said about the columns of tables."""
        texts = tuple(name.strip() for name in self.text.split(",") if name.strip())
        header = None if self.header == "auto" else self.header == "yes"
        return Columns(texts, self.weight, header)


class Text(Domain[str]):
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
    ) -> Iterator[str | Labelled | DataError | Note]:
        """Read the pieces of a file; convert line ends to newlines and drop a byte-order mark.

        By default each row of a CSV, TSV or JSON Lines file is a piece
        (`seqgen_text.files.tables`), each page of a Wikipedia dump (`seqgen_text.files.dumps`), and
        each other file (`seqgen_text.files.pieces`).

        Raises
        ------
        DataError
            If the file is no text, in another encoding or empty, or a table does not have a named
            column.
        """
        file = TextFile(path, options.encoding)
        is_empty = True
        for piece in _pieces(file, path.suffix.lower(), options):
            is_empty = False
            yield _tidied(piece, options)
        if is_empty:
            raise DataError("the file is empty")
        yield from file.notes

    def reads(self, path: Path) -> bool:
        """Return whether a file is text by a look at its first bytes, whatever its suffix."""
        return is_text(path)

    def choose_reading(
        self, files: Sequence[Path], options: ReadOptions
    ) -> tuple[ReadOptions, str]:
        """Choose what a piece is, if that is open (`seqgen_text.files.choosing`)."""
        if options.kind != "auto":
            return options, ""
        kind, delimiter, reason = choose_pieces(files, options.encoding)
        return replace(options, piece=kind, delimiter=delimiter), f"pieces: {reason}"

    def from_text(self, text: str) -> str:
        """Return the text as `read` returns it: with newlines, without a byte-order mark."""
        return plain_text(text)

    def suggest(self, pieces: Iterable[str]) -> tuple[str, str]:
        """Return `characters`, or `subwords` for texts of many characters, such as Chinese."""
        return suggest(pieces)

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

    def critic(self, pieces: Iterable[str]) -> Callable[[str, Any], Criticism]:
        """Return a critic of words, brackets and repetition."""
        from seqgen_text.measures.criticism import critic

        return critic(pieces)

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


def _pieces(
    file: TextFile, suffix: str, options: ReadOptions
) -> Iterator[str | Labelled | DataError | Note]:
    """Yield the pieces of a file as they are in it."""
    kind = options.kind
    if kind == "record" and suffix == ".json":
        yield from read_table(elements(file.escaped_chunks()), suffix, options.columns)
    elif kind == "record" or (kind == "auto" and suffix in SUFFIXES):
        # A wrong byte costs only its row.
        yield from read_table(file.escaped_chunks(), suffix, options.columns)
    elif kind in ("auto", "page") and is_dump(file.begin):
        yield from pages(file.chunks())
    else:
        chunks = file.chunks()
        if options.markup == "strip" and is_html(file.begin, suffix):
            chunks = without_tags(chunks)
        yield from split(chunks, kind, typed(options.delimiter))


def _tidied(
    piece: str | Labelled | DataError | Note, options: ReadOptions
) -> str | Labelled | DataError | Note:
    """Return a piece with its text in the form that the options say."""
    if isinstance(piece, Labelled):
        return replace(piece, content=_tidied(piece.content, options))
    if isinstance(piece, str):
        return tidied(piece, options.normalise, options.trailing == "strip")
    return piece
