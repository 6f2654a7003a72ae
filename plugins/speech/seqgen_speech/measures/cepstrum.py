"""The mel-cepstrum of sounds, as judges hear them, and the distortion between two sounds.

A judge shares nothing with the vocoder, whose errors it should find.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen_speech.sound import Sound

Floats = NDArray[np.float64]

#: Samples per second at which all sounds are compared: those of telephones.
RATE = 8_000

#: Samples between frames and in a frame (10 and 32 ms), bands, and the lowest band's lower end.
HOP, FRAME, BANDS, LOWEST = 80, 256, 24, 80.0

#: Least power in a band, relative to that of a band at full scale: 80 dB below.
FLOOR = 1e-8

#: Factor of the distortion in decibels: 10 / ln 10 * sqrt 2, for cepstra of log amplitudes.
DECIBELS = 10 / np.log(10) * np.sqrt(2)


def mel_cepstra(sound: Sound, count: int) -> Floats:
    """Return `count` coefficients of each frame ``(F, count)``; the first one is the loudness.

    They are those of log amplitudes, as in the mel-cepstral distortion; F is at least 1.
    """
    samples = sound.at(RATE).samples.astype(np.float64)
    frames = max(-(-len(samples) // HOP), 1)
    padded = np.pad(samples, (FRAME // 2, FRAME // 2 + HOP))
    rows = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP][:frames]  # (F, FRAME)
    power = np.abs(np.fft.rfft(rows * np.hanning(FRAME))) ** 2 / FRAME**2
    logs = 0.5 * np.log(power @ _bands().T + FLOOR)  # (F, BANDS)
    return np.asarray(logs @ _cosines(count).T)


def distortion(one: Sound, other: Sound, count: int = 13) -> float:
    """Return the mel-cepstral distortion of two sounds in decibels.

    It is the mean distance of frames along the best alignment (dynamic time warping), without the
    loudness (Kubichek, "Mel-cepstral distance measure", 1993).
    """
    first, second = (mel_cepstra(sound, count + 1)[:, 1:] for sound in (one, other))
    total, steps = _aligned(first, second)
    return float(DECIBELS * total / steps)


@cache
def _bands() -> Floats:
    """Return the triangular weights ``(BANDS, FRAME // 2 + 1)`` of mel bands."""
    top = 1127 * np.log1p(RATE / 2 / 700)
    edges = 700 * np.expm1(np.linspace(1127 * np.log1p(LOWEST / 700), top, BANDS + 2) / 1127)
    hertz = np.arange(FRAME // 2 + 1) * RATE / FRAME
    low, middle, high = (edges[first : first + BANDS, None] for first in range(3))
    return np.asarray(
        np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle))
    ).clip(0)


def _cosines(count: int) -> Floats:
    """Return the rows ``(count, BANDS)`` that make cepstra c: log amplitudes are sums of c cos."""
    places, number = (np.arange(BANDS) + 0.5) / BANDS, np.arange(count)[:, None]
    return np.asarray(np.cos(np.pi * number * places) * np.where(number, 2, 1) / BANDS)


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
