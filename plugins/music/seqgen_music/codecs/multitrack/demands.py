"""Requested instruments that have not sounded yet: the piece goes on until they do, compiled."""

from __future__ import annotations

from typing import Any

from seqgen.compiling import compiled
from seqgen_music.codecs.multitrack.grammar import (
    BAR,
    DRUM,
    DURATION,
    LAST_KIND,
    LINES,
    METRE,
    NOW_PROGRAM,
    PLAYS,
    POSITION,
    PROGRAM,
    TEMPO,
)

#: The bar in which requested instruments that have not sounded come first, if not the last one is
#: earlier.
DUE = 8

#: Most requests for instruments that are told apart; further ones count as the last.
MOST_REQUESTS = 62


@compiled
def demand(
    head: Any, players: Any, fulfils: Any, sounded: int, bars: int, starts: Any, mask: Any
) -> None:
    """Let a piece end after all requested instruments have sounded.

    In bar `DUE`, or in the last one, those that have not sounded come next: first those that stand
    before the others in the order of a position.

    Parameters
    ----------
    head, players : int64 array
        The state of the grammar, and its instruments.
    fulfils : int64 array (programs,)
        The requests that each instrument fulfils, as bits.
    sounded : int
        The requests that have been fulfilled, as bits.
    bars : int
        The requested number of bars; -1 for any.
    starts : int64 array
        First id of each kind.
    mask : bool array (V + 1,)
        What may come, changed in place.
    """
    kind, (missing, last) = head[LAST_KIND], _missing(players, fulfils, sounded)
    if not missing or not mask[:-1].any():
        return
    mask[-1] = False
    if head[LINES] < (min(DUE, bars) if bars >= 0 else DUE):
        return
    if kind in (BAR, METRE):
        mask[starts[METRE] : starts[POSITION]] = False
    elif kind in (POSITION, TEMPO, DRUM, DURATION):
        present, first = head[NOW_PROGRAM], starts[PROGRAM]
        for program in range(len(fulfils)):
            comes = (fulfils[program] & missing) != 0 and program <= last
            mask[first + program] = mask[first + program] and comes
        others = present == 0 or (fulfils[present - 1] & missing) == 0 or present > last + 1
        if others and mask[first : starts[PROGRAM + 1]].any():
            mask[:first] = mask[starts[PROGRAM + 1] :] = False
        elif others and mask[starts[POSITION] : first].any():
            mask[: starts[POSITION]] = mask[first:] = False


@compiled
def _missing(players: Any, fulfils: Any, sounded: int) -> tuple[int, int]:
    """Return the requests that have not sounded, as bits, and the last program that may come.

    After a later one, some request could not be fulfilled at the same position.
    """
    missing, last = 0, len(fulfils)
    for program in range(len(fulfils)):
        if players[program + 1, PLAYS]:
            missing |= fulfils[program] & ~sounded
    for bit in range(MOST_REQUESTS if missing else 0):
        if missing >> bit & 1:
            highest = -1
            for program in range(len(fulfils)):
                if players[program + 1, PLAYS] and fulfils[program] >> bit & 1:
                    highest = program
            last = min(last, highest)
    return missing, last
