"""Between the notes of a performance and its ids.

There is one way to spell a piece:

- Full shifts of a second come before a shorter one.
- At one moment notes end before others begin. They end in the order of their starts and pitches,
  and begin from the lowest up.
- Velocity comes only where it changes, before the note that it changes for.
"""

from __future__ import annotations

import numpy as np

from seqgen.plugin import Ids
from seqgen_music.codecs.performance.layout import (
    DEFAULT_BIN,
    LONGEST_SHIFT,
    OFF,
    ON,
    PerformanceLayout,
)
from seqgen_music.codecs.performance.notes import LONGEST_SOUND, STEPS, Played

#: Steps for which notes without end ring on after the last token: the piece was cut there.
RING = 2 * STEPS


def spelled(notes: Played, layout: PerformanceLayout) -> Ids:
    """Return the ids of clean notes."""
    count, low, table = len(notes.start), layout.low, layout.table
    # Events are ends, then starts: at one step ends come first, and the sort keeps the order.
    steps = np.concatenate([notes.end, notes.start])  # (2 * notes,)
    order = np.argsort(2 * steps + (np.arange(2 * count) >= count), kind="stable")
    steps = steps[order]
    begins = order >= count
    offs, ons = notes.pitch - low + table.start("note off"), notes.pitch - low
    tokens = np.concatenate([offs, ons + table.start("note on")])[order]
    full, rest = np.divmod(np.diff(steps, prepend=0), LONGEST_SHIFT)
    louder = np.zeros(2 * count, bool)
    louder[begins] = np.diff(notes.bin, prepend=0) != 0
    # The tokens of an event: full shifts, a shorter one, the velocity, the note.
    stops = np.cumsum(full + (rest > 0) + louder + 1)
    ids = np.full(stops[-1], table.id("shift", LONGEST_SHIFT))
    ids[stops - 1] = tokens
    bins = notes.bin[order[louder] - count]
    ids[stops[louder] - 2] = table.start("velocity") + bins - 1
    short = rest > 0
    ids[(stops - 2 - louder)[short]] = table.start("shift") + rest[short] - 1
    return ids


def notes_of(ids: Ids, layout: PerformanceLayout) -> tuple[Played, Ids, Ids]:
    """Return the notes of any ids in the order of their starts; some may have no length.

    Returns
    -------
    notes : Played
    began, closed : int64 array (notes,)
        Index in `ids` at which each note begins and ends; N if nothing ends it.
    """
    kind, number = layout.kind_of[ids], layout.number_of[ids]
    time = np.append(0, np.cumsum(layout.shifts(ids)))  # (N + 1,)
    began = np.flatnonzero(kind == ON)
    pitch = number[began]
    closed = np.full(len(began), len(ids))
    ended = _ends(kind, number)
    # Both sorted by pitch, then by time: the n-th note of a pitch ends with its n-th end.
    ons, offs = (np.argsort(number[at], kind="stable") for at in (began, ended))
    pitches, end_pitches = pitch[ons], number[ended[offs]]
    nth = np.arange(len(ons)) - np.searchsorted(pitches, pitches)
    match = np.searchsorted(end_pitches, pitches) + nth
    has_end = match < np.searchsorted(end_pitches, pitches, side="right")
    closed[ons[has_end]] = ended[offs][match[has_end]]
    start, end = time[began], time[closed]
    end = np.where(closed == len(ids), np.minimum(end + RING, start + LONGEST_SOUND), end)
    bins = np.append(layout.bins(ids), 0)[began]
    bins = np.where(bins == 0, DEFAULT_BIN, bins)
    return Played(start, end, pitch + layout.low, bins), began, closed


def _ends(kind: Ids, number: Ids) -> Ids:
    """Return the indices of "note off" tokens that end a note: their pitch sounds there."""
    notes = np.flatnonzero((kind == ON) | (kind == OFF))
    notes = notes[np.argsort(number[notes], kind="stable")]
    pitch, is_on = number[notes], kind[notes] == ON
    # Depth is the number of sounding notes of the pitch if each off ended one. An off that takes
    # it below zero, and below all depths before it, ends none.
    depth = np.cumsum(np.where(is_on, 1, -1))
    first = np.searchsorted(pitch, pitch)
    depth -= np.append(0, depth)[first]
    # Each pitch starts at a new multiple of `room`, which is below all depths before it.
    room = len(notes) + 1
    lowest = np.minimum.accumulate(np.minimum(depth, 0) - pitch * room) + pitch * room
    before = np.where(np.arange(len(notes)) == first, 0, np.append(0, lowest)[:-1])
    return np.sort(notes[~is_on & (depth >= before)])
