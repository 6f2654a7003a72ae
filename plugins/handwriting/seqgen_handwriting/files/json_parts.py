"""JSON in parts: lists and objects at one depth are cut out, so that no file is held as objects.

A point as a list of three numbers takes five times the bytes that it has in a file.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator
from typing import Any

#: A string, or the begin or end of a list or an object. Nothing is tried twice, so time and memory
#: do not grow with what a string holds.
TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)

#: Limit of the bytes around the parts: texts and names.
LONGEST_FRAME = 2**23


class Parts:
    """What is left of JSON, and the parts that were cut out of it.

    Parameters
    ----------
    content : bytes
    depth : int
        The number of lists and objects around each part.

    Attributes
    ----------
    frame : object
        The content with a list of one number, that of the part, in the place of each part.

    Raises
    ------
    ValueError
        If the rest is not JSON of UTF-8, or is longer than `LONGEST_FRAME`.
    """

    def __init__(self, content: bytes, depth: int) -> None:
        self._content = content
        #: Begin and end of each part, one after another.
        self._bounds = array("q")
        frame, end = bytearray(), 0
        for begin, after in _spans(content, depth):
            frame += content[end:begin] + b"[%d]" % (len(self._bounds) // 2)
            self._bounds.extend((begin, after))
            end = after
            if len(frame) > LONGEST_FRAME:
                break
        if len(frame) + len(content) - end > LONGEST_FRAME:
            raise ValueError(f"it has more than {LONGEST_FRAME:,} bytes beside its points")
        frame += content[end:]
        self.frame = json.loads(frame.decode("utf-8-sig"))

    def content(self, stub: Any) -> bytes:
        """Return the JSON of the part that stands in the frame as `stub`.

        Raises
        ------
        TypeError
            If `stub` is none.
        """
        if not isinstance(stub, list):
            raise TypeError(f"found {str(stub)[:40]} in the place of a list")
        number = 2 * stub[0]
        return self._content[self._bounds[number] : self._bounds[number + 1]]


def _spans(content: bytes, depth: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each list or object with so many around it."""
    open_, begin = 0, 0
    for token in TOKEN.finditer(content):
        sign = content[token.start()]
        if sign in b"[{":
            if open_ == depth:
                begin = token.start()
            open_ += 1
        elif sign in b"]}":
            open_ -= 1
            if open_ == depth:
                yield begin, token.end()
            if open_ < 0:
                raise ValueError("it closes more lists and objects than it opens")
    if open_:
        raise ValueError("it ends within a list or an object")
