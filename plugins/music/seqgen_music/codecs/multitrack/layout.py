"""The layout of a multitrack piece's tokens: the table, the bars, and the ids of values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.header import Field, Header, Wanted
from seqgen.conditions.requests import names
from seqgen.errors import DataError
from seqgen.plugin import Ids, Request
from seqgen_music import keys
from seqgen_music.bars import Metre, bar_length
from seqgen_music.chords import NO_CHORD, Chord
from seqgen_music.codecs.lengths import LENGTHS, class_of
from seqgen_music.codecs.multitrack.bar_chords import half_of, known_chords, moved
from seqgen_music.codecs.multitrack.features import feature_values
from seqgen_music.codecs.multitrack.grid import DRUMS
from seqgen_music.codecs.multitrack.header import (
    DENSITIES,
    WRITTEN,
    ScoreHeader,
    density_number,
)
from seqgen_music.codecs.multitrack.instruments import families, programs_named
from seqgen_music.codecs.multitrack.score import STEP_TICKS, GridScore, program_name
from seqgen_music.codecs.multitrack.spelling import ids_of_values
from seqgen_music.codecs.multitrack.states import States
from seqgen_music.codecs.multitrack.values import TEMPOS, Learned, Numbers
from seqgen_music.codecs.refusals import refuse_metre
from seqgen_music.codecs.requests import chord_request, metre_request
from seqgen_music.codecs.tokens import TokenTable
from seqgen_music.music import changes


class MultitrackLayout:
    """Which ids there are, and what each means.

    Parameters
    ----------
    learned : Learned
    steps : int
        Steps in a quarter.

    Attributes
    ----------
    table : TokenTable
    header : seqgen.conditions.header.Header
        Key, density, "thinned", bars, instruments and tempo.
    bars, halves : list of int
        Steps in a bar of each metre, and in half of it (`half_of`).
    programs : int64 array (programs,)
    feature_values, feature_sizes : tuple
        As for a codec.
    numbers : Numbers
    values : ValueIds
    """

    def __init__(self, learned: Learned, steps: int) -> None:
        self.learned = learned
        self.bars = [bar_length(metre, steps) for metre in learned.metres]
        self.halves = [half_of(metre, steps) for metre in learned.metres]
        self.programs = np.array(learned.programs)
        names = ["drums" if program == DRUMS else program for program in learned.programs]
        self.table = TokenTable(
            {
                "key": keys.NAMES,
                "density": DENSITIES[learned.densities[0] : learned.densities[1] + 1],
                "instrument": names,
                "tempo": TEMPOS[learned.tempos[0] : learned.tempos[1] + 1],
                "metre": learned.metres,
                "bar": (None,),
                "position": range(max(self.bars)),
                "program": names,
                "velocity": range(learned.velocities[0], learned.velocities[1] + 1),
                "pitch": WRITTEN,
                "drum": learned.drums,
                "duration": learned.durations,
                "thinned": (None,),
                "bars": LENGTHS[learned.lengths[0] : learned.lengths[1] + 1],
                "chord": (NO_CHORD, *known_chords(learned.kinds)) if learned.kinds else (),
            }
        )
        self.header = self._header()
        self.feature_values = feature_values(self.table)
        self.feature_sizes = tuple(map(len, self.feature_values))
        self.numbers = Numbers(learned, steps)
        self.values = ids_of_values(self.numbers, self.table)

    def are(self, ids: Ids, *kinds: str) -> NDArray[np.bool_]:
        """Return which ids ``(N,)`` are of these kinds; -1 is of none."""
        return self.table.mask(*kinds)[ids]

    def _header(self) -> Header:
        table = self.table

        def of(kind: str, **options: bool) -> Field:
            return Field(kind, table.start(kind), len(table.values(kind)), **options)

        fields = [
            *(of("key"), of("density"), of("thinned", is_mark=True), of("bars", is_optional=True)),
            *(of("instrument", is_list=True), of("tempo")),
        ]
        return Header(fields, len(table))

    def header_values(self, ids: Ids) -> dict[str, str]:
        """Return what the header of any ids says, by the names of requests."""
        numbers = self.header.numbers(ids)
        programs = [self.learned.programs[number] for number in numbers["instrument"]]
        said = {
            kind: self.table.values(kind)[numbers[kind][0]]
            for kind in ("key", "density", "tempo")
            if numbers[kind]
        }
        if programs:
            said["instruments"] = "+".join(families(programs))
        return {name: str(value) for name, value in said.items()}

    def header_ids(self, header: ScoreHeader) -> Ids:
        """Return key, density and instruments as ids."""
        table, (low, high) = self.table, self.learned.densities
        density = min(max(header.density, low), high) - low
        programs = self.numbers.program[header.programs]
        opening = [table.start("key") + header.key, table.start("density") + density]
        return np.concatenate([opening, table.start("instrument") + programs])

    def bar_lines(self, metres: Sequence[Metre]) -> Ids:
        """Return the ids that open bars ``(B,)``: metres where they change; -1 if unknown."""
        lines, bar = np.full(len(metres), self.table.start("bar")), 0
        for metre, run in groupby(metres):
            known = self.table.has("metre", metre)
            lines[bar] = self.table.id("metre", metre) if known else -1
            bar += len(list(run))
        return lines

    def with_chords(self, ids: Ids, chords: Ids) -> Ids:
        """Return ids with the written chords of each bar ``(B, 2)`` after its bar line."""
        places = 1 + np.flatnonzero(self.are(ids, "bar", "metre"))
        tokens = self.table.start("chord") + chords
        divided = chords[:, 0] != chords[:, 1]
        at = np.concatenate([places, places[divided]])
        order = np.argsort(at, kind="stable")
        both = np.concatenate([tokens[:, 0], tokens[divided, 1]])
        return np.insert(ids, at[order], both[order])

    def chords_of(self, ids: Ids) -> Ids:
        """Return the written chords of each bar of any ids ``(B, 2)``; -1 where there is none."""
        is_chord, bar = self.are(ids, "chord"), np.cumsum(self.are(ids, "bar", "metre")) - 1
        found = np.full((int(bar.max(initial=-1)) + 1, 2), -1)
        at = np.flatnonzero(is_chord & (bar >= 0))
        bars, firsts = np.unique(bar[at], return_index=True)
        found[bar[at], 1] = self.table.number_of[ids[at]]
        found[bars, 0] = self.table.number_of[ids[at[firsts]]]
        return found

    def symbols(self, ids: Ids, states: States) -> tuple[tuple[int, Chord | None], ...]:
        """Return tick and chord of each change in any ids, which have these states."""
        chords, key = self.chords_of(ids), self.table.number_of[ids[self.are(ids, "key")]][:1]
        sounding = moved(chords, int(keys.SHIFTS[key].sum())).ravel().tolist()
        halves = np.array(self.halves)[states.metres]
        ticks = (states.starts[: len(chords), None] + np.outer(halves, [0, 1])) * STEP_TICKS
        known = (None, *known_chords(self.learned.kinds))
        both = zip(ticks.ravel().tolist(), chords.ravel().tolist(), sounding, strict=True)
        return changes((tick, known[number]) for tick, written, number in both if written >= 0)

    def planned(self, ids: Ids) -> Ids:
        """Return a piece with its number of bars in the header, if the corpus had its class."""
        number = self._class_of(int(self.are(ids, "bar", "metre").sum()))
        if number is None or self.are(ids, "bars").any() or not self.are(ids, "instrument").any():
            return ids
        first = np.argmax(self.are(ids, "instrument"))
        return np.insert(ids, first, self.table.start("bars") + number)

    def _class_of(self, bars: int) -> int | None:
        """Return the number of a length in bars; None if the corpus had no piece of its class."""
        low, high = self.learned.lengths
        number = class_of(bars)
        return number - low if low <= number <= high else None

    def wanted(self, requested: Mapping[str, Any]) -> Wanted:
        """Return the numbers of the header that requested values mean."""
        numbers: Iterable[int | None] = range(len(self.table.values("bars")))
        if "bars" in requested:
            numbers = [self._class_of(requested["bars"])]
        known = frozenset(number for number in numbers if number is not None)
        wanted: dict[str, list[frozenset[int]]] = {"bars": [known] if known else []}
        if "key" in requested:
            wanted["key"] = [frozenset([requested["key"]])]
        if "density" in requested:
            low, high = self.learned.densities
            number = min(max(density_number(requested["density"]), low), high) - low
            wanted["density"] = [frozenset([number])]
        if "instruments" in requested:
            number_of = self.learned.programs.index
            wanted["instrument"] = [
                frozenset(map(number_of, programs)) for programs in requested["instruments"]
            ]
        if "tempo" in requested:
            number = int(self.numbers.tempo(np.array([requested["tempo"]]))[0])
            wanted["tempo"] = [frozenset([number])]
        return wanted

    def refuse_unknown(self, score: GridScore) -> None:
        """Refuse instruments, drums and metres that the corpus did not have."""
        program = self.numbers.program[score.program]
        pitch = self.numbers.pitch[(score.program == DRUMS).astype(np.intp), score.pitch]
        if len(unknown := np.flatnonzero(program < 0)):
            raise DataError(
                f"{program_name(int(score.program[unknown[0]]))} is not an instrument of this "
                f"model's corpus: {', '.join(map(program_name, self.learned.programs))}"
            )
        if len(unknown := np.flatnonzero(pitch < 0)):
            raise DataError(f"this model's corpus has no drum {score.pitch[unknown[0]]}")
        for metre in set(score.metres):
            refuse_metre(metre, self.learned.metres)


def known_requests(requests: Mapping[str, Request], layout: MultitrackLayout) -> dict[str, Request]:
    """Return requests with the values and examples that a corpus had."""
    table, learned = layout.table, layout.learned
    density, tempo = (
        str(values[len(values) // 2]) for values in map(table.values, ("density", "tempo"))
    )
    instruments = replace(
        requests["instruments"],
        example="+".join(families(learned.programs)[:3]),
        read=partial(_instruments, known=tuple(learned.programs)),
    )
    return {
        **requests,
        "density": replace(requests["density"], example=density),
        "instruments": instruments,
        "tempo": replace(requests["tempo"], example=tempo),
        "metre": metre_request(learned.metres),
        **({"chords": chord_request(learned.kinds)} if learned.kinds else {}),
    }


def _instruments(text: str, known: Sequence[int]) -> list[frozenset[int]]:
    """Read instruments of a corpus."""
    return programs_named(names(text), known)
