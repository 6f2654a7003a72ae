"""One piece from its file, and into a file: what a person names, not the files of a corpus.

Next: `seqgen.generation.given` reads prompts with it, `seqgen.generation.pieces` saves new pieces.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, get_args, get_origin

from seqgen.conditions.labels import content_of
from seqgen.errors import ConfigError, DataError, PluginError, RunError, reason_of
from seqgen.files import naming
from seqgen.note import Note
from seqgen.options import options_from
from seqgen.plugin import Domain, Piece
from seqgen.plugins.discovery import load_domain
from seqgen.plugins.faults import fault_of, method_text
from seqgen.storage.locks import temporary_name
from seqgen.storage.signals import undivided
from seqgen.wording import brief


def piece_type(domain: Domain) -> type | None:
    """Return the class of a domain's pieces, as in ``class Go(Domain[Game])``, or None."""
    for kind in type(domain).__mro__:
        for base in getattr(kind, "__orig_bases__", ()):
            if get_origin(base) is Domain:
                [piece] = get_args(base)
                piece = get_origin(piece) or piece
                return piece if isinstance(piece, type) else None
    return None


def read_piece(domain: Domain[Piece], name: str, path: Path, options: Any) -> Piece:
    """Return the one piece of a file, by the domain of a name.

    Raises
    ------
    DataError
        If the file cannot be read, or holds no piece or several.
    """
    try:
        found = domain.read(path, options)
        pieces = list(islice((each for each in found if not isinstance(each, Note)), 2))
    except DataError as error:
        raise DataError(f"{path}: {error}{_hint(name, path)}") from error
    except Exception as error:
        # A parser may fail in any way on a damaged file.
        reason = f"{reason_of(error)}{_hint(name, path)}"
        raise fault_of(error) or DataError(f"{path} cannot be read ({reason})") from error
    for piece in pieces:
        if isinstance(piece, DataError):
            raise DataError(f"{path}: {piece}") from piece
    if len(pieces) != 1:
        raise DataError(f"{path} holds {'several' if pieces else 'no'} pieces; give a file of one")
    only: Piece = content_of(pieces[0])
    return only


def is_of_domain(name: str, path: Path) -> bool:
    """Return whether the suffix of a path is one that the domain reads."""
    return path.suffix.lower() in load_domain(name)[1].suffixes


def _hint(name: str, path: Path) -> str:
    """Return which files the domain reads, for a file of another suffix."""
    if is_of_domain(name, path):
        return ""
    return f"; files of {name} end in {', '.join(load_domain(name)[1].suffixes)}"


def write_piece(
    domain: Domain[Piece],
    piece: Piece,
    path: Path | str,
    options: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write a piece of a domain into a file, as `seqgen.run.folder.Run.write` says."""
    path = Path(path)
    fitting = [each for each in domain.formats if path.name.lower().endswith(each)]
    suffix = max(fitting, key=len, default="")  # .anim.svg also ends in .svg
    check_format(domain, "this piece", suffix or path.suffix)
    kind = piece_type(domain)
    if kind is not None and not isinstance(piece, kind):
        raise DataError(f"pieces of this domain are of type {kind.__name__}, found {brief(piece)}")
    writing = writing_options(domain, options, "options")
    # A path that ends in .MID is written as .mid.
    path = path.with_name(path.name[: len(path.name) - len(suffix)] + suffix)
    temporary = temporary_name(path)
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_replacing([path], overwrite)
        temporary.mkdir()
        try:
            files = domain.write(piece, temporary / path.name, writing)
            if not files or any(file.parent != temporary or not file.is_file() for file in files):
                raise PluginError(
                    f"{method_text(domain, 'write')} must return the new files of a piece; tell "
                    f"its authors"
                )
            placed = [path.parent / file.name for file in files]
            refuse_replacing(placed, overwrite)
            with undivided():
                for file, place in zip(files, placed, strict=True):
                    file.replace(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return placed


def check_format(domain: Domain, name: str, suffix: str) -> None:
    """Raise `ConfigError` if a domain does not write files of a suffix."""
    if suffix not in domain.formats:
        found = suffix or "a file without a suffix"
        raise ConfigError(f"{name} is written as {', '.join(domain.formats)}, not {found}")


def writing_options(domain: Domain, wanted: Mapping[str, Any] | None, place: str) -> Any:
    """Return the options of writing; the others have their defaults.

    Raises
    ------
    ConfigError
        If the domain does not know an option, or its value is invalid.
    """
    return options_from(domain.write_options, wanted or {}, place)


def refuse_replacing(paths: list[Path], overwrite: bool) -> None:
    """Raise `RunError` for a file that is already there and may not be replaced."""
    for path in paths:
        if path.exists() and not (overwrite and path.is_file()):
            raise RunError(
                f"{path} is already there; choose another name, or pass `overwrite=True`"
            )
