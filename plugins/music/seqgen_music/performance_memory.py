"""What the codec `performance` remembers: how it went on when the same pitches came before.

Music repeats its motives, and an LSTM does not look them up. Here the last pitches are looked up
among all that was played, the longest motive first; what followed it then is what is expected now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqgen.plugin import Ids

#: Pitches of the shortest and of the longest motive that is looked up.
SHORTEST, LONGEST = 2, 6

#: Places of a piece that are remembered; then the oldest are forgotten, as a stream may be endless.
MOST_PLACES = 2**16

#: From here on it makes no difference how many notes on end came as expected.
LONGEST_RUN = 15

#: Steps by which an expected note may be late, and the most to it that are told apart.
LATEST, FARTHEST = 8, 101


@dataclass(frozen=True, slots=True)
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
    """

    pitch: int
    gap: int
    bin: int


#: Nothing is expected.
NOWHERE = Place(0, -(10**9), 0)


class Memory:
    """Follows the notes as they begin.

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
        self.expected, self.due, self.run = NOWHERE, NOWHERE.gap, 0
        self._places: dict[tuple[int, ...], Place] = {}
        self._motives: list[tuple[int, ...]] = []
        self._recent: tuple[int, ...] = ()
        self._start = 0

    def begin(self, step: int, pitch: int, bin: int) -> None:
        """Take note of a note: when it begins, and what `Place` says of it."""
        self.run = min(self.run + 1, LONGEST_RUN) if pitch == self.expected.pitch else 0
        place = Place(pitch, step - self._start, bin)
        for motive in self._motives:
            self._places[motive] = place
        while len(self._places) > MOST_PLACES:
            del self._places[next(iter(self._places))]
        self._recent, self._start = (*self._recent[1 - LONGEST :], pitch), step
        count = len(self._recent)
        self._motives = [self._recent[-size:] for size in range(count, SHORTEST - 1, -1)]
        known = (self._places[motive] for motive in self._motives if motive in self._places)
        self.expected = next(known, NOWHERE)
        self.due = step + self.expected.gap


def due_number(steps: Any) -> Ids:
    """Return the feature of so many steps to an expected note: 0 if it is overdue, or none is."""
    near = np.minimum(steps, FARTHEST) + LATEST + 1
    return np.asarray(np.maximum(near, 0), np.int64)
