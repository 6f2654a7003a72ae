"""The chords of each bar of a multitrack piece: those of its symbols, or those that its notes make.

A bar has one chord, or one for each half. A chord is a number: 0 is no chord, and the known kinds
follow, each with twelve roots. B bars, C known chords.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Ids
from seqgen_music.bars import Metre, bar_length, beat_length
from seqgen_music.chords import Chord, nearest_kind
from seqgen_music.codecs.multitrack.grid import DRUMS
from seqgen_music.codecs.multitrack.score import GridScore, kept_bars
from seqgen_music.music import Music
from seqgen_music.rounding import rounded

#: Kinds of chords that are looked for in notes.
SOUGHT = ("major", "minor", "diminished", "dominant")

#: How well a chord fits is the share of the sounding time on its pitches, minus that beside them.
#: The root in the bass adds to it, and each pitch beyond three, and a second chord in a bar, take
#: from it.
BASS, LARGE, SECOND = 0.2, 0.1, 0.3


def half_of(metre: Metre, steps: int) -> int:
    """Return the steps in half a bar, or 0 for a metre of an odd number of beats."""
    bar, beat = bar_length(metre, steps), beat_length(metre, steps)
    return bar // 2 if bar % (2 * beat) == 0 else 0


def known_chords(kinds: Sequence[str]) -> tuple[Chord, ...]:
    """Return the chords of some kinds in the order of their numbers, the first of which is 1."""
    return tuple(Chord(root, kind) for kind in kinds for root in range(12))


def number_of(chord: Chord | None, kinds: Sequence[str]) -> int:
    """Return the number of the known chord that is nearest to a chord."""
    if chord is None:
        return 0
    return 1 + 12 * kinds.index(nearest_kind(chord.kind, kinds)) + chord.root


def moved(numbers: Ids, semitones: int) -> Ids:
    """Return the numbers of chords that are some semitones above."""
    root = (numbers - 1) % 12
    return np.where(numbers > 0, numbers - root + (root + semitones) % 12, 0)


def bar_chords(music: Music, score: GridScore, kinds: Sequence[str]) -> Ids:
    """Return the chords of the halves of each bar ``(B, 2)``; both are one where a bar has one."""
    halves = np.array([half_of(metre, score.steps) for metre in score.metres])
    if music.chords:
        return _of_symbols(music, score, halves, kinds)
    return _of_notes(score, halves, kinds)


def _of_symbols(music: Music, score: GridScore, halves: Ids, kinds: Sequence[str]) -> Ids:
    """Return the chord that sounds in the middle of each half, or of a bar without halves."""
    steps = score.steps
    starts, _, _ = kept_bars(music, steps)
    lengths = np.array([bar_length(metre, steps) for metre in score.metres])
    middles = starts[:, None] + np.where(halves, halves // 2, lengths // 2)[:, None]  # (B, 1)
    middles = middles + np.stack([np.zeros_like(halves), halves], axis=1)  # (B, 2)
    ticks = np.array([tick for tick, _ in music.chords], np.int64)
    at = np.searchsorted(rounded(ticks, steps, music.ticks_per_quarter), middles, side="right")
    numbers = np.array([0, *(number_of(chord, kinds) for _, chord in music.chords)])
    return np.asarray(numbers[at])


def _of_notes(score: GridScore, halves: Ids, kinds: Sequence[str]) -> Ids:
    """Return the chords that fit the notes of each bar best."""
    sought = [kind for kind in kinds if kind in SOUGHT] or kinds[:1]
    chords = known_chords(sought)
    inside = np.zeros((len(chords), 12), bool)  # (C, 12)
    for row, chord in zip(inside, chords, strict=True):
        row[[*chord.pitch_classes]] = True
    shares, bass = _heard(score, halves)  # (B, 2, 12), (B, 2)
    fits = shares @ np.where(inside, 1.0, -1.0).T - LARGE * (inside.sum(axis=1) - 3)  # (B, 2, C)
    roots = np.array([chord.root for chord in chords])
    fits += BASS * (bass[..., None] == roots)
    sounds = np.asarray(shares.sum(axis=2) > 0)  # (B, 2)
    fits *= sounds[..., None]
    both = fits.sum(axis=1)  # (B, C)
    one, two = both.argmax(axis=1), fits.argmax(axis=2)  # (B,), (B, 2)
    divided = sounds.all(axis=1) & (fits.max(axis=2).sum(axis=1) - SECOND > both.max(axis=1))
    numbers = np.array([number_of(chord, kinds) for chord in chords])
    found = numbers[np.where(divided[:, None], two, one[:, None])]
    return np.where(np.asarray(sounds.any(axis=1))[:, None], found, 0)


def _heard(score: GridScore, halves: Ids) -> tuple[NDArray[np.float64], Ids]:
    """Return the share of each pitch class in each half ``(B, 2, 12)``, and the lowest ``(B, 2)``.

    A bar without halves has all in the first. Shares are 0, and the lowest is -1, in silence.
    """
    lengths = np.array([bar_length(metre, score.steps) for metre in score.metres])
    ends = score.starts[:, None] + np.stack([np.where(halves, halves, lengths), lengths], axis=1)
    ends = ends.ravel()  # (2 B,)
    pitched = score.program != DRUMS
    start, pitch = score.step[pitched], score.pitch[pitched]
    stop = start + score.duration[pitched]
    part = np.searchsorted(ends, start, side="right")
    shares, lowest = np.zeros((len(ends), 12)), np.full(len(ends), 128)
    while len(start):
        here = np.minimum(stop, ends[part])
        np.add.at(shares, (part, pitch % 12), here - start)
        np.minimum.at(lowest, part, pitch)
        # What a note sounds beyond this half, or beyond a bar without halves, counts there.
        after = np.searchsorted(ends, here, side="right")
        on = (stop > here) & (after < len(ends))
        start, stop, pitch, part = here[on], stop[on], pitch[on], after[on]
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    bass = np.where(lowest < 128, lowest % 12, -1)
    return shares.reshape(-1, 2, 12), bass.reshape(-1, 2)


def kinds_of(music: Music) -> set[str]:
    """Return the kinds of the chord symbols of a piece; without symbols, those sought in notes."""
    if not music.chords:
        return set(SOUGHT)
    return {chord.kind for _, chord in music.chords if chord is not None} or set(SOUGHT)
