"""The memory of the codec `performance`: what followed when the same pitches came before.

Music repeats its motives, and an LSTM does not look them up. The memory looks up the last pitches
among all pitches played, the longest motive first. It expects the note that followed then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqgen.plugin import Ids

#: Pitches of the shortest and the longest motive.
SHORTEST, LONGEST = 2, 6

#: Most places in the memory; streams may be endless, so the oldest are dropped.
MOST_PLACES = 2**16

#: The number of expected notes in a row at which features stop counting.
LONGEST_RUN = 15

#: Features distinguish a note that is up to `LATEST` steps late, or up to `FARTHEST` steps ahead.
#: 0 means later, or nothing due.
LATEST, FARTHEST = 8, 101

#: A step long past: nothing is due.
NEVER = -(10**9)

#: Columns of `MotiveMemory.expectation` that are steps.
DUE = [1, 5]


@dataclass(slots=True)
class Place:
    """A note and how it followed the one before.

    Attributes
    ----------
    pitch : int
        Pitch above the lowest, plus 1.
    gap : int
        Steps since the note before it began.
    bin : int
        Bin of the velocity.
    length : int
        Its length in steps; 0 while it sounds.
    """

    pitch: int
    gap: int
    bin: int
    length: int = 0


#: Nothing is expected.
NOWHERE = Place(0, NEVER, 0)


class SoundingNote(NamedTuple):
    """A sounding note: its place, its start, and its end if it lasts as it did before."""

    place: Place
    start: int
    end: int


class MotiveMemory:
    """Follows the notes as they begin and end.

    Attributes
    ----------
    expected : Place
        The note that followed when the last pitches came before, or `NOWHERE`.
    due : int
        The step at which it is due by the gap of then.
    run : int
        The number of notes in a row that had the expected pitch.
    """

    def __init__(self) -> None:
        self.expected, self.due, self.run = NOWHERE, NEVER, 0
        self._sounding: list[SoundingNote] = []
        self._places: dict[tuple[int, ...], Place] = {}
        self._motives: list[tuple[int, ...]] = []
        self._recent: tuple[int, ...] = ()
        self._start = 0

    def begin(self, step: int, pitch: int, bin: int) -> None:
        """Add a note that begins at a step; `pitch` and `bin` are as in `Place`."""
        known = self.expected if pitch == self.expected.pitch else NOWHERE
        self.run = 0 if known is NOWHERE else min(self.run + 1, LONGEST_RUN)
        place = Place(pitch, step - self._start, bin)
        end = step + known.length if known.length else NEVER
        self._sounding.append(SoundingNote(place, step, end))
        for motive in self._motives:
            self._places[motive] = place
        while len(self._places) > MOST_PLACES:
            del self._places[next(iter(self._places))]
        self._recent, self._start = (*self._recent[1 - LONGEST :], pitch), step
        count = len(self._recent)
        self._motives = [self._recent[-size:] for size in range(count, SHORTEST - 1, -1)]
        before = (self._places[motive] for motive in self._motives if motive in self._places)
        self.expected = next(before, NOWHERE)
        self.due = step + self.expected.gap

    def end(self, step: int, pitch: int) -> None:
        """End the earliest sounding note of a pitch."""
        for note in self._sounding:
            if note.place.pitch == pitch:
                note.place.length = step - note.start
                self._sounding.remove(note)
                return

    def expectation(self) -> tuple[int, int, int, int, int, int]:
        """Return pitch, due step and velocity of the expected note, the run, and the first end.

        The end is the pitch and the due step of the note that should end first, or 0 and `NEVER`.
        """
        known = [(note.end, note.place.pitch) for note in self._sounding if note.end != NEVER]
        end, pitch = min(known, default=(NEVER, 0))
        return self.expected.pitch, self.due, self.expected.bin, self.run, pitch, end

    def features(self, now: int) -> tuple[int, int, int, int, int, int]:
        """Return the features at a step: the expectation, with due steps relative to now."""
        pitch, due, loud, run, ending, end = self.expectation()
        due, end = (max(min(at - now, FARTHEST) + LATEST + 1, 0) for at in (due, end))
        return pitch, due, loud, run, ending, end


def remembered(
    start: Ids, end: Ids, pitch: Ids, bin: Ids, began: Ids, closed: Ids, stop: int
) -> tuple[Ids, Ids]:
    """Return what a `MotiveMemory` expects before all notes, and after each start and end.

    Parameters
    ----------
    start, end, pitch, bin : int64 array (notes,)
        Steps of start and end, and what `Place` has of each note.
    began, closed : int64 array (notes,)
        Index of each start and end in the ids.
    stop : int
        `closed` of notes that nothing ends.

    Returns
    -------
    at : int64 array (events,)
        Index of each start and end in the ids, sorted.
    expected : int64 array (events + 1, 6)
        Rows of `MotiveMemory.expectation`.
    """
    ended = np.flatnonzero(closed < stop)
    at = np.concatenate([began, closed[ended]])  # (events,)
    order = np.argsort(at)
    notes = np.concatenate([np.arange(len(began)), ended])[order]
    begins = (order < len(began)).tolist()
    steps = np.concatenate([start, end[ended]])[order].tolist()
    memory = MotiveMemory()
    rows = [memory.expectation()]
    columns = (begins, steps, pitch[notes].tolist(), bin[notes].tolist())
    for is_start, step, number, loud in zip(*columns, strict=True):
        if is_start:
            memory.begin(step, number, loud)
        else:
            memory.end(step, number)
        rows.append(memory.expectation())
    return at[order], np.array(rows)


def features_of(expected: Ids, now: Ids) -> Ids:
    """Return the features ``(N, 6)`` of expectations ``(N, 6)`` at steps ``(N,)``."""
    rows = expected.copy()
    rows[:, DUE] = np.clip(expected[:, DUE] - now[:, None], -LATEST - 1, FARTHEST) + LATEST + 1
    return rows
