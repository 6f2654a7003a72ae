"""Metrics of pieces, both generated and of a corpus.

Metrics that muspy (Dong et al., ISMIR 2020) or MusDr (Wu and Yang, ISMIR 2020) have are defined as
there. Shares are between 0 and 1. Drums have no pitch. NaN means that a piece lacks the notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Metric
from seqgen_music.codecs.chorale.parallels import parallels
from seqgen_music.codecs.chorale.raster import VOICES, Raster, raster_of
from seqgen_music.measures import voice_leading
from seqgen_music.music import PITCH_NAMES, Music

Floats: TypeAlias = NDArray[np.float64]

#: Note lengths in quarters by name; a note counts as the nearest, by ratio.
LENGTHS = {
    "32nd": 1 / 8,
    "16th": 1 / 4,
    "triplet 8th": 1 / 3,
    "8th": 1 / 2,
    "dotted 8th": 3 / 4,
    "quarter": 1.0,
    "dotted quarter": 3 / 2,
    "half": 2.0,
    "dotted half": 3.0,
    "whole": 4.0,
    "longer": 6.0,
}

#: Larger melodic intervals count as this many semitones.
WIDEST = 12

#: Positions of a bar to which onsets are assigned, as in MusDr.
POSITIONS = 64

#: The major scale. The natural minor scales are the same sets of pitch classes.
SCALE = (0, 2, 4, 5, 7, 9, 11)


class Measure(NamedTuple):
    """A metric of one piece.

    Attributes
    ----------
    unit : str
        As in `Metric`.
    of : callable
        Returns a value, or the shares of bins, of a `Music` or of the `Raster` of four voices.
    bins : tuple of str
        As in `Metric`.
    """

    unit: str
    of: Callable[[Any], float | Floats]
    bins: tuple[str, ...] = ()


def measure(generated: Sequence[Music], reference: Iterable[Music]) -> dict[str, Metric]:
    """Return all metrics of both sides by name; `VOICE_MEASURES` only of four voices."""
    new, old = _rows(generated), _rows(reference)
    return {
        name: Metric(one.unit, np.array(new[name]), np.array(old[name]), one.bins)
        for name, one in (MEASURES | VOICE_MEASURES).items()
        if new[name] and old[name]
    }


def _rows(pieces: Iterable[Music]) -> dict[str, list[float | Floats]]:
    """Return the metrics of every piece by name."""
    rows: dict[str, list[float | Floats]] = {name: [] for name in MEASURES | VOICE_MEASURES}
    for piece in pieces:
        raster = four_voices(piece)
        for name, one in MEASURES.items():
            rows[name].append(one.of(piece))
        for name, one in VOICE_MEASURES.items():
            rows[name].append(np.nan if raster is None else one.of(raster))
    return rows


def four_voices(music: Music) -> Raster | None:
    """Return the raster of a piece if its tracks are four voices, by name or monophonic."""
    try:
        raster = raster_of(music)
    except DataError:
        return None
    names = {track.name.strip().lower() for track in music.tracks}
    if names >= {name.lower() for name in VOICES}:
        return raster
    notes = music.notes[np.argsort(music.notes["track"], kind="stable")]
    ends = notes["onset"] + notes["duration"]
    overlap = (notes["track"][1:] == notes["track"][:-1]) & (notes["onset"][1:] < ends[:-1])
    return None if overlap.any() else raster


def _shares(counts: NDArray[np.int64]) -> Floats:
    """Return counts as shares; NaN if there are none."""
    total = counts.sum()
    return counts / total if total else np.full(len(counts), np.nan)


def pitch_classes(music: Music) -> Floats:
    """Return the share of notes on each pitch class, C first."""
    return _shares(np.bincount(music.pitched["pitch"] % 12, minlength=12))


def intervals(music: Music) -> Floats:
    """Return the share of each melodic interval, in semitones from -12 to 12.

    Intervals are those between the highest notes at successive onsets of a track.
    """
    notes = music.pitched
    notes = notes[np.lexsort((notes["pitch"], notes["onset"], notes["track"]))]
    # The last note of a track at an onset is the highest.
    last = np.append(
        (notes["onset"][1:] != notes["onset"][:-1]) | (notes["track"][1:] != notes["track"][:-1]),
        np.ones(min(len(notes), 1), np.bool_),
    )
    top = notes[last]
    steps = np.diff(top["pitch"].astype(np.int64))[top["track"][1:] == top["track"][:-1]]
    return _shares(np.bincount(np.clip(steps, -WIDEST, WIDEST) + WIDEST, minlength=2 * WIDEST + 1))


def note_lengths(music: Music) -> Floats:
    """Return the share of notes of each of `LENGTHS`."""
    quarters = np.maximum(music.notes["duration"], 1) / music.ticks_per_quarter
    borders = [np.sqrt(short * long) for short, long in pairwise(LENGTHS.values())]
    return _shares(np.bincount(np.searchsorted(borders, quarters), minlength=len(LENGTHS)))


def pitch_class_entropy(music: Music) -> float:
    """Return the entropy of the pitch classes in bits (muspy.pitch_class_entropy), at most 3.58."""
    shares = pitch_classes(music)
    return float(-(shares * np.log2(np.where(shares > 0, shares, 1))).sum())


def scale_consistency(music: Music) -> float:
    """Return the largest share of notes in one major or minor scale (muspy.scale_consistency)."""
    shares = pitch_classes(music)
    return float(max(shares[np.add(SCALE, root) % 12].sum() for root in range(12)))


def pitch_range(music: Music) -> float:
    """Return the semitones from the lowest note to the highest (muspy.pitch_range)."""
    pitches = music.pitched["pitch"].astype(np.int64)
    return float(pitches.max() - pitches.min()) if len(pitches) else np.nan


def polyphony(music: Music) -> float:
    """Return the mean number of sounding pitches where any sounds (muspy.polyphony).

    Overlapping notes of one pitch count as one.
    """
    notes = music.pitched
    onsets, ends = notes["onset"], notes["onset"] + notes["duration"]
    heard = _covered(onsets, ends)
    # Each pitch gets its own stretch of time, so that pitches do not overlap.
    apart = notes["pitch"].astype(np.int64) * (music.length + 1)
    return _covered(onsets + apart, ends + apart) / heard if heard else np.nan


def _covered(onsets: NDArray[np.int64], ends: NDArray[np.int64]) -> int:
    """Return the number of ticks that lie in at least one span."""
    if not len(onsets):
        return 0
    order = np.argsort(onsets, kind="stable")
    onsets, reached = onsets[order], np.maximum.accumulate(ends[order])
    begins = np.maximum(onsets, np.append(onsets[0], reached[:-1]))
    return int(np.maximum(reached - begins, 0).sum())


def _bars(music: Music) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return first tick and length of each bar ``(B,)``; the last bar is whole."""
    starts = np.array(music.bar_starts(), np.int64)
    return starts, np.diff(starts, append=starts[-1] + music.last_bar())


def notes_per_bar(music: Music) -> float:
    """Return the mean number of notes that begin in a bar."""
    return len(music.notes) / len(music.bar_starts())


def empty_bars(music: Music) -> float:
    """Return the share of bars in which nothing sounds (muspy.empty_measure_rate).

    Unlike there, a note that ends on a bar line does not fill the bar after it.
    """
    starts, notes = _bars(music)[0], music.notes
    ends = np.maximum(notes["onset"] + notes["duration"], notes["onset"] + 1)
    changes = np.zeros(len(starts) + 1, np.int64)
    np.add.at(changes, np.searchsorted(starts, notes["onset"], "right") - 1, 1)
    np.add.at(changes, np.searchsorted(starts, ends - 1, "right"), -1)
    return float((np.cumsum(changes[:-1]) == 0).mean())


def _grooves(music: Music) -> NDArray[np.bool_]:
    """Return whether a note begins at each position of each bar ``(bars, POSITIONS)``.

    Bars that differ from the most frequent length, such as an upbeat, are left out.
    """
    starts, lengths = _bars(music)
    bar = np.searchsorted(starts, music.notes["onset"], "right") - 1
    grooves = np.zeros((len(starts), POSITIONS), np.bool_)
    position = (music.notes["onset"] - starts[bar]) * POSITIONS // lengths[bar]
    grooves[bar, np.minimum(position, POSITIONS - 1)] = True
    values, counts = np.unique(lengths, return_counts=True)
    regular: NDArray[np.bool_] = grooves[lengths == values[counts.argmax()]]
    return regular


def groove_consistency(music: Music) -> float:
    """Return the similarity of the onsets of neighbouring bars (muspy.groove_consistency).

    It is one minus the mean Hamming distance of their binary vectors of onsets.
    """
    grooves = _grooves(music)
    return float((grooves[1:] == grooves[:-1]).mean()) if len(grooves) > 1 else np.nan


def grooving_similarity(music: Music) -> float:
    """Return the similarity of the onsets of all pairs of bars (MusDr's GS)."""
    grooves = _grooves(music)
    bars = len(grooves)
    if bars < 2:
        return np.nan
    # At a position, bars with an onset times bars without it is the number of pairs that differ.
    with_onset = grooves.sum(axis=0)
    pairs = POSITIONS * bars * (bars - 1) / 2
    return float(1 - (with_onset * (bars - with_onset)).sum() / pairs)


def repeated_bars(music: Music) -> float:
    """Return the share of bars with notes that repeat an earlier bar.

    Notes are equal in onset within the bar, pitch and length; tracks do not count.
    """
    starts, notes = _bars(music)[0], music.notes
    if not len(notes):
        return np.nan
    bar = np.searchsorted(starts, notes["onset"], "right") - 1
    rows = np.stack([bar, notes["onset"] - starts[bar], notes["pitch"], notes["duration"]], axis=1)
    rows = rows[np.lexsort(rows.T[::-1])]
    parts = np.split(rows[:, 1:], np.flatnonzero(np.diff(rows[:, 0])) + 1)
    return 1 - len({part.tobytes() for part in parts}) / len(parts)


def _per_hundred_quarters(raster: Raster) -> float:
    beats = voice_leading.beats(raster)
    return float(100 * parallels(beats).sum() / len(beats))


def _crossed(raster: Raster) -> float:
    return float(voice_leading.crossed(voice_leading.beats(raster)).mean())


def _on_chord(raster: Raster) -> float:
    return float(voice_leading.on_chord(voice_leading.beats(raster)).mean())


def _quarters(music: Music) -> float:
    return music.length / music.ticks_per_quarter


#: Metrics of every piece.
MEASURES = {
    "pitch classes": Measure("", pitch_classes, PITCH_NAMES),
    "intervals": Measure(
        "semitones", intervals, tuple(f"{step:+d}" for step in range(-WIDEST, WIDEST + 1))
    ),
    "note lengths": Measure("", note_lengths, tuple(LENGTHS)),
    "length": Measure("quarters", _quarters),
    "notes per bar": Measure("notes", notes_per_bar),
    "polyphony": Measure("pitches", polyphony),
    "pitch range": Measure("semitones", pitch_range),
    "pitch class entropy": Measure("bits", pitch_class_entropy),
    "scale consistency": Measure("", scale_consistency),
    "groove consistency": Measure("", groove_consistency),
    "grooving similarity": Measure("", grooving_similarity),
    "empty bars": Measure("", empty_bars),
    "repeated bars": Measure("", repeated_bars),
}

#: Metrics of pieces of four voices.
VOICE_MEASURES = {
    "quarters on a chord": Measure("", _on_chord),
    "parallel fifths and octaves": Measure("per 100 quarters", _per_hundred_quarters),
    "crossed voices": Measure("", _crossed),
    "out of range": Measure("", voice_leading.out_of_range),
    "ends on a cadence": Measure("", voice_leading.ends_on_cadence),
}
