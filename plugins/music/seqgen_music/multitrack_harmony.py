"""What sounds at every token of `multitrack`, as features."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from seqgen_music.multitrack_header import LOWEST, WRITTEN

#: Kinds of tokens that matter here.
PITCH, DURATION, INSTRUMENT = 1, 2, 3
SOUNDS = {"pitch": PITCH, "duration": DURATION, "instrument": INSTRUMENT}

#: Numbers of values: of the lowest pitch class, and of the pitch classes, four at a time.
HARMONY_SIZES = (13, 16, 16, 16)

PITCHES = len(WRITTEN)

_compiled = numba.njit(cache=True, nogil=True)


@_compiled
def heard(kind: Any, number: Any, program: Any, step: Any, lengths: Any, programs: int) -> Any:
    """Return for every place in a piece which instrument is next, and what sounds ``(N + 1, 5)``.

    Parameters
    ----------
    kind : int64 array (N,)
        `PITCH`, `DURATION`, `INSTRUMENT` or 0.
    number : int64 array (N,)
        Of each token within its kind.
    program, step : int64 array (N + 1,)
        Number of the present instrument plus one, and step of the piece.
    lengths : int64 array
        Durations in steps.
    programs : int
        Number of instruments.
    """
    rows = np.zeros((len(kind) + 1, 5), np.int64)
    ends = np.zeros(PITCHES, np.int64)
    plays = np.zeros(programs + 1, np.bool_)
    pitch = 0
    for at in range(len(kind) + 1):
        if at:
            token = kind[at - 1]
            if token == PITCH:
                pitch = number[at - 1]
                ends[pitch] = max(ends[pitch], step[at] + 1)
            elif token == DURATION:
                ends[pitch] = max(ends[pitch], step[at] + lengths[number[at - 1]])
            elif token == INSTRUMENT:
                plays[number[at - 1] + 1] = True
        for later in range(program[at] + 1, programs + 1):
            if plays[later]:
                rows[at, 0] = later
                break
        for one in range(len(ends) - 1, -1, -1):
            if ends[one] > step[at]:
                tone = (one + LOWEST) % 12
                rows[at, 1] = tone + 1
                rows[at, 2 + tone % 3] |= 1 << (tone // 3)
    return rows
