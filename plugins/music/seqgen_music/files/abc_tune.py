"""One tune in ABC: its lines become fields, its music the symbols of voices.

Source: The abc music standard 2.1, sections 3 to 8 and 11; ``%%MIDI`` as in abc2midi.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from seqgen.errors import DataError
from seqgen_music.files.abc_directives import set_midi, set_properties
from seqgen_music.files.abc_fields import (
    default_unit,
    key_named,
    metre_of_field,
    properties,
    tempo_of_field,
    unit_of_field,
    voice_of_field,
)
from seqgen_music.files.abc_macros import Macros
from seqgen_music.files.abc_symbols import (
    NOTE,
    QUOTED,
    SYMBOL,
    length_of,
    number_of,
    passes_of,
    place_of,
)
from seqgen_music.files.abc_voice import MOST_FAULTS, MOST_NOTES, Setting, Voice
from seqgen_music.files.notation_values import DYNAMICS, VELOCITY
from seqgen_music.files.score_bars import Key, signature

#: Most voices of a tune, and characters of a field that are read.
MOST_VOICES, LONGEST_FIELD = 256, 1000

#: Signs that begin a text that is no chord symbol.
ANNOTATION = "^_<>@"

_FIELD = re.compile(r"([A-Za-z+]):(.*)")
# In the body a line such as "d:|" is music.
_BODY_FIELD = re.compile(r"([IKLMNPQRTUVWmrswBCDFGHOSXZ+]):(?:(?<=w:)|(?![|:]))(.*)")
_DIRECTIVE = re.compile(r"\s*MIDI\s+(\w+)\s*(.*)", re.IGNORECASE)


class Tune:
    """Reads the lines of one tune.

    Parameters
    ----------
    first_line : int
        Number of the first line in its file.

    Attributes
    ----------
    voices : dict of str to Voice
        In the order in which they appear.
    names : dict of str to str
        Names of instruments and singers by voice.
    title, number : str
        Of the fields ``T:`` and ``X:``.
    order : str
        The order of the parts, as in ``P:ABA``.
    unknown : list of str
        Characters that are not ABC, each with its line.
    """

    def __init__(self, first_line: int = 1) -> None:
        self.voices: dict[str, Voice] = {}
        self.names: dict[str, str] = {}
        self.title = ""
        self.number = ""
        self.order = ""
        self.unknown: list[str] = []
        self._line = first_line - 1
        self._in_body = False
        self._in_text = False
        self._old = False
        self._last_field = ""
        self._macros = Macros()
        self._line_goes_on = False
        self._unit_given = False
        self._tempo: str | None = None
        # What holds for a voice that begins.
        self._setting = Setting(Key(0, False, signature(0)), None, Fraction(1, 8), VELOCITY)
        self._voice: Voice | None = None
        # The voice that a V: field of the header is about.
        self._declared: Voice | None = None
        # Signs that U: defined, without their delimiters.
        self._signs: dict[str, str] = {"H": "fermata"}

    def read_header(self, lines: list[str]) -> None:
        """Read the lines of the file's header, which hold for each tune."""
        for line in lines:
            self._read_line(line)

    def read(self, lines: list[str]) -> None:
        """Read the lines of the tune.

        Raises
        ------
        DataError
            If a field or the length of a note makes no sense; the message has the line.
        """
        for line in lines:
            self._line += 1
            try:
                self._read_line(line)
            except DataError as error:
                raise DataError(f"line {self._line:,}: {error}") from error

    def _read_line(self, line: str) -> None:
        if version := re.match(r"%abc-(\d)\.(\d)", line):
            self._old = (int(version[1]), int(version[2])) < (2, 0)
        if line.startswith("%%"):
            self._directive(line[2:])
        line = re.sub(r"(?<!\\)%.*", "", line).rstrip()
        if self._in_text or not line.strip():
            return
        found = (_BODY_FIELD if self._in_body else _FIELD).match(line)
        if found:
            self._field(found[1], found[2])
        elif self._in_body:
            if not self._line_goes_on:
                for voice in self.voices.values():
                    voice.words.new_line()
            self._line_goes_on = line.endswith("\\")
            self._music(self._macros.expanded(line))
            if sum(voice.notes for voice in self.voices.values()) > MOST_NOTES:
                raise DataError(f"more than {MOST_NOTES:,} notes")

    # Fields.

    def _field(self, letter: str, value: str) -> None:
        """Follow a field of the header, of a line of the body or between notes."""
        value = value[:LONGEST_FIELD]
        match letter:
            case "X":
                self.number = value.strip()
            case "T":
                self.title = self.title or value.strip()
            case "K":
                self._set_key(value)
            case "M":
                self._set_metre(metre_of_field(value))
            case "L":
                self._unit_given = True
                self._each(lambda setting: setattr(setting, "unit", unit_of_field(value)))
            case "Q":
                self._set_tempo(value)
            case "V":
                self._set_voice(value)
            case "P":
                self._set_part(value.strip())
            case "U":
                name, _, meaning = value.partition("=")
                self._signs[name.strip()] = meaning.strip().strip("!+")
            case "m":
                self._macros.define(value)
            case "I":
                self._directive(value)
            case "w" | "+" if self._voice is not None:
                if letter == "w" or self._last_field == "w":
                    self._voice.words.align(value, goes_on=letter == "+")
        if letter != "+":
            self._last_field = letter

    def _each(self, change: Callable[[Setting], None]) -> None:
        """Change the setting of the voice, or before the first one that of all voices."""
        change(self._setting if self._voice is None else self._voice.setting)
        if self._voice is None:
            for voice in self.voices.values():
                change(voice.setting)

    def _set_key(self, value: str) -> None:
        key, given = key_named(value), properties(value)
        if not self._in_body:
            self._start_body(key)
        elif key is not None:
            if self._voice is None:
                self._setting.key = key
            for voice in self.voices.values() if self._voice is None else [self._voice]:
                voice.set_key(key)
        self._each(lambda setting: set_properties(setting, given))

    def _start_body(self, key: Key | None) -> None:
        self._in_body = True
        setting = self._setting
        setting.key = key or setting.key
        if not self._unit_given:
            setting.unit = default_unit(setting.metre)
        for voice in self.voices.values():
            # Voices of the header begin before the key is known.
            voice.setting = replace(
                voice.setting, key=setting.key, unit=setting.unit, metre=setting.metre
            )
            voice.set_metre(setting.metre)
            voice.set_key(setting.key)

    def _set_metre(self, metre: tuple[int, int] | None) -> None:
        if self._voice is not None:
            self._voice.set_metre(metre)
            return
        self._setting.metre = metre
        for voice in self.voices.values():
            voice.set_metre(metre)

    def _set_tempo(self, value: str) -> None:
        if self._voice is None:
            self._tempo = value
        elif (tempo := tempo_of_field(value, self._voice.setting.unit)) is not None:
            self._voice.set_tempo(tempo)

    def _set_voice(self, value: str) -> None:
        name, given = voice_of_field(value)
        if name in ("*", ""):
            return
        voice = self._voice_named(name)
        set_properties(voice.setting, given)
        if label := given.get("name", given.get("nm", "")):
            self.names[name] = label.split("\\n")[0]
        if self._in_body:
            self._voice = voice
        else:
            self._declared = voice

    def _voice_named(self, name: str) -> Voice:
        if name not in self.voices:
            if len(self.voices) >= MOST_VOICES:
                raise DataError(f"more than {MOST_VOICES} voices")
            self.voices[name] = Voice(name, self._setting, self._line)
        return self.voices[name]

    def _current(self) -> Voice:
        """Return the voice of the music that follows: without ``V:`` the first one."""
        if self._voice is None:
            self._voice = self._voice_named(next(iter(self.voices), "1"))
        voice = self._voice
        if self._tempo is not None:
            tempo, self._tempo = tempo_of_field(self._tempo, voice.setting.unit), None
            if tempo is not None:
                voice.set_tempo(tempo)
        voice.line = self._line
        return voice

    def _set_part(self, name: str) -> None:
        if not self._in_body:
            self.order = name
        else:
            self._current().set_part(name[:1])

    def _directive(self, text: str) -> None:
        """Follow a line with ``%%`` or an ``I:`` field."""
        name, _, value = text.strip().partition(" ")
        if name in ("begintext", "beginps", "beginsvg", "beginjs", "begincss", "beginml"):
            self._in_text = True
        elif name.startswith("end") and name[3:] in ("text", "ps", "svg", "js", "css", "ml"):
            self._in_text = False
        elif name == "propagate-accidentals":
            reach = value.strip()
            if reach in ("not", "octave", "pitch"):
                self._each(lambda setting: setattr(setting, "accidentals", reach))
        elif found := _DIRECTIVE.match(text):
            command, numbers = found[1].lower(), found[2].split()
            if self._declared is not None and not self._in_body:
                set_midi(self._declared.setting, command, numbers)
            else:
                self._each(lambda setting: set_midi(setting, command, numbers))

    # Music.

    def _music(self, line: str) -> None:
        """Read a line of music, symbol by symbol."""
        at = 0
        while at < len(line):
            found = SYMBOL.match(line, at)
            if found is None or not found[0]:
                if len(self.unknown) < MOST_FAULTS:
                    self.unknown.append(f"{line[at]!r} in line {self._line:,}")
                at += 1
                continue
            at = found.end()
            self._symbol(found)

    def _symbol(self, found: re.Match[str]) -> None:
        """Send a symbol to the voice."""
        if found["field"]:
            self._field(found["field"], found["value"])
            return
        if found["space"]:
            return
        voice, kind = self._current(), found.lastgroup
        match kind:
            case "text":
                self._text(voice, found["text"])
            case "length":
                place, accidental = self._place(voice, found["note"])
                voice.chord([(place, accidental, length_of(found["length"]), False)], Fraction(1))
            case "bar" | "bar_passes":
                self._bar_line(voice, found["bar"])
                if found["bar_passes"]:
                    voice.ending(passes_of(found["bar_passes"]))
            case "passes":
                voice.ending(passes_of(found["passes"]))
            case "chord_length":
                self._chord(voice, found["chord"], found["chord_length"])
            case "rest":
                voice.rest(length_of(found["rest"]))
            case "bars":
                voice.bars_of_rest(number_of(found["bars"] or "1"))
            case "tie":
                voice.tie()
            case "broken":
                signs = found["broken"]
                voice.broken(len(signs) if signs[0] == ">" else -len(signs))
            case "tuplet":
                notes, time, count = (*found["tuplet"].split(":"), "", "")[:3]
                voice.tuplet(number_of(notes), number_of(time or "0"), number_of(count or "0"))
            case "overlay":
                voice.overlay()
            case "grace":
                self._grace(voice, found["grace"])
            case "decoration":
                self._decoration(voice, found["decoration"])
            case "sign":
                self._mark(voice, self._signs.get(found["sign"], ""))

    def _bar_line(self, voice: Voice, sign: str) -> None:
        bars = sign.strip(":")
        closes, opens = len(sign) - len(sign.lstrip(":")), len(sign) - len(sign.rstrip(":"))
        if not bars:
            # "::" ends a section and begins another one.
            closes = opens = len(sign) // 2
        double = len(bars) > 1 and not bars.startswith(".")
        voice.bar_line(min(closes, 8), opens > 0, double)

    def _text(self, voice: Voice, text: str) -> None:
        """Read a chord symbol; other texts say with their first sign where they stand."""
        symbol = text.strip('" ')
        if symbol and symbol[0] not in ANNOTATION:
            voice.chord_symbol(symbol)

    def _chord(self, voice: Voice, inside: str, length: str) -> None:
        notes = []
        for text in re.findall(QUOTED, inside):
            self._text(voice, text)
        for pitch, own, tie in NOTE.findall(re.sub(rf"{QUOTED}|![^!]*!", "", inside)):
            notes.append((*self._place(voice, pitch), length_of(own), bool(tie)))
        if notes:
            voice.chord(notes, length_of(length))

    def _place(self, voice: Voice, note: str) -> tuple[tuple[str, int], int | None]:
        """Return the place and the accidental of a note, and say if that is no whole semitone."""
        if "/" in note:
            voice.complain(f"microtone {note[:20]!r}, rounded to a semitone,")
        return place_of(note)

    def _grace(self, voice: Voice, inside: str) -> None:
        """Grace notes have no length, but their accidentals hold."""
        for pitch, _, _ in NOTE.findall(inside):
            voice.altered(*place_of(pitch))

    def _decoration(self, voice: Voice, text: str) -> None:
        inside = text[1:-1]
        # Before version 2.0 "+CEG+" was a chord.
        if text[0] == "+" and self._old and re.fullmatch(rf"(?:{NOTE.pattern})+", inside):
            self._chord(voice, inside, "")
        else:
            self._mark(voice, inside)

    def _mark(self, voice: Voice, name: str) -> None:
        if name in DYNAMICS:
            voice.setting.velocity = DYNAMICS[name]
        elif name in ("fermata", "invertedfermata"):
            voice.hold()
