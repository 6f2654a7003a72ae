"""A piece as sampled sound, with the extra ``sound``: midirenderer plays it.

The sound font is that of pretty_midi: TimGM6mb by Tim Brechbill, all instruments of General MIDI.
"""

from __future__ import annotations

import io
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqgen_music.files.midi_writing import midi_bytes
from seqgen_music.music import Music

#: The sound font in the folder of pretty_midi.
FONT = "TimGM6mb.sf2"

#: Seconds after the last note.
FADE = 2.0


def has_samples() -> bool:
    """Return whether the extra ``sound`` is installed."""
    return find_spec("midirenderer") is not None


def sampled(music: Music) -> tuple[NDArray[np.float32], int]:
    """Return the samples of the piece ``(2, N)``, and their number a second.

    Raises
    ------
    DataError
        If the piece does not fit in a MIDI file.
    """
    # An extra, imported only for sound.
    import midirenderer
    import pretty_midi
    import soundfile

    font = (Path(pretty_midi.__file__).parent / FONT).read_bytes()
    # A file lasts to its last event: an empty text leaves time for the last notes to fade.
    end = music.ticks(music.seconds(np.array([music.length])) + FADE)[0]
    longer = replace(music, lyrics=(*music.lyrics, (int(end), -1, "")))
    wave = midirenderer.render_wave_from(font, midi_bytes(longer))
    samples, rate = soundfile.read(io.BytesIO(wave), dtype="float32", always_2d=True)
    return samples.T, int(rate)
