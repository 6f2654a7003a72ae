"""The codec `performance`: an instrument as it is played, in steps of a hundredth of a second.

Tokens are "note on" and "note off" for every pitch, "shift" for 1 to 100 steps of time, and
"velocity" for how hard the notes after it are struck. There is one way to write a piece:

- Shifts of 100 come first, then the rest; so a shorter one is not followed by another.
- At one moment notes end before others begin: they end in the order of their beginnings and
  pitches, and begin from the lowest up.
- Velocity comes only where it changes, and before the note that it changes for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids
from seqgen_music.codecs import passages, requests
from seqgen_music.codecs.performance.loops import Limits, fewest_pitches, longest_repeats
from seqgen_music.codecs.performance.memory import (
    FARTHEST,
    LATEST,
    LONGEST_RUN,
    Memory,
    features_of,
)
from seqgen_music.codecs.performance.tracker import (
    BIN_WIDTH,
    BINS,
    DEFAULT_BIN,
    FULL_SHIFT,
    LONGEST_SHIFT,
    LONGEST_SOUND,
    MOST_SOUNDING,
    OFF,
    ON,
    SHIFT,
    SPANS,
    STEPS,
    VELOCITY,
    PerformanceTracker,
    span_number,
)
from seqgen_music.codecs.rounding import nearest
from seqgen_music.codecs.tokens import TokenTable
from seqgen_music.music import NOTE, Music, Track, pitch_name

#: Steps for which what sounds in the end rings on if nothing ends it: the piece was cut there.
RING = 2 * STEPS

#: Notes of one chord begin at most so many steps apart, when performances are compared.
CHORD_SPREAD = 3

#: Most steps of a piece: what fits into a MIDI file.
LONGEST_PIECE = 10**6


#: Ticks of a step, and in a quarter, in the pieces that come out: a tick is a millisecond.
STEP_TICKS, QUARTER_TICKS, TEMPO = 10, 500, 120.0

#: Intervals, stretches of time and bins of velocity by which augmenting changes a piece at most.
TRANSPOSE, STRETCHES, LOUDER = 3, (0.95, 0.975, 1.0, 1.025, 1.05), 1


@dataclass(frozen=True)
class PerformanceOptions:
    """There is nothing to choose."""


@dataclass(frozen=True)
class Played:
    """Notes in steps of time, one value each per note.

    Attributes
    ----------
    start, end, pitch, bin : int64 array (N,)
        `bin` is that of the velocity, 1 to 32.
    """

    start: Ids
    end: Ids
    pitch: Ids
    bin: Ids

    def chosen(self, which: NDArray[Any]) -> Played:
        """Return some of the notes, or all in another order."""
        return Played(self.start[which], self.end[which], self.pitch[which], self.bin[which])

    def cleaned(self) -> Played:
        """Return the notes by start and pitch, each pitch sounding once at a time.

        A note ends where its pitch begins again; of notes of one pitch that begin together the
        longest stays. Notes and silences of more than `LONGEST_SOUND` are cut.
        """
        notes = self.chosen(np.lexsort((self.end, self.start, self.pitch)))
        end = np.minimum(notes.end, notes.start + LONGEST_SOUND)
        again = notes.pitch[1:] == notes.pitch[:-1]
        end[:-1] = np.where(again, np.minimum(end[:-1], notes.start[1:]), end[:-1])
        notes = Played(notes.start, end, notes.pitch, notes.bin)
        notes = notes.chosen(np.flatnonzero(end > notes.start))
        # Already by pitch, and a stable sort leaves it so.
        notes = notes.chosen(np.argsort(notes.start, kind="stable"))
        heard = np.maximum.accumulate(np.append(0, notes.end))[:-1]
        earlier = np.cumsum(np.maximum(notes.start - heard - LONGEST_SOUND, 0))
        return Played(notes.start - earlier, notes.end - earlier, notes.pitch, notes.bin)


def played(music: Music) -> Played:
    """Return all notes but drums, rounded to steps and bins.

    Raises
    ------
    DataError
        If there is none, or the piece is too long for a MIDI file.
    """
    drums = np.array([track.drums for track in music.tracks], bool)
    notes = music.notes[~drums[music.notes["track"]]] if drums.any() else music.notes
    if not len(notes):
        raise DataError("the piece has no note besides drums, and a performance needs one")
    start = nearest(music.seconds(notes["onset"]) * STEPS)
    end = nearest(music.seconds(notes["onset"] + notes["duration"]) * STEPS)
    velocity = np.clip(notes["velocity"].astype(np.int64), 1, BINS * BIN_WIDTH)
    bins = (velocity - 1) // BIN_WIDTH + 1
    pitch = notes["pitch"].astype(np.int64)
    clean = Played(start, np.maximum(end, start + 1), pitch, bins).cleaned()
    if (length := int(clean.end.max())) > LONGEST_PIECE:
        raise DataError(
            f"the piece is {length // STEPS:,} seconds long; {LONGEST_PIECE // STEPS:,} is the most"
        )
    return clean


class PerformanceCodec(Codec):
    """One instrument with its timing and dynamics.

    Lossy: all tracks but drums become one; onsets and ends are rounded to 10 ms, halves up, and
    what would last no time lasts 10 ms; velocities fall into 32 bins of four. A note ends where
    its pitch begins again, and of notes of one pitch that begin together the longest stays. Notes
    and silences of more than ten seconds are cut to ten. Metre, key and tempo go: time is in
    seconds.

    Fifteen features: what came last; how long ago a note began, and how long before that another
    one did; how many notes sound; the velocity; the last two pitches; the pitch that has sounded
    longest, and for how long; how it went on when the same pitches came before: the pitch, when it
    is due, its velocity, and how many notes on end came as they did then; and which note is to end
    first if notes last as they did then, and when.

    Parameters
    ----------
    low, high : int
        Lowest and highest pitch of the corpus.
    program : int
        General MIDI program of the pieces that come out.
    limits : Limits
        How far new pieces go round in a loop, and how short they are.
    """

    options_type: ClassVar[type[Any]] = PerformanceOptions
    temperature: float = 1.0
    min_p: float = 0.05

    def __init__(
        self,
        low: int,
        high: int,
        program: int,
        limits: Limits,
        options: PerformanceOptions,
    ) -> None:
        self.options, self.low, self.high, self.program = options, low, high, program
        self.limits = limits
        pitches = range(low, high + 1)
        self.table = TokenTable(
            {
                "note on": pitches,
                "note off": pitches,
                "velocity": range(1, BINS + 1),
                "shift": range(1, LONGEST_SHIFT + 1),
            }
        )
        self.vocab = self.table.names
        #: What each id is, from `ON` to `FULL_SHIFT`, and the number of it among its kind.
        self.kind_of = self.table.kind_of + ON
        self.kind_of[-1] = FULL_SHIFT
        self.number_of = self.table.number_of
        self.feature_sizes = (
            *(FULL_SHIFT + 1, len(SPANS) + 1, len(SPANS) + 1, MOST_SOUNDING + 1, BINS + 1),
            *(len(pitches) + 1, len(pitches) + 1, len(pitches) + 1, len(SPANS) + 1),
            *(len(pitches) + 1, LATEST + FARTHEST + 2, BINS + 1, LONGEST_RUN + 1),
            *(len(pitches) + 1, LATEST + FARTHEST + 2),
        )

    @classmethod
    def fit(cls, pieces: Iterable[Music], options: PerformanceOptions) -> Self:
        """Learn the range, the program that plays most notes, and how far pieces go.

        Raises
        ------
        DataError
            If no piece has a note besides drums.
        """
        low, high, programs = 128, -1, Counter[int]()
        fewest, longest, notes = [], [], []
        for piece in pieces:
            try:
                pitches = played(piece).pitch
            except DataError:
                continue
            low, high = min(low, int(pitches.min())), max(high, int(pitches.max()))
            fewest.append(fewest_pitches(pitches))
            longest.append(longest_repeats(pitches))
            notes.append(len(pitches))
            counts = np.bincount(piece.notes["track"], minlength=len(piece.tracks)).tolist()
            for track, count in zip(piece.tracks, counts, strict=True):
                programs[track.program] += 0 if track.drums else count
        if not programs:
            raise DataError("no piece can be performed: none has a note besides drums")
        program = min(programs, key=lambda program: (-programs[program], program))
        return cls(low, high, program, Limits.of(fewest, longest, notes), options)

    def encode(self, piece: Music) -> Ids:
        """Return the notes as ids.

        Raises
        ------
        DataError
            If `played` refuses the piece, or for a pitch that the corpus had not.
        """
        notes = played(piece)
        outside = notes.pitch[(notes.pitch < self.low) | (notes.pitch > self.high)]
        if len(outside):
            raise DataError(
                f"pitch {pitch_name(int(outside[0]))} is outside {pitch_name(self.low)} to "
                f"{pitch_name(self.high)}, the range of this model's corpus; transpose the piece"
            )
        return self._ids_of(notes)

    def decode(self, ids: Ids) -> Music:
        """Return one track.

        A note ends at the first "note off" that no earlier note of its pitch has taken. Where there
        is none, as in a piece that was cut, it rings on for two seconds after the last token, but
        no note lasts more than ten. Ids that mean nothing here are passed over.
        """
        notes, _, _ = self._notes_of(ids)
        rows = np.zeros(len(notes.start), NOTE)
        rows["onset"] = notes.start * STEP_TICKS
        rows["duration"] = (notes.end - notes.start) * STEP_TICKS
        rows["pitch"], rows["velocity"] = notes.pitch, 1 + BIN_WIDTH * (notes.bin - 1)
        rows = rows[rows["duration"] > 0]
        rows = rows[np.lexsort((rows["pitch"], rows["onset"]))]
        track = Track("Performance", self.program)
        return Music(rows, (track,), QUARTER_TICKS, ((0, TEMPO),))

    def state(self) -> dict[str, Any]:
        """Return what `fit` has learned."""
        return {
            "low": self.low,
            "high": self.high,
            "program": self.program,
            "fewest": list(self.limits.fewest),
            "longest": list(self.limits.longest),
            "shortest": self.limits.shortest,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: PerformanceOptions) -> Self:
        """Rebuild the codec."""
        low, high, program = state["low"], state["high"], state["program"]
        limits = Limits(tuple(state["fewest"]), tuple(state["longest"]), state["shortest"])
        return cls(low, high, program, limits, options)

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Transpose by at most three semitones, stretch by at most a twentieth, play it louder."""
        notes, _, _ = self._notes_of(ids)
        notes = notes.chosen(np.flatnonzero(notes.end > notes.start))
        if not len(notes.start):
            return ids
        down = max(-TRANSPOSE, self.low - int(notes.pitch.min()))
        up = min(TRANSPOSE, self.high - int(notes.pitch.max()))
        interval, stretch = rng.integers(down, up + 1), rng.choice(STRETCHES)
        louder = rng.integers(-LOUDER, LOUDER + 1)
        start, end = (nearest(steps * stretch) for steps in (notes.start, notes.end))
        varied = Played(
            *(start, np.maximum(end, start + 1)),
            *(notes.pitch + interval, np.clip(notes.bin + louder, 1, BINS)),
        )
        return self._ids_of(varied.cleaned())

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position (N + 1, 15)."""
        rows = np.zeros((len(ids) + 1, len(self.feature_sizes)), np.int64)
        notes, began, closed = self._notes_of(ids)
        position = np.arange(len(rows))
        time = np.append(0, np.cumsum(self._shifts(ids)))
        rows[1:, 0] = self.kind_of[ids]
        count = np.searchsorted(began, position)
        # A time of its own for each moment at which notes begin; two stand before the first.
        moments = np.unique(notes.start)
        moment = np.append(-1, np.searchsorted(moments, notes.start))[count] + 2
        moments = np.concatenate([[0, 0], moments])
        rows[:, 1] = span_number(time - moments[moment])
        rows[:, 2] = span_number(moments[moment] - moments[moment - 1])
        ended = np.searchsorted(np.sort(closed), position)
        rows[:, 3] = np.minimum(count - ended, MOST_SOUNDING)
        rows[1:, 4] = self._bins(ids)
        pitches = np.concatenate([[0, 0], notes.pitch - self.low + 1])
        rows[:, 5], rows[:, 6] = pitches[count + 1], pitches[count]
        # The first note that still sounds is the first at which the latest end so far is to come.
        oldest = np.searchsorted(np.maximum.accumulate(closed), position)
        sounds = np.flatnonzero(oldest < count)
        oldest = oldest[sounds]
        rows[sounds, 7] = pitches[oldest + 2]
        rows[sounds, 8] = span_number(time[sounds] - notes.start[oldest])
        at, said = self._remembered(notes, began, closed, len(ids))
        rows[:, 9:] = features_of(said[np.searchsorted(at, position)], time)
        return rows

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return what follows the first `start` ids; notes that sound over the seam begin there."""
        head = ids[:start]
        notes, _, closed = self._notes_of(head)
        sounding = np.unique(notes.pitch[closed == len(head)])
        said = head[self.kind_of[head] == VELOCITY][-1:]
        return np.concatenate(
            [said, self.table.start("note on") + sounding - self.low, ids[start:]]
        ).astype(np.int64)

    def tracker(self, condition: Any = None) -> PerformanceTracker:
        """Return the follower that keeps to the one way to write a piece.

        Parameters
        ----------
        condition : str, optional
            Such as ``seconds=30``: from then on no note begins, and the piece ends when the last
            one does.

        Raises
        ------
        DataError
            If the condition is not understood.
        """
        if condition is None:
            return PerformanceTracker(self)
        wanted = requests.parse(condition, {"seconds": requests.number}, "seconds=30")
        return PerformanceTracker(self, wanted["seconds"])

    def passages(self, ids: Ids) -> Ids:
        """Return passages of all notes in their order, whatever their time and loudness."""
        notes, _, _ = self._notes_of(ids)
        return passages.played_passages(notes.pitch, notes.start, CHORD_SPREAD)

    def place(self, ids: Ids, position: int) -> str:
        """Return the time, in minutes and seconds."""
        minutes, seconds = divmod(int(self._shifts(ids[:position]).sum()) // STEPS, 60)
        return f"{minutes}:{seconds:02}"

    def units(self, ids: Ids) -> dict[str, float]:
        """Count tokens, notes and seconds."""
        return {
            "tokens": float(len(ids)),
            "notes": float((self.kind_of[ids] == ON).sum()),
            "seconds": float(self._shifts(ids).sum()) / STEPS,
        }

    def _remembered(self, notes: Played, began: Ids, closed: Ids, end: int) -> tuple[Ids, Ids]:
        """Return what a `Memory` says before the notes, and after every beginning and end of one.

        Parameters
        ----------
        notes, began, closed
            As of `_notes_of`.
        end : int
            What `closed` is for notes that nothing ends.

        Returns
        -------
        at : int64 array (events,)
            Where in the ids each beginning and end is.
        said : int64 array (events + 1, 6)
        """
        ended = np.flatnonzero(closed < end)
        at = np.concatenate([began, closed[ended]])
        order = np.argsort(at)
        numbers = np.concatenate([np.arange(len(began)), ended])[order]
        begins = (order < len(began)).tolist()
        steps = np.concatenate([notes.start, notes.end[ended]])[order].tolist()
        pitches = (notes.pitch - self.low + 1)[numbers].tolist()
        memory = Memory()
        said = [memory.said()]
        bins = notes.bin[numbers].tolist()
        for is_begin, step, pitch, loud in zip(begins, steps, pitches, bins, strict=True):
            if is_begin:
                memory.begin(step, pitch, loud)
            else:
                memory.end(step, pitch)
            said.append(memory.said())
        return at[order], np.array(said)

    def _shifts(self, ids: Ids) -> Ids:
        """Return the steps of time that each id adds."""
        return np.where(self.kind_of[ids] >= SHIFT, self.number_of[ids] + 1, 0)

    def _bins(self, ids: Ids) -> Ids:
        """Return the bin of velocity after each id, 0 before the first is said."""
        last = np.where(self.kind_of[ids] == VELOCITY, np.arange(1, len(ids) + 1), 0)
        said = np.append(0, self.number_of[ids] + 1)
        return said[np.maximum.accumulate(last)]

    def _ids_of(self, notes: Played) -> Ids:
        """Return the ids of notes that are clean."""
        count = len(notes.start)
        # Ends before beginnings at the same step; the sort keeps the order of notes.
        steps = np.concatenate([notes.end, notes.start])
        order = np.argsort(2 * steps + (np.arange(2 * count) >= count), kind="stable")
        steps = steps[order]
        begins = order >= count
        on, off = self.table.start("note on"), self.table.start("note off")
        tokens = np.concatenate([notes.pitch - self.low + off, notes.pitch - self.low + on])[order]
        full, rest = np.divmod(np.diff(steps, prepend=0), LONGEST_SHIFT)
        louder = np.zeros(2 * count, bool)
        louder[begins] = np.diff(notes.bin, prepend=0) != 0
        stops = np.cumsum(full + (rest > 0) + louder + 1)
        ids = np.full(stops[-1], len(self.table) - 1)
        ids[stops - 1] = tokens
        bins = notes.bin[order[louder] - count]
        ids[stops[louder] - 2] = self.table.start("velocity") + bins - 1
        short = rest > 0
        ids[(stops - 2 - louder)[short]] = self.table.start("shift") + rest[short] - 1
        return ids

    def _notes_of(self, ids: Ids) -> tuple[Played, Ids, Ids]:
        """Return the notes of any ids in the order of their beginnings, some without length.

        Returns
        -------
        notes : Played
        began, closed : int64 array (notes,)
            Where in `ids` each begins and ends; N where nothing ends it.
        """
        kind = self.kind_of[ids]
        time = np.append(0, np.cumsum(self._shifts(ids)))
        began = np.flatnonzero(kind == ON)
        pitch = self.number_of[ids[began]]
        closed = np.full(len(began), len(ids))
        ended = self._taken(ids)
        # Both by pitch, then by time: the n-th note of a pitch ends with the n-th end of it.
        ons, offs = (np.argsort(self.number_of[ids[at]], kind="stable") for at in (began, ended))
        pitches, end_pitches = pitch[ons], self.number_of[ids[ended[offs]]]
        nth = np.arange(len(ons)) - np.searchsorted(pitches, pitches)
        match = np.searchsorted(end_pitches, pitches) + nth
        has_end = match < np.searchsorted(end_pitches, pitches, side="right")
        closed[ons[has_end]] = ended[offs][match[has_end]]
        start, end = time[began], time[closed]
        end = np.where(closed == len(ids), np.minimum(end + RING, start + LONGEST_SOUND), end)
        bins = np.append(self._bins(ids), 0)[began]
        bins = np.where(bins == 0, DEFAULT_BIN, bins)
        return Played(start, end, pitch + self.low, bins), began, closed

    def _taken(self, ids: Ids) -> Ids:
        """Return where in `ids` a "note off" ends a note: its pitch then sounds."""
        kind = self.kind_of[ids]
        notes = np.flatnonzero((kind == ON) | (kind == OFF))
        notes = notes[np.argsort(self.number_of[ids[notes]], kind="stable")]
        pitch, is_on = self.number_of[ids[notes]], kind[notes] == ON
        # How many notes of the pitch sound, if each off ended one; a fall below all before it, and
        # below zero, ends none.
        depth = np.cumsum(np.where(is_on, 1, -1))
        first = np.searchsorted(pitch, pitch)
        depth -= np.append(0, depth)[first]
        # Where the pitch changes `lowest` begins anew: the next multiple of `room` is below all.
        room = len(notes) + 1
        lowest = np.minimum.accumulate(np.minimum(depth, 0) - pitch * room) + pitch * room
        before = np.where(np.arange(len(notes)) == first, 0, np.append(0, lowest)[:-1])
        return np.sort(notes[~is_on & (depth >= before)])
