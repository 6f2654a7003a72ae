"""A piece as a piano roll: as SVG, or as PNG with matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import View
from seqgen_music.bars import beat_length
from seqgen_music.music import Music, Track, pitch_name

#: The palette of Okabe and Ito, which colour-blind readers can distinguish.
COLOURS = ("#D55E00", "#009E73", "#0072B2", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")

#: Colours of the lines of bars, beats and octaves.
BAR, BEAT, OCTAVE = "#aaa", "#e4e4e4", "#eee"

#: Width of a bar of the SVG on average, and the least and most of the whole.
BAR_WIDTH, NARROWEST, WIDEST = 72, 400, 24_000

#: Margins of the SVG, and the height of a pitch and of a drum.
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 42, 8
PITCH, DRUM = 5, 7

#: Most lines of bars and beats. Of more bars every second, fourth ... is drawn, of more beats none.
MOST_BARS, MOST_BEATS = 80, 160

#: Smallest distance between the numbers of bars.
NUMBER_WIDTH = 28.0

#: Where the chord symbols stand, and the width of one and of a letter.
CHORDS, CHORD_WIDTH, LETTER = 27, 12.0, 6.0

#: Tracks that the legend names.
NAMED = 10


def roll_view(music: Music) -> View:
    """Return the notes as the playground draws and plays them, in seconds."""
    notes = music.notes
    begins, ends = music.seconds(notes["onset"]), music.seconds(notes["onset"] + notes["duration"])
    bars = music.seconds(np.array(music.bar_starts()))
    columns = (
        begins.round(4).tolist(),
        (ends - begins).round(4).tolist(),
        *(notes[name].tolist() for name in ("pitch", "velocity", "track")),
    )
    tracks = [
        {"name": track.label, "program": track.program, "drums": track.drums}
        for track in music.tracks
    ]
    parts = [*map(list, zip(*columns, strict=True))]
    about = {"tracks": tracks, "bars": bars.round(4).tolist(), "upbeat": music.upbeat > 0}
    return View("roll", parts, about)


def beat_starts(music: Music) -> NDArray[np.int64]:
    """Return the ticks of all beats, including bar lines; 6/8 has two beats in a bar."""
    bars = music.bar_starts()
    metres = music.metre_changes()
    beats: list[int] = []
    for start, stop in pairwise([*bars, max(music.length, bars[-1] + 1)]):
        _, count, unit = [metre for metre in metres if metre[0] <= start][-1]
        beats.extend(range(start, stop, beat_length((count, unit), music.ticks_per_quarter)))
    return np.array(beats)


def bar_lines(music: Music) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ticks of the drawn bar lines, and their numbers; an upbeat is bar 0."""
    bars = np.array(music.bar_starts())
    numbers = np.arange(len(bars)) + (0 if music.upbeat else 1)
    step = 1
    while len(bars) > MOST_BARS * step:
        step *= 2
    drawn = (numbers - 1) % step == 0
    return bars[drawn], numbers[drawn]


def svg_roll(music: Music) -> str:
    """Draw the notes over seconds: coloured tracks, bars and beats, and drums in a separate band.

    The root element has the x of the start as ``data-x0``, that of the end of the last note as
    ``data-x1``, and the seconds between them as ``data-seconds``.
    """
    seconds = max(float(music.seconds(np.array([music.length]))[0]), 0.001)
    bars = BAR_WIDTH * len(music.bar_starts())
    right = min(max(bars + LEFT, NARROWEST), WIDEST)
    scale, all_width = (right - LEFT) / seconds, right + RIGHT
    drums = sorted(set(_pitches(music, drums=True).tolist()))
    low, high = _range(music)
    floor = TOP + (high - low + 1) * PITCH
    height = floor + (DRUM * len(drums) + 6 if drums else 0) + BOTTOM

    def x(ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        return LEFT + music.seconds(ticks) * scale

    parts = [*_legend(music, right), *_grid(music, x, height - BOTTOM), *_chords(music, x)]
    for pitch in range(low + -low % 12, high + 1, 12):
        y = TOP + (high - pitch + 0.5) * PITCH
        parts.append(f'<path d="M{LEFT} {y}H{right}" stroke="{OCTAVE}"/>')
        parts.append(f'<text x="2" y="{y + 4}">{pitch_name(pitch)}</text>')
    for number, track in enumerate(music.tracks):
        notes = music.notes[music.notes["track"] == number]
        if not len(notes):
            continue
        begins, ends = x(notes["onset"]), x(notes["onset"] + notes["duration"])
        if track.drums:
            rows = floor + 3 + DRUM * _rows_above(drums, notes).astype(float)
            strokes = (f"M{b:.1f} {y:g}v5" for b, y in zip(begins, rows, strict=True))
            width = 2.0
        else:
            rows = TOP + (high - notes["pitch"].astype(float) + 0.5) * PITCH
            # A gap keeps repeated notes apart.
            lengths = np.maximum(ends - begins - 0.8, 0.6)
            strokes = (
                f"M{b:.1f} {y:g}h{length:.1f}"
                for b, y, length in zip(begins, rows, lengths, strict=True)
            )
            width = PITCH - 1
        parts.append(
            f'<path d="{"".join(strokes)}" stroke="{_colour(number)}" stroke-width="{width}"/>'
        )
    if drums:
        parts.append(f'<text x="2" y="{floor + 10}">drums</text>')
    inner = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {all_width} {height}"'
        f' width="{all_width}" height="{height}" role="img"'
        f' aria-label="piano roll" data-x0="{LEFT}" data-x1="{right}"'
        f' data-seconds="{seconds:.3f}" font-family="system-ui, sans-serif" font-size="11"'
        f' fill="none">\n<rect width="{all_width}" height="{height}" fill="#fff"/>\n'
        f'<g fill="#555">\n{inner}\n</g>\n</svg>\n'
    )


def _legend(music: Music, right: float) -> list[str]:
    """Return the name of each track in its colour, as far as there is room."""
    parts, at = [], LEFT
    for number, track in enumerate(music.tracks):
        name = _name(track, number)
        if at + 30 + 7 * len(name) > right - 72 or number == NAMED:
            parts.append(f'<text x="{at}" y="15">and {len(music.tracks) - number} more</text>')
            break
        parts.append(f'<rect x="{at}" y="6" width="10" height="10" fill="{_colour(number)}"/>')
        parts.append(f'<text x="{at + 14}" y="15">{escape(name)}</text>')
        at += 30 + 7 * len(name)
    return parts


def _grid(music: Music, x: Callable[[NDArray[np.int64]], Any], below: float) -> list[str]:
    """Return lines of beats, and darker ones of bars with their numbers."""
    beats, (bars, numbers) = beat_starts(music), bar_lines(music)
    parts = []
    for ticks, colour in ((beats if len(beats) <= MOST_BEATS else bars[:0], BEAT), (bars, BAR)):
        lines = "".join(f"M{at:.1f} {TOP}V{below:g}" for at in x(ticks))
        parts.append(f'<path d="{lines}" stroke="{colour}" stroke-width="0.7"/>')
    last = -NUMBER_WIDTH
    for at, number in zip(x(bars), numbers, strict=True):
        if number and at - last >= NUMBER_WIDTH:
            parts.append(f'<text x="{at + 2:.1f}" y="{TOP - 4}">{number}</text>')
            last = at
    return parts


def _chords(music: Music, x: Callable[[NDArray[np.int64]], Any]) -> list[str]:
    """Return the chord symbols; one that would overlap the last one is left out."""
    parts, free = [], 0.0
    places = x(np.array([tick for tick, _ in music.chords], np.int64))
    for at, (tick, name) in zip(places, music.chord_symbols(), strict=True):
        if at >= free and tick < music.length:
            parts.append(f'<text x="{at:.1f}" y="{CHORDS}" fill="#000">{escape(name)}</text>')
            free = at + CHORD_WIDTH + LETTER * len(name)
    return parts


def _name(track: Track, number: int) -> str:
    name = track.label or f"track {number + 1}"
    return name if len(name) <= 18 else f"{name[:17]}…"


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _pitches(music: Music, *, drums: bool) -> NDArray[np.uint8]:
    """Return the pitches ``(N,)`` of drums, or of all other notes."""
    are = np.array([track.drums for track in music.tracks], bool)
    pitches: NDArray[np.uint8] = music.notes["pitch"][are[music.notes["track"]] == drums]
    return pitches


def _rows_above(drums: list[int], notes: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the number of drums drawn above each note ``(N,)``; low drums are at the bottom."""
    return np.asarray(len(drums) - 1 - np.searchsorted(drums, notes["pitch"]))


def _range(music: Music) -> tuple[int, int]:
    """Return the lowest and highest drawn pitch, at least two octaves apart."""
    pitches = _pitches(music, drums=False).astype(int)
    if not len(pitches):
        # With drums only, their band is enough.
        return 60, 60
    low, high = int(pitches.min()) - 2, int(pitches.max()) + 2
    wider = max(24 - (high - low), 0)
    return low - wider // 2, high + (wider + 1) // 2


def png_roll(music: Music) -> bytes:
    """Draw the notes over quarters: coloured tracks, bars and beats, drums at the bottom."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    quarter = music.ticks_per_quarter
    low, high = _range(music)
    drums = sorted(set(_pitches(music, drums=True).tolist()))
    figure = Figure(figsize=(12, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    beats, bars = beat_starts(music), bar_lines(music)[0]
    across = axes.get_xaxis_transform()
    for ticks, colour in ((beats if len(beats) <= MOST_BEATS else bars, BEAT), (bars, BAR)):
        axes.vlines(ticks / quarter, 0, 1, colour, lw=0.7, zorder=0.5, transform=across)
    for number, track in enumerate(music.tracks):
        notes = music.notes[music.notes["track"] == number]
        begins = notes["onset"] / quarter
        if track.drums:
            rows = low - 2 - _rows_above(drums, notes)
            axes.vlines(begins, rows - 0.4, rows + 0.4, _colour(number), lw=1.5)
        else:
            lengths = np.maximum(notes["duration"] / quarter - 0.06, 0.05)
            axes.barh(notes["pitch"], lengths, 0.8, begins, color=_colour(number))
    free = 0.0
    for tick, name in music.chord_symbols():
        if tick / quarter >= free and tick < music.length:
            axes.text(tick / quarter, 1.01, name, fontsize=8, transform=across)
            free = tick / quarter + music.length / quarter * (len(name) + 1) / 180
    octaves = list(range(low + -low % 12, high + 1, 12))
    axes.set_yticks(octaves, [pitch_name(pitch) for pitch in octaves])
    axes.set_xlim(0, max(music.length / quarter, 1))
    axes.set_ylim(low - 2 - len(drums), high + 1)
    axes.set_xlabel("quarter notes")
    axes.spines[["top", "right"]].set_visible(False)
    handles = [
        Patch(color=_colour(number), label=_name(track, number))
        for number, track in enumerate(music.tracks[:NAMED])
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
