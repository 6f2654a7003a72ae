"""Tables of texts: each row of a CSV, TSV or JSON Lines file becomes one piece.

One column is the text; the other columns are labels. A row that cannot be used is yielded as a
`DataError` that names its line. Memory does not grow with the file.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, TypeAlias

from seqgen.errors import DataError
from seqgen.plugin import Labelled

#: Suffixes of tables.
SUFFIXES = (".csv", ".tsv", ".jsonl")

#: Most characters in a row and in the rows that are looked at first, and most columns.
LONGEST, LONGEST_LOOK, MOST_COLUMNS = 2**20, 2**20, 1000

#: Rows that are looked at to recognise the dialect, the header and the text.
LOOKED_AT = 100

#: Rows that are reported one by one; the others are counted.
REPORTED = 100

#: Rows over several lines whose lines are read again because the row cannot be used.
MOST_AGAIN = 1000

#: Largest weight of a row, as `seqgen.plugin.Labelled` says.
MOST_WEIGHT = 100

#: Names of columns of text, the first choice first.
TEXTS = ("text", "title", "body", "content")

#: A row with the number of its first line: values by column, or the reason why it is unusable.
Row: TypeAlias = tuple[int, dict[str, str] | DataError]


@dataclass(frozen=True)
class Columns:
    """What the user says about the columns.

    Attributes
    ----------
    text : tuple of str
        Columns of text, to be joined by newlines; by default one is chosen.
    weight : str
        Column with the weights of rows, or "".
    header : bool or None
        Whether the first row of a CSV or TSV file has the names; None looks at it.
    """

    text: tuple[str, ...] = ()
    weight: str = ""
    header: bool | None = None


def read_table(
    chunks: Iterator[str], suffix: str, columns: Columns
) -> Iterator[Labelled | DataError]:
    """Yield the rows of a table as pieces, each with its labels.

    Parameters
    ----------
    chunks : iterator of str
        The file, with newlines as line ends. A lone surrogate stands for a wrong byte.
    suffix : str
        One of `SUFFIXES`; or .json, if each line is an element of a list.
    columns : Columns

    Raises
    ------
    DataError
        If the file has no row or not the named columns.
    """
    lines = _Lines(_lines(chunks))
    rows = _json_rows(lines) if suffix.startswith(".json") else _csv_rows(lines, suffix, columns)
    first = _first(rows)
    usable = [row for _, row in first if not isinstance(row, DataError)]
    if not first:
        raise DataError("the table has no row")
    names = list(dict.fromkeys(name for row in usable for name in row))
    texts = [_named(name, names) for name in columns.text] or _text_columns(usable)
    weight = _named(columns.weight, names) if columns.weight else ""
    labels = _label_names([name for name in names if name not in (*texts, weight)])
    facts, faults = {"text": " + ".join(texts)}, 0
    place = "element" if suffix == ".json" else "line"
    for number, row in chain(first, rows):
        try:
            if isinstance(row, DataError):
                raise row
            text = _checked_text([row[name] for name in texts if row.get(name)])
            found = {label: row.get(name, "") for name, label in labels.items()}
            yield Labelled(found, text, _weight(row.get(weight, "1")), facts)
        except DataError as error:
            faults += 1
            if faults <= REPORTED:
                yield DataError(f"{place} {number:,}: {error}")
    if faults > REPORTED:
        yield DataError(f"{faults - REPORTED:,} more rows cannot be used")


class _Lines(Iterator[str]):
    """Counted lines; those of an unusable row can be read again as rows of their own."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.number, self._lines = 0, lines
        self._row: list[str] = []
        self._waiting: deque[str] = deque()
        self._size, self._again = 0, 0

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._lines)
        self.number += 1
        self._row.append(line)
        self._size += len(line)
        if self._size > LONGEST + 1:
            cause = "; a quote may be open" if len(self._row) > 1 else ", and this line has more"
            raise DataError(f"a row has at most {LONGEST:,} characters{cause}")
        return line

    def look(self) -> list[str]:
        """Return the first lines of the file, which are read again."""
        head: list[str] = []
        with suppress(DataError):  # a row that is too long is reported when it is read
            head.extend(islice(self, LOOKED_AT))
        self._waiting.extend(self._row)
        self.number = 0
        return head

    def begin_row(self) -> int:
        """Begin a row and return the number of its first line."""
        self._row, self._size = [], 0
        return self.number + 1

    def read_again(self) -> None:
        """Give back all lines of the row but the first, up to `MOST_AGAIN` times."""
        self._again += len(self._row) > 1
        if self._again <= MOST_AGAIN:
            self._waiting.extendleft(reversed(self._row[1:]))
            self.number -= len(self._row) - 1
        self._row = []


def _lines(chunks: Iterator[str]) -> Iterator[str]:
    """Yield lines with their ends; of a line that is too long only the beginning."""
    held = ""
    for chunk in chunks:
        *whole, held = (held + chunk).split("\n")
        yield from (f"{line[: LONGEST + 1]}\n" for line in whole)
        held = held[: LONGEST + 1]
    if held:
        yield held + "\n" * (len(held) > LONGEST)  # as other lines, to be found too long


def _first(rows: Iterator[Row]) -> list[Row]:
    """Return the rows to look at."""
    first: list[Row] = []
    size = 0
    for row in islice(rows, LOOKED_AT):
        first.append(row)
        size += sum(map(len, row[1].values())) if isinstance(row[1], dict) else 0
        if size > LONGEST_LOOK:
            break
    return first


def _csv_rows(lines: _Lines, suffix: str, columns: Columns) -> Iterator[Row]:
    """Yield the rows of a CSV or TSV file."""
    dialect, width = _dialect(lines.look(), "\t" if suffix == ".tsv" else ",;\t|")
    records = _records(lines, dialect, width)
    first: list[tuple[int, list[str] | DataError]] = list(islice(records, LOOKED_AT))
    usable = [row for _, row in first if not isinstance(row, DataError)]
    names = [f"column_{number + 1}" for number in range(width)]
    is_header = columns.header
    if is_header is None and usable:
        is_header = _has_header(usable, columns)
    if is_header and usable:
        named = zip(names, usable[0], strict=True)
        names = _distinct([name.strip() or number for number, name in named])
        at = next(at for at, (_, row) in enumerate(first) if row is usable[0])
        del first[at]
    for number, row in chain(first, records):
        if isinstance(row, DataError):
            yield number, row
        else:
            yield number, dict(zip(names, row, strict=True))


def _records(
    lines: _Lines, dialect: dict[str, Any], width: int
) -> Iterator[tuple[int, list[str] | DataError]]:
    """Yield the cells of each row, or the reason why they cannot be used."""
    reader = csv.reader(lines, strict=True, **dialect)
    # The limit of Python's reader holds for the whole process: only raise it.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST + 1))
    while True:
        number = lines.begin_row()
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, DataError) as error:
            lines.read_again()
            yield number, DataError(str(error))
            continue
        if not row:
            continue  # an empty line
        if len(row) == width:
            yield number, row
        else:
            lines.read_again()
            found = f"{len(row):,} column{'s' * (len(row) != 1)}"
            yield number, DataError(f"it has {found}, expected {width}")


def _dialect(head: list[str], delimiters: str) -> tuple[dict[str, Any], int]:
    """Return the dialect with which most rows have the same number of columns, and that number."""
    best: tuple[float, ...] = (0.5,)
    # A delimiter that no text has: one column.
    chosen, width = {"delimiter": "\x1f"}, 1
    for delimiter in delimiters:
        # Tabs often separate texts with quotes that mean nothing.
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE)[: 1 + (delimiter == "\t")]:
            dialect: dict[str, Any] = {"delimiter": delimiter, "quoting": quoting}
            widths: Counter[int] = Counter()
            failed = 0
            reader = csv.reader(iter(head), strict=True, **dialect)
            while True:
                try:
                    row = next(reader)
                except StopIteration:
                    break
                except csv.Error as error:
                    # The last row may continue behind the lines that are looked at.
                    failed += "end of data" not in str(error)
                    continue
                widths[len(row)] += bool(row)
            [(common, count)] = widths.most_common(1) or [(1, 0)]
            share = count / max(widths.total() + failed, 1)
            if 1 < common <= MOST_COLUMNS and (share, common) > best:
                best, chosen, width = (share, common), dialect, common
    return chosen, width


def _has_header(rows: list[list[str]], columns: Columns) -> bool:
    """Return whether the first row has the names of the columns.

    It has if it has a known name, if numbers are below a word, or if the text below is much longer.
    """
    head, *rest = rows
    names = [name.strip() for name in head]
    if {name.casefold() for name in (*columns.text, columns.weight) if name} & {
        name.casefold() for name in names
    }:
        return True
    if any(map(_is_number, names)) or max(map(len, names)) > 50:
        return False
    if any(name.casefold() in TEXTS for name in names):
        return True
    # A first column of row numbers often has no name.
    if not all(names[1:]) or len({*names}) < len(names):
        return False
    below = list(zip(*rest, strict=True))  # columns
    if any(all(map(_is_number, values)) for values in below):
        return True
    return any(
        sum(map(len, values)) > 2 * len(name) * len(values)
        for name, values in zip(names, below, strict=False)
    )


def _json_rows(lines: _Lines) -> Iterator[Row]:
    """Yield the rows of a JSON Lines file: objects, or texts."""
    while True:
        number = lines.begin_row()
        try:
            line = next(lines)
            if line.strip():
                yield number, _json_row(line)
        except StopIteration:
            return
        except DataError as error:
            yield number, error


def _json_row(line: str) -> dict[str, str]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"it is no JSON ({error})") from None
    if isinstance(found, str):
        return {"text": found}
    if not isinstance(found, dict):
        raise DataError(f"expected an object of JSON, found {type(found).__name__}")
    if len(found) > MOST_COLUMNS:
        raise DataError(f"it has {len(found):,} columns; {MOST_COLUMNS} is the most")
    plain = {name: value for name, value in found.items() if not isinstance(value, dict | list)}
    return {name: _json_text(value) for name, value in plain.items()}


def _json_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _text_columns(rows: Sequence[dict[str, str]]) -> list[str]:
    """Return the column with a known name, or else the one with the longest texts on average."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    for wanted in TEXTS:
        if found := [name for name in names if name.casefold() == wanted]:
            return found[:1]
    sizes = {name: sum(len(row.get(name, "")) for row in rows) for name in names}
    return [max(names, key=sizes.__getitem__)] if names else []


def _named(wanted: str, names: list[str]) -> str:
    """Return the column that the user names.

    Raises
    ------
    DataError
        If there is none.
    """
    for same in (str, str.casefold):
        for name in names:
            if same(name) == same(wanted):
                return name
    shown = ", ".join(name[:50] for name in names[:20])
    raise DataError(f"it has no column {wanted!r}; its columns are {shown or 'unknown'}")


def _label_names(names: list[str]) -> dict[str, str]:
    """Return names of labels by column: words of letters, digits and _."""
    words = []
    for name in names:
        word = re.sub(r"\W+", "_", name).strip("_")[:90]
        words.append(word if word.isidentifier() else f"column_{word}".rstrip("_"))
    return dict(zip(names, _distinct(words), strict=True))


def _distinct(names: list[str]) -> list[str]:
    """Return names with a number after each that occurred before."""
    taken: dict[str, int] = {}
    found = []
    for name in names:
        number = taken.get(name, 0) + 1
        new = name if number == 1 else f"{name}_{number}"
        while number > 1 and new in taken:
            number += 1
            new = f"{name}_{number}"
        taken[name] = number
        taken.setdefault(new, 1)
        found.append(new)
    return found


def _checked_text(parts: list[str]) -> str:
    """Return the text of a row.

    Raises
    ------
    DataError
        If it is empty, or has a NUL, a byte of another encoding or a lone surrogate.
    """
    text = "\n".join(parts)
    if not text.strip():
        raise DataError("its text is empty")
    if "\0" in text:
        raise DataError("its text has a NUL")
    if wrong := re.search("[\ud800-\udfff]", text):
        code = ord(wrong[0])
        if 0xDC00 <= code <= 0xDCFF:
            raise DataError(f"its text has the byte {code - 0xDC00:#x}, which is of no encoding")
        raise DataError("its text has half a character (a lone surrogate)")
    return text


def _weight(text: str) -> float:
    with suppress(ValueError):
        if 0 <= (weight := float(text)) <= MOST_WEIGHT:
            return weight
    raise DataError(f"its weight must be a number from 0 to {MOST_WEIGHT}, found {text[:50]!r}")


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
