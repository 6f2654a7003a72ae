"""What opens a piece of the codec `multitrack`: its key, its density and its instruments.

Its composer, where one is known, comes before them: notes do not tell it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np

from seqgen.compiling import compiled
from seqgen.plugin import Ids
from seqgen_music.codecs.multitrack.score import DRUMS, GridScore
from seqgen_music.measures.keys import SHIFTS, key_of

#: Notes a bar, two to an octave: 1, 2, 3, 4, 6, 8, 11 ... 1,024.
DENSITIES = (1, *(round(2 ** (number / 2)) for number in range(2, 21)))

#: Half way between them, by ratio.
_MIDDLES = [sqrt(low * high) for low, high in pairwise(DENSITIES)]

#: Pitches as they are written, without the key, of all that MIDI has in any key.
LOWEST = -int(SHIFTS.max())
WRITTEN = range(LOWEST, 128 - int(SHIFTS.min()))


@dataclass(frozen=True)
class Header:
    """What is told of a piece before its first bar.

    Attributes
    ----------
    key : int
        As in `seqgen_music.measures.keys`.
    density : int
        Number of the nearest of `DENSITIES`.
    programs : int64 array
        Those that play, ascending.
    """

    key: int
    density: int
    programs: Ids

    @property
    def shift(self) -> int:
        """Semitones from the white keys to the key: a pitch is written without them."""
        return int(SHIFTS[self.key])


def header_of(score: GridScore) -> Header:
    """Return what a piece tells of itself."""
    classes, programs = _counts(score.program, score.pitch)
    density = density_number(len(score.step) / len(score.starts))
    return Header(key_of(classes), density, np.flatnonzero(programs) + DRUMS)


@compiled
def _counts(program: Any, pitch: Any) -> tuple[Any, Any]:
    """Return how many notes each pitch class has ``(12,)``, drums apart, and each program."""
    classes, programs = np.zeros(12, np.int64), np.zeros(128 - DRUMS, np.int64)
    for row in range(len(program)):
        programs[program[row] - DRUMS] += 1
        if program[row] != DRUMS:
            classes[pitch[row] % 12] += 1
    return classes, programs


def written(score: GridScore, header: Header) -> Ids:
    """Return the number in `WRITTEN` of every pitch, without the key; of a drum its pitch."""
    return np.where(score.program == DRUMS, score.pitch, score.pitch - header.shift - LOWEST)


def density_number(notes: float) -> int:
    """Return the number of the nearest of `DENSITIES`, by ratio, to so many notes a bar."""
    return bisect_left(_MIDDLES, notes)
