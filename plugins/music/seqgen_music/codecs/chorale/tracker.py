"""The tracker of the codec `chorale`: which voice comes next, and what it may sing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_music.codecs.chorale.raster import REST, STEPS, VOICES, bar_steps

if TYPE_CHECKING:
    from seqgen_music.codecs.chorale.codec import ChoraleCodec

#: From this many steps on, how long a voice has gone on makes no difference.
LONGEST_LASTED = 31

#: From this bar on, which one it is makes no difference.
LAST_BAR = 8

#: Number of voices, and intervals in semitones (octaves apart) that must not run in parallel.
PARTS, PERFECT = len(VOICES), (0, 7)

#: What a token means in a cell, besides pitches and `REST`.
HOLD, NO_CELL = -2, -3


@dataclass(frozen=True)
class Request:
    """What a new chorale is to follow.

    Attributes
    ----------
    header : sequence of int
        Its first ids, at most those before the voices.
    voices : mapping of int to sequence of int
        The ids of the voices that are given, one a step.
    steps, bars : int, optional
        Its length; bars are whole ones in its metre.
    """

    header: Sequence[int] = ()
    voices: Mapping[int, Sequence[int]] = field(default_factory=dict)
    steps: int | None = None
    bars: int | None = None


class ChoraleTracker:
    """Knows which voice comes next, what it may sing, and when the piece may end.

    Parameters
    ----------
    codec : ChoraleCodec
    request : Request, optional
        What is forced.
    """

    def __init__(self, codec: ChoraleCodec, request: Request | None = None) -> None:
        self._codec, self._request = codec, request or Request()
        self._header: list[int] = []
        self._metre, self._upbeat = codec.read_header(np.zeros(0, np.int64))
        self._sounding = [REST] * (2 * PARTS)
        self._lasted = [0] * PARTS
        self._cells = 0
        self._silent_steps = 0
        self._masks = [self._mask(slot) for slot in range(codec.header + PARTS)]
        # The last voice that is not given begins where all would be silent or still for too long.
        self._keeper = max(voice for voice in range(PARTS) if voice not in self._request.voices)

    def features(self) -> Sequence[int]:
        """Return the row of `ChoraleCodec.features` for the next position."""
        if len(self._header) < self._codec.header:
            return (len(self._header), *[0] * (len(self._codec.feature_sizes) - 1))
        step, voice = divmod(self._cells, PARTS)
        bar, place = divmod(step - self._upbeat, bar_steps(self._metre))
        return (
            self._codec.header + voice,
            place,
            min(max(bar, 0), LAST_BAR),
            min(self._lasted[voice], LONGEST_LASTED),
            *(self._pitch_feature(self._sounding[-back]) for back in range(1, PARTS + 1)),
            *(self._pitch_feature(self._parallel(voice, back)) for back in range(1, PARTS)),
        )

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the slot.

        Nothing is held that does not sound, the voices are not all silent for more than a bar, nor
        do all go on for longer than in the corpus, and a piece ends after a whole step in which
        something sounds.
        """
        table = self._codec.table
        if len(self._header) < self._codec.header:
            mask = self._masks[len(self._header)].copy()
            mask[table.start("upbeat") + bar_steps(self._metre) :] = False
            return mask
        step, voice = divmod(self._cells, PARTS)
        mask = self._masks[self._codec.header + voice].copy()
        length = self._length()
        mask[-1] = voice == 0 and step > 0 and not self._silent_steps and length is None
        sounds = self._sounding[-PARTS] != REST
        if self._codec.held:
            mask[table.id("hold")] = sounds
        if voice != self._keeper:
            return mask
        others_rest = self._others_rest()
        enough = self._silent_steps >= bar_steps(self._metre) or step + 1 == length
        if enough and others_rest:
            mask[table.id("rest")] = False
        if self._codec.held and self._is_still() and (sounds or not others_rest):
            mask[table.id("hold" if sounds else "rest")] = False
        return mask

    def forced(self) -> int | None:
        """Force what is given, and END after it."""
        position = len(self._header)
        if position < self._codec.header:
            return self._request.header[position] if position < len(self._request.header) else None
        step, voice = divmod(self._cells, PARTS)
        if voice == 0 and step == self._length():
            return len(self._codec.vocab)
        return self._request.voices[voice][step] if voice in self._request.voices else None

    def push(self, token: int) -> None:
        """Take note of a token.

        Raises
        ------
        DataError
            If another is forced, as with a prompt that is not what is given.
        """
        forced = self.forced()
        if forced not in (None, token):
            names = (*self._codec.vocab, "the end")
            raise DataError(
                f"the prompt contradicts what is given: after "
                f"{self._cells // PARTS / STEPS:g} quarters it has {names[token]!r} in the place "
                f"of {names[forced]!r}; leave out one of the two"
            )
        if len(self._header) < self._codec.header:
            self._header.append(token)
            self._metre, self._upbeat = self._codec.read_header(np.array(self._header))
            return
        voice, before = self._cells % PARTS, self._sounding[-PARTS]
        now, begins = self._sung(token, before)
        self._lasted[voice] = 1 if begins else self._lasted[voice] + 1
        self._sounding = [*self._sounding[1:], now]
        self._cells += 1
        if voice == PARTS - 1:
            silent = set(self._sounding[-PARTS:]) == {REST}
            self._silent_steps = self._silent_steps + 1 if silent else 0

    def _sung(self, token: int, before: int) -> tuple[int, bool]:
        """Return what a token lets sound after what sounded before, and whether it begins."""
        meaning = int(self._codec.meaning[token])
        now = {HOLD: before, NO_CELL: REST}.get(meaning, meaning)
        return now, now != before or (self._codec.held and meaning >= 0)

    def _is_still(self) -> bool:
        """Tell whether nothing else begins in this step, nor did for as long as may be."""
        step, voice = divmod(self._cells, PARTS)
        # Voices before the next one have this step behind them already.
        lasted = [*(steps - 1 for steps in self._lasted[:voice]), *self._lasted[voice:]]
        if min(lasted) < self._codec.stillest:
            return False
        # Whatever comes after the last voice that is not given is given.
        return not any(
            self._sung(self._request.voices[later][step], self._sounding[later - voice - PARTS])[1]
            for later in range(voice + 1, PARTS)
        )

    def _length(self) -> int | None:
        """Return the steps of the piece if they are given."""
        bars = self._request.bars
        return self._request.steps if bars is None else bars * bar_steps(self._metre)

    def _others_rest(self) -> bool:
        """Tell whether all voices but the next are silent in its step."""
        step, voice = divmod(self._cells, PARTS)
        before = self._sounding[len(self._sounding) - voice :]
        # Whatever comes after the last voice that is not given is given.
        after = [self._request.voices[later][step] for later in range(voice + 1, PARTS)]
        return set(before) <= {REST} and set(after) <= {self._codec.table.id("rest")}

    def _parallel(self, voice: int, back: int) -> int:
        """Return the pitch that would run parallel with the voice `back` cells ago, or `REST`."""
        own, other = self._sounding[-PARTS], self._sounding[-back]
        before = self._sounding[-back - PARTS]
        if voice < back or REST in (own, other, before) or other == before:
            return REST
        return own + other - before if (before - own) % 12 in PERFECT else REST

    def _pitch_feature(self, pitch: int) -> int:
        return pitch - self._codec.low + 1 if self._codec.low <= pitch <= self._codec.high else 0

    def _mask(self, slot: int) -> NDArray[np.bool_]:
        """Return the ids that belong into a slot, END last."""
        codec, table = self._codec, self._codec.table
        if slot < codec.header:
            return table.mask(("metre", "upbeat")[slot])
        mask = table.mask("rest")
        low, high = (
            table.start("pitch") + pitch - codec.low for pitch in codec.ranges[slot - codec.header]
        )
        mask[low : high + 1] = True
        return mask
