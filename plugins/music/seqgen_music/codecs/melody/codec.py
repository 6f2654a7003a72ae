"""The codec `melody`: one voice on a grid, one token per step.

A token is the pitch of a note that begins, "rest" where a silence begins, or "hold". Two tokens
open the piece: its metre, and the length of its upbeat. Silence fills the last bar, so that a
piece has a whole number of bars after its upbeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.requests import parse
from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids, Request
from seqgen_music.bars import Metre, metre_name
from seqgen_music.codecs import passages
from seqgen_music.codecs.chorale.raster import REST, STEP_TICKS
from seqgen_music.codecs.melody.grammar import MelodyGrammar
from seqgen_music.codecs.melody.layout import (
    HEADER,
    HOLD_ID,
    MelodyLayout,
)
from seqgen_music.codecs.melody.line import (
    HOLD,
    Line,
    MelodyOptions,
    WhichTrack,
    line_of,
    melody_onsets,
    placed_of,
)
from seqgen_music.codecs.melody.tracker import MelodyTracker
from seqgen_music.codecs.moves import SIXTEENTHS, TRIPLETS, Moves, choose_grid
from seqgen_music.codecs.refusals import refuse_metre, refuse_pitches
from seqgen_music.codecs.requests import BARS, METRE, metre_request
from seqgen_music.joining import Seam, joined
from seqgen_music.keys import signed
from seqgen_music.music import Music


class MelodyCodec(Codec):
    """One voice as tokens on a grid.

    Lossy: one track stays, the one with the highest mean pitch or the first. Onsets and ends are
    rounded to the grid, halves up; 16ths lose triplets, 12 steps a quarter keep both. At every
    onset the highest note stays, and the next onset ends it. Silence before the first note becomes
    upbeat. A silence of two bars or more is shortened by whole bars until it is shorter than two.
    Dynamics, instrument and changes of metre are lost. The tempo is the median of the corpus, and
    the key signature that of the key found in the notes.

    Fifteen features: the place in the bar; the metre; the bar in its phrase of four; the number of
    the phrase; how long the note or silence has lasted; the last two pitches; and for one, two,
    four and eight bars ago the event at the same position, and for how long the piece has repeated
    that bar.

    Parameters
    ----------
    low, high : int
        Lowest and highest pitch of the corpus.
    metres : sequence of (int, int)
        Metres of the corpus. Ids without a metre have the first.
    tempo : float
        Quarters a minute of generated pieces.
    steps : int
        Steps in a quarter.
    options : MelodyOptions
    """

    options_type: ClassVar[type[Any]] = MelodyOptions
    min_p: float = 0.05
    requests: Mapping[str, Request] = {"bars": BARS, "metre": METRE}

    def __init__(
        self,
        low: int,
        high: int,
        metres: Sequence[Metre],
        tempo: float,
        steps: int,
        options: MelodyOptions,
    ) -> None:
        self.options, self.tempo, self.steps = options, tempo, steps
        self.layout = MelodyLayout(low, high, metres, steps)
        self._grammar = MelodyGrammar(self.layout)
        self.vocab, self.feature_values = self.layout.table.names, self.layout.feature_values
        self.feature_sizes = self.layout.feature_sizes
        self.groups = self.layout.table.all_alone_but("pitch")
        self.requests = {"bars": BARS, "metre": metre_request(self.layout.metres)}

    @classmethod
    def fit(cls, pieces: Iterable[Music], options: MelodyOptions) -> Self:
        """Learn the range, the metres, the median tempo and, unless it is given, the grid.

        Raises
        ------
        DataError
            If no piece has a melody.
        """
        grids = [options.steps] if options.steps else [SIXTEENTHS, TRIPLETS]
        found = {steps: _Found(steps, options.track) for steps in grids}
        for piece in pieces:
            for each in found.values():
                each.add(piece)
        moves = {steps: each.moves for steps, each in found.items()}
        steps, note = choose_grid(moves) if len(grids) > 1 else (grids[0], str(moves[grids[0]]))
        chosen = found[steps]
        if not chosen.metres:
            raise DataError("no piece has a melody: a track with notes that is not drums")
        tempo = round(float(np.median(chosen.tempos)), 2)
        metres = sorted(chosen.metres)
        codec = cls(min(chosen.pitches), max(chosen.pitches), metres, tempo, steps, options)
        codec.fit_note = note
        return codec

    def encode(self, piece: Music) -> Ids:
        """Return metre, upbeat and the event of every step as ids.

        Raises
        ------
        DataError
            If there is no note besides drums, or the corpus did not have a pitch or the metre.
        """
        line, layout = line_of(piece, self.steps, self.options.track), self.layout
        refuse_pitches(line.events[line.events >= 0], layout.low, layout.high)
        refuse_metre(line.metre, layout.metres)
        header = [layout.table.id("metre", line.metre), layout.table.id("upbeat", line.upbeat)]
        return np.concatenate([header, layout.ids_of(line.events)]).astype(np.int64)

    def decode(self, ids: Ids) -> Music:
        """Return one track."""
        return signed(self._line(ids).to_music(self.steps, self.tempo))

    def keep(self, given: Music, ids: Ids, start: int) -> Music:
        """Return a piece that begins as the given one, with all its tracks; the melody goes on."""
        head, placed = self._line(ids[:start]), placed_of(given, self.steps, self.options.track)
        tick = (len(head.events) + head.late(self.steps)) * STEP_TICKS
        is_whole = np.array_equal(self.encode(given), ids[:start])
        seam = Seam.at(tick, placed.onset < tick, is_whole=is_whole)
        pieces = self.decode(ids[:start]), self.decode(ids)
        return joined(given, pieces, placed, seam, is_even=True)

    def state(self) -> dict[str, Any]:
        """Return range, metres, tempo and steps."""
        layout = self.layout
        return {
            "low": layout.low,
            "high": layout.high,
            "metres": [*map(list, layout.metres)],
            "tempo": self.tempo,
            "steps": self.steps,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: MelodyOptions) -> Self:
        """Rebuild the codec."""
        metres = [(beats, unit) for beats, unit in state["metres"]]
        return cls(state["low"], state["high"], metres, state["tempo"], state["steps"], options)

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Transpose by an interval that stays in the range of the corpus."""
        meaning = self.layout.meaning[ids]
        pitches = meaning[meaning >= 0]
        if not len(pitches):
            return ids
        down = self.layout.low - int(pitches.min())
        up = self.layout.high - int(pitches.max())
        return np.where(meaning >= 0, ids.astype(np.int64) + rng.integers(down, up + 1), ids)

    def variations(self, ids: Ids) -> Ids:
        """Return all transpositions within the pitches of the corpus."""
        return self.layout.table.transpositions(ids, "pitch")

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position ``(N + 1, 15)``."""
        return self._grammar.follow(ids)[0]

    def masks(self, ids: Ids) -> NDArray[np.uint8]:
        """Return the packed mask of every position ``(N + 1, W)``."""
        return self._grammar.follow(ids)[1]

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the steps after the first `start` ids, with the metre and a matching upbeat."""
        steps = max(start - HEADER, 0)
        if not steps:
            return ids
        rest, line = ids[start:].copy(), self._line(ids)
        if len(rest) and rest[0] == HOLD_ID:
            # A note held over the cut begins there.
            before = line.events[:steps]
            rest[0] = self.layout.ids_of(before[before != HOLD][-1:])[0]
        upbeat = (line.upbeat - steps) % self.layout.bar(line.metre)
        return np.concatenate([ids[:1], [self.layout.table.id("upbeat", upbeat)], rest])

    def tracker(self, condition: Any = None) -> MelodyTracker:
        """Return a tracker that keeps the metre, and ends at a bar line.

        Parameters
        ----------
        condition : str, optional
            Such as ``bars=16, metre=3/4``: the number of bars after the upbeat, and the metre.

        Raises
        ------
        DataError
            If the condition cannot be read, or the corpus did not have the metre.
        """
        requested = parse(condition, self.requests)
        return MelodyTracker(self._grammar, requested.get("metre"), requested.get("bars"))

    def header_values(self, ids: Ids) -> dict[str, str]:
        """Return the metre."""
        return {"metre": metre_name(self.layout.read_header(ids)[0])}

    def passages(self, ids: Ids) -> Ids:
        """Return the passages of the melody."""
        events = self.layout.meaning[ids[HEADER:]]
        onsets = np.flatnonzero(events >= 0)
        return passages.passages(events[onsets], onsets)

    def place(self, ids: Ids, position: int) -> str:
        """Return the bar; the first full one is bar 1."""
        metre, upbeat = self.layout.read_header(ids)
        bar = (max(position - HEADER, 0) - upbeat) // self.layout.bar(metre) + 1
        return f"bar {bar}" if bar else "upbeat"

    def units(self, ids: Ids) -> dict[str, float]:
        """Count tokens, quarters, bars and notes."""
        steps = max(len(ids) - HEADER, 0)
        bar = self.layout.bar(self.layout.read_header(ids)[0])
        notes = int((self.layout.meaning[ids[HEADER:]] >= 0).sum())
        return {
            "tokens": float(len(ids)),
            "quarters": steps / self.steps,
            "bars": steps / bar,
            "notes": float(notes),
        }

    def _line(self, ids: Ids) -> Line:
        """Return the line of any ids; tokens out of place are rests."""
        events = self.layout.meaning[ids[HEADER:]]
        events[:1] = np.where(events[:1] == HOLD, REST, events[:1])
        return Line(events, *self.layout.read_header(ids))


class _Found:
    """What the melodies of a corpus have on one grid."""

    def __init__(self, steps: int, track: WhichTrack) -> None:
        self.moves, self._track = Moves(steps), track
        self.pitches: set[int] = set()
        self.metres: set[Metre] = set()
        self.tempos: list[float] = []

    def add(self, piece: Music) -> None:
        """Add a piece; one without a melody is skipped."""
        try:
            line = line_of(piece, self.moves.steps, self._track)
        except DataError:
            return
        pitches = line.events[line.events >= 0]
        self.pitches.update((int(pitches.min()), int(pitches.max())))
        self.metres.add(line.metre)
        self.tempos.append(piece.tempo_changes()[0][1])
        self.moves.add(melody_onsets(piece, self._track), piece.ticks_per_quarter)
