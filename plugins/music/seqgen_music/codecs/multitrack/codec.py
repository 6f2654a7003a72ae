"""The codec `multitrack`: any number of instruments and drums, note by note through the bars.

A piece opens with a header (`seqgen_music.codecs.multitrack.header`) and its tempo. Then it goes
bar after bar. A metre token opens the first bar and every bar of another metre, a bar token all
others. In a bar come places where notes begin, each followed by its notes, sorted by instrument
(drums first) and pitch. What a token says holds until another one says otherwise: the instrument
for all notes to come, the velocity for those of its instrument, the tempo for all. So a note is a
pitch and a duration, and a stroke of a drum one token, unless the instrument or the loudness
change::

    key D minor | density 16 | instrument drums | instrument 33 | tempo 120
    | metre 4/4 | position 0 | program drums | velocity 24 | drum 36 | drum 42
    | program 33 | velocity 20 | pitch E2 | duration 12 | position 6 | program drums | drum 42
    | bar | ...

Pitches are written as if the piece were in C major or A minor: this E sounds as an A. A piece from
which training leaves out instruments has a token for that after the density, and no new piece has.
Where pieces are of several composers, the composer's name comes first in the header.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids, Within, check_fields
from seqgen_music.codecs import passages, requests
from seqgen_music.codecs.multitrack.features import feature_sizes, features_of
from seqgen_music.codecs.multitrack.header import (
    DENSITIES,
    LOWEST,
    WRITTEN,
    Header,
    density_number,
    header_of,
    written,
)
from seqgen_music.codecs.multitrack.instruments import programs_named
from seqgen_music.codecs.multitrack.repeats import longest_runs, usual_runs
from seqgen_music.codecs.multitrack.score import (
    DRUMS,
    FINEST,
    LONGEST_STEPS,
    GridScore,
    bar_steps,
    program_name,
    score_of,
    settle,
)
from seqgen_music.codecs.multitrack.spelling import spell, tokens_of
from seqgen_music.codecs.multitrack.states import States, states_of
from seqgen_music.codecs.multitrack.tracker import MultitrackTracker, Request
from seqgen_music.codecs.multitrack.values import (
    TEMPOS,
    VELOCITIES,
    Learned,
    Numbers,
    durations_of,
    ends_of,
    nearest_of,
    span_of,
    tempo_numbers,
)
from seqgen_music.codecs.tokens import TokenTable
from seqgen_music.measures import keys
from seqgen_music.music import DEFAULT_TEMPO, Music

#: What may be asked of a new piece, and an example.
REQUESTS = {
    "composer": str,
    "key": keys.named,
    "density": requests.number,
    "instruments": requests.names,
    "tempo": requests.number,
    "metre": requests.metre,
    "bars": requests.count,
}
EXAMPLE = "key=C minor, instruments=piano+bass+drums, tempo=120, bars=16"

#: Pieces of a composer who is told of: folders of one piece each are not of composers.
FEWEST_PIECES = 2

#: How often a piece loses instruments when it is varied, and each of them then.
THINNED, LEFT_OUT = 0.75, 0.25


@dataclass(frozen=True)
class MultitrackOptions:
    """How time becomes tokens."""

    steps: Annotated[int, Within(1, FINEST)] = 12
    """Places in a quarter: 12 keep sixteenths and triplets exactly, 24 thirty-seconds too."""

    def __post_init__(self) -> None:
        check_fields(self)


class MultitrackCodec(Codec):
    """Many instruments, note by note through the bars.

    Lossy: times are rounded to the grid; durations of more than four quarters to quarters, of
    more than eight to halves, and always to the nearest one of the corpus, of `LONGEST_NOTE`
    quarters at most; drums have none. All tracks of a program become one, in which a note ends
    where the next one of its pitch begins, and of notes that begin together the longest stays.
    Velocities are rounded to fours, tempos to `TEMPOS`, and a tempo begins with the next note.
    A change of metre is rounded to a sixteenth, a metre of more than eight quarters is
    taken for 4/4. Bars before the first note and after the last go, and of more than
    four bars on end in which no note begins the others. Signatures of keys, pedals,
    bends and the names of tracks go; a piece comes back with the signature of the one key that its
    header has.

    Eighteen features: the place in the bar; the number of the bar in its phrase of eight, and of
    the phrase; metre and instrument; its velocity and its last pitch; what came the last
    time that the same token stood here: at the same place of a bar, with the same instrument,
    after the same note; of the header the mode, the density, whether instruments were left out,
    and the next one; of what sounds the lowest pitch class, and which others there are, in three
    columns; what came after the longest stretch of last tokens that came before, and how long
    that is. Where composers are known there is one more, the composer.

    Parameters
    ----------
    learned : Learned
    options : MultitrackOptions
    """

    options_type: ClassVar[type[Any]] = MultitrackOptions
    temperature: float = 0.9
    min_p: float = 0.05

    def __init__(self, learned: Learned, options: MultitrackOptions) -> None:
        self.options, self.learned = options, learned
        self.bars = [bar_steps(metre, options.steps) for metre in learned.metres]
        self.table = TokenTable(
            {
                "composer": learned.composers,
                "key": keys.NAMES,
                "density": DENSITIES[slice(*span_of(learned.densities))],
                "instrument": learned.programs_named(),
                "tempo": TEMPOS[slice(*span_of(learned.tempos))],
                "metre": learned.metres,
                "bar": (None,),
                "position": range(max(self.bars)),
                "program": learned.programs_named(),
                "velocity": range(*span_of(learned.velocities)),
                "pitch": WRITTEN,
                "drum": learned.drums,
                "duration": learned.durations,
                "thinned": (None,),
            }
        )
        self.vocab = self.table.names
        self.programs = np.array(learned.programs)
        self.feature_sizes = feature_sizes(self.table)
        self._numbers = Numbers(learned, options.steps)
        self._tokens = tokens_of(self._numbers, self.table)

    @classmethod
    def fit(cls, pieces: Iterable[Music], options: MultitrackOptions) -> Self:
        """Learn which composers, metres, instruments, drums and durations there are, and ranges.

        Raises
        ------
        DataError
            If no piece has a note.
        """
        known: dict[str, set[Any]] = {name: set() for name in Learned.__annotations__}
        runs: list[tuple[int, ...]] = []
        pieces_of: Counter[str] = Counter()
        lengths = durations_of(options.steps)
        for piece in pieces:
            try:
                score = score_of(piece, options.steps)
            except DataError:
                continue
            header, drums = header_of(score), score.program == DRUMS
            runs.append(longest_runs(score))
            known["densities"].add(header.density)
            pieces_of[piece.composer] += 1
            known["metres"].update(score.metres)
            known["programs"].update(header.programs.tolist())
            known["drums"].update(np.unique(score.pitch[drums]).tolist())
            nearest = lengths[nearest_of(lengths, score.duration[~drums])]
            known["durations"].update(np.unique(nearest).tolist())
            known["tempos"].update(tempo_numbers(score.tempos).tolist())
            known["velocities"].update(np.unique(score.velocity // VELOCITIES).tolist())
        if not known["programs"]:
            raise DataError("no piece has a note, which the codec 'multitrack' needs")
        composers = sorted(
            name for name, count in pieces_of.items() if name and count >= FEWEST_PIECES
        )
        learned = Learned(
            metres=sorted(known["metres"]),
            programs=sorted(known["programs"]),
            drums=sorted(known["drums"]),
            durations=sorted(known["durations"]),
            densities=ends_of(known["densities"]),
            tempos=ends_of(known["tempos"]),
            velocities=ends_of(known["velocities"]),
            runs=usual_runs(runs),
            composers=composers if len(composers) > 1 else [],
        )
        return cls(learned, options)

    def encode(self, piece: Music) -> Ids:
        """Return the notes bar by bar.

        Raises
        ------
        DataError
            If there is no note, or for a drum, instrument or metre that the corpus had not.
        """
        score = score_of(piece, self.options.steps)
        header = header_of(score)
        notes = (
            *(score.step, score.program, written(score, header)),
            *(score.duration, score.velocity),
        )
        tempos = self._numbers.tempo(score.tempos) + self.table.start("tempo")
        ids = spell(
            notes,
            (score.starts, self._lines(score.metres)),
            (score.tempo_steps, tempos),
            self._tokens,
        )
        if not len(ids):
            self._refuse_unknown(score)
        return np.concatenate([self._header(header, piece.composer), ids])

    def _header(self, header: Header, composer: str) -> Ids:
        """Return the composer, if it is known, key, density and instruments."""
        table, (low, high) = self.table, self.learned.densities
        density = min(max(header.density, low), high) - low
        programs = self._numbers.program[header.programs]
        opening = [table.start("key") + header.key, table.start("density") + density]
        if table.has("composer", composer):
            opening.insert(0, table.id("composer", composer))
        return np.concatenate([opening, table.start("instrument") + programs])

    def _lines(self, metres: Sequence[tuple[int, int]]) -> Ids:
        """Return the tokens that open bars, the metre where it is another one; -1 if unknown."""
        lines, bar = np.full(len(metres), self.table.start("bar")), 0
        for metre, run in groupby(metres):
            known = self.table.has("metre", metre)
            lines[bar] = self.table.id("metre", metre) if known else -1
            bar += len(list(run))
        return lines

    def _refuse_unknown(self, score: GridScore) -> None:
        program = self._numbers.program[score.program]
        pitch = self._numbers.pitch[(score.program == DRUMS).astype(np.intp), score.pitch]
        if len(unknown := np.flatnonzero(program < 0)):
            raise DataError(
                f"{program_name(int(score.program[unknown[0]]))} is no instrument of this model's "
                f"corpus: {', '.join(map(program_name, self.learned.programs))}"
            )
        if len(unknown := np.flatnonzero(pitch < 0)):
            raise DataError(f"this model's corpus has no drum {score.pitch[unknown[0]]}")
        self._refuse_metres(score.metres)

    def _refuse_metres(self, metres: Iterable[tuple[int, int]]) -> None:
        for beats, unit in set(metres).difference(self.learned.metres):
            known = ", ".join(f"{beats}/{unit}" for beats, unit in self.learned.metres)
            raise DataError(f"metre {beats}/{unit} is not one of this model's corpus: {known}")

    def decode(self, ids: Ids) -> Music:
        """Return one track an instrument; what does not fit is passed over."""
        learned, states, number = self.learned, self._states(ids), self.table.number_of[ids]
        # Without an instrument it is the first one.
        program = self.programs[np.maximum(states.program[:-1] - 1, 0)]
        drums, lasts = program == DRUMS, self._is(np.append(ids[1:], -1), "duration")[: len(ids)]
        sounds = (self._is(ids, "drum") & drums) | (self._is(ids, "pitch") & ~drums & lasts)
        notes = np.flatnonzero(sounds & (states.step[:-1] < LONGEST_STEPS))
        struck = drums[notes]
        pitch, duration = number[notes], np.full(len(notes), max(self.options.steps // 4, 1))
        key = number[self._is(ids, "key")][:1]
        pitch[~struck] += LOWEST + keys.SHIFTS[key].sum()
        # What no key of MIDI is sounds an octave nearer.
        pitch += np.where(pitch < 0, 12, 0) - np.where(pitch > 127, 12, 0)
        pitch[struck] = np.array(learned.drums, np.int64)[pitch[struck]]
        duration[~struck] = np.array(learned.durations, np.int64)[number[notes[~struck] + 1]]
        loudness = learned.velocities[0] + np.maximum(states.velocity[notes] - 1, 0)
        velocity = loudness * VELOCITIES + VELOCITIES // 2
        step, steps = states.step[notes], self.options.steps
        settled = settle(step, program[notes], pitch, duration, velocity, steps)
        metres = [learned.metres[number] for number in states.metres.tolist()]
        starts, tempos = states.starts[: len(metres)], self._tempos(ids, states)
        music = GridScore(steps, starts, metres, *tempos, *settled).to_music()
        composer = number[self._is(ids, "composer")][:1].tolist()
        return replace(
            music,
            keys=tuple((0, *keys.signature(one)) for one in key.tolist()),
            composer=learned.composers[composer[0]] if composer else "",
        )

    def state(self) -> dict[str, Any]:
        """Return what was learned."""
        return asdict(self.learned)

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: MultitrackOptions) -> Self:
        """Rebuild the codec."""
        metres = [(beats, unit) for beats, unit in state["metres"]]
        tuples = ("densities", "tempos", "velocities", "runs")
        ranges = {name: tuple(state[name]) for name in tuples}
        return cls(Learned(**{**state, "metres": metres, **ranges}), options)

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Leave out instruments, change the key, the tempo and the loudness.

        Tempo and velocities go up or down by a step at most, within the ranges of the corpus.
        Pitches are written without the key, so only its token changes; but of fewer instruments the
        key may be found to be another one.
        """
        if rng.random() < THINNED:
            ids = self._thinned(ids, rng)
        number, varied = self.table.number_of[ids], ids.astype(np.int64)
        key = self._is(ids, "key")
        varied[key] += rng.integers(0, 12) - number[key] % 12
        for name in ("tempo", "velocity"):
            mine = self._is(ids, name)
            if mine.any():
                highest = len(self.table.values(name)) - 1
                down = min(1, int(number[mine].min()))
                up = min(1, highest - int(number[mine].max()))
                varied[mine] += rng.integers(-down, up + 1)
        return varied

    def _thinned(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Leave out some instruments of a piece, and say so: no new piece is to lack any."""
        piece = self.decode(ids)
        stays = (rng.random(len(piece.tracks)) >= LEFT_OUT)[piece.notes["track"]]
        if stays.all() or not stays.any():
            return ids
        thinned = self.encode(replace(piece, notes=piece.notes[stays]))
        told = np.argmax(self._is(thinned, "instrument"))
        return np.insert(thinned, told, self.table.start("thinned"))

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the rest from the bar line before it on, told again all that still holds.

        The bar is the one in which the rest begins. Notes keep their places in it, and a note
        whose duration is cut off belongs to the rest.
        """
        if start and self._is(ids, "pitch")[start - 1]:
            start -= 1
        states, rest = self._states(ids), ids[start:]
        if not states.lines[start]:
            return ids
        if not len(rest):
            return rest
        last = {
            kind: np.flatnonzero(self._is(ids[:start], *kind.split()))[-1:]
            for kind in ("tempo", "metre", "bar metre", "position")
        }
        opening = self._is(ids[:start], "composer", "key", "density", "thinned", "instrument")
        header = np.arange(np.argmin(np.append(opening, False)))
        head = [header, last["tempo"], last["metre"] if len(last["metre"]) else last["bar metre"]]
        next_kind = self.table.token(int(rest[0]))[0]
        if next_kind == "metre":
            del head[-1]
        elif next_kind == "bar":
            rest = rest[1:]
        elif next_kind != "position" and states.place[start]:
            head.append(last["position"])
        told = self._told_again(ids, states, start, len(ids) - len(rest))
        return np.concatenate([ids[np.concatenate(head)], told])

    def _told_again(self, ids: Ids, states: States, start: int, begin: int) -> Ids:
        """Return the ids from `begin` on, with instrument and velocities as told before `start`."""
        later = np.arange(len(ids)) >= begin
        told, places = [], []
        uses = np.flatnonzero(later & self._is(ids, "program", "velocity", "pitch", "drum"))[:1]
        if len(uses) and states.program[start] and not self._is(ids[uses], "program")[0]:
            places.append(int(uses[0]))
            told.append(int(states.program_at[start]))
        notes = np.flatnonzero(later & self._is(ids, "pitch", "drum"))
        at = states.velocity_at[notes]
        old = (at >= 0) & (at < start)
        at, firsts = np.unique(at[old], return_index=True)
        places += notes[old][firsts].tolist()
        told += at.tolist()
        return np.insert(ids, places, ids[told])[begin:]

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position (N + 1, K)."""
        return features_of(ids, self._states(ids), self.table)

    def tracker(self, condition: Any = None) -> MultitrackTracker:
        """Return the follower that keeps the order of tokens, notes and bars.

        A condition is text such as ``key=C minor, tempo=120, bars=16, instruments=piano+drums``.
        Tempo and metre then hold throughout, the piece ends in the last of these bars, of every
        instrument one is in the header, and others are not played.

        Raises
        ------
        DataError
            If the text cannot be read, or asks for what the corpus had not.
        """
        requested = {} if condition is None else requests.parse(condition, REQUESTS, EXAMPLE)
        if "metre" in requested:
            self._refuse_metres([requested["metre"]])
        token_of: dict[str, Callable[[Any], int]] = {
            "composer": self.composer_token,
            "key": lambda key: self.table.start("key") + key,
            "density": self.density_token,
            "tempo": self.tempo_token,
            "metre": lambda metre: self.table.id("metre", metre),
        }
        tokens = [token_of[name](value) for name, value in requested.items() if name in token_of]
        instruments = programs_named(requested.get("instruments", ()), self.learned.programs)
        return MultitrackTracker(self, Request(tokens, instruments, requested.get("bars")))

    def passages(self, ids: Ids) -> Ids:
        """Return the passages of what is heard on top, its onsets rounded to sixteenths."""
        music = self.decode(ids)
        return passages.passages(*passages.skyline(music, music.ticks_per_quarter // 4))

    def composer_token(self, name: str) -> int:
        """Return the token of a composer.

        Raises
        ------
        DataError
            If the corpus had none of this name.
        """
        if not self.table.has("composer", name):
            known = ", ".join(self.learned.composers)
            none = "all its files came from one folder, so none can be given"
            raise DataError(f"{name!r} is no composer of this model's corpus: {known or none}")
        return self.table.id("composer", name)

    def tempo_token(self, tempo: float) -> int:
        """Return the token of the nearest tempo, in quarters a minute."""
        return self.table.start("tempo") + int(self._numbers.tempo(np.array([tempo]))[0])

    def density_token(self, notes: float) -> int:
        """Return the token of the nearest density, in notes a bar."""
        low, high = self.learned.densities
        return self.table.start("density") + min(max(density_number(notes), low), high) - low

    def place(self, ids: Ids, position: int) -> str:
        """Return the bar; what stands before the first line belongs to bar 1."""
        return f"bar {max(int(self._is(ids[: position + 1], 'bar', 'metre').sum()), 1)}"

    def units(self, ids: Ids) -> dict[str, float]:
        """Count tokens and notes, and in bars begun: bars, quarters and seconds."""
        states = self._states(ids)
        lengths = np.array(self.bars)[states.metres]
        end = int(lengths.sum())
        at, tempos = self._tempos(ids, states)
        seconds = np.diff(np.minimum(at, end), append=end) * 60 / tempos
        return {
            "tokens": float(len(ids)),
            "notes": float(self._is(ids, "pitch", "drum").sum()),
            "bars": float(len(lengths)),
            "quarters": end / self.options.steps,
            "seconds": float(seconds.sum()) / self.options.steps,
        }

    def _is(self, ids: Ids, *kinds: str) -> NDArray[np.bool_]:
        """Return which ids are of these kinds; -1 is of none."""
        return self.table.mask(*kinds)[ids]

    def _states(self, ids: Ids) -> States:
        return states_of(ids, self.table, np.array(self.bars))

    def _tempos(self, ids: Ids, states: States) -> tuple[Ids, NDArray[np.float64]]:
        """Return the steps from which tempos hold, and the tempos; the first holds from 0."""
        said = self._is(ids, "tempo")
        values = np.array(self.table.values("tempo"), np.float64)
        tempos = values[self.table.number_of[ids[said]]]
        at = np.maximum.accumulate(states.step[:-1][said])
        return np.append(0, at), np.append(tempos[0] if len(tempos) else DEFAULT_TEMPO, tempos)
