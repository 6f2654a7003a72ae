"""Spectral envelopes as mel-cepstra: the colour of a sound without its pitch.

The power spectrum around the middle of a frame is averaged in bands of equal width in mel. The
window has three periods, and no band is narrower than the pitch, so that single harmonics do not
show: the idea of CheapTrick (Morise 2015). A cosine transform of the logarithms is the
*mel-cepstrum*. Its first number is loudness, and the further ones are finer and finer detail.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen_speech.vocoder.frames import LOWEST, Array, around, count_frames

#: Bands, and coefficients that are kept of their logarithms at 8 kHz.
BANDS, COEFFICIENTS = 40, 20

#: Periods in a window.
PERIODS = 3

#: Power that is added to that of each band, relative to full scale: -90 dB.
FLOOR = 1e-9

#: Frames that are analysed at once: spectra of all frames would need far more memory than the
#: sound.
BLOCK = 2048


def mel(hertz: Array | float) -> Array:
    """Return frequencies in mel (O'Shaughnessy's formula)."""
    return np.asarray(1127 * np.log1p(np.asarray(hertz) / 700))


def hertz(mels: Array | float) -> Array:
    """Return frequencies in Hz."""
    return np.asarray(700 * np.expm1(np.asarray(mels) / 1127))


def coefficients(rate: int) -> int:
    """Return the number of coefficients for which detail is as fine as at 8 kHz."""
    return min(round(COEFFICIENTS * float(mel(rate / 2) / mel(4000.0))), BANDS)


def mel_cepstrum(
    samples: Array, rate: int, hop: float, pitch: Array | float, count: int = COEFFICIENTS
) -> Array:
    """Return the mel-cepstrum of each frame ``(F, count)``, in nepers.

    Row f is such that the natural logarithm of the amplitude spectral density at the middle of band
    b is ``sum(row[k] * cos(pi * k * (b + 0.5) / BANDS))``. White noise of variance 1 has 0
    everywhere.

    Parameters
    ----------
    samples : float64 array (N,)
        From -1 to 1.
    rate : int
        Samples per second.
    hop : float
        Samples per frame; there are ``ceil(N / hop)`` frames, one at least.
    pitch : float64 array (F,) or float
        Pitch of each frame in Hz, `LOWEST` at least. A constant gives ordinary mel-cepstra, with
        windows of three periods of it.
    count : int
        Number of coefficients, at most `BANDS`.
    """
    frames = count_frames(len(samples), hop)
    pitch = np.broadcast_to(np.asarray(pitch, np.float64), (frames,))
    logs = np.empty((frames, BANDS))
    for first in range(0, frames, BLOCK):
        block = range(first, min(first + BLOCK, frames))
        logs[first : block.stop] = _band_logs(samples, rate, hop, block, pitch[first : block.stop])
    transform: Array = logs @ cosines(np.arange(BANDS) + 0.5, count).T * (2 / BANDS)
    transform[:, 0] /= 2
    return transform


def cosines(bands: NDArray[Any], count: int) -> Array:
    """Return the cosines ``(count, B)`` at places in bands, 0 to `BANDS`."""
    found: Array = np.cos(np.pi * np.arange(count)[:, None] * bands / BANDS)
    return found


def _band_logs(samples: Array, rate: int, hop: float, frames: range, pitch: Array) -> Array:
    """Return the logarithm of the amplitude in each band ``(F, BANDS)``."""
    size = round(PERIODS * rate / LOWEST)
    length = 2 ** int(np.ceil(np.log2(size)))
    pitch = np.maximum(pitch, LOWEST)
    seconds = (np.arange(size) - size // 2) / rate
    phase = seconds * pitch[:, None] * 2 / PERIODS  # (F, size): from -1 to 1 in the window
    window = np.where(np.abs(phase) < 1, 0.5 + 0.5 * np.cos(np.pi * phase), 0.0)
    window /= np.sqrt((window**2).sum(axis=1, keepdims=True))
    power = np.abs(np.fft.rfft(around(samples, hop, frames, size) * window, length)) ** 2
    edges = hertz(np.linspace(0, mel(rate / 2), BANDS + 1))
    middles, widths = (edges[1:] + edges[:-1]) / 2, edges[1:] - edges[:-1]
    half = np.maximum(widths, pitch[:, None]) / 2  # (F, BANDS)
    low, high = middles - half, middles + half
    # Bands that would reach beyond the spectrum are moved inwards. Below the first harmonic is
    # little, so the lowest band is around it.
    lowest = np.minimum(pitch[:, None] / 3, rate / 8)
    shift = np.maximum(lowest - low, 0) - np.maximum(high - rate / 2, 0)
    sums = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
    step = rate / length
    total = _between(sums, (high + shift) / step + 0.5) - _between(sums, (low + shift) / step + 0.5)
    result: Array = 0.5 * np.log(total / (2 * half / step) + FLOOR)
    return result


def _between(sums: Array, places: Array) -> Array:
    """Return running sums ``(F, K)`` at places ``(F, B)`` between their columns."""
    places = places.clip(0, sums.shape[1] - 1.001)
    whole = places.astype(np.int64)
    before = np.take_along_axis(sums, whole, axis=1)
    after = np.take_along_axis(sums, whole + 1, axis=1)
    return before + (places - whole) * (after - before)


def spectrum_matrix(rate: int, length: int, count: int) -> NDArray[np.complex128]:
    """Return the matrix ``(count, length // 2 + 1)`` from mel-cepstra to complex log spectra.

    The imaginary part is the phase of the filter that reacts at once (minimum phase). It is linear
    in the logarithm of the amplitude, so the same matrix gives both.
    """
    bands = mel(np.arange(length // 2 + 1) * rate / length) / mel(rate / 2) * BANDS
    real = np.fft.irfft(cosines(bands, count), length, axis=1)  # (count, length)
    real[:, 1 : length // 2] *= 2
    real[:, length // 2 + 1 :] = 0
    return np.fft.rfft(real, axis=1)
