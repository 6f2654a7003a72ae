"""The mel-cepstrum of sounds, as listeners compare them.

It shares nothing with the vocoder, whose errors a judge should find.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from seqgen_speech.sound import Sound

Floats = NDArray[np.float64]

#: Samples per second at which all sounds are compared: those of telephones.
RATE = 8_000

#: Samples between frames and in a frame (10 and 32 ms), bands, and the lowest band's lower end.
HOP, FRAME, BANDS, LOWEST = 80, 256, 24, 80.0

#: Least power in a band, relative to that of a band at full scale: 80 dB below.
FLOOR = 1e-8


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
