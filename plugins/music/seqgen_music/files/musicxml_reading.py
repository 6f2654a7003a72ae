"""Reading MusicXML, plain or compressed: parts become tracks, hymns four voices."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from seqgen.errors import DataError
from seqgen.plugin import Note
from seqgen_music.files.alignment import align, name_lanes
from seqgen_music.files.assembling import QUOTED, Part, assembled, disagreements
from seqgen_music.files.musicxml_part import Instrument, PartReader, whole_number
from seqgen_music.music import Music

#: Suffixes of the score in a compressed file.
SCORES = (".musicxml", ".xml")

#: Parts of a score.
MOST_PARTS = 1024


def read_musicxml(path: Path, play_repeats: bool = False) -> Iterator[Music | Note]:
    """Read a score.

    Each staff of a part is a track. A score of two staves with two voices each, as hymns have, is
    four tracks from the highest voice down. Transposing instruments are read at sounding pitch, and
    dynamics as velocities; grace and cue notes are left out.

    Yields
    ------
    Music or Note
        The piece, and what does not add up.

    Raises
    ------
    DataError
        If the file is no MusicXML by parts, or a number in it makes no sense.
    """
    readers = _readers(path)
    parts = [Part(reader.name, reader.bars) for reader in readers]
    align([part.bars for part in parts])
    name_lanes([part.bars for part in parts])
    piece = assembled(parts, play_repeats)
    if not len(piece.notes):
        raise DataError("the file has no note")
    yield piece
    unread = [fault for reader in readers for fault in reader.faults]
    faults = [f"left out: {', '.join(unread[:QUOTED])}"] if unread else []
    if faults := [*faults, *disagreements(parts)]:
        yield Note("; ".join(faults))


def _readers(path: Path) -> list[PartReader]:
    """Return the parts of a score, read."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    readers: dict[str, PartReader] = {}
    path_of_tags: list[str] = []
    try:
        for event, element in iterparse(_content(path), events=("start", "end")):
            if event == "start":
                path_of_tags.append(element.tag)
                if len(path_of_tags) == 1 and element.tag != "score-partwise":
                    raise DataError(
                        f"expected MusicXML by parts (score-partwise), found {element.tag[:40]!r}"
                    )
                if path_of_tags[1:] == ["part"]:
                    number = element.get("id", "")
                    reader = readers.setdefault(number, PartReader("", {}))
                continue
            path_of_tags.pop()
            if element.tag == "score-part" and len(readers) < MOST_PARTS:
                readers[element.get("id", "")] = _declared(element)
            elif element.tag == "measure" and path_of_tags[1:] == ["part"]:
                reader.measure(element)
                element.clear()
    except ParseError as error:
        raise DataError(f"the file is not XML ({error})") from error
    except DefusedXmlException as error:
        raise DataError(
            "the file declares entities, which can be an attack; remove them from its DOCTYPE"
        ) from error
    except (ValueError, LookupError) as error:
        # An unknown encoding, or a wrong one.
        raise DataError(f"the file cannot be decoded ({error})") from error
    return [reader for reader in readers.values() if reader.bars]


def _content(path: Path) -> Any:
    """Return the score as a binary file."""
    content = path.read_bytes()
    if not content.startswith(b"PK"):
        return io.BytesIO(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return io.BytesIO(archive.read(_member(archive)))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise DataError(f"the compressed file cannot be unpacked ({error})") from error


def _member(archive: zipfile.ZipFile) -> str:
    """Return the name of the score in an archive: what its container says, or the first one."""
    from defusedxml.ElementTree import fromstring

    names = archive.namelist()
    if "META-INF/container.xml" in names:
        container: Element = fromstring(archive.read("META-INF/container.xml"))
        for file in container.iter():
            if file.tag.rpartition("}")[2] == "rootfile" and file.get("full-path") in names:
                return str(file.get("full-path"))
    for name in names:
        if name.endswith(SCORES) and not name.startswith(("META-INF", "__MACOSX")):
            return name
    raise DataError("the compressed file has no score")


def _declared(element: Element) -> PartReader:
    """Return the reader of a part that the list of parts declares."""
    instruments = {each.get("id", ""): Instrument() for each in element.iter("score-instrument")}
    for midi in element.iter("midi-instrument"):
        instrument = instruments.setdefault(midi.get("id", ""), Instrument())
        instrument.program = min(max(whole_number(midi.findtext("midi-program"), 1) - 1, 0), 127)
        instrument.channel = whole_number(midi.findtext("midi-channel"), 1) - 1
        drum = whole_number(midi.findtext("midi-unpitched"), 0) - 1
        instrument.drum = drum if 0 <= drum < 128 else None
    name = " ".join((element.findtext("part-name") or "").split())
    return PartReader(name, instruments)
