"""The piece of this domain: notes in tracks, with tempo, metre and key."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

#: A tempo: the tick from which it holds, and quarters a minute.
TEMPO = np.dtype([("tick", np.int64), ("qpm", np.float64)])

#: Length of the longest piece that is read, seven hours at 120 quarters a minute.
LONGEST_QUARTERS = 50_000

#: The MIDI channel, counted from 0, on which pitches are drums.
DRUM_CHANNEL = 9

#: What may stand below in a metre: a whole note to a 64th.
NOTE_VALUES = (1, 2, 4, 8, 16, 32, 64)

#: Quarter notes a minute where a piece does not say.
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
        Whether pitches mean drums (MIDI channel 10).
    """

    name: str = ""
    program: int = 0
    drums: bool = False

    @property
    def label(self) -> str:
        """The name without control characters, which no format of text can hold."""
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
        Sorted by tick; empty means `DEFAULT_TEMPO`. May be given as pairs of tick and tempo.
    metres : tuple of (tick, numerator, denominator)
        Sorted by tick; empty means 4/4. An upbeat is a short bar of its own.
    keys : tuple of (tick, sharps, minor)
        Key signatures; flats are negative sharps.
    composer : str
        Name of the collection that it comes from; empty if that is not known.
    """

    notes: NDArray[np.void]
    tracks: tuple[Track, ...]
    ticks_per_quarter: int
    tempos: NDArray[np.void] | Sequence[tuple[int, float]] = ()
    metres: tuple[tuple[int, int, int], ...] = ()
    keys: tuple[tuple[int, int, bool], ...] = ()
    composer: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.tempos, np.ndarray):
            object.__setattr__(self, "tempos", np.array(list(self.tempos), TEMPO))

    @property
    def length(self) -> int:
        """Ticks to the end of the last note."""
        ends = self.notes["onset"] + self.notes["duration"]
        return int(ends.max()) if len(ends) else 0

    def metre_changes(self) -> list[tuple[int, int, int]]:
        """Return the metres from tick 0 on; where none is given it is 4/4."""
        given = list(self.metres)
        return given if given and given[0][0] == 0 else [(0, 4, 4), *given]

    def tempo_changes(self) -> NDArray[np.void]:
        """Return the tempos from tick 0 on; where none is given it is `DEFAULT_TEMPO`."""
        given = np.asarray(self.tempos)
        if len(given) and given["tick"][0] == 0:
            return given
        return np.concatenate([np.array([(0, DEFAULT_TEMPO)], TEMPO), given])

    @property
    def upbeat(self) -> int:
        """Ticks of the bar in front that is shorter than the next one; 0 if there is none."""
        metres = self.metre_changes()
        if len(metres) < 2:
            return 0
        (_, *short), (tick, *whole) = metres[:2]
        short_bar, whole_bar = (
            4 * self.ticks_per_quarter * beats // unit for beats, unit in (short, whole)
        )
        return tick if tick == short_bar < whole_bar else 0

    def bar_starts(self) -> list[int]:
        """Return the tick of every bar line before the end of the last note, the first at 0."""
        end = max(self.length, 1)
        changes = [change for change in self.metre_changes() if change[0] < end]
        starts: list[int] = []
        stops = [*(tick for tick, _, _ in changes[1:]), end]
        for (tick, numerator, denominator), stop in zip(changes, stops, strict=True):
            bar = max(4 * self.ticks_per_quarter * numerator // denominator, 1)
            starts.extend(range(tick, stop, bar))
        return starts

    def seconds(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Convert ticks ``(N,)`` to seconds by the tempo map."""
        tempos = self.tempo_changes()
        at, per_tick = tempos["tick"], 60 / (tempos["qpm"] * self.ticks_per_quarter)
        begins = np.concatenate([[0.0], np.cumsum(np.diff(at) * per_tick[:-1])])
        part = np.searchsorted(at, ticks, side="right") - 1
        return np.asarray(begins[part] + (ticks - at[part]) * per_tick[part])

    def __repr__(self) -> str:
        quarters = self.length / self.ticks_per_quarter
        return f"Music({len(self.notes)} notes, {len(self.tracks)} tracks, {quarters:g} quarters)"

    def _repr_html_(self) -> str:
        """Return the piano roll and the sound, as a notebook shows them."""
        # Only who looks at a piece needs them.
        from seqgen_music.render.piano_roll import svg_roll
        from seqgen_music.render.synthesis import preview

        heard = base64.b64encode(preview(self)).decode()
        audio = f'<audio controls src="data:audio/mpeg;base64,{heard}"></audio>'
        return f"<div>{svg_roll(self)}{audio}</div>"


def metre_of(length: Fraction) -> tuple[int, int] | None:
    """Return the metre of a bar that is so many whole notes long, in quarters or shorter notes.

    None says that there is none: no bar is a third of a whole note.
    """
    for unit in NOTE_VALUES:
        if unit >= 4 and (length * unit).denominator == 1:
            return int(length * unit), unit
    return None


def changes(events: Iterable[Any]) -> tuple[Any, ...]:
    """Sort events by tick; drop what is overridden there, and what repeats the one before."""
    ordered = sorted(events, key=lambda event: event[0])
    last = [one for one, two in pairwise(ordered) if one[0] != two[0]] + ordered[-1:]
    return tuple(last[:1] + [two for one, two in pairwise(last) if one[1:] != two[1:]])


def make_notes(rows: list[tuple[int, int, int, int, int]]) -> NDArray[np.void]:
    """Return notes of (onset, duration, pitch, velocity, track) rows in the order of `Music`."""
    notes = np.array(rows, NOTE)
    return notes[np.lexsort((notes["pitch"], notes["track"], notes["onset"]))]


def pitch_name(pitch: int) -> str:
    """Return a MIDI pitch as a name: 60 is C4."""
    return f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"
