"""What the header of a multitrack piece says about its notes: key, density and instruments."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np

from seqgen.compiling import compiled
from seqgen.plugin import Ids
from seqgen_music.codecs.multitrack.grid import DRUMS
from seqgen_music.codecs.multitrack.score import GridScore
from seqgen_music.keys import SHIFTS, key_of

#: Notes per bar, two values per octave: 1, 2, 3, 4, 6, 8, 11 ... 1,024.
DENSITIES = (1, *(round(2 ** (number / 2)) for number in range(2, 21)))

#: Geometric means of neighbouring densities.
_MIDDLES = [sqrt(low * high) for low, high in pairwise(DENSITIES)]

#: Pitches as written in C major or A minor: all MIDI pitches in all keys.
LOWEST = -int(SHIFTS.max())
WRITTEN = range(LOWEST, 128 - int(SHIFTS.min()))


@dataclass(frozen=True)
class ScoreHeader:
    """The header of a piece.

    Attributes
    ----------
    key : int
        As in `seqgen_music.keys`.
    density : int
        Index of the nearest of `DENSITIES`.
    programs : int64 array
        Programs that play, ascending.
    """

    key: int
    density: int
    programs: Ids

    @property
    def shift(self) -> int:
        """Semitones from C major or A minor to the key."""
        return int(SHIFTS[self.key])


def header_of(score: GridScore) -> ScoreHeader:
    """Return the header of a score."""
    classes, programs = _counts(score.program, score.pitch)
    density = density_number(len(score.step) / len(score.starts))
    return ScoreHeader(key_of(classes), density, np.flatnonzero(programs) + DRUMS)


@compiled
def _counts(program: Any, pitch: Any) -> tuple[Any, Any]:
    """Return the notes of each pitch class without drums ``(12,)``, and of each program."""
    classes, programs = np.zeros(12, np.int64), np.zeros(128 - DRUMS, np.int64)
    for row in range(len(program)):
        programs[program[row] - DRUMS] += 1
        if program[row] != DRUMS:
            classes[pitch[row] % 12] += 1
    return classes, programs


def written(score: GridScore, header: ScoreHeader) -> Ids:
    """Return the index in `WRITTEN` of each pitch ``(N,)``; drums keep their pitch."""
    return np.where(score.program == DRUMS, score.pitch, score.pitch - header.shift - LOWEST)


def density_number(notes: float) -> int:
    """Return the index of the nearest of `DENSITIES`, by ratio, to notes per bar."""
    return bisect_left(_MIDDLES, notes)
