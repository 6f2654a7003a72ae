"""Parallel fifths, octaves and unisons between two voices: how many there are, and what makes one.

Both voices of a pair move in the same direction, from one perfect interval, octaves apart or not,
to the same one.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen_music.codecs.chorale.layout import PARTS, PERFECT
from seqgen_music.codecs.chorale.raster import REST


def parallels(sounding: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the parallels from each row of pitches ``(n, 4)`` to the next ``(n - 1,)``."""
    before, after = sounding[:-1], sounding[1:]
    counts = np.zeros(len(before), np.int64)
    for high, low in itertools.combinations(range(PARTS), 2):
        pair = [high, low]
        sung = ((before[:, pair] != REST) & (after[:, pair] != REST)).all(axis=1)
        interval = (before[:, high] - before[:, low]) % 12
        same = interval == (after[:, high] - after[:, low]) % 12
        alike = (after - before)[:, high] * (after - before)[:, low] > 0
        counts += sung & alike & same & np.isin(interval, PERFECT)
    return counts


@compiled
def forbid_parallels(
    pitched: NDArray[np.bool_], low: int, own: int, before: int, after: int
) -> None:
    """Forbid the pitches of a voice that would move in parallel with a higher one.

    Parameters
    ----------
    pitched : bool array (P,)
        Which pitches may be sung, from `low` on; at least one stays.
    low : int
    own : int
        What the voice sang before.
    before, after : int
        What the higher voice sang then, and what it sings now.
    """
    if REST in (own, before, after) or before == after or (before - own) % 12 not in PERFECT:
        return
    left = pitched.sum()
    for number in range(len(pitched)):
        pitch = low + number
        parallel = (after - pitch - before + own) % 12 == 0
        alike = (pitch - own) * (after - before) > 0
        if pitched[number] and parallel and alike and left > 1:
            pitched[number] = False
            left -= 1
