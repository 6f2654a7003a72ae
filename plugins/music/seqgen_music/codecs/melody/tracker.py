"""The tracker of the codec `melody`: what may come next, and when a piece may end."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_music.bars import Metre
from seqgen_music.codecs.melody.grammar import MelodyGrammar
from seqgen_music.codecs.melody.layout import (
    FIRST_PITCH,
    HEADER,
    HOLD_ID,
    LAST_PHRASE,
    LOOK_BACK,
    PHRASE,
)
from seqgen_music.codecs.melody.line import SILENT_BARS


class MelodyTracker:
    """Knows the place in the bar, the events some bars ago, and when the piece may end.

    Parameters
    ----------
    grammar : MelodyGrammar
    metre : (int, int), optional
        The requested metre.
    bars : int, optional
        Number of bars after the upbeat. After a longer prompt the piece ends at the next bar line.
    """

    def __init__(
        self,
        grammar: MelodyGrammar,
        metre: Metre | None = None,
        bars: int | None = None,
    ) -> None:
        layout = grammar.layout
        self._grammar, self._layout = grammar, layout
        self._requested, self._bars = metre, bars
        self._header: list[int] = []
        self._metre, self._upbeat = layout.read_header(np.zeros(0, np.int64))
        self._bar = layout.bar(self._metre)
        self._steps = 0
        self._recent: deque[int] = deque(maxlen=layout.longest_look)
        self._repeated = [0] * len(LOOK_BACK)
        self._sounds, self._lasted = False, 0
        self._pitches = (0, 0)

    def features(self) -> Sequence[int]:
        """Return the row of `MelodyCodec.features` for the next position."""
        if len(self._header) < HEADER:
            return (len(self._header), *[0] * (len(self._layout.feature_sizes) - 1))
        bar, place = divmod(self._steps - self._upbeat, self._bar)
        longest = self._layout.longest_lasted
        silence = 0 if self._sounds or not self._steps else longest
        looked = []
        for bars, repeated in zip(LOOK_BACK, self._repeated, strict=True):
            looked += [self._event_before(bars), min(repeated, longest)]
        return (
            *(HEADER + place, self._layout.metres.index(self._metre)),
            *(bar % PHRASE, min(max(bar // PHRASE, 0), LAST_PHRASE)),
            *(silence + min(self._lasted, longest), *self._pitches[::-1], *looked),
        )

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token, a read-only row of the grammar's table.

        A piece begins with a note, and no silence lasts two bars. It ends at a bar line, after a
        bar in which something sounds.
        """
        mask: NDArray[np.bool_] = self._grammar.table[self._row()]
        return mask

    def forced(self) -> int | None:
        """Force the requested metre, and END after the requested number of bars."""
        table = self._layout.table
        if not self._header:
            return None if self._requested is None else table.id("metre", self._requested)
        if self._bars is None or not self._at_bar_line() or self._steps < self._last_step():
            return None
        return len(table)

    def push(self, token: int) -> None:
        """Update the state with a token.

        Raises
        ------
        DataError
            If a prompt does not have the requested metre.
        """
        layout, forced = self._layout, self.forced()
        if len(self._header) < HEADER:
            if not self._header and forced not in (None, token):
                raise DataError(
                    f"the prompt contradicts what is given: it has {layout.table.names[token]!r}, "
                    f"not {layout.table.names[forced]!r}; leave out one of the two"
                )
            self._header.append(token)
            self._metre, self._upbeat = layout.read_header(np.array(self._header))
            self._bar = layout.bar(self._metre)
            return
        event = layout.event_id(token, is_first=not self._steps)
        for number, bars in enumerate(LOOK_BACK):
            same = self._event_before(bars) == event + 1
            self._repeated[number] = self._repeated[number] + 1 if same else 0
        self._lasted = self._lasted + 1 if event == HOLD_ID else 1
        if event >= FIRST_PITCH:
            self._pitches = (self._pitches[1], event - FIRST_PITCH + 1)
        if event != HOLD_ID:
            self._sounds = event >= FIRST_PITCH
        self._recent.append(event)
        self._steps += 1

    def _row(self) -> int:
        """Return the row of the grammar's table for the next position."""
        if len(self._header) < HEADER:
            return self._grammar.header(len(self._header), self._metre)
        silence = 0 if self._sounds else self._lasted
        # The last bar must not be silent throughout.
        most = self._bar * (1 if self._steps + 1 == self._last_step() else SILENT_BARS)
        ends = self._at_bar_line() and silence < self._bar and self._bars is None
        return int(self._grammar.event(self._sounds, silence, most, ends))

    def _event_before(self, bars: int) -> int:
        """Return the event `bars` before the next position plus 1; 0 before the piece."""
        distance = bars * self._bar
        return self._recent[-distance] + 1 if distance <= len(self._recent) else 0

    def _at_bar_line(self) -> bool:
        return self._steps > 0 and (self._steps - self._upbeat) % self._bar == 0

    def _last_step(self) -> int:
        return -1 if self._bars is None else self._upbeat + self._bars * self._bar
