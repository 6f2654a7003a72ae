"""The tracker of the codec `chorale`: which voice comes next, and what it may sing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_music.codecs.chorale.grammar import ChoraleGrammar
from seqgen_music.codecs.chorale.layout import (
    HOLD,
    LAST_BAR,
    LONGEST_LASTED,
    NO_CELL,
    PARTS,
    PERFECT,
)
from seqgen_music.codecs.chorale.raster import REST, STEPS


@dataclass(frozen=True)
class ChoraleRequest:
    """What a new chorale must contain.

    Attributes
    ----------
    header : sequence of int
        Its first ids: the whole header, part of it, or nothing.
    voices : mapping of int to sequence of int
        The ids of the given voices, one per step.
    steps, bars : int, optional
        Its length; bars are full bars in its metre.
    """

    header: Sequence[int] = ()
    voices: Mapping[int, Sequence[int]] = field(default_factory=dict)
    steps: int | None = None
    bars: int | None = None


class ChoraleTracker:
    """Knows which voice comes next, what it may sing, and when the piece may end.

    Parameters
    ----------
    grammar : ChoraleGrammar
    stillest : int
        Most steps in a row in which something sounds and no note begins.
    request : ChoraleRequest, optional
    """

    def __init__(
        self, grammar: ChoraleGrammar, stillest: int, request: ChoraleRequest | None = None
    ) -> None:
        self._grammar, self._layout, self._stillest = grammar, grammar.layout, stillest
        self._request = request or ChoraleRequest()
        self._header: list[int] = []
        self._metre, self._upbeat = self._layout.read_header(np.zeros(0, np.int64))
        self._sounding = [REST] * (2 * PARTS)
        self._lasted = [0] * PARTS
        self._cells = 0
        self._silent_steps = 0
        # The last free voice must move when all voices would be silent or still for too long.
        self._keeper = max(voice for voice in range(PARTS) if voice not in self._request.voices)

    def features(self) -> Sequence[int]:
        """Return the row of `ChoraleCodec.features` for the next position."""
        if len(self._header) < self._layout.header:
            return (len(self._header), *[0] * (len(self._layout.feature_sizes) - 1))
        step, voice = divmod(self._cells, PARTS)
        bar, place = divmod(step - self._upbeat, self._layout.bar(self._metre))
        return (
            self._layout.header + voice,
            place,
            min(max(bar, 0), LAST_BAR),
            min(self._lasted[voice], LONGEST_LASTED),
            *(self._layout.pitch_feature(self._sounding[-back]) for back in range(1, PARTS + 1)),
            *(self._layout.pitch_feature(self._parallel(voice, back)) for back in range(1, PARTS)),
        )

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token, a read-only row of the grammar's table.

        A voice holds only a note that sounds. All voices together are silent for at most a bar, and
        still for at most `stillest` steps. A piece ends after a full step in which something
        sounds.
        """
        mask: NDArray[np.bool_] = self._grammar.table[self._row()]
        return mask

    def forced(self) -> int | None:
        """Return the given token, and END after the given length."""
        position = len(self._header)
        if position < self._layout.header:
            return self._request.header[position] if position < len(self._request.header) else None
        step, voice = divmod(self._cells, PARTS)
        if voice == 0 and step == self._length():
            return len(self._layout.table)
        return self._request.voices[voice][step] if voice in self._request.voices else None

    def push(self, token: int) -> None:
        """Update the state with a token.

        Raises
        ------
        DataError
            If a prompt contradicts the request.
        """
        forced = self.forced()
        if forced not in (None, token):
            names = (*self._layout.table.names, "the end")
            raise DataError(
                f"the prompt contradicts what is given: after "
                f"{self._cells // PARTS / STEPS:g} quarters it has {names[token]!r} in the place "
                f"of {names[forced]!r}; leave out one of the two"
            )
        if len(self._header) < self._layout.header:
            self._header.append(token)
            self._metre, self._upbeat = self._layout.read_header(np.array(self._header))
            return
        voice, before = self._cells % PARTS, self._sounding[-PARTS]
        now, begins = self._sung(token, before)
        self._lasted[voice] = 1 if begins else self._lasted[voice] + 1
        self._sounding = [*self._sounding[1:], now]
        self._cells += 1
        if voice == PARTS - 1:
            silent = set(self._sounding[-PARTS:]) == {REST}
            self._silent_steps = self._silent_steps + 1 if silent else 0

    def _row(self) -> int:
        """Return the row of the grammar's table for the next position."""
        if len(self._header) < self._layout.header:
            return self._grammar.header(len(self._header), self._metre)
        step, voice = divmod(self._cells, PARTS)
        length = self._length()
        sounds = self._sounding[-PARTS] != REST
        ends = voice == 0 and step > 0 and not self._silent_steps and length is None
        silent = still = False
        if voice == self._keeper:
            others_rest = self._others_rest()
            enough = self._silent_steps >= self._layout.bar(self._metre) or step + 1 == length
            silent = enough and others_rest
            still = self._layout.held and self._is_still() and (sounds or not others_rest)
        return int(self._grammar.cell(voice, sounds, ends, silent, still))

    def _sung(self, token: int, before: int) -> tuple[int, bool]:
        """Return the pitch that sounds after `before` and a token, and whether it begins there."""
        meaning = int(self._layout.meaning[token])
        now = {HOLD: before, NO_CELL: REST}.get(meaning, meaning)
        return now, now != before or (self._layout.held and meaning >= 0)

    def _is_still(self) -> bool:
        """Return whether all voices have been still for as long as allowed, this step included."""
        step, voice = divmod(self._cells, PARTS)
        # Earlier voices have already passed this step.
        lasted = [*(steps - 1 for steps in self._lasted[:voice]), *self._lasted[voice:]]
        if min(lasted) < self._stillest:
            return False
        # All voices after the last free one are given.
        return not any(
            self._sung(self._request.voices[later][step], self._sounding[later - voice - PARTS])[1]
            for later in range(voice + 1, PARTS)
        )

    def _length(self) -> int | None:
        """Return the requested number of steps, if any."""
        bars = self._request.bars
        return self._request.steps if bars is None else bars * self._layout.bar(self._metre)

    def _others_rest(self) -> bool:
        """Return whether all voices but the next are silent in its step."""
        step, voice = divmod(self._cells, PARTS)
        before = self._sounding[len(self._sounding) - voice :]
        # All voices after the last free one are given.
        after = [self._request.voices[later][step] for later in range(voice + 1, PARTS)]
        return set(before) <= {REST} and set(after) <= {self._layout.table.id("rest")}

    def _parallel(self, voice: int, back: int) -> int:
        """Return the pitch that would move parallel to the voice `back` cells ago, or `REST`."""
        own, other = self._sounding[-PARTS], self._sounding[-back]
        before = self._sounding[-back - PARTS]
        if voice < back or REST in (own, other, before) or other == before:
            return REST
        return own + other - before if (before - own) % 12 in PERFECT else REST
