"""Chooses what a piece is by a look at the files of a corpus: careful, and a file where unsure.

A list is a text in which every line stands for itself, such as titles or names. Neighbouring lines
of prose, verse, code or a chat belong together, and a model that reads them one by one cannot learn
how they follow each other.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from seqgen.errors import DataError
from seqgen_text.files.decoding import TextFile
from seqgen_text.files.dumps import is_dump
from seqgen_text.files.pieces import Kind
from seqgen_text.files.recognising import SIGNATURES, marked, unmarked, why_no_text
from seqgen_text.files.tables import SUFFIXES as TABLES

#: Most files that are looked at, and most characters of each.
LOOKED_AT, LOOK = 20, 2**18

#: Bytes at the beginning of a file that show whether it is text.
FIRST_BYTES = 2**13

#: Suffixes of files that may be lists. Others have a form of their own, such as source code.
LISTS = ("", ".txt", ".list", ".lst")

#: A mark between texts that nothing else contains.
END_OF_TEXT = "<|endoftext|>"

#: Fewest lines of a list, and most characters of a line in it.
FEWEST_LINES, LONGEST_LINE = 50, 500

#: What other texts have in many lines: a pattern, the largest share of lines in a list, and words.
SIGNS: tuple[tuple[re.Pattern[str], float, str], ...] = (
    (re.compile(r"\s"), 0.01, "begin with blanks, as in source code"),
    (re.compile(r".*[,;:\-–—(\[{\\/+=&|]\s*$"), 0.02, "end as if the next one went on"),
    (re.compile(r".*[{}<>\\;]"), 0.1, "have signs of source code or markup"),
    (re.compile(r".*\t"), 0.1, "have tabs, as in a table"),
    (re.compile(r"\W{0,2}\d{1,4}[-:./]\d\d"), 0.1, "begin with a date or time"),
    (re.compile(r"\W?[\w.' -]{1,30}[:>] "), 0.2, "begin with a name, as in a chat"),
    (re.compile(r"[\W\d_]*$"), 0.1, "have no letter"),
)


def is_text(path: Path) -> bool:
    """Return whether a file is text by its first bytes; so is one that cannot be opened."""
    with suppress(OSError), path.open("rb") as file:
        begin = file.read(FIRST_BYTES)
        if any(begin.startswith(first) for first, _ in SIGNATURES):
            return False
        if encoding := marked(begin) or unmarked(begin):
            # Programs have NULs too, but not in the places of letters alone.
            text = begin[: len(begin) // 4 * 4].decode(encoding, "replace")
            odd = sum(unicodedata.category(each) in ("Cc", "Cn", "Co", "So") for each in text)
            return odd - text.count("\n") - text.count("\r") - text.count("\t") <= len(text) / 50
        return b"\0" not in begin and why_no_text(begin) is None
    return True


def choose_pieces(files: Sequence[Path], encoding: str) -> tuple[Kind, str, str]:
    """Return what a piece of these files is, the delimiter if it is one, and the reason.

    `auto` is the natural piece of each format: a row of a table, a page of a Wikipedia dump, or
    else the file. Only a corpus of lists alone is read by lines. At most `LOOKED_AT` files are
    looked at.
    """
    plain = [path for path in files if path.suffix.lower() not in TABLES]
    if not plain:
        return "auto", "", "each row of a table"
    if len(plain) < len(files):
        return "auto", "", "each row of a table, and each other file"
    step = max(len(plain) / LOOKED_AT, 1)
    looked_at = [plain[int(number * step)] for number in range(min(len(plain), LOOKED_AT))]
    texts = {path: _beginning(path, encoding) for path in looked_at}
    if dumps := sum(map(is_dump, texts.values())):
        others = ", and each other file" * (dumps < len(texts))
        return "auto", "", f"each page of a Wikipedia dump{others}"
    if all(END_OF_TEXT in text for text in texts.values()):
        return "delimiter", END_OF_TEXT, f"what is between two {END_OF_TEXT}"
    lines = 0
    for path, text in texts.items():
        if reason := why_no_list(text, path.suffix.lower()):
            return "auto", "", f"each whole file, not its lines ({path.name}: {reason})"
        lines += text.count("\n")
    return "line", "", f"each line; the {lines:,} lines looked at are a list"


def why_no_list(text: str, suffix: str = "") -> str:
    """Return why the lines of a text do not stand for themselves, or "" if they do."""
    if suffix not in LISTS:
        return f"files of kind {suffix} are no lists"
    lines = text.splitlines()
    if len(lines) < FEWEST_LINES:
        return f"it has fewer than {FEWEST_LINES} lines"
    if max(map(len, lines)) > LONGEST_LINE:
        return f"a line has more than {LONGEST_LINE} characters"
    full = [line for line in lines if line.strip()]
    if len(full) < 0.99 * len(lines):
        return "it has empty lines, as between paragraphs"
    for pattern, most, words in SIGNS:
        if (count := sum(1 for line in full if pattern.match(line))) > most * len(full):
            return f"{count:,} of {len(full):,} lines {words}"
    return _why_continuous(full)


def _why_continuous(lines: list[str]) -> str:
    """Return why lines seem to continue each other, or ""."""
    count = len(lines)
    if len(set(lines)) < 0.9 * count:
        return "many lines are the same"
    words = [len(line.split()) for line in lines]
    small = sum(line[0].islower() for line in lines)
    if small > 0.2 * count and sum(words) > 1.5 * count:
        return f"{small:,} of {count:,} lines begin with a small letter"
    sizes = sorted(map(len, lines))
    full, widest = sizes[count // 2], sizes[count * 9 // 10]
    if widest > 40 and full > 0.85 * widest:
        return "most lines have the same width, as broken lines have"
    ended = sum(line.rstrip()[-1] in ".!?…。！？»”\"'’)" for line in lines)
    if ended > 0.8 * count and sum(words) > 4 * count:
        return "nearly all lines are sentences, which may follow each other"
    commas = Counter(line.count(",") for line in lines)
    common, frequency = commas.most_common(1)[0]
    if common and frequency > 0.8 * count:
        return "all lines have the same number of commas, as in a table"
    return ""


def _beginning(path: Path, encoding: str) -> str:
    """Return whole lines from the beginning of a file; nothing of one that cannot be read."""
    with suppress(DataError, OSError, UnicodeError):
        text = "".join(_first(TextFile(path, encoding).chunks()))
        return text if len(text) <= LOOK else text[:LOOK].rpartition("\n")[0] + "\n"
    return ""


def _first(chunks: Iterator[str]) -> Iterator[str]:
    """Yield the first chunks of a text, as far as they are looked at."""
    size = 0
    for chunk in islice(chunks, LOOK):
        yield chunk
        size += len(chunk)
        if size > LOOK:
            return
