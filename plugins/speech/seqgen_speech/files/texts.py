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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from seqgen.conditions.labels import check_name
from seqgen.errors import DataError
from seqgen.files import text_of
from seqgen_speech.files.times import TIMES, times_of
from seqgen_speech.sound import Times

#: Suffixes of a text beside a recording.
BESIDE = (".txt", ".lab")

#: Names of the two tables of texts.
TABLE, LJSPEECH = "texts.tsv", "metadata.csv"

#: Most bytes of a text, and of a table.
LONGEST_TEXT, LONGEST_TABLE = 2**16, 2**26


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
    if place.name not in _READERS:
        return Words(_one_line(text_of(_bytes(place, LONGEST_TEXT))))
    status = place.stat()
    table = _table(place, status.st_mtime_ns, status.st_size)
    inside = recording.relative_to(place.parent)
    names = (inside, inside.with_suffix(""), Path(inside.name), Path(inside.stem))
    return next((table[name] for name in names if name in table), Words())


@lru_cache(maxsize=4)
def _table(place: Path, changed: int, size: int) -> Mapping[Path, Words]:
    """Return the rows of a table by the name of the recording; cached until the file changes.

    A name with folders also counts without them, unless another row has the same.
    """
    lines = text_of(_bytes(place, LONGEST_TABLE)).split("\n")
    rows = {Path(name): words for name, words in _READERS[place.name](lines)}
    alike = Counter(path.name for path in rows)
    short = {Path(path.name): words for path, words in rows.items() if alike[path.name] == 1}
    return short | rows


def _rows(lines: list[str]) -> Iterator[tuple[str, Words]]:
    """Yield names and words of ``texts.tsv``."""
    columns = [column.strip() for column in lines[0].split("\t")]
    if not {"file", "text"} <= {*columns} or len({*columns}) < len(columns):
        raise DataError(f"expected the columns file and text, each once, found {columns[:8]}")
    for column in columns:
        check_name(column)
    seen: dict[str, Words] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise DataError(f"line {number} has {len(cells)} cells; expected {len(columns)}")
        row = dict(zip(columns, map(str.strip, cells), strict=True))
        name, text = row.pop("file"), _one_line(row.pop("text"))
        words = Words(text, {key: value for key, value in row.items() if value})
        if seen.setdefault(name, words) != words:
            raise DataError(f"line {number} has another text or label for {name} than a line above")
        yield name, words


def _ljspeech(lines: list[str]) -> Iterator[tuple[str, Words]]:
    """Yield names and words of ``metadata.csv``; none if it has another form."""
    for line in lines if "|" in lines[0] else ():
        name, *texts = line.split("|")
        filled = [text for text in map(_one_line, texts) if text]
        # The last column is the normalised text, with numbers in letters.
        if name.strip() and filled:
            yield name.strip(), Words(filled[-1])


def _timed(lines: list[str]) -> Iterator[tuple[str, Words]]:
    """Yield names and times of ``times.tsv``."""
    for name, times in times_of(lines).items():
        yield name, Words(times=times)


#: Reads a table, by its name.
_READERS: Mapping[str, Callable[[list[str]], Iterator[tuple[str, Words]]]] = {
    TABLE: _rows,
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
