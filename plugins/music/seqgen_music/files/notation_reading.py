"""Reading notation: which reader a score goes to."""

from __future__ import annotations

import zipfile
from pathlib import Path

from seqgen.errors import DataError
from seqgen.files import plain_text, text_of
from seqgen.plugin import Note
from seqgen_music.files.abc_reading import read_abc
from seqgen_music.files.kern_reading import read_kern
from seqgen_music.files.mei_reading import read_mei
from seqgen_music.files.musicxml_reading import read_musicxml
from seqgen_music.music import Music

#: Largest file that is read, unpacked, in bytes.
MOST_BYTES = 2**26


def read_notation(path: Path, play_repeats: bool = False) -> list[Music | DataError | Note]:
    """Read the scores of a file; an ABC collection has many.

    Transposing instruments are read at sounding pitch, and parts for percussion are drums. Grace
    notes, which have no length, are left out.

    Parameters
    ----------
    path : Path
    play_repeats : bool
        Play the repeats of ABC, MusicXML and kern; else each bar is read once.

    Returns
    -------
    list of Music, DataError and Note
        An error stands for each tune of a collection that cannot be read, a note for what does not
        add up in one.

    Raises
    ------
    DataError
        If the file cannot be read, or has no note, or exceeds a limit above.
    """
    if (size := _size(path)) > MOST_BYTES:
        raise DataError(f"the file has {size:,} bytes; {MOST_BYTES:,} is the most")
    pieces: list[Music | DataError | Note]
    match path.suffix.lower():
        case ".abc":
            pieces = list(read_abc(_text(path), play_repeats))
        case ".krn":
            pieces = list(read_kern(_text(path), play_repeats))
        case ".mei":
            pieces = [*read_mei(_text(path))]
        case _:
            pieces = list(read_musicxml(path, play_repeats))
    if not any(isinstance(piece, Music) for piece in pieces):
        error = next((piece for piece in pieces if isinstance(piece, DataError)), None)
        raise error or DataError("the file has no note")
    return pieces


def _size(path: Path) -> int:
    """Return the number of bytes of a file, unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError):
        return path.stat().st_size


def _text(path: Path) -> str:
    """Return the text of a file in UTF-8 or Latin-1."""
    content = path.read_bytes()
    try:
        return text_of(content)
    except DataError:
        return plain_text(content.decode("latin-1"))
