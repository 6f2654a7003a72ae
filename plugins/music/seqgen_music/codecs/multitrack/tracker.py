"""The tracker of the codec `multitrack`: which token may come next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqgen_music.codecs.multitrack.grid import DRUMS
from seqgen_music.codecs.multitrack.harmony import SoundingPitches
from seqgen_music.codecs.multitrack.layout import MultitrackLayout
from seqgen_music.codecs.multitrack.memory import TokenMemory
from seqgen_music.codecs.multitrack.repeats import Repeats
from seqgen_music.codecs.multitrack.score import EMPTY_BARS


@dataclass(frozen=True)
class MultitrackRequest:
    """What a new piece must contain.

    Attributes
    ----------
    tokens : sequence of int
        Composer, key, density, tempo or metre; the only allowed token of its kind.
    instruments : sequence of frozenset of int
        Sets of programs: at least one of each plays, and no others.
    bars : int, optional
    """

    tokens: Sequence[int] = ()
    instruments: Sequence[frozenset[int]] = ()
    bars: int | None = None


class MultitrackTracker:
    """Knows the position in the bar, the state there, and which token may come next.

    Numbers are those within a kind plus one, as in the features; 0 means none.

    Parameters
    ----------
    layout : MultitrackLayout
    request : MultitrackRequest
    """

    def __init__(self, layout: MultitrackLayout, request: MultitrackRequest) -> None:
        self._layout, self._table, self._request = layout, layout.table, request
        self._masks = {kind: layout.table.mask(kind) for kind in layout.table.kinds}
        self._kinds = [layout.table.token(number)[0] for number in range(len(layout.table))]
        self._requested = self._requested_mask()
        self._kind, self._last = "", len(layout.table)
        self._composer = self._mode = self._density = self._thinned = 0
        self._lines = self._metre = self._tempo = self._program = 0
        # By number: whether the header has the instrument.
        self._plays = np.zeros(len(layout.programs) + 1, bool)
        # First step of the bar, and its length.
        self._bar = self._length = 0
        self._sounding, self._memory = SoundingPitches(), TokenMemory()
        self._repeats = Repeats(layout.learned.runs)
        # The position, the last sound there, and the last sound of the instrument there.
        self._place = self._here = self._floor = 0
        self._velocities: dict[int, int] = {}
        self._sounds: dict[int, int] = {}
        self._seen: dict[tuple[int, int, int, int], int] = {}
        # Bars without a note, including the present one; and whether any note has begun.
        self._empty, self._begun = 0, False

    def features(self) -> Sequence[int]:
        """Return the row of `MultitrackCodec.features` for the next position."""
        phrase, bar = divmod(max(self._lines - 1, 0), self._layout.feature_sizes[1])
        features = (
            self._place,
            bar,
            min(phrase, self._layout.feature_sizes[2] - 1),
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
            *self._memory.expected,
            self._composer,
        )
        return features[: len(self._layout.feature_sizes)]

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token by the order of tokens, the bar and the request."""
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
        return self._without_loops(mask & self._requested)

    def _without_loops(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Forbid sounds that would repeat a bar beyond the limits, if others are allowed."""
        looping = [
            token for token in self._repeats.too_often() if self._kinds[token] in ("pitch", "drum")
        ]
        if not looping:
            return mask
        different = mask.copy()
        different[looping] = False
        return different if different.any() else mask

    def forced(self) -> int | None:
        """Return None: `allowed` already leaves only what a request forces."""
        return None

    def push(self, token: int) -> None:
        """Update the state with a token."""
        kind, number = self._kinds[token], int(self._table.number_of[token]) + 1
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
                self._length = self._layout.bars[max(self._metre - 1, 0)]
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
                self._sounding.last(self._step() + self._layout.learned.durations[number - 1])
        self._kind, self._last = kind, token

    def _following(self) -> int:
        """Return the next instrument of the header after the present one, or 0."""
        later = np.flatnonzero(self._plays[self._program + 1 :])
        return self._program + 1 + int(later[0]) if len(later) else 0

    def _step(self) -> int:
        return self._bar + max(self._place - 1, 0)

    def _context(self) -> tuple[int, int, int, int]:
        return self._place, self._program, self._here, self._last

    def _requested_mask(self) -> NDArray[np.bool_]:
        """Return the mask of ids that the request allows anywhere."""
        mask = np.ones(len(self._table) + 1, bool)
        for token in self._request.tokens:
            mask &= ~self._masks[self._kinds[token]]
            mask[token] = True
        if self._request.instruments:
            programs = frozenset.union(*self._request.instruments)
            playing = [program in programs for program in self._layout.learned.programs]
            for kind in ("instrument", "program"):
                mask[self._masks[kind]] = playing
        return mask

    def _opening(self) -> NDArray[np.bool_]:
        """Return the mask of composers and keys; of composers if one is requested."""
        composers = self._masks["composer"]
        requested = composers[list(self._request.tokens)].any()
        return composers.copy() if requested else composers | self._masks["key"]

    def _instruments(self) -> NDArray[np.bool_]:
        """Return the mask of later instruments; and of tempos once every request has one."""
        mask = self._masks["instrument"].copy()
        start, programs = self._table.start("instrument"), self._layout.learned.programs
        left = self._last - start + 1 if self._kind == "instrument" else 0
        mask[start : start + left] = False
        missing = [programs.index(max(request)) for request in self._missing()]
        # A prompt may have skipped a requested instrument.
        if missing := [number for number in missing if number >= left]:
            # Do not skip the first request that is still open.
            mask[start + min(missing) + 1 : start + len(programs)] = False
        elif self._plays.any():
            mask |= self._masks["tempo"]
        return mask

    def _missing(self) -> list[frozenset[int]]:
        """Return the requests without an instrument in the header."""
        programs = self._layout.learned.programs
        pairs = zip(programs, self._plays[1:], strict=True)
        playing = {program for program, plays in pairs if plays}
        return [request for request in self._request.instruments if not request & playing]

    def _close_header(self) -> None:
        """From now on allow only the instruments of the header.

        If they differ from the request, they are a prompt's; then the requested ones play.
        """
        programs, plays = self._masks["program"], self._plays[1:]
        requested = self._requested[programs]
        if plays.any() and not (plays & ~requested).any() and not self._missing():
            self._requested[programs] = plays

    def _positions(self) -> NDArray[np.bool_]:
        """Return the mask of the later positions in the bar."""
        first = self._table.start("position")
        mask = np.zeros(len(self._table) + 1, bool)
        mask[first + self._place : first + self._layout.bars[max(self._metre - 1, 0)]] = True
        return mask

    def _line(self) -> NDArray[np.bool_]:
        """Return the mask of tokens that open the next bar, if one may follow."""
        if self._may_end() and self._request.bars is not None:
            # The piece ends at this bar line if the model chooses it.
            return self._masks["bar"] if not self._empty else np.zeros(len(self._table) + 1, bool)
        if not self._begun or self._empty > EMPTY_BARS:
            return np.zeros(len(self._table) + 1, bool)
        metres = self._other("metre", self._metre)
        return metres if self._is_due("metre", self._metre) else self._masks["bar"] | metres

    def _is_due(self, kind: str, number: int) -> bool:
        """Return whether a prompt's value differs from the requested one."""
        requested = [token for token in self._request.tokens if self._kinds[token] == kind]
        return bool(requested) and requested != [self._table.start(kind) + number - 1]

    def _notes(self) -> NDArray[np.bool_]:
        """Return the mask at this position: later instruments, or notes of the present one."""
        programs = self._other("program", self._program)
        if self._here:
            programs[: self._table.start("program") + self._program] = False
        return programs | self._note()

    def _note(self) -> NDArray[np.bool_]:
        """Return the mask of higher pitches of the present instrument, and of velocities."""
        mask = np.zeros(len(self._table) + 1, bool)
        program = self._table.start("program") + self._program - 1
        # After its program or velocity a note may sound, even if a prompt's instrument is not
        # requested.
        is_announced = self._kind in ("program", "velocity")
        if not self._program or not (self._requested[program] or is_announced):
            return mask
        drums = self._layout.learned.programs[self._program - 1] == DRUMS
        pitches = self._masks["drum" if drums else "pitch"].copy()
        pitches[: self._table.start("pitch") + self._floor] = False
        velocity = self._velocities.get(self._program, 0)
        if velocity:
            mask |= pitches
        if self._kind != "velocity" and pitches.any():
            mask |= self._other("velocity", velocity)
        return mask

    def _other(self, kind: str, number: int) -> NDArray[np.bool_]:
        """Return the mask of a kind without its present value."""
        mask = self._masks[kind].copy()
        if number:
            mask[self._table.start(kind) + number - 1] = False
        return mask

    def _is_over(self) -> bool:
        """Return whether the last requested bar has ended."""
        return self._request.bars is not None and self._lines > self._request.bars

    def _may_end(self) -> bool:
        return self._request.bars is None or self._lines >= self._request.bars
