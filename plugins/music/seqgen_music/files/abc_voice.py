"""A voice of an ABC tune: symbols one by one become bars of notes.

Times within a bar are in whole notes. Source: The abc music standard 2.1, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from seqgen.errors import DataError
from seqgen_music.bars import Metre
from seqgen_music.chords import chord_named
from seqgen_music.files.abc_words import Words
from seqgen_music.files.score_bars import SEMITONES, Bar, Key, Sound, moved_sharps

#: Most whole notes of a note, bars of one rest, bars of a voice, notes of a tune.
LONGEST, MOST_RESTS, MOST_BARS, MOST_NOTES = 4096, 4096, 2**16, 2**20

#: Faults that a voice remembers.
MOST_FAULTS = 16

#: Finest note, in parts of a whole note, of which bars are made.
FINEST = 2**20


@dataclass
class Setting:
    """What holds for the next notes of a voice.

    Attributes
    ----------
    key : Key
    metre : (int, int) or None
    unit : Fraction
        Unit length, in whole notes.
    shift : int
        Semitones between written and sounding notes, by clef, octave and transposition.
    midi_shift : int
        Semitones that ``%%MIDI transpose`` adds.
    program, velocity : int
    channel_drums : bool
        Whether the pitches are drums, as on MIDI channel 10.
    staff : dict of (str, int) to int, or None
        The drum at each place of a percussion staff.
    accidentals : str
        How far an accidental holds: ``not``, ``octave`` or ``pitch``.
    """

    key: Key
    metre: Metre | None
    unit: Fraction
    velocity: int
    shift: int = 0
    midi_shift: int = 0
    program: int = 0
    channel_drums: bool = False
    staff: dict[tuple[str, int], int] | None = None
    accidentals: str = "pitch"


class Voice:
    """A voice that is being read.

    Parameters
    ----------
    name : str
    setting : Setting
        Copied: each voice changes its own.
    line : int
        Line of the file.

    Attributes
    ----------
    bars : list of Bar
        The finished bars.
    faults : list of str
        What was read but makes no sense.
    """

    def __init__(self, name: str, setting: Setting, line: int) -> None:
        self.name = name
        self.setting = replace(setting)
        self.bars: list[Bar] = []
        self.faults: list[str] = []
        self.line = line
        self.notes = 0
        self._bar = Bar(self.setting.metre, self.setting.key, f"line {line:,}")
        self._at = Fraction(0)
        self._altered: dict[tuple[str, int], int] = {}
        # Semitones and end of notes with an open tie, by place: they hold across the bar line.
        self._open_ties: dict[tuple[str, int], tuple[int, Fraction]] = {}
        # The last notes, their places and semitones, and their length; None after a bar line.
        self._last: tuple[list[Sound], dict[tuple[str, int], int], Fraction] | None = None
        self._factor = Fraction(1)
        # The length of a note after ">" that is written short already.
        self._short: Fraction | None = None
        self._tuplet, self._tuplet_left = Fraction(1), 0
        self._fermata = False
        self.words = Words()
        # Bars that have ended, and whether these notes sound beside others of the bar.
        self._ended, self._in_overlay = 0, False

    def complain(self, fault: str) -> None:
        """Remember what makes no sense."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(f"{fault} in line {self.line:,}")

    # Notes and rests.

    def altered(self, place: tuple[str, int], accidental: int | None) -> int:
        """Return the semitones of a note, and let its accidental hold to the bar line."""
        letter = place[0]
        reach = {"pitch": (letter, 0), "octave": place}.get(self.setting.accidentals)
        if accidental is not None:
            if reach is not None:
                self._altered[reach] = accidental
            return accidental
        tied = self._open_ties.get(place)
        if tied is not None:
            return tied[0]
        signed = self.setting.key.accidentals[letter]
        return signed if reach is None else self._altered.get(reach, signed)

    def chord(
        self, notes: list[tuple[tuple[str, int], int | None, Fraction, bool]], times: Fraction
    ) -> None:
        """Add notes that begin together; the first says when the next ones begin.

        Parameters
        ----------
        notes : list of (place, accidental, length, tied)
            Lengths in units.
        times : Fraction
            Factor of all lengths.
        """
        written = times * self.setting.unit
        factor = written * self._next_factor(written * notes[0][2])
        before, sounds, places = dict(self._open_ties), [], {}
        step = self._checked(notes[0][2] * factor)
        for place, accidental, length, tied in notes:
            semitones = self.altered(place, accidental)
            places[place] = semitones
            sound = self._sound(place, semitones, self._checked(length * factor), tied)
            if sound is not None:
                sounds.append(sound)
            if tied:
                self._open_ties[place] = semitones, self._at + length * factor
            elif place in before:
                self._open_ties.pop(place, None)
        if not self._in_overlay:
            self.words.add(self._ended, sounds)
        self._add(sounds, places, step)

    def rest(self, length: Fraction) -> None:
        """Add a rest, in units."""
        written = length * self.setting.unit
        self._add([], {}, self._checked(written * self._next_factor(written)))

    def bars_of_rest(self, count: int) -> None:
        """Add whole bars of rest.

        Raises
        ------
        DataError
            If there are more than 4,096.
        """
        if not 0 < count <= MOST_RESTS:
            raise DataError(f"a rest of {count:,} bars; {MOST_RESTS:,} is the most")
        whole = Fraction(*(self.setting.metre or (4, 4)))
        for number in range(count):
            if number:
                self.bar_line(0, False, False)
            self._add([], {}, whole)

    def tie(self) -> None:
        """Tie the last notes to the next ones of their pitches."""
        if self._last is None:
            return
        sounds, places, _ = self._last
        for sound in sounds:
            sound.tied = True
        for place, semitones in places.items():
            self._open_ties[place] = semitones, self._at

    def broken(self, dots: int) -> None:
        """Make the last note longer and the next one shorter, or if negative the reverse.

        In ``d>B/`` the second note is written short already, and only the first one changes.
        """
        if self._last is None:
            self.complain("a > or < without a note before it")
            return
        sounds, _, length = self._last
        half = Fraction(1, 2 ** min(abs(dots), 8))
        factor, self._factor = (2 - half, half) if dots > 0 else (half, 2 - half)
        self._short = length * half if dots > 0 else None
        for sound in sounds:
            sound.length *= factor
        self._at += length * (factor - 1)
        self._last = None

    def tuplet(self, notes: int, time: int, count: int) -> None:
        """Play the next `count` notes, `notes` of which take the time of `time`.

        Zeros stand for what the metre says.
        """
        metre = self.setting.metre
        compound = metre is not None and metre[0] % 3 == 0 and metre[0] > 3
        usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(notes, 3 if compound else 2)
        if not 0 < notes <= 64 or time > 64 or count > 64:
            self.complain(f"a tuplet ({notes}:{time}:{count}")
            return
        self._tuplet, self._tuplet_left = Fraction(time or usual, notes), count or notes

    def _next_factor(self, written: Fraction) -> Fraction:
        """Return by how much broken rhythm and a tuplet change a note of a written length."""
        factor, self._factor = self._factor, Fraction(1)
        if factor != 1 and written == self._short:
            factor = Fraction(1)
        if self._tuplet_left:
            self._tuplet_left -= 1
            factor *= self._tuplet
        return factor

    @property
    def _shift(self) -> int:
        return self.setting.shift + self.setting.midi_shift

    def _sound(
        self, place: tuple[str, int], semitones: int, length: Fraction, tied: bool
    ) -> Sound | None:
        setting = self.setting
        pitch = SEMITONES[place[0]] + 12 * place[1] + semitones + self._shift
        if setting.staff is not None:
            pitch = setting.staff.get(place, pitch)
        drums = setting.channel_drums or setting.staff is not None
        if not 0 <= pitch < 128:
            self.complain("a note outside the range of MIDI")
            return None
        self.notes += 1
        if self.notes > MOST_NOTES:
            raise DataError(f"more than {MOST_NOTES:,} notes")
        return Sound(self._at, length, pitch, setting.velocity, setting.program, drums, tied)

    def _checked(self, length: Fraction) -> Fraction:
        if not 0 < length <= LONGEST or length.denominator > FINEST:
            raise DataError(f"a note of {length} whole notes; {LONGEST:,} is the most")
        return length

    def _add(
        self, sounds: list[Sound], places: dict[tuple[str, int], int], length: Fraction
    ) -> None:
        for sound in sounds:
            sound.fermata = self._fermata
        self._fermata = False
        self._bar.sounds += sounds
        self._last = (sounds, places, length)
        self._at += length
        if self._at.denominator > FINEST:
            raise DataError("the lengths of the notes have no common grid")

    # Bars.

    def bar_line(self, closes: int, opens: bool, section: bool) -> None:
        """End the bar.

        Parameters
        ----------
        closes : int
            How many times the section that ends here is repeated.
        opens, section : bool
            Whether a repeated section begins, and whether the bar line is double.
        """
        self._altered.clear()
        self._last, self._factor = None, Fraction(1)
        self._ended += not self._is_empty
        self._in_overlay = False
        self.split()
        if self.bars:
            self.bars[-1].closes = max(self.bars[-1].closes, closes)
            self.bars[-1].section |= section or closes > 0 or opens
        self._bar.opens |= opens

    def split(self) -> None:
        """Begin a new `Bar` if this one has notes or rests."""
        bar = self._bar
        bar.length = max(bar.length, self._at)
        if bar.length:
            if len(self.bars) >= MOST_BARS:
                raise DataError(f"more than {MOST_BARS:,} bars")
            bar.key = self._sounding(bar.key)
            bar.keys = [(at, self._sounding(key)) for at, key in bar.keys]
            self.bars.append(bar)
            self._bar = Bar(self.setting.metre, self.setting.key, f"line {self.line:,}")
            # An accidental of a tie that nothing took up ends here.
            self._open_ties = {
                place: (semitones, Fraction(0))
                for place, (semitones, end) in self._open_ties.items()
                if end == bar.length
            }
        else:
            bar.metre, bar.place = self.setting.metre, f"line {self.line:,}"
        self._at = Fraction(0)

    def _sounding(self, key: Key) -> Key:
        """Return a key as it sounds."""
        return replace(key, sharps=moved_sharps(key.sharps, self._shift))

    def ending(self, passes: tuple[int, ...]) -> None:
        """Begin an ending that is played in some passes of a repeated section."""
        self.split()
        self._bar.ending = passes

    def overlay(self) -> None:
        """Go back to the start of the bar, for notes that sound at the same time."""
        self._bar.length = max(self._bar.length, self._at)
        self._at, self._last = Fraction(0), None
        self._in_overlay = True
        self._altered.clear()
        self._tuplet_left = 0

    @property
    def _is_empty(self) -> bool:
        return not self._at and not self._bar.length

    def set_metre(self, metre: Metre | None) -> None:
        """Change the metre, from this bar on if it is still empty."""
        self.setting.metre = metre
        if self._is_empty:
            self._bar.metre = metre

    def set_key(self, key: Key) -> None:
        """Change the key."""
        self.setting.key = key
        if self._is_empty:
            self._bar.key = key
        else:
            self._bar.keys.append((self._at, key))

    def set_tempo(self, tempo: float) -> None:
        """Change the tempo, in quarters per minute."""
        self._bar.tempos.append((self._at, tempo))

    def hold(self) -> None:
        """Give the next notes a fermata."""
        self._fermata = True

    def chord_symbol(self, text: str) -> None:
        """Change the chord that stands above the notes."""
        try:
            chord = chord_named(text)
        except ValueError:
            self.complain(f"chord symbol {text[:20]!r}")
            return
        self._bar.chords.append((self._at, chord and chord.moved(self._shift)))

    def set_part(self, name: str) -> None:
        """Begin a part of the tune."""
        self.split()
        self._bar.part = name

    def finish(self) -> list[Bar]:
        """Return all bars; events after the last one are dropped."""
        self.split()
        return self.bars
