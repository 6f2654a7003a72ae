"""The codec `chorale`: four voices on a grid of 16ths, one token a voice and step.

The raster runs step by step through soprano, alto, tenor and bass. Two forms:

*held* (the default)
    A token is the pitch of a new note, "hold", or "rest", so a repeated note stays repeated.
    Two tokens open the piece: its metre, and the length of its upbeat.
*grid*
    A token is the pitch that sounds, or "rest", and nothing else: the plain form of the JSB
    benchmark, in which a repeated note and a held one are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids
from seqgen_music.codecs import passages, requests
from seqgen_music.codecs.chorale.raster import (
    REST,
    STEPS,
    Raster,
    bar_steps,
    given_voices,
    raster_of,
)
from seqgen_music.codecs.chorale.tracker import (
    HOLD,
    LAST_BAR,
    LONGEST_LASTED,
    NO_CELL,
    PARTS,
    PERFECT,
    ChoraleTracker,
    Request,
)
from seqgen_music.codecs.limits import usual_most
from seqgen_music.codecs.tokens import TokenTable
from seqgen_music.measures.keys import signed
from seqgen_music.music import Music, pitch_name

#: The metre of the form grid, which knows none.
DEFAULT_METRE = (4, 4)


#: Harmonies of given voices that are written side by side.
CANDIDATES = 32

#: What can be asked of a chorale in words.
REQUESTS, EXAMPLE = {"bars": requests.count, "metre": requests.metre}, "bars=8, metre=3/4"


@dataclass(frozen=True)
class ChoraleOptions:
    """How voices become tokens."""

    form: Literal["held", "grid"] = "held"
    """held tells repeated notes from held ones and knows the metre; grid is the benchmark's."""


class ChoraleCodec(Codec):
    """Four-part music as a raster of tokens.

    Lossy: onsets and ends are rounded to 16ths; of the simultaneous notes of a voice the
    highest stays, and the voice's next onset ends it; dynamics, tempo and changes of metre
    go, and the signature becomes that of the key that the notes are found to be in. The form *grid*
    also loses repeated notes and the metre.

    Eleven features: the slot (header or voice); the place in the bar and the number of the
    bar; for how long the voice has gone on; what sounds in each of the four cells before, of
    which the fourth is the voice's own last; and for each of the three others the pitch that
    would run with it in parallel fifths, octaves or unisons.

    Parameters
    ----------
    ranges : sequence of (int, int)
        Lowest and highest pitch of every voice, soprano first.
    metres : sequence of (int, int)
        Metres of the corpus; the first stands in where ids have none.
    stillest : int
        The most steps in which something sounds and all goes on as it is, of all but a few pieces.
    """

    options_type: ClassVar[type[Any]] = ChoraleOptions
    min_p: float = 0.05

    def __init__(
        self,
        ranges: Sequence[tuple[int, int]],
        metres: Sequence[tuple[int, int]],
        stillest: int,
        options: ChoraleOptions,
    ) -> None:
        self.options, self.stillest = options, stillest
        self.ranges, self.metres = tuple(ranges), tuple(metres)
        self.held = options.form == "held"
        self.header = 2 if self.held else 0
        self.low, self.high = min(low for low, _ in ranges), max(high for _, high in ranges)
        longest_bar = max(map(bar_steps, self.metres))
        pitches = range(self.low, self.high + 1)
        kinds: dict[str, Sequence[Any]] = {"rest": (None,), "pitch": pitches}
        if self.held:
            kinds |= {"hold": (None,), "metre": self.metres, "upbeat": range(longest_bar)}
        self.table = TokenTable(kinds, bare=("pitch",))
        self.vocab = self.table.names
        self.meaning = np.full(len(self.table), NO_CELL)
        self.meaning[self.table.id("rest")] = REST
        self.meaning[self.table.mask("pitch")[:-1]] = pitches
        if self.held:
            self.meaning[self.table.id("hold")] = HOLD
            self.groups = self.table.all_alone_but("pitch")
        # In the form grid a pitch is also what goes on: the lower one would let all stand still.
        self.temperature = 0.5 if self.held else 0.9
        self.feature_sizes = (
            self.header + PARTS,
            longest_bar,
            LAST_BAR + 1,
            LONGEST_LASTED + 1,
            *[self.high - self.low + 2] * (2 * PARTS - 1),
        )

    @classmethod
    def fit(cls, pieces: Iterable[Music], options: ChoraleOptions) -> Self:
        """Learn the range of every voice, the metres, and for how long all may go on.

        Raises
        ------
        DataError
            If no piece has four voices.
        """
        lows, highs = np.full(PARTS, 128), np.full(PARTS, REST)
        metres, stillness = set(), [0]
        for piece in pieces:
            try:
                raster = raster_of(piece)
            except DataError:
                continue
            metre = _metre_of(raster, options)
            if _excess_silence(raster, metre):
                continue
            pitched = np.where(raster.sounding == REST, 128, raster.sounding)
            lows = np.minimum(lows, pitched.min(axis=0))
            highs = np.maximum(highs, raster.sounding.max(axis=0))
            metres.add(metre)
            stillness.append(raster.longest_stillness())
        if (highs == REST).any():
            raise DataError(
                "no piece has four voices, which the codec 'chorale' needs: one track a voice"
            )
        ranges = [(int(low), int(high)) for low, high in zip(lows, highs, strict=True)]
        # One of Bach's ends is a chord of many bars, which models learn by heart.
        return cls(ranges, sorted(metres), usual_most(stillness), options)

    def encode(self, piece: Music) -> Ids:
        """Return the raster as ids.

        Raises
        ------
        DataError
            If the piece has not four voices, if they are all silent for more than a bar, or
            for a pitch or metre that the corpus had not.
        """
        raster = raster_of(piece)
        if silence := _excess_silence(raster, _metre_of(raster, self.options)):
            raise DataError(
                f"all voices are silent for {silence} sixteenths on end, more than a bar; "
                f"look whether a part is missing"
            )
        return self._ids_of(raster)

    def _ids_of(self, raster: Raster) -> Ids:
        self._refuse_unknown_pitch(raster)
        self._refuse_unknown_metre(_metre_of(raster, self.options))
        pitched = self.table.start("pitch") + raster.sounding - self.low
        cells = np.where(raster.sounding == REST, self.table.id("rest"), pitched)
        if not self.held:
            return cells.ravel()
        goes_on = ~raster.begins & (raster.sounding != REST)
        cells = np.where(goes_on, self.table.id("hold"), cells)
        header = [self.table.id("metre", raster.metre), self.table.id("upbeat", raster.upbeat)]
        return np.concatenate([header, cells.ravel()])

    def decode(self, ids: Ids) -> Music:
        """Return four tracks; what is missing of the last step goes on as it was."""
        return signed(self._raster(ids).to_music())

    def state(self) -> dict[str, Any]:
        """Return ranges, metres and the longest stillness."""
        return {
            "ranges": [*map(list, self.ranges)],
            "metres": [*map(list, self.metres)],
            "stillest": self.stillest,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: ChoraleOptions) -> Self:
        """Rebuild the codec."""
        ranges = [(low, high) for low, high in state["ranges"]]
        metres = [(beats, unit) for beats, unit in state["metres"]]
        return cls(ranges, metres, state["stillest"], options)

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Transpose all voices by one interval that keeps each in its range."""
        sounding = self._raster(ids).sounding
        down, up = -128, 128
        for voice, (low, high) in zip(sounding.T, self.ranges, strict=True):
            sung = voice[voice != REST]
            if len(sung):
                down, up = max(down, low - int(sung.min())), min(up, high - int(sung.max()))
        if down >= up:
            return ids
        interval = int(rng.integers(down, up + 1))
        return np.where(self.meaning[ids] >= 0, ids.astype(np.int64) + interval, ids)

    def passages(self, ids: Ids) -> Ids:
        """Return hashes of stretches of the soprano: chorales on one tune are twins."""
        raster = self._raster(ids)
        onsets = np.flatnonzero(raster.begins[:, 0] & (raster.sounding[:, 0] != REST))
        return passages.passages(raster.sounding[onsets, 0], onsets)

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position (N + 1, 11)."""
        rows = np.zeros((len(ids) + 1, len(self.feature_sizes)), np.int64)
        rows[: self.header, 0] = np.arange(len(rows))[: self.header]
        raster, cells = self._raster(ids), rows[self.header :]
        step, voice = np.divmod(np.arange(len(cells)), PARTS)
        bar, place = np.divmod(step - raster.upbeat, bar_steps(raster.metre))
        later = step > 0
        lasted = raster.lasted()[step[later] - 1, voice[later]]
        cells[:, 0] = self.header + voice
        cells[:, 1], cells[:, 2] = place, np.clip(bar, 0, LAST_BAR)
        cells[later, 3] = np.minimum(lasted, LONGEST_LASTED)
        # Two silent steps stand before the first one, so that every cell has cells before it.
        silence = np.full(2 * PARTS, REST)
        sounding = np.concatenate([silence, raster.sounding.ravel()])
        now = np.arange(len(cells)) + len(silence)
        own = sounding[now - PARTS]
        for back in range(1, PARTS + 1):
            cells[:, 3 + back] = self._pitch_feature(sounding[now - back])
        for back in range(1, PARTS):
            other, before = sounding[now - back], sounding[now - back - PARTS]
            sung = (voice >= back) & (own != REST) & (other != REST) & (before != REST)
            parallel = sung & (other != before) & np.isin((before - own) % 12, PERFECT)
            cells[:, 3 + PARTS + back] = self._pitch_feature(
                np.where(parallel, own + other - before, REST)
            )
        return rows

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the steps after the first `start` ids, with the metre, on their place in it."""
        steps = -(-max(start - self.header, 0) // PARTS)
        if not steps:
            return ids
        rest = ids[self.header + PARTS * steps :].copy()
        if not self.held:
            return rest
        raster = self._raster(ids)
        # What goes on over the seam begins there.
        for voice, token in enumerate(rest[:PARTS]):
            pitch = int(raster.sounding[steps, voice])
            if self.meaning[token] == HOLD and pitch != REST:
                rest[voice] = self.table.id("pitch", pitch)
        upbeat = (raster.upbeat - steps) % bar_steps(raster.metre)
        return np.concatenate([ids[:1], [self.table.id("upbeat", upbeat)], rest])

    def candidates(self, condition: Any) -> int:
        """Return `CANDIDATES` where voices are given."""
        return CANDIDATES if isinstance(condition, Music) else 1

    def tracker(self, condition: Any = None) -> ChoraleTracker:
        """Return the follower that keeps the order of the voices and their ranges.

        Parameters
        ----------
        condition : Music or str, optional
            A piece whose voices are kept note for note, with its metre; the model writes the
            others, and ends where the given piece does. Tracks named Soprano, Alto, Tenor and
            Bass are these voices. Without such names, a piece of one track is the voice whose
            range fits it best, outer voices before inner ones; of several tracks the highest is
            the soprano. A piece of all four voices gives its soprano.
            In words: ``bars=8`` (the piece is as long as so many whole bars, an upbeat and the
            bar that it is taken from counting as one), ``metre=3/4``, or both.

        Raises
        ------
        DataError
            If what is given is neither, or has a pitch or metre that the corpus had not.
        """
        if condition is None:
            return ChoraleTracker(self)
        if isinstance(condition, Music):
            raster, voices = given_voices(condition, self.ranges)
            ids = self._ids_of(raster).tolist()
            steps = len(raster.sounding)
            given = {voice: ids[self.header + voice :: PARTS] for voice in voices}
            return ChoraleTracker(self, Request(ids[: self.header], given, steps=steps))
        if isinstance(condition, str) and "=" in condition:
            return ChoraleTracker(self, self._request(condition))
        raise DataError(
            f"a chorale follows a melody in a file, or words such as 'bars=8, metre=3/4', "
            f"found {condition!r}"
        )

    def _request(self, text: str) -> Request:
        requested = requests.parse(text, REQUESTS, EXAMPLE)
        header = []
        if "metre" in requested:
            if not self.held:
                raise DataError(
                    "the form 'grid' of chorales knows no metre: leave out metre, or take a model "
                    "that was trained with form=held"
                )
            self._refuse_unknown_metre(requested["metre"])
            header = [self.table.id("metre", requested["metre"])]
        return Request(header, bars=requested.get("bars"))

    def place(self, ids: Ids, position: int) -> str:
        """Return the bar, the first full one being 1."""
        metre, upbeat = self.read_header(ids)
        step = max(position - self.header, 0) // PARTS
        bar = (step - upbeat) // bar_steps(metre) + 1
        return f"bar {bar}" if bar else "upbeat"

    def units(self, ids: Ids) -> dict[str, float]:
        """Count tokens, steps of the grid ("frames"), quarter notes and bars."""
        frames = max(len(ids) - self.header, 0) / PARTS
        bars = frames / bar_steps(self.read_header(ids)[0])
        amounts = {"frames": frames, "quarters": frames / STEPS, "bars": bars}
        return {"tokens": float(len(ids)), **amounts}

    def read_header(self, ids: Ids) -> tuple[tuple[int, int], int]:
        """Return the metre and upbeat that ids begin with, or the first metre and none."""
        kinds = [self.table.token(token) for token in ids[: self.header].tolist()]
        metre = kinds[0][1] if kinds and kinds[0][0] == "metre" else self.metres[0]
        upbeat = kinds[1][1] if len(kinds) > 1 and kinds[1][0] == "upbeat" else 0
        return metre, upbeat % bar_steps(metre)

    def _raster(self, ids: Ids) -> Raster:
        """Return what any ids mean; tokens where they do not belong are rests."""
        cells = self.meaning[ids[self.header :]]
        cells = np.append(cells, np.full(-len(cells) % PARTS, HOLD))
        cells = np.where(cells == NO_CELL, REST, cells).reshape(-1, PARTS)
        cells[:1] = np.where(cells[:1] == HOLD, REST, cells[:1])
        step = np.arange(len(cells))[:, None]
        said = np.maximum.accumulate(np.where(cells == HOLD, 0, step), axis=0)
        sounding = np.take_along_axis(cells, said, axis=0)
        changes = np.ones(cells.shape, bool)
        changes[1:] = sounding[1:] != sounding[:-1]
        begins = changes | (cells >= 0) if self.held else changes
        return Raster(sounding, begins, *self.read_header(ids))

    def _pitch_feature(self, pitches: Ids) -> Ids:
        """Return pitches as values of a feature; 0 is a rest, or outside the vocabulary."""
        inside = (pitches >= self.low) & (pitches <= self.high)
        return np.where(inside, pitches - self.low + 1, 0)

    def _refuse_unknown_pitch(self, raster: Raster) -> None:
        pitches = raster.sounding[raster.sounding != REST]
        outside = pitches[(pitches < self.low) | (pitches > self.high)]
        if len(outside):
            raise DataError(
                f"pitch {pitch_name(int(outside[0]))} is outside {pitch_name(self.low)} to "
                f"{pitch_name(self.high)}, the range of this model's corpus; transpose the piece"
            )

    def _refuse_unknown_metre(self, metre: tuple[int, int]) -> None:
        if metre not in self.metres:
            known = ", ".join(f"{beats}/{unit}" for beats, unit in self.metres)
            beats, unit = metre
            raise DataError(f"metre {beats}/{unit} is not one of this model's corpus: {known}")


def _metre_of(raster: Raster, options: ChoraleOptions) -> tuple[int, int]:
    """Return the metre as far as the form knows it."""
    return raster.metre if options.form == "held" else DEFAULT_METRE


def _excess_silence(raster: Raster, metre: tuple[int, int]) -> int:
    """Return the longest common silence in steps, if it is more than a bar, else 0."""
    silence = raster.longest_silence()
    return silence if silence > bar_steps(metre) else 0
