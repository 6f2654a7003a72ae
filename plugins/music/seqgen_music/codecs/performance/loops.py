"""How far a performance goes: no new one is to get stuck in a trill or a figure, or to end at once.

A loop is few pitches for many notes, in whatever order, or the same pitches again and again. The
corpus says how far its pieces go, and all but a few of them set the limit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Self

import numpy as np

from seqgen.plugin import Ids
from seqgen_music.codecs.limits import usual_least, usual_most

#: Of how many notes on end the different pitches are counted.
STRETCHES = (16, 64, 256)

#: Notes of the longest figure of each kind that is told apart, from trills to phrases.
FIGURES = (4, 8, 16, 32, 64)

#: The kinds of figures of 1, 2, 3 ... notes.
_KINDS = np.searchsorted(FIGURES, np.arange(1, FIGURES[-1] + 1))


@dataclass(frozen=True)
class Limits:
    """How far new pieces may go.

    Attributes
    ----------
    fewest : tuple of int
        Different pitches that notes on end have at least, by `STRETCHES`.
    longest : tuple of int
        Notes on end that are at most the same as one figure before, by `FIGURES`.
    shortest : int
        Notes that a piece has at least.
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
        """Choose them from `fewest_pitches`, `longest_repeats` and the notes of pieces."""
        known = ([few for few in column if few] for column in zip(*fewest, strict=True))
        return cls(
            tuple(usual_least(few or [1]) for few in known),
            tuple(max(usual_most(runs), 1) for runs in zip(*longest, strict=True)),
            min(notes),
        )


def fewest_pitches(pitches: Ids) -> list[int | None]:
    """Return how many different pitches notes on end have at least, by `STRETCHES`.

    None stands where a piece has not so many notes.

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
        # A note is the first of its pitch in the stretches that begin after the one before it.
        first = np.maximum(before, note - stretch) + 1
        starts = np.bincount(first, minlength=count) - np.bincount(note + 1)[:count]
        different = np.cumsum(starts)[: max(count - stretch + 1, 0)]
        found.append(int(different.min()) if len(different) else None)
    return found


def longest_repeats(pitches: Ids) -> list[int]:
    """Return how many notes on end are at most the same as one figure before, by `FIGURES`.

    Parameters
    ----------
    pitches : int array (notes,)
    """
    longest = [0] * len(FIGURES)
    for figure in range(1, min(FIGURES[-1] + 1, len(pitches))):
        same = pitches[figure:] == pitches[:-figure]
        edges = np.flatnonzero(np.diff(same, prepend=False, append=False))
        kind = int(_KINDS[figure - 1])
        longest[kind] = max(longest[kind], int((edges[1::2] - edges[::2]).max(initial=0)))
    return longest


class Loops:
    """Follows the pitches of a new piece.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        self._fewest = limits.fewest
        self._longest = np.array(limits.longest)[_KINDS]
        self._latest: deque[int] = deque(maxlen=max(STRETCHES) - 1)
        # Of every figure the pitch that was there one figure ago, and how many were the same.
        self._before = np.full(FIGURES[-1], -1)
        self._repeats = np.zeros(FIGURES[-1], np.int64)

    def push(self, pitch: int) -> None:
        """Take note of the pitch of a note that begins."""
        self._repeats = np.where(self._before == pitch, self._repeats + 1, 0)
        self._before = np.concatenate([[pitch], self._before[:-1]])
        self._latest.appendleft(pitch)

    def worn(self) -> list[int]:
        """Return the pitches with which the loop would go on for too long."""
        worn = set(self._before[self._repeats >= self._longest].tolist())
        for stretch, fewest in zip(STRETCHES, self._fewest, strict=True):
            different = set(islice(self._latest, stretch - 1))
            if len(self._latest) >= stretch - 1 and len(different) < fewest:
                worn |= different
        return sorted(worn)
