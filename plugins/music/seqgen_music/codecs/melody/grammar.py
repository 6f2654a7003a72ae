"""The grammar of the codec `melody`: which ids may come next, as rows of one table.

The tracker looks up one row at a time, and `MelodyCodec.masks` those of a whole piece.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.grammar import packed
from seqgen.plugin import Ids
from seqgen_music.bars import Metre
from seqgen_music.codecs.melody.layout import HEADER, HOLD_ID, REST_ID, MelodyLayout
from seqgen_music.codecs.melody.line import HOLD, SILENT_BARS, Line


class MelodyGrammar:
    """Which ids may come next.

    Parameters
    ----------
    layout : MelodyLayout

    Attributes
    ----------
    table : bool array (R, V + 1)
        The masks: those of the header, then those of events, by whether "hold", "rest" and END are
        allowed; read-only.
    """

    def __init__(self, layout: MelodyLayout) -> None:
        self.layout = layout
        header = layout.table.opening([*map(layout.bar, layout.metres)])
        self._first_event = len(header)
        events = np.repeat(layout.table.mask("pitch")[None], 8, axis=0)  # (8, V + 1)
        events[:, [HOLD_ID, REST_ID, -1]] = [*product((False, True), repeat=3)]
        self.table: NDArray[np.bool_] = np.concatenate([header, events])
        self.table.flags.writeable = False
        self._packed = packed(self.table)  # (R, W)

    def header(self, position: int, metre: Metre) -> int:
        """Return the row of a position in the header; `metre` is that of the ids before it."""
        return 1 + self.layout.metres.index(metre) if position else 0

    def event(self, sounds: Any, silence: Any, most: int, ends: Any) -> Any:
        """Return the row of an event; parameters are numbers or arrays of one shape.

        Parameters
        ----------
        sounds : bool
            Whether a note sounds in the step before.
        silence : int
            Steps of silence before this one; 0 at the start.
        most : int
            Steps that no silence may reach.
        ends : bool
            Whether the piece may end here.
        """
        holds = sounds | ((silence > 0) & (silence < most - 1))
        rests = sounds & (most > 1)
        return self._first_event + 4 * holds + 2 * rests + ends

    def masks(self, ids: Ids, line: Line) -> NDArray[np.uint8]:
        """Return the packed masks ``(N + 1, W)`` of ids ``(N,)`` and their line.

        See `seqgen.plugin.Codec.masks`.
        """
        bar = self.layout.bar(line.metre)
        step = np.arange(len(line.events) + 1)
        # Before the first event nothing sounds, and no silence has begun.
        began = np.maximum.accumulate(np.where(line.events != HOLD, step[:-1], 0))
        sounds, silence = np.zeros(len(step), bool), np.zeros(len(step), np.int64)
        sounds[1:] = line.events[began] >= 0
        silence[1:] = np.where(sounds[1:], 0, step[1:] - began)
        ends = (step > 0) & ((step - line.upbeat) % bar == 0) & (silence < bar)
        events = self.event(sounds, silence, SILENT_BARS * bar, ends)  # (steps + 1,)
        opening = [self.header(position, line.metre) for position in range(HEADER)]
        rows = np.concatenate([opening, events])[: len(ids) + 1]  # (N + 1,)
        return np.asarray(self._packed[rows])
