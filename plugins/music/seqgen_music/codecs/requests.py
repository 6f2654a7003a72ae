"""What can be requested of new pieces by several codecs: metre and number of bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seqgen.conditions.requests import Request, count
from seqgen_music.bars import Metre, metre_name, metre_named

BARS = Request("Number of bars.", "8", count)
METRE = Request("Metre throughout.", "4/4", metre_named)


def metre_request(metres: Sequence[Metre]) -> Request:
    """Return the request for one of the metres of a corpus."""
    values = {metre_name(metre): metre for metre in metres}
    return replace(METRE, example=next(iter(values)), values=values)
