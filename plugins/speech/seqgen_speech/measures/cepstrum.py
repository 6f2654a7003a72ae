"""The mel-cepstral distortion between two sounds."""

from __future__ import annotations

import numpy as np

from seqgen.compiling import compiled
from seqgen_speech.cepstra import Floats, mel_cepstra
from seqgen_speech.sound import Sound

#: Factor of the distortion in decibels: 10 / ln 10 * sqrt 2, for cepstra of log amplitudes.
DECIBELS = 10 / np.log(10) * np.sqrt(2)


def distortion(one: Sound, other: Sound, count: int = 13) -> float:
    """Return the mel-cepstral distortion of two sounds in decibels.

    It is the mean distance of frames along the best alignment (dynamic time warping), without the
    loudness (Kubichek, "Mel-cepstral distance measure", 1993).
    """
    first, second = (mel_cepstra(sound, count + 1)[:, 1:] for sound in (one, other))
    total, steps = _aligned(first, second)
    return float(DECIBELS * total / steps)


@compiled
def _aligned(first: Floats, second: Floats) -> tuple[float, int]:
    """Return the sum of distances along the cheapest path, and its number of steps.

    Of all rows, only the last is kept: two sounds of ten minutes have 3.6 billion pairs of frames.

    Parameters
    ----------
    first, second : float64 array (F, C), (G, C)
    """
    columns = len(second)
    sums, steps = np.full(columns + 1, np.inf), np.zeros(columns + 1, np.int64)
    sums[0] = 0.0
    for row in range(len(first)):
        diagonal, diagonal_steps = sums[0], steps[0]
        sums[0] = np.inf
        for column in range(columns):
            best, count = diagonal, diagonal_steps
            diagonal, diagonal_steps = sums[column + 1], steps[column + 1]
            if diagonal < best:
                best, count = diagonal, diagonal_steps
            if sums[column] < best:
                best, count = sums[column], steps[column]
            distance = np.sqrt(((first[row] - second[column]) ** 2).sum())
            sums[column + 1], steps[column + 1] = best + distance, count + 1
    return float(sums[columns]), int(steps[columns])
