"""Voice leading of four voices: chords, crossings and cadences.

`seqgen_music.codecs.chorale.parallels` counts parallels.

Most functions take the sounding pitches, int64 ``(n, 4)`` with `REST` for silence, soprano first.
`beats` takes one row per quarter from a raster.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from seqgen_music.codecs.chorale.raster import REST, STEPS, Raster

#: Major, minor, diminished and augmented triads, and the common seventh chords.
KINDS = (
    *((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8)),
    *((0, 4, 7, 10), (0, 3, 7, 10), (0, 4, 7, 11), (0, 3, 6, 9), (0, 3, 6, 10)),
)

#: Lowest and highest note of each voice in textbooks of harmony: C4-G5, G3-D5, C3-G4, E2-C4.
RANGES = ((60, 79), (55, 74), (48, 67), (40, 60))

#: Quarters before the last chord in which its dominant must sound.
CADENCE = 4


def _bits(root: int, steps: tuple[int, ...]) -> int:
    """Return pitch classes above a root as the bits of a number."""
    return sum(1 << (root + step) % 12 for step in steps)


#: Whether each set of pitch classes, as the bits of a number, belongs to one chord (4096,).
_CHORDS = np.zeros(2**12, np.bool_)
for _root, _kind in itertools.product(range(12), KINDS):
    _CHORDS |= (np.arange(2**12) & ~_bits(_root, _kind)) == 0
_CHORDS[0] = False


def beats(raster: Raster) -> NDArray[np.int64]:
    """Return the sounding pitches on every quarter ``(quarters, 4)``."""
    return raster.sounding[::STEPS]


def pitch_classes(sounding: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the set of pitch classes of every row ``(n,)``, as bits."""
    bits = np.where(sounding == REST, 0, 1 << sounding % 12)
    return np.asarray(np.bitwise_or.reduce(bits, axis=1))


def on_chord(sounding: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether all pitches of each row ``(n,)`` belong to one triad or seventh chord."""
    return np.asarray(_CHORDS[pitch_classes(sounding)])


def crossed(sounding: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether in each row ``(n,)`` a voice is lower than the next lower voice."""
    upper, lower = sounding[:, :-1], sounding[:, 1:]
    return np.asarray(((upper < lower) & (upper != REST)).any(axis=1))


def out_of_range(raster: Raster) -> float:
    """Return the share of notes outside the `RANGES` of their voices."""
    low, high = np.array(RANGES).T
    notes = raster.begins & (raster.sounding != REST)
    outside = notes & ((raster.sounding < low) | (raster.sounding > high))
    return float(outside.sum() / notes.sum())


def ends_on_cadence(raster: Raster) -> float:
    """Return 1 if the piece ends on an authentic cadence by a simple definition, else 0.

    The last chord is a major or minor triad in root position, with or without its fifth. In the
    four quarters before it the major triad or dominant seventh chord on its fifth sounds. The last
    chord counts as the tonic, whatever the key of the piece.
    """
    sets, last = pitch_classes(raster.sounding), raster.sounding[-1]
    if (last == REST).all():
        return 0.0
    root = int(last[last != REST].min()) % 12
    is_triad = any(
        sets[-1] & ~_bits(root, (0, third, 7)) == 0 and sets[-1] & _bits(root, (third,))
        for third in (3, 4)
    )
    others = np.flatnonzero(sets != sets[-1])
    if not is_triad or not len(others):
        return 0.0
    begins = int(others[-1]) + 1
    before = sets[max(begins - CADENCE * STEPS, 0) : begins]
    dominant = (root + 7) % 12
    needed, allowed = _bits(dominant, (0, 4)), _bits(dominant, (0, 4, 7, 10))
    return float(((before & needed == needed) & (before & ~allowed == 0)).any())
