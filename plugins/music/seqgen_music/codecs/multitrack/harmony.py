"""The sounding pitch classes as features of `multitrack`: for a whole piece, and note by note.

Pitches are indices in `WRITTEN`. A note sounds from its pitch token on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqgen.compiling import compiled
from seqgen.plugin import Ids
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
            sound(ends, pitch, step[at] + 1)
        elif kind[at - 1] == DURATION:
            sound(ends, pitch, step[at] + lengths[number[at - 1]])
        describe(ends, step[at], rows[at])
    return rows


@compiled
def sound(ends: Ids, pitch: int, end: int) -> None:
    """Let a pitch sound at least until a step."""
    ends[pitch] = max(ends[pitch], end)


@compiled
def describe(ends: Ids, step: int, row: Ids) -> None:
    """Write the sounding pitch classes at a step into a row ``(4,)``, by the end of each pitch."""
    row[:] = 0
    for one in range(PITCHES - 1, -1, -1):
        if ends[one] > step:
            tone = (one + LOWEST) % 12
            row[0] = tone + 1
            row[1 + tone % 3] |= 1 << (tone // 3)
