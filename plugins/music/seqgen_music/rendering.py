"""A piece for eyes and ears: a piano roll as PNG, a sound as WAV; no system library needed."""

from __future__ import annotations

import io
import wave

import numpy as np
from numpy.typing import NDArray

from seqgen_music.midi import to_pretty_midi
from seqgen_music.music import Music, pitch_name

#: Samples a second: speech-like quality, small enough to put several pieces into one page.
SAMPLE_RATE = 16_000

#: Okabe and Ito's colours, told apart by everybody.
COLOURS = ("#D55E00", "#009E73", "#0072B2", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")

#: Loudness of the overtones of the sound, from the fundamental up: a soft organ.
OVERTONES = (1.0, 0.5, 0.25, 0.12, 0.06)


def piano_roll(music: Music) -> bytes:
    """Draw the notes over time as PNG: tracks in colour, bar lines, octaves marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import PatchCollection
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch, Patch

    notes, quarter = music.notes, music.ticks_per_quarter
    figure = Figure(figsize=(12, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, bar in enumerate(music.bar_starts()):
        axes.axvline(bar / quarter, color="#ccc", linewidth=1.2 if number % 4 == 0 else 0.6)
    for number, _ in enumerate(music.tracks):
        mine = notes[notes["track"] == number]
        boxes = [
            FancyBboxPatch(
                (note["onset"] / quarter, int(note["pitch"]) - 0.4),
                max(note["duration"] / quarter - 0.06, 0.05),
                0.8,
                boxstyle="round,pad=0,rounding_size=0.12",
            )
            for note in mine
        ]
        colour = COLOURS[number % len(COLOURS)]
        axes.add_collection(PatchCollection(boxes, facecolor=colour, edgecolor="none"))
    low, high = (int(notes["pitch"].min()), int(notes["pitch"].max())) if len(notes) else (48, 72)
    octaves = [pitch for pitch in range(low - 12, high + 13) if pitch % 12 == 0]
    axes.set_yticks(octaves, [pitch_name(pitch) for pitch in octaves])
    axes.set_xlim(0, max(music.length / quarter, 1))
    axes.set_ylim(low - 2, high + 2)
    axes.set_xlabel("quarter notes")
    axes.spines[["top", "right"]].set_visible(False)
    handles = [
        Patch(color=COLOURS[number % len(COLOURS)], label=track.name or f"track {number + 1}")
        for number, track in enumerate(music.tracks[: len(COLOURS)])
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def sound(music: Music) -> bytes:
    """Synthesise the piece as a WAV file, one channel, 16 bits."""
    samples = to_pretty_midi(music).synthesize(SAMPLE_RATE, _organ)
    peak = np.abs(samples).max(initial=1e-9)
    pcm = (samples / peak * 0.8 * 2**15).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm.tobytes())
    return buffer.getvalue()


def _organ(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the waveform at phases in radians."""
    tones = [loud * np.sin((n + 1) * phase) for n, loud in enumerate(OVERTONES)]
    return np.asarray(np.sum(tones, axis=0))
