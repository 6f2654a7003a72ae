"""The codec `chorale`: four voices on a grid of 16ths, one token per voice and step.

The tokens go step by step through soprano, alto, tenor and bass. There are two forms:

*held* (the default)
    A token is the pitch of a new note, "hold" or "rest", so repeated notes stay repeated.
    Tokens before the first note give the metre, the upbeat, and the length of each phrase: the
    plan. Phrases end at fermatas.
*grid*
    A token is the pitch that sounds, or "rest". This is the form of the JSB benchmark, in which a
    repeated note and a held one are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.requests import example
from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids, Kept, Request
from seqgen_music.bars import Metre, metre_name
from seqgen_music.codecs import passages
from seqgen_music.codecs.chorale.grammar import ChoraleGrammar, ChoraleRequest, VoiceLimits
from seqgen_music.codecs.chorale.layout import (
    HOLD,
    LONGEST_PHRASE,
    PARTS,
    ChoraleLayout,
)
from seqgen_music.codecs.chorale.raster import (
    REST,
    STEP_TICKS,
    STEPS,
    Raster,
    chorale_gap,
    given_tracks,
    given_voices,
    grid_spans,
    placed_of,
    raster_of,
    voices_of,
)
from seqgen_music.codecs.chorale.requested import remaining, requested
from seqgen_music.codecs.chorale.spelling import spelled, spelling
from seqgen_music.codecs.chorale.tracker import ChoraleTracker
from seqgen_music.codecs.moves import Moves
from seqgen_music.codecs.refusals import refuse_metre, refuse_pitches
from seqgen_music.codecs.requests import BARS, METRE, PHRASES, metre_request
from seqgen_music.filling import filled
from seqgen_music.joining import Seam, joined, replaced
from seqgen_music.keys import signed
from seqgen_music.music import Music

#: The metre of all pieces in the form grid.
DEFAULT_METRE = (4, 4)

#: One piece in so many loses its plan in training.
PLANNED = 8

#: Candidates per piece where voices are given, and where bars are.
CANDIDATES, GAP_CANDIDATES = 32, 128


@dataclass(frozen=True)
class ChoraleOptions:
    """How voices become tokens."""

    form: Literal["held", "grid"] = "held"
    """held separates repeated notes from held ones and has metres; grid is the benchmark's form."""


class ChoraleCodec(Codec):
    """Four-part music as a raster of tokens.

    Lossy: onsets and ends are rounded to 16ths. A voice keeps the highest of simultaneous notes,
    and its next onset ends a note. Dynamics, tempo and changes of metre are lost. The key signature
    becomes that of the key found in the notes. The form *grid* also loses repeated notes and the
    metre.

    Thirteen features, of which the form *grid* lacks the last two: the slot (header or voice); the
    place in the bar; the number of the bar; how long the voice has held; the pitches of the last
    four cells (the fourth is the voice's own); for each of the three others the pitch that would
    move with it in parallel fifths, octaves or unisons; the steps to the end of the phrase; and the
    number of phrases that follow. In the plan the last two are the length of the last phrase, and
    the number of phrases.

    Parameters
    ----------
    low, high : int
        Lowest and highest pitch of the corpus.
    metres : sequence of (int, int)
        Metres of the corpus. Ids without a metre have the first.
    options : ChoraleOptions
    limits : VoiceLimits, optional
        By default each voice may sing all pitches, and new pieces may stand still.
    phrases : sequence of int
        Lengths of the corpus's phrases in steps, rising.
    """

    options_type: ClassVar[type[Any]] = ChoraleOptions
    min_p: float = 0.05
    limited: bool = True
    rewrites: bool = True
    requests: Mapping[str, Request] = {"bars": BARS, "metre": METRE, "phrases": PHRASES}

    def __init__(
        self,
        low: int,
        high: int,
        metres: Sequence[Metre],
        options: ChoraleOptions,
        limits: VoiceLimits | None = None,
        phrases: Sequence[int] = (),
    ) -> None:
        self.options = options
        self.held = options.form == "held"
        self.layout = ChoraleLayout(low, high, metres, self.held, phrases)
        self._limit(limits or VoiceLimits(((low, high),) * PARTS))
        self.table = self.layout.table
        self.vocab, self.feature_values = self.table.names, self.layout.feature_values
        self.feature_sizes = self.layout.feature_sizes
        # The form grid has no metres.
        self.requests = {"bars": BARS}
        if self.held:
            self.groups = self.table.all_alone_but("pitch")
            self.requests["metre"] = metre_request(self.layout.metres)
        if self.layout.phrases:
            self.requests["phrases"] = PHRASES
        # In the form grid a pitch also means "hold": a low temperature would stop the voices.
        self.temperature = 0.5 if self.held else 0.9

    def _limit(self, limits: VoiceLimits) -> None:
        self.limits = limits
        self._grammar = ChoraleGrammar(self.layout, limits.ranges)

    @classmethod
    def fit(cls, pieces: Iterable[Music], options: ChoraleOptions) -> Self:
        """Learn the range of all voices, the metres, and the lengths of phrases.

        Raises
        ------
        DataError
            If no piece has four voices.
        """
        sung, metres, moves = np.zeros((128, PARTS), bool), set(), Moves(STEPS)
        phrases: set[int] = set()
        for piece in pieces:
            try:
                raster = raster_of(piece)
            except DataError:
                continue
            metre = _metre_of(raster, options)
            if _excess_silence(raster, metre):
                continue
            steps, voices = np.nonzero(raster.sounding != REST)
            sung[raster.sounding[steps, voices], voices] = True
            metres.add(metre)
            phrases.update(np.diff(raster.ends, prepend=0).tolist() if raster.ends else ())
            sings = np.isin(piece.notes["track"], [*voices_of(piece).values()])
            moves.add(piece.notes["onset"][sings], piece.ticks_per_quarter)
        if not sung.any(axis=0).all():
            raise DataError(
                "no piece has four voices, which the codec 'chorale' needs: one track per voice"
            )
        pitches = np.flatnonzero(sung.any(axis=1)).tolist()
        known = sorted(length for length in phrases if length <= LONGEST_PHRASE)
        codec = cls(pitches[0], pitches[-1], sorted(metres), options, phrases=known)
        codec.fit_note = str(moves)
        return codec

    def learn_grammar(self, pieces: Iterable[Ids]) -> None:
        """Learn the range of each voice, and what voices do not do in new pieces."""
        rasters = map(self.raster, pieces)
        self._limit(VoiceLimits.of(rasters, self.layout.low, self.layout.high))

    def encode(self, piece: Music) -> Ids:
        """Return the raster as ids.

        Raises
        ------
        DataError
            If the piece does not have four voices, if all are silent for more than a bar, or
            if the corpus did not have a pitch or the metre.
        """
        raster = raster_of(piece)
        if silence := _excess_silence(raster, _metre_of(raster, self.options)):
            raise DataError(
                f"all voices are silent for {silence} sixteenths on end, more than a bar; "
                f"check whether a part is missing"
            )
        return self._ids_of(raster)

    def _ids_of(self, raster: Raster) -> Ids:
        refuse_pitches(raster.sounding[raster.sounding != REST], self.layout.low, self.layout.high)
        refuse_metre(_metre_of(raster, self.options), self.layout.metres)
        return spelling(raster, self.layout)

    def decode(self, ids: Ids) -> Music:
        """Return four tracks; voices missing from the last step hold their notes."""
        return signed(self.raster(ids).to_music())

    def keep(self, given: Music, ids: Ids, start: int) -> Music:
        """Return a piece that begins as the given one; new notes are as loud as its notes."""
        head, piece, placed = self.decode(ids[:start]), self.decode(ids), placed_of(given)
        tick = max(start - self.layout.header_size(ids), 0) // PARTS * STEP_TICKS
        is_whole = np.array_equal(self.encode(given), ids[:start])
        seam = Seam.at(tick, placed.begun(given, head, tick), is_whole=is_whole)
        if not self.held:
            head, piece = replace(head, metres=()), replace(piece, metres=())
        return joined(given, (head, piece), placed, seam, is_even=True)

    def answer(self, piece: Music, condition: Any) -> Music:
        """Return a new piece with all that is given as it was: voices, bars, tempo, metre, key."""
        if isinstance(condition, Kept):
            return self._filled(piece, condition)
        if not isinstance(condition, Music):
            return piece
        given, track_of = given_tracks(condition, self.limits.ranges), voices_of(piece)
        return replaced(piece, condition, {track_of[voice]: given[voice] for voice in given})

    def _filled(self, piece: Music, kept: Kept) -> Music:
        """Return the piece of which parts stay, with the rest of a new piece."""
        given, gap, placed = kept.piece, chorale_gap(kept), placed_of(kept.piece)
        before = self.decode(self._ids_of(raster_of(given)))
        if not self.held:
            before, piece = replace(before, metres=()), replace(piece, metres=())
        gap = replace(gap, spans=grid_spans(gap, given) * STEP_TICKS)
        return filled(given, (before, piece), placed, gap, is_even=True)

    def state(self) -> dict[str, Any]:
        """Return pitches, metres, lengths of phrases, and the limits of voices."""
        return {
            "low": self.layout.low,
            "high": self.layout.high,
            "metres": [*map(list, self.layout.metres)],
            "phrases": [*self.layout.phrases],
            "ranges": [*map(list, self.limits.ranges)],
            "stillest": self.limits.stillest,
            "notes": [*self.limits.notes],
            "stays": [*self.limits.stays],
            "parallels": self.limits.parallels,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: ChoraleOptions) -> Self:
        """Rebuild the codec."""
        ranges = tuple((low, high) for low, high in state["ranges"])
        metres = [(beats, unit) for beats, unit in state["metres"]]
        limits = VoiceLimits(
            *(ranges, state["stillest"], tuple(state["notes"]), tuple(state["stays"])),
            parallels=state["parallels"],
        )
        given = state["low"], state["high"], metres, options, limits
        return cls(*given, phrases=state["phrases"])

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Transpose all voices by one interval that keeps each in its range.

        One piece in `PLANNED` loses its plan, as if it had no fermatas.
        """
        if self.held and not rng.integers(PLANNED):
            ids = np.delete(ids, np.s_[2 : self.layout.header_size(ids) - 1])
        sounding = self.raster(ids).sounding
        down, up = -128, 128
        for voice, (low, high) in zip(sounding.T, self.limits.ranges, strict=True):
            sung = voice[voice != REST]
            if len(sung):
                down, up = max(down, low - int(sung.min())), min(up, high - int(sung.max()))
        if down >= up:
            return ids
        interval = int(rng.integers(down, up + 1))
        return np.where(self.layout.meaning[ids] >= 0, ids.astype(np.int64) + interval, ids)

    def variations(self, ids: Ids) -> Ids:
        """Return all transpositions within the pitches of the corpus."""
        return self.table.transpositions(ids, "pitch")

    def passages(self, ids: Ids) -> Ids:
        """Return passages of the soprano: chorales on the same tune are near-duplicates."""
        raster = self.raster(ids)
        onsets = np.flatnonzero(raster.begins[:, 0] & (raster.sounding[:, 0] != REST))
        return passages.passages(raster.sounding[onsets, 0], onsets)

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position ``(N + 1, 13)``."""
        return self._grammar.follow(ids)[0]

    def masks(self, ids: Ids) -> NDArray[np.uint8]:
        """Return the packed mask of every position ``(N + 1, W)``."""
        return self._grammar.follow(ids)[1]

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the steps after the first `start` ids, with metre, matching upbeat and plan."""
        header = self.layout.header_size(ids)
        steps = -(-max(start - header, 0) // PARTS)
        if not steps:
            return ids
        rest = ids[header + PARTS * steps :].copy()
        if not self.held:
            return rest
        raster = self.raster(ids)
        # Notes held over the cut begin there.
        for voice, token in enumerate(rest[:PARTS]):
            pitch = int(raster.sounding[steps, voice])
            if self.layout.meaning[token] == HOLD and pitch != REST:
                rest[voice] = self.table.id("pitch", pitch)
        upbeat = (raster.upbeat - steps) % self.layout.bar(raster.metre)
        ends = [end - steps for end in self.layout.read_plan(ids).tolist() if end > steps]
        plan = self.layout.plan(ends)
        return np.concatenate([ids[:1], [self.table.id("upbeat", upbeat)], plan, rest])

    def candidates(self, condition: Any) -> int:
        """Return `CANDIDATES` where voices are given, `GAP_CANDIDATES` where bars are, else 1."""
        if isinstance(condition, Kept):
            return GAP_CANDIDATES
        return CANDIDATES if isinstance(condition, Music) else 1

    def most_tokens(self, condition: Any) -> int | None:
        """Return the length of a piece of which parts are kept; None for other conditions."""
        if not isinstance(condition, Kept):
            return None
        return len(self._ids_of(raster_of(condition.piece))) + 1

    def tracker(self, condition: Any = None) -> ChoraleTracker:
        """Return a tracker of the order of the voices and their ranges.

        Parameters
        ----------
        condition : Music, Kept or str, optional
            A piece: its voices are kept note for note, with its metre, and the model writes the
            others up to its end. `given_voices` says which voices a piece gives.
            Or a piece of four voices, of which some bars or voices are kept (`chorale_gap`).
            Or words: ``bars=8``, ``metre=3/4``, ``phrases=4`` or ``phrases=8+8+12``, the quarters
            of each. An upbeat and the shortened last bar count as one bar.

        Raises
        ------
        DataError
            If the condition is neither, or the corpus did not have a pitch or the metre.
        """
        if condition is None:
            return ChoraleTracker(self._grammar, self.limits)
        if isinstance(condition, Music):
            raster, voices = given_voices(condition, self.limits.ranges)
            ids = self._ids_of(raster).tolist()
            header = self.layout.header_size(np.array(ids))
            given = {voice: ids[header + voice :: PARTS] for voice in voices}
            request = ChoraleRequest(ids[:header], given, steps=len(raster.sounding))
        elif isinstance(condition, Kept):
            ids = self._ids_of(raster_of(condition.piece))
            request = remaining(condition, ids, self.layout)
        elif isinstance(condition, str) and "=" in condition:
            request = requested(condition, self.layout, self.requests)
        else:
            raise DataError(
                f"a chorale follows a melody in a file, or words such as "
                f"{example(self.requests)!r}, found {condition!r}"
            )
        return ChoraleTracker(self._grammar, self.limits, request)

    def header_values(self, ids: Ids) -> dict[str, str]:
        """Return the metre in the form held."""
        return {"metre": metre_name(self.layout.read_header(ids)[0])} if self.held else {}

    def place(self, ids: Ids, position: int) -> str:
        """Return the bar; the first full one is bar 1."""
        metre, upbeat = self.layout.read_header(ids)
        step = max(position - self.layout.header_size(ids), 0) // PARTS
        bar = (step - upbeat) // self.layout.bar(metre) + 1
        return f"bar {bar}" if bar else "upbeat"

    def units(self, ids: Ids) -> dict[str, float]:
        """Count tokens, steps of the grid ("frames"), quarter notes and bars."""
        frames = (len(ids) - self.layout.header_size(ids)) / PARTS
        bars = frames / self.layout.bar(self.layout.read_header(ids)[0])
        amounts = {"frames": frames, "quarters": frames / STEPS, "bars": bars}
        return {"tokens": float(len(ids)), **amounts}

    def raster(self, ids: Ids) -> Raster:
        """Return the raster of any ids; tokens out of place are rests."""
        return spelled(ids, self.layout)


def _metre_of(raster: Raster, options: ChoraleOptions) -> Metre:
    """Return the metre in the form held, and `DEFAULT_METRE` in the form grid."""
    return raster.metre if options.form == "held" else DEFAULT_METRE


def _excess_silence(raster: Raster, metre: Metre) -> int:
    """Return the longest silence of all voices in steps if it exceeds a bar, else 0."""
    silence = raster.longest_silence()
    return silence if silence > ChoraleLayout.bar(metre) else 0
