"""Pitch and voicing of each frame: normalised cross-correlation and the best path.

As in RAPT (Talkin 1995): a sound that repeats after a *lag* correlates with itself that much later.
Here the lags that compete are those of a few pitches in equal musical steps, so that the best path
through all frames (Viterbi) is a sequence of codes at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen_speech.vocoder.frames import HIGHEST, LOWEST, Array, around, count_frames

#: A usual pitch in Hz.
USUAL = 150.0

#: Seconds of sound that are compared with themselves.
SPAN = 0.03

#: Correlation at which a frame is as likely voiced as not.
VOICED = 0.5

#: Costs of a path, in units of correlation: of a change between voiced and unvoiced, of an octave
#: between neighbours of 10 ms, and of a lag as long as the longest.
SWITCH, OCTAVE, LONG = 0.2, 1.0, 0.05

#: Power, relative to the loudest frame, that is added before correlations: what is 45 dB below it
#: or more does not look voiced.
QUIET = 10**-4.5

#: Mean square that is added in any case: 90 dB below full scale.
LEAST = 1e-9

#: Frames that are analysed at once: sections of all frames would need far more memory than the
#: sound.
BLOCK = 4096


def pitches(count: int) -> Array:
    """Return `count` pitches in Hz from `LOWEST` to `HIGHEST`, in equal steps of a logarithm."""
    return LOWEST * (HIGHEST / LOWEST) ** (np.arange(count) / max(count - 1, 1))


def pitch_codes(samples: Array, rate: int, hop: float, count: int) -> NDArray[np.int64]:
    """Return the pitch of each frame ``(F,)``: 0 is unvoiced, code i is ``pitches(count)[i - 1]``.

    Parameters
    ----------
    samples : float64 array (N,)
        From -1 to 1.
    rate : int
        Samples per second.
    hop : float
        Samples per frame.
    count : int
        Number of pitches, at most 255.
    """
    frames = count_frames(len(samples), hop)
    lags = rate / pitches(count)
    octaves = np.log2(HIGHEST / LOWEST) / max(count - 1, 1)
    reach = 2 ** (octaves / 2)
    span, longest = round(SPAN * rate), int(np.ceil(lags.max() * reach)) + 2
    # The span and its repetition at a usual lag lie around the middle of the frame.
    early = longest - round(rate / USUAL)
    # Where a recording has an offset, everything repeats. High frequencies are noisy, and whole
    # lags are too coarse for them.
    samples = np.convolve(samples - samples.mean(), (0.25, 0.5, 0.25)) if len(samples) else samples
    quiet = QUIET * _loudest(samples, span) + LEAST * span
    step = OCTAVE * octaves * 0.01 * rate / hop
    best, came = np.zeros(count + 1), np.empty((frames, count + 1), np.uint8)
    for first in range(0, frames, BLOCK):
        block = range(first, min(first + BLOCK, frames))
        sections = around(samples, hop, block, span + longest + early)[:, early:]
        scores = np.full((len(block), count + 1), VOICED - LONG)
        _correlate(sections, lags, span, quiet, reach, scores[:, 1:])
        scores[:, 1:] -= LONG * lags / lags.max()
        _extend(best, scores, SWITCH, step, came[first : block.stop])
    return _back(int(np.argmax(best)), came)


def _loudest(samples: Array, span: int) -> float:
    """Return the largest energy of `span` samples."""
    sums = np.concatenate([[0.0], np.cumsum(samples**2)])
    starts = np.arange(0, max(len(samples) - span, 0) + 1, max(span // 4, 1))
    return float((sums[np.minimum(starts + span, len(samples))] - sums[starts]).max())


@compiled
def _peak(before: float, here: float, after: float) -> float:
    """Return the top of a parabola through three values if the middle one is the largest."""
    if here <= before or here <= after:
        return here
    return here + (after - before) ** 2 / (8 * (2 * here - before - after))


@compiled
def _correlate(
    sections: Array, lags: Array, span: int, quiet: float, reach: float, scores: Array
) -> None:
    """Set the correlation of each section with itself at each lag ``(F, P)``.

    `reach` is half a step between lags, as a factor.
    """
    longest = sections.shape[1] - span
    found = np.empty(longest)
    for frame in range(len(sections)):
        section = sections[frame]
        found[:] = 0.0
        # The inner loop is over lags, because sums in a fixed order cannot use whole vectors.
        for place in range(span):
            for lag in range(longest):
                found[lag] += section[place] * section[place + lag]
        one = other = found[0]
        for lag in range(longest):
            found[lag] /= np.sqrt((one + quiet) * (max(other, 0.0) + quiet))
            other += section[span + lag] ** 2 - section[lag] ** 2
        for code in range(len(lags)):
            whole = int(lags[code])
            part = lags[code] - whole
            score = (1 - part) * found[whole] + part * found[whole + 1]
            # Peaks are narrow: all lags that are nearer to this pitch than to others count.
            for lag in range(int(np.ceil(lags[code] / reach)), int(lags[code] * reach) + 1):
                score = max(score, _peak(found[lag - 1], found[lag], found[lag + 1]))
            scores[frame, code] = score


@compiled
def _extend(
    best: Array, scores: Array, switch: float, step: float, came: NDArray[np.uint8]
) -> None:
    """Add frames to the best path to each code, whose values are scores less costs.

    Sets the code ``(F, P + 1)`` before each code of each frame.
    """
    count = len(best)
    after = np.empty(count)
    for frame in range(len(scores)):
        top = np.argmax(best[1:]) + 1
        came[frame, 0] = top if best[top] - switch > best[0] else 0
        after[0] = max(best[top] - switch, best[0])
        for code in range(1, count):
            value, origin = best[0] - switch, 0
            for before in range(1, count):
                other = best[before] - step * abs(before - code)
                if other > value:
                    value, origin = other, before
            after[code] = value
            came[frame, code] = origin
        for code in range(count):
            best[code] = after[code] + scores[frame, code]


@compiled
def _back(last: int, came: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the path ``(F,)`` to a last code."""
    path = np.empty(len(came), np.int64)
    for frame in range(len(came) - 1, -1, -1):
        path[frame] = last
        last = came[frame, last]
    return path
