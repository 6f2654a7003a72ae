"""Plays the chord symbols of a piece: block chords in a track of their own."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from seqgen_music.chords import Chord
from seqgen_music.music import Music, Track, make_notes

#: The track of the chords: a nylon guitar, softer than a melody.
PLAYER, VELOCITY = Track("Chords", 24), 50

#: Lowest pitch of the bass, and of the notes above it.
BASS, ABOVE = 40, 52


def accompanied(music: Music) -> Music:
    """Return a piece with a track that plays its chords, again at each bar line."""
    bars = [bar for bar in music.bar_starts() if bar < music.length]
    number, rows = len(music.tracks), []
    stops = [*(tick for tick, _ in music.chords[1:]), music.length]
    for (start, chord), stop in zip(music.chords, stops, strict=False):
        stop = min(stop, music.length)
        if chord is None or start >= stop:
            continue
        strokes = [start, *(bar for bar in bars if start < bar < stop), stop]
        for onset, end in pairwise(strokes):
            rows += [(onset, end - onset, pitch, VELOCITY, number) for pitch in _voiced(chord)]
    if not rows:
        return music
    notes = np.concatenate([music.notes, make_notes(rows)])
    order = np.lexsort((notes["pitch"], notes["track"], notes["onset"]))
    pressed = music.pressed
    if pressed is not None:
        played = notes["duration"][len(music.notes) :]
        pressed = np.concatenate([pressed, played])[order]
    return replace(music, notes=notes[order], tracks=(*music.tracks, PLAYER), pressed=pressed)


def _voiced(chord: Chord) -> list[int]:
    """Return the pitches of a chord: its bass, and each of its notes within an octave above."""
    low = chord.root if chord.bass < 0 else chord.bass
    above = sorted(ABOVE + (pitch - ABOVE) % 12 for pitch in chord.pitch_classes)
    return [BASS + (low - BASS) % 12, *above]
