"""What can be requested of new pieces: key, metre, number of bars, phrases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from seqgen.conditions.requests import Request, count
from seqgen_music import keys
from seqgen_music.bars import Metre, metre_name, metre_named
from seqgen_music.chords import KINDS
from seqgen_music.codecs.melody.progression import progression_reader

#: Most digits of a number of phrases or quarters.
DIGITS = 6


def phrases(text: str) -> int | tuple[float, ...]:
    """Read a number of phrases, such as 4, or the quarters of each, such as 8+8+12.

    Raises
    ------
    ValueError
        If the text is neither.
    """
    if "+" not in text:
        return count(text)
    lengths = [part.strip() for part in text.split("+")]
    if all(re.fullmatch(rf"\d{{1,{DIGITS}}}(\.\d{{1,{DIGITS}}})?", each) for each in lengths):
        return tuple(map(float, lengths))
    raise ValueError(
        f"expected a number of phrases, such as 4, or quarters, such as 8+8+12, found {text!r}"
    )


BARS = Request("Number of bars.", "8", count)
PHRASES = Request("Number of phrases, or the quarters of each.", "4", phrases)
KEY = Request(
    "Key of the piece.", "C minor", keys.named, {name: n for n, name in enumerate(keys.NAMES)}
)
METRE = Request("Metre throughout.", "4/4", metre_named)


#: Chords of new pieces.
CHORDS = Request("Chords of each bar; without bars they say how many.", "C | F | C")


def chord_request(kinds: Sequence[str]) -> Request:
    """Return the request for chords of the kinds of a corpus."""
    suffix = KINDS[kinds[0]].suffix
    shown = f"C{suffix} | F{suffix} | C{suffix}"
    return replace(CHORDS, example=shown, read=progression_reader(kinds))


def metre_request(metres: Sequence[Metre]) -> Request:
    """Return the request for one of the metres of a corpus."""
    values = {metre_name(metre): metre for metre in metres}
    return replace(METRE, example=next(iter(values)), values=values)
