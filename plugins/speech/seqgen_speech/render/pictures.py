"""A sound as a picture: its waveform over its spectrogram over its words, as SVG or PNG."""

from __future__ import annotations

import base64
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray

from seqgen_speech.letters import has_letters, words_of
from seqgen_speech.sound import Sound

#: Pixels of a picture: most columns, and heights of the waveform and the spectrogram.
COLUMNS, WAVE, SPECTRUM = 1000, 80, 160

#: Seconds of a frame of the spectrogram, and the least seconds between two frames.
FRAME, HOP = 0.025, 0.002

#: Highest frequency that is shown, in Hz, and decibels below the loudest point that are still grey.
HIGHEST, DEPTH = 8_000, 65

#: Grey values of a spectrogram, 2 dB apart. With 256 it looks alike, and a file is twice as large.
GREYS = 16

#: Room on the left for labels, and below for each of seconds, words and text; the size of words.
LEFT, BELOW, WORD = 44, 22, 14

Grey = NDArray[np.uint8]


def spectrogram(sound: Sound) -> Grey:
    """Return the grey values ``(F, T)`` of a spectrogram, high frequencies first; 0 is loudest.

    Frames have a Hann window. T is at most `COLUMNS`; F grows with the rate of the sound.
    """
    size = 2 ** int(np.ceil(np.log2(FRAME * sound.rate)))
    count = int(min(max(sound.seconds / HOP, 1), COLUMNS))
    middles = ((np.arange(count) + 0.5) * len(sound.samples) / count).astype(int)
    padded = np.pad(sound.samples, size // 2)
    frames = np.stack([padded[middle : middle + size] for middle in middles])  # (T, size)
    power = np.abs(np.fft.rfft(frames * np.hanning(size))).T ** 2  # (size // 2 + 1, T)
    power = power[: int(HIGHEST / sound.rate * size) + 1]
    decibels = 10 * np.log10(power / max(power.max(), 1e-12) + 1e-12)
    steps = np.round((GREYS - 1) * (-decibels / DEPTH).clip(0, 1))
    return np.asarray(steps * (255 / (GREYS - 1))).astype(np.uint8)[::-1]


def waveform(sound: Sound) -> NDArray[np.float32]:
    """Return the lowest and highest sample ``(T, 2)`` of each column; T is at most `COLUMNS`."""
    count = min(len(sound.samples), COLUMNS)
    if not count:
        return np.zeros((1, 2), np.float32)
    starts = np.arange(count) * len(sound.samples) // count
    lowest, highest = (
        function.reduceat(sound.samples, starts) for function in (np.minimum, np.maximum)
    )
    return np.stack([lowest, highest], 1)


def svg(sound: Sound) -> str:
    """Return waveform and spectrogram as SVG, with seconds, frequencies, words and the text.

    Words are at their times if these are known, in letters or phonemes.

    The root element says where time begins and ends (``data-x0``, ``data-x1``, ``data-seconds``).
    """
    wave, seconds = waveform(sound), max(sound.seconds, 1e-9)
    x = LEFT + (np.arange(len(wave)) + 0.5) * COLUMNS / len(wave)
    y = WAVE / 2 * (1 - wave)  # (T, 2)
    outline = [*zip(x, y[:, 1], strict=True), *zip(x[::-1], y[::-1, 0], strict=True)]
    path = "L".join(f"{a:.1f} {b:.1f}" for a, b in outline)
    image = base64.b64encode(png_of(spectrogram(sound))).decode()
    width, height = LEFT + COLUMNS, WAVE + SPECTRUM + BELOW
    marks = [
        _mark(LEFT + COLUMNS * second / seconds, height - 6, f"{second:g} s", "middle")
        for second in _ticks(seconds)
    ]
    highest = min(HIGHEST, sound.rate / 2)
    for share in (0.0, 0.5, 1.0):
        name = f"{highest * share / 1000:g} kHz"
        marks.append(_mark(LEFT - 4, WAVE + 10 + (SPECTRUM - 10) * (1 - share), name, "end"))
    if sound.times:
        height += BELOW
        marks += _words(sound, height)
    if sound.text and not has_letters(sound):
        height += BELOW
        marks.append(_mark(LEFT, height - 5, sound.text, "start", 15))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        f' font-family="sans-serif" aria-label="waveform and spectrogram" data-x0="{LEFT}"'
        f' data-x1="{width}" data-seconds="{seconds:.6g}">'
        f'<path d="M{path}Z" fill="#0072b2" stroke="#0072b2"/>'
        f'<image x="{LEFT}" y="{WAVE}" width="{COLUMNS}" height="{SPECTRUM}"'
        f' preserveAspectRatio="none" href="data:image/png;base64,{image}"/>{"".join(marks)}</svg>'
    )


def png(sound: Sound) -> bytes:
    """Return waveform and spectrogram as PNG, in grey, without words."""
    wave, levels = waveform(sound), spectrogram(sound)
    columns = np.arange(COLUMNS)
    y = (np.arange(WAVE) + 0.5)[:, None]  # (WAVE, 1)
    top, bottom = (WAVE / 2 * (1 - wave[columns * len(wave) // COLUMNS])).T[::-1]
    drawn = (y > top - 0.5) & (y < bottom + 0.5)  # (WAVE, COLUMNS)
    rows = np.arange(SPECTRUM) * len(levels) // SPECTRUM
    below = levels[rows][:, columns * levels.shape[1] // COLUMNS]  # (SPECTRUM, COLUMNS)
    return png_of(np.vstack([np.where(drawn, 0, 255).astype(np.uint8), below]))


def png_of(grey: Grey) -> bytes:
    """Return a picture ``(H, W)`` of grey values as PNG."""
    height, width = grey.shape
    lines = b"".join(b"\0" + line.tobytes() for line in grey)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _words(sound: Sound, bottom: int) -> Iterator[str]:
    """Yield the marks of words at their times, in a row that ends at a height in pixels.

    A word that is wider than its time is squeezed.
    """
    pixels = COLUMNS / max(sound.seconds, 1e-9)
    for word, begin, end in words_of(sound.times):
        # A program may give any times.
        begin, end = np.clip(np.nan_to_num([begin, end]), 0, sound.seconds).tolist()
        x, room = LEFT + begin * pixels, (end - begin) * pixels - 2
        squeezed = f' textLength="{room:.1f}" lengthAdjust="spacingAndGlyphs"'
        yield f'<path d="M{x:.1f} {WAVE}V{bottom}" stroke="#d55e00" stroke-opacity=".4"/>'
        if room > 1:
            more = squeezed if len(word) * 0.6 * WORD > room else ""
            yield _mark(x + 2, bottom - 5, word, "start", WORD, more)


def _ticks(seconds: float) -> NDArray[np.float64]:
    """Return the round numbers of seconds that are named: at most 12."""
    steps = np.array([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600, 7200])
    step = next((step for step in steps if seconds / step <= 12), seconds)
    return np.asarray(np.arange(step, 0.98 * seconds, step).round(6))


def _mark(x: float, y: float, text: str, anchor: str, size: int = 11, more: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{more}>'
        f"{escape(''.join(filter(_is_shown, text)))}</text>"
    )


def _is_shown(character: str) -> bool:
    """Return whether SVG may hold a character: controls are not well-formed."""
    return character.isprintable() or unicodedata.category(character) in ("Zs", "Cf")
