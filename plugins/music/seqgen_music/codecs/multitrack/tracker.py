"""The tracker of the codec `multitrack`: which token may come next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqgen_music.codecs.multitrack.harmony import Sounding
from seqgen_music.codecs.multitrack.memory import Memory
from seqgen_music.codecs.multitrack.repeats import Repeats
from seqgen_music.codecs.multitrack.score import DRUMS, EMPTY_BARS

if TYPE_CHECKING:
    from seqgen_music.codecs.multitrack.codec import MultitrackCodec


@dataclass(frozen=True)
class Request:
    """What a user asks of a piece.

    Attributes
    ----------
    tokens : sequence of int
        Each the only one of its kind: a composer, a key, a density, a tempo, a metre.
    instruments : sequence of frozenset of int
        Programs of which one is told at least, and no others are.
    bars : int or None
    """

    tokens: Sequence[int] = ()
    instruments: Sequence[frozenset[int]] = ()
    bars: int | None = None


class MultitrackTracker:
    """Knows where in a bar and a note the piece is, and what holds there.

    Numbers are those within a kind plus one, as in the features; 0 is none.

    Parameters
    ----------
    codec : MultitrackCodec
    request : Request
    """

    def __init__(self, codec: MultitrackCodec, request: Request) -> None:
        self._codec, self._table, self._request = codec, codec.table, request
        self._masks = {kind: codec.table.mask(kind) for kind in codec.table.kinds}
        self._tokens = [codec.table.token(number)[0] for number in range(len(codec.table))]
        self._wanted = self._wanted_mask()
        self._kind, self._last = "", len(codec.table)
        self._composer = self._mode = self._density = self._thinned = 0
        self._lines = self._metre = self._tempo = self._program = 0
        # By number: which instruments were told of.
        self._plays = np.zeros(len(codec.learned.programs) + 1, bool)
        # The step at which the bar begins, and its length.
        self._bar = self._length = 0
        self._sounding, self._memory = Sounding(), Memory()
        self._repeats = Repeats(codec.learned.runs)
        # The last sound at this place, and the one above which its instrument's next one is.
        self._place = self._here = self._floor = 0
        self._velocities: dict[int, int] = {}
        self._sounds: dict[int, int] = {}
        self._seen: dict[tuple[int, int, int, int], int] = {}
        # Bars without a note, the present one among them, and whether there was a note before.
        self._empty, self._begun = 0, False

    def features(self) -> Sequence[int]:
        """Return the row of `MultitrackCodec.features` for the next position."""
        phrase, bar = divmod(max(self._lines - 1, 0), self._codec.feature_sizes[1])
        features = (
            self._place,
            bar,
            min(phrase, self._codec.feature_sizes[2] - 1),
            self._metre,
            self._program,
            self._velocities.get(self._program, 0),
            self._sounds.get(self._program, 0),
            self._seen.get(self._context(), 0),
            self._mode,
            self._density,
            self._thinned,
            self._following(),
            *self._sounding.features(self._step()),
            *self._memory.said,
            self._composer,
        )
        return features[: len(self._codec.feature_sizes)]

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of what the order of tokens, the bar and the condition allow."""
        match self._kind:
            case "":
                mask = self._opening()
            case "composer":
                mask = self._masks["key"].copy()
            case "key":
                mask = self._masks["density"].copy()
            case "density" | "thinned" | "instrument":
                mask = self._instruments()
            case "tempo" if not self._lines:
                mask = self._masks["metre"].copy()
            case "bar" | "metre":
                mask = self._positions() | self._line()
                if self._is_over():
                    mask[:-1], mask[-1] = False, True
            case "position":
                mask = self._other("tempo", self._tempo)
                if not self._is_due("tempo", self._tempo):
                    mask |= self._notes()
            case "tempo":
                mask = self._notes()
            case "program" | "velocity":
                mask = self._note()
            case "pitch":
                mask = self._masks["duration"].copy()
            case _:
                mask = self._positions() | self._notes() | self._line()
                mask[-1] = self._may_end()
        return self._without_loops(mask & self._wanted)

    def _without_loops(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Forbid the first sound of a bar that has come often enough, if there is another one."""
        looping = [
            token for token in self._repeats.too_often() if self._tokens[token] in ("pitch", "drum")
        ]
        if not looping:
            return mask
        different = mask.copy()
        different[looping] = False
        return different if different.any() else mask

    def forced(self) -> int | None:
        """Return nothing: what a condition forces is all that `allowed` leaves."""
        return None

    def push(self, token: int) -> None:
        """Take note of a token."""
        kind, number = self._tokens[token], int(self._table.number_of[token]) + 1
        self._seen[self._context()] = token + 1
        self._memory.push(token)
        if kind in ("bar", "metre"):
            self._repeats.line()
        else:
            self._repeats.push(token)
        match kind:
            case "composer":
                self._composer = number
            case "key":
                self._mode = (number - 1) // 12 + 1
            case "density":
                self._density = number
            case "thinned":
                self._thinned = 1
            case "instrument":
                self._plays[number] = True
            case "bar" | "metre":
                self._empty += 1
                self._lines += 1
                self._place = self._here = self._floor = 0
                self._metre = number if kind == "metre" else self._metre
                self._bar += self._length
                self._length = self._codec.bars[max(self._metre - 1, 0)]
            case "position":
                self._place, self._here, self._floor = number, 0, 0
            case "tempo":
                self._tempo = number
                if not self._lines:
                    self._close_header()
            case "program":
                self._program, self._floor = number, 0
            case "velocity":
                self._velocities[self._program] = number
            case "pitch" | "drum":
                self._here = self._floor = token - self._table.start("pitch") + 1
                self._sounds[self._program] = self._here
                self._empty, self._begun = 0, True
                if kind == "pitch":
                    self._sounding.begin(number - 1, self._step())
            case "duration":
                self._sounding.last(self._step() + self._codec.learned.durations[number - 1])
        self._kind, self._last = kind, token

    def _following(self) -> int:
        """Return the next instrument after the present one of those that were told of."""
        later = np.flatnonzero(self._plays[self._program + 1 :])
        return self._program + 1 + int(later[0]) if len(later) else 0

    def _step(self) -> int:
        return self._bar + max(self._place - 1, 0)

    def _context(self) -> tuple[int, int, int, int]:
        return self._place, self._program, self._here, self._last

    def _wanted_mask(self) -> NDArray[np.bool_]:
        """Return what the condition allows anywhere."""
        mask = np.ones(len(self._table) + 1, bool)
        for token in self._request.tokens:
            mask &= ~self._masks[self._tokens[token]]
            mask[token] = True
        if self._request.instruments:
            programs = frozenset.union(*self._request.instruments)
            playing = [program in programs for program in self._codec.learned.programs]
            for kind in ("instrument", "program"):
                mask[self._masks[kind]] = playing
        return mask

    def _opening(self) -> NDArray[np.bool_]:
        """Return composers and keys; composers alone if one is wanted."""
        composers = self._masks["composer"]
        wanted = composers[list(self._request.tokens)].any()
        return composers.copy() if wanted else composers | self._masks["key"]

    def _instruments(self) -> NDArray[np.bool_]:
        """Return the instruments that may be told of next; tempos after one of each request."""
        mask = self._masks["instrument"].copy()
        start, programs = self._table.start("instrument"), self._codec.learned.programs
        left = self._last - start + 1 if self._kind == "instrument" else 0
        mask[start : start + left] = False
        missing = [programs.index(max(request)) for request in self._missing()]
        # A prompt may have passed over what is wanted.
        if missing := [number for number in missing if number >= left]:
            # The first request that is not met is not.
            mask[start + min(missing) + 1 : start + len(programs)] = False
        elif self._plays.any():
            mask |= self._masks["tempo"]
        return mask

    def _missing(self) -> list[frozenset[int]]:
        """Return the requests of which no instrument was told."""
        programs = self._codec.learned.programs
        told = {program for program, plays in zip(programs, self._plays[1:], strict=True) if plays}
        return [request for request in self._request.instruments if not request & told]

    def _close_header(self) -> None:
        """Allow from now on the instruments that were told of.

        If these are not those that are wanted, they are a prompt's; then the wanted ones play.
        """
        programs, told = self._masks["program"], self._plays[1:]
        wanted = self._wanted[programs]
        if told.any() and not (told & ~wanted).any() and not self._missing():
            self._wanted[programs] = told

    def _positions(self) -> NDArray[np.bool_]:
        """Return the places that are left in the bar."""
        first = self._table.start("position")
        mask = np.zeros(len(self._table) + 1, bool)
        mask[first + self._place : first + self._codec.bars[max(self._metre - 1, 0)]] = True
        return mask

    def _line(self) -> NDArray[np.bool_]:
        """Return what opens the next bar, if there may be one."""
        if self._may_end() and self._request.bars is not None:
            # At the line where the model would go on the piece is over, not before.
            return self._masks["bar"] if not self._empty else np.zeros(len(self._table) + 1, bool)
        if not self._begun or self._empty > EMPTY_BARS:
            return np.zeros(len(self._table) + 1, bool)
        metres = self._other("metre", self._metre)
        return metres if self._is_due("metre", self._metre) else self._masks["bar"] | metres

    def _is_due(self, kind: str, number: int) -> bool:
        """Tell whether what holds, of a prompt, is not what is wanted."""
        wanted = [token for token in self._request.tokens if self._tokens[token] == kind]
        return bool(wanted) and wanted != [self._table.start(kind) + number - 1]

    def _notes(self) -> NDArray[np.bool_]:
        """Return what goes on at this place: instruments in their order, or the present one."""
        programs = self._other("program", self._program)
        if self._here:
            programs[: self._table.start("program") + self._program] = False
        return programs | self._note()

    def _note(self) -> NDArray[np.bool_]:
        """Return the keys that are left to the present instrument, and velocities for them."""
        mask = np.zeros(len(self._table) + 1, bool)
        program = self._table.start("program") + self._program - 1
        # What was announced may sound, even if its instrument is a prompt's and not wanted.
        is_announced = self._kind in ("program", "velocity")
        if not self._program or not (self._wanted[program] or is_announced):
            return mask
        drums = self._codec.learned.programs[self._program - 1] == DRUMS
        keys = self._masks["drum" if drums else "pitch"].copy()
        keys[: self._table.start("pitch") + self._floor] = False
        velocity = self._velocities.get(self._program, 0)
        if velocity:
            mask |= keys
        if self._kind != "velocity" and keys.any():
            mask |= self._other("velocity", velocity)
        return mask

    def _other(self, kind: str, number: int) -> NDArray[np.bool_]:
        """Return the tokens of a kind but the one that holds."""
        mask = self._masks[kind].copy()
        if number:
            mask[self._table.start(kind) + number - 1] = False
        return mask

    def _is_over(self) -> bool:
        """Tell whether the line after the last bar that is wanted was written."""
        return self._request.bars is not None and self._lines > self._request.bars

    def _may_end(self) -> bool:
        return self._request.bars is None or self._lines >= self._request.bars
