"""A part of a MusicXML score, measure by measure.

Source: MusicXML 4.0, https://www.w3.org/2021/06/musicxml40/.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from xml.etree.ElementTree import Element

from seqgen.errors import DataError
from seqgen_music.bars import NOTE_VALUES, Metre
from seqgen_music.chords import KINDS, Chord
from seqgen_music.files.assembling import MOST_BEATS
from seqgen_music.files.lyrics import syllable
from seqgen_music.files.notation_values import DRUM_STAFF, DYNAMICS, SNARE, VELOCITY
from seqgen_music.files.score_bars import SEMITONES, Bar, Key, Sound, moved_sharps, signature
from seqgen_music.music import DRUM_CHANNEL, LONGEST_QUARTERS

#: Most divisions of a quarter, notes of a file and repeats of a section.
MOST_DIVISIONS, MOST_NOTES, MOST_TIMES = 2**20, 2**20, 9

#: Number of the first verse that has a name.
NAMED = 10**4

#: Faults that a part remembers.
MOST_FAULTS = 16

#: Quarters of the beat units of a metronome.
BEATS = {
    "breve": Fraction(8),
    "whole": Fraction(4),
    "half": Fraction(2),
    "quarter": Fraction(1),
    "eighth": Fraction(1, 2),
    "16th": Fraction(1, 4),
    "32nd": Fraction(1, 8),
}

#: What the sustain pedal does at each type of its sign: whether it goes down.
PEDALS = {"start": (True,), "stop": (False,), "change": (False, True)}

#: Velocity of a note whose attribute `dynamics` is 100.
FULL = 90


@dataclass
class Instrument:
    """A MIDI instrument of a part.

    Attributes
    ----------
    program : int
    channel : int
        Counted from 0.
    drum : int or None
        The MIDI pitch that an unpitched note of this instrument plays.
    """

    program: int = 0
    channel: int = 0
    drum: int | None = None


@dataclass
class PartReader:
    """Reads the measures of a part.

    Attributes
    ----------
    name : str
    instruments : dict of str to Instrument
        By id; the first one plays notes that name none.
    bars : list of Bar
    faults : list of str
        What was read but makes no sense.
    """

    name: str
    instruments: dict[str, Instrument]
    bars: list[Bar] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._divisions = Fraction(1)
        self._metre: Metre | None = None
        self._key: Key | None = None
        # Semitones from written to sounding pitch, by staff; 0 stands for all staves.
        self._transposed: dict[int, int] = {}
        self._transpose: Element | None = None
        self._velocities: defaultdict[int, int] = defaultdict(lambda: VELOCITY)
        self._at = self._onset = Fraction(0)
        self._ending_open = False
        self._verses: dict[str, int] = {}
        self.notes = 0

    def measure(self, element: Element) -> None:
        """Read a measure.

        Raises
        ------
        DataError
            If a number makes no sense; the message has the measure.
        """
        key = self._key or Key(0, False, signature(0))
        bar = Bar(self._metre, key, f"bar {(element.get('number') or '?')[:20]}")
        self._at = self._onset = Fraction(0)
        try:
            for child in element:
                self._child(bar, child)
        except DataError as error:
            raise DataError(f"{bar.place} of {self.name or 'a part'}: {error}") from error
        self.bars.append(bar)

    def _child(self, bar: Bar, child: Element) -> None:
        match child.tag:
            case "note":
                self._note(bar, child)
            case "backup":
                self._at = max(self._at - self._duration(child), Fraction(0))
            case "forward":
                self._at += self._duration(child)
            case "attributes":
                self._attributes(bar, child)
            case "direction":
                self._direction(bar, child)
            case "harmony":
                self._harmony(bar, child)
            case "sound":
                self._sound(bar, child)
            case "barline":
                self._bar_line(bar, child)
        bar.length = max(bar.length, self._at)
        if 4 * self._at > LONGEST_QUARTERS:
            raise DataError(f"more than {LONGEST_QUARTERS:,} quarters")

    # Notes.

    def _note(self, bar: Bar, note: Element) -> None:
        if note.find("grace") is not None:
            return
        length = self._duration(note)
        if note.find("chord") is None:
            self._onset = self._at
            self._at += length
        if note.find("rest") is not None or note.find("cue") is not None or not length:
            return
        staff = whole_number(note.findtext("staff"), 1)
        named = note.find("instrument")
        instrument = self.instruments.get(named.get("id", "") if named is not None else "")
        pitch, unpitched = self._pitch(note, staff, instrument)
        instrument = instrument or next(iter(self.instruments.values()), Instrument())
        if pitch is None or not 0 <= pitch < 128:
            return
        self.notes += 1
        if self.notes > MOST_NOTES:
            raise DataError(f"more than {MOST_NOTES:,} notes")
        bar.sounds.append(
            Sound(
                self._onset,
                length,
                pitch,
                self._velocity(note, staff),
                0 if unpitched else instrument.program,
                unpitched or instrument.channel == DRUM_CHANNEL,
                any(tie.get("type") == "start" for tie in note.iter() if tie.tag in _TIES),
                (staff, (note.findtext("voice") or "1").strip()),
                note.find("notations/fermata") is not None,
                self._lyrics(note),
            )
        )

    def _pitch(
        self, note: Element, staff: int, instrument: Instrument | None
    ) -> tuple[int | None, bool]:
        """Return the sounding pitch of a note, and whether it is unpitched."""
        pitch, unpitched = note.find("pitch"), note.find("unpitched")
        if pitch is not None:
            step = (pitch.findtext("step") or "").strip()
            if step not in SEMITONES:
                raise DataError(f"expected a step from A to G, found {step[:20]!r}")
            exact = _number(pitch.findtext("alter"), 0.0)
            alter = floor(exact + 0.5)
            if alter != exact and len(self.faults) < MOST_FAULTS:
                self.faults.append(f"microtone {step} {exact:+g}, rounded to a semitone")
            octave = whole_number(pitch.findtext("octave"), 4)
            shift = self._transposed.get(staff, self._transposed.get(0, 0))
            return SEMITONES[step] + alter + 12 * (octave + 1) + shift, False
        if unpitched is None:
            return None, False
        if instrument is not None and instrument.drum is not None:
            return instrument.drum, True
        drums = [each.drum for each in self.instruments.values() if each.drum is not None]
        if len(self.instruments) == 1 and drums:
            return drums[0], True
        place = f"{unpitched.findtext('display-step')}{unpitched.findtext('display-octave')}"
        return DRUM_STAFF.get(place, SNARE), True

    def _lyrics(self, note: Element) -> tuple[tuple[int, str], ...]:
        """Return verse and syllable of the words below a note."""
        found: dict[int, str] = {}
        for lyric in note.findall("lyric"):
            name = lyric.get("number") or lyric.get("name") or "1"
            # Verses with names, such as "chorus", come after those with numbers.
            verse = self._verses.setdefault(name, whole_number(name, NAMED + len(self._verses)))
            if text := _lyric(lyric):
                found.setdefault(verse, text)
        return tuple(found.items())

    def _velocity(self, note: Element, staff: int) -> int:
        percent = _number(note.get("dynamics"), 0.0)
        if percent > 0:
            return min(max(round(FULL * percent / 100), 1), 127)
        return self._velocities[staff]

    def _duration(self, element: Element) -> Fraction:
        """Return a duration in whole notes."""
        text = (element.findtext("duration") or "0").strip()
        if not re.fullmatch(r"\d{1,9}(?:\.\d{1,6})?", text):
            raise DataError(f"expected a duration, found {text[:20]!r}")
        return Fraction(text) / self._divisions / 4

    # What holds for the notes after it.

    def _attributes(self, bar: Bar, element: Element) -> None:
        divisions = (element.findtext("divisions") or "").strip()
        if re.fullmatch(r"\d{1,7}(?:\.0*)?", divisions) and 0 < float(divisions) <= MOST_DIVISIONS:
            self._divisions = Fraction(int(float(divisions)))
        elif divisions:
            raise DataError(f"expected the divisions of a quarter, found {divisions[:20]!r}")
        for transpose in element.iter("transpose"):
            self._transposed[whole_number(transpose.get("number"), 0)] = _semitones(transpose)
        # It holds for later keys too.
        if (transposed := element.find("transpose")) is not None:
            self._transpose = transposed
        for time in element.iter("time"):
            self._metre = _metre(time)
            if not self._at and not bar.sounds:
                bar.metre = self._metre
        for key in list(element.iter("key"))[:1]:
            self._key = self._sounding(key)
            if self._at:
                bar.keys.append((self._at, self._key))
            else:
                bar.key = self._key

    def _sounding(self, key: Element) -> Key:
        """Return the key as it sounds."""
        fifths = whole_number(key.findtext("fifths"), 0)
        if self._transpose is not None:
            chromatic = whole_number(self._transpose.findtext("chromatic"), 0)
            diatonic = self._transpose.findtext("diatonic")
            steps = None if diatonic is None else whole_number(diatonic, 0)
            fifths = moved_sharps(fifths, chromatic, steps)
        minor = (key.findtext("mode") or "").strip() in ("minor", "aeolian")
        return Key(fifths, minor, {})

    def _harmony(self, bar: Bar, element: Element) -> None:
        """Read a chord symbol; notes that are added to it or altered are left out."""
        kind = (element.findtext("kind") or "").strip()
        staff = whole_number(element.findtext("staff"), 1)
        shift = self._transposed.get(staff, self._transposed.get(0, 0))
        root, bass = (_pitch_class(element.find(name), name, shift) for name in ("root", "bass"))
        chord = None
        if kind != "none":
            if root is None or kind not in KINDS:
                if len(self.faults) < MOST_FAULTS:
                    self.faults.append(f"chord symbol {kind[:30]!r} in {bar.place}")
                return
            chord = Chord(root, kind, -1 if bass is None or bass == root else bass)
        bar.chords.append((max(self._at + self._offset(element), Fraction(0)), chord))

    def _offset(self, element: Element) -> Fraction:
        """Return how much later an element is meant than it stands, in whole notes."""
        offset = element.findtext("offset")
        if offset and re.fullmatch(r"\s*-?\d{1,9}(?:\.\d{1,6})?\s*", offset):
            return Fraction(offset.strip()) / self._divisions / 4
        return Fraction(0)

    def _direction(self, bar: Bar, element: Element) -> None:
        sounds, later = element.findall("sound"), self._offset(element)
        for sound in sounds:
            self._sound(bar, sound, later)
        if not any(sound.get("tempo") for sound in sounds):
            for metronome in element.iter("metronome"):
                self._tempo(bar, _metronome(metronome), later)
        for pedal in element.iter("pedal"):
            at = max(self._at + later, Fraction(0))
            bar.pedals += [(at, goes_down) for goes_down in PEDALS.get(pedal.get("type", ""), ())]
        for dynamics in element.iter("dynamics"):
            for mark in dynamics:
                if mark.tag in DYNAMICS:
                    self._set_velocity(DYNAMICS[mark.tag], element.findtext("staff"))
                    break

    def _sound(self, bar: Bar, element: Element, later: Fraction = Fraction(0)) -> None:
        self._tempo(bar, _number(element.get("tempo"), 0.0), later)
        percent = _number(element.get("dynamics"), 0.0)
        if percent > 0:
            self._set_velocity(min(max(round(FULL * percent / 100), 1), 127), None)

    def _set_velocity(self, velocity: int, staff: str | None) -> None:
        if staff is None:
            self._velocities = defaultdict(lambda: velocity)
        else:
            self._velocities[whole_number(staff, 1)] = velocity

    def _tempo(self, bar: Bar, tempo: float, later: Fraction) -> None:
        if 4 <= tempo <= 4000:
            bar.tempos.append((max(self._at + later, Fraction(0)), tempo))

    def _bar_line(self, bar: Bar, element: Element) -> None:
        left = element.get("location") == "left"
        for repeat in element.iter("repeat"):
            if repeat.get("direction") == "forward":
                bar.opens = True
            else:
                bar.closes = min(max(whole_number(repeat.get("times"), 2) - 1, 1), MOST_TIMES)
        for ending in element.iter("ending"):
            if ending.get("type") == "start":
                found = re.findall(r"\d{1,2}", ending.get("number") or "1")
                bar.ending = tuple(map(int, found[:16])) or (1,)
            else:
                bar.section = True
        style = (element.findtext("bar-style") or "").strip()
        bar.section |= not left and style in ("light-light", "light-heavy", "heavy-light")


_TIES = ("tie", "tied")


def _metre(time: Element) -> Metre | None:
    """Return a metre; None is free metre."""
    if time.find("senza-misura") is not None:
        return None
    total = Fraction(0)
    unit = 0
    for beats, beat_type in zip(time.findall("beats"), time.findall("beat-type"), strict=False):
        unit = max(unit, whole_number(beat_type.text, 0))
        parts = [whole_number(part, 0) for part in (beats.text or "").split("+")]
        total += Fraction(sum(parts), whole_number(beat_type.text, 0) or 1)
    count = total * unit
    if unit not in NOTE_VALUES or count.denominator != 1 or not 0 < count <= MOST_BEATS:
        raise DataError(
            f"{count}/{unit} is no metre that can be read; expected one such as 6/8, of at most "
            f"{MOST_BEATS} beats"
        )
    return int(count), unit


def _pitch_class(element: Element | None, name: str, shift: int) -> int | None:
    """Return the pitch class of the root or the bass of a chord, moved by `shift` semitones."""
    if element is None:
        return None
    step = (element.findtext(f"{name}-step") or "").strip()
    alter = round(_number(element.findtext(f"{name}-alter"), 0.0))
    return (SEMITONES[step] + alter + shift) % 12 if step in SEMITONES else None


def _lyric(lyric: Element) -> str:
    """Return a syllable below a note, as in `Music.lyrics`."""
    text, goes_on = "", False
    for child in lyric:
        if child.tag in ("text", "elision"):
            text += child.text or " "
        elif child.tag == "syllabic":
            goes_on = (child.text or "").strip() in ("begin", "middle")
    text = " ".join(text.split())
    return syllable(text, goes_on) if text else ""


def _semitones(transpose: Element) -> int:
    octaves = whole_number(transpose.findtext("octave-change"), 0)
    return whole_number(transpose.findtext("chromatic"), 0) + 12 * octaves


def _metronome(element: Element) -> float:
    """Return the quarters per minute of a metronome mark; 0 if it has none."""
    found = re.search(r"\d{1,4}(?:\.\d{1,3})?", element.findtext("per-minute") or "")
    beat = BEATS.get((element.findtext("beat-unit") or "").strip())
    if not found or beat is None:
        return 0.0
    dots = min(len(element.findall("beat-unit-dot")), 4)
    return float(found[0]) * float(beat * (2 - Fraction(1, 2**dots)))


def whole_number(text: str | None, default: int) -> int:
    """Return a small whole number."""
    found = re.fullmatch(r"\s*([+-]?\d{1,4})(?:\.0*)?\s*", text or "")
    return int(found[1]) if found else default


def _number(text: str | None, default: float) -> float:
    found = re.fullmatch(r"\s*([+-]?\d{1,6}(?:\.\d{1,12})?)\s*", text or "")
    return float(found[1]) if found else default
