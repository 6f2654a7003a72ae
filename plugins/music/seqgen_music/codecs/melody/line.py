"""A melody on a grid, between a piece of music and the events of the codec `melody`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Within, check_fields
from seqgen_music.bars import Metre, bar_length, metre_and_upbeat, metre_name, metre_of
from seqgen_music.chords import Chord
from seqgen_music.codecs.chorale.raster import LONGEST_STEPS, REST, STEP_TICKS, VELOCITY
from seqgen_music.joining import Placed
from seqgen_music.music import Music, Track, make_notes
from seqgen_music.rounding import rounded

#: Most steps in a quarter: `STEP_TICKS` times as many ticks must fit into a MIDI file.
MOST_LINE_STEPS = 24

#: Longest bar in quarters: an embedding has a row for every place in a bar.
LONGEST_BAR = 12

#: Bars below which every silence stays.
SILENT_BARS = 2

#: The track of generated pieces: a flute.
VOICE = Track("Melody", 73)

#: Which track is the melody.
WhichTrack: TypeAlias = Literal["highest", "first"]

#: An event besides pitches and `REST`: the note or silence before it continues.
HOLD = -2


@dataclass(frozen=True)
class MelodyOptions:
    """How a line is chosen and cut into steps."""

    steps: Annotated[int, Within(0, MOST_LINE_STEPS)] = 0
    """Steps in a quarter: 4 for sixteenths, 12 for sixteenths and triplets. 0 chooses 12 if the
    corpus has triplets, else 4."""
    track: WhichTrack = "highest"
    """Which track is the melody: the one of highest mean pitch, or the first; never drums."""

    chords: Literal["auto", "on", "off"] = "auto"
    """Whether chord symbols are learned: auto learns them if half of the pieces have some."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Line:
    """One voice on a grid.

    Attributes
    ----------
    events : int64 array (steps,)
        A pitch that begins, `REST`, or `HOLD`, which is never the first.
    metre : (int, int)
        Such as (3, 4).
    upbeat : int
        Steps before the first bar line.
    chords : tuple of (step, Chord or None)
        Chord symbols, sorted by step.
    """

    events: NDArray[np.int64]
    metre: Metre
    upbeat: int
    chords: tuple[tuple[int, Chord | None], ...] = ()

    def to_music(self, per_quarter: int, tempo: float) -> Music:
        """Return a piece of one track, with `per_quarter` steps in a quarter and the tempo."""
        metres, late = self._metres(per_quarter), self.late(per_quarter)
        starts = np.flatnonzero(self.events != HOLD)
        stops = np.append(starts, len(self.events))[1:]
        rows = [
            ((start + late) * STEP_TICKS, (stop - start) * STEP_TICKS, pitch, VELOCITY, 0)
            for start, stop, pitch in zip(
                starts.tolist(), stops.tolist(), self.events[starts].tolist(), strict=True
            )
            if pitch != REST
        ]
        ticks = per_quarter * STEP_TICKS
        chords = tuple(((step + late) * STEP_TICKS, chord) for step, chord in self.chords)
        return Music(make_notes(rows), (VOICE,), ticks, ((0, tempo),), metres, chords=chords)

    def late(self, per_quarter: int) -> int:
        """Return the number of silent steps before the upbeat.

        The upbeat is a short bar. If no metre is that short, silence fills it up to a full bar.
        """
        if not self.upbeat or self._short(per_quarter) is not None:
            return 0
        return bar_length(self.metre, per_quarter) - self.upbeat

    def _metres(self, per_quarter: int) -> tuple[tuple[int, int, int], ...]:
        short = self._short(per_quarter)
        if not self.upbeat or short is None:
            return ((0, *self.metre),)
        return ((0, *short), (self.upbeat * STEP_TICKS, *self.metre))

    def _short(self, per_quarter: int) -> Metre | None:
        """Return the metre of the upbeat."""
        return metre_of(Fraction(self.upbeat, 4 * per_quarter))


def line_of(music: Music, steps: int, track: WhichTrack = "highest") -> Line:
    """Round a track to the grid; at every onset its highest note stays.

    Raises
    ------
    DataError
        If there is no note besides drums, or the metre does not fit the grid.
    """
    return placed_line(music, steps, track_of(music, track))[0]


def placed_of(music: Music, steps: int, track: WhichTrack = "highest") -> Placed:
    """Return the step of each note, in ticks of generated pieces; the melody is track 0.

    Raises
    ------
    DataError
        If there is no line, as for `line_of`.
    """
    number = track_of(music, track)
    line, starts, earlier = placed_line(music, steps, number)
    step = rounded(music.notes["onset"].astype(np.int64), steps, music.ticks_per_quarter)
    before = np.maximum(np.searchsorted(starts, step, side="right") - 1, 0)
    later = earlier[before] - line.late(steps)
    is_melody = music.notes["track"] == number
    return Placed((step - later) * STEP_TICKS, np.where(is_melody, 0, -1), later * STEP_TICKS)


def placed_line(
    music: Music, steps: int, track: int
) -> tuple[Line, NDArray[np.int64], NDArray[np.int64]]:
    """Return the line, where its notes begin in the piece, and how much earlier in the line."""
    notes = music.notes[music.notes["track"] == track]
    quarter = music.ticks_per_quarter
    metre, upbeat = metre_and_upbeat(music.metre_changes(), quarter, steps)
    _refuse_metre(metre, steps)
    bar = bar_length(metre, steps)
    onsets, ends = (
        rounded(ticks.astype(np.int64), steps, quarter)
        for ticks in (notes["onset"], notes["onset"] + notes["duration"])
    )
    order = np.lexsort((ends, notes["pitch"], onsets))
    highest = order[np.append(np.diff(onsets[order]) > 0, True)]
    starts, stops = onsets[highest], np.maximum(ends, onsets + 1)[highest]
    stops[:-1] = np.minimum(stops[:-1], starts[1:])
    # Silence in front becomes upbeat, long silence loses whole bars: notes keep their place.
    upbeat = int(upbeat - starts[0]) % bar
    silences = starts[1:] - stops[:-1]
    excess = np.where(silences >= SILENT_BARS * bar, (silences // bar - SILENT_BARS + 1) * bar, 0)
    earlier = starts[0] + np.cumsum(np.append(0, excess))
    begun, starts, stops = starts, starts - earlier, stops - earlier
    if stops[-1] > LONGEST_STEPS:
        raise DataError(f"the melody is {stops[-1]:,} steps long; {LONGEST_STEPS:,} is the most")
    length = int(stops[-1]) + int(upbeat - stops[-1]) % bar
    events = np.full(length, HOLD)
    events[starts] = notes["pitch"][highest]
    events[stops[stops < np.append(starts[1:], length)]] = REST
    at = rounded(np.array([tick for tick, _ in music.chords], np.int64), steps, quarter)
    before = np.maximum(np.searchsorted(begun, at, side="right") - 1, 0)
    # A chord in a silence that is shortened comes with the next note at the latest.
    at = np.minimum(at - earlier[before], np.append(starts[1:], length)[before])
    chords = zip(at.tolist(), (chord for _, chord in music.chords), strict=True)
    return Line(events, metre, upbeat, tuple(chords)), begun, earlier


def with_chords_of(music: Music, line: Line, steps: int, track: WhichTrack) -> Music:
    """Return a piece with the chords of a line of its melody instead of its own."""
    _, starts, earlier = placed_line(music, steps, track_of(music, track))
    at = np.array([step for step, _ in line.chords], np.int64)
    before = np.maximum(np.searchsorted(starts - earlier, at, side="right") - 1, 0)
    ticks = rounded(at + earlier[before], music.ticks_per_quarter, steps).tolist()
    chords = ((tick, chord) for tick, (_, chord) in zip(ticks, line.chords, strict=True))
    return replace(music, chords=tuple(chords))


def melody_onsets(music: Music, track: WhichTrack) -> NDArray[np.int64]:
    """Return the onsets of a piece's melody in ticks ``(N,)``."""
    is_melody = music.notes["track"] == track_of(music, track)
    return np.asarray(music.notes["onset"][is_melody], np.int64)


def track_of(music: Music, which: WhichTrack) -> int:
    """Return the number of the track with the melody."""
    notes = music.notes
    tracks = [
        int(track) for track in np.unique(notes["track"]) if not music.tracks[int(track)].drums
    ]
    if not tracks:
        raise DataError("the piece has no note besides drums, and a melody needs one")
    if which == "first":
        return tracks[0]
    return max(tracks, key=lambda track: float(notes["pitch"][notes["track"] == track].mean()))


def _refuse_metre(metre: Metre, per_quarter: int) -> None:
    beats, unit = metre
    if 4 * per_quarter * beats % unit:
        raise DataError(
            f"a bar of {metre_name(metre)} is not a whole number of steps ({per_quarter} per "
            f"quarter); set the codec option steps to a multiple of {unit // gcd(unit, 4 * beats)}"
        )
    if 4 * beats > LONGEST_BAR * unit:
        raise DataError(f"a bar of {metre_name(metre)} is longer than {LONGEST_BAR} quarters")
