"""Limits on loops: a new performance must not get stuck in a trill or a figure, or end at once.

A loop is a stretch of many notes on few pitches, or a figure that repeats. The limits come from the
corpus (`seqgen_music.codecs.limits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.plugin import Ids
from seqgen_music.codecs.limits import lower_limit, upper_limit

Mask = NDArray[np.bool_]

#: Numbers of notes in the stretches whose different pitches are counted.
STRETCHES = (16, 64, 256)

#: Notes of the longest figure of each class, from trills to phrases.
FIGURES = (4, 8, 16, 32, 64)

#: The classes of figures of 1, 2, 3 ... notes (64,).
_CLASSES = np.searchsorted(FIGURES, np.arange(1, FIGURES[-1] + 1))


@dataclass(frozen=True)
class Limits:
    """How long new pieces may stay in a loop, and how short they may be.

    Attributes
    ----------
    fewest : tuple of int
        Fewest different pitches in a stretch, by `STRETCHES`.
    longest : tuple of int
        Most notes in a row that equal the note one figure before, by `FIGURES`.
    shortest : int
        Fewest notes of a piece.
    """

    fewest: tuple[int, ...]
    longest: tuple[int, ...]
    shortest: int

    @classmethod
    def of(
        cls,
        fewest: Sequence[Sequence[int | None]],
        longest: Sequence[Sequence[int]],
        notes: Sequence[int],
    ) -> Self:
        """Return the limits of a corpus.

        Parameters
        ----------
        fewest, longest : sequence of sequence
            `fewest_pitches` and `longest_repeats` of each piece.
        notes : sequence of int
            Number of notes of each piece.
        """
        known = ([few for few in column if few] for column in zip(*fewest, strict=True))
        return cls(
            tuple(lower_limit(few or [1]) for few in known),
            tuple(max(upper_limit(runs), 1) for runs in zip(*longest, strict=True)),
            min(notes),
        )


#: Limits that forbid nothing.
UNLIMITED = Limits((1,) * len(STRETCHES), (2**62,) * len(FIGURES), 0)


def fewest_pitches(pitches: Ids) -> list[int | None]:
    """Return the fewest different pitches in a stretch of a piece, by `STRETCHES`.

    None means that the piece is shorter than the stretch.

    Parameters
    ----------
    pitches : int array (notes,)
    """
    count = len(pitches)
    order = np.argsort(pitches, kind="stable")
    again = np.flatnonzero(np.diff(pitches[order]) == 0)
    before = np.full(count, -1)
    before[order[again + 1]] = order[again]
    note = np.arange(count)
    found: list[int | None] = []
    for stretch in STRETCHES:
        # A note is the first of its pitch in all stretches that begin after the one before it.
        first = np.maximum(before, note - stretch) + 1
        starts = np.bincount(first, minlength=count) - np.bincount(note + 1)[:count]
        different = np.cumsum(starts)[: max(count - stretch + 1, 0)]
        found.append(int(different.min()) if len(different) else None)
    return found


def longest_repeats(pitches: Ids) -> list[int]:
    """Return the most notes in a row that equal the note one figure before, by `FIGURES`.

    Parameters
    ----------
    pitches : int array (notes,)
    """
    longest = [0] * len(FIGURES)
    for figure in range(1, min(FIGURES[-1] + 1, len(pitches))):
        same = pitches[figure:] == pitches[:-figure]
        edges = np.flatnonzero(np.diff(same, prepend=False, append=False))
        size = int(_CLASSES[figure - 1])
        longest[size] = max(longest[size], int((edges[1::2] - edges[::2]).max(initial=0)))
    return longest


def constants(limits: Limits) -> tuple[Ids, Ids]:
    """Return the fewest different pitches by `STRETCHES`, and for each figure the most repeats."""
    return np.array(limits.fewest, np.int64), np.array(limits.longest, np.int64)[_CLASSES]


#: The arrays of a loop: for each length of figure the pitch one figure ago, or -1, and the notes
#: repeated so far; the latest pitches, that of note n at n modulo their number.
BEFORE, REPEATS, LATEST = FIGURES[-1], FIGURES[-1], max(STRETCHES) - 1


@compiled
def push(before: Ids, repeats: Ids, latest: Ids, notes: int, pitch: int) -> None:
    """Add the pitch of a note that begins after `notes` others."""
    for figure in range(len(before) - 1, -1, -1):
        repeats[figure] = repeats[figure] + 1 if before[figure] == pitch else 0
        before[figure] = before[figure - 1] if figure else pitch
    latest[notes % len(latest)] = pitch


@compiled
def wear(
    before: Ids, repeats: Ids, latest: Ids, notes: int, fewest: Ids, longest: Ids, fresh: Mask
) -> None:
    """Remove the pitches that would extend a loop beyond the limits from a mask ``(P,)``."""
    for figure in range(len(before)):
        if repeats[figure] >= longest[figure]:
            fresh[before[figure]] = False
    seen = np.zeros(len(fresh), np.bool_)
    different = back = 0
    for number in range(len(STRETCHES)):
        stretch = STRETCHES[number] - 1
        if notes < stretch:
            return
        while back < stretch:
            back += 1
            pitch = latest[(notes - back) % len(latest)]
            different += not seen[pitch]
            seen[pitch] = True
        if different < fewest[number]:
            for pitch in range(len(fresh)):
                fresh[pitch] = fresh[pitch] and not seen[pitch]
