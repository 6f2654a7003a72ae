"""The order in which bars with repeats, endings and parts are played."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from seqgen.errors import DataError

#: Most bars of a piece that is played out.
MOST_PLAYED = 2**16


class Repeated(Protocol):
    """A bar; `seqgen_music.files.score_bars.Bar` says what the attributes mean."""

    opens: bool
    closes: int
    ending: tuple[int, ...]
    section: bool
    part: str


def played_out(bars: Sequence[Repeated], parts: str = "") -> list[int]:
    """Return the indices of bars in the order in which they are played.

    A repeat without a start goes back to the last end of a repeat, or to the first bar. An ending
    lasts to the next one, to a repeat or to a double bar line.

    Parameters
    ----------
    bars : sequence of Repeated
    parts : str
        The order of the parts, such as ``AABA`` or ``A2B``; empty if the bars are in order.

    Raises
    ------
    DataError
        If more than 65,536 bars would be played.
    """
    stretches = _stretches(bars, parts)
    order: list[int] = []
    for start, stop in stretches:
        order += _played(bars, start, stop)
        if len(order) > MOST_PLAYED:
            raise DataError(f"with its repeats the piece has more than {MOST_PLAYED:,} bars")
    return order


def _stretches(bars: Sequence[Repeated], parts: str) -> list[tuple[int, int]]:
    """Return the stretches of bars, from one index to another, that are played in turn."""
    begins = [number for number, bar in enumerate(bars) if bar.part]
    plain = re.sub(r"[\s.]", "", parts)
    if not begins or not re.fullmatch(r"(?:[A-Za-z]\d?)+", plain) or len(plain) > 256:
        return [(0, len(bars))]
    ends = [*begins[1:], len(bars)]
    places = {bars[at].part: (at, end) for at, end in zip(begins, ends, strict=True)}
    found = re.findall(r"([A-Za-z])(\d?)", plain)
    names = [name for name, times in found for _ in range(int(times or 1))]
    if not set(names) <= places.keys():
        return [(0, len(bars))]
    # What stands before the first part is an upbeat.
    return [(0, begins[0]), *(places[name] for name in names)]


def _played(bars: Sequence[Repeated], start: int, stop: int) -> list[int]:
    """Return the bars from `start` to `stop` as they are played."""
    order: list[int] = []
    at, begin, current = start, start, 1
    while at < stop and len(order) <= MOST_PLAYED:
        if bars[at].opens and at != begin:
            begin, current = at, 1
        if not bars[at].ending:
            order.append(at)
            goes_back = current <= bars[at].closes
            ends_section = bars[at].closes > 0
            at += 1
        else:
            end, chain_end, last = _ending(bars, at, stop)
            if current not in bars[at].ending:
                at = end
                continue
            order += range(at, end)
            goes_back = current < last and (bars[end - 1].closes > 0 or end < chain_end)
            ends_section, at = True, chain_end
        if goes_back:
            at, current = begin, current + 1
        elif ends_section:
            begin, current = at, 1
    return order


def _ending(bars: Sequence[Repeated], at: int, stop: int) -> tuple[int, int, int]:
    """Return the ends of an ending and of those that follow it, and their last pass."""
    first_stop, last, count = 0, 1, 0
    while at < stop and bars[at].ending:
        last, count = max(last, *bars[at].ending), count + 1
        at += 1
        while (
            at < stop
            and not (bars[at - 1].closes or bars[at - 1].section)
            and not (bars[at].ending or bars[at].opens)
        ):
            at += 1
        first_stop = first_stop or at
    return first_stop, at, last
