"""Writes sound files with libsndfile."""

from __future__ import annotations

import io

import numpy as np

from seqgen.errors import DataError
from seqgen_speech.sound import Sound

#: Format and coding of each suffix that is written, by the names of libsndfile.
CODINGS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}

#: Rates that MP3 allows.
MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

#: Samples that the encoder gets at once: libsndfile's Vorbis fails on long arrays.
PART = 2**16


def sound_file(sound: Sound, suffix: str) -> bytes:
    """Return a sound file of the format of a suffix of `CODINGS`; WAV and FLAC have 16 bits.

    For MP3, a rate that it does not allow becomes the next higher one.

    Raises
    ------
    DataError
        If the sound has no sample, which only WAV can hold.
    """
    # Imported here, because a command that lists domains needs no library.
    import soundfile

    form, coding = CODINGS[suffix]
    if not len(sound.samples) and suffix != ".wav":
        raise DataError(f"a sound without a sample cannot be written as {suffix}; use .wav")
    if suffix == ".mp3":
        sound = sound.at(min((r for r in MP3_RATES if r >= sound.rate), default=MP3_RATES[-1]))
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", sound.rate, 1, coding, format=form) as file:
        for first in range(0, len(sound.samples), PART):
            part = sound.samples[first : first + PART]
            # Rounded here: libsndfile truncates.
            file.write(np.round(part * 32_767).astype(np.int16))
    return buffer.getvalue()
