"""The tracker of the codec `melody`: what may come next, and when a tune may end."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_music.codecs.melody.line import SILENT_BARS

if TYPE_CHECKING:
    from seqgen_music.codecs.melody.codec import MelodyCodec

#: Quarters after which how long something has gone on, or repeats itself, makes no difference.
LONGEST_LASTED = 8

#: Bars in a phrase, and the phrase from which on its number makes no difference.
PHRASE, LAST_PHRASE = 4, 8

#: So many bars back the model is shown what came then.
LOOK_BACK = (1, 2, 4, 8)

#: Tokens before the first event, and the ids of events: those of pitches follow.
HEADER, REST_ID, HOLD_ID, FIRST_PITCH = 2, 0, 1, 2


class MelodyTracker:
    """Knows the place in the bar, what came some bars ago, and when the piece may end.

    Parameters
    ----------
    codec : MelodyCodec
    metre : (int, int), optional
        To be forced.
    bars : int, optional
        At which bar line after the upbeat the piece ends; after a longer prompt, at the next.
    """

    def __init__(
        self,
        codec: MelodyCodec,
        metre: tuple[int, int] | None = None,
        bars: int | None = None,
    ) -> None:
        self._codec, self._wanted, self._bars = codec, metre, bars
        self._header: list[int] = []
        self._metre, self._upbeat = codec.read_header(np.zeros(0, np.int64))
        self._bar = codec.bar(self._metre)
        self._steps = 0
        self._recent: deque[int] = deque(maxlen=codec.longest_look)
        self._repeated = [0] * len(LOOK_BACK)
        self._sounds, self._lasted = False, 0
        self._pitches = (0, 0)
        table = codec.table
        self._headers = (table.mask("metre"), table.mask("upbeat"))
        self._events = table.mask("pitch", "hold", "rest")

    def features(self) -> Sequence[int]:
        """Return the row of `MelodyCodec.features` for the next position."""
        if len(self._header) < HEADER:
            return (len(self._header), *[0] * (len(self._codec.feature_sizes) - 1))
        bar, place = divmod(self._steps - self._upbeat, self._bar)
        longest = self._codec.longest_lasted
        silence = 0 if self._sounds or not self._steps else longest
        looked = []
        for bars, repeated in zip(LOOK_BACK, self._repeated, strict=True):
            looked += [self._event_before(bars), min(repeated, longest)]
        return (
            *(HEADER + place, self._codec.metres.index(self._metre)),
            *(bar % PHRASE, min(max(bar // PHRASE, 0), LAST_PHRASE)),
            *(silence + min(self._lasted, longest), *self._pitches[::-1], *looked),
        )

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the position.

        A piece begins with a note, no silence lasts two bars, and the end is at a bar line after
        a bar in which something sounds.
        """
        if len(self._header) < HEADER:
            mask = self._headers[len(self._header)].copy()
            mask[self._codec.table.start("upbeat") + self._bar :] = False
            return mask
        mask = self._events.copy()
        silence = 0 if self._sounds else self._lasted
        # Silence in all of the last bar would not be part of the piece.
        most = self._bar * (1 if self._steps + 1 == self._last_step() else SILENT_BARS)
        mask[HOLD_ID] = self._sounds or 0 < silence < most - 1
        mask[REST_ID] = self._sounds and most > 1
        mask[-1] = self._at_bar_line() and silence < self._bar and self._bars is None
        return mask

    def forced(self) -> int | None:
        """Force the metre that is wanted, and END after as many bars as are."""
        table = self._codec.table
        if not self._header:
            return None if self._wanted is None else table.id("metre", self._wanted)
        if self._bars is None or not self._at_bar_line() or self._steps < self._last_step():
            return None
        return len(table)

    def push(self, token: int) -> None:
        """Take note of a token.

        Raises
        ------
        DataError
            If a prompt has another metre than is wanted.
        """
        codec = self._codec
        if len(self._header) < HEADER:
            if not self._header and self.forced() not in (None, token):
                raise DataError(
                    f"the prompt contradicts what is given: it has {codec.vocab[token]!r}, "
                    f"not {codec.vocab[self.forced()]!r}; leave out one of the two"
                )
            self._header.append(token)
            self._metre, self._upbeat = codec.read_header(np.array(self._header))
            self._bar = codec.bar(self._metre)
            return
        event = codec.event_id(token, is_first=not self._steps)
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

    def _event_before(self, bars: int) -> int:
        """Return what came so many bars before the next position, plus 1, or 0 for nothing."""
        distance = bars * self._bar
        return self._recent[-distance] + 1 if distance <= len(self._recent) else 0

    def _at_bar_line(self) -> bool:
        return self._steps > 0 and (self._steps - self._upbeat) % self._bar == 0

    def _last_step(self) -> int:
        return -1 if self._bars is None else self._upbeat + self._bars * self._bar
