"""Reads sound files with libsndfile: one channel, at the rate of the file, in bounded memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_speech.sound import MOST_SAMPLES, Sound, checked

#: Formats that are read, by the names of libsndfile. It goes by content, not by suffix.
FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "AU")

#: Numbers that are decoded at once, in all channels.
PART = 2**18

#: In libsndfile's log, the bytes that a header promises and those that are there. RF64 and W64 say
#: it of the whole file only.
PROMISE = re.compile(
    r"^ *(?:data|SSND|Data Size|riff|Riff size) *: (\d+) \(should be (\d+)\)", re.MULTILINE
)

#: A promise from here on means "unknown": programs write it when they write into a pipe.
UNKNOWN = 0x7FFFF000

#: Share of the promised samples below which a compressed file ends early.
NEARLY_ALL = 0.95


def read_sound(path: Path) -> Sound:
    """Return the sound of a file without a text; the mean of its channels.

    Raises
    ------
    DataError
        If the file is no sound, ends early, or is not usable as `checked` says.
    """
    # Imported here, because a command that lists domains needs no library.
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            if file.format not in FORMATS:
                raise DataError(f"it is {file.format_info}; expected one of {', '.join(FORMATS)}")
            samples = _samples(file)
            _check_end(file, len(samples))
            return checked(Sound(samples, file.samplerate))
    except soundfile.LibsndfileError as error:
        raise DataError(f"it cannot be read as sound ({error.error_string})") from error


def _samples(file: Any) -> NDArray[np.float32]:
    """Return the mean of the channels ``(N,)``; at most one sample more than `MOST_SAMPLES`."""
    # What the header promises is not believed: memory is taken for what was decoded.
    parts, left = [np.zeros(0, np.float32)], MOST_SAMPLES + 1
    while left:
        part = file.read(min(PART // file.channels, left), "float32", always_2d=True)  # (M, C)
        if not len(part):
            break
        parts.append(part[:, 0] if file.channels == 1 else part.mean(axis=1, dtype=np.float32))
        left -= len(part)
    return np.concatenate(parts)


def _check_end(file: Any, found: int) -> None:
    """Raise `DataError` if the header promises more than there is."""
    if found > MOST_SAMPLES:
        return
    for promised, there in PROMISE.findall(file.extra_info):
        if int(there) < int(promised) < UNKNOWN:
            raise DataError(
                f"it ends early: its header promises {int(promised):,} bytes, and {int(there):,} "
                f"are there; copy it again"
            )
    if found < NEARLY_ALL * file.frames:
        raise DataError(
            f"it ends early: its header promises {file.frames:,} samples, and {found:,} are there; "
            f"copy it again"
        )
