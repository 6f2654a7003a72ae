"""The sounding pitch classes as features of `multitrack`: for a whole piece, and note by note.

Pitches are indices in `WRITTEN`. A note sounds from its pitch token on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqgen.compiling import compiled
from seqgen_music.codecs.multitrack.header import LOWEST, WRITTEN

#: Numbers of values: the lowest pitch class plus one; and three sets of four pitch classes each,
#: a major third apart, as bits.
SIZES = (13, 16, 16, 16)

#: Tokens that begin a note, and that give its length.
PITCH, DURATION = 1, 2

PITCHES = len(WRITTEN)


@compiled
def harmony(kind: Any, number: Any, step: Any, lengths: Any) -> Any:
    """Return the sounding pitch classes at every position ``(N + 1, 4)``.

    Parameters
    ----------
    kind : int64 array (N,)
        `PITCH`, `DURATION`, or 0 for other tokens.
    number : int64 array (N,)
        The number of each token within its kind.
    step : int64 array (N + 1,)
        The step of the piece at each position.
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


class SoundingPitches:
    """Gives the rows of `harmony` note by note."""

    def __init__(self) -> None:
        self._pitch = 0
        self._ends: dict[int, int] = {}

    def begin(self, pitch: int, step: int) -> None:
        """Begin a note."""
        self._pitch = pitch
        self.last(step + 1)

    def last(self, end: int) -> None:
        """Let the last pitch sound at least until a step."""
        self._ends[self._pitch] = max(self._ends.get(self._pitch, 0), end)

    def features(self, step: int) -> Sequence[int]:
        """Return the row of `harmony` at a step."""
        sounding = sorted(pitch for pitch, end in self._ends.items() if end > step)
        tones = [(pitch + LOWEST) % 12 for pitch in sounding]
        bits = [0, 0, 0]
        for tone in tones:
            bits[tone % 3] |= 1 << tone // 3
        return (tones[0] + 1 if tones else 0, *bits)
