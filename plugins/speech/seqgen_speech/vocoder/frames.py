"""Frames: where they lie in a sound, and the samples around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Lowest and highest pitch in Hz.
LOWEST, HIGHEST = 55.0, 500.0

Array = NDArray[np.float64]


def count_frames(samples: int, hop: float) -> int:
    """Return how many frames of `hop` samples cover a number of samples; 1 at least."""
    return max(int(np.ceil(samples / hop)), 1)


def around(samples: Array, hop: float, frames: range, size: int) -> Array:
    """Return the samples around the middle of each of F frames ``(F, size)``.

    Parameters
    ----------
    samples : float64 array (N,)
    hop : float
        Samples per frame.
    frames : range
        Which frames, from 0 on; one at least.
    size : int
        How many samples; beyond both ends of the sound they are 0.
    """
    middles = np.round((np.arange(frames.start, frames.stop) + 0.5) * hop).astype(np.int64)
    places = middles[:, None] + np.arange(size) - size // 2  # (F, size)
    # A copy of the part that is needed alone: blocks of frames are many.
    low, high = int(places[0, 0]), int(places[-1, -1]) + 1
    part = samples[max(low, 0) : max(high, 0)]
    padded = np.zeros(high - low)
    first = max(-low, 0)
    padded[first : first + len(part)] = part
    found: Array = padded[places - low]
    return found
