"""Reads generated pieces back from their files, to compare them with a corpus.

Comes from: `seqgen.report.samples`. Next: `seqgen.evaluation.comparison`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from seqgen.conditions.labels import content_of
from seqgen.errors import DataError, RunError
from seqgen.files import SAMPLES, read_description
from seqgen.note import Note
from seqgen.plugin import Piece
from seqgen.plugins.faults import reason_for
from seqgen.run.folder import Run


class Entry(TypedDict):
    """The keys of a piece in a manifest that are read back."""

    files: list[str]


class Manifest(TypedDict):
    """The keys of ``manifest.json`` that are read back."""

    pieces: list[Entry]


def newest_samples_folder(run: Run) -> Path:
    """Return the newest of RUN/samples/1, 2 ...

    Raises
    ------
    RunError
        If there is none.
    """
    number = highest_number(run)
    if not number:
        raise RunError(
            f"{run.name} has no samples yet; write some with seqgen generate {run.name} -n 20"
        )
    return run.output / "samples" / str(number)


def highest_number(run: Run) -> int:
    """Return the highest number of a folder of samples, or 0."""
    places = (run.output / "samples").glob("[0-9]*")
    return max((int(place.name) for place in places if place.name.isdecimal()), default=0)


def read_samples(run: Run, folder: Path) -> tuple[list[Piece], list[str]]:
    """Read the pieces of a folder of samples back from their files.

    Returns
    -------
    pieces : list of piece
    refused : list of str
        Files without a usable piece, such as one without a note, and why.

    Raises
    ------
    RunError
        If the folder holds no samples.
    DataError
        If a file is missing, no piece is usable, or a piece is spread over several files.
    """
    try:
        entries = read_description(folder / SAMPLES, Manifest)["pieces"]
    except (OSError, ValueError) as error:
        raise RunError(
            f"{folder} is not a folder of samples ({error}); write one with seqgen generate"
        ) from error
    pieces: list[Piece] = []
    refused: list[str] = []
    for entry in entries:
        name = _file_to_read(run, folder, entry["files"])
        try:
            for piece in run.domain.read(folder / name, run.domain.read_options()):
                if isinstance(piece, Note):
                    continue
                if isinstance(piece, DataError):
                    refused.append(f"{name}: {piece}")
                else:
                    pieces.append(content_of(piece))
        except DataError as error:
            refused.append(f"{name}: {error}")
        except OSError as error:
            raise DataError(f"{folder / name} cannot be read back ({error})") from error
        except Exception as error:  # a parser may fail in any way
            refused.append(f"{name}: {reason_for(error)}")
    if not pieces:
        reason = f" ({refused[0]})" if refused else ""
        raise DataError(
            f"no piece in {folder} can be read back{reason}; "
            f"generate pieces as {run.domain.formats[0]}"
        )
    return pieces, refused


def _file_to_read(run: Run, folder: Path, names: list[str]) -> str:
    """Return the file of a piece that `Domain.read` reads; the others are its companions.

    Raises
    ------
    DataError
        If a file is missing, or the piece is spread over several files.
    """
    if not names:
        raise DataError(f"{folder / SAMPLES} names no file for a piece; generate pieces again")
    for name in names:
        if name in ("", "..") or name != Path(name).name or "\0" in name:
            raise DataError(f"{folder / SAMPLES} names a file outside its folder: {name!r}")
        if not (folder / name).is_file():
            raise DataError(f"{folder / name} cannot be read back (no such file)")
    accompany = {path for name in names for path in run.domain.companions(folder / name)}
    main = [name for name in names if folder / name not in accompany]
    if len(main) != 1:
        raise DataError(
            f"{folder / names[0]} and others are one piece, which cannot be read back "
            f"from several files; generate again in another format (`suffix`)"
        )
    return main[0]
