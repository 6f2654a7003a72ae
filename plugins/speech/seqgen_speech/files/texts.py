"""What is said in a recording, and when, from the files beside it.

The text of ``a.wav`` may be in ``a.txt`` or ``a.lab``, or in a table of its folder: ``texts.tsv``
with the columns ``file`` and ``text``, or ``metadata.csv`` as in LJSpeech, with ``name|text`` or
``name|text|normalised text`` in each line. LJSpeech's table may also be one folder higher. A name
may have folders in front, which decide if several recordings are called alike. Other columns of
``texts.tsv``, such as ``speaker``, are labels. The times of phonemes or letters are in
``times.tsv`` (`seqgen_speech.files.times`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeAlias

from seqgen.conditions.labels import check_name
from seqgen.errors import DataError
from seqgen.files import text_of
from seqgen_speech.files.times import TIMES, check_columns, times_of
from seqgen_speech.sound import Times

#: Suffixes of a text beside a recording.
BESIDE = (".txt", ".lab")

#: Names of the two tables of texts.
TABLE, LJSPEECH = "texts.tsv", "metadata.csv"

#: Most bytes of a text, and of a table.
LONGEST_TEXT, LONGEST_TABLE = 2**16, 2**26

#: Most recordings that a table names.
MOST_RECORDINGS = 500_000


@dataclass(frozen=True)
class Words:
    """What is known about a recording.

    Attributes
    ----------
    text : str
    labels : mapping of str to str
    times : tuple of (str, float, float)
        As in `Sound`.
    """

    text: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    times: Times = ()


def places(path: Path) -> list[Path]:
    """Return the files that may say what is said in a recording; they need not exist."""
    folders = dict.fromkeys((path.parent, path.parent.parent))
    beside = [path.with_suffix(suffix) for suffix in BESIDE]
    tables = (path.parent / name for name in (TABLE, TIMES))
    return [*beside, *tables, *(folder / LJSPEECH for folder in folders)]


def words_of(path: Path) -> Words:
    """Return what the files beside a recording say, each file where those before say nothing.

    Raises
    ------
    DataError
        If a text or a table cannot be used.
    """
    found = Words()
    for place in places(path):
        if not place.is_file():
            continue
        try:
            words = _words_in(place, path)
        except DataError as error:
            raise DataError(f"its text in {place.name}: {error}") from error
        labels = {**words.labels, **found.labels}
        found = Words(found.text or words.text, labels, found.times or words.times)
    return found


def _words_in(place: Path, recording: Path) -> Words:
    if place.name not in _TABLES:
        return Words(_one_line(text_of(_bytes(place, LONGEST_TEXT))))
    status = place.stat()
    table = _table(place, status.st_mtime_ns, status.st_size)
    inside = recording.relative_to(place.parent)
    names = map(str, (inside, inside.with_suffix(""), inside.name, inside.stem))
    rows = next((table.rows[name] for name in names if name in table.rows), b"")
    return table.read(_numbered(rows))


@dataclass(frozen=True)
class _Table:
    """The rows of each recording as text: read, they would take many times the memory.

    A row that cannot be used concerns its own recording only.

    Attributes
    ----------
    rows : mapping of str to bytes
        Numbered lines, by the name of the recording.
    read : callable
        Returns what the numbers and lines of a recording say.
    """

    rows: Mapping[str, bytes | bytearray]
    read: _Reader


@lru_cache(maxsize=4)
def _table(place: Path, changed: int, size: int) -> _Table:
    """Return the rows of a table by the name of the recording; cached until the file changes.

    A name with folders also counts without them, unless another row has the same.
    """
    lines = text_of(_bytes(place, LONGEST_TABLE)).split("\n")
    first, column, sign, read = _TABLES[place.name](lines)
    rows: dict[str, bytearray] = {}
    for number, line in enumerate(lines[first:], first + 1):
        if not line.strip():
            continue
        cells = line.split(sign, column + 1)
        if len(cells) <= column:
            raise DataError(f"line {number} has {len(cells)} cells and names no file")
        name = str(Path(cells[column].strip()))
        rows.setdefault(name, bytearray()).extend(f"{number}\t{line}\n".encode())
        if len(rows) > MOST_RECORDINGS:
            raise DataError(f"it names more than {MOST_RECORDINGS:,} recordings")
    alike = Counter(Path(name).name for name in rows)
    short = {Path(name).name: own for name, own in rows.items() if alike[Path(name).name] == 1}
    return _Table(short | rows, read)


def _numbered(rows: bytes | bytearray) -> Iterator[tuple[int, str]]:
    """Yield the numbers and lines of rows of a `_Table`."""
    for row in rows.decode().split("\n")[:-1]:
        number, _, line = row.partition("\t")
        yield int(number), line


def _texts(lines: list[str]) -> _Form:
    """Return the form of ``texts.tsv``."""
    columns = [column.strip() for column in lines[0].split("\t")]
    if not {"file", "text"} <= {*columns} or len({*columns}) < len(columns):
        raise DataError(f"expected the columns file and text, each once, found {columns[:8]}")
    for column in columns:
        check_name(column)
    return 1, columns.index("file"), "\t", partial(_labelled, columns)


def _labelled(columns: Sequence[str], rows: Iterable[tuple[int, str]]) -> Words:
    """Return text and labels of the rows of a recording, which must say the same."""
    found: Words | None = None
    for number, line in rows:
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise DataError(f"line {number} has {len(cells)} cells; expected {len(columns)}")
        row = dict(zip(columns, map(str.strip, cells), strict=True))
        name, text = row.pop("file"), _one_line(row.pop("text"))
        words = Words(text, {key: value for key, value in row.items() if value})
        if found not in (None, words):
            raise DataError(f"line {number} has another text or label for {name} than a line above")
        found = words
    return found or Words()


def _ljspeech(lines: list[str]) -> _Form:
    """Return the form of ``metadata.csv``; one of another form has no rows."""
    return 0 if "|" in lines[0] else len(lines), 0, "|", _normalised


def _normalised(rows: Iterable[tuple[int, str]]) -> Words:
    """Return the text in the last column that has one: the normalised text, without numbers."""
    texts = [_one_line(text) for _, line in rows for text in line.split("|")[1:]]
    return Words(next(filter(None, reversed(texts)), ""))


def _timed(lines: list[str]) -> _Form:
    """Return the form of ``times.tsv``."""
    check_columns([column.strip() for column in lines[0].split("\t")])
    return 1, 0, "\t", lambda rows: Words(times=times_of(rows))


#: Reads the rows of a recording.
_Reader: TypeAlias = Callable[[Iterable[tuple[int, str]]], Words]

#: The first line of recordings, the column of their names, what divides columns, and a reader.
_Form: TypeAlias = tuple[int, int, str, _Reader]

#: Finds the form of a table, by its name.
_TABLES: Mapping[str, Callable[[list[str]], _Form]] = {
    TABLE: _texts,
    LJSPEECH: _ljspeech,
    TIMES: _timed,
}


def _one_line(text: str) -> str:
    """Return a text with single blanks.

    Raises
    ------
    DataError
        If it is too long.
    """
    if len(text) > LONGEST_TEXT:
        raise DataError(f"a text has more than {LONGEST_TEXT:,} characters")
    return " ".join(text.split())


def _bytes(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise DataError(f"it has more than {most:,} bytes")
    return data
