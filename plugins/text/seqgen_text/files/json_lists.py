"""A JSON file that is one list, as the lines of a JSON Lines file; memory does not grow with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from seqgen.errors import DataError

#: Most characters of an element that are held, beside a chunk.
LONGEST = 2**20

#: What is between two elements: a comma, or a bracket at the beginning and at the end.
_SIGN = re.compile(r"\s*([^\s]?)\s*")

#: What follows an element.
_FOLLOWS = re.compile(r"\s*[,\]]")


def elements(chunks: Iterator[str]) -> Iterator[str]:
    """Yield each element of a JSON list as a line.

    Parameters
    ----------
    chunks : iterator of str
        The file.

    Raises
    ------
    DataError
        If it is no list, or an element is not JSON or too long; those before it are yielded.
    """
    decoder = json.JSONDecoder()
    text, at, number, is_over = "", 0, 0, False
    while True:
        match = _SIGN.match(text, at)
        assert match is not None  # it also fits nothing
        sign, begin = match[1], match.end()
        if (sign == "]" and number) or (text[begin : begin + 1] == "]" and not number):
            return
        if sign and sign != ("," if number else "["):
            place = f"after element {number:,}" if number else "at its beginning"
            raise DataError(f"it is no JSON list: {place} is {sign!r}")
        try:
            found, end = decoder.raw_decode(text, begin)
        except (ValueError, RecursionError) as error:
            if is_over or len(text) - at > LONGEST or isinstance(error, RecursionError):
                raise DataError(f"element {number + 1:,} is no JSON ({error})") from None
            end = len(text)
        # A number may go on in the next chunk.
        is_whole = _FOLLOWS.match(text, end) is not None
        if is_whole or is_over or len(text) - at > LONGEST:
            number, at = number + 1, end
            yield json.dumps(found) + "\n"
        elif (chunk := next(chunks, None)) is None:
            is_over = True
        else:
            text, at = text[at:] + chunk, 0
