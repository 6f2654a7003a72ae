"""The notes of a performance in steps of 10 ms, between a piece of music and its tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Ids
from seqgen_music.joining import Placed
from seqgen_music.music import NOTE, Music, Track
from seqgen_music.retiming import Move, finer
from seqgen_music.rounding import nearest

#: Steps in a second.
STEPS = 100

#: Longest note, and longest silence, in steps.
LONGEST_SOUND = 10 * STEPS

#: Bins of velocity, and velocities in each.
BINS, BIN_WIDTH = 32, 4

#: Most steps of a piece: `LONGEST_TICKS` of a MIDI file.
LONGEST_PIECE = 10**6

#: Fewest ticks in a quarter of a given piece that is continued.
FEWEST_TICKS = 96

#: Ticks in a step and in a quarter of generated pieces, and their tempo: a tick is a millisecond.
STEP_TICKS, QUARTER_TICKS, TEMPO = 10, 500, 120.0


@dataclass(frozen=True)
class Played:
    """Notes in steps of time, as columns.

    Attributes
    ----------
    start, end, pitch, bin : int64 array (N,)
        `bin` is the bin of the velocity, 1 to 32.
    """

    start: Ids
    end: Ids
    pitch: Ids
    bin: Ids

    def chosen(self, which: NDArray[Any]) -> Played:
        """Return the notes at some indices, in their order."""
        return Played(self.start[which], self.end[which], self.pitch[which], self.bin[which])

    def cleaned(self) -> Played:
        """Return the notes by start and pitch, each pitch sounding once at a time.

        A note ends where its pitch begins again. The longest stays of notes that begin together at
        one pitch. Notes and silences are cut to `LONGEST_SOUND`.
        """
        notes = self.once()
        earlier = notes.excess()
        return Played(notes.start - earlier, notes.end - earlier, notes.pitch, notes.bin)

    def once(self) -> Played:
        """Return the notes cleaned, with all silences."""
        notes = self.chosen(np.lexsort((self.end, self.start, self.pitch)))
        end = np.minimum(notes.end, notes.start + LONGEST_SOUND)
        again = notes.pitch[1:] == notes.pitch[:-1]
        end[:-1] = np.where(again, np.minimum(end[:-1], notes.start[1:]), end[:-1])
        notes = Played(notes.start, end, notes.pitch, notes.bin)
        notes = notes.chosen(np.flatnonzero(end > notes.start))
        # They are sorted by pitch, and a stable sort keeps that order within a start.
        return notes.chosen(np.argsort(notes.start, kind="stable"))

    def excess(self) -> Ids:
        """Return how many steps of silence before each note are cut ``(N,)``."""
        heard = np.maximum.accumulate(np.append(0, self.end))[:-1]
        return np.cumsum(np.maximum(self.start - heard - LONGEST_SOUND, 0))

    def to_music(self, program: int) -> Music:
        """Return a piece of one track; notes without length are dropped."""
        rows = np.zeros(len(self.start), NOTE)
        rows["onset"] = self.start * STEP_TICKS
        rows["duration"] = (self.end - self.start) * STEP_TICKS
        rows["pitch"], rows["velocity"] = self.pitch, 1 + BIN_WIDTH * (self.bin - 1)
        rows = rows[rows["duration"] > 0]
        rows = rows[np.lexsort((rows["pitch"], rows["onset"]))]
        track = Track("Performance", program)
        return Music(rows, (track,), QUARTER_TICKS, ((0, TEMPO),))


def played(music: Music) -> Played:
    """Return all notes except drums, rounded to steps and bins.

    Raises
    ------
    DataError
        If there is none, or the piece is too long for a MIDI file.
    """
    clean = _rounded(music).cleaned()
    if (length := int(clean.end.max())) > LONGEST_PIECE:
        raise DataError(
            f"the piece is {length // STEPS:,} seconds long; {LONGEST_PIECE // STEPS:,} is the most"
        )
    return clean


def placed_of(music: Music) -> Placed:
    """Return the step of each note, in ticks of generated pieces, all in track 0 except drums."""
    notes = _rounded(music).once()
    step = nearest(music.seconds(music.notes["onset"]) * STEPS)
    before = np.maximum(np.searchsorted(notes.start, step, side="right") - 1, 0)
    later = notes.excess()[before]
    drums = np.array([track.drums for track in music.tracks])[music.notes["track"]]
    return Placed((step - later) * STEP_TICKS, np.where(drums, -1, 0), later * STEP_TICKS)


def in_seconds(music: Music) -> tuple[Music, Move]:
    """Return a given piece, and what moves ticks of generated pieces to its own; as `aligned`.

    The given piece gets more ticks to the quarter if it has fewer than `FEWEST_TICKS`.
    """
    music = finer(music, -(-FEWEST_TICKS // music.ticks_per_quarter))
    return music, lambda ticks: music.ticks(ticks * (60 / (TEMPO * QUARTER_TICKS)))


def _rounded(music: Music) -> Played:
    notes = music.pitched
    if not len(notes):
        raise DataError("the piece has no note besides drums, and a performance needs one")
    start = nearest(music.seconds(notes["onset"]) * STEPS)
    end = nearest(music.seconds(notes["onset"] + notes["duration"]) * STEPS)
    velocity = np.clip(notes["velocity"].astype(np.int64), 1, BINS * BIN_WIDTH)
    bins = (velocity - 1) // BIN_WIDTH + 1
    pitch = notes["pitch"].astype(np.int64)
    return Played(start, np.maximum(end, start + 1), pitch, bins)
