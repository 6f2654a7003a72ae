"""The chords of a bar in the state of a multitrack piece, token by token: compiled.

A bar line is followed by the chord of the bar, or by one for each half. Numbers of chords are those
of their tokens plus one; 0 is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqgen.compiling import compiled
from seqgen.plugin import Ids
from seqgen_music.codecs.multitrack.states import States, latest
from seqgen_music.codecs.tokens import TokenTable

#: Numbers of a state: the first and the last chord of the bar, and how many have come; at a bar
#: line both are the last one of the bar before.
FIRST, LAST, COUNT, FIELDS = range(4)


@compiled
def push(chords: Ids, number: int) -> None:
    """Add a chord to a bar, as a number of the table."""
    if not chords[COUNT]:
        chords[FIRST] = number + 1
    chords[LAST] = number + 1
    chords[COUNT] += 1


@compiled
def line(chords: Ids) -> None:
    """Begin a bar."""
    chords[FIRST], chords[COUNT] = chords[LAST], 0


@compiled
def allow(chords: Ids, half: int, start: int, mask: Any) -> None:
    """Set the chords that may come after a bar line or a chord; before the first, nothing else.

    Parameters
    ----------
    chords : int64 array (FIELDS,)
    half : int
        Steps in half a bar; 0 if it has one chord.
    start : int
        The first id of a chord; they are the last ids.
    mask : bool array (V + 1,)
    """
    if start + 1 == len(mask) or chords[COUNT] > (1 if half else 0):
        return
    if not chords[COUNT]:
        mask[:start] = False
        mask[-1] = False
    mask[start:-1] = True
    if chords[COUNT]:
        mask[start + chords[FIRST] - 1] = False


@compiled
def describe(chords: Ids, place: int, half: int, row: Ids) -> None:
    """Write two features into a row ``(2,)``: the chord at a position, and the next of the bar."""
    row[0], row[1] = chords[FIRST], 0
    if chords[COUNT] > 1:
        if place > half:
            row[0] = chords[LAST]
        else:
            row[1] = chords[LAST]


@compiled
def demand(chords: Ids, wanted: Ids, shift: int, start: int, mask: Any) -> None:
    """Leave only the requested chords of a bar in a mask ``(V + 1,)``, where a chord may come.

    Parameters
    ----------
    chords, start
        As for `allow`.
    wanted : int64 array (2,)
        Numbers of the table of both halves.
    shift : int
        Semitones from the written key to that of the piece.
    """
    if not mask[start:-1].any():
        return
    token = start + _written(wanted[min(chords[COUNT], 1)], shift)
    if chords[COUNT] and wanted[0] == wanted[1]:
        mask[start:-1] = False
    else:
        mask[:] = False
        mask[token] = True


@compiled
def _written(number: int, shift: int) -> int:
    """Return the number of a chord as it is written in C major or A minor."""
    if not number:
        return 0
    root = (number - 1) % 12
    return int(number - root + (root - shift) % 12)


def chord_features(ids: Ids, states: States, table: TokenTable, halves: Ids) -> Ids:
    """Return the features of `describe` at every position ``(N + 1, 2)``."""
    chord, line_at = table.mask("chord")[ids], latest(table.mask("bar", "metre")[ids])
    number, at = np.append(table.number_of[ids], -1), latest(chord)
    opens = chord & (at[:-1] <= line_at[:-1])
    first, second = latest(opens), latest(chord & ~opens)
    half = halves[np.maximum(states.metre - 1, 0)]
    is_new = first > line_at  # The bar has a chord.
    has_two = is_new & (second > first)
    late = ~is_new | (has_two & (states.place > half))
    # Before the chord of a bar the last one goes on.
    now = number[np.where(late, at, first)] + 1
    ahead = np.where(has_two & ~late, number[second] + 1, 0)
    return np.stack([now, ahead], axis=1)
