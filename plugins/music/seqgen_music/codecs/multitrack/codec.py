"""The codec `multitrack`: any number of instruments and drums, note by note through the bars.

A piece opens with a header (`seqgen_music.codecs.multitrack.header`) and its tempo. Then come the
bars. A metre token opens the first bar and every bar whose metre changes; a bar token opens the
others. A bar has the positions at which notes begin, each followed by its notes, sorted by
instrument (drums first) and pitch. A token holds until another one replaces it: the instrument for
all later notes, the velocity for those of its instrument, the tempo for all. So a note is a pitch
and a duration, and a drum stroke one token, unless instrument or loudness change::

    key D minor | density 16 | instrument drums | instrument 33 | tempo 120
    | metre 4/4 | position 0 | program drums | velocity 24 | drum 36 | drum 42
    | program 33 | velocity 20 | pitch E2 | duration 12 | position 6 | program drums | drum 42
    | bar | ...

Pitches are written as in C major or A minor: this E sounds as an A. With chords a bar line is
followed by ``chord Am``, or by the chords of both halves of the bar. In training, a piece without
some instruments has the token "thinned" after the density; new pieces never have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.requests import names, number, parse
from seqgen.plugin import Codec, Ids, Kept, Request, Within, check_fields
from seqgen_music import keys
from seqgen_music.codecs import passages
from seqgen_music.codecs.lengths import LENGTHS, PLANNED
from seqgen_music.codecs.moves import Moves
from seqgen_music.codecs.multitrack.bar_chords import bar_chords, moved
from seqgen_music.codecs.multitrack.continuing import continued
from seqgen_music.codecs.multitrack.features import features_of
from seqgen_music.codecs.multitrack.gaps import remaining, rewritten
from seqgen_music.codecs.multitrack.grammar import MultitrackGrammar
from seqgen_music.codecs.multitrack.grid import DRUMS
from seqgen_music.codecs.multitrack.header import LOWEST, header_of, written
from seqgen_music.codecs.multitrack.layout import MultitrackLayout, known_requests
from seqgen_music.codecs.multitrack.repeats import UNLIMITED, limit_runs, longest_runs
from seqgen_music.codecs.multitrack.requested import requested_chords
from seqgen_music.codecs.multitrack.rewriting import RewritingTracker
from seqgen_music.codecs.multitrack.score import (
    LONGEST_STEPS,
    MOST_SCORE_STEPS,
    GridScore,
    placed_of,
    score_of,
    settle,
)
from seqgen_music.codecs.multitrack.spelling import spell
from seqgen_music.codecs.multitrack.states import States, states_of
from seqgen_music.codecs.multitrack.tracker import MultitrackRequest, MultitrackTracker
from seqgen_music.codecs.multitrack.values import VELOCITIES, Learned, learn
from seqgen_music.codecs.requests import BARS, KEY, METRE
from seqgen_music.joining import Seam, joined, within
from seqgen_music.music import DEFAULT_TEMPO, Music

#: What can be requested of a new piece.
REQUESTS = {
    "key": KEY,
    "density": Request("Notes in a bar, with drums; the nearest known density.", "16", number),
    "instruments": Request(
        "Families, names or numbers of General MIDI; at least one of each plays, and no others.",
        "piano+bass+drums",
        names,
    ),
    "tempo": Request("Quarters a minute, throughout; the nearest known tempo.", "120", number),
    "metre": METRE,
    "bars": BARS,
}

#: Probability that augmentation removes instruments from a piece, and then each of them.
THINNED, LEFT_OUT = 0.75, 0.25

#: Candidates per piece where parts of it are kept.
CANDIDATES = 32


@dataclass(frozen=True)
class MultitrackOptions:
    """How time becomes tokens."""

    steps: Annotated[int, Within(1, MOST_SCORE_STEPS)] = 12
    """Steps in a quarter: 12 keep sixteenths and triplets exactly, 24 thirty-seconds too."""
    chords: Literal["on", "off"] = "off"
    """Whether each bar has chords: those of its symbols, or those that its notes make."""

    def __post_init__(self) -> None:
        check_fields(self)


class MultitrackCodec(Codec):
    """Many instruments, note by note through the bars.

    Lossy: times are rounded to the grid, durations to the nearest of the corpus; those above four
    quarters also to quarters, above eight to halves, and they end at `LONGEST_NOTE` quarters. Drums
    have no duration. All tracks of a program become one, in which a note ends where its pitch
    begins again, and the longest of simultaneous notes stays. Velocities are rounded to fours,
    tempos to `TEMPOS`, and a tempo starts with the next note. Changes of metre are rounded to
    sixteenths; metres longer than eight quarters become 4/4. Bars before the first note and after
    the last are dropped, and empty bars after four in a row. Pedals, bends and track names are
    lost; the key signature becomes that of the header.

    Twenty features: the position in the bar; the bar in its phrase of eight; the phrase; the
    metre; the instrument, its velocity and its last pitch; what followed the last time that the
    same token stood at the same position, with the same instrument, after the same note; the mode,
    the density, "thinned" and the next instrument of the header; the lowest sounding pitch class,
    and all of them in three columns; what followed the longest stretch of last tokens that came
    before, and its length; the bars that are left, and the share of the piece that is over. With
    chords two more: the chord, and the one that comes in the second half of the bar.

    Parameters
    ----------
    learned : Learned
    options : MultitrackOptions
    runs : tuple of int
        Most repeated bars in a row of new pieces, by `seqgen_music.codecs.multitrack.repeats`.
    longest : int
        Tokens of the longest training piece; 0 if unknown.
    """

    options_type: ClassVar[type[Any]] = MultitrackOptions
    temperature: float = 0.9
    min_p: float = 0.05
    limited: bool = True
    rewrites: bool = True
    requests: Mapping[str, Request] = REQUESTS

    def __init__(
        self,
        learned: Learned,
        options: MultitrackOptions,
        runs: tuple[int, ...] = UNLIMITED,
        longest: int = 0,
    ) -> None:
        self.options, self.learned, self.runs, self.longest = options, learned, runs, longest
        self.layout = MultitrackLayout(learned, options.steps)
        self.table = self.layout.table
        self.vocab, self.feature_values = self.table.names, self.layout.feature_values
        self.feature_sizes = self.layout.feature_sizes
        self.requests = known_requests(REQUESTS, self.layout)

    @classmethod
    def fit(cls, pieces: Iterable[Music], options: MultitrackOptions) -> Self:
        """Learn metres, instruments, drums, durations and ranges.

        Raises
        ------
        DataError
            If no piece has a note.
        """
        moves = Moves(options.steps)
        codec = cls(learn(pieces, moves, chords=options.chords == "on"), options)
        codec.fit_note = str(moves)
        return codec

    def learn_grammar(self, pieces: Iterable[Ids]) -> None:
        """Learn the limits on repeated bars, and the longest piece."""
        found = [(self._longest_runs(ids), len(ids)) for ids in pieces]
        self.runs = limit_runs(runs for runs, _ in found)
        self.longest = max((length for _, length in found), default=0)

    def _longest_runs(self, ids: Ids) -> tuple[int, ...]:
        states, notes = self._states(ids), np.flatnonzero(self.layout.are(ids, "pitch", "drum"))
        return longest_runs(states.starts, states.step[notes], ids[notes])

    def encode(self, piece: Music) -> Ids:
        """Return the header and the notes bar by bar.

        Raises
        ------
        DataError
            If there is no note, or the corpus did not have a drum, an instrument or a metre.
        """
        layout, score = self.layout, score_of(piece, self.options.steps)
        header = header_of(score)
        pitch = written(score, header)
        notes = (score.step, score.program, pitch, score.duration, score.velocity)
        tempos = layout.numbers.tempo(score.tempos) + self.table.start("tempo")
        bars = (score.starts, layout.bar_lines(score.metres))
        ids = spell(notes, bars, (score.tempo_steps, tempos), layout.values)
        if not len(ids):
            layout.refuse_unknown(score)
        if self.learned.kinds:
            chords = bar_chords(piece, score, self.learned.kinds)
            ids = layout.with_chords(ids, moved(chords, -header.shift))
        return np.concatenate([layout.header_ids(header), ids])

    def decode(self, ids: Ids) -> Music:
        """Return one track per instrument; ids out of place are skipped."""
        are, learned, number = self.layout.are, self.learned, self.table.number_of[ids]
        states = self._states(ids)
        # Notes before the first instrument have the first one of the table.
        program = self.layout.programs[np.maximum(states.program[:-1] - 1, 0)]
        drums, lasts = program == DRUMS, are(np.append(ids[1:], -1), "duration")[: len(ids)]
        sounds = (are(ids, "drum") & drums) | (are(ids, "pitch") & ~drums & lasts)
        notes = np.flatnonzero(sounds & (states.step[:-1] < LONGEST_STEPS))
        struck = drums[notes]
        pitch, duration = number[notes], np.full(len(notes), max(self.options.steps // 4, 1))
        key = number[are(ids, "key")][:1]
        pitch[~struck] += LOWEST + keys.SHIFTS[key].sum()
        # Pitches outside MIDI move by an octave.
        pitch += np.where(pitch < 0, 12, 0) - np.where(pitch > 127, 12, 0)
        pitch[struck] = np.array(learned.drums, np.int64)[pitch[struck]]
        duration[~struck] = np.array(learned.durations, np.int64)[number[notes[~struck] + 1]]
        loudness = learned.velocities[0] + np.maximum(states.velocity[notes] - 1, 0)
        velocity = loudness * VELOCITIES + VELOCITIES // 2
        step, steps = states.step[notes], self.options.steps
        settled = settle(step, program[notes], pitch, duration, velocity, steps)
        metres = [learned.metres[number] for number in states.metres.tolist()]
        bars = states.starts[: len(metres)], metres, *self._tempos(ids, states)
        music = GridScore(steps, *bars, *settled).to_music()
        signatures = tuple((0, *keys.signature(one)) for one in key.tolist())
        return replace(music, keys=signatures, chords=self.layout.symbols(ids, states))

    def keep(self, given: Music, ids: Ids, start: int) -> Music:
        """Return a piece that begins as the given one, with its tracks, tempos and key."""
        piece = self.decode(ids)
        head = within(self.decode(ids[:start]), piece)
        placed = placed_of(given, self.options.steps, piece.tracks)
        last = int(head.notes["onset"].max(initial=-1))
        is_whole = np.array_equal(self.encode(given), ids[:start])
        begun = placed.begun(given, head, last)
        seam = Seam.at(last + 1, begun, is_whole=is_whole, ends_open=False)
        return joined(given, (head, piece), placed, seam)

    def answer(self, piece: Music, condition: Any) -> Music:
        """Return a new piece with the requested tempo, or with what is kept as it was."""
        if isinstance(condition, Kept):
            return rewritten(condition, (self.decode(self.encode(condition.piece)), piece))
        requested = parse(condition, self.requests).get("tempo")
        if requested is None:
            return piece
        [[number]] = self.layout.wanted({"tempo": requested})["tempo"]
        tempos = np.array(piece.tempos)
        tempos["qpm"][tempos["qpm"] == self.table.values("tempo")[number]] = requested
        return replace(piece, tempos=tempos)

    def state(self) -> dict[str, Any]:
        """Return what was learned."""
        return asdict(self.learned) | {"runs": list(self.runs), "longest": self.longest}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: MultitrackOptions) -> Self:
        """Rebuild the codec."""
        metres = [(beats, unit) for beats, unit in state["metres"]]
        ranges = ("densities", "tempos", "velocities", "lengths")
        values = {name: state[name] for name in state if name not in ("runs", "longest")}
        values |= {name: tuple(state[name]) for name in ranges}
        learned = Learned(**{**values, "metres": metres})
        return cls(learned, options, tuple(state["runs"]), state["longest"])

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Remove instruments; change the key, the tempo and the loudness.

        Tempo and velocities move by at most one step, within the ranges of the corpus. Pitches are
        written without the key, so only its token changes. If instruments are removed, the notes
        that stay may have another key. `PLANNED` of the pieces get their number of bars.
        """
        if rng.random() < THINNED:
            ids = self._thinned(ids, rng)
        number, varied = self.table.number_of[ids], ids.astype(np.int64)
        key = self.layout.are(ids, "key")
        varied[key] += rng.integers(0, 12) - number[key] % 12
        for kind in ("tempo", "velocity"):
            mine = self.layout.are(ids, kind)
            if mine.any():
                highest = len(self.table.values(kind)) - 1
                down = min(1, int(number[mine].min()))
                up = min(1, highest - int(number[mine].max()))
                varied[mine] += rng.integers(-down, up + 1)
        return self.layout.planned(varied) if rng.random() < PLANNED else varied

    def variations(self, ids: Ids) -> Ids:
        """Return the piece in all twelve keys of its mode, the first on C."""
        key = self.layout.are(ids, "key")
        if not key.any():
            return ids[None]
        tonic = self.table.number_of[ids] % 12  # (N,)
        intervals = np.arange(12)[:, None] - tonic[key][0]  # (12, 1)
        return ids + np.where(key, (tonic + intervals) % 12 - tonic, 0)

    def _thinned(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Remove some instruments of a piece, and mark it as thinned."""
        piece = self.decode(ids)
        stays = (rng.random(len(piece.tracks)) >= LEFT_OUT)[piece.notes["track"]]
        if stays.all() or not stays.any():
            return ids
        thinned = self.encode(replace(piece, notes=piece.notes[stays]))
        first = np.argmax(self.layout.are(thinned, "instrument"))
        return np.insert(thinned, first, self.table.start("thinned"))

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the rest from its bar line on, with all tokens before that still hold.

        Notes keep their positions in the bar. A note whose duration is cut off belongs to the
        rest. The number of bars in the header is dropped.
        """
        return continued(ids, start, self.layout, self._states(ids))

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position ``(N + 1, K)``."""
        halves = np.array(self.layout.halves)
        return features_of(ids, self._states(ids), self.table, self.layout.header, halves)

    def masks(self, ids: Ids) -> NDArray[np.uint8]:
        """Return which ids the grammar allows at each position, packed ``(N + 1, W)``.

        The limits on repeated bars are the tracker's alone: 1 in 20 pieces of a corpus is beyond
        them. No mask allows "thinned", which augmentation adds to training pieces.
        """
        return MultitrackGrammar(self.layout).masks(ids)

    def tracker(self, condition: Any = None) -> MultitrackTracker:
        """Return a tracker of the order of tokens, notes and bars.

        A condition is a `Kept`, or text such as ``key=C minor, bars=16``. Tempo and metre hold
        throughout, and the piece ends in the last requested bar. At least one instrument of each
        request plays, and no others.

        Raises
        ------
        DataError
            If the text cannot be read, or the corpus did not have what it requests.
        """
        if isinstance(condition, Kept):
            ids = self.encode(condition.piece)
            parts = remaining(condition, ids, self.decode(ids), self.layout)
            return RewritingTracker(self.layout, parts)
        requested = parse(condition, self.requests)
        chords = requested_chords(requested, self.layout) if "chords" in requested else ()
        metre = requested.get("metre")
        request = MultitrackRequest(
            self.layout.wanted(requested),
            None if metre is None else self.learned.metres.index(metre),
            requested.get("bars"),
            chords,
        )
        return MultitrackTracker(self.layout, request, self.runs)

    def candidates(self, condition: Any) -> int:
        """Return `CANDIDATES` where parts of a piece are kept, else 1."""
        return CANDIDATES if isinstance(condition, Kept) else 1

    def most_tokens(self, condition: Any) -> int | None:
        """Return twice the tokens of the longest piece; more where more bars are requested.

        Where parts of a piece are kept, it is twice the tokens of that.
        """
        if isinstance(condition, Kept):
            return 2 * len(self.encode(condition.piece))
        requested = parse(condition, self.requests)
        bars = requested.get("bars", len(requested.get("chords", ())))
        longest = LENGTHS[max(self.learned.lengths[1], 0)]
        return int(2 * self.longest * max(bars / longest, 1)) or None

    def header_values(self, ids: Ids) -> dict[str, str]:
        """Return key, density, instruments and tempo."""
        return self.layout.header_values(ids)

    def passages(self, ids: Ids) -> Ids:
        """Return the passages of the top line, with onsets rounded to sixteenths."""
        music = self.decode(ids)
        return passages.passages(*passages.skyline(music, music.ticks_per_quarter // 4))

    def place(self, ids: Ids, position: int) -> str:
        """Return the bar; the header belongs to bar 1."""
        return f"bar {max(int(self._states(ids).lines[min(position + 1, len(ids))]), 1)}"

    def units(self, ids: Ids) -> dict[str, float]:
        """Count tokens and notes; and of all bars begun: bars, quarters and seconds."""
        states = self._states(ids)
        lengths = np.array(self.layout.bars)[states.metres]
        end = int(lengths.sum())
        at, tempos = self._tempos(ids, states)
        seconds = np.diff(np.minimum(at, end), append=end) * 60 / tempos
        return {
            "tokens": float(len(ids)),
            "notes": float(self.layout.are(ids, "pitch", "drum").sum()),
            "bars": float(len(lengths)),
            "quarters": end / self.options.steps,
            "seconds": float(seconds.sum()) / self.options.steps,
        }

    def _states(self, ids: Ids) -> States:
        return states_of(ids, self.table, np.array(self.layout.bars))

    def _tempos(self, ids: Ids, states: States) -> tuple[Ids, NDArray[np.float64]]:
        """Return the steps at which tempos start, the first at 0, and the tempos ``(T,)``."""
        is_tempo = self.layout.are(ids, "tempo")
        values = np.array(self.table.values("tempo"), np.float64)
        tempos = values[self.table.number_of[ids[is_tempo]]]
        at = np.maximum.accumulate(states.step[:-1][is_tempo])
        return np.append(0, at), np.append(tempos[0] if len(tempos) else DEFAULT_TEMPO, tempos)
