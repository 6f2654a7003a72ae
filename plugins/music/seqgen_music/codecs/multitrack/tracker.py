"""The tracker of the codec `multitrack`: the grammar, and what new pieces must contain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.header import Wanted
from seqgen.following import NOTHING, STRIDE, Followed, flat, step_function
from seqgen.plugin import Tracker
from seqgen_music.codecs.lengths import span_of
from seqgen_music.codecs.multitrack import demands, steps
from seqgen_music.codecs.multitrack.features import header_features
from seqgen_music.codecs.multitrack.grammar import METRE, PLAYS, PROGRAM, TEMPO, tables_of
from seqgen_music.codecs.multitrack.layout import MultitrackLayout
from seqgen_music.keys import SHIFTS


@dataclass(frozen=True)
class MultitrackRequest:
    """What a new piece must contain.

    Attributes
    ----------
    header : mapping
        Numbers of its fields. The tempo holds throughout, and no other instruments play.
    metre : int, optional
        Its number in the table.
    bars : int, optional
    chords : tuple of (int, int)
        Chords of the halves of the first bars, as numbers of the table.
    """

    header: Wanted = field(default_factory=dict)
    metre: int | None = None
    bars: int | None = None
    chords: tuple[tuple[int, int], ...] = ()


class MultitrackTracker(Tracker):
    """Knows the features, and which token may come next.

    Parameters
    ----------
    layout : MultitrackLayout
    request : MultitrackRequest
    runs : tuple of int
        Most repeated bars in a row, by `seqgen_music.codecs.multitrack.repeats.PERIODS`.
    """

    def __init__(
        self, layout: MultitrackLayout, request: MultitrackRequest, runs: tuple[int, ...]
    ) -> None:
        self._layout, self._table, self._request = layout, layout.table, request
        self._header = layout.header.state(request.header)
        requested = self._requested_mask()
        self._constants = self._tables(requested, runs)
        self._state = steps.new_state(len(layout.programs) + 1, len(layout.table))
        playing = requested[layout.table.mask(layout.table.kinds[PROGRAM])]
        steps.piece_of(self._state).players[1:, PLAYS] = playing
        self._tell_of_header()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Copies share what does not change.
        other = type(self).__new__(type(self))
        header, state = self._header.__deepcopy__(memo), self._state.copy()
        other.__dict__ = self.__dict__ | {"_header": header, "_state": state}
        return other

    def features(self) -> Sequence[int]:
        """Return the row of `MultitrackCodec.features` for the next position."""
        row = np.empty(len(self._layout.feature_sizes), np.int64)
        steps.describe(self._constants, self._state, row)
        return list(row.tolist())

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token: the grammar's, within the request and the limits."""
        if self._header.is_open:
            return self._header.allowed()
        mask = np.empty(len(self._table) + 1, bool)
        steps.allow(self._constants, self._state, mask)
        return mask

    def forced(self) -> int | None:
        """Return None: `allowed` already leaves only what a request forces."""
        return None

    def push(self, token: int) -> None:
        """Update the state with a token."""
        if self._header.is_open:
            self._header.push(token)
            self._tell_of_header()
        self._state = steps.with_room(self._state, 1)
        steps.push(self._constants, self._state, token)

    def followed(self) -> Followed | None:
        """Let compiled code follow after the header."""
        if self._header.is_open:
            return None
        self._state = steps.with_room(self._state, STRIDE)
        return Followed(step_function(steps.step), self._constants, self._state, len(self._table))

    def _tell_of_header(self) -> None:
        """Put what the header says so far into the state."""
        numbers = self._header.features()
        told = header_features(*numbers[:3])
        self._state[steps.HEADER : steps.HEADER + len(told)] = told
        if number := numbers[3]:
            span = span_of(self._layout.learned.lengths[0] + number - 1)
            self._state[[steps.FEWEST, steps.MOST]] = span
        if key := numbers[0]:
            self._state[steps.SHIFT] = SHIFTS[key - 1]
        self._state[steps.LACKS] = bool(self._header.missing("instrument"))

    def _tables(self, requested: NDArray[np.bool_], runs: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return what compiled code reads."""
        tables, table, layout = tables_of(self._layout), self._table, self._layout
        wanted = (self._tempo, self._request.metre, self._request.bars)
        numbers = [NOTHING if each is None else each for each in wanted]
        numbers += [len(table), len(layout.bars), len(layout.programs)]
        numbers += [len(layout.learned.durations), len(self._request.chords)]
        return flat(
            *(np.array(numbers, np.int64), *tables[:3]),
            *(table.kind_of, table.number_of, np.array(layout.learned.durations, np.int64)),
            *(np.array(runs, np.int64), requested, self._fulfils(), tables.halves),
            np.array(self._request.chords, np.int64),
        )

    def _fulfils(self) -> NDArray[np.int64]:
        """Return the requests for instruments that each program fulfils ``(P,)``, as bits."""
        bits = np.zeros(len(self._layout.programs), np.int64)
        for number, programs in enumerate(self._request.header.get("instrument", ())):
            bits[sorted(programs)] |= 1 << min(number, demands.MOST_REQUESTS - 1)
        return bits

    def _requested_mask(self) -> NDArray[np.bool_]:
        """Return the mask of ids that the request allows after the header."""
        mask = np.ones(len(self._table) + 1, bool)
        for kind, number in ((TEMPO, self._tempo), (METRE, self._request.metre)):
            name = self._table.kinds[kind]
            if number is not None:
                mask &= ~self._table.mask(name)
                mask[self._table.start(name) + number] = True
        if instruments := self._request.header.get("instrument"):
            playing = frozenset.union(*instruments)
            programs = range(len(self._layout.learned.programs))
            programs_of = self._table.mask(self._table.kinds[PROGRAM])
            mask[programs_of] = [number in playing for number in programs]
        return mask

    @property
    def _tempo(self) -> int | None:
        """The number of the requested tempo."""
        tempos = self._request.header.get("tempo")
        return min(tempos[0]) if tempos else None
