"""A JSON file that is one list, as the lines of a JSON Lines file; memory does not grow with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain

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
        is_empty = not number and sign == "[" and text[begin : begin + 1] == "]"
        if is_empty or (number and sign == "]"):
            rest = chain([text[begin + is_empty :]], chunks)
            if any(part.strip() for part in rest):
                raise DataError("it is no JSON list: more follows its end")
            return
        if sign and sign != ("," if number else "["):
            place = f"after element {number:,}" if number else "at its beginning"
            raise DataError(f"it is no JSON list: {place} is {sign!r}")
        try:
            found, end = decoder.raw_decode(text, begin)
        except (ValueError, RecursionError) as error:
            is_long = len(text) - at > LONGEST
            if is_over or is_long or isinstance(error, RecursionError):
                why = f"or has over {LONGEST:,} characters" if is_long else f"({_reason(error)})"
                raise DataError(f"it is no JSON {why}") from None
            end = len(text)
        # A number may go on in the next chunk.
        is_whole = _FOLLOWS.match(text, end) is not None
        if is_whole or is_over or len(text) - at > LONGEST:
            number, at = number + 1, end
            # Escapes would make it longer, perhaps too long.
            yield json.dumps(found, ensure_ascii=False) + "\n"
        elif (chunk := next(chunks, None)) is None:
            is_over = True
        else:
            text, at = text[at:] + chunk, 0


def _reason(error: Exception) -> str:
    """Return what is wrong, without the place: it counts from the part that is held."""
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)
