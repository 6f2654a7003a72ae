"""Sound from pitch and spectral envelopes: pulses and noise through a filter.

Voiced sound is a pulse each period, and noise that grows towards high frequencies; unvoiced sound
is noise alone. Each pulse and each section of noise goes through the filter of its moment, and all
are added up (overlap and add).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen_speech.vocoder.envelope import spectrum_matrix
from seqgen_speech.vocoder.frames import Array

#: Seconds between sections of noise.
SECTION = 0.005

#: Seconds of the response of a filter.
RESPONSE = 0.032

#: Frequency in Hz at which voiced sound has as much noise as pulses, and how steeply that changes.
HALF_NOISE, STEEP = 3500.0, 600.0

#: Pulses or sections that are filtered at once: spectra of all would need far more memory than the
#: sound.
BLOCK = 4096


def synthesised(cepstra: Array, pitch: Array, rate: int, hop: float) -> Array:
    """Return the samples ``(N,)`` of F frames, from -1 to 1; N is F hops, rounded.

    Parameters
    ----------
    cepstra : float64 array (F, C)
        As `seqgen_speech.vocoder.envelope.mel_cepstrum` returns them.
    pitch : float64 array (F,)
        In Hz; 0 for unvoiced frames.
    rate : int
        Samples per second.
    hop : float
        Samples per frame.
    """
    count = round(len(pitch) * hop)
    length = 2 ** int(np.ceil(np.log2(RESPONSE * rate)))
    matrix = spectrum_matrix(rate, length, cepstra.shape[1])
    out = np.zeros(count + 2 * length)
    noisy = 1 / (1 + np.exp((HALF_NOISE - np.arange(length // 2 + 1) * rate / length) / STEEP))
    places, periods = pulses(pitch, hop, rate, count)
    for first in range(0, len(places), BLOCK):
        part = slice(first, first + BLOCK)
        whole = places[part].astype(np.int64)
        shift = (places[part] - whole)[:, None] * np.arange(length // 2 + 1)
        logs = _at(cepstra, places[part] / hop - 0.5) @ matrix - 2j * np.pi / length * shift
        spectra = np.exp(logs) * np.sqrt((1 - noisy) * periods[part, None])
        _add(out, whole, np.fft.irfft(spectra, length, axis=1))
    _add_noise(out, cepstra, pitch, rate, hop, matrix, noisy, length)
    clipped: Array = out[:count].clip(-1, 1)
    return clipped


def _add_noise(
    out: Array,
    cepstra: Array,
    pitch: Array,
    rate: int,
    hop: float,
    matrix: NDArray[np.complex128],
    noisy: Array,
    length: int,
) -> None:
    """Add noise through the filter of each section."""
    step = round(SECTION * rate)
    # The same noise for every sound, so that equal frames sound alike.
    rng = np.random.default_rng(0)
    window = np.sin(np.pi * (np.arange(2 * step) + 0.5) / (2 * step))
    total = -(-(len(out) - 2 * length) // step) + 1
    for first in range(0, total, BLOCK):
        middles = np.arange(first, min(first + BLOCK, total)) * step
        noise = rng.standard_normal((len(middles), 2 * step)) * window
        frame = (middles / hop).astype(np.int64).clip(0, len(pitch) - 1)
        share = np.where(pitch[frame, None] > 0, noisy, 1.0)
        spectra = np.exp(_at(cepstra, middles / hop - 0.5) @ matrix) * np.sqrt(share)
        spectra *= np.fft.rfft(noise, length, axis=1)
        _add(out, middles - step, np.fft.irfft(spectra, length, axis=1))


def pulses(pitch: Array, hop: float, rate: int, count: int) -> tuple[Array, Array]:
    """Return where pulses are ``(P,)``, in samples, and the periods ``(P,)`` after them."""
    places, periods = np.empty(count), np.empty(count)
    found = _place(pitch, hop, rate, count, places, periods)
    return places[:found].copy(), periods[:found].copy()


@compiled
def _place(pitch: Array, hop: float, rate: int, count: int, places: Array, periods: Array) -> int:
    """Set places and periods of pulses, and return how many there are."""
    found, place = 0, 0.0
    while place < count and found < len(places):
        frame = min(int(place / hop), len(pitch) - 1)
        if pitch[frame] <= 0:
            # The first pulse comes with the first voiced frame.
            place = max((frame + 1) * hop, place + 1e-6)
            continue
        # Between the middles of voiced frames pitch glides.
        middle = place / hop - 0.5
        other = frame + 1 if middle > frame else frame - 1
        value = pitch[frame]
        if 0 <= other < len(pitch) and pitch[other] > 0:
            value += abs(middle - frame) * (pitch[other] - value)
        places[found], periods[found] = place, rate / value
        place += rate / value
        found += 1
    return found


def _at(cepstra: Array, places: Array) -> Array:
    """Return cepstra ``(P, C)`` at places between the middles of frames."""
    places = places.clip(0, len(cepstra) - 1)
    whole = np.minimum(places.astype(np.int64), max(len(cepstra) - 2, 0))
    after = np.minimum(whole + 1, len(cepstra) - 1)
    part = (places - whole)[:, None]
    found: Array = (1 - part) * cepstra[whole] + part * cepstra[after]
    return found


@compiled
def _add(out: Array, places: NDArray[np.int64], sounds: Array) -> None:
    """Add sounds ``(P, L)`` at places ``(P,)``; what lies before the beginning is dropped."""
    for row in range(len(sounds)):
        first = places[row]
        for column in range(max(-first, 0), min(sounds.shape[1], len(out) - first)):
            out[first + column] += sounds[row, column]
