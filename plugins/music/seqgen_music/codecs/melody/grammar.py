"""The grammar of the codec `melody`: which ids may come next, as rows of one table.

Which row a position has is decided in `seqgen_music.codecs.melody.steps`, for new pieces and for
whole ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from seqgen.following import NOTHING, flat
from seqgen.grammar import packed
from seqgen.plugin import Ids
from seqgen_music.bars import Metre
from seqgen_music.codecs.melody.layout import HEADER, HOLD_ID, REST_ID, MelodyLayout
from seqgen_music.codecs.melody.progression import Progression
from seqgen_music.codecs.melody.steps import MACHINE, SIZE


@dataclass(frozen=True)
class MelodyRequest:
    """What a new melody must have.

    Attributes
    ----------
    metre : (int, int) or None
    bars : int or None
        Number of bars after the upbeat.
    progression : tuple of tuple of Chord or None
        The chords of each bar after the upbeat. After the last bar they begin again.
    given : int64 array (2 + steps,) or None
        Ids of a given melody without chords: header and events.
    free : bool array (steps,) or None
        Which events are not given; by default none.
    chords : int64 array (steps,) or None
        Numbers of the chords of the given melody, except at free events; by default all are free.
    """

    metre: Metre | None = None
    bars: int | None = None
    progression: Progression = ()
    given: Ids | None = None
    free: NDArray[np.bool_] | None = None
    chords: Ids | None = None


#: Nothing is requested.
ANYTHING = MelodyRequest()


class MelodyGrammar:
    """Which ids may come next.

    Parameters
    ----------
    layout : MelodyLayout

    Attributes
    ----------
    table : bool array (R, V + 1)
        The masks: those of the header; those of events, by whether "hold", "rest" and END are
        allowed; and those of chords, by the present chord and whether END is. Read-only.
    """

    def __init__(self, layout: MelodyLayout) -> None:
        self.layout = layout
        header = layout.table.opening([*map(layout.bar, layout.metres)])
        self._first_event = len(header)
        events = np.repeat(layout.table.mask("pitch")[None], 8, axis=0)  # (8, V + 1)
        events[:, [HOLD_ID, REST_ID, -1]] = [*product((False, True), repeat=3)]
        self._first_chord = self._first_event + len(events)
        parts = [header, events, *([_chord_masks(layout)] if layout.kinds else [])]
        self.table: NDArray[np.bool_] = np.concatenate(parts)
        self.table.flags.writeable = False
        self._packed = packed(self.table)  # (R, W)

    def constants(self, request: MelodyRequest = ANYTHING) -> NDArray[np.uint8]:
        """Return what `seqgen_music.codecs.melody.steps` reads, with a request."""
        layout, metre, given = self.layout, request.metre, request.given
        header = [NOTHING if metre is None else layout.table.id("metre", metre), NOTHING]
        if given is not None:
            header = given[:HEADER].tolist()
        numbers = [
            *header,
            NOTHING if request.bars is None else request.bars,
            NOTHING if given is None else len(given) - HEADER,
            *(len(request.progression), self._first_event, self._first_chord),
            *(layout.longest_lasted, layout.longest_look, len(layout.chords), layout.same_chord),
            *(len(layout.metres), len(layout.table), len(self.table)),
        ]
        counts = [len(bar) for bar in request.progression]
        chords = [layout.chord_number(chord) for bar in request.progression for chord in bar]
        return flat(
            np.array(numbers, np.int64),
            np.array([*map(layout.bar, layout.metres)], np.int64),
            np.array([*map(layout.beat, layout.metres)], np.int64),
            *(layout.meaning, layout.metre_of, layout.upbeat_of, self.table),
            *_cells(request),
            np.cumsum([0, *counts]),
            np.array([*chords, 0], np.int64),
        )

    def new_state(self) -> Ids:
        """Return the state before the first token."""
        rings = 2 if self.layout.kinds else 1
        return np.zeros(SIZE + rings * self.layout.longest_look, np.int64)

    def follow(self, ids: Ids) -> tuple[Ids, NDArray[np.uint8]]:
        """Return features ``(N + 1, K)`` and packed masks ``(N + 1, W)`` of ids ``(N,)``."""
        count = len(self.layout.feature_sizes)
        features, rows = MACHINE.whole(self.constants(), self.new_state(), ids, count)
        return features, self._packed[rows]


def _cells(request: MelodyRequest) -> tuple[Ids, Ids, Ids]:
    """Return the given ids, what each "hold" among them holds, and the given chords."""
    if request.given is None:
        return (np.zeros(1, np.int64),) * 3
    given, events = request.given.copy(), request.given[HEADER:]
    held = events == HOLD_ID  # (steps,)
    begun = np.maximum.accumulate(np.where(held, 0, np.arange(len(events))))
    tied = np.where(held, events[begun], NOTHING)
    chords = np.full(len(events), NOTHING) if request.chords is None else request.chords.copy()
    if request.free is not None:
        given[HEADER:][request.free] = tied[request.free] = chords[request.free] = NOTHING
    return given, tied, chords


def _chord_masks(layout: MelodyLayout) -> NDArray[np.bool_]:
    """Return the masks before a beat: "same chord" or another one ``(2 (C + 1), V + 1)``."""
    count = len(layout.chords) + 1
    masks = np.repeat(layout.table.mask("same chord", "no chord", "chord")[None], count, axis=0)
    number = np.arange(count)
    masks[number, layout.same_chord + 1 + number] = False
    masks = np.repeat(masks, 2, axis=0)
    masks[1::2, -1] = True
    return masks
