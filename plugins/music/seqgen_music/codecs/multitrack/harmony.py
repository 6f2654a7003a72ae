"""What sounds at every token of `multitrack`, as features: once compiled, once note by note.

Pitches are numbers of those that are written, and a note sounds from its pitch on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqgen.compiling import compiled
from seqgen_music.codecs.multitrack.header import LOWEST, WRITTEN

#: Numbers of values: of the lowest pitch class plus one, and of the sets of pitch classes that
#: are a third of an octave apart, as bits.
SIZES = (13, 16, 16, 16)

#: Kinds of tokens that begin notes and say how long they last.
PITCH, DURATION = 1, 2

PITCHES = len(WRITTEN)


@compiled
def harmony(kind: Any, number: Any, step: Any, lengths: Any) -> Any:
    """Return what sounds at every place of a piece ``(N + 1, 4)``.

    Parameters
    ----------
    kind : int64 array (N,)
        `PITCH`, `DURATION`, or 0 for all others.
    number : int64 array (N,)
        Of each token within its kind.
    step : int64 array (N + 1,)
        Of the piece, at each place.
    lengths : int64 array
        Durations in steps.
    """
    rows = np.zeros((len(kind) + 1, 4), np.int64)
    ends = np.zeros(PITCHES, np.int64)
    pitch = 0
    for at in range(1, len(rows)):
        if kind[at - 1] == PITCH:
            pitch = number[at - 1]
            ends[pitch] = max(ends[pitch], step[at] + 1)
        elif kind[at - 1] == DURATION:
            ends[pitch] = max(ends[pitch], step[at] + lengths[number[at - 1]])
        for one in range(PITCHES - 1, -1, -1):
            if ends[one] > step[at]:
                tone = (one + LOWEST) % 12
                rows[at, 0] = tone + 1
                rows[at, 1 + tone % 3] |= 1 << (tone // 3)
    return rows


class Sounding:
    """The same, followed note by note."""

    def __init__(self) -> None:
        self._pitch = 0
        self._ends: dict[int, int] = {}

    def begin(self, pitch: int, step: int) -> None:
        """Take note of a pitch."""
        self._pitch = pitch
        self.last(step + 1)

    def last(self, end: int) -> None:
        """Let the latest pitch sound until a step at least."""
        self._ends[self._pitch] = max(self._ends.get(self._pitch, 0), end)

    def features(self, step: int) -> Sequence[int]:
        """Return the row of `harmony`."""
        sounding = sorted(pitch for pitch, end in self._ends.items() if end > step)
        tones = [(pitch + LOWEST) % 12 for pitch in sounding]
        bits = [0, 0, 0]
        for tone in tones:
            bits[tone % 3] |= 1 << tone // 3
        return (tones[0] + 1 if tones else 0, *bits)
