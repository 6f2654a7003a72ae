"""Limits on loops: a new performance must not get stuck in a trill or a figure, or end at once.

A loop is a stretch of many notes on few pitches, or a figure that repeats. The limits come from the
corpus (`seqgen_music.codecs.limits`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Self

import numpy as np

from seqgen.plugin import Ids
from seqgen_music.codecs.limits import lower_limit, upper_limit

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


class Loops:
    """Follows the pitches of a new piece.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        self._fewest = limits.fewest
        self._longest = np.array(limits.longest)[_CLASSES]
        self._latest: deque[int] = deque(maxlen=max(STRETCHES) - 1)
        # For each length of figure (64,): the pitch one figure ago, and the notes repeated so far.
        self._before = np.full(FIGURES[-1], -1)
        self._repeats = np.zeros(FIGURES[-1], np.int64)

    def push(self, pitch: int) -> None:
        """Add the pitch of a note that begins."""
        self._repeats = np.where(self._before == pitch, self._repeats + 1, 0)
        self._before = np.concatenate([[pitch], self._before[:-1]])
        self._latest.appendleft(pitch)

    def worn(self) -> list[int]:
        """Return the pitches that would extend a loop beyond the limits."""
        worn = set(self._before[self._repeats >= self._longest].tolist())
        for stretch, fewest in zip(STRETCHES, self._fewest, strict=True):
            different = set(islice(self._latest, stretch - 1))
            if len(self._latest) >= stretch - 1 and len(different) < fewest:
                worn |= different
        return sorted(worn)
