"""Variations of frames: the same words a little faster, louder, higher or in another colour.

Training reads a corpus many times. With another variation each time, it learns which codes are
alike, and not every recording by heart. A variation is made of the frames that codes stand for, so
recordings are not needed. Each change is the same for all frames of a piece, because a voice does
not change within a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from seqgen_speech.codecs.k_means import Points
from seqgen_speech.vocoder.envelope import BANDS, cosines
from seqgen_speech.vocoder.frames import HIGHEST, LOWEST

#: What changes at most: the logarithm of the tempo, the place within a frame, loudness in nepers
#: (2 dB), the logarithm of the pitch (a semitone), and the logarithm of the formants (2 %).
TEMPO, PHASE, LOUDER, HIGHER, FORMANTS = 0.12, 0.5, 0.35, np.log(2) / 12, 0.03

#: Deviation of the changes of the first cepstra after the loudness, in nepers; the first is the
#: tilt of the spectrum.
COLOUR = (0.2, 0.15, 0.12, 0.1, 0.08, 0.08)

#: Deviation of what is added to each number of each frame, in nepers.
ROUGH = 0.05


@dataclass(frozen=True)
class Variation:
    """How the frames of a piece are changed.

    Attributes
    ----------
    tempo : float
        Frames before for each frame after.
    phase : float
        How many frames later each frame is taken.
    louder : float
        In nepers.
    higher, formants : float
        Factors of pitch and formants.
    colour : float64 array (T, C)
        What is added to the cepstra, but for the loudness.
    """

    tempo: float
    phase: float
    louder: float
    higher: float
    formants: float
    colour: Points

    @classmethod
    def drawn(cls, rng: np.random.Generator, shape: tuple[int, int], strength: float) -> Self:
        """Draw a variation for cepstra of a shape ``(T, C)``.

        Parameters
        ----------
        rng : Generator
        shape : (int, int)
        strength : float
            1 for changes as large as the constants of this module; 0 for none.
        """
        limits = strength * np.array([TEMPO, PHASE, LOUDER, HIGHER, FORMANTS])
        tempo, phase, louder, higher, formants = rng.uniform(-limits, limits).tolist()
        colour = strength * rng.normal(0, ROUGH, shape)
        known = min(shape[1] - 1, len(COLOUR))
        colour[:, 1 : 1 + known] += strength * rng.normal(0, COLOUR[:known])
        tempo, higher, formants = np.exp([tempo, higher, formants]).tolist()
        return cls(tempo, min(max(phase, -0.5), 0.5), louder, higher, formants, colour)

    def places(self, frames: int) -> Points:
        """Return the place, in frames before, of each frame after ``(T',)``; T' is 1 at least."""
        count = max(round(frames / self.tempo), 1)
        middles = (np.arange(count) + 0.5) * (frames / count) - 0.5 + self.phase
        return np.asarray(middles.clip(0, frames - 1))

    def applied(self, cepstra: Points, pitch: Points, quiet: float) -> tuple[Points, Points]:
        """Return cepstra ``(T, C)`` and pitch ``(T,)`` in another colour, without other times.

        Frames below the loudness `quiet` stay as they are, and no other becomes one.
        """
        heard = cepstra[:, 0] >= quiet
        after = cepstra @ _warp(cepstra.shape[1], self.formants) + self.colour
        after[:, 0] = np.maximum(cepstra[:, 0] + self.louder, quiet)
        within = (pitch * self.higher).clip(LOWEST, HIGHEST)
        return np.where(heard[:, None], after, cepstra), np.where(pitch > 0, within, 0.0)


def at_places(
    cepstra: Points, pitch: Points, places: Points, quiet: float
) -> tuple[Points, Points]:
    """Return cepstra ``(T', C)`` and pitch ``(T',)`` at places between the middles of T frames.

    Between frames of which only one is silent or voiced, the nearer one counts.
    """
    before = places.astype(np.int64)
    after = np.minimum(before + 1, len(pitch) - 1)
    kind = np.where(cepstra[:, 0] < quiet, 0, np.where(pitch > 0, 2, 1))
    part = places - before
    part = np.where(kind[before] == kind[after], part, np.round(part))
    logs = np.log(np.maximum(pitch, LOWEST))
    mixed = cepstra[before] + part[:, None] * (cepstra[after] - cepstra[before])
    tones = np.exp(logs[before] + part * (logs[after] - logs[before]))
    nearer = np.where(part < 0.5, before, after)
    return mixed, np.where(pitch[nearer] > 0, tones, 0.0)


def _warp(count: int, factor: float) -> Points:
    """Return the matrix ``(count, count)`` that moves what cepstra say of a band to another.

    What was at a place in mel comes to `factor` times it.
    """
    bands = np.arange(BANDS) + 0.5
    moved = cosines(bands / factor, count) @ cosines(bands, count).T * (2 / BANDS)
    moved[:, 0] /= 2
    return np.asarray(moved)
