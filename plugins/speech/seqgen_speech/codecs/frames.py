"""The codec `frames`: codes of a vocoder's frames, with codebooks learned from the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from seqgen.errors import DataError
from seqgen.plugin import Ids, Within
from seqgen_speech.codecs.books import Books
from seqgen_speech.codecs.frame_codec import FrameCodec, FrameOptions
from seqgen_speech.codecs.k_means import Points
from seqgen_speech.codecs.section_sample import SectionSample
from seqgen_speech.codecs.symbols import Survey
from seqgen_speech.codecs.variation import Variation, at_places
from seqgen_speech.sound import Samples, Sound
from seqgen_speech.vocoder.envelope import coefficients, mel_cepstrum
from seqgen_speech.vocoder.frames import LOWEST
from seqgen_speech.vocoder.pitch import pitch_codes, pitches
from seqgen_speech.vocoder.synthesis import synthesised

#: Pitches that compete in the analysis: steps of two thirds of a semitone.
PITCHES = 60

#: Default temperature and guidance of models without texts, which labels alone tell what to say.
FREE_TEMPERATURE, FREE_GUIDANCE = 0.7, 2.0


@dataclass(frozen=True, kw_only=True)
class FramesOptions(FrameOptions):
    """How finely sound is described."""

    rate: Annotated[int, Within(8_000, 24_000)] = 8_000
    """Samples per second; recordings at other rates are resampled."""
    frame: Annotated[float, Within(5, 40)] = 20.0
    """Milliseconds of a frame."""
    codes: Annotated[int, Within(8, 1024)] = 256
    """Most codes of each field."""
    stages: Annotated[int, Within(1, 4)] = 2
    """Codes of the shape of each frame's spectrum: each further one adds detail."""
    vary: Annotated[float, Within(0, 2)] = 1.0
    """Strength of the random changes of tempo, loudness, pitch and colour in training; 0 turns them
    off."""


class Frames(FrameCodec):
    """Sound as codes of a vocoder's frames: of pitch with loudness, and of the spectrum's shape.

    Codebooks are learned from at most ten minutes of the corpus. Silence is one code.
    """

    options_type: ClassVar[type[Any]] = FramesOptions

    def __init__(self, options: FramesOptions, learned: Mapping[str, Any], survey: Survey) -> None:
        count = coefficients(options.rate)
        self.books = Books.from_state(learned, options.stages, count)
        super().__init__(options, learned, survey)
        if self.dictation is None:
            self.temperature, self.guidance = FREE_TEMPERATURE, FREE_GUIDANCE

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields."""
        details = ("detail", "detail 2", "detail 3")
        return ("prosody", "shape", *details[: len(self.books.shapes) - 1])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each field."""
        return self.books.sizes

    @classmethod
    def sample_rate(cls, options: FramesOptions) -> int:
        """Return the samples per second."""
        return options.rate

    @classmethod
    def frame_rate(cls, options: FramesOptions) -> float:
        """Return the frames per second."""
        return 1000 / options.frame

    @classmethod
    def learn(cls, sounds: Iterable[Sound], options: FramesOptions) -> Mapping[str, Any]:
        """Learn codebooks from a sample of sounds.

        Raises
        ------
        DataError
            If there is no sound.
        """
        sample = SectionSample()
        for sound in sounds:
            sample.add(sound.at(options.rate))
        known = [described(section, options) for section in sample.sections()]
        if not known:
            raise DataError("there is no sound to learn codebooks from")
        cepstra, pitch = (np.concatenate(part) for part in zip(*known, strict=True))
        return Books.fit(cepstra, pitch, options.codes, options.stages).state()

    def analysed(self, sound: Sound) -> Ids:
        """Return the codes ``(T, F)`` of a sound at `rate`."""
        return self.books.quantise(*described(sound, self.options))

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Change tempo, loudness, pitch and colour a little."""
        parts = self.parted(ids) if self.options.vary else None
        if parts is None:
            return ids
        quiet = self.books.quiet
        cepstra, pitch = self.books.restored(parts.frames)
        variation = Variation.drawn(rng, cepstra.shape, self.options.vary)
        places = parts.complete(variation.places(len(pitch)))
        cepstra, pitch = at_places(*variation.applied(cepstra, pitch, quiet), places, quiet)
        return self.joined(parts.at(places, self.books.quantise(cepstra, pitch)))

    def synthesised(self, frames: Ids) -> Samples:
        """Return the samples ``(N,)`` of any codes ``(T, F)``."""
        hop = self.rate / self.frames_per_second
        return synthesised(*self.books.restored(frames), self.rate, hop).astype(np.float32)


def described(sound: Sound, options: FramesOptions) -> tuple[Points, Points]:
    """Return mel-cepstra ``(T, C)`` and pitch in Hz ``(T,)``, 0 for unvoiced frames."""
    hop = options.rate * options.frame / 1000
    samples = sound.samples.astype(np.float64)
    codes = pitch_codes(samples, options.rate, hop, PITCHES)
    pitch = np.concatenate([[0.0], pitches(PITCHES)])[codes]
    # Without a pitch, the longest window, which averages over the most noise.
    windows = np.where(codes > 0, pitch, LOWEST)
    count = coefficients(options.rate)
    return mel_cepstrum(samples, options.rate, hop, windows, count), pitch
