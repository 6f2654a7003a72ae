"""The values that the codec `multitrack` learns, and their numbers within each kind of token."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Ids
from seqgen_music.bars import Metre
from seqgen_music.chords import KINDS
from seqgen_music.codecs.lengths import ends_of
from seqgen_music.codecs.moves import Moves
from seqgen_music.codecs.multitrack.bar_chords import kinds_of
from seqgen_music.codecs.multitrack.grid import DRUMS, LONGEST_NOTE
from seqgen_music.codecs.multitrack.header import WRITTEN, header_of
from seqgen_music.codecs.multitrack.score import score_of
from seqgen_music.music import Music

#: Tempos in quarters per minute, twelve per octave around 120: from 40 to 254.
TEMPOS = tuple(round(120 * 2 ** (number / 12)) for number in range(-19, 14))

#: Logarithms half way between neighbouring tempos.
_MIDDLES = (np.log(TEMPOS[1:]) + np.log(TEMPOS[:-1])) / 2

#: MIDI velocities in one token.
VELOCITIES = 4


@dataclass(frozen=True)
class Learned:
    """What the codec has learned from its corpus.

    Attributes
    ----------
    metres : list of (int, int)
    programs : list of int
        Including `DRUMS`.
    drums : list of int
        Pitches of drums.
    durations : list of int
        In steps.
    densities, tempos, velocities, lengths : (int, int)
        Lowest and highest number in `DENSITIES` and `TEMPOS`, velocity in `VELOCITIES`, and class
        of the number of bars in `seqgen_music.codecs.lengths`.
    kinds : list of str
        Kinds of chords; empty if chords are not learned.
    """

    metres: list[Metre]
    programs: list[int]
    drums: list[int]
    durations: list[int]
    densities: tuple[int, int]
    tempos: tuple[int, int]
    velocities: tuple[int, int]
    lengths: tuple[int, int]
    kinds: list[str] = field(default_factory=list)


def learn(pieces: Iterable[Music], moves: Moves, *, chords: bool = False) -> Learned:
    """Collect the values of a corpus; pieces that the codec cannot encode are skipped.

    `moves` counts the onsets that its grid moves. With `chords` it collects their kinds.

    Raises
    ------
    DataError
        If no piece has a note.
    """
    sets = ("metres", "programs", "drums", "durations", "densities", "tempos", "velocities", "bars")
    known: dict[str, set[Any]] = {name: set() for name in (*sets, "kinds")}
    lengths = durations_of(moves.steps)
    for piece in pieces:
        try:
            score = score_of(piece, moves.steps)
        except DataError:
            continue
        moves.add(piece.notes["onset"], piece.ticks_per_quarter)
        header, drums = header_of(score), score.program == DRUMS
        known["metres"].update(score.metres)
        known["programs"].update(header.programs.tolist())
        known["drums"].update(np.unique(score.pitch[drums]).tolist())
        nearest = lengths[nearest_of(lengths, score.duration[~drums])]
        known["durations"].update(np.unique(nearest).tolist())
        known["densities"].add(header.density)
        known["bars"].add(len(score.starts))
        known["kinds"].update(kinds_of(piece) if chords else ())
        known["tempos"].update(tempo_numbers(score.tempos).tolist())
        known["velocities"].update(np.unique(score.velocity // VELOCITIES).tolist())
    if not known["programs"]:
        raise DataError("no piece has a note, which the codec 'multitrack' needs")
    return Learned(
        metres=sorted(known["metres"]),
        programs=sorted(known["programs"]),
        drums=sorted(known["drums"]),
        durations=sorted(known["durations"]),
        densities=_ends_of(known["densities"]),
        tempos=_ends_of(known["tempos"]),
        velocities=_ends_of(known["velocities"]),
        lengths=ends_of(known["bars"]),
        kinds=[kind for kind in KINDS if kind in known["kinds"]],
    )


class Numbers:
    """Numbers of values within their kind, as arrays to look up; -1 for unknown values.

    Attributes
    ----------
    program : int64 array (129,)
        By program; `DRUMS` is last.
    pitch : int64 array (2, 139)
        By whether it is a drum, and the number of `written`; drums follow pitches.
    velocity, duration : int64 array
        The nearest learned value.
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
        """Return the number of the nearest learned tempo ``(T,)``."""
        low, high = self._tempos
        return np.minimum(np.maximum(tempo_numbers(tempos), low), high) - low


def durations_of(steps: int) -> Ids:
    """Return all durations that can be learned, in steps."""
    quarters = [range(1, 4 * steps), range(4 * steps, 8 * steps, steps)]
    halves = range(8 * steps, LONGEST_NOTE * steps + 1, 2 * steps)
    return np.concatenate([*quarters, halves]).astype(np.int64)


def nearest_of(values: Ids, targets: Ids) -> Ids:
    """Return the index in ascending values of the nearest to each; of two the lower."""
    middles = values[:-1] + values[1:]
    return np.searchsorted(middles, 2 * targets)


def tempo_numbers(tempos: NDArray[np.float64]) -> Ids:
    """Return the indices of the nearest `TEMPOS` ``(T,)``."""
    return np.searchsorted(_MIDDLES, np.log(tempos))


def _ends_of(numbers: set[int]) -> tuple[int, int]:
    """Return the lowest and the highest number; (0, -1) if there is none."""
    return (min(numbers), max(numbers)) if numbers else (0, -1)
