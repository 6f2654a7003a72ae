"""Reading MEI with music21, in a process of its own.

music21 takes many seconds for some files, and nothing else stops its parser on every system.
The process is this module as a program: MEI comes in, pieces go out as JSON.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from collections import defaultdict
from contextlib import redirect_stdout, suppress
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import numpy as np

from seqgen.errors import DataError
from seqgen.plugin import Note
from seqgen_music.bars import metre_of
from seqgen_music.files.assembling import MOST_BEATS
from seqgen_music.files.lyrics import Sung, numbered, syllable, verses_left_out
from seqgen_music.files.notation_values import DRUM_STAFF, SNARE, TICKS, VELOCITY
from seqgen_music.music import DRUM_CHANNEL, LONGEST_QUARTERS, Music, Track, changes, make_notes
from seqgen_music.rounding import nearest

#: Seconds and bytes of memory that music21 may take for a file. Without a file it takes a tenth of
#: the memory.
MEI_SECONDS, MEI_BYTES = 60.0, 2**32

#: NumPy's threads, which music21 needs not, would reserve 40 MB of addresses for each core.
ONE_THREAD = {
    f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM")
}

#: What helps where music21 takes too much.
INSTEAD = "convert it to MusicXML, for example with MuseScore"


def read_mei(text: str) -> list[Music | Note]:
    """Return the pieces that music21 finds in MEI, and after a piece a note on what it lacks.

    Raises
    ------
    DataError
        If music21 cannot read the file, takes more than `MEI_SECONDS` or `MEI_BYTES`, or finds no
        note.
    """
    # music21 takes seconds for a metre of hundreds of beats.
    counts = re.findall(r"(?:\bmeter\.count|<meterSig\b[^>]*?\scount)\s*=\s*[\"'](\d{1,9})", text)
    if any(int(count) > MOST_BEATS for count in counts):
        raise DataError(f"a metre has more than {MOST_BEATS} beats")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "seqgen_music.files.mei_reading", str(MEI_BYTES)],
            input=text.encode(),
            capture_output=True,
            timeout=MEI_SECONDS,
            env=os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"music21 takes longer than {MEI_SECONDS:g} seconds for this MEI; {INSTEAD}"
        ) from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.decode(errors="replace").splitlines() or ["no message"])[-1]
        raise DataError(f"music21 cannot read it ({last[:200]})") from error
    found = json.loads(done.stdout)
    if "error" in found:
        raise DataError(found["error"])
    pieces: list[Music | Note] = []
    for piece in found["pieces"]:
        if piece["notes"]:
            pieces.append(_from_json(piece))
            pieces += [Note("; ".join(piece["faults"]))] if piece["faults"] else []
    if not pieces:
        raise DataError("the file has no note")
    return pieces


def _as_json(music: Music) -> dict[str, Any]:
    return {
        "notes": music.notes.tolist(),
        "tracks": [(track.name, track.program, track.drums) for track in music.tracks],
        "tempos": np.asarray(music.tempos).tolist(),
        "metres": music.metres,
        "keys": music.keys,
        "lyrics": music.lyrics,
        "verses": music.verses,
    }


def _from_json(piece: dict[str, Any]) -> Music:
    return Music(
        make_notes([tuple(row) for row in piece["notes"]]),
        tuple(Track(*track) for track in piece["tracks"]),
        TICKS,
        [tuple(tempo) for tempo in piece["tempos"]],
        tuple((tick, beats, unit) for tick, beats, unit in piece["metres"]),
        tuple((tick, sharps, minor) for tick, sharps, minor in piece["keys"]),
        lyrics=tuple((tick, track, text) for tick, track, text in piece["lyrics"]),
        verses=tuple(tuple(each) for each in piece["verses"]),
    )


def _main() -> None:
    """Read MEI from standard input, and write its pieces or an error to standard output."""
    most = int(sys.argv[1])
    _limit_memory(most)
    found: dict[str, Any]
    with redirect_stdout(sys.stderr):
        try:
            text = sys.stdin.buffer.read().decode()
            found = {"pieces": _pieces(text)}
        except MemoryError:
            found = {
                "error": f"music21 takes more than {most // 2**20:,} MB of memory for this MEI; "
                f"{INSTEAD}"
            }
        except DataError as error:
            found = {"error": str(error)}
    sys.stdout.write(json.dumps(found, allow_nan=False))


def _limit_memory(most: int) -> None:
    """Let this process have so many bytes of memory, where the system can limit it."""
    # There is no such module on Windows.
    if find_spec("resource") is None:
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    # macOS refuses a limit below the addresses that a process has reserved.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _pieces(text: str) -> list[dict[str, Any]]:
    """Return the pieces of MEI as JSON, each with what is left out of it."""
    import music21

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # music21's cache is switched off: it uses pickle, and seqgen caches encoded pieces.
            stream = music21.converter.parse(
                text, forceSource=True, storePickle=False, format="mei"
            )
            scores = stream.scores if isinstance(stream, music21.stream.Opus) else [stream]
            return [_as_json(music_of(score)) | {"faults": _faults(score)} for score in scores]
    except (DataError, MemoryError):
        raise
    except Exception as error:
        # The parsers of music21 raise all kinds of errors.
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"music21 cannot read it ({reason})") from error


def music_of(score: Any) -> Music:
    """Return the piece of a score of music21."""
    if score.highestTime > LONGEST_QUARTERS:
        raise DataError(
            f"the piece is {score.highestTime:,.0f} quarters long; {LONGEST_QUARTERS:,} is the most"
        )
    if any(part.atSoundingPitch is False for part in score.parts):
        score.toSoundingPitch(inPlace=True)
    parts = _parts(score)
    sung: Sung = {}
    rows, tracks = [], []
    for number, part in enumerate(parts):
        instrument = part.getInstrument(returnDefault=True)
        program = instrument.midiProgram if instrument is not None else None
        drums = _drums(part, instrument)
        tracks.append(Track(part.partName or f"Part {number + 1}", program or 0, drums is not None))
        rows += _notes(part, number, drums)
        sung |= _syllables(part, number)
    flat = parts[0].flatten()
    tempos = [
        (_ticks(start), float(mark.getQuarterBPM()))
        for start, _, mark in score.metronomeMarkBoundaries()
        if mark.getQuarterBPM()
    ]
    keys = [
        (_ticks(key.offset), key.sharps, getattr(key, "mode", "major") == "minor")
        for key in flat.getElementsByClass("KeySignature")
    ]
    lyrics, verses = numbered(sung)
    return Music(
        make_notes(rows),
        tuple(tracks),
        TICKS,
        changes(tempos),
        _metres(parts[0]),
        changes(keys),
        lyrics=lyrics,
        verses=verses,
    )


def _parts(score: Any) -> list[Any]:
    return list(score.parts) or [score]


def _faults(score: Any) -> list[str]:
    """Say which verses of a score are left out."""
    found, parts = [], _parts(score)
    for number, part in enumerate(parts):
        where = f"{part.partName or f'part {number + 1}'}, " if len(parts) > 1 else ""
        found += [f"{where}{each}" for each in verses_left_out(len(_syllables(part, number)))]
    return found


def _notes(
    part: Any, number: int, drums: dict[str, int] | None
) -> list[tuple[int, int, int, int, int]]:
    """Return the notes of a part as rows, tied notes as one.

    music21 cannot join tied notes whose voices cross a bar line.
    """
    rows: list[tuple[int, int, int, int, int]] = []
    # Row of each note with an open tie, by pitch and end.
    tied: dict[tuple[int, int], int] = {}
    for element in part.flatten().notes:
        onset, end = _ticks(element.offset), _ticks(element.offset + element.quarterLength)
        # Chord symbols above the staff are not played.
        sounds = end > onset and "Harmony" not in element.classes
        for note in getattr(element, "notes", (element,)) if sounds else ():
            pitch, kind = _pitch(note, drums), note.tie.type if note.tie else ""
            if not 0 <= pitch < 128:
                continue
            row = tied.pop((pitch, onset), None) if kind in ("continue", "stop") else None
            if row is None:
                velocity = note.volume.velocity or element.volume.velocity or VELOCITY
                rows.append((onset, end - onset, pitch, velocity, number))
                row = len(rows) - 1
            else:
                rows[row] = (rows[row][0], end - rows[row][0], *rows[row][2:])
            if kind in ("start", "continue"):
                tied[pitch, end] = row
    return rows


def _syllables(part: Any, number: int) -> Sung:
    """Return the syllables of a part; several of a verse below one note are joined."""
    found: Sung = defaultdict(dict)
    for element in part.flatten().notes:
        tick, before = _ticks(element.offset), dict[int, str]()
        for lyric in element.lyrics if element.quarterLength else ():
            # music21 writes hyphens and other signs of joints into the text.
            text = " ".join((lyric.text or "").strip("-~_ ").split())
            if text:
                text = f"{before.get(lyric.number, '')} {text}".strip()
                before[lyric.number] = text
                goes_on = lyric.syllabic in ("begin", "middle")
                found[number, lyric.number][tick] = syllable(text, goes_on)
    return found


def _pitch(note: Any, drums: dict[str, int] | None) -> int:
    """Return the MIDI pitch of a note, or of a drum by its place in the staff."""
    if hasattr(note, "pitch"):
        return int(note.pitch.midi)
    return (drums or {}).get(note.displayName, SNARE)


def _drums(part: Any, instrument: Any) -> dict[str, int] | None:
    """Return the drum at each place of the staff, or None if the part is not for drums."""
    places = {
        note.displayName
        for element in part.recurse().notes
        for note in getattr(element, "notes", [element])
        if hasattr(note, "displayName")
    }
    if not places and getattr(instrument, "midiChannel", None) != DRUM_CHANNEL:
        return None
    only = getattr(instrument, "percMapPitch", None)
    if len(places) == 1 and only is not None:
        return dict.fromkeys(places, only)
    return DRUM_STAFF


def _metres(part: Any) -> tuple[tuple[int, int, int], ...]:
    """Return the metres; an upbeat is a short bar with its own metre."""
    metres = [
        (_ticks(metre.getOffsetInHierarchy(part)), metre.numerator, metre.denominator)
        for metre in part.recurse().getElementsByClass("TimeSignature")
    ]
    measures = list(part.getElementsByClass("Measure"))
    if metres and len(measures) > 1:
        length = Fraction(measures[1].offset)
        if 0 < length < Fraction(measures[0].barDuration.quarterLength):
            short = metre_of(length / 4)
            if short is not None:
                metres = [(0, *short), (_ticks(length), *metres[0][1:]), *metres[1:]]
    return changes(metres)


def _ticks(quarters: Any) -> int:
    """Return the nearest tick of an offset, which may be a fraction or a float."""
    return int(nearest(np.array(quarters, np.float64) * TICKS))


if __name__ == "__main__":
    _main()
