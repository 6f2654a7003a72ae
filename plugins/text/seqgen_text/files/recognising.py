"""Recognises the encoding of bytes: UTF-8, marks, NULs, or else what chardet proposes.

chardet compares statistics of many languages. Where its proposals are close, as they are for short
texts, the one with the fewest odd places decides: capitals after small letters in a word, signs
inside a word, a word of two scripts.
"""

from __future__ import annotations

import codecs
import itertools
import re
import unicodedata
from collections import Counter
from functools import cache

#: Marks at the beginning of a file, with their encodings. That of UTF-32 begins like one of UTF-16.
MARKED = (
    *((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32")),
    *((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")),
    (codecs.BOM_UTF8, "utf-8"),
)

#: Encodings that are looked for, beside Unicode. Of several that differ in few characters the
#: first comes first.
LEGACY = (
    *("cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258"),
    *("iso8859-1", "iso8859-15", "iso8859-2", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8"),
    *("iso8859-9", "iso8859-13", "koi8-r", "koi8-u", "cp874", "mac-roman", "mac-cyrillic"),
    *("cp437", "cp850", "cp852", "cp866", "gb18030", "big5hkscs", "cp932"),
    *("euc_jis_2004", "cp949"),
)

#: First bytes of files that are no text.
SIGNATURES = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive, which office documents are too"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a database"),
    (b"OggS", "sound"),
    (b"RIFF", "sound or video"),
    (b"ID3", "sound"),
    (b"fLaC", "sound"),
    (b"MThd", "MIDI"),
)

#: Control characters that no text has, but for a NUL here and there.
_CONTROLS = bytes({*range(32), 127} - {*b"\t\n\v\f\r\x1a\x1b"})

_PRINTABLE = bytes([*range(32, 127), *b"\t\n\r"])

#: Least share of one script in a text of two bytes a character.
LEAST_SCRIPT = 0.8

#: Share of NULs below which bytes that are else ASCII are no two bytes a character.
FEW_NULS = 0.3

#: Share of control characters from which bytes are no text.
MOST_CONTROLS = 0.02

#: Characters between two letters, and characters without a meaning.
_BETWEEN = re.compile(r"(?<=[^\W\d_])[^\w\s](?=[^\W\d_])|[\x80-\x9f\ue000-\uf8ff\ufffd]")

#: Characters that may stand between two letters.
_USUAL = frozenset("-‐‑–—―'’.·,/&@:;_+=()[]<>\"!?*#%…|\\{}~^`$\xad")

#: Scripts of which a word may have several.
_MIXED = {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}

#: Characters in which to look for text that was encoded twice.
SEEN = 2**17

#: Proposals of chardet that are compared, in so many characters, and weight of the share of odd
#: places.
COMPARED, LOOKED_AT, WEIGHT = 12, 2**13, 10


def marked(begin: bytes) -> str | None:
    """Return the encoding that a mark at the beginning says."""
    return next((name for mark, name in MARKED if begin.startswith(mark)), None)


def unmarked(begin: bytes) -> str | None:
    """Return the encoding of two or four bytes a character that has no mark, by its pattern.

    Latin letters have a NUL beside them, and so have blanks and line ends of most scripts. Other
    texts have one script in one order of the bytes, and many in the other.
    """
    begin = begin[: len(begin) // 4 * 4]
    if not begin:
        return None
    nuls = [begin[at::4].count(0) / (len(begin) // 4) for at in range(4)]
    for name, upper in (("utf-32-le", nuls[2:]), ("utf-32-be", nuls[:2])):
        if min(upper) > 0.9 and _coherence(begin, name) > LEAST_SCRIPT:
            return name
    others = begin.replace(b"\0", b"")
    if sum(nuls) < 4 * FEW_NULS and len(others.translate(None, _PRINTABLE)) < len(others) / 20:
        return None  # ASCII with NULs, whose pairs would be Chinese
    second, first = (nuls[1] + nuls[3]) / 2, (nuls[0] + nuls[2]) / 2
    orders = [("utf-16-le", second, first), ("utf-16-be", first, second)]
    for name, high, low in orders:
        if high > 0.03 and low < high / 10 and _coherence(begin, name) > LEAST_SCRIPT:
            return name
    unlike_ascii = len(begin.translate(None, _PRINTABLE)) / len(begin)
    if unlike_ascii > 0.2 and unlike_ascii - sum(byte > 127 for byte in begin) / len(begin) > 0.02:
        shares = {name: _coherence(begin, name) for name, _, _ in orders}
        best = max(shares, key=shares.__getitem__)
        if shares[best] > LEAST_SCRIPT and min(shares.values()) < LEAST_SCRIPT:
            return best
    return None


def _coherence(begin: bytes, name: str) -> float:
    """Return the share of characters in the commonest script, and of blanks and punctuation."""
    text = begin.decode(name, "replace")
    scripts: Counter[str] = Counter()
    neutral = 0
    for char in text:
        kind = unicodedata.category(char)[0]
        if kind in "ZPNS" or char in "\n\r\t":
            neutral += 1
        elif kind in "LM":
            script = _script(char)
            scripts["CJK" if script in _MIXED else script] += 1
    return (max(scripts.values(), default=0) + neutral) / len(text)


def why_no_text(begin: bytes) -> str | None:
    """Return why bytes are no text of one to four bytes a character, or None if they may be."""
    controls = len(begin) - len(begin.translate(None, _CONTROLS))
    if controls <= MOST_CONTROLS * len(begin):
        return None
    # A text with control codes, such as one that a model of bytes wrote, is read as it is.
    if _text(begin, "utf-8") is not None and (controls < 0.3 * len(begin) or len(begin) < 512):
        return None
    kind = next((kind for first, kind in SIGNATURES if begin.startswith(first)), "no text")
    found = f"{controls:,} of its first {len(begin):,} bytes are control codes"
    return f"it is {kind}: {found}"


def recognised(sample: bytes) -> str | None:
    """Return the encoding of bytes that are no UTF-8, or None if none is likely.

    Parameters
    ----------
    sample : bytes
        Lines of a file; the last character may be cut.
    """
    import chardet

    found = chardet.detect_all(
        sample, ignore_threshold=True, compat_names=False, include_encodings=LEGACY
    )
    scores: dict[str, tuple[float, int]] = {}
    names: dict[str, str] = {}
    for each in found[:COMPARED]:
        name = str(each["encoding"])
        if name in LEGACY and (text := _text(sample, name)) is not None:
            rank = -LEGACY.index(name)
            likely = each["confidence"] * max(1 - WEIGHT * oddness(text[:LOOKED_AT]), 0)
            # Encodings that give the same text have the name of the first.
            names[text] = max(names.get(text, name), name, key=lambda one: -LEGACY.index(one))
            scores[text] = max(scores.get(text, (0.0, rank)), (likely, rank))
    return names[max(scores, key=scores.__getitem__)] if scores else None


def wrong_and_right(text: str) -> tuple[int, int]:
    """Return how many characters stand for wrong bytes, and how many others are beyond ASCII.

    Parameters
    ----------
    text : str
        Half a character (a lone surrogate) stands for a wrong byte.
    """
    if text.isascii():
        return 0, 0
    wrong = sum("\ud800" <= char <= "\udfff" for char in text)
    return wrong, sum(not char.isascii() for char in text) - wrong


def twice_encoded(text: str) -> tuple[str, str] | None:
    """Return an example of UTF-8 that was read as cp1252 and encoded again: 'Ã©' and 'é'.

    None if less than nine tenths of the runs of characters beyond ASCII are of that kind.
    """
    runs = re.findall(r"[^\x00-\x7f]+", text[:SEEN])
    meant = {run: _once_encoded(run) for run in {*runs}}
    example = next((run for run in runs if meant[run]), None)
    if example is None or 10 * sum(meant[run] is not None for run in runs) < 9 * len(runs):
        return None
    return example, str(meant[example])


def _once_encoded(run: str) -> str | None:
    try:
        # Bytes without a meaning in cp1252 were read as controls of latin-1.
        data = b"".join(
            char.encode("latin-1" if "\x80" <= char <= "\x9f" else "cp1252") for char in run
        )
        return data.decode()
    except UnicodeError:
        return None


def oddness(text: str) -> float:
    """Return the number of odd places in a text, for each character that is not ASCII."""
    count = sum(not each.isascii() for each in text)
    if not count:
        return 0.0
    odd = sum(
        sign not in _USUAL and not unicodedata.category(sign).startswith("M")
        for sign in _BETWEEN.findall(text)
    )
    for word in re.findall(r"[^\W\d_]{2,}", text):
        if not word.isascii():
            pairs = itertools.pairwise(word)
            odd += sum(small.islower() and large.isupper() for small, large in pairs)
            odd += len({*map(_script, word)} - _MIXED) > 1
    return odd / count


def _text(sample: bytes, name: str) -> str | None:
    """Return the text, or None if more than its last character cannot be decoded."""
    try:
        return codecs.getincrementaldecoder(name)().decode(sample)
    except UnicodeDecodeError:
        return None


@cache
def _script(letter: str) -> str:
    """Return the script of a letter by its name: LATIN, CYRILLIC, GREEK ..."""
    return unicodedata.name(letter, "UNKNOWN").split()[0]
