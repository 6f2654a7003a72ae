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
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids
from seqgen_music.music import Music, pitch_name
from seqgen_music.raster import REST, STEPS, VOICES, Raster, bar_steps, melody_of, raster_of

#: From this many steps on, how long a voice has gone on makes no difference.
LONGEST_LASTED = 31

#: From this bar on, which one it is makes no difference.
LAST_BAR = 8

#: The metre of the form grid, which knows none.
DEFAULT_METRE = (4, 4)

#: Number of voices, and intervals in semitones (octaves apart) that must not run in parallel.
PARTS, PERFECT = len(VOICES), (0, 7)

#: What a token means in a cell, besides pitches and `REST`.
HOLD, NO_CELL = -2, -3


@dataclass(frozen=True)
class ChoraleOptions:
    """How voices become tokens."""

    form: Literal["held", "grid"] = "held"
    """held tells repeated notes from held ones and knows the metre; grid is the benchmark's."""


class ChoraleCodec(Codec):
    """Four-part music as a raster of tokens.

    Lossy: onsets and ends are rounded to 16ths; of the simultaneous notes of a voice the
    highest stays, and the voice's next onset ends it; dynamics, tempo, key and changes of
    metre go. The form *grid* also loses repeated notes and the metre.

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
    """

    options_type: ClassVar[type[Any]] = ChoraleOptions

    def __init__(
        self,
        ranges: Sequence[tuple[int, int]],
        metres: Sequence[tuple[int, int]],
        options: ChoraleOptions,
    ) -> None:
        self.options = options
        self.ranges, self.metres = tuple(ranges), tuple(metres)
        self.held = options.form == "held"
        self.header = 2 if self.held else 0
        self.low, self.high = min(low for low, _ in ranges), max(high for _, high in ranges)
        # The table of tokens, (kind, value) in the order of ids; all else derives from it.
        longest_bar = max(map(bar_steps, self.metres))
        self.table: list[tuple[str, Any]] = [("rest", REST)]
        self.table += [("pitch", pitch) for pitch in range(self.low, self.high + 1)]
        if self.held:
            self.table.append(("hold", HOLD))
            self.table += [("metre", metre) for metre in self.metres]
            self.table += [("upbeat", steps) for steps in range(longest_bar)]
        self.ids = {token: number for number, token in enumerate(self.table)}
        self.vocab = tuple(_token_name(kind, value) for kind, value in self.table)
        self.meaning = np.array(
            [value if kind in ("rest", "pitch", "hold") else NO_CELL for kind, value in self.table]
        )
        self.feature_sizes = (
            self.header + PARTS,
            longest_bar,
            LAST_BAR + 1,
            LONGEST_LASTED + 1,
            *[self.high - self.low + 2] * (2 * PARTS - 1),
        )

    @classmethod
    def fit(cls, pieces: Iterable[Music], options: ChoraleOptions) -> Self:
        """Learn the range of every voice, and the metres.

        Raises
        ------
        DataError
            If no piece has four voices.
        """
        lows, highs = np.full(PARTS, 128), np.full(PARTS, REST)
        metres = set()
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
        if (highs == REST).any():
            raise DataError(
                "no piece has four voices, which the codec 'chorale' needs: one track a voice"
            )
        ranges = [(int(low), int(high)) for low, high in zip(lows, highs, strict=True)]
        return cls(ranges, sorted(metres), options)

    def encode(self, piece: Music) -> Ids:
        """Return the raster as ids.

        Raises
        ------
        DataError
            If the piece has not four voices, if they are all silent for more than a bar, or
            for a pitch or metre that the corpus had not.
        """
        return self._ids_of(raster_of(piece))

    def _ids_of(self, raster: Raster) -> Ids:
        self._refuse_unfit(raster)
        cells = np.where(raster.sounding == REST, self.ids["rest", REST], 0)
        cells += np.where(raster.sounding == REST, 0, raster.sounding - self.low + 1)
        if not self.held:
            return cells.ravel()
        goes_on = ~raster.begins & (raster.sounding != REST)
        cells = np.where(goes_on, self.ids["hold", HOLD], cells)
        header = [self.ids["metre", raster.metre], self.ids["upbeat", raster.upbeat]]
        return np.concatenate([header, cells.ravel()])

    def decode(self, ids: Ids) -> Music:
        """Return four tracks; what is missing of the last step goes on as it was."""
        return self._raster(ids).to_music()

    def state(self) -> dict[str, Any]:
        """Return ranges and metres."""
        return {"ranges": [*map(list, self.ranges)], "metres": [*map(list, self.metres)]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: ChoraleOptions) -> Self:
        """Rebuild the codec."""
        ranges = [(low, high) for low, high in state["ranges"]]
        return cls(ranges, [(beats, unit) for beats, unit in state["metres"]], options)

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
            if token == self.ids["hold", HOLD] and pitch != REST:
                rest[voice] = self.ids["pitch", pitch]
        upbeat = (raster.upbeat - steps) % bar_steps(raster.metre)
        return np.concatenate([ids[:1], [self.ids["upbeat", upbeat]], rest])

    def tracker(self, condition: Any = None) -> ChoraleTracker:
        """Return the follower that keeps the order of the voices and their ranges.

        Given a piece, its soprano (or its highest track) is forced, and the piece ends where the
        given one does: the model harmonises.

        Raises
        ------
        DataError
            If what is given is no piece, or `encode` would refuse it.
        """
        if condition is None:
            return ChoraleTracker(self)
        if not isinstance(condition, Music):
            raise DataError(f"a chorale is given a melody in a file, found {condition!r}")
        return ChoraleTracker(self, self._ids_of(melody_of(condition)).tolist())

    def place(self, ids: Ids, position: int) -> str:
        """Return the bar, the first full one being 1."""
        metre, upbeat = self.read_header(ids)
        step = max(position - self.header, 0) // PARTS
        bar = (step - upbeat) // bar_steps(metre) + 1
        return f"bar {bar}" if bar else "upbeat"

    def units(self, ids: Ids) -> dict[str, float]:
        """Count tokens, steps of the grid ("frames") and quarter notes."""
        frames = max(len(ids) - self.header, 0) / PARTS
        return {"tokens": float(len(ids)), "frames": frames, "quarters": frames / STEPS}

    def read_header(self, ids: Ids) -> tuple[tuple[int, int], int]:
        """Return the metre and upbeat that ids begin with, or the first metre and none."""
        kinds = [self.table[token] for token in ids[: self.header].tolist()]
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

    def _refuse_unfit(self, raster: Raster) -> None:
        metre = _metre_of(raster, self.options)
        if silence := _excess_silence(raster, metre):
            raise DataError(
                f"all voices are silent for {silence} sixteenths on end, more than a bar; "
                f"a chorale is not: are parts missing?"
            )
        pitches = raster.sounding[raster.sounding != REST]
        outside = pitches[(pitches < self.low) | (pitches > self.high)]
        if len(outside):
            raise DataError(
                f"pitch {pitch_name(int(outside[0]))} is outside {pitch_name(self.low)} to "
                f"{pitch_name(self.high)}, the range of this model's corpus; transpose the piece"
            )
        if metre not in self.metres:
            known = ", ".join(f"{beats}/{unit}" for beats, unit in self.metres)
            beats, unit = metre
            raise DataError(f"metre {beats}/{unit} is not one of this model's corpus: {known}")


class ChoraleTracker:
    """Knows which voice comes next, what it may sing, and when the piece may end.

    Parameters
    ----------
    codec : ChoraleCodec
    given : list of int, optional
        Ids whose header and soprano are to be kept.
    """

    def __init__(self, codec: ChoraleCodec, given: list[int] | None = None) -> None:
        self._codec, self._given = codec, given
        self._header: list[int] = []
        self._metre, self._upbeat = codec.read_header(np.zeros(0, np.int64))
        self._sounding = [REST] * (2 * PARTS)
        self._lasted = [0] * PARTS
        self._cells = 0
        self._silent_steps = 0
        self._masks = [self._mask(slot) for slot in range(codec.header + PARTS)]

    def features(self) -> Sequence[int]:
        """Return the row of `ChoraleCodec.features` for the next position."""
        if len(self._header) < self._codec.header:
            return (len(self._header), *[0] * (len(self._codec.feature_sizes) - 1))
        step, voice = divmod(self._cells, PARTS)
        bar, place = divmod(step - self._upbeat, bar_steps(self._metre))
        return (
            self._codec.header + voice,
            place,
            min(max(bar, 0), LAST_BAR),
            min(self._lasted[voice], LONGEST_LASTED),
            *(self._pitch_feature(self._sounding[-back]) for back in range(1, PARTS + 1)),
            *(self._pitch_feature(self._parallel(voice, back)) for back in range(1, PARTS)),
        )

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the slot.

        Nothing is held that does not sound, the voices are not all silent for more than a bar,
        and a piece ends after a whole step in which something sounds.
        """
        if len(self._header) < self._codec.header:
            mask = self._masks[len(self._header)].copy()
            first = self._codec.ids["upbeat", 0]
            mask[first + bar_steps(self._metre) :] = False
            return mask
        step, voice = divmod(self._cells, PARTS)
        mask = self._masks[self._codec.header + voice].copy()
        mask[-1] = voice == 0 and step > 0 and not self._silent_steps
        if self._codec.held:
            mask[self._codec.ids["hold", HOLD]] = self._sounding[-PARTS] != REST
        others_rest = voice == PARTS - 1 and set(self._sounding[1 - PARTS :]) == {REST}
        if others_rest and self._silent_steps >= bar_steps(self._metre):
            mask[self._codec.ids["rest", REST]] = False
        return mask

    def forced(self) -> int | None:
        """Force the header and the soprano that are given, and END after them."""
        if self._given is None:
            return None
        position = len(self._header) + self._cells
        if len(self._header) == self._codec.header and self._cells % PARTS:
            return None
        return self._given[position] if position < len(self._given) else len(self._codec.vocab)

    def push(self, token: int) -> None:
        """Take note of a token."""
        if len(self._header) < self._codec.header:
            self._header.append(token)
            self._metre, self._upbeat = self._codec.read_header(np.array(self._header))
            return
        voice, before = self._cells % PARTS, self._sounding[-PARTS]
        meaning = int(self._codec.meaning[token])
        now = {HOLD: before, NO_CELL: REST}.get(meaning, meaning)
        begins = now != before or (self._codec.held and meaning >= 0)
        self._lasted[voice] = 1 if begins else self._lasted[voice] + 1
        self._sounding = [*self._sounding[1:], now]
        self._cells += 1
        if voice == PARTS - 1:
            silent = set(self._sounding[-PARTS:]) == {REST}
            self._silent_steps = self._silent_steps + 1 if silent else 0

    def _parallel(self, voice: int, back: int) -> int:
        """Return the pitch that would run parallel with the voice `back` cells ago, or `REST`."""
        own, other = self._sounding[-PARTS], self._sounding[-back]
        before = self._sounding[-back - PARTS]
        if voice < back or REST in (own, other, before) or other == before:
            return REST
        return own + other - before if (before - own) % 12 in PERFECT else REST

    def _pitch_feature(self, pitch: int) -> int:
        return pitch - self._codec.low + 1 if self._codec.low <= pitch <= self._codec.high else 0

    def _mask(self, slot: int) -> NDArray[np.bool_]:
        """Return the ids that belong into a slot, END last."""
        codec, table = self._codec, [*self._codec.table, ("end", None)]
        if slot < codec.header:
            return np.array([kind == ("metre", "upbeat")[slot] for kind, _ in table])
        low, high = codec.ranges[slot - codec.header]
        return np.array(
            [kind == "rest" or (kind == "pitch" and low <= value <= high) for kind, value in table]
        )


def _metre_of(raster: Raster, options: ChoraleOptions) -> tuple[int, int]:
    """Return the metre as far as the form knows it."""
    return raster.metre if options.form == "held" else DEFAULT_METRE


def _excess_silence(raster: Raster, metre: tuple[int, int]) -> int:
    """Return the longest common silence in steps, if it is more than a bar, else 0."""
    silence = raster.longest_silence()
    return silence if silence > bar_steps(metre) else 0


def _token_name(kind: str, value: Any) -> str:
    match kind:
        case "pitch":
            return pitch_name(value)
        case "metre":
            return f"metre {value[0]}/{value[1]}"
        case "upbeat":
            return f"upbeat {value}"
        case _:
            return kind
