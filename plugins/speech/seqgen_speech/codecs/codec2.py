"""The codec `codec2`: the fields of Codec 2, a vocoder for radio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from seqgen.plugin import Ids
from seqgen_speech.cleaning import ReadOptions, cleaned
from seqgen_speech.codecs.codec2_library import decoded, encoded
from seqgen_speech.codecs.frame_codec import FrameCodec, FrameOptions
from seqgen_speech.sound import Samples, Sound

#: Samples per second.
RATE = 8_000

#: Amplitude of full scale.
FULL = 32_767

#: Recordings get this level first, because the steps of loudness are coarse and few.
LEVEL = ReadOptions(loudness=-20.0)


class Mode(NamedTuple):
    """A mode of Codec 2.

    Attributes
    ----------
    number : int
        In codec2.h.
    samples : int
        Of a frame.
    delay : int
        Samples by which a copy is late; measured from the envelopes of spoken digits.
    fields : tuple of (str, int, int)
        Names, and the first and the number of their bits in a frame; the loudness comes first.
    silence : tuple of int
        The fields of digital silence. Others of no loudness may be loud after all, by resonance.
    """

    number: int
    samples: int
    delay: int
    fields: tuple[tuple[str, int, int], ...]
    silence: tuple[int, ...]


#: In 3200 the shape is that of ten differences of line spectral frequencies.
MODES = {
    "700C": Mode(
        8,
        320,
        220,
        (("loudness", 18, 4), ("pitch", 22, 6), ("shape", 0, 9), ("detail", 9, 9)),
        (0, 0, 413, 474),
    ),
    "3200": Mode(
        0,
        160,
        150,
        (
            *(("loudness", 9, 5), ("voicing", 0, 2), ("pitch", 2, 7)),
            *((f"line {number}", 9 + 5 * number, 5) for number in range(1, 11)),
        ),
        (0, 0, 2, 0, 9, 8, 14, 14, 14, 8, 8, 8, 8),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Codec2Options(FrameOptions):
    """The mode of Codec 2."""

    mode: Literal["700C", "3200"] = "700C"
    """700C has 25 frames a second of 4 tokens; 3200 keeps more, with 50 frames of 13 tokens."""


class Codec2(FrameCodec):
    """Sound at 8 kHz as the fields of Codec 2's frames: loudness, pitch, shape of the spectrum.

    Nothing is learned but the symbols of texts. Speech gets a level of -20 dB first. A frame of the
    lowest loudness is silence.
    """

    options_type: ClassVar[type[Any]] = Codec2Options

    @property
    def _mode(self) -> Mode:
        mode: Mode = MODES[self.options.mode]
        return mode

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(name for name, _, _ in self._mode.fields)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each field."""
        return tuple(1 << bits for _, _, bits in self._mode.fields)

    @classmethod
    def sample_rate(cls, options: Codec2Options) -> int:
        """Return the samples per second."""
        return RATE

    @classmethod
    def frame_rate(cls, options: Codec2Options) -> float:
        """Return the frames per second of a mode."""
        return RATE / MODES[options.mode].samples

    def analysed(self, sound: Sound) -> Ids:
        """Return the fields ``(T, F)`` of a sound at 8 kHz."""
        mode = self._mode
        count = -(-len(sound.samples) // mode.samples)
        # One frame more, so that the coder reads ahead by its delay; what it says first is dropped.
        padded = np.zeros((count + 1) * mode.samples, np.int16)
        begin = mode.samples - mode.delay
        scaled = np.round(cleaned(sound, LEVEL).samples * FULL).astype(np.int16)
        padded[begin : begin + len(scaled)] = scaled
        rows = encoded(mode.number, padded.reshape(count + 1, mode.samples))[1:]
        bits = np.unpackbits(rows, axis=1).astype(np.int64)  # (T, 8 * B)
        parts = [
            bits[:, first : first + size] @ (1 << np.arange(size)[::-1])
            for _, first, size in mode.fields
        ]
        fields = np.stack(parts, 1)
        fields[fields[:, 0] == 0] = 0
        return fields

    def synthesised(self, frames: Ids) -> Samples:
        """Return the samples ``(N,)`` of fields ``(T, F)``."""
        mode = self._mode
        frames = np.where(frames[:, :1] == 0, mode.silence, frames)
        width = max(first + size for _, first, size in mode.fields)
        bits = np.zeros((len(frames), -(-width // 8) * 8), np.uint8)
        for values, (_, first, size) in zip(frames.T, mode.fields, strict=True):
            bits[:, first : first + size] = values[:, None] >> np.arange(size)[::-1] & 1
        samples = decoded(mode.number, np.packbits(bits, axis=1), mode.samples)
        return (samples.ravel() / np.float32(FULL)).clip(-1, 1).astype(np.float32)
