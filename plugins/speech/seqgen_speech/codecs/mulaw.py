"""The codec `mulaw`: one token per sample, of 256 levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Codec, Ids, Within, check_fields
from seqgen_speech.sound import Sound

#: Levels of a sample, and the one of silence.
LEVELS, SILENCE = 256, 128

#: The amplitude ``(256,)`` of each level: mu-law with mu = 255, symmetric around `SILENCE`.
_STEPS = (np.arange(LEVELS) - SILENCE) / SILENCE
AMPLITUDES: NDArray[np.float32] = (
    np.sign(_STEPS) * (np.power(256.0, np.abs(_STEPS)) - 1) / 255
).astype(np.float32)


@dataclass(frozen=True)
class MulawOptions:
    """The rate of the samples."""

    rate: Annotated[int, Within(2_000, 48_000)] = 8_000
    """Samples per second; recordings at other rates are resampled."""

    def __post_init__(self) -> None:
        check_fields(self)


class MulawCodec(Codec):
    """One token per sample: its level on a logarithmic scale of 256 (mu-law).

    Levels are kept exactly. Encoding rounds each sample to the nearest level on that scale, with
    an error of about 2 % of a loud sample, and drops the text. Nothing is learned.
    """

    options_type: ClassVar[type[Any]] = MulawOptions
    vocab = tuple(f"{level - SILENCE:+}" for level in range(LEVELS))

    def __init__(self, options: MulawOptions) -> None:
        self.options = options

    @classmethod
    def fit(cls, pieces: Iterable[Sound], options: MulawOptions) -> Self:
        """Return the codec; pieces do not matter."""
        return cls(options)

    def encode(self, piece: Sound) -> Ids:
        """Return the level ``(N,)`` of each sample."""
        return levels_of(piece.at(self.options.rate).samples)

    def decode(self, ids: Ids) -> Sound:
        """Return the sound of levels ``(N,)``."""
        return Sound(AMPLITUDES[np.asarray(ids, np.int64)], self.options.rate)

    def state(self) -> dict[str, Any]:
        """Return nothing: all is in the options."""
        return {}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: MulawOptions) -> Self:
        """Rebuild the codec."""
        return cls(options)

    def place(self, ids: Ids, position: int) -> str:
        """Return a position in seconds."""
        return f"second {position / self.options.rate:.3f}"

    def units(self, ids: Ids) -> dict[str, float]:
        """Return the numbers of samples and seconds."""
        return {"samples": float(len(ids)), "seconds": len(ids) / self.options.rate}


def levels_of(samples: NDArray[np.float32]) -> Ids:
    """Return the level ``(N,)`` of each of samples ``(N,)``."""
    compressed = np.sign(samples) * np.log1p(255 * np.abs(samples, dtype=np.float64)) / np.log(256)
    levels = np.round(SILENCE * compressed).astype(np.int64) + SILENCE
    return np.asarray(levels.clip(0, LEVELS - 1))
