"""The codec `performance`: an instrument as it is played, in steps of a hundredth of a second.

Tokens are "note on" and "note off" for every pitch, "shift" for 1 to 100 steps of time, and
"velocity" for the loudness of the notes after it. `spelling` says in which order they come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.requests import number, parse
from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids, Request
from seqgen_music.codecs import passages
from seqgen_music.codecs.lengths import LENGTHS, NO_LENGTHS, PLANNED, ends_of
from seqgen_music.codecs.performance import steps
from seqgen_music.codecs.performance.grammar import PerformanceGrammar
from seqgen_music.codecs.performance.layout import (
    ON,
    VELOCITY,
    PerformanceLayout,
)
from seqgen_music.codecs.performance.loops import (
    UNLIMITED,
    Limits,
    fewest_pitches,
    longest_repeats,
)
from seqgen_music.codecs.performance.memory import LONGEST
from seqgen_music.codecs.performance.notes import (
    BINS,
    STEP_TICKS,
    STEPS,
    Played,
    in_seconds,
    placed_of,
    played,
)
from seqgen_music.codecs.performance.spelling import notes_of, spelled
from seqgen_music.codecs.performance.tracker import PerformanceTracker
from seqgen_music.codecs.refusals import refuse_pitches
from seqgen_music.joining import Seam, joined
from seqgen_music.music import Music
from seqgen_music.rounding import nearest

#: Steps between the starts of the notes of one chord, where performances are compared.
CHORD_SPREAD = 3

#: What augmentation changes at most: semitones, factors of time, and bins of velocity.
TRANSPOSE, FACTORS, LOUDER = 3, (0.95, 0.975, 1.0, 1.025, 1.05), 1


@dataclass(frozen=True)
class PerformanceOptions:
    """No options."""


class PerformanceCodec(Codec):
    """One instrument with its timing and dynamics.

    Lossy: all tracks except drums become one. Onsets and ends are rounded to 10 ms, halves up, and
    every note lasts at least 10 ms. Velocities fall into 32 bins of four. A note ends where its
    pitch begins again, and the longest stays of notes that begin together at one pitch. Notes and
    silences are cut to ten seconds. Metre, key and tempo are lost: time is in seconds.

    Seventeen features: the kind of the last token; the time since a note began, and between that
    and the one before; the number of sounding notes; the velocity; the last two pitches; the pitch
    that has sounded longest, and for how long; what followed when the same pitches came before: the
    pitch, when it is due, its velocity, and how many notes in a row came as expected; which
    note should end first, and when, if notes last as they did then; the seconds that are left, and
    the share of the piece that is over.

    Parameters
    ----------
    low, high : int
        Lowest and highest pitch of the corpus.
    program : int
        General MIDI program of generated pieces.
    options : PerformanceOptions
    limits : Limits, optional
        How long new pieces may stay in a loop, and how short they may be; by default as they like.
    lengths : (int, int)
        As in `PerformanceLayout`.
    longest : int
        Tokens of the longest training piece; 0 if unknown.
    """

    options_type: ClassVar[type[Any]] = PerformanceOptions
    temperature: float = 1.0
    min_p: float = 0.05
    limited: bool = True
    requests: Mapping[str, Request] = {
        "seconds": Request("Time after which no note begins.", "30", number)
    }

    def __init__(
        self,
        low: int,
        high: int,
        program: int,
        options: PerformanceOptions,
        limits: Limits = UNLIMITED,
        lengths: tuple[int, int] = NO_LENGTHS,
        longest: int = 0,
    ) -> None:
        self.options, self.program, self.limits, self.longest = options, program, limits, longest
        self.layout = PerformanceLayout(low, high, lengths)
        self.vocab, self.feature_values = self.layout.table.names, self.layout.feature_values
        self.feature_sizes = self.layout.feature_sizes

    @classmethod
    def fit(cls, pieces: Iterable[Music], options: PerformanceOptions) -> Self:
        """Learn the range, and the program that plays most notes.

        Raises
        ------
        DataError
            If no piece has a note besides drums.
        """
        low, high, programs, seconds = 128, -1, Counter[int](), set()
        for piece in pieces:
            try:
                notes = played(piece)
            except DataError:
                continue
            low, high = min(low, int(notes.pitch.min())), max(high, int(notes.pitch.max()))
            seconds.add(-(-int(notes.end.max()) // STEPS))
            counts = np.bincount(piece.notes["track"], minlength=len(piece.tracks)).tolist()
            for track, count in zip(piece.tracks, counts, strict=True):
                programs[track.program] += 0 if track.drums else count
        if not programs:
            raise DataError("no piece can be performed: none has a note besides drums")
        program = min(programs, key=lambda program: (-programs[program], program))
        return cls(low, high, program, options, lengths=ends_of(seconds))

    def learn_grammar(self, pieces: Iterable[Ids]) -> None:
        """Learn the limits on loops and on short pieces, and the longest piece."""
        fewest, longest, notes = [], [], []
        for ids in pieces:
            self.longest = max(self.longest, len(ids))
            pitches = notes_of(ids, self.layout)[0].pitch
            if len(pitches):
                fewest.append(fewest_pitches(pitches))
                longest.append(longest_repeats(pitches))
                notes.append(len(pitches))
        self.limits = Limits.of(fewest, longest, notes) if notes else UNLIMITED

    def encode(self, piece: Music) -> Ids:
        """Return the notes as ids.

        Raises
        ------
        DataError
            If `played` refuses the piece, or the corpus did not have a pitch.
        """
        notes = played(piece)
        refuse_pitches(notes.pitch, self.layout.low, self.layout.high)
        return spelled(notes, self.layout)

    def decode(self, ids: Ids) -> Music:
        """Return one track.

        A note ends at the first "note off" that no earlier note of its pitch has taken. If there is
        none, as in a piece that was cut, it rings for two seconds after the last token. No note
        lasts more than ten seconds. Ids out of place are skipped.
        """
        notes, _, _ = notes_of(ids, self.layout)
        return notes.to_music(self.program)

    def keep(self, given: Music, ids: Ids, start: int) -> Music:
        """Return a piece that begins as the given one, with its tracks, tempo and metre."""
        head, piece, placed = self.decode(ids[:start]), self.decode(ids), placed_of(given)
        tick = int(self.layout.shifts(ids[:start]).sum()) * STEP_TICKS
        is_whole = np.array_equal(self.encode(given), ids[:start])
        seam = Seam.at(tick, placed.begun(given, head, tick), is_whole=is_whole)
        return joined(given, (head, piece), placed, seam, in_seconds)

    def state(self) -> dict[str, Any]:
        """Return what `fit` has learned."""
        return {
            "low": self.layout.low,
            "high": self.layout.high,
            "program": self.program,
            "fewest": list(self.limits.fewest),
            "longest": list(self.limits.longest),
            "shortest": self.limits.shortest,
            "lengths": list(self.layout.lengths),
            "tokens": self.longest,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: PerformanceOptions) -> Self:
        """Rebuild the codec."""
        low, high, program = state["low"], state["high"], state["program"]
        limits = Limits(tuple(state["fewest"]), tuple(state["longest"]), state["shortest"])
        lengths = state["lengths"][0], state["lengths"][1]
        return cls(low, high, program, options, limits, lengths, state["tokens"])

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Transpose by up to three semitones, stretch time by up to 5%, change the loudness.

        `PLANNED` of the pieces get their seconds.
        """
        notes, _, _ = notes_of(ids, self.layout)
        notes = notes.chosen(np.flatnonzero(notes.end > notes.start))
        if not len(notes.start):
            return ids
        down = max(-TRANSPOSE, self.layout.low - int(notes.pitch.min()))
        up = min(TRANSPOSE, self.layout.high - int(notes.pitch.max()))
        interval, factor = rng.integers(down, up + 1), rng.choice(FACTORS)
        louder = rng.integers(-LOUDER, LOUDER + 1)
        start, end = (nearest(steps * factor) for steps in (notes.start, notes.end))
        varied = Played(
            *(start, np.maximum(end, start + 1)),
            *(notes.pitch + interval, np.clip(notes.bin + louder, 1, BINS)),
        )
        new = spelled(varied.cleaned(), self.layout)
        return self.layout.planned(new) if rng.random() < PLANNED else new

    def variations(self, ids: Ids) -> Ids:
        """Return all transpositions within the pitches of the corpus."""
        return self.layout.table.transpositions(ids, "note on", "note off")

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position ``(N + 1, 17)``."""
        rows = np.empty((len(ids) + 1, len(self.feature_sizes)), np.int64)
        notes = int((self.layout.kind_of[ids] == ON).sum())
        state = steps.new_state(notes, notes * LONGEST)
        steps.follow(steps.constants(self.layout, self.limits), ids.astype(np.int64), state, rows)
        return rows

    def masks(self, ids: Ids) -> NDArray[np.uint8]:
        """Return which ids the grammar allows at each position, packed ``(N + 1, W)``.

        At one moment notes end in the order of their starts and pitches, and others begin from the
        lowest up. A sounding note does not begin again, and only sounding notes end. Notes and
        silences last at most ten seconds, and a piece ends with its last note. The limits on loops
        and on short pieces are the tracker's alone: 1 in 20 pieces of a corpus is beyond them.
        """
        return PerformanceGrammar(self.layout).masks(ids)

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return what follows the first `start` ids; notes held over the cut begin there."""
        head = ids[:start]
        notes, _, closed = notes_of(head, self.layout)
        sounding = np.unique(notes.pitch[closed == len(head)]) - self.layout.low
        velocity = head[self.layout.kind_of[head] == VELOCITY][-1:]
        ons = self.layout.table.start("note on") + sounding
        return np.concatenate([velocity, ons, ids[start:]]).astype(np.int64)

    def tracker(self, condition: Any = None) -> PerformanceTracker:
        """Return a tracker that keeps to the one spelling of a piece.

        Parameters
        ----------
        condition : str, optional
            Such as ``seconds=30``: after that no note begins, and the piece ends with the last
            note.

        Raises
        ------
        DataError
            If the condition cannot be read.
        """
        requested = parse(condition, self.requests)
        return PerformanceTracker(self.layout, self.limits, requested.get("seconds"))

    def most_tokens(self, condition: Any) -> int | None:
        """Return twice the tokens of the longest piece; more where more seconds are requested."""
        seconds = parse(condition, self.requests).get("seconds", 0)
        longest = LENGTHS[max(self.layout.lengths[1], 0)]
        return int(2 * self.longest * max(seconds / longest, 1)) or None

    def passages(self, ids: Ids) -> Ids:
        """Return the passages of all notes by their order, whatever their time and loudness."""
        notes, _, _ = notes_of(ids, self.layout)
        return passages.played_passages(notes.pitch, notes.start, CHORD_SPREAD)

    def place(self, ids: Ids, position: int) -> str:
        """Return the time in minutes and seconds."""
        minutes, seconds = divmod(int(self.layout.shifts(ids[:position]).sum()) // STEPS, 60)
        return f"{minutes}:{seconds:02}"

    def units(self, ids: Ids) -> dict[str, float]:
        """Count tokens, notes and seconds."""
        return {
            "tokens": float(len(ids)),
            "notes": float((self.layout.kind_of[ids] == ON).sum()),
            "seconds": float(self.layout.shifts(ids).sum()) / STEPS,
        }
