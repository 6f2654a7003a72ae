"""The piece: the samples of a recording, with its text if that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError

#: Lowest and highest number of samples per second.
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000

#: Most samples of a sound: 12 minutes at 44.1 kHz, over an hour at 8 kHz.
MOST_SAMPLES = 32_000_000

Samples = NDArray[np.float32]

#: What is said when: symbols such as phonemes or letters, each with its begin and end in seconds.
Times: TypeAlias = tuple[tuple[str, float, float], ...]

#: The symbol between words, the signs that are pauses, and the pause at the end of a text.
GAP, PAUSES, STOP = " ", ",.;:?!", "."


@dataclass(frozen=True, eq=False, repr=False)
class Sound:
    """One channel of sound.

    Attributes
    ----------
    samples : float32 array (N,)
        From -1 to 1.
    rate : int
        Samples per second.
    text : str
        What is said, as people write it, or "" if that is not known.
    times : tuple of (str, float, float)
        What is said when: symbol, begin and end in seconds, in order; empty if that is not known.
        Symbols are letters or phonemes, `GAP` and `PAUSES`.
    html : callable
        Shows a sound in notebooks; the domain sets it.
    """

    html: ClassVar[Callable[[Sound], str] | None] = None

    samples: Samples
    rate: int
    text: str = ""
    times: Times = ()

    @property
    def seconds(self) -> float:
        """The duration."""
        return len(self.samples) / self.rate

    def fits(self, rate: int) -> bool:
        """Return whether the sound can have another number of samples per second: see `at`."""
        return rate == self.rate or self._samples_at(rate) <= MOST_SAMPLES

    def at(self, rate: int) -> Sound:
        """Return the sound with another number of samples per second, by soxr's HQ quality.

        Raises
        ------
        DataError
            If it then had more than `MOST_SAMPLES` samples.
        """
        if rate == self.rate:
            return self
        if not self.fits(rate):
            raise DataError(
                f"it has {self._samples_at(rate):,} samples at {rate:,} Hz; at most "
                f"{MOST_SAMPLES:,} are used, so cut it into shorter files"
            )
        # Needed only if rates differ.
        import soxr

        samples = np.asarray(soxr.resample(self.samples, self.rate, rate), np.float32)
        # The filter overshoots where a recording reaches full scale.
        return replace(self, samples=samples.clip(-1, 1), rate=rate)

    def _samples_at(self, rate: int) -> int:
        return len(self.samples) * rate // self.rate

    def part(self, first: int, last: int) -> Sound:
        """Return the samples from `first` up to `last`, with the times of what is said there.

        The text stays that of the whole sound. A symbol without duration belongs to the part that
        begins with it, or to the last part.
        """
        samples = self.samples[first:last]
        begin, end = first / self.rate, (first + len(samples)) / self.rate
        is_first, is_last = first <= 0, last >= len(self.samples)
        times = (
            (symbol, min(max(since, begin), end) - begin, min(max(until, begin), end) - begin)
            for symbol, since, until in self.times
            if (is_first or until > begin or since >= begin) and (is_last or since < end)
        )
        return replace(self, samples=samples, times=tuple(times))

    def _repr_html_(self) -> str | None:
        return None if Sound.html is None else Sound.html(self)

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= 40 else f"{self.text[:39]}…"
        about = f", {text!r}" if text else ""
        return f"Sound({self.seconds:.2f} s at {self.rate:,} Hz{about})"


def checked(sound: Sound) -> Sound:
    """Return a sound that was read from a file, if it is usable.

    Samples beyond full scale, which files of floating-point numbers may have, are clipped.

    Raises
    ------
    DataError
        If it has no sample or more than `MOST_SAMPLES`; if a sample is not a finite number; or if
        its rate is below `LOWEST_RATE` or above `HIGHEST_RATE`.
    """
    if not LOWEST_RATE <= sound.rate <= HIGHEST_RATE:
        raise DataError(
            f"it has {sound.rate:,} samples per second; expected {LOWEST_RATE:,} to "
            f"{HIGHEST_RATE:,}"
        )
    if not len(sound.samples):
        raise DataError("it has no sample")
    if len(sound.samples) > MOST_SAMPLES:
        raise DataError(
            f"it has more than {MOST_SAMPLES:,} samples, the most that are read; cut it into "
            f"shorter files"
        )
    finite = np.isfinite(sound.samples)
    if not finite.all():
        raise DataError(f"sample {int(np.argmin(finite)) + 1:,} is not a finite number")
    return replace(sound, samples=sound.samples.clip(-1, 1))
