"""Notes of many instruments on a grid of bars, between a piece of music and its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import compress
from math import gcd

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_music.bars import Metre, bar_length, metre_of
from seqgen_music.codecs.multitrack.grid import (
    DRUMS,
    LONGEST_NOTE,
    cut_silence,
    on_grid,
    packed,
    unpacked,
)
from seqgen_music.codecs.refusals import refuse_empty
from seqgen_music.joining import Placed
from seqgen_music.music import LONGEST_TICKS, NOTE, Music, Track, changes
from seqgen_music.rounding import rounded

#: Ticks in a step of generated pieces.
STEP_TICKS = 40

#: Longest bar, in quarters.
LONGEST_BAR = 8

#: Most bars in a row in which no note begins.
EMPTY_BARS = 4

#: Most steps in a quarter, and in a piece.
MOST_SCORE_STEPS = 96
LONGEST_STEPS = LONGEST_TICKS // STEP_TICKS - LONGEST_NOTE * MOST_SCORE_STEPS


@dataclass(frozen=True)
class GridScore:
    """Notes on a grid; no program plays a pitch twice at once.

    Attributes
    ----------
    steps : int
        Steps in a quarter.
    starts : int64 array (B,)
        First step of each bar.
    metres : sequence of (int, int)
        Metre of each bar.
    tempo_steps, tempos : array (T,)
        Steps at which tempos start, the first at 0, and quarters per minute.
    step, program, pitch, duration, velocity : int64 array (N,)
        Columns of the notes, sorted by step, program and pitch; programs are those of General
        MIDI, or `DRUMS`.
    """

    steps: int
    starts: NDArray[np.int64]
    metres: Sequence[Metre]
    tempo_steps: NDArray[np.int64]
    tempos: NDArray[np.float64]
    step: NDArray[np.int64]
    program: NDArray[np.int64]
    pitch: NDArray[np.int64]
    duration: NDArray[np.int64]
    velocity: NDArray[np.int64]

    def to_music(self) -> Music:
        """Return a piece with one track per program."""
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
    """Return the name of a program in General MIDI."""
    from pretty_midi import program_to_instrument_name

    return "Drums" if program == DRUMS else str(program_to_instrument_name(program))


def score_of(music: Music, steps: int) -> GridScore:
    """Round a piece to a grid of `steps` per quarter; `MultitrackCodec` says what is lost.

    Raises
    ------
    DataError
        If the piece has no note, or is longer than `LONGEST_STEPS`.
    """
    notes, quarter = music.notes, music.ticks_per_quarter
    refuse_empty(music)
    last = rounded(int(notes["onset"][-1]), steps, quarter)
    if last >= LONGEST_STEPS:
        raise DataError(
            f"the piece is {last // steps:,} quarters long; {LONGEST_STEPS // steps:,} is the most"
        )
    starts, metres = _bars(music, steps, last)
    tempos = music.tempo_changes()
    moments = rounded(tempos["tick"], steps, quarter)
    step, program, duration = on_grid(notes, _programs(music), steps, quarter)
    kept = cut_silence(step, starts, moments, EMPTY_BARS)
    if not kept.all():
        starts, metres = starts[kept], list(compress(metres, kept.tolist()))
    settled = settle(step, program, notes["pitch"], duration, notes["velocity"], steps)
    return GridScore(steps, starts, metres, moments, tempos["qpm"], *settled)


def placed_of(music: Music, steps: int, tracks: Sequence[Track]) -> Placed:
    """Return the step of each note of a piece, in ticks of generated pieces with these tracks."""
    quarter, programs = music.ticks_per_quarter, _programs(music)
    step, _, _ = on_grid(music.notes, programs, steps, quarter)
    at = step.copy()
    starts, _ = _bars(music, steps, int(step[-1]))
    cut_silence(at, starts, np.zeros(0, np.int64), EMPTY_BARS)
    players = [DRUMS if track.drums else track.program for track in tracks]
    number_of = [
        players.index(program) if program in players else -1 for program in programs.tolist()
    ]
    track = np.array(number_of)[music.notes["track"]]
    return Placed(at * STEP_TICKS, track, (step - at) * STEP_TICKS)


def kept_bars(
    music: Music, steps: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the first steps of bars: those that a score keeps, and those that it drops.

    Of the kept ones the first array has the steps in the piece, the second those in the score.
    """
    step = rounded(music.notes["onset"].astype(np.int64), steps, music.ticks_per_quarter)
    starts, _ = _bars(music, steps, int(step[-1]))
    moved = starts.copy()
    kept = cut_silence(step, moved, np.zeros(0, np.int64), EMPTY_BARS)
    return starts[kept], moved[kept], starts[~kept]


def _programs(music: Music) -> NDArray[np.int64]:
    """Return the program of each track, or `DRUMS`."""
    return np.array([DRUMS if track.drums else track.program for track in music.tracks])


def settle(
    step: NDArray[np.int64],
    program: NDArray[np.int64],
    pitch: NDArray[np.integer],
    duration: NDArray[np.int64],
    velocity: NDArray[np.integer],
    steps: int,
) -> tuple[NDArray[np.int64], ...]:
    """Sort notes by step, program and pitch, so that no program plays a pitch twice at once.

    The longest of notes that begin together stays, then the loudest. A note ends where the next one
    of its pitch begins.

    Returns
    -------
    step, program, pitch, duration, velocity : int64 array (M,)
    """
    numbers = packed(step, program, pitch, duration, velocity, LONGEST_NOTE * steps)
    # Notes are nearly sorted: numpy's stable sort is then seven times as fast as its default.
    return tuple(unpacked(np.sort(numbers, kind="stable")))


def _bars(music: Music, steps: int, last: int) -> tuple[NDArray[np.int64], list[Metre]]:
    """Return the first steps of the bars up to step `last` ``(B,)``, and their metres.

    A bar that a change of metre cuts short gets a metre of its length.
    """
    per_whole = 4 * gcd(steps, 16)
    unit = 4 * steps // per_whole
    segments = []
    for tick, beats, value in music.metre_changes():
        at = rounded(tick, per_whole // 4, music.ticks_per_quarter) * unit
        segments.append((at, _metre_on_grid(beats, value, per_whole)))
    ends = [start for start, _ in segments[1:]] + [last + 1]
    starts: list[NDArray[np.int64]] = []
    metres: list[Metre] = []
    for number, ((start, metre), end) in enumerate(zip(segments, ends, strict=True)):
        end = min(end, last + 1)
        if end <= start:
            continue
        lines = np.arange(start, end, bar_length(metre, steps))
        starts.append(lines)
        metres += [metre] * len(lines)
        cut = end - int(lines[-1])
        if cut < bar_length(metre, steps) and number + 1 < len(segments) and end == ends[number]:
            metres[-1] = _metre_of(cut // unit, per_whole)
    return np.concatenate(starts), metres


def _metre_on_grid(beats: int, value: int, per_whole: int) -> Metre:
    """Return the nearest metre whose bar is a whole number of steps; 4/4 for long bars."""
    if 4 * beats > LONGEST_BAR * value:
        return (4, 4)
    if value <= per_whole:
        return (beats, value)
    return _metre_of(max(int(rounded(beats, per_whole, value)), 1), per_whole)


def _metre_of(count: int, per_whole: int) -> Metre:
    """Return the metre of a bar of `count` note values, `per_whole` to a whole note."""
    metre = metre_of(Fraction(count, per_whole))
    assert metre is not None, "a bar of halves to 64ths always has a metre"
    return metre
