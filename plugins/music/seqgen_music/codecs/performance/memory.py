"""What the codec `performance` remembers: how it went on when the same pitches came before.

Music repeats its motives, and an LSTM does not look them up. Here the last pitches are looked up
among all that was played, the longest motive first; what followed it then is what is expected now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqgen.plugin import Ids

#: Pitches of the shortest and of the longest motive that is looked up.
SHORTEST, LONGEST = 2, 6

#: Places of a piece that are remembered; then the oldest are forgotten, as a stream may be endless.
MOST_PLACES = 2**16

#: From here on it makes no difference how many notes on end came as expected.
LONGEST_RUN = 15

#: Steps by which a note or an end may be late, and the most to it that are told apart. As a
#: feature 0 is later than that, or nothing due.
LATEST, FARTHEST = 8, 101

#: A step that is long past: nothing is due.
NEVER = -(10**9)

#: Which of the values that a `Memory` says are steps.
DUE = [1, 5]


@dataclass(slots=True)
class Place:
    """A note as it followed others.

    Attributes
    ----------
    pitch : int
        Number of the pitch, plus 1.
    gap : int
        Steps since the note before it began.
    bin : int
        Bin of the velocity.
    length : int
        Steps that it lasted; 0 while it sounds.
    """

    pitch: int
    gap: int
    bin: int
    length: int = 0


#: Nothing is expected.
NOWHERE = Place(0, NEVER, 0)


class Sounding(NamedTuple):
    """A note that sounds: where it is remembered, its start, and its end if it lasts as before."""

    place: Place
    start: int
    end: int


class Memory:
    """Follows the notes as they begin and end.

    Attributes
    ----------
    expected : Place
        The note that came when the last pitches were played before, or `NOWHERE`.
    due : int
        The step at which it comes if it takes as long as then.
    run : int
        How many notes on end had the pitch that was expected.
    """

    def __init__(self) -> None:
        self.expected, self.due, self.run = NOWHERE, NEVER, 0
        self._sounding: list[Sounding] = []
        self._places: dict[tuple[int, ...], Place] = {}
        self._motives: list[tuple[int, ...]] = []
        self._recent: tuple[int, ...] = ()
        self._start = 0

    def begin(self, step: int, pitch: int, bin: int) -> None:
        """Take note of a note: when it begins, and what `Place` says of it."""
        known = self.expected if pitch == self.expected.pitch else NOWHERE
        self.run = 0 if known is NOWHERE else min(self.run + 1, LONGEST_RUN)
        place = Place(pitch, step - self._start, bin)
        end = step + known.length if known.length else NEVER
        self._sounding.append(Sounding(place, step, end))
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
        """Take note that the earliest note of a pitch that sounds ends."""
        for note in self._sounding:
            if note.place.pitch == pitch:
                note.place.length = step - note.start
                self._sounding.remove(note)
                return

    def said(self) -> tuple[int, int, int, int, int, int]:
        """Return pitch, due step and velocity of what is expected, and the run.

        Then pitch and due step of the end that is expected first, or 0 and `NEVER`.
        """
        known = [(note.end, note.place.pitch) for note in self._sounding if note.end != NEVER]
        end, pitch = min(known, default=(NEVER, 0))
        return self.expected.pitch, self.due, self.expected.bin, self.run, pitch, end

    def features(self, now: int) -> tuple[int, int, int, int, int, int]:
        """Return the features that a step sees: what is said, but how far ahead it is due."""
        pitch, due, loud, run, ending, end = self.said()
        due, end = (max(min(at - now, FARTHEST) + LATEST + 1, 0) for at in (due, end))
        return pitch, due, loud, run, ending, end


def features_of(said: Ids, now: Ids) -> Ids:
    """Return the features ``(N, 6)`` of what was said ``(N, 6)`` at steps ``(N,)``."""
    rows = said.copy()
    rows[:, DUE] = np.clip(said[:, DUE] - now[:, None], -LATEST - 1, FARTHEST) + LATEST + 1
    return rows
