"""The tracker of the codec `performance`: no sounding note begins again, and every note ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqgen_music.codecs.performance.layout import (
    BEGIN,
    DEFAULT_BIN,
    LONGEST_SHIFT,
    MOST_SOUNDING,
    OFF,
    ON,
    SHIFT,
    VELOCITY,
    PerformanceLayout,
    span_number,
)
from seqgen_music.codecs.performance.loops import Limits, Loops
from seqgen_music.codecs.performance.memory import MotiveMemory
from seqgen_music.codecs.performance.notes import LONGEST_SOUND, STEPS


class PerformanceTracker:
    """Knows the time, the sounding notes, and what may come next.

    Parameters
    ----------
    layout : PerformanceLayout
    limits : Limits
    seconds : float, optional
        No note begins after this time, and the piece does not end before it.
    """

    def __init__(
        self, layout: PerformanceLayout, limits: Limits, seconds: float | None = None
    ) -> None:
        self._layout, self._shortest = layout, limits.shortest
        self._limit = None if seconds is None else seconds * STEPS
        self._time, self._notes, self._last, self._bin = 0, 0, BEGIN, 0
        #: Start and number of the pitch of every sounding note, in the order of starts.
        self._sounding: list[tuple[int, int]] = []
        #: The step at which the present silence began.
        self._silent_since = 0
        self._moments, self._pitches = (0, 0), (0, 0)
        self._memory = MotiveMemory()
        self._loops = Loops(limits)
        #: The last note that ended at this moment, and the pitch of the last that began.
        self._last_end, self._last_begun = (-1, -1), -1

    def features(self) -> Sequence[int]:
        """Return the row of `PerformanceCodec.features` for the next position."""
        oldest = (0, 0)
        if self._sounding:
            start, pitch = self._sounding[0]
            oldest = (pitch + 1, int(span_number(self._time - start)))
        return (
            *(self._last, int(span_number(self._time - self._moments[1]))),
            int(span_number(self._moments[1] - self._moments[0])),
            *(min(len(self._sounding), MOST_SOUNDING), self._bin, *self._pitches[::-1], *oldest),
            *self._memory.features(self._time),
        )

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token.

        A sounding note does not begin again, and only sounding notes end. Notes and silences last
        at most ten seconds, and a piece ends with its last note. If a loop reaches the limits,
        another pitch comes next. A piece has at least `Limits.shortest` notes.
        """
        table = self._layout.table
        mask = np.zeros(len(table) + 1, bool)
        if self._sounding and self._left() == 0:
            mask[table.start("note off") + min(self._sounding)[1]] = True
            return mask
        begins = mask[table.start("note on") : table.start("note off")]
        # After a velocity, a note must follow.
        if not self._is_over() or self._last == VELOCITY:
            begins[self._last_begun + 1 :] = True
            begins[[pitch for _, pitch in self._sounding]] = False
            fresh = begins.copy()
            fresh[self._loops.worn()] = False
            if fresh.any():
                begins[:] = fresh
        if self._last == VELOCITY:
            return mask
        louder = mask[table.start("velocity") : table.start("shift")]
        louder[:] = begins.any()
        if self._bin:
            louder[self._bin - 1] = False
        else:
            begins[:] = False
        if self._last_begun < 0:
            ends = [pitch for start, pitch in self._sounding if (start, pitch) > self._last_end]
            mask[table.start("note off") :][ends] = True
        if self._last != SHIFT:
            first = table.start("shift")
            mask[first : first + min(self._left(), LONGEST_SHIFT)] = True
        mask[-1] = self._last == OFF and not self._sounding and not self._is_early()
        return mask

    def forced(self) -> int | None:
        """Force END after the requested time, once nothing sounds."""
        return len(self._layout.table) if self._is_over() and not self._sounding else None

    def push(self, token: int) -> None:
        """Update the state with a token."""
        self._last = int(self._layout.kind_of[token])
        number = int(self._layout.number_of[token])
        if self._last == ON:
            self._begin(number)
        elif self._last == OFF:
            self._end(number)
        elif self._last == VELOCITY:
            self._bin = number + 1
        else:
            self._time += number + 1
            self._last_end, self._last_begun = (-1, -1), -1

    def _begin(self, pitch: int) -> None:
        self._sounding.append((self._time, pitch))
        self._loops.push(pitch)
        self._notes += 1
        self._memory.begin(self._time, pitch + 1, self._bin or DEFAULT_BIN)
        self._pitches = (self._pitches[1], pitch + 1)
        self._last_begun = pitch
        if self._time != self._moments[1]:
            self._moments = (self._moments[1], self._time)

    def _end(self, pitch: int) -> None:
        """End the earliest sounding note of the pitch, if any."""
        for note in self._sounding:
            if note[1] == pitch:
                self._sounding.remove(note)
                self._last_end, self._silent_since = note, self._time
                self._memory.end(self._time, pitch + 1)
                return

    def _left(self) -> int:
        """Return for how many steps the oldest note, or the silence, may last."""
        since = self._sounding[0][0] if self._sounding else self._silent_since
        return max(since + LONGEST_SOUND - self._time, 0)

    def _is_early(self) -> bool:
        """Tell whether the piece would be shorter than requested, or than all of the corpus."""
        if self._limit is None:
            return self._notes < self._shortest
        return not self._is_over()

    def _is_over(self) -> bool:
        return self._limit is not None and self._time >= self._limit
