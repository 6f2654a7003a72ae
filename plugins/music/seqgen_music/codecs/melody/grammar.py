"""The grammar of the codec `melody`: which ids may come next, as rows of one table.

Which row a position has is decided in `seqgen_music.codecs.melody.steps`, for new pieces and for
whole ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.following import NOTHING, flat
from seqgen.grammar import packed
from seqgen.plugin import Ids
from seqgen_music.bars import Metre
from seqgen_music.codecs.melody.layout import HEADER, HOLD_ID, REST_ID, MelodyLayout
from seqgen_music.codecs.melody.progression import Progression
from seqgen_music.codecs.melody.steps import MACHINE, SIZE
from seqgen_music.keys import NAMES, scale
from seqgen_music.music import pitch_name


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
    key : int or None
        As in `seqgen_music.keys`: notes and chords are of its scales, and notes also of the chords
        of the progression.
    """

    metre: Metre | None = None
    bars: int | None = None
    progression: Progression = ()
    given: Ids | None = None
    free: NDArray[np.bool_] | None = None
    chords: Ids | None = None
    key: int | None = None


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

    def masks(self, request: MelodyRequest) -> NDArray[np.bool_]:
        """Return the masks ``(R, V + 1)`` with a request.

        In a requested key the first chord is one on the tonic, and so is each after "no chord"; the
        first note is of the tonic triad.

        Raises
        ------
        DataError
            If no pitch of the corpus is in the requested key.
        """
        if request.key is None:
            return self.table
        layout, degrees = self.layout, scale(request.key)
        chords = [chord for bar in request.progression for chord in bar if chord is not None]
        classes = {*degrees, *(one for chord in chords for one in chord.pitch_classes)}
        may = np.append((layout.meaning < 0) | np.isin(layout.meaning % 12, [*classes]), True)
        if not may[layout.table.mask("pitch")].any():
            raise DataError(
                f"no note from {pitch_name(layout.low)} to {pitch_name(layout.high)}, the range of "
                f"this model's corpus, is in {NAMES[request.key]}; request another key"
            )
        in_key = [set(chord.pitch_classes) <= set(degrees) for chord in layout.chords]
        may[layout.same_chord + 2 : -1] = in_key
        table: NDArray[np.bool_] = self.table & may
        triad = np.append(np.isin(layout.meaning % 12, degrees[:5:2]), False)
        _narrow(table[self._first_event : self._first_event + 1], triad)
        on_tonic = np.ones(len(may), bool)
        on_tonic[layout.same_chord + 2 : -1] = [one.root == degrees[0] for one in layout.chords]
        _narrow(table[self._first_chord : self._first_chord + 2], on_tonic)
        return table

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
            *(layout.meaning, layout.metre_of, layout.upbeat_of, self.masks(request)),
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


def _narrow(rows: NDArray[np.bool_], may: NDArray[np.bool_]) -> None:
    """Forbid in some rows what `may` does not allow, unless nothing would be left."""
    narrow = rows & may
    rows[narrow.any(axis=1)] = narrow[narrow.any(axis=1)]


def _chord_masks(layout: MelodyLayout) -> NDArray[np.bool_]:
    """Return the masks before a beat: "same chord" or another one ``(2 (C + 1), V + 1)``."""
    count = len(layout.chords) + 1
    masks = np.repeat(layout.table.mask("same chord", "no chord", "chord")[None], count, axis=0)
    number = np.arange(count)
    masks[number, layout.same_chord + 1 + number] = False
    masks = np.repeat(masks, 2, axis=0)
    masks[1::2, -1] = True
    return masks
