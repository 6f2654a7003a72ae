"""Passages of a tune that stay the same when it is transposed: they find near-duplicates.

Two pieces are near-duplicates if they share a stretch of a tune: a chorale harmonised
twice, a song in another key, two arrangements. A codec gives the core the `passages` of the line
with the tune: the soprano, or the `skyline` of all notes. Performances have no grid to compare
rhythms on, so `played_passages` use all notes by their order.

A passage is a hash of `NOTES` successive notes, by intervals and times between onsets. Of all
hashes of a line only local minima are kept (*winnowing*, Schleimer, Wilkerson and Aiken, 2003).
Two lines that share `NOTES` + `SPAN` - 1 notes always share a hash.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen_music.music import Music
from seqgen_music.rounding import rounded

#: Notes of a passage. Sixteen are about two lines of a hymn.
NOTES = 16

#: The smallest hash of this many successive passages is kept.
SPAN = 4

#: Passages with fewer different moves are scales, arpeggios and drones, not tunes.
FEWEST_MOVES = 5

#: Notes of a passage of a performance, without rhythm, and its fewest different moves. With
#: sixteen and five, 8 pairs of 111 pieces for piano share one by chance; with these none does.
PLAYED_NOTES, PLAYED_MOVES = 24, 8

#: The constants of splitmix64.
_MIX = tuple(map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)))


def passages(pitches: NDArray[np.int64], onsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the hashes of passages of a line.

    Parameters
    ----------
    pitches : int array (N,)
        MIDI pitches of the notes in the order of time.
    onsets : int array (N,)
        Onsets in steps of a grid that all pieces share.

    Returns
    -------
    int64 array (P,)
        Sorted and distinct, about two for every five notes. Transposing the line or moving it in
        time changes none of them.
    """
    moves = _mixed(_mixed(np.diff(pitches)) + np.diff(onsets).astype(np.uint64))
    return _winnowed(_hashes(moves, NOTES - 1, FEWEST_MOVES))


def played_passages(
    pitches: NDArray[np.int64], onsets: NDArray[np.int64], spread: int
) -> NDArray[np.int64]:
    """Return the hashes of passages of a performance, with all voices together.

    Only the order and the intervals of the notes count, since players differ in timing. The order
    in which the notes of a chord are struck makes no difference.

    Parameters
    ----------
    pitches, onsets : int array (N,)
        Of the notes in the order of time.
    spread : int
        Notes that begin at most this long after the one before belong to its chord.

    Returns
    -------
    int64 array (P,)
        Sorted and distinct. Transposing, changing the speed, and moving single notes by less than
        `spread` changes few of them.
    """
    chord = np.cumsum(np.diff(onsets, prepend=onsets[:1]) > spread)
    moves = _mixed(np.diff(pitches[np.lexsort((pitches, chord))]))
    return _winnowed(_hashes(moves, PLAYED_NOTES - 1, PLAYED_MOVES))


def _hashes(moves: NDArray[np.uint64], count: int, fewest: int) -> NDArray[np.uint64]:
    """Return the hash of every run of `count` moves, if at least `fewest` of them differ."""
    if len(moves) < count:
        return np.zeros(0, np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(moves, count)  # (runs, count)
    weights = _mixed(np.arange(count)) | np.uint64(1)
    hashes = _mixed((windows * weights).sum(axis=1, dtype=np.uint64))
    ordered = np.sort(windows, axis=1)
    varied = 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1) >= fewest
    kept: NDArray[np.uint64] = hashes[varied]
    return kept


def skyline(music: Music, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pitches and onsets ``(N,)`` of the top line.

    A note belongs to it unless a higher one begins with it or still sounds. Drums do not count.

    Parameters
    ----------
    music : Music
    step : int
        Ticks in a step of the grid to which onsets are rounded.
    """
    notes = music.pitched
    starts, ends = (
        rounded(ticks.astype(np.int64), 1, step)
        for ticks in (notes["onset"], notes["onset"] + notes["duration"])
    )
    order = np.lexsort((-notes["pitch"].astype(np.int64), starts))
    pitches: list[int] = []
    onsets: list[int] = []
    top, until = -1, -1
    columns = (column[order].tolist() for column in (starts, ends, notes["pitch"]))
    for start, end, pitch in zip(*columns, strict=True):
        if (onsets and start == onsets[-1]) or (start < until and pitch < top):
            continue
        pitches.append(pitch)
        onsets.append(start)
        top, until = pitch, end
    return np.array(pitches, np.int64), np.array(onsets, np.int64)


def _mixed(values: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Hash integers to 64 bits (splitmix64)."""
    mixed = values.astype(np.int64).view(np.uint64) + _MIX[0]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[1]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX[2]
    return mixed ^ (mixed >> np.uint64(31))


def _winnowed(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the smallest of every `SPAN` neighbours, sorted and distinct."""
    if not len(hashes):
        return np.zeros(0, np.int64)
    spans = np.lib.stride_tricks.sliding_window_view(hashes, min(SPAN, len(hashes)))
    return np.unique(spans.min(axis=1).view(np.int64))
