"""The state of a multitrack piece at every position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Ids
from seqgen_music.codecs.tokens import TokenTable


@dataclass(frozen=True)
class States:
    """The state before every token, and after the last one, as int64 arrays ``(N + 1,)``.

    Values are numbers within their kind plus one; 0 means none.

    Attributes
    ----------
    place : position in the bar
    lines : number of bars begun
    metre, program
    velocity, sound : of the instrument; a sound is a pitch or a drum
    here : last sound at this position of the bar
    step : step of the piece
    program_at, velocity_at : index of the token that set them, or -1
    metres : int64 array (B,)
        Number of the metre of each bar.
    starts : int64 array (max(B, 1),)
        First step of each bar.
    """

    place: Ids
    lines: Ids
    metre: Ids
    program: Ids
    velocity: Ids
    sound: Ids
    here: Ids
    step: Ids
    program_at: Ids
    velocity_at: Ids
    metres: Ids
    starts: Ids


def states_of(ids: Ids, table: TokenTable, bars: Ids) -> States:
    """Return the states of a piece.

    Parameters
    ----------
    ids : int64 array (N,)
    table : TokenTable
    bars : int64 array
        Steps in a bar of each metre.
    """

    def of(*kinds: str) -> NDArray[np.bool_]:
        return table.mask(*kinds)[ids]

    number = np.append(table.number_of[ids], -1)
    line = of("bar", "metre")
    metre, program = (number[latest(of(kind))] + 1 for kind in ("metre", "program"))
    program_at = latest(of("program"))
    velocity_at = latest(of("velocity"), program)
    note, position = of("pitch", "drum"), of("position")
    sound_at, place_at = latest(note, program), latest(position | line)
    sounds = np.append(ids - table.start("pitch"), -1)
    place = np.where(np.append(position, False)[place_at], number[place_at] + 1, 0)
    here = latest(note | position | line)
    lines = np.append(0, np.cumsum(line))
    metres = np.maximum(metre[1:][line] - 1, 0)
    starts = np.append(0, np.cumsum(bars[metres]))[: max(len(metres), 1)]
    return States(
        place=place,
        lines=lines,
        metre=metre,
        program=program,
        velocity=number[velocity_at] + 1,
        sound=sounds[sound_at] + 1,
        here=np.where(np.append(note, False)[here], sounds[here] + 1, 0),
        step=starts[np.maximum(lines - 1, 0)] + np.maximum(place - 1, 0),
        program_at=program_at,
        velocity_at=velocity_at,
        metres=metres,
        starts=starts,
    )


def latest(event: NDArray[np.bool_], group: Ids | None = None) -> Ids:
    """Return the index of the last event of the same group before each position, or -1.

    Parameters
    ----------
    event : bool array (N,)
    group : int64 array (N + 1,), optional
        The group of each position; the position after an event has the group of the event.

    Returns
    -------
    int64 array (N + 1,)
    """
    happened = np.append(-1, np.where(event, np.arange(len(event)), -1))
    if group is None:
        return np.maximum.accumulate(happened)
    order = np.argsort(group, kind="stable")
    # Groups follow each other: an event before the first position of a group is another's.
    first = np.searchsorted(group[order], group[order])
    row = np.arange(len(order))
    latest = np.maximum.accumulate(np.where(happened[order] >= 0, row, -1))
    found = np.empty(len(order), np.int64)
    found[order] = np.where(latest >= first, happened[order][latest], -1)
    return found
