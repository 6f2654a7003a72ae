"""Notes of many instruments on a grid of bars: between a piece of music and a codec's tokens.

Comes from: `grid`, which goes through the notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import compress
from math import gcd

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_music.codecs.multitrack.grid import (
    DRUMS,
    LONGEST_NOTE,
    cut_silence,
    on_grid,
    packed,
    unpacked,
)
from seqgen_music.codecs.rounding import rounded
from seqgen_music.files.midi_writing import LONGEST_TICKS
from seqgen_music.music import NOTE, Music, Track, changes

#: Ticks of a step in the pieces that come out.
STEP_TICKS = 40

#: Longest bar, in quarters.
LONGEST_BAR = 8

#: Bars on end in which nothing begins.
EMPTY_BARS = 4

#: Steps of the finest grid in a quarter, and of the longest piece.
FINEST = 96
LONGEST_STEPS = LONGEST_TICKS // STEP_TICKS - LONGEST_NOTE * FINEST


@dataclass(frozen=True)
class GridScore:
    """Notes on a grid; no program plays a pitch twice at a time.

    Attributes
    ----------
    steps : int
        Steps of the grid in a quarter.
    starts : int64 array (B,)
        First step of every bar.
    metres : sequence of (int, int)
        Of every bar.
    tempo_steps, tempos : array (T,)
        Where tempos begin to hold, the first at 0, and quarters a minute.
    step, program, pitch, duration, velocity : int64 array (N,)
        Of every note, sorted by step, program and pitch; a program is one of General MIDI, or
        `DRUMS`.
    """

    steps: int
    starts: NDArray[np.int64]
    metres: Sequence[tuple[int, int]]
    tempo_steps: NDArray[np.int64]
    tempos: NDArray[np.float64]
    step: NDArray[np.int64]
    program: NDArray[np.int64]
    pitch: NDArray[np.int64]
    duration: NDArray[np.int64]
    velocity: NDArray[np.int64]

    def to_music(self) -> Music:
        """Return one track a program."""
        programs, track = np.unique(self.program, return_inverse=True)
        notes = np.zeros(len(self.step), NOTE)
        notes["onset"], notes["duration"] = self.step * STEP_TICKS, self.duration * STEP_TICKS
        notes["pitch"], notes["velocity"], notes["track"] = self.pitch, self.velocity, track
        tracks = tuple(
            Track(program_name(program), max(program, 0), program == DRUMS)
            for program in programs.tolist()
        )
        tempos = zip((self.tempo_steps * STEP_TICKS).tolist(), self.tempos.tolist(), strict=True)
        metres = zip((self.starts * STEP_TICKS).tolist(), self.metres, strict=True)
        return Music(
            notes,
            tracks,
            self.steps * STEP_TICKS,
            changes(tempos),
            changes((start, *metre) for start, metre in metres),
        )


def program_name(program: int) -> str:
    """Return what General MIDI calls a program."""
    from pretty_midi import program_to_instrument_name

    return "Drums" if program == DRUMS else str(program_to_instrument_name(program))


def bar_steps(metre: tuple[int, int], steps: int) -> int:
    """Return the steps in a bar of a metre that `score_of` gives."""
    beats, unit = metre
    return 4 * steps * beats // unit


def score_of(music: Music, steps: int) -> GridScore:
    """Round a piece to a grid of so many steps a quarter; `MultitrackCodec` says what is lost.

    Raises
    ------
    DataError
        If it holds no note, or is longer than `LONGEST_STEPS`.
    """
    notes, quarter = music.notes, music.ticks_per_quarter
    if not len(notes):
        raise DataError("the piece holds no note")
    last = rounded(int(notes["onset"][-1]), steps, quarter)
    if last >= LONGEST_STEPS:
        raise DataError(
            f"the piece is {last // steps:,} quarters long; {LONGEST_STEPS // steps:,} is the most"
        )
    starts, metres = _bars(music, steps, last)
    tempos = music.tempo_changes()
    moments = rounded(tempos["tick"], steps, quarter)
    programs = np.array([DRUMS if track.drums else track.program for track in music.tracks])
    step, program, duration = on_grid(notes, programs, steps, quarter)
    kept = cut_silence(step, starts, moments, EMPTY_BARS)
    if not kept.all():
        starts, metres = starts[kept], list(compress(metres, kept.tolist()))
    settled = settle(step, program, notes["pitch"], duration, notes["velocity"], steps)
    return GridScore(steps, starts, metres, moments, tempos["qpm"], *settled)


def settle(
    step: NDArray[np.int64],
    program: NDArray[np.int64],
    pitch: NDArray[np.integer],
    duration: NDArray[np.int64],
    velocity: NDArray[np.integer],
    steps: int,
) -> tuple[NDArray[np.int64], ...]:
    """Sort notes by step, program and pitch; no program plays a pitch twice at a time.

    Of notes that begin together the longest stays, and then the loudest; a note ends where the
    next one of its pitch begins.

    Returns
    -------
    step, program, pitch, duration, velocity : int64 array (M,)
    """
    numbers = packed(step, program, pitch, duration, velocity, LONGEST_NOTE * steps)
    # Nearly sorted already, for which numpy's stable sort is seven times as fast as its default.
    return tuple(unpacked(np.sort(numbers, kind="stable")))


def _bars(music: Music, steps: int, last: int) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """Return the first steps of the bars up to the one of step `last`, and their metres.

    A bar that a change of metre cuts short has a metre of its own.
    """
    per_whole = 4 * gcd(steps, 16)
    unit = 4 * steps // per_whole
    segments = []
    for tick, beats, value in music.metre_changes():
        at = rounded(tick, per_whole // 4, music.ticks_per_quarter) * unit
        segments.append((at, _metre_on_grid(beats, value, per_whole)))
    ends = [start for start, _ in segments[1:]] + [last + 1]
    starts: list[NDArray[np.int64]] = []
    metres: list[tuple[int, int]] = []
    for number, ((start, metre), end) in enumerate(zip(segments, ends, strict=True)):
        end = min(end, last + 1)
        if end <= start:
            continue
        lines = np.arange(start, end, bar_steps(metre, steps))
        starts.append(lines)
        metres += [metre] * len(lines)
        cut = end - int(lines[-1])
        if cut < bar_steps(metre, steps) and number + 1 < len(segments) and end == ends[number]:
            metres[-1] = _metre_of_length(Fraction(cut // unit, per_whole))
    return np.concatenate(starts), metres


def _metre_on_grid(beats: int, value: int, per_whole: int) -> tuple[int, int]:
    """Return the nearest metre whose bar is a whole number of the grid's note values."""
    if 4 * beats > LONGEST_BAR * value:
        return (4, 4)
    if value <= per_whole:
        return (beats, value)
    return _metre_of_length(Fraction(max(rounded(beats, per_whole, value), 1), per_whole))


def _metre_of_length(wholes: Fraction) -> tuple[int, int]:
    """Return the metre in quarters or shorter whose bar is so long."""
    value = max(4, wholes.denominator)
    return int(wholes * value), value
