"""Writing notation with music21: MusicXML, plain or compressed.

The piece is first laid out bar by bar on the grid of `notation_grid`. music21 itself would choose
other bars for an upbeat, and note values too short to read.
"""

from __future__ import annotations

import io
import zipfile
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from seqgen.files import write_atomic
from seqgen_music.files.drum_notation import with_unpitched_drums
from seqgen_music.files.lyrics import written
from seqgen_music.files.midi_writing import channels
from seqgen_music.files.notated_voices import (
    Segment,
    cut,
    score_lines,
    voices_of,
    written_metres,
)
from seqgen_music.files.notation_grid import GRID, on_grid
from seqgen_music.files.pedal_notation import pedal_signs, with_pedals
from seqgen_music.files.staves import with_two_staves
from seqgen_music.music import DRUM_CHANNEL, Music
from seqgen_music.spelling import root_name, spelled

_CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container><rootfiles><rootfile full-path="score.musicxml"/></rootfiles></container>
"""


def write_notation(music: Music, path: Path) -> None:
    """Write MusicXML, compressed if the suffix is ``.mxl``.

    The score has the notes of `on_grid`, metre, key, tempo, and name and instrument of each track.
    Notes that overlap in a track become voices of its staff; keyboards have two staves.
    """
    content = musicxml(music)
    if path.suffix.lower() == ".mxl":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in (
                ("META-INF/container.xml", _CONTAINER.encode()),
                ("score.musicxml", content),
            ):
                # Without a date, so that equal pieces give equal files.
                archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        content = buffer.getvalue()
    write_atomic(path, content)


def musicxml(music: Music) -> bytes:
    """Return the score as MusicXML."""
    # Importing music21 takes half a second.
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    music, uppers = with_two_staves(_written(music))
    notated = on_grid(music)
    lines = score_lines(music, notated)
    content = _score(notated, uppers, lines)
    score = bytes(GeneralObjectExporter().parseWellformedObject(content))
    score = with_pedals(score, _pedals(notated, uppers), lines)
    drums = {
        f"P{number + 1}": DRUM_CHANNEL + 1
        for number, track in enumerate(music.tracks)
        if track.drums
    }
    return with_unpitched_drums(score, drums)


def _written(music: Music) -> Music:
    """Return a piece whose notes are as long as they are written where a pedal holds them.

    Those that sound to the end are written in full, so that the score has the length of the piece.
    """
    notes = music.played
    to_end = music.notes["onset"] + music.notes["duration"] == music.length
    notes["duration"] = np.where(to_end, music.notes["duration"], notes["duration"])
    return replace(music, notes=notes, pressed=None)


def _pedals(music: Music, uppers: list[int]) -> dict[str, list[tuple[int, str]]]:
    """Return the signs of the pedal of each part, by its id; the staves of a part share one."""
    found: dict[str, list[tuple[int, str]]] = {}
    for number in range(len(music.tracks)):
        moves = music.pedals[music.pedals["track"] == number][["tick", "value"]]
        upper = number - 1 if number - 1 in uppers else number
        part = f"P{upper + 1}"
        found[part] = found.get(part) or pedal_signs(moves.tolist())
    return found


def _score(notated: Music, uppers: list[int], lines: list[int]) -> Any:
    """Return the score of a piece on the grid.

    Some tracks are the upper staff of a part, and the next one the lower.
    """
    from music21 import layout, metadata, stream

    score = stream.Score()
    score.metadata = metadata.Metadata(title="", composer="")
    parts = []
    for number, channel in enumerate(channels(notated)):
        is_staff = number in uppers or number - 1 in uppers
        part = stream.PartStaff() if is_staff else stream.Part()
        parts.append(part)
        _fill_part(part, notated, number, channel, lines)
        score.insert(0, part)
    for number in uppers:
        # music21 writes the staves of a group as one part.
        score.insert(0, layout.StaffGroup(parts[number : number + 2], symbol="brace"))
    return score


def _fill_part(part: Any, music: Music, number: int, channel: int, lines: list[int]) -> None:
    """Insert the measures of a track of a piece on the grid."""
    from music21 import clef, instrument, stream

    track = music.tracks[number]
    part.id = f"P{number + 1}"
    part.partName = track.label or f"Part {number + 1}"
    player = instrument.Instrument(part.partName)
    player.partId, player.instrumentId = part.id, f"I{number + 1}"
    player.midiProgram, player.midiChannel = track.program, channel
    part.insert(0, player)
    held = {at for at, track in music.fermatas if track == number}
    notes = music.notes[music.notes["track"] == number]
    voices = [cut(voice, lines, held) for voice in voices_of(notes)]
    words = written(music, number)
    keys = [sharps for _, sharps, _ in music.keys]
    spelling = dict(zip((tick for tick, _, _ in music.keys), keys, strict=True))
    sharps = 0
    for measure, *bar in zip(_measures(music, number == 0, lines), *voices, strict=True):
        sharps = spelling.get(round(measure.offset * GRID), sharps)
        _fill(measure, bar, sharps, words)
        part.append(measure)
    first = part.getElementsByClass(stream.Measure).first()
    first.clef = clef.PercussionClef() if track.drums else clef.bestClef(part, recurse=True)
    stream.makeNotation.makeAccidentalsInMeasureStream(part)
    part.makeBeams(inPlace=True)
    if number == 0:
        _add_chords(part.getElementsByClass(stream.Measure), music, lines)


def _add_chords(measures: Any, music: Music, lines: list[int]) -> None:
    """Put the chord symbols of a piece on the grid above its measures."""
    from music21 import harmony

    for tick, chord in music.chords:
        bar = min(bisect_right(lines, tick), len(measures)) - 1
        if chord is None:
            symbol = harmony.NoChord()
        else:
            sharps = music.sharps_at(tick)
            root, bass = (root_name(one, sharps) for one in (chord.root, chord.bass))
            symbol = harmony.ChordSymbol(
                root=root, bass=bass if chord.bass >= 0 else None, kind=chord.kind
            )
        measures[bar].insert(Fraction(tick - lines[bar], GRID), symbol)


def _measures(music: Music, leads: bool, lines: list[int]) -> list[Any]:
    """Return empty measures with metre and key, and with tempo in the first part."""
    from music21 import key, meter, stream, tempo

    metres = written_metres(music)
    keys = {tick: (sharps, minor) for tick, sharps, minor in music.keys}
    upbeat = music.upbeat
    measures = []
    for number, start in enumerate(lines[:-1], 0 if upbeat else 1):
        measure = stream.Measure(number=number)
        measure.offset = Fraction(start, GRID)
        if start in metres:
            beats, unit = metres[start]
            measure.timeSignature = meter.TimeSignature(f"{beats}/{unit}")
        if start in keys:
            sharps, minor = keys[start]
            measure.keySignature = key.KeySignature(sharps).asKey("minor" if minor else "major")
        measures.append(measure)
    if upbeat:
        beats, unit = metres[0]
        measures[0].paddingLeft = 4 * Fraction(beats, unit) - Fraction(upbeat, GRID)
    for tick, qpm in np.asarray(music.tempos).tolist() if leads else ():
        mark = tempo.MetronomeMark(number=round(qpm, 3), referent=1)
        bar = min(bisect_right(lines, tick), len(measures)) - 1
        measures[bar].insert(Fraction(tick - lines[bar], GRID), mark)
    return measures


def _fill(
    measure: Any,
    voices: list[list[Segment]],
    sharps: int,
    words: Mapping[int, dict[int, tuple[str, str]]],
) -> None:
    """Insert the notes of a bar into its measure; voices of rests only are left out.

    The first note at a place takes its syllables from `words`: of each verse text and kind.
    """
    from music21 import expressions, note, stream

    start = round(measure.offset * GRID)
    heard = [voice for voice in voices[1:] if any(segment.sound for segment in voice)]
    lone = not heard
    for number, voice in enumerate([voices[0], *heard], 1):
        place = measure if lone else stream.Voice(id=number)
        for offset, length, sound, tie, fermata in voice:
            element = _element(length, sound, tie, sharps)
            for verse, syllables in words.items() if sound and tie in ("", "start") else ():
                text, kind = syllables.pop(start + offset, ("", ""))
                if text:
                    sung = note.Lyric(text, number=verse, syllabic=kind, applyRaw=True)
                    element.lyrics.append(sung)
            if fermata:
                element.expressions.append(expressions.Fermata())
            place.insert(Fraction(offset, GRID), element)
        stream.makeNotation.makeTupletBrackets(place, inPlace=True)
        if not lone:
            measure.insert(0, place)


def _element(length: int, sound: list[tuple[int, int]], tie: str, sharps: int) -> Any:
    from music21 import chord, note
    from music21.pitch import Pitch
    from music21.tie import Tie

    quarters = Fraction(length, GRID)
    if not sound:
        return note.Rest(quarterLength=quarters)
    notes = []
    for pitch, velocity in sound:
        name, octave = spelled(pitch, sharps)
        single = note.Note(Pitch(name, octave=octave), quarterLength=quarters)
        single.volume.velocity = velocity
        single.tie = Tie(tie) if tie else None
        notes.append(single)
    if len(notes) == 1:
        return notes[0]
    together = chord.Chord(notes, quarterLength=quarters)
    # music21 writes no velocities of single notes in a chord.
    together.volume.velocity = max(velocity for _, velocity in sound)
    return together
