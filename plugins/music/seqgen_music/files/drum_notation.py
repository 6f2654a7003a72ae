"""Drums in MusicXML: notes without pitch, each with the instrument that it strikes.

music21 writes one instrument per part, so its XML is changed afterwards. Source: MusicXML 4.0,
elements ``unpitched``, ``score-instrument`` and ``midi-unpitched``.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from seqgen_music.files.notation_values import DRUM_STAFF
from seqgen_music.files.score_bars import SEMITONES

#: Place in the staff of each drum, and of those that have none of their own.
PLACES = {drum: place for place, drum in DRUM_STAFF.items()}
ELSEWHERE = "E5"

#: Children of a note that stand before its instrument.
_BEFORE = ("grace", "chord", "unpitched", "duration", "tie")

_INSTRUMENTS = ("score-instrument", "midi-device", "midi-instrument")


def with_unpitched_drums(score: bytes, parts: Mapping[str, int]) -> bytes:
    """Return MusicXML in which the notes of some parts have no pitch.

    Parameters
    ----------
    score : bytes
        MusicXML by music21, whose drums are notes at their MIDI pitch.
    parts : dict of str to int
        MIDI channel, from 1, of each part of drums, by its id.
    """
    if not parts:
        return score
    at = score.index(b"<score-partwise")
    root = fromstring(score[at:])
    struck: dict[str, set[int]] = {}
    for part in root.findall("part"):
        number = part.get("id", "")
        if number in parts:
            notes = [note for note in part.iter("note") if note.find("pitch") is not None]
            struck[number] = {_strike(note, number) for note in notes}
    for declared in root.iter("score-part"):
        number = declared.get("id", "")
        if number in parts:
            _declare(declared, struck.get(number, set()), parts[number])
    return score[:at] + bytes(tostring(root, "utf-8"))


def _strike(note: Element, part: str) -> int:
    """Take the pitch of a note away, name its instrument, and return its drum."""
    pitch = note.find("pitch")
    assert pitch is not None
    alter = int(pitch.findtext("alter") or 0)
    octave = int(pitch.findtext("octave") or 4)
    drum = SEMITONES[pitch.findtext("step") or "C"] + alter + 12 * (octave + 1)
    pitch.clear()
    pitch.tag = "unpitched"
    place = PLACES.get(drum, ELSEWHERE)
    SubElement(pitch, "display-step").text = place[0]
    SubElement(pitch, "display-octave").text = place[1]
    for accidental in note.findall("accidental"):
        note.remove(accidental)
    before = sum(child.tag in _BEFORE for child in note)
    note.insert(before, Element("instrument", id=_identity(part, drum)))
    return drum


def _declare(part: Element, drums: set[int], channel: int) -> None:
    """Replace the instrument of a part by one for each drum."""
    from pretty_midi import note_number_to_drum_name

    for child in list(part):
        if child.tag in _INSTRUMENTS:
            part.remove(child)
    for drum in sorted(drums):
        instrument = SubElement(part, "score-instrument", id=_identity(part.get("id", ""), drum))
        name = note_number_to_drum_name(drum) or f"Drum {drum}"
        SubElement(instrument, "instrument-name").text = name
    for drum in sorted(drums):
        midi = SubElement(part, "midi-instrument", id=_identity(part.get("id", ""), drum))
        SubElement(midi, "midi-channel").text = str(channel)
        SubElement(midi, "midi-program").text = "1"
        SubElement(midi, "midi-unpitched").text = str(drum + 1)


def _identity(part: str, drum: int) -> str:
    return f"{part}-D{drum}"
