"""Four voices on a grid of 16ths: between a piece of music and a codec's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_music.codecs.rounding import rounded
from seqgen_music.music import Music, Track, make_notes, metre_of

VOICES = ("Soprano", "Alto", "Tenor", "Bass")

#: Steps of the grid in a quarter note, and ticks of a step in the pieces that come out.
STEPS, STEP_TICKS = 4, 120

#: What sounds in a silent cell.
REST = -1

#: Most steps of a piece: over three hours of music, or a damaged file.
LONGEST_STEPS = 2**16

#: Quarters a minute, General MIDI program and velocity of the pieces that come out: a choir.
TEMPO, CHOIR, VELOCITY = 76.0, 52, 80


@dataclass(frozen=True)
class Raster:
    """What four voices do at every step.

    Attributes
    ----------
    sounding : int64 array (steps, 4)
        The pitch that sounds, or `REST`.
    begins : bool array (steps, 4)
        Whether it begins here, a silence too; all do at the first step.
    metre : (int, int)
        Such as (3, 4).
    upbeat : int
        Steps before the first bar line.
    """

    sounding: NDArray[np.int64]
    begins: NDArray[np.bool_]
    metre: tuple[int, int]
    upbeat: int

    def lasted(self) -> NDArray[np.int64]:
        """Return for how many steps, this one included, each cell's sound has gone on."""
        step = np.arange(len(self.sounding))[:, None]
        began = np.maximum.accumulate(np.where(self.begins, step, 0), axis=0)
        return np.asarray(step - began + 1)

    def longest_silence(self) -> int:
        """Return the longest run of steps in which no voice sounds."""
        heard = np.flatnonzero((self.sounding != REST).any(axis=1))
        return int(np.diff(heard, prepend=-1, append=len(self.sounding)).max()) - 1

    def longest_stillness(self) -> int:
        """Return the longest run of steps in which something sounds and all goes on as it is."""
        begun = np.flatnonzero(self.begins.any(axis=1))
        heard = (self.sounding[begun] != REST).any(axis=1)
        return int(np.diff(begun, append=len(self.begins))[heard].max(initial=0))

    def to_music(self) -> Music:
        """Return one track a voice."""
        rows = []
        for voice in range(len(VOICES)):
            starts = np.flatnonzero(self.begins[:, voice])
            stops = np.append(starts, len(self.begins))[1:]
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
                pitch = int(self.sounding[start, voice])
                if pitch != REST:
                    span = (start * STEP_TICKS, (stop - start) * STEP_TICKS)
                    rows.append((*span, pitch, VELOCITY, voice))
        metres = [(self.upbeat * STEP_TICKS, *self.metre)]
        if self.upbeat:
            short = metre_of(Fraction(self.upbeat, 4 * STEPS))
            assert short is not None, "sixteenths always make a bar"
            metres.insert(0, (0, *short))
        tracks = tuple(Track(name, CHOIR) for name in VOICES)
        ticks = STEPS * STEP_TICKS
        return Music(make_notes(rows), tracks, ticks, ((0, TEMPO),), tuple(metres))


def bar_steps(metre: tuple[int, int], per_quarter: int = STEPS) -> int:
    """Return the steps in a bar, with so many in a quarter."""
    beats, unit = metre
    return max(4 * per_quarter * beats // unit, 1)


def raster_of(music: Music) -> Raster:
    """Round a piece to the grid.

    Raises
    ------
    DataError
        If it has not four voices, or no note.
    """
    _refuse_empty(music)
    return _on_grid(music, _voices(music))


def given_voices(music: Music, ranges: Sequence[tuple[int, int]]) -> tuple[Raster, tuple[int, ...]]:
    """Round the voices that a piece has to the grid; the others are silent.

    Tracks that bear the names of voices are these. Else a piece of one track is the voice whose
    range it leaves least, of several such the first of soprano, bass, alto and tenor; and of
    several tracks the highest is the soprano. All four voices leave nothing to write: then the
    soprano is what is given.

    Parameters
    ----------
    music : Music
    ranges : sequence of (int, int)
        Lowest and highest pitch of every voice, soprano first.

    Returns
    -------
    raster : Raster
    voices : tuple of int
        Which are given, ascending.

    Raises
    ------
    DataError
        If there is no note.
    """
    _refuse_empty(music)
    pitches = {
        int(track): music.notes["pitch"][music.notes["track"] == track]
        for track in np.unique(music.notes["track"])
    }
    tracks = {voice: track for voice, track in _named_voices(music).items() if track in pitches}
    if not tracks:
        highest = max(
            pitches, key=lambda track: (not music.tracks[track].drums, pitches[track].mean())
        )
        voice = 0 if len(pitches) > 1 else _fitting_voice(pitches[highest], ranges)
        tracks = {voice: highest}
    if len(tracks) == len(VOICES):
        tracks = {0: tracks[0]}
    return _on_grid(music, tracks), tuple(sorted(tracks))


def _named_voices(music: Music) -> dict[int, int]:
    """Return the track of each voice whose name one track bears."""
    names = [track.name.strip().lower() for track in music.tracks]
    return {
        voice: names.index(name.lower())
        for voice, name in enumerate(VOICES)
        if names.count(name.lower()) == 1
    }


def _fitting_voice(pitches: NDArray[np.uint8], ranges: Sequence[tuple[int, int]]) -> int:
    """Return the voice whose range the pitches leave least; outer voices before inner ones."""
    outside = [int(((pitches < low) | (pitches > high)).sum()) for low, high in ranges]
    return min((0, len(VOICES) - 1, 1, 2), key=outside.__getitem__)


def _refuse_empty(music: Music) -> None:
    if not len(music.notes):
        raise DataError("the piece holds no note")


def _on_grid(music: Music, voices: dict[int, int]) -> Raster:
    """Round the tracks of some voices to the grid."""
    onsets, ends = (
        rounded(ticks.astype(np.int64), STEPS, music.ticks_per_quarter)
        for ticks in (music.notes["onset"], music.notes["onset"] + music.notes["duration"])
    )
    ends = np.maximum(ends, onsets + 1)
    if ends.max() > LONGEST_STEPS:
        raise DataError(
            f"the piece is {ends.max():,} sixteenths long; {LONGEST_STEPS:,} is the most"
        )
    sounding = np.full((int(ends.max()), len(VOICES)), REST)
    begins = np.zeros(sounding.shape, bool)
    for voice, track in voices.items():
        mine = np.flatnonzero(music.notes["track"] == track)
        mine = mine[np.lexsort((music.notes["pitch"][mine], onsets[mine]))]
        for index, following in zip(mine, np.append(mine, -1)[1:], strict=True):
            onset, end = onsets[index], ends[index]
            if following >= 0:
                end = min(end, onsets[following])
            sounding[onset:end, voice] = music.notes["pitch"][index]
            begins[onset:end, voice] = np.arange(onset, end) == onset
    begins[0] = True
    begins[1:] |= sounding[1:] != sounding[:-1]
    # Other tracks, or notes that were cut short, may have lasted longer than the voices.
    heard = np.flatnonzero((sounding != REST).any(axis=1))
    if not len(heard):
        raise DataError("none of the four voices holds a note")
    sounding, begins = sounding[: heard[-1] + 1], begins[: heard[-1] + 1]
    metre, upbeat = metre_and_upbeat(music)
    return Raster(sounding, begins, metre, upbeat)


def _voices(music: Music) -> dict[int, int]:
    """Return the track of each voice: by name, or four of them by pitch.

    A voice that is silent throughout has no track in a MIDI file, so where all tracks with
    notes bear the names of voices, some may be missing. But a bass alone is no chorale.
    """
    notes = music.notes
    tracks = [int(track) for track in np.unique(notes["track"])]
    named = _named_voices(music)
    if len(named) == len(VOICES) or (len(named) > 1 and set(tracks) <= set(named.values())):
        return named
    if len(tracks) != len(VOICES) or any(music.tracks[track].drums for track in tracks):
        raise DataError(
            f"a chorale has four voices, one track each; tracks with notes here: {len(tracks)}"
        )
    by_pitch = sorted(tracks, key=lambda track: -notes["pitch"][notes["track"] == track].mean())
    return dict(enumerate(by_pitch))


def metre_and_upbeat(music: Music, per_quarter: int = STEPS) -> tuple[tuple[int, int], int]:
    """Return the first metre that fills a bar, and the steps of a shorter bar before it."""
    metres = music.metre_changes()
    first = metres[0][1:]
    if len(metres) > 1:
        length = metres[1][0]
        short = length == 4 * music.ticks_per_quarter * first[0] // first[1]
        steps = rounded(length, per_quarter, music.ticks_per_quarter)
        if short and steps < bar_steps(metres[1][1:], per_quarter):
            return metres[1][1:], steps
    return first, 0
