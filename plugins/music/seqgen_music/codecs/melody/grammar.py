"""The grammar of the codec `melody`: which ids may come next, as rows of one table.

Which row a position has is decided in `seqgen_music.codecs.melody.steps`, for new pieces and for
whole ones.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from seqgen.following import NOTHING, flat
from seqgen.grammar import packed
from seqgen.plugin import Ids
from seqgen_music.bars import Metre
from seqgen_music.codecs.melody.layout import HOLD_ID, REST_ID, MelodyLayout
from seqgen_music.codecs.melody.steps import MACHINE, SIZE


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

    def constants(self, metre: Metre | None = None, bars: int | None = None) -> NDArray[np.uint8]:
        """Return what `seqgen_music.codecs.melody.steps` reads, with requested metre and bars."""
        layout = self.layout
        numbers = [
            NOTHING if metre is None else layout.table.id("metre", metre),
            NOTHING if bars is None else bars,
            *(self._first_event, layout.longest_lasted),
            *(len(layout.metres), len(layout.table), len(self.table)),
        ]
        return flat(
            np.array(numbers, np.int64),
            np.array([*map(layout.bar, layout.metres)], np.int64),
            *(layout.meaning, layout.metre_of, layout.upbeat_of, self.table),
        )

    def new_state(self) -> Ids:
        """Return the state before the first token."""
        return np.zeros(SIZE + self.layout.longest_look, np.int64)

    def follow(self, ids: Ids) -> tuple[Ids, NDArray[np.uint8]]:
        """Return features ``(N + 1, K)`` and packed masks ``(N + 1, W)`` of ids ``(N,)``."""
        count = len(self.layout.feature_sizes)
        features, rows = MACHINE.whole(self.constants(), self.new_state(), ids, count)
        return features, self._packed[rows]
