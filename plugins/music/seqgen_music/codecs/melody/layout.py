"""The layout of a melody's tokens: the table, the header, and the meaning of each id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqgen.plugin import Ids
from seqgen_music.bars import Metre, bar_length, beat_length
from seqgen_music.chords import Chord, nearest_kind
from seqgen_music.codecs.chorale.raster import REST
from seqgen_music.codecs.melody.line import HOLD, Line
from seqgen_music.codecs.tokens import TokenTable

#: Quarters at which features stop counting the length of a note or a repeat.
LONGEST_LASTED = 8

#: Bars in a phrase, and the phrase at which features stop counting.
PHRASE, LAST_PHRASE = 4, 8

#: Bars ago at which the features look.
LOOK_BACK = (1, 2, 4, 8)

#: Beats at which features stop counting the length of a chord.
LONGEST_CHORD = 16

#: Features that every melody has; those of chords follow.
OWN_FEATURES = 7 + 2 * len(LOOK_BACK)

#: Tokens before the first event, and the ids of events; the pitches come last.
HEADER, REST_ID, HOLD_ID, FIRST_PITCH = 2, 0, 1, 2


class MelodyLayout:
    """Which ids there are, and what each means.

    Parameters
    ----------
    low, high : int
        Lowest and highest pitch of the corpus.
    metres : sequence of (int, int)
        Metres of the corpus. Ids without a metre have the first.
    steps : int
        Steps in a quarter.
    kinds : sequence of str
        Kinds of chords; empty if the pieces have no chords.

    Attributes
    ----------
    table : TokenTable
    chords : tuple of C Chord
        Twelve of each kind. Chord n has the number n + 1, and 0 is no chord.
    same_chord : int
        The id of "same chord"; "no chord" and the chords follow. Without chords the number of ids.
    meaning : int64 array (V,)
        A pitch, `REST` or `HOLD` for each id.
    metre_of, upbeat_of : int64 array (V,)
        The number of the metre and the upbeat of each id; 0 if it has none.
    feature_values, feature_sizes : tuple
        As for a codec.
    longest_lasted, longest_look : int
        `LONGEST_LASTED` and the longest of `LOOK_BACK` in steps.
    """

    def __init__(
        self, low: int, high: int, metres: Sequence[Metre], steps: int, kinds: Sequence[str] = ()
    ) -> None:
        self.low, self.high, self.metres, self._steps = low, high, tuple(metres), steps
        self.kinds = tuple(kinds)
        self.chords = tuple(Chord(root, kind) for kind in kinds for root in range(12))
        longest_bar = max(map(self.bar, self.metres))
        pitches = range(low, high + 1)
        self.table = TokenTable(
            {
                "rest": (None,),
                "hold": (None,),
                "pitch": pitches,
                "metre": self.metres,
                "upbeat": range(longest_bar),
                **({"same chord": (None,), "no chord": (None,)} if kinds else {}),
                **({"chord": self.chords} if kinds else {}),
            }
        )
        self.same_chord = self.table.start("same chord") if kinds else len(self.table)
        self.meaning = np.full(len(self.table), REST)
        self.meaning[HOLD_ID] = HOLD
        self.meaning[FIRST_PITCH : FIRST_PITCH + len(pitches)] = pitches
        self.metre_of, self.upbeat_of = self.table.numbers("metre"), self.table.numbers("upbeat")
        self.longest_lasted = LONGEST_LASTED * steps
        self.longest_look = max(LOOK_BACK) * longest_bar
        lasted, events = range(self.longest_lasted + 1), (None, "rest", "hold", *pitches)
        self.feature_values: tuple[Sequence[Any], ...] = (
            *(range(HEADER + longest_bar), self.metres, range(PHRASE), range(LAST_PHRASE + 1)),
            *(range(2 * self.longest_lasted + 1), (None, *pitches), (None, *pitches)),
            *(events, lasted) * len(LOOK_BACK),
        )
        if kinds:
            names = (None, "no chord", *map(str, self.chords))
            self.feature_values += (
                *((False, True), (None, *range(12)), (None, *kinds), range(LONGEST_CHORD + 1)),
                *(names,) * len(LOOK_BACK),
            )
        self.feature_sizes = tuple(map(len, self.feature_values))

    def bar(self, metre: Metre) -> int:
        """Return the steps in a bar."""
        return bar_length(metre, self._steps)

    def read_header(self, ids: Ids) -> tuple[Metre, int]:
        """Return metre and upbeat of any ids; by default the first metre, and no upbeat."""
        metre = self.metres[self.metre_of[ids[0]]] if len(ids) else self.metres[0]
        upbeat = int(self.upbeat_of[ids[1]]) if len(ids) > 1 else 0
        return metre, upbeat % self.bar(metre)

    def ids_of(self, events: Ids) -> Ids:
        """Return the ids of events ``(N,)``."""
        ids = np.where(events == HOLD, HOLD_ID, REST_ID)
        return np.where(events >= 0, events - self.low + FIRST_PITCH, ids)

    def beat(self, metre: Metre) -> int:
        """Return the steps between the places of chords: a beat, in 2/2 a quarter."""
        beat = beat_length(metre, self._steps)
        return beat if metre[1] >= 4 else min(beat, self._steps)

    def events_of(self, ids: Ids) -> Ids:
        """Return the events of any ids ``(N,)`` behind their header ``(steps,)``."""
        body = ids[HEADER:]
        return np.asarray(self.meaning[body[body < self.same_chord]])

    def steps_before(self, ids: Ids, position: int) -> int:
        """Return the number of steps that end before a position of ids ``(N,)``."""
        return int((ids[HEADER : max(position, HEADER)] < self.same_chord).sum())

    def chord_changes(self, ids: Ids) -> list[tuple[int, Chord | None]]:
        """Return the step and the chord of each change in any ids ``(N,)``."""
        body = ids[HEADER:]
        is_chord = body >= self.same_chord
        steps = np.cumsum(~is_chord)
        last, found = 0, []
        numbers = body[is_chord] - self.same_chord - 1
        for step, number in zip(steps[is_chord].tolist(), numbers.tolist(), strict=True):
            if number >= 0 and number != last and step < steps[-1]:
                found.append((step, self.chords[number - 1] if number else None))
                last = number
        return found

    def chord_numbers(self, ids: Ids) -> Ids:
        """Return the number of the chord at each step of any ids ``(steps,)``."""
        numbers = np.zeros(self.steps_before(ids, len(ids)), np.int64)
        for step, chord in self.chord_changes(ids):
            numbers[step:] = self.chord_number(chord)
        return numbers

    def chord_number(self, chord: Chord | None) -> int:
        """Return the number of the known chord that is nearest to a chord."""
        if chord is None:
            return 0
        return 1 + 12 * self.kinds.index(nearest_kind(chord.kind, self.kinds)) + chord.root

    def with_chords(self, events: Ids, line: Line) -> Ids:
        """Return the ids of events ``(steps,)`` with a token of chords before each beat.

        A chord moves to the nearest beat, halves up; of several at one beat the last stays.
        """
        if not self.kinds:
            return events
        step = np.arange(len(events))
        places = (step - line.upbeat) % self.bar(line.metre)
        beats = np.flatnonzero((step == 0) | (places % self.beat(line.metre) == 0))
        middles = beats + np.append(beats[1:], len(events))  # twice the middle of each beat
        numbers = np.zeros(len(beats), np.int64)
        for at, chord in line.chords:
            numbers[np.searchsorted(middles, 2 * at, side="right") :] = self.chord_number(chord)
        changed = np.diff(numbers, prepend=0) != 0
        return np.insert(events, beats, self.same_chord + np.where(changed, 1 + numbers, 0))

    def transposed(self, ids: Ids, intervals: Ids) -> Ids:
        """Return ids ``(N,)`` moved by some intervals ``(K, N)``, pitches and chords."""
        moved = ids + np.where(self.meaning[ids] >= 0, intervals[:, None], 0)
        number = ids - self.same_chord - 2
        turned = number + (number % 12 + intervals[:, None]) % 12 - number % 12
        return np.where(number >= 0, self.same_chord + 2 + turned, moved)
