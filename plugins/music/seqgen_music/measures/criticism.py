"""The critic of music: what is rare in a new piece, by measures of training pieces.

Measures that depend on the key are left out: a piece in G differs from the mean of all pitch
classes, but has as many of them. What remains is what a listener notices at once: a piece is too
short, stands still, or jumps about. Chords and cadences are not looked at, so they can show whether
the choice helps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from seqgen.plugin import Criticism, Norm, Norms
from seqgen_music.measures.metrics import (
    MEASURES,
    VOICE_MEASURES,
    Floats,
    four_voices,
    note_lengths,
)
from seqgen_music.music import Music

#: Most training pieces that are measured.
PIECES = 400

#: Metrics whose values are compared as they are.
OF_PIECES = {
    "length": Norm("quarters"),
    "notes per bar": Norm("notes"),
    "pitch range": Norm("semitones"),
    "polyphony": Norm("pitches"),
    "pitch class entropy": Norm("bits"),
    "scale consistency": Norm(bad="low"),
    "repeated bars": Norm(bad="high"),
}
OF_VOICES = {
    "parallel fifths and octaves": Norm("per 100 quarters", "high"),
    "out of range": Norm(bad="high"),
}
#: Measures of the critic's own.
STILLNESS, SILENCE = "longest standstill of a part", "longest silence of all parts"
UNLIKE = "unlike the usual note lengths"
NORMS = {
    **OF_PIECES,
    STILLNESS: Norm("quarters", "high"),
    SILENCE: Norm("quarters", "high"),
    UNLIKE: Norm(bad="high"),
}


def critic(pieces: Iterable[Music]) -> Callable[[Music, Any], Criticism]:
    """Return the critic that training pieces teach; four voices get `OF_VOICES` too."""
    known, lengths = list[dict[str, float]](), list[Floats]()
    for piece, _ in zip(pieces, range(PIECES), strict=False):
        known.append(_values(piece))
        lengths.append(note_lengths(piece))
    counted = [each for each in lengths if np.isfinite(each).all()]
    usual = np.mean(counted, axis=0) if counted else np.full(1, np.nan)
    for row, each in zip(known, lengths, strict=True):
        row[UNLIKE] = _distance(each, usual)
    voices = sum(OF_VOICES.keys() <= row.keys() for row in known)
    norms = NORMS | (OF_VOICES if 2 * voices > len(known) else {})
    learned = Norms(norms, ({name: row.get(name, np.nan) for name in norms} for row in known))

    def criticise(piece: Music, condition: Any) -> Criticism:
        values = _values(piece) | {UNLIKE: _distance(note_lengths(piece), usual)}
        return learned.criticise({name: values.get(name, np.nan) for name in norms})

    return criticise


def _values(piece: Music) -> dict[str, float]:
    """Return the values of a piece, without that of `UNLIKE`."""
    raster = four_voices(piece)
    values = {name: float(MEASURES[name].of(piece)) for name in OF_PIECES}
    if raster is not None:
        values |= {name: float(VOICE_MEASURES[name].of(raster)) for name in OF_VOICES}
    return values | {STILLNESS: standstill(piece), SILENCE: silence(piece)}


def standstill(music: Music) -> float:
    """Return the longest time between two onsets of a track, or to its end, in quarters.

    A track ends with its last note.
    """
    longest = 0
    for track in np.unique(music.notes["track"]):
        notes = music.notes[music.notes["track"] == track]
        onsets = np.unique(notes["onset"])
        end = (notes["onset"] + notes["duration"]).max()
        longest = max(longest, int(np.diff(onsets, append=end).max()))
    return longest / music.ticks_per_quarter if len(music.notes) else np.nan


def silence(music: Music) -> float:
    """Return the longest time within a piece in which nothing sounds, in quarters."""
    order = np.argsort(music.notes["onset"], kind="stable")
    onsets = music.notes["onset"][order]
    ends = np.maximum.accumulate(onsets + music.notes["duration"][order])
    return int((onsets[1:] - ends[:-1]).max(initial=0)) / music.ticks_per_quarter


def _distance(shares: Floats, usual: Floats) -> float:
    """Return half the sum of the differences of two rows of shares: 0 to 1."""
    return float(np.abs(shares - usual).sum() / 2)
