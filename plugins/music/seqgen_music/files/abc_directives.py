"""What ``%%MIDI`` directives and the properties of voices and keys change.

Source: The abc music standard 2.1, section 4.6; ``%%MIDI`` as in abc2midi.
"""

from __future__ import annotations

import re

from seqgen_music.files.abc_fields import transposition, whole_number
from seqgen_music.files.abc_symbols import PITCH, number_of, place_of
from seqgen_music.files.abc_voice import Setting
from seqgen_music.files.notation_values import DRUM_STAFF

#: The drum at each place of a percussion staff, by letter and octave.
STAFF = {(name[0], int(name[1]) + 1): drum for name, drum in DRUM_STAFF.items()}


def set_properties(setting: Setting, given: dict[str, str]) -> None:
    """Follow the properties of a voice or key."""
    shift = transposition(given)
    if shift is not None:
        setting.shift = shift
    if "clef" in given:
        setting.staff = STAFF if given["clef"].startswith("perc") else None


def set_midi(setting: Setting, name: str, numbers: list[str]) -> None:
    """Follow a ``%%MIDI`` directive; those that are about accompaniment are ignored."""
    if name == "program" and numbers:
        # With two numbers the first is the channel.
        setting.program = min(max(number_of(numbers[-1], 0), 0), 127)
    elif name == "channel" and numbers:
        setting.channel_drums = numbers[0] == "10"
    elif name == "transpose" and numbers:
        setting.midi_shift = whole_number(numbers[0])
    elif name in ("nobarlines", "barlines"):
        # Old music without bar lines: an accidental is for its note only.
        setting.accidentals = "not" if name == "nobarlines" else "pitch"
    elif name == "drummap" and len(numbers) == 2 and re.fullmatch(PITCH, numbers[0]):
        place, _ = place_of(numbers[0])
        setting.staff = {**(setting.staff or {}), place: min(number_of(numbers[1], 0), 127)}
