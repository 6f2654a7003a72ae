"""Keys: their names, their signatures, and the key that a piece is in.

A key is a number from 0 to 23: the pitch class of its tonic, plus 12 if it is minor.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seqgen.plugin import Ids
from seqgen_music.music import PITCH_NAMES, Music

#: Weight of each degree in a major and in a minor key, in thousandths: counts in the examples of
#: Kostka and Payne's textbook (Temperley, Music and Probability, 2007, chapter 6).
PROFILES = (
    (748, 60, 488, 82, 670, 460, 96, 715, 104, 366, 57, 400),
    (712, 84, 474, 618, 49, 460, 105, 747, 404, 67, 133, 330),
)

MODES = ("major", "minor")

#: Names of the keys by number, such as "C major".
NAMES = tuple(f"{tonic} {mode}" for mode in MODES for tonic in PITCH_NAMES)

#: Semitones (24,) from C major or A minor to each key.
SHIFTS = (np.arange(24) % 12 + 3 * (np.arange(24) // 12) + 5) % 12 - 5

#: Profiles of all keys (24, 12), with mean 0, and their lengths (24,).
_CENTRED = np.array([np.roll(PROFILES[key // 12], key % 12) for key in range(24)])
_CENTRED = 12 * _CENTRED - _CENTRED.sum(axis=1, keepdims=True)
_LENGTHS = np.sqrt((_CENTRED**2).sum(axis=1))

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def key_of(counts: Ids) -> int:
    """Return the key whose profile correlates best with the notes (Krumhansl and Schmuckler).

    Parameters
    ----------
    counts : int64 array (12,)
        Number of notes on each pitch class, C first. Without notes the key is C major.
    """
    return int(np.argmax(_CENTRED @ counts / _LENGTHS))


def signature(key: int) -> tuple[int, bool]:
    """Return the sharps of a key, flats negative, and whether it is minor."""
    return int(7 * SHIFTS[key] + 5) % 12 - 5, key >= 12


def scale(key: int) -> tuple[int, ...]:
    """Return the pitch classes of a key from the tonic up, in minor with both sevenths."""
    degrees = (0, 2, 3, 5, 7, 8, 10, 11) if key >= 12 else (0, 2, 4, 5, 7, 9, 11)
    return tuple((degree + key) % 12 for degree in degrees)


def signed(music: Music) -> Music:
    """Return a piece without drums, with the key signature that fits its notes.

    Chord symbols count as much as all notes, each for as long as it holds.
    """
    if not len(music.notes):
        return music
    counts = np.bincount(music.notes["pitch"] % 12, minlength=12)
    held = np.zeros(12, np.int64)
    stops = [*(tick for tick, _ in music.chords[1:]), music.length]
    for (tick, chord), stop in zip(music.chords, stops, strict=False):
        if chord is not None:
            held[[*chord.pitch_classes]] += max(stop - tick, 0)
    key = key_of(counts * held.sum() + held * counts.sum() if held.any() else counts)
    return replace(music, keys=((0, *signature(key)),))


def named(text: str) -> int:
    """Read a key such as "C minor", "F# major" or "Bb minor".

    Raises
    ------
    ValueError
        If the text is not a key.
    """
    tonic, _, mode = text.partition(" ")
    letter, accidental = tonic[:1].upper(), tonic[1:]
    change = {"": 0, "#": 1, "b": -1}.get(accidental)
    if letter not in _LETTERS or change is None or mode.strip().lower() not in MODES:
        raise ValueError(f"expected a key such as C minor or F# major, found {text!r}")
    return (_LETTERS[letter] + change) % 12 + 12 * MODES.index(mode.strip().lower())
