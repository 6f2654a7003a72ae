"""The codec `melody`: one voice on a grid, one token per step.

A token is the pitch of a note that begins, "rest" where a silence begins, or "hold". Two tokens
open the piece: its metre, and the length of its upbeat. Silence fills the last bar, so that a
piece has a whole number of bars after its upbeat. With chord symbols, one more token comes at the
beginning and before each beat: a new chord, "no chord" or "same chord".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.requests import example, parse
from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids, Kept, Request
from seqgen_music.bars import Metre, metre_name
from seqgen_music.chords import KINDS
from seqgen_music.codecs import passages
from seqgen_music.codecs.chorale.raster import REST, STEP_TICKS
from seqgen_music.codecs.melody.gaps import free_steps, rewritten
from seqgen_music.codecs.melody.grammar import ANYTHING, MelodyGrammar, MelodyRequest
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
    with_chords_of,
)
from seqgen_music.codecs.melody.tracker import MelodyTracker
from seqgen_music.codecs.moves import SIXTEENTHS, TRIPLETS, Moves, choose_grid
from seqgen_music.codecs.refusals import refuse_metre, refuse_pitches
from seqgen_music.codecs.requests import BARS, CHORDS, KEY, METRE, chord_request, metre_request
from seqgen_music.joining import Seam, joined
from seqgen_music.keys import signature, signed
from seqgen_music.music import Music

#: Candidates per piece where a melody is given.
CANDIDATES = 32

#: Share of the pieces that must have chord symbols, so that they are learned.
MOST = 0.5


class MelodyCodec(Codec):
    """One voice as tokens on a grid.

    Lossy: one track stays, the one with the highest mean pitch or the first. Onsets and ends are
    rounded to the grid, halves up; 16ths lose triplets, 12 steps a quarter keep both. At every
    onset the highest note stays, and the next onset ends it. Silence before the first note becomes
    upbeat. A silence of two bars or more is shortened by whole bars until it is shorter than two.
    Dynamics, instrument and changes of metre are lost. The tempo is the median of the corpus, and
    the key signature that of the key found in the notes. Chords lose their bass and move to the
    nearest beat; one of an unknown kind becomes the known one that shares most pitches with it.

    Fifteen features: the place in the bar; the metre; the bar in its phrase of four; the number of
    the phrase; how long the note or silence has lasted; the last two pitches; and for one, two,
    four and eight bars ago the event at the same position, and for how long the piece has repeated
    that bar. With chords eight more: whether a token of chords comes next; root and kind of the
    chord; the beats for which it has lasted; and the chord one, two, four and eight bars ago.

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
    kinds : sequence of str
        Kinds of chords, of `seqgen_music.chords.KINDS`; empty if chords are not learned.
    """

    options_type: ClassVar[type[Any]] = MelodyOptions
    min_p: float = 0.05
    rewrites: bool = True
    requests: Mapping[str, Request] = {"bars": BARS, "key": KEY, "metre": METRE, "chords": CHORDS}

    def __init__(
        self,
        low: int,
        high: int,
        metres: Sequence[Metre],
        tempo: float,
        steps: int,
        options: MelodyOptions,
        kinds: Sequence[str] = (),
    ) -> None:
        self.options, self.tempo, self.steps = options, tempo, steps
        self.layout = MelodyLayout(low, high, metres, steps, kinds)
        self._grammar = MelodyGrammar(self.layout)
        self.vocab, self.feature_values = self.layout.table.names, self.layout.feature_values
        self.feature_sizes = self.layout.feature_sizes
        grouped = ("pitch", "chord") if kinds else ("pitch",)
        self.groups = self.layout.table.all_alone_but(*grouped)
        self.requests = {"bars": BARS, "key": KEY, "metre": metre_request(self.layout.metres)}
        if kinds:
            self.requests["chords"] = chord_request(kinds)

    @classmethod
    def fit(cls, pieces: Iterable[Music], options: MelodyOptions) -> Self:
        """Learn the range, the metres, the median tempo, the kinds of chords, and the grid.

        Raises
        ------
        DataError
            If no piece has a melody, or no piece has chord symbols that must be learned.
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
        kinds, told = chosen.chosen_kinds(options)
        low, high = min(chosen.pitches), max(chosen.pitches)
        codec = cls(low, high, metres, tempo, steps, options, kinds)
        codec.fit_note = f"{note}{told}"
        return codec

    def encode(self, piece: Music) -> Ids:
        """Return metre, upbeat, the event of every step and the chord of every beat as ids.

        Raises
        ------
        DataError
            If there is no note besides drums, or the corpus did not have a pitch or the metre.
        """
        line = line_of(piece, self.steps, self.options.track)
        ids = self._tune(line)
        events = self.layout.with_chords(ids[HEADER:], line)
        return np.concatenate([ids[:HEADER], events]).astype(np.int64)

    def _tune(self, line: Line) -> Ids:
        """Return the ids of a line without its chords."""
        layout = self.layout
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

    def answer(self, piece: Music, condition: Any) -> Music:
        """Return a given piece with new chords or new bars, or the new piece in its key."""
        steps, track = self.steps, self.options.track
        if isinstance(condition, Kept):
            before = self.decode(self._tune(line_of(condition.piece, steps, track)))
            chords = bool(self.layout.kinds)
            return rewritten(condition, (before, piece), steps, track, has_chords=chords)
        if not isinstance(condition, Music):
            key = parse(condition, self.requests).get("key")
            return piece if key is None else replace(piece, keys=((0, *signature(key)),))
        if not len(piece.notes):
            return replace(condition, chords=())
        line = line_of(piece, self.steps)
        return with_chords_of(condition, line, self.steps, self.options.track)

    def state(self) -> dict[str, Any]:
        """Return range, metres, tempo, steps and kinds of chords."""
        layout = self.layout
        return {
            "low": layout.low,
            "high": layout.high,
            "metres": [*map(list, layout.metres)],
            "tempo": self.tempo,
            "steps": self.steps,
            "kinds": [*layout.kinds],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: MelodyOptions) -> Self:
        """Rebuild the codec."""
        metres = [(beats, unit) for beats, unit in state["metres"]]
        found = state["tempo"], state["steps"], options, state["kinds"]
        return cls(state["low"], state["high"], metres, *found)

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Transpose by an interval that stays in the range of the corpus."""
        meaning = self.layout.meaning[ids]
        pitches = meaning[meaning >= 0]
        if not len(pitches):
            return ids
        down = self.layout.low - int(pitches.min())
        up = self.layout.high - int(pitches.max())
        [moved] = self.layout.transposed(ids, rng.integers(down, up + 1, 1))
        return np.asarray(moved)

    def variations(self, ids: Ids) -> Ids:
        """Return all transpositions within the pitches of the corpus."""
        pitches = self.layout.meaning[ids[ids < self.layout.same_chord]]
        pitches = pitches[pitches >= 0]
        if not len(pitches):
            return ids[None]
        most = self.layout.high - pitches.max()
        return self.layout.transposed(ids, np.arange(self.layout.low - pitches.min(), most + 1))

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position ``(N + 1, K)``."""
        return self._grammar.follow(ids)[0]

    def masks(self, ids: Ids) -> NDArray[np.uint8]:
        """Return the packed mask of every position ``(N + 1, W)``."""
        return self._grammar.follow(ids)[1]

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the steps after the first `start` ids, with the metre and a matching upbeat."""
        layout = self.layout
        steps = layout.steps_before(ids, start)
        if not steps:
            return ids
        rest, line = ids[start:].copy(), self._line(ids)
        chord = [layout.same_chord][: len(layout.kinds)]
        if (sounding := [chord for step, chord in line.chords if step <= steps]) and sounding[-1]:
            # A chord that goes on over the cut begins there.
            chord = [layout.same_chord + 1 + layout.chord_number(sounding[-1])]
        if len(rest) and rest[0] >= layout.same_chord:
            rest = rest[1:]
        if len(rest) and rest[0] == HOLD_ID:
            # So does a note.
            before = line.events[:steps]
            rest[0] = layout.ids_of(before[before != HOLD][-1:])[0]
        upbeat = (line.upbeat - steps) % layout.bar(line.metre)
        header = [ids[0], layout.table.id("upbeat", upbeat), *(chord if len(rest) else [])]
        return np.concatenate([header, rest]).astype(np.int64)

    def candidates(self, condition: Any) -> int:
        """Return `CANDIDATES` where a melody or part of it is given, else 1."""
        return CANDIDATES if isinstance(condition, Music | Kept) else 1

    def tracker(self, condition: Any = None) -> MelodyTracker:
        """Return a tracker that keeps the metre, and ends at a bar line.

        Parameters
        ----------
        condition : Music, Kept or str, optional
            A piece: the notes of its melody are kept, and the model writes chords to them.
            Or a piece of which some bars are kept (`free_steps`).
            Or words such as ``bars=16, key=G major, metre=3/4``: the number of bars after the
            upbeat, the key and the metre; with chords also ``chords=C | F G | C``.

        Raises
        ------
        DataError
            If the condition cannot be followed, or the corpus did not have a pitch, the metre or a
            kind of chord.
        """
        if isinstance(condition, Kept):
            given = self._tune(line_of(condition.piece, self.steps, self.options.track))
            free = free_steps(condition, self.steps, self.options.track)
            chords = self.layout.chord_numbers(self.encode(condition.piece))
            return MelodyTracker(self._grammar, MelodyRequest(None, None, (), given, free, chords))
        if isinstance(condition, Music) and self.layout.kinds:
            given = self._tune(line_of(condition, self.steps, self.options.track))
            return MelodyTracker(self._grammar, MelodyRequest(given=given))
        if isinstance(condition, Music):
            raise DataError(
                f"this model has learned no chords that it could write to a given melody; it "
                f"follows words such as {example(self.requests)!r}"
            )
        return MelodyTracker(self._grammar, self._request(condition))

    def _request(self, condition: Any) -> MelodyRequest:
        """Return what a text requests."""
        requested = parse(condition, self.requests)
        metre, bars, key = (requested.get(name) for name in ("metre", "bars", "key"))
        progression = requested.get("chords", ())
        request = MelodyRequest(metre, bars, progression, key=key)
        if not progression:
            return request if requested else ANYTHING
        bars = bars or len(progression)
        if bars < len(progression):
            raise DataError(
                f"{condition!r} requests {bars} bars and chords for {len(progression)}; leave out "
                f"bars, or give fewer chords"
            )
        metres = [metre] if metre else self.layout.metres
        beats = min(self.layout.bar(one) // self.layout.beat(one) for one in metres)
        if (most := max(map(len, progression))) > beats:
            raise DataError(
                f"{condition!r} has a bar of {most} chords; chords begin at beats, and a bar has "
                f"{beats}{'' if metre else ' in the shortest metre; request another metre'}"
            )
        return replace(request, bars=bars)

    def header_values(self, ids: Ids) -> dict[str, str]:
        """Return the metre."""
        return {"metre": metre_name(self.layout.read_header(ids)[0])}

    def passages(self, ids: Ids) -> Ids:
        """Return the passages of the melody."""
        events = self.layout.events_of(ids)
        onsets = np.flatnonzero(events >= 0)
        return passages.passages(events[onsets], onsets)

    def place(self, ids: Ids, position: int) -> str:
        """Return the bar; the first full one is bar 1."""
        metre, upbeat = self.layout.read_header(ids)
        bar = (self.layout.steps_before(ids, position) - upbeat) // self.layout.bar(metre) + 1
        return f"bar {bar}" if bar else "upbeat"

    def units(self, ids: Ids) -> dict[str, float]:
        """Count tokens, quarters, bars and notes."""
        steps = self.layout.steps_before(ids, len(ids))
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
        events = self.layout.events_of(ids)
        events[:1] = np.where(events[:1] == HOLD, REST, events[:1])
        chords = tuple(self.layout.chord_changes(ids))
        return Line(events, *self.layout.read_header(ids), chords)


class _Found:
    """What the melodies of a corpus have on one grid."""

    def __init__(self, steps: int, track: WhichTrack) -> None:
        self.moves, self._track = Moves(steps), track
        self.pitches: set[int] = set()
        self.metres: set[Metre] = set()
        self.tempos: list[float] = []
        self.kinds: set[str] = set()
        self.symbols = 0

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
        self.kinds.update(chord.kind for _, chord in line.chords if chord is not None)
        self.symbols += any(chord is not None for _, chord in line.chords)
        self.moves.add(melody_onsets(piece, self._track), piece.ticks_per_quarter)

    def chosen_kinds(self, options: MelodyOptions) -> tuple[list[str], str]:
        """Return the kinds of chords to learn, in their usual order, and what to say of them."""
        pieces = len(self.tempos)
        told = f"; {self.symbols:,} of {pieces:,} pieces have chord symbols"
        if options.chords == "on" and not self.kinds:
            raise DataError("no piece has chord symbols; leave out the codec option chords=on")
        few = options.chords == "auto" and self.symbols < MOST * pieces
        if options.chords == "off" or few or not self.kinds:
            return [], f"{told}, which are left out" if self.kinds else ""
        return [kind for kind in KINDS if kind in self.kinds], f"{told}, which are learned"
