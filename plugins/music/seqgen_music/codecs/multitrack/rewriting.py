"""The tracker of the codec `multitrack` for a piece of which parts stay.

The notes that stay are dictated. New notes may come in between where the piece is free, in the one
order that a piece has. Python follows it, because gaps are short.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.following import NOTHING, Followed
from seqgen.plugin import Ids
from seqgen_music.codecs.multitrack import chording, steps
from seqgen_music.codecs.multitrack.gaps import KeptNote, Remaining
from seqgen_music.codecs.multitrack.grammar import (
    BAR,
    CHORD,
    CHORDS,
    DRUM,
    DURATION,
    FLOOR,
    HERE,
    LAST_KIND,
    LINES,
    LOUDNESS,
    METRE,
    NOW_PROGRAM,
    NOW_TEMPO,
    PITCH,
    PLACE,
    POSITION,
    PROGRAM,
    TEMPO,
    VELOCITY,
    tables_of,
)
from seqgen_music.codecs.multitrack.layout import MultitrackLayout
from seqgen_music.codecs.multitrack.repeats import UNLIMITED
from seqgen_music.codecs.multitrack.tracker import MultitrackRequest, MultitrackTracker


class RewritingTracker(MultitrackTracker):
    """Knows which note comes next of those that stay, and what may come before it.

    Parameters
    ----------
    layout : MultitrackLayout
    remaining : Remaining
    """

    def __init__(self, layout: MultitrackLayout, remaining: Remaining) -> None:
        super().__init__(layout, MultitrackRequest(), UNLIMITED)
        self._remaining, self._grammar = remaining, tables_of(layout)
        self._count = 0  # Tokens so far.
        self._notes = 0  # Notes so far of those that stay.
        self._duration = NOTHING  # That of the note that has just begun, if it stays.
        self._found: NDArray[np.bool_] | None = None

    def fitting(self) -> NDArray[np.bool_]:
        """Return the mask of the next token around what stays ``(V + 1,)``."""
        fitting = self._fitting()
        both = self.allowed() & fitting
        return both if both.any() else fitting

    def reached(self) -> int:
        """Return how many of the notes that stay have come, with their durations."""
        return self._notes - (self._duration != NOTHING)

    def forced(self) -> int | None:
        """Return the token that is given, or None where there is a choice."""
        if self._count < len(self._remaining.opening):
            return self._remaining.opening[self._count]
        if self._duration != NOTHING:
            return self._duration
        fitting = self._fitting()
        return int(np.argmax(fitting)) if fitting.sum() == 1 else None

    def push(self, token: int) -> None:
        """Update the state with a token."""
        note = self._note_here()
        self._duration, self._found = NOTHING, None
        self._count += 1
        if note is not None and token == note.sound:
            self._duration = note.duration
            self._notes += 1
        super().push(token)

    def followed(self) -> Followed | None:
        """Return None: only Python follows."""
        return None

    @property
    def _head(self) -> Ids:
        return self._state[: steps.HEAD]

    def _note(self) -> KeptNote | None:
        """Return the next note that stays, if it is in this bar."""
        notes = self._remaining.notes
        found = notes[self._notes] if self._notes < len(notes) else None
        return found if found is not None and found.bar == self._head[LINES] - 1 else None

    def _note_here(self) -> KeptNote | None:
        """Return the next note that stays, if it is at this position."""
        found = self._note()
        return found if found is not None and found.position == self._head[PLACE] - 1 else None

    def _fitting(self) -> NDArray[np.bool_]:
        """Return which tokens let the next note that stays come in its turn ``(V + 1,)``."""
        if self._found is None:
            self._found = np.zeros(len(self._table) + 1, bool)
            kind, starts = self._head[LAST_KIND], self._grammar.starts
            if kind == PITCH:
                self._found[starts[DURATION] : starts[DURATION + 1]] = True
            elif not self._let_chord(self._found) and not self._let_tempo(self._found):
                if self._head[PLACE]:
                    self._let_sound(self._found)
                if self._head[PLACE] and kind not in (PROGRAM, VELOCITY):
                    self._let_play(self._found)
                if kind in (BAR, METRE, DRUM, DURATION) or not self._head[LINES]:
                    self._let_go_on(self._found)
        return self._found

    def _let_chord(self, fits: NDArray[np.bool_]) -> bool:
        """Set the chords of a bar that may come; return whether one has to."""
        head, start = self._head, self._grammar.starts[CHORD]
        bar, count = head[LINES] - 1, head[CHORDS + chording.COUNT]
        if start == len(self._table) or bar < 0 or count > 1 or head[PLACE]:
            return False
        first, last = self._remaining.chords[bar]
        if first < 0:
            fits[start:-1] = True
            return bool(count == 0)
        if count and first == last:
            return False
        fits[last if count else first] = True
        return True

    def _let_tempo(self, fits: NDArray[np.bool_]) -> bool:
        """Set the tempo of the next note if it is due, and return whether it is."""
        head, note, first = self._head, self._note_here(), self._grammar.starts[TEMPO]
        is_due = note is not None and head[LAST_KIND] == POSITION
        if note is None or not is_due or head[NOW_TEMPO] == note.tempo - first + 1:
            return False
        fits[note.tempo] = True
        return True

    def _let_sound(self, fits: NDArray[np.bool_]) -> None:
        """Set sounds and velocities of the present instrument: free ones, and the next note's."""
        head, note, starts = self._head, self._note_here(), self._grammar.starts
        program = head[NOW_PROGRAM] - 1
        if program < 0:
            return
        velocities = fits[starts[VELOCITY] : starts[VELOCITY + 1]]
        loudness = steps.piece_of(self._state).players[program + 1, LOUDNESS] - 1  # -1 is none.
        kind = self._grammar.sounds[program]
        first, stop = max(starts[kind], starts[PITCH] + head[FLOOR]), starts[kind + 1]
        if note is not None and note.program <= program:
            # A new note comes before the next one that stays.
            stop = note.sound if note.program == program else first
        if self._is_free() and self._remaining.players[program] and first < stop:
            fits[first:stop] = loudness >= 0
            velocities[:] = head[LAST_KIND] != VELOCITY
            velocities[max(loudness, 0)] &= loudness < 0
        if note is not None and note.program == program:
            if loudness == note.velocity - starts[VELOCITY]:
                fits[note.sound] = True
            elif head[LAST_KIND] != VELOCITY:
                fits[note.velocity] = True

    def _let_play(self, fits: NDArray[np.bool_]) -> None:
        """Set the other instruments at this position: free ones, and that of the next note."""
        head, note, players = self._head, self._note_here(), self._remaining.players
        mine = fits[self._grammar.starts[PROGRAM] :][: len(players)]
        begin = head[NOW_PROGRAM] if head[HERE] else 0
        if self._is_free():
            part = slice(begin, None if note is None else note.program + 1)
            mine[part] = players[part]
        if note is not None:
            mine[note.program] = True
        if head[NOW_PROGRAM]:
            mine[head[NOW_PROGRAM] - 1] = False

    def _let_go_on(self, fits: NDArray[np.bool_]) -> None:
        """Set the next positions, the bar line or the end, unless a note comes before."""
        head, note, lines = self._head, self._note(), self._remaining.lines
        if self._note_here() is not None:
            return
        if head[LINES]:
            free, place = self._remaining.free[head[LINES] - 1], head[PLACE]
            positions = fits[self._grammar.starts[POSITION] :][: len(free)]
            part = slice(place, None if note is None else note.position)
            positions[part] = free[part]
            if note is not None:
                positions[note.position] = True
        if note is None and head[LINES] < len(lines):
            fits[lines[head[LINES]]] = True
        if self._notes == len(self._remaining.notes) and head[LINES] == len(lines):
            fits[-1] = head[LAST_KIND] in (DRUM, DURATION)

    def _is_free(self) -> bool:
        """Return whether new notes may begin at this position."""
        head = self._head
        return bool(self._remaining.free[head[LINES] - 1, head[PLACE] - 1])
