"""Cuts silence off recordings and evens their loudness, if asked to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Within, check_fields
from seqgen_speech.sound import Sound

#: Frames whose levels are compared, per second, and the frames that are kept around speech.
FRAMES, MARGIN = 100, 3

#: Decibels below the loudest frame within which a frame counts as speech when loudness is measured.
SPEECH = 40.0


@dataclass(frozen=True)
class ReadOptions:
    """What is done to recordings."""

    trim: Annotated[float, Within(0, 120)] = 0.0
    """Cut silence at both ends: all that is this many decibels below the loudest 10 ms, but for 30
    ms around speech. 40 suits most recordings. 0 cuts nothing."""
    loudness: Annotated[float, Within(-60, 0)] = 0.0
    """Set the mean level of speech to this many decibels relative to full scale, such as -20, or
    less if samples would exceed full scale. 0 changes nothing."""

    def __post_init__(self) -> None:
        check_fields(self)


#: Recordings as they are.
DEFAULT = ReadOptions()


def cleaned(sound: Sound, options: ReadOptions) -> Sound:
    """Return a sound without silence at its ends, and with its loudness set."""
    if options.trim:
        sound = _trimmed(sound, options.trim)
    if options.loudness:
        sound = _even(sound, options.loudness)
    return sound


def _trimmed(sound: Sound, depth: float) -> Sound:
    """Cut what is `depth` decibels below the loudest frame at both ends."""
    power, size = powers(sound)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-depth / 10))
    first, last = max(int(loud[0]) - MARGIN, 0), int(loud[-1]) + 1 + MARGIN
    return sound.part(first * size, last * size)


def _even(sound: Sound, loudness: float) -> Sound:
    """Set the mean level of the frames that are speech; a silent sound stays as it is."""
    power, _ = powers(sound)
    loudest = float(power.max())
    if not loudest:
        return sound
    level = float(power[power >= loudest * 10 ** (-SPEECH / 10)].mean()) ** 0.5
    gain = min(10 ** (loudness / 20) / level, 1 / float(np.abs(sound.samples).max()))
    return replace(sound, samples=(sound.samples * np.float32(gain)).clip(-1, 1))


def powers(sound: Sound) -> tuple[NDArray[np.float64], int]:
    """Return the mean square ``(F,)`` of each frame of a sound, and the samples of a frame."""
    size = max(sound.rate // FRAMES, 1)
    starts = np.arange(0, len(sound.samples), size)
    sums = np.add.reduceat(sound.samples.astype(np.float64) ** 2, starts)
    return sums / np.diff(np.append(starts, len(sound.samples))), size
