"""Four voices on a grid of 16ths, between a piece of music and its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Kept
from seqgen_music.bars import metre_and_upbeat, metre_of
from seqgen_music.codecs.refusals import refuse_empty
from seqgen_music.joining import Placed
from seqgen_music.keeping import Gap, gap_of, names_of
from seqgen_music.music import Music, Track, make_notes
from seqgen_music.rounding import rounded

VOICES = ("Soprano", "Alto", "Tenor", "Bass")

#: Steps in a quarter note, and ticks in a step of generated pieces.
STEPS, STEP_TICKS = 4, 120

#: The pitch of a silent cell.
REST = -1

#: Most steps of a piece: over three hours. Longer files are damaged.
LONGEST_STEPS = 2**16

#: Quarters a minute, General MIDI program (a choir) and velocity of generated pieces.
TEMPO, CHOIR, VELOCITY = 76.0, 52, 80


@dataclass(frozen=True)
class Raster:
    """The four voices at every step.

    Attributes
    ----------
    sounding : int64 array (steps, 4)
        The pitch that sounds, or `REST`.
    begins : bool array (steps, 4)
        Whether a note or a silence begins here; all do at the first step.
    metre : (int, int)
        Such as (3, 4).
    upbeat : int
        Steps before the first bar line.
    ends : tuple of int
        Steps at which phrases end, rising; the last is the number of steps. Empty if unknown.
    """

    sounding: NDArray[np.int64]
    begins: NDArray[np.bool_]
    metre: tuple[int, int]
    upbeat: int
    ends: tuple[int, ...] = ()

    def lasted(self) -> NDArray[np.int64]:
        """Return for how many steps, including this one, each cell has held ``(steps, 4)``."""
        return _since(self.begins)

    def longest_notes(self) -> NDArray[np.int64]:
        """Return the longest note of each voice in steps ``(4,)``."""
        return np.asarray(self.lasted().max(axis=0, where=self.sounding != REST, initial=0))

    def longest_stays(self) -> NDArray[np.int64]:
        """Return for how many steps each voice stays on one pitch at most, repeated or not."""
        moves = np.ones(self.sounding.shape, bool)
        moves[1:] = self.sounding[1:] != self.sounding[:-1]
        return np.asarray(_since(moves).max(axis=0, where=self.sounding != REST, initial=0))

    def longest_silence(self) -> int:
        """Return the longest run of steps in which no voice sounds."""
        heard = np.flatnonzero((self.sounding != REST).any(axis=1))
        return int(np.diff(heard, prepend=-1, append=len(self.sounding)).max()) - 1

    def longest_stillness(self) -> int:
        """Return the longest run of steps in which something sounds and nothing begins."""
        begun = np.flatnonzero(self.begins.any(axis=1))
        heard = (self.sounding[begun] != REST).any(axis=1)
        return int(np.diff(begun, append=len(self.begins))[heard].max(initial=0))

    def fermatas(self) -> list[tuple[int, int]]:
        """Return the step and the voice of the last note of each voice in each phrase."""
        found, lasted = [], self.lasted()
        for begin, end in pairwise((0, *self.ends)):
            for voice in range(len(VOICES)):
                sung = np.flatnonzero(self.sounding[begin:end, voice] != REST)
                if len(sung):
                    last = begin + int(sung[-1])
                    found.append((last + 1 - int(lasted[last, voice]), voice))
        return sorted(found)

    def to_music(self) -> Music:
        """Return a piece with one track per voice; each phrase ends with fermatas."""
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
        fermatas = tuple((step * STEP_TICKS, voice) for step, voice in self.fermatas())
        return Music(
            *(make_notes(rows), tracks, ticks, ((0, TEMPO),), tuple(metres)), fermatas=fermatas
        )


def _since(begins: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the number of steps since each voice last began, this one included ``(steps, 4)``."""
    step = np.arange(len(begins))[:, None]
    return np.asarray(step - np.maximum.accumulate(np.where(begins, step, 0), axis=0) + 1)


def raster_of(music: Music) -> Raster:
    """Round a piece to the grid.

    Raises
    ------
    DataError
        If the piece does not have four voices, or has no note.
    """
    refuse_empty(music)
    return _on_grid(music, voices_of(music))


def given_voices(music: Music, ranges: Sequence[tuple[int, int]]) -> tuple[Raster, tuple[int, ...]]:
    """Round the given voices of a piece to the grid; the others are silent.

    Tracks named after voices are these voices. Otherwise a single track is the voice whose range
    fits it best, outer voices before inner ones, and the highest of several tracks is the
    soprano. A piece of all four voices gives only its soprano.

    Parameters
    ----------
    music : Music
    ranges : sequence of (int, int)
        Lowest and highest pitch of each voice, soprano first.

    Returns
    -------
    raster : Raster
    voices : tuple of int
        The given voices, ascending.

    Raises
    ------
    DataError
        If the piece has no note.
    """
    refuse_empty(music)
    tracks = given_tracks(music, ranges)
    return _on_grid(music, tracks), tuple(sorted(tracks))


def given_tracks(music: Music, ranges: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Return the track of each voice that a piece gives; see `given_voices`."""
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
    return tracks


def placed_of(music: Music) -> Placed:
    """Return the voice and the step of each note, in ticks of generated pieces.

    Raises
    ------
    DataError
        If the piece does not have four voices.
    """
    step = rounded(music.notes["onset"].astype(np.int64), STEPS, music.ticks_per_quarter)
    voice_of = np.full(len(music.tracks), -1)
    for voice, track in voices_of(music).items():
        voice_of[track] = voice
    return Placed(step * STEP_TICKS, voice_of[music.notes["track"]], np.zeros_like(step))


def chorale_gap(kept: Kept) -> Gap:
    """Return what of a piece is rewritten; its tracks are named as voices too.

    Raises
    ------
    DataError
        If it does not have four voices, or as for `gap_of`.
    """
    refuse_empty(kept.piece)
    names: dict[str, set[int]] = {}
    for voice, track in voices_of(kept.piece).items():
        for name in (VOICES[voice].lower(), *names_of(kept.piece, [track])):
            names.setdefault(name, set()).add(track)
    return gap_of(kept, names)


def grid_spans(gap: Gap, music: Music) -> NDArray[np.int64]:
    """Return the first step of each span of a gap, and the first one after it ``(S, 2)``."""
    return np.asarray(rounded(gap.spans, STEPS, music.ticks_per_quarter))


def _named_voices(music: Music) -> dict[int, int]:
    """Return the track of each voice that exactly one track is named after."""
    names = [track.name.strip().lower() for track in music.tracks]
    return {
        voice: names.index(name.lower())
        for voice, name in enumerate(VOICES)
        if names.count(name.lower()) == 1
    }


def _fitting_voice(pitches: NDArray[np.uint8], ranges: Sequence[tuple[int, int]]) -> int:
    """Return the voice whose range has most of the pitches; outer voices before inner ones."""
    outside = [int(((pitches < low) | (pitches > high)).sum()) for low, high in ranges]
    return min((0, len(VOICES) - 1, 1, 2), key=outside.__getitem__)


def _on_grid(music: Music, voices: dict[int, int]) -> Raster:
    """Round the tracks of the given voices to the grid."""
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
    held, stops = set(music.fermatas), dict[int, list[int]]()
    for voice, track in voices.items():
        mine = np.flatnonzero(music.notes["track"] == track)
        mine = mine[np.lexsort((music.notes["pitch"][mine], onsets[mine]))]
        for index, following in zip(mine, np.append(mine, -1)[1:], strict=True):
            onset, end = onsets[index], ends[index]
            if following >= 0:
                end = min(end, onsets[following])
            sounding[onset:end, voice] = music.notes["pitch"][index]
            begins[onset:end, voice] = np.arange(onset, end) == onset
            if (int(music.notes["onset"][index]), track) in held:
                stops.setdefault(voice, []).append(int(end))
    begins[0] = True
    begins[1:] |= sounding[1:] != sounding[:-1]
    # Other tracks, and notes that were cut, may end later than the voices.
    heard = np.flatnonzero((sounding != REST).any(axis=1))
    if not len(heard):
        raise DataError("none of the four voices has a note")
    sounding, begins = sounding[: heard[-1] + 1], begins[: heard[-1] + 1]
    metre, upbeat = metre_and_upbeat(music.metre_changes(), music.ticks_per_quarter, STEPS)
    raster = Raster(sounding, begins, metre, upbeat)
    if not stops:
        return raster
    lead = min(stops)
    return replace(raster, ends=_phrase_ends(raster, min(voices), lead, stops[lead]))


def _phrase_ends(raster: Raster, top: int, lead: int, stops: list[int]) -> tuple[int, ...]:
    """Return the steps at which phrases end; none if the last note has no fermata.

    Parameters
    ----------
    raster : Raster
    top, lead : int
        The highest voice of the piece, and the highest with fermatas.
    stops : list of int
        The steps at which its notes with fermatas end.
    """
    sung, length = raster.sounding != REST, len(raster.sounding)
    if sung[max(stops) :, lead].any():
        return ()
    # Within the piece a note of the top voice ends where a phrase ends.
    kept = [
        stop
        for stop in sorted(set(stops))
        if sung[stop - 1 : stop, top].any()
        and raster.begins[stop : stop + 1, top].any()
        and sung[stop:, top].any()
    ]
    return (*kept, length)


def voices_of(music: Music) -> dict[int, int]:
    """Return the track of each voice: by name, or by pitch if there are four tracks.

    MIDI files have no track for a silent voice. Where all tracks with notes are named after voices,
    up to two voices may therefore be missing.

    Raises
    ------
    DataError
        If the piece does not have four voices.
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
