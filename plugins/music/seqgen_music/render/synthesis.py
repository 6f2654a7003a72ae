"""A piece as sound: synthesised, without a sound font or a system library.

Each family of instruments is a sum of sine waves with its own attack and decay. Drums are falling
tones and noise. Louder notes are brighter. Notes of one pitch and brightness share a tone, each
with its own end.
"""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_music.music import FAMILY, Music, Track
from seqgen_music.render.sampled import has_samples, sampled

#: Samples per second of a file, and of a preview; a page has several previews.
RATE, PREVIEW_RATE = 44_100, 22_050

#: Longest piece in seconds: over half a gigabyte of samples.
LONGEST_SECONDS = 3600

#: Loudest sample of a file; 1 is the maximum of the format.
PEAK = 0.9

#: Levels of brightness, by velocity.
LAYERS = 8

#: Vibrato in Hz, and seconds until it is fully there.
VIBRATO, VIBRATO_SETS_IN = 5.3, 0.6

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Voice:
    """The sound of a family of instruments.

    Attributes
    ----------
    partials : tuple of (ratio, level)
        Frequencies relative to the fundamental, and amplitudes.
    attack, release : float
        Seconds of the rise, and of the fall after the end of a note.
    decay : float
        Seconds in which middle C falls to 1/e; 0 if it is held. Higher partials fall faster.
    vibrato : float
        Largest deviation, as a fraction of the frequency.
    """

    partials: tuple[tuple[float, float], ...]
    attack: float = 0.004
    release: float = 0.08
    decay: float = 0.0
    vibrato: float = 0.0


def _harmonics(count: int, slope: float, even: float = 1.0) -> tuple[tuple[float, float], ...]:
    """Return partials that fall with a power of their number; `even` scales the even ones."""
    return tuple((n, n**-slope * (1.0 if n % 2 else even)) for n in range(1, count + 1))


_PIANO = Voice(_harmonics(10, 1.3), release=0.12, decay=1.6)
_MALLET = Voice(((1, 1), (3.93, 0.35), (9.2, 0.1)), release=0.25, decay=0.5)
_ORGAN = Voice(((1, 1), (2, 0.6), (3, 0.3), (4, 0.3), (6, 0.12), (8, 0.1)), attack=0.012)
_GUITAR = Voice(_harmonics(10, 1.1), attack=0.003, release=0.1, decay=0.9)
_BASS = Voice(_harmonics(7, 1.4), attack=0.005, decay=1.2)
_STRINGS = Voice(_harmonics(12, 1.1), attack=0.07, release=0.15, vibrato=0.003)
_CHOIR = Voice(
    ((1, 1), (2, 0.55), (3, 0.3), (4, 0.1), (5, 0.06), (6, 0.04)),
    attack=0.06,
    release=0.18,
    vibrato=0.002,
)
_BRASS = Voice(_harmonics(12, 0.9), attack=0.035, release=0.09)
_REED = Voice(_harmonics(10, 1.0, even=0.35), attack=0.025)
_PIPE = Voice(((1, 1), (2, 0.18), (3, 0.08), (4, 0.03)), attack=0.04, release=0.1, vibrato=0.002)
_LEAD = Voice(_harmonics(12, 1.0), attack=0.01)
_PAD = Voice(_harmonics(8, 1.4), attack=0.2, release=0.4, vibrato=0.002)

#: The sixteen families of General MIDI in order, from pianos to sound effects.
FAMILIES = (
    *(_PIANO, _MALLET, _ORGAN, _GUITAR, _BASS, _STRINGS, _CHOIR, _BRASS),
    *(_REED, _PIPE, _LEAD, _PAD, _PAD, _GUITAR, _MALLET, _PAD),
)


@dataclass(frozen=True)
class Drum:
    """A tone that falls from one frequency to another, with noise.

    Attributes
    ----------
    high, low : float
        Frequencies in Hz.
    tone, noise : float
        Amplitudes.
    ring, hiss : float
        Seconds in which tone and noise fall to 1/e.
    bright : bool
        Whether the noise has only high frequencies, as of metal.
    """

    high: float = 200
    low: float = 200
    tone: float = 0.0
    ring: float = 0.05
    noise: float = 0.0
    hiss: float = 0.05
    bright: bool = False


_KICK = Drum(130, 46, tone=1.0, ring=0.13, noise=0.15, hiss=0.006)
_SNARE = Drum(220, 170, tone=0.4, ring=0.07, noise=0.6, hiss=0.09)
_STICK = Drum(1700, 1600, tone=0.4, ring=0.02, noise=0.3, hiss=0.012)
_CLAP = Drum(noise=0.7, hiss=0.07)
_CLOSED = Drum(noise=0.35, hiss=0.03, bright=True)
_OPEN = Drum(noise=0.35, hiss=0.2, bright=True)
_CRASH = Drum(noise=0.45, hiss=0.7, bright=True)
_RIDE = Drum(5200, 5200, tone=0.06, ring=0.3, noise=0.2, hiss=0.35, bright=True)
_BLOCK = Drum(900, 850, tone=0.5, ring=0.035)

#: Drums of General MIDI by pitch; others sound like a wood block.
DRUMS = (
    dict.fromkeys((35, 36), _KICK)
    | dict.fromkeys((38, 40), _SNARE)
    | {37: _STICK, 39: _CLAP, 42: _CLOSED, 44: _CLOSED, 46: _OPEN}
    | dict.fromkeys((49, 52, 55, 57), _CRASH)
    | dict.fromkeys((51, 53, 59), _RIDE)
    | {
        pitch: Drum(1.6 * low, low, tone=0.8, ring=0.16, noise=0.1, hiss=0.02)
        for pitch, low in ((41, 80), (43, 95), (45, 115), (47, 135), (48, 160), (50, 190))
    }
)


def sound(music: Music, form: str = "wav", rate: int = RATE, channels: int = 2) -> bytes:
    """Return the piece as a sound file; `seqgen_music.render.sampled` plays stereo if it can.

    Parameters
    ----------
    music : Music
    form : {"wav", "flac", "mp3"}
        WAV and FLAC have 16 bits per sample.
    rate : int
        Samples a second of synthesised sound.
    channels : int
        2 for stereo, with the tracks spread from left to right; 1 for mono.

    Raises
    ------
    DataError
        If the piece is longer than `LONGEST_SECONDS`.
    """
    # Imported late: only sound needs it.
    import soundfile

    _refuse_long(music)
    if channels == 2 and has_samples():
        samples, rate = sampled(music)
        samples = _scaled(samples)
    else:
        samples = synthesise(music, rate, channels)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples.T, rate, format=form)
    return buffer.getvalue()


def preview(music: Music) -> bytes:
    """Return the piece as a small MP3 file."""
    return sound(music, "mp3", PREVIEW_RATE, channels=1)


def synthesise(music: Music, rate: int, channels: int) -> Samples:
    """Return the samples of the piece ``(channels, N)``, between -`PEAK` and `PEAK`."""
    seconds = _refuse_long(music)
    mixed = np.zeros((channels, int(seconds * rate) + 2), np.float32)
    places = np.linspace(0.25, 0.75, len(music.tracks)) if len(music.tracks) != 1 else [0.5]
    for number, (track, place) in enumerate(zip(music.tracks, places, strict=True)):
        notes = music.notes[music.notes["track"] == number]
        if not len(notes):
            continue
        begins = np.rint(music.seconds(notes["onset"]) * rate).astype(np.int64)
        stops = np.rint(music.seconds(notes["onset"] + notes["duration"]) * rate).astype(np.int64)
        line = np.zeros(mixed.shape[1], np.float32)
        _play(track, notes, begins, stops - begins, rate, line)
        angle = np.pi / 2 * (0.5 if track.drums else place)
        for side, gain in zip(mixed, (np.cos(angle), np.sin(angle)), strict=False):
            side += line * np.float32(gain if channels > 1 else 1.0)
    return _limited(mixed)


def _refuse_long(music: Music) -> float:
    """Return the seconds of a piece: to the end of its last note plus the longest release or ring.

    Raises
    ------
    DataError
        If there are more than `LONGEST_SECONDS`.
    """
    ends = music.notes["onset"] + music.notes["duration"]
    seconds = float(music.seconds(ends).max(initial=0.0)) + _longest_tail(music)
    if seconds > LONGEST_SECONDS:
        raise DataError(
            f"the piece lasts {seconds:,.0f} seconds; sound is made of {LONGEST_SECONDS:,} at most"
        )
    return seconds


def _longest_tail(music: Music) -> float:
    tails = [8 * max(drum.ring, drum.hiss) for drum in DRUMS.values()]
    drums = any(track.drums for track in music.tracks)
    return max([voice.release for voice in FAMILIES] + (tails if drums else []))


def _play(
    track: Track,
    notes: NDArray[np.void],
    begins: NDArray[np.int64],
    lengths: NDArray[np.int64],
    rate: int,
    line: Samples,
) -> None:
    """Add the notes ``(N,)`` of a track to its samples."""
    voice = FAMILIES[track.program // FAMILY]
    release = int(voice.release * rate)
    fall = np.cos(np.linspace(0, np.pi / 2, release, dtype=np.float32)) ** 2
    velocities = notes["velocity"] / 127
    layers = np.minimum((velocities * LAYERS).astype(np.int64), LAYERS - 1)
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, key in enumerate(zip(notes["pitch"].tolist(), layers.tolist(), strict=True)):
        alike[key].append(index)
    for (pitch, layer), indices in alike.items():
        brightness = 0.5 + 0.5 * (layer + 0.5) / LAYERS
        if track.drums:
            tone = _drum(DRUMS.get(pitch, _BLOCK), brightness, rate)
        else:
            longest = int(lengths[indices].max()) + release
            frequency = 440 * 2 ** ((pitch - 69) / 12)
            tone = _tone(voice, frequency, brightness, longest, rate)
        for index in indices:
            heard = tone
            if not track.drums:
                heard = tone[: lengths[index] + release].copy()
                heard[len(heard) - release :] *= fall
            begin = begins[index]
            line[begin : begin + len(heard)] += heard * np.float32(velocities[index] ** 1.7)


def _tone(voice: Voice, frequency: float, brightness: float, samples: int, rate: int) -> Samples:
    """Return a tone ``(samples,)`` with attack and without release."""
    time = np.arange(samples) / rate
    cycles = frequency * time
    if voice.vibrato:
        sets_in = np.minimum(time / VIBRATO_SETS_IN, 1.0)
        sway = sets_in * np.sin(2 * np.pi * VIBRATO * time)
        cycles += frequency * voice.vibrato / (2 * np.pi * VIBRATO) * sway
    # Low strings ring longer than high ones.
    fall = (frequency / 261.6) ** 0.5 / voice.decay if voice.decay else 0.0
    short = time.astype(np.float32)
    tone = np.zeros(samples, np.float32)
    for ratio, level in voice.partials:
        # Frequencies near half the rate would alias.
        if ratio * frequency > 0.45 * rate:
            continue
        part = np.sin(np.float32(2 * np.pi) * (ratio * cycles % 1.0).astype(np.float32))
        if fall:
            part *= np.exp(short * np.float32(-fall * (0.7 + 0.3 * ratio)))
        tone += part * np.float32(level * brightness ** (ratio - 1))
    rise = min(int(voice.attack * rate), samples)
    tone[:rise] *= np.sin(np.linspace(0, np.pi / 2, rise, dtype=np.float32)) ** 2
    return tone / np.float32(sum(level for _, level in voice.partials))


def _drum(drum: Drum, brightness: float, rate: int) -> Samples:
    """Return the samples of one stroke, as long as it rings."""
    time = np.arange(int(7 * max(drum.ring, drum.hiss) * rate)) / rate
    # The frequency falls faster than the tone.
    glide = drum.ring / 2
    cycles = drum.low * time + (drum.high - drum.low) * glide * (1 - np.exp(-time / glide))
    tone = drum.tone * np.sin(2 * np.pi * cycles) * np.exp(-time / drum.ring)
    noise = np.random.default_rng(0).uniform(-1, 1, len(time))
    if drum.bright:
        noise = np.diff(noise, prepend=0.0) / 2
    tone += drum.noise * brightness * noise * np.exp(-time / drum.hiss)
    rise = int(0.001 * rate)
    tone[:rise] *= np.linspace(0, 1, rise)
    tone[len(tone) - rise :] *= np.linspace(1, 0, rise)
    return np.asarray(tone, np.float32)


def _scaled(mixed: Samples) -> Samples:
    """Scale the loudest sample to `PEAK`."""
    loudest = float(np.abs(mixed).max(initial=0.0))
    return np.asarray(mixed * np.float32(PEAK / loudest), np.float32) if loudest else mixed


def _limited(mixed: Samples) -> Samples:
    """Scale the loudest sample to `PEAK`; loud samples are compressed, quiet ones gain."""
    loudest = float(np.abs(mixed).max(initial=0.0))
    if not loudest:
        return mixed
    curve = np.tanh(mixed * np.float32(1.2 / loudest))
    return np.asarray(curve * np.float32(PEAK / np.tanh(1.2)), np.float32)
