"""What the codec `multitrack` has learned, and the numbers of its values within their kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Ids
from seqgen_music.codecs.multitrack.header import WRITTEN
from seqgen_music.codecs.multitrack.score import DRUMS, LONGEST_NOTE

#: Tempos in quarters a minute, a twelfth of an octave apart, to either side of 120: 40 to 254.
TEMPOS = tuple(round(120 * 2 ** (number / 12)) for number in range(-19, 14))

#: Logarithms half way between them.
_MIDDLES = (np.log(TEMPOS[1:]) + np.log(TEMPOS[:-1])) / 2

#: MIDI velocities in one token.
VELOCITIES = 4


@dataclass(frozen=True)
class Learned:
    """What the codec knows of its corpus.

    Attributes
    ----------
    metres : list of (int, int)
    programs : list of int
        `DRUMS` among them.
    drums : list of int
        Their pitches.
    durations : list of int
        In steps.
    densities, tempos, velocities : (int, int)
        Lowest and highest number in `DENSITIES` and `TEMPOS`, and velocity in `VELOCITIES`.
    runs : tuple of int
        How many bars in a row may come again, as in `seqgen_music.codecs.multitrack.repeats`.
    composers : list of str
        None where all pieces are of one.
    """

    metres: list[tuple[int, int]]
    programs: list[int]
    drums: list[int]
    durations: list[int]
    densities: tuple[int, int]
    tempos: tuple[int, int]
    velocities: tuple[int, int]
    runs: tuple[int, ...]
    composers: list[str]

    def programs_named(self) -> list[int | str]:
        """Return the programs as their tokens name them."""
        return ["drums" if program == DRUMS else program for program in self.programs]


class Numbers:
    """Numbers of values within their kind: arrays that are looked up, -1 for what is unknown.

    Attributes
    ----------
    program : int64 array (129,)
        By program; that of `DRUMS` is last.
    pitch : int64 array (2, 139)
        By whether it is a drum, and what `written` gives; drums follow pitches.
    velocity, duration : int64 array
        The nearest one.
    """

    def __init__(self, learned: Learned, steps: int) -> None:
        self.program = np.full(129, -1)
        self.program[learned.programs] = np.arange(len(learned.programs))
        self.pitch = np.full((2, len(WRITTEN)), -1)
        self.pitch[0] = np.arange(len(WRITTEN))
        self.pitch[1, learned.drums] = len(WRITTEN) + np.arange(len(learned.drums))
        low, high = learned.velocities
        self.velocity = np.clip(np.arange(256) // VELOCITIES, low, high) - low
        lengths = np.array(learned.durations, np.int64)
        self.duration = nearest_of(lengths, np.arange(LONGEST_NOTE * steps + 1))
        self._tempos = learned.tempos

    def tempo(self, tempos: NDArray[np.float64]) -> Ids:
        """Return the number of the nearest tempo."""
        low, high = self._tempos
        return np.minimum(np.maximum(tempo_numbers(tempos), low), high) - low


def durations_of(steps: int) -> Ids:
    """Return all durations that may be learned, in steps."""
    quarters = [range(1, 4 * steps), range(4 * steps, 8 * steps, steps)]
    halves = range(8 * steps, LONGEST_NOTE * steps + 1, 2 * steps)
    return np.concatenate([*quarters, halves]).astype(np.int64)


def nearest_of(values: Ids, wanted: Ids) -> Ids:
    """Return the number of the nearest of some ascending values, the lower of two."""
    middles = values[:-1] + values[1:]
    return np.searchsorted(middles, 2 * wanted)


def tempo_numbers(tempos: NDArray[np.float64]) -> Ids:
    """Return the numbers of the nearest `TEMPOS`."""
    return np.searchsorted(_MIDDLES, np.log(tempos))


def ends_of(numbers: set[int]) -> tuple[int, int]:
    """Return the lowest and the highest; of no number, ends that enclose none."""
    return (min(numbers), max(numbers)) if numbers else (0, -1)


def span_of(ends: tuple[int, int]) -> tuple[int, int]:
    """Return the ends of a range, as Python counts."""
    return ends[0], ends[1] + 1
