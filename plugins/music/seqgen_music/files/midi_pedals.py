"""Where notes of a MIDI file end that no note-off ends, and what the pedals do."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from seqgen_music.bars import bar_length
from seqgen_music.files.midi_events import PEDAL_DOWN, Events
from seqgen_music.music import MOST_MOVES, PEDAL


def end_open(
    played: NDArray[np.void], metres: Sequence[tuple[int, int, int]], division: int
) -> None:
    """End the notes without end with the bar in which the others end.

    Parameters
    ----------
    played : array (N,) of `PLAYED`
        Notes without end have -1.
    metres : sequence of (tick, numerator, denominator)
    division : int
        Ticks in a quarter.
    """
    if not (played["end"] < 0).any():
        return
    last = int(max(played["end"].max(), played["onset"].max() + 1))
    before = [(0, 4, 4), *(metre for metre in metres if metre[0] < last)]
    at, beats, unit = before[-1]
    bar = bar_length((beats, unit), division)
    line = at - (at - last) // bar * bar
    line = min([line, *(metre[0] for metre in metres if metre[0] >= last)])
    played["end"] = np.where(played["end"] < 0, line, played["end"])


def sorted_pedals(events: Events, drums: Collection[int]) -> NDArray[np.void]:
    """Return the moves of the pedals without channels of drums, by channel and tick."""
    pedals = events.pedals[~np.isin(events.pedals["channel"], list(drums))]
    return np.asarray(pedals[np.lexsort((pedals["tick"], pedals["channel"]))])


def pedal_moves(
    pedals: NDArray[np.void], played: NDArray[np.void], channels: Sequence[int]
) -> NDArray[np.void]:
    """Return the moves ``(P,)`` of `PEDAL` for all parts of each channel.

    A pedal that never comes up does so with the last note of its channel.

    Parameters
    ----------
    pedals : array of `PEDAL_MOVE`
        Sorted by channel and tick.
    played : array (N,) of `PLAYED`
    channels : sequence of int
        That of each part.
    """
    moves = [np.zeros(0, PEDAL)]
    parts = np.array(channels, np.int64)
    counts = np.bincount(pedals["channel"], minlength=16)[parts] if len(parts) else parts
    if counts.sum() > MOST_MOVES:
        return moves[0]
    for part, channel in enumerate(channels):
        mine = pedals[pedals["channel"] == channel]
        if not len(mine):
            continue
        rows = np.zeros(len(mine) + (mine["value"][-1] >= PEDAL_DOWN), PEDAL)
        rows["tick"][: len(mine)], rows["value"][: len(mine)] = mine["tick"], mine["value"]
        rows["track"] = part
        if len(rows) > len(mine):
            ends = played["end"][played["channel"] == channel]
            rows["tick"][-1] = max(int(mine["tick"][-1]), int(ends.max(initial=0)))
        moves.append(rows)
    joined = np.concatenate(moves)
    return np.asarray(joined[np.argsort(joined["tick"], kind="stable")])
