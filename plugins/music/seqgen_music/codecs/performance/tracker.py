"""The tracker of the codec `performance`: no note is struck twice, none is left sounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Ids
from seqgen_music.codecs.performance.loops import Loops
from seqgen_music.codecs.performance.memory import Memory

if TYPE_CHECKING:
    from seqgen_music.codecs.performance.codec import PerformanceCodec

#: Steps in a second, and in the longest shift.
STEPS, LONGEST_SHIFT = 100, 100

#: Steps that a note, or a silence, lasts at most.
LONGEST_SOUND = 10 * STEPS

#: Bins of velocity, velocities in each, and the bin where none is said.
BINS, BIN_WIDTH, DEFAULT_BIN = 32, 4, 20

#: Steps from which on a span of time counts as longer, as a feature.
SPANS = np.array([1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 85, 113, 150, 200, 300, 500])

#: From this number of sounding notes on, more make no difference.
MOST_SOUNDING = 15

#: What came last, as a feature: nothing, or one of these.
BEGIN, ON, OFF, VELOCITY, SHIFT, FULL_SHIFT = range(6)


class PerformanceTracker:
    """Knows the time, what sounds, and what may come next.

    Parameters
    ----------
    codec : PerformanceCodec
    seconds : float, optional
        From here on no note begins, and before it the piece does not end.
    """

    def __init__(self, codec: PerformanceCodec, seconds: float | None = None) -> None:
        self._codec = codec
        self._limit = None if seconds is None else seconds * STEPS
        self._time, self._notes, self._last, self._bin = 0, 0, BEGIN, 0
        #: Start and number of the pitch of every note that sounds, in the order of beginnings.
        self._sounding: list[tuple[int, int]] = []
        #: Since when nothing has sounded, if nothing does.
        self._silent_since = 0
        self._moments, self._pitches = (0, 0), (0, 0)
        self._memory = Memory()
        self._loops = Loops(codec.limits)
        #: What was last at this moment: a note that ended, and the pitch of one that began.
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
        """Return the mask of what may come.

        Nothing begins that sounds, nothing ends that does not, no note and no silence lasts more
        than ten seconds, and the piece ends with its last note. Where a new piece has gone round
        in a loop for longer than the corpus does, another pitch comes next; and it is no shorter.
        """
        table = self._codec.table
        mask = np.zeros(len(table) + 1, bool)
        if self._sounding and self._left() == 0:
            mask[table.start("note off") + min(self._sounding)[1]] = True
            return mask
        begins = mask[table.start("note on") : table.start("note off")]
        # A note whose velocity a prompt has said is still to come.
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
        """Force END after the time that is wanted, when nothing sounds any more."""
        return len(self._codec.table) if self._is_over() and not self._sounding else None

    def push(self, token: int) -> None:
        """Take note of a token."""
        self._last = int(self._codec.kind_of[token])
        number = int(self._codec.number_of[token])
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
        """End the earliest note of the pitch, if there is one."""
        for note in self._sounding:
            if note[1] == pitch:
                self._sounding.remove(note)
                self._last_end, self._silent_since = note, self._time
                self._memory.end(self._time, pitch + 1)
                return

    def _left(self) -> int:
        """Return for how many steps the oldest note, or the silence, may go on."""
        since = self._sounding[0][0] if self._sounding else self._silent_since
        return max(since + LONGEST_SOUND - self._time, 0)

    def _is_early(self) -> bool:
        """Tell whether the piece would be shorter than is wanted, or than any of the corpus."""
        if self._limit is None:
            return self._notes < self._codec.limits.shortest
        return not self._is_over()

    def _is_over(self) -> bool:
        return self._limit is not None and self._time >= self._limit


def span_number(steps: Any) -> Ids:
    """Return which of the spans of time so many steps are in."""
    return np.asarray(np.searchsorted(SPANS, steps, side="right"))
