"""The codec `melody`: one voice on a grid, one token a step.

A token is the pitch of a note that begins, "rest" where a silence begins, or "hold" where what
was goes on. Two tokens open the piece: its metre, and the length of its upbeat. The end is
filled with silence to the bar line, so that a piece is a whole number of bars after its upbeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids
from seqgen_music.codecs import passages, requests
from seqgen_music.codecs.chorale.raster import (
    REST,
    bar_steps,
)
from seqgen_music.codecs.melody.line import HOLD, Line, MelodyOptions, line_of
from seqgen_music.codecs.melody.tracker import (
    FIRST_PITCH,
    HEADER,
    HOLD_ID,
    LAST_PHRASE,
    LONGEST_LASTED,
    LOOK_BACK,
    PHRASE,
    REST_ID,
    MelodyTracker,
)
from seqgen_music.codecs.tokens import TokenTable
from seqgen_music.measures.keys import signed
from seqgen_music.music import Music, pitch_name


class MelodyCodec(Codec):
    """One voice as tokens on a grid.

    Lossy: one track stays, the highest in the mean or the first; onsets and ends are rounded to
    the grid, halves up (that of 16ths loses triplets; steps=12 has both); at every onset the
    highest note goes on, and the next onset ends it; silence before the first note is upbeat,
    and a silence of two bars or more loses whole bars until it is shorter than two. Dynamics,
    instrument and changes of metre go; the tempo is the corpus's median, the signature that of the
    key that the notes are found to be in.

    Fifteen features: the place in the bar; the metre; the bar in its phrase of four, and the
    number of the phrase; for how long the note or the silence has gone on; the last two pitches;
    and for one, two, four and eight bars ago what came then at the position to come, and for how
    long the piece has repeated itself from there.

    Parameters
    ----------
    low, high : int
        Lowest and highest pitch of the corpus.
    metres : sequence of (int, int)
        Metres of the corpus; the first stands in where ids have none.
    tempo : float
        Quarters a minute of the pieces that come out.
    """

    options_type: ClassVar[type[Any]] = MelodyOptions
    min_p: float = 0.05

    def __init__(
        self,
        low: int,
        high: int,
        metres: Sequence[tuple[int, int]],
        tempo: float,
        options: MelodyOptions,
    ) -> None:
        self.options, self.low, self.high = options, low, high
        self.metres, self.tempo = tuple(metres), tempo
        longest_bar = max(map(self.bar, self.metres))
        self.table = TokenTable(
            {
                "rest": (None,),
                "hold": (None,),
                "pitch": range(low, high + 1),
                "metre": self.metres,
                "upbeat": range(longest_bar),
            }
        )
        self.vocab, self.groups = self.table.names, self.table.all_alone_but("pitch")
        self.meaning = np.full(len(self.table), REST)
        self.meaning[HOLD_ID] = HOLD
        pitches = high - low + 1
        self.meaning[FIRST_PITCH : FIRST_PITCH + pitches] = np.arange(low, high + 1)
        self.longest_lasted = LONGEST_LASTED * options.steps
        self.longest_look = max(LOOK_BACK) * longest_bar
        self.feature_sizes = (
            *(HEADER + longest_bar, len(self.metres), PHRASE, LAST_PHRASE + 1),
            *(2 * self.longest_lasted + 1, pitches + 1, pitches + 1),
            *(FIRST_PITCH + pitches + 1, self.longest_lasted + 1) * len(LOOK_BACK),
        )

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
        """Return metre, upbeat and the events of every step as ids.

        Raises
        ------
        DataError
            If there is no note but drums, or for a pitch or metre that the corpus had not.
        """
        line = line_of(piece, self.options)
        self._refuse_unknown(line)
        header = [self.table.id("metre", line.metre), self.table.id("upbeat", line.upbeat)]
        return np.concatenate([header, self._events_to_ids(line.events)]).astype(np.int64)

    def decode(self, ids: Ids) -> Music:
        """Return one track."""
        return signed(self._line(ids).to_music(self.options.steps, self.tempo))

    def state(self) -> dict[str, Any]:
        """Return range, metres and tempo."""
        metres = [*map(list, self.metres)]
        return {"low": self.low, "high": self.high, "metres": metres, "tempo": self.tempo}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: MelodyOptions) -> Self:
        """Rebuild the codec."""
        metres = [(beats, unit) for beats, unit in state["metres"]]
        return cls(state["low"], state["high"], metres, state["tempo"], options)

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Transpose by an interval that stays in the corpus's range."""
        pitches = self.meaning[ids][self.meaning[ids] >= 0]
        if not len(pitches):
            return ids
        interval = rng.integers(self.low - int(pitches.min()), self.high - int(pitches.max()) + 1)
        return np.where(self.meaning[ids] >= 0, ids.astype(np.int64) + interval, ids)

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position (N + 1, 15)."""
        rows = np.zeros((len(ids) + 1, len(self.feature_sizes)), np.int64)
        rows[:HEADER, 0] = np.arange(len(rows))[:HEADER]
        if len(rows) <= HEADER:
            return rows
        line, steps = self._line(ids), rows[HEADER:]
        events, longest = self._events_to_ids(line.events), self.longest_lasted
        bar, place = np.divmod(np.arange(len(steps)) - line.upbeat, self.bar(line.metre))
        steps[:, 0], steps[:, 1] = HEADER + place, self.metres.index(line.metre)
        steps[:, 2], steps[:, 3] = bar % PHRASE, np.clip(bar // PHRASE, 0, LAST_PHRASE)
        now = np.arange(len(events))
        began = np.maximum.accumulate(np.where(events != HOLD_ID, now, 0))
        silent = events[began] == REST_ID
        steps[1:, 4] = np.minimum(now - began + 1, longest) + np.where(silent, longest, 0)
        is_note = events >= FIRST_PITCH
        pitches = np.concatenate([[0, 0], events[is_note] - FIRST_PITCH + 1])
        count = np.cumsum(is_note)
        steps[1:, 5], steps[1:, 6] = pitches[count + 1], pitches[count]
        for column, bars in enumerate(LOOK_BACK):
            looked = _looking_back(events, bars * self.bar(line.metre), longest)
            steps[:, 7 + 2 * column : 9 + 2 * column] = looked
        return rows

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the steps after the first `start` ids, with the metre, on their place in it."""
        steps = max(start - HEADER, 0)
        if not steps:
            return ids
        rest, line = ids[start:].copy(), self._line(ids)
        if len(rest) and rest[0] == HOLD_ID:
            # What goes on over the seam begins there.
            before = line.events[:steps]
            rest[0] = self._events_to_ids(before[before != HOLD][-1:])[0]
        upbeat = (line.upbeat - steps) % self.bar(line.metre)
        return np.concatenate([ids[:1], [self.table.id("upbeat", upbeat)], rest])

    def tracker(self, condition: Any = None) -> MelodyTracker:
        """Return the follower that keeps the metre, and ends at a bar line.

        Parameters
        ----------
        condition : str, optional
            Such as ``bars=16, metre=3/4``: how many bars there are after the upbeat, and in which
            metre.

        Raises
        ------
        DataError
            If the condition is not understood.
        """
        if condition is None:
            return MelodyTracker(self)
        readers = {"bars": requests.count, "metre": self._read_metre}
        beats, unit = self.metres[0]
        wanted = requests.parse(condition, readers, f"bars=16, metre={beats}/{unit}")
        return MelodyTracker(self, wanted.get("metre"), wanted.get("bars"))

    def passages(self, ids: Ids) -> Ids:
        """Return the passages of the melody."""
        events = self.meaning[ids[HEADER:]]
        onsets = np.flatnonzero(events >= 0)
        return passages.passages(events[onsets], onsets)

    def place(self, ids: Ids, position: int) -> str:
        """Return the bar, the first full one being 1."""
        metre, upbeat = self.read_header(ids)
        bar = (max(position - HEADER, 0) - upbeat) // self.bar(metre) + 1
        return f"bar {bar}" if bar else "upbeat"

    def units(self, ids: Ids) -> dict[str, float]:
        """Count tokens, quarters, bars and notes."""
        steps = max(len(ids) - HEADER, 0)
        bar = self.bar(self.read_header(ids)[0])
        notes = int((self.meaning[ids[HEADER:]] >= 0).sum())
        return {
            "tokens": float(len(ids)),
            "quarters": steps / self.options.steps,
            "bars": steps / bar,
            "notes": float(notes),
        }

    def bar(self, metre: tuple[int, int]) -> int:
        """Return the steps in a bar."""
        return bar_steps(metre, self.options.steps)

    def read_header(self, ids: Ids) -> tuple[tuple[int, int], int]:
        """Return the metre and upbeat that ids begin with, or the first metre and none."""
        said = [self.table.token(token) for token in ids[:HEADER].tolist()]
        metre = said[0][1] if said and said[0][0] == "metre" else self.metres[0]
        upbeat = said[1][1] if len(said) > 1 and said[1][0] == "upbeat" else 0
        return metre, upbeat % self.bar(metre)

    def event_id(self, token: int, is_first: bool) -> int:
        """Return the id of the event that any token is: out of place it is a rest."""
        if token == HOLD_ID and not is_first:
            return HOLD_ID
        return token if self.meaning[token] >= 0 else REST_ID

    def _line(self, ids: Ids) -> Line:
        """Return what any ids mean; tokens where they do not belong are rests."""
        events = self.meaning[ids[HEADER:]]
        events[:1] = np.where(events[:1] == HOLD, REST, events[:1])
        return Line(events, *self.read_header(ids))

    def _events_to_ids(self, events: Ids) -> Ids:
        return np.where(
            events >= 0,
            events - self.low + FIRST_PITCH,
            np.where(events == HOLD, HOLD_ID, REST_ID),
        )

    def _read_metre(self, text: str) -> tuple[int, int]:
        known = {f"{beats}/{unit}": (beats, unit) for beats, unit in self.metres}
        if text not in known:
            raise ValueError(f"metres of this model's corpus are {', '.join(known)}")
        return known[text]

    def _refuse_unknown(self, line: Line) -> None:
        pitches = line.events[line.events >= 0]
        outside = pitches[(pitches < self.low) | (pitches > self.high)]
        if len(outside):
            raise DataError(
                f"pitch {pitch_name(int(outside[0]))} is outside {pitch_name(self.low)} to "
                f"{pitch_name(self.high)}, the range of this model's corpus; transpose the piece"
            )
        if line.metre not in self.metres:
            known = ", ".join(f"{beats}/{unit}" for beats, unit in self.metres)
            beats, unit = line.metre
            raise DataError(f"metre {beats}/{unit} is not one of this model's corpus: {known}")


def _looking_back(events: Ids, distance: int, most: int) -> Ids:
    """Return the event so far back plus 1, and for how long events have repeated those there.

    Parameters
    ----------
    events : int64 array (N,)
    distance : int
        In steps.
    most : int
        From here on the second number does not grow.

    Returns
    -------
    int64 array (N + 1, 2)
    """
    looked = np.zeros((len(events) + 1, 2), np.int64)
    looked[distance:, 0] = events[: max(len(events) + 1 - distance, 0)] + 1
    now = np.arange(len(events))
    same = np.zeros(len(events), bool)
    same[distance:] = events[distance:] == events[: max(len(events) - distance, 0)]
    changed = np.maximum.accumulate(np.where(same, -1, now))
    looked[1:, 1] = np.minimum(now - changed, most)
    return looked
