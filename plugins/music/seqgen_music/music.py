"""The piece of this domain: notes in tracks, with tempo, metre and key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqgen_music.bars import bar_length, metre_and_upbeat
from seqgen_music.chords import NO_CHORD, Chord
from seqgen_music.rounding import nearest

#: A note: onset and duration in ticks, MIDI pitch and velocity, index of its track.
NOTE = np.dtype(
    [
        ("onset", np.int64),
        ("duration", np.int64),
        ("pitch", np.uint8),
        ("velocity", np.uint8),
        ("track", np.uint16),
    ]
)

#: A tempo in quarters per minute, and the tick at which it starts.
TEMPO = np.dtype([("tick", np.int64), ("qpm", np.float64)])

#: A move of the sustain pedal of a track: 0 is up, 64 and more is down.
PEDAL = np.dtype([("tick", np.int64), ("track", np.int64), ("value", np.int64)])

#: Most moves of pedals that a piece keeps; with more it has none, and notes still sound as long.
MOST_MOVES = 2**20

#: Longest piece that is read: seven hours at 120 quarters per minute.
LONGEST_QUARTERS = 50_000

#: Longest piece that is written. pretty_midi reads no more.
LONGEST_TICKS = 10**7

#: Most ticks per quarter of a MIDI file.
MOST_TICKS_PER_QUARTER = 2**15 - 1

#: The MIDI channel, counted from 0, whose pitches are drums.
DRUM_CHANNEL = 9

#: The text at a note with a fermata in MIDI, which has no sign for it.
FERMATA = "fermata"

#: What begins a text that is a chord symbol in MIDI, which has no sign for it: ``chord: Am7``.
CHORD = "chord:"

#: Programs in each family of General MIDI: pianos, mallets, organs ...
FAMILY = 8

#: Quarters a minute where a piece has no tempo.
DEFAULT_TEMPO = 120.0

PITCH_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True)
class Track:
    """One instrument or voice.

    Attributes
    ----------
    name : str
    program : int
        General MIDI program, 0 to 127.
    drums : bool
        Whether pitches are drums (MIDI channel 10).
    """

    name: str = ""
    program: int = 0
    drums: bool = False

    @property
    def label(self) -> str:
        """The name without control characters, which text formats cannot hold."""
        return "".join(filter(str.isprintable, self.name)).strip()


@dataclass(frozen=True)
class Music:
    """A piece of music.

    Attributes
    ----------
    notes : structured array (N,) of `NOTE`
        Sorted by onset, track and pitch.
    tracks : tuple of Track
    ticks_per_quarter : int
        Length of a quarter note in ticks.
    tempos : structured array (T,) of `TEMPO`
        Sorted by tick; empty means `DEFAULT_TEMPO`. Pairs of tick and tempo are converted.
    metres : tuple of (tick, numerator, denominator)
        Sorted by tick; empty means 4/4. An upbeat is a short bar with its own metre.
    keys : tuple of (tick, sharps, minor)
        Key signatures; flats are negative sharps.
    composer : str
        Name of the collection that the piece is from; empty if unknown.
    pedals : structured array (P,) of `PEDAL`
        Sorted by tick. Notes last as long as they sound, also where the pedal holds them.
    pressed : int64 array (N,), optional
        Ticks for which the key of each note is down; by default as long as it sounds.
    lyrics : tuple of (tick, track, text)
        Syllables of the first verse, sorted by tick; track -1 is the whole piece.
    verses : tuple of (tick, track, text, verse)
        Syllables of further verses, counted from 2, sorted.
    fermatas : tuple of (tick, track)
        Sorted; the notes of a track that begin at the tick have a fermata.
    chords : tuple of (tick, Chord or None)
        Chord symbols, sorted by tick. Each holds until the next one; None means that none sounds.
    html : callable
        Class attribute: how a notebook shows a piece. `seqgen_music.domain` sets it.
    """

    notes: NDArray[np.void]
    tracks: tuple[Track, ...]
    ticks_per_quarter: int
    tempos: NDArray[np.void] | Sequence[tuple[int, float]] = ()
    metres: tuple[tuple[int, int, int], ...] = ()
    keys: tuple[tuple[int, int, bool], ...] = ()
    composer: str = ""
    pedals: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, PEDAL))
    pressed: NDArray[np.int64] | None = None
    lyrics: tuple[tuple[int, int, str], ...] = ()
    verses: tuple[tuple[int, int, str, int], ...] = ()
    fermatas: tuple[tuple[int, int], ...] = ()
    chords: tuple[tuple[int, Chord | None], ...] = ()

    html: ClassVar[Callable[[Music], str] | None] = None

    def __post_init__(self) -> None:
        if not isinstance(self.tempos, np.ndarray):
            object.__setattr__(self, "tempos", np.array(list(self.tempos), TEMPO))

    @property
    def length(self) -> int:
        """Ticks to the end of the last note."""
        ends = self.notes["onset"] + self.notes["duration"]
        return int(ends.max()) if len(ends) else 0

    @property
    def pitched(self) -> NDArray[np.void]:
        """The notes ``(M,)`` that are not drums."""
        drums = np.array([track.drums for track in self.tracks], np.bool_)
        return self.notes[~drums[self.notes["track"]]] if drums.any() else self.notes

    @property
    def played(self) -> NDArray[np.void]:
        """The notes ``(N,)`` as long as their keys are down."""
        notes: NDArray[np.void] = self.notes.copy()
        if self.pressed is not None:
            notes["duration"] = self.pressed
        return notes

    def metre_changes(self) -> list[tuple[int, int, int]]:
        """Return the metres from tick 0 on, 4/4 before the first."""
        given = list(self.metres)
        return given if given and given[0][0] == 0 else [(0, 4, 4), *given]

    def tempo_changes(self) -> NDArray[np.void]:
        """Return the tempos from tick 0 on, `DEFAULT_TEMPO` before the first."""
        given = np.asarray(self.tempos)
        if len(given) and given["tick"][0] == 0:
            return given
        return np.concatenate([np.array([(0, DEFAULT_TEMPO)], TEMPO), given])

    @property
    def upbeat(self) -> int:
        """Ticks of the upbeat, the first bar if it is shorter than the second; else 0."""
        quarter = self.ticks_per_quarter
        return metre_and_upbeat(self.metre_changes(), quarter, quarter)[1]

    def bar_starts(self) -> list[int]:
        """Return the tick of every bar line before the end of the last note, the first at 0."""
        end = max(self.length, 1)
        changes = [change for change in self.metre_changes() if change[0] < end]
        starts: list[int] = []
        stops = [*(tick for tick, _, _ in changes[1:]), end]
        for (tick, *metre), stop in zip(changes, stops, strict=True):
            starts.extend(
                range(tick, stop, bar_length((metre[0], metre[1]), self.ticks_per_quarter))
            )
        return starts

    def sharps_at(self, tick: int) -> int:
        """Return the sharps of the key at a tick, flats negative."""
        return next((sharps for at, sharps, _ in reversed(self.keys) if at <= tick), 0)

    def chord_symbols(self) -> list[tuple[int, str]]:
        """Return tick and text of the chord symbols, spelled near the key."""
        return [
            (tick, NO_CHORD if chord is None else chord.name(self.sharps_at(tick)))
            for tick, chord in self.chords
        ]

    def last_bar(self) -> int:
        """Return the length in ticks of the last bar if it is whole."""
        last = self.bar_starts()[-1]
        _, beats, unit = [change for change in self.metre_changes() if change[0] <= last][-1]
        return bar_length((beats, unit), self.ticks_per_quarter)

    def seconds(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Convert ticks ``(N,)`` to seconds by the tempo map."""
        tempos = self.tempo_changes()
        at, per_tick = tempos["tick"], 60 / (tempos["qpm"] * self.ticks_per_quarter)
        begins = np.concatenate([[0.0], np.cumsum(np.diff(at) * per_tick[:-1])])
        part = np.searchsorted(at, ticks, side="right") - 1
        return np.asarray(begins[part] + (ticks - at[part]) * per_tick[part])

    def ticks(self, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Convert seconds ``(N,)`` to the nearest ticks by the tempo map."""
        tempos = self.tempo_changes()
        begins = self.seconds(tempos["tick"])
        part = np.maximum(np.searchsorted(begins, seconds, side="right") - 1, 0)
        per_second = tempos["qpm"][part] * self.ticks_per_quarter / 60
        return tempos["tick"][part] + nearest((seconds - begins[part]) * per_second)

    def __repr__(self) -> str:
        quarters = self.length / self.ticks_per_quarter
        return f"Music({len(self.notes)} notes, {len(self.tracks)} tracks, {quarters:g} quarters)"

    def _repr_html_(self) -> str | None:
        return None if Music.html is None else Music.html(self)


def changes(events: Iterable[Any]) -> tuple[Any, ...]:
    """Sort events by tick; drop those that are overridden at their tick or change nothing."""
    ordered = sorted(events, key=lambda event: event[0])
    last = [one for one, two in pairwise(ordered) if one[0] != two[0]] + ordered[-1:]
    return tuple(last[:1] + [two for one, two in pairwise(last) if one[1:] != two[1:]])


def make_notes(rows: list[tuple[int, int, int, int, int]]) -> NDArray[np.void]:
    """Return the notes of (onset, duration, pitch, velocity, track) rows, sorted as in `Music`."""
    notes = np.array(rows, NOTE)
    return notes[np.lexsort((notes["pitch"], notes["track"], notes["onset"]))]


def pitch_name(pitch: int) -> str:
    """Return the name of a MIDI pitch: 60 is C4."""
    return f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"
