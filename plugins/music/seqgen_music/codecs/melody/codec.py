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
from seqgen_music.codecs.melody.line import HOLD, Line, MelodyOptions, line_of, placed_of
from seqgen_music.codecs.melody.tracker import MelodyTracker
from seqgen_music.codecs.refusals import refuse_metre, refuse_pitches
from seqgen_music.codecs.requests import BARS, METRE, metre_request
from seqgen_music.joining import Seam, joined
from seqgen_music.keys import signed
from seqgen_music.music import Music


class MelodyCodec(Codec):
    """One voice as tokens on a grid.

    Lossy: one track stays, the one with the highest mean pitch or the first. Onsets and ends are
    rounded to the grid, halves up; 16ths lose triplets, steps=12 keeps both. At every onset the
    highest note stays, and the next onset ends it. Silence before the first note becomes upbeat. A
    silence of two bars or more is shortened by whole bars until it is shorter than two. Dynamics,
    instrument and changes of metre are lost. The tempo is the median of the corpus, and the key
    signature that of the key found in the notes.

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
        options: MelodyOptions,
    ) -> None:
        self.options, self.tempo = options, tempo
        self.layout = MelodyLayout(low, high, metres, options.steps)
        self._grammar = MelodyGrammar(self.layout)
        self.vocab, self.feature_values = self.layout.table.names, self.layout.feature_values
        self.feature_sizes = self.layout.feature_sizes
        self.groups = self.layout.table.all_alone_but("pitch")
        self.requests = {"bars": BARS, "metre": metre_request(self.layout.metres)}

    @classmethod
    def fit(cls, pieces: Iterable[Music], options: MelodyOptions) -> Self:
        """Learn the range, the metres and the median tempo.

        Raises
        ------
        DataError
            If no piece has a melody.
        """
        low, high, metres, tempos = 128, REST, set(), []
        for piece in pieces:
            try:
                line = line_of(piece, options)
            except DataError:
                continue
            pitches = line.events[line.events >= 0]
            low, high = min(low, int(pitches.min())), max(high, int(pitches.max()))
            metres.add(line.metre)
            tempos.append(piece.tempo_changes()[0][1])
        if not metres:
            raise DataError("no piece has a melody: a track with notes that is not drums")
        return cls(low, high, sorted(metres), round(float(np.median(tempos)), 2), options)

    def encode(self, piece: Music) -> Ids:
        """Return metre, upbeat and the event of every step as ids.

        Raises
        ------
        DataError
            If there is no note besides drums, or the corpus did not have a pitch or the metre.
        """
        line, layout = line_of(piece, self.options), self.layout
        refuse_pitches(line.events[line.events >= 0], layout.low, layout.high)
        refuse_metre(line.metre, layout.metres)
        header = [layout.table.id("metre", line.metre), layout.table.id("upbeat", line.upbeat)]
        return np.concatenate([header, layout.ids_of(line.events)]).astype(np.int64)

    def decode(self, ids: Ids) -> Music:
        """Return one track."""
        return signed(self._line(ids).to_music(self.options.steps, self.tempo))

    def keep(self, given: Music, ids: Ids, start: int) -> Music:
        """Return a piece that begins as the given one, with all its tracks; the melody goes on."""
        head, placed = self._line(ids[:start]), placed_of(given, self.options)
        tick = (len(head.events) + head.late(self.options.steps)) * STEP_TICKS
        is_whole = np.array_equal(self.encode(given), ids[:start])
        seam = Seam.at(tick, placed.onset < tick, is_whole=is_whole)
        pieces = self.decode(ids[:start]), self.decode(ids)
        return joined(given, pieces, placed, seam, is_even=True)

    def state(self) -> dict[str, Any]:
        """Return range, metres and tempo."""
        low, high, metres = self.layout.low, self.layout.high, [*map(list, self.layout.metres)]
        return {"low": low, "high": high, "metres": metres, "tempo": self.tempo}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: MelodyOptions) -> Self:
        """Rebuild the codec."""
        metres = [(beats, unit) for beats, unit in state["metres"]]
        return cls(state["low"], state["high"], metres, state["tempo"], options)

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
            "quarters": steps / self.options.steps,
            "bars": steps / bar,
            "notes": float(notes),
        }

    def _line(self, ids: Ids) -> Line:
        """Return the line of any ids; tokens out of place are rests."""
        events = self.layout.meaning[ids[HEADER:]]
        events[:1] = np.where(events[:1] == HOLD, REST, events[:1])
        return Line(events, *self.layout.read_header(ids))
