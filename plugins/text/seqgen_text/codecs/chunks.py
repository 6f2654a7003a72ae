"""Cuts a text into chunks, across which no subword reaches.

A chunk is a word with the blank before it, a digit, punctuation with the line ends after it, or a
run of blanks or line ends. What follows a text changes at most its last chunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from seqgen_text.codecs.word_parts import APOSTROPHES, combining_marks

#: Longest run of characters of one kind in a chunk, such as of Chinese characters.
LONGEST_RUN = 32


@cache
def _chunk() -> re.Pattern[str]:
    some, any_number = f"{{1,{LONGEST_RUN}}}", f"{{0,{LONGEST_RUN}}}"
    letters, marks = r"[^\W\d]", f"[{combining_marks()}]"
    word = f"{letters}{some}(?:{marks}{some}{letters}{any_number}){{0,{LONGEST_RUN}}}"
    kinds = (
        f" ?[{APOSTROPHES}]?{word}",
        r"\d",
        rf" ?[^\s\w]{some}\n{any_number}",
        rf"\n{some}",
        # The last blank belongs to the word or sign after it.
        rf"[^\S\n]{some}?(?= [^\s\d]|\S|\n|\Z)",
        rf"[^\S\n]{some}",
    )
    return re.compile("|".join(kinds))


def chunks(text: str) -> Iterator[str]:
    """Yield the chunks of a text; joined, they are the text."""
    # A list would take many times the memory of a long text.
    return (found[0] for found in _chunk().finditer(text))
