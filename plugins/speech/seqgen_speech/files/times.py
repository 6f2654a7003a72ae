"""What is said when in recordings: the table ``times.tsv``.

Its columns are ``file``, ``symbol``, ``begin`` and ``end``, in seconds. Symbols are phonemes or
letters. The rows of a recording are in order. A row without a symbol is the gap between two words;
a sign such as ``,`` or ``.`` is a pause.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seqgen.errors import DataError
from seqgen_speech.sound import GAP, Times

#: Name of the table, and its columns.
TIMES, COLUMNS = "times.tsv", ("file", "symbol", "begin", "end")

#: Most characters of a symbol, and most seconds.
LONGEST_SYMBOL, LAST_SECOND = 16, 1e5


def check_columns(columns: Sequence[str]) -> None:
    """Check the columns of a table.

    Raises
    ------
    DataError
        If they are not `COLUMNS`.
    """
    if (*columns,) != COLUMNS:
        raise DataError(f"expected the columns {', '.join(COLUMNS)}, found {[*columns[:8]]}")


def times_of(rows: Iterable[tuple[int, str]]) -> Times:
    """Return what is said when in a recording, from the numbers and lines of its rows.

    Raises
    ------
    DataError
        If a row cannot be used.
    """
    times: list[tuple[str, float, float]] = []
    for number, line in rows:
        cells = line.split("\t")
        if len(cells) != len(COLUMNS):
            raise DataError(f"line {number} has {len(cells)} cells; expected {len(COLUMNS)}")
        times.append(_row(cells[1:], times[-1][2] if times else 0.0, number))
    return tuple(times)


def table_of(times: Iterable[tuple[str, Times]]) -> str:
    """Return the table of recordings by name; seconds are rounded to tenths of milliseconds."""
    rows = ["\t".join(COLUMNS)]
    for name, own in times:
        rows += [f"{name}\t{symbol.strip()}\t{begin:.4f}\t{end:.4f}" for symbol, begin, end in own]
    return "\n".join(rows) + "\n"


def _row(cells: Sequence[str], least: float, number: int) -> tuple[str, float, float]:
    """Return symbol, begin and end of a row that begins at a second or later."""
    symbol = cells[0].strip() or GAP
    is_one = symbol == GAP or (len(symbol.split()) == 1 and symbol.isprintable())
    if len(symbol) > LONGEST_SYMBOL or not is_one:
        raise DataError(
            f"line {number} has the symbol {symbol[:40]!r}; expected at most {LONGEST_SYMBOL} "
            f"printable characters and no blank: symbols are phonemes or letters, not words"
        )
    try:
        begin, end = (float(cell) for cell in cells[1:])
    except ValueError as error:
        raise DataError(f"line {number} has a time that is no number of seconds") from error
    if not least - 1e-3 <= begin <= end <= LAST_SECOND:
        raise DataError(
            f"line {number} goes from {begin:g} to {end:g} s after a row up to {least:g} s; "
            f"expected rows in order"
        )
    return symbol, begin, end
