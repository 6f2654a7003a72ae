"""What a check examines: a domain and one of its codecs, fitted on a few demo pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from seqgen.conditions.labels import content_of
from seqgen.data.finding import Skipped, find_files
from seqgen.errors import CorpusError, DataError, reason_of
from seqgen.note import Note
from seqgen.options import options_from
from seqgen.plugin import Codec, Domain, DomainSpec, Ids, Piece
from seqgen.plugins.checks import checked_ids, checked_pieces
from seqgen.plugins.discovery import codec_type, load_domain
from seqgen.plugins.faults import PluginFault, fault_of
from seqgen.wording import counted

#: Usable files that are read, and tokens kept of each piece.
FILES, TOKENS = 6, 600

#: Skipped files and pieces that an error names.
LISTED = 20


@dataclass(frozen=True)
class Material:
    """What checks run on.

    Attributes
    ----------
    files : tuple of Path
        Files, and folders to search; the domain's demo if there are none.
    options : tuple of (str, value)
        Options of the codec that differ from its defaults.
    fast : bool
        Shorten the checks that take long: fewer steps, shorter pieces, no other processes.
    """

    files: tuple[Path, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    fast: bool = False


#: The demo of a domain, with default options.
DEMO = Material()


@dataclass(frozen=True)
class Subject:
    """A domain and one of its codecs.

    Attributes
    ----------
    name : str
        Name of the domain.
    spec : DomainSpec
    domain : Domain
    codec_name : str
    codec : Codec
        Fitted on `pieces`, as `fitted` does.
    pieces : list
        Pieces that the codec can encode.
    ids : list of int64 array (N,)
        The encoded pieces, cut to `TOKENS`.
    files : list of Path
        The files that the pieces come from, `FILES` at most.
    material : Material
    skipped : list of Skipped
        Files and pieces that could not be used, and why.
    """

    name: str
    spec: DomainSpec
    domain: Domain
    codec_name: str
    codec: Codec
    pieces: list[Any]
    ids: list[Ids]
    files: list[Path] = field(default_factory=list)
    material: Material = DEMO
    skipped: list[Skipped] = field(default_factory=list)

    def read(self, path: Path) -> list[Piece]:
        """Read a file with default options; raise the first error that stands for a piece.

        Labels are left out.
        """
        pieces = list(self.domain.read(path, self.domain.read_options()))
        for piece in pieces:
            if isinstance(piece, DataError):
                raise piece
        return [content_of(piece) for piece in pieces if not isinstance(piece, Note)]

    def write(self, piece: Piece, path: Path) -> list[Path]:
        """Write a piece with default options."""
        return self.domain.write(piece, path, self.domain.write_options())


#: A check: it gets a subject and an empty folder, and raises AssertionError if it fails.
Promise: TypeAlias = Callable[[Subject, Path], None]


class NothingToCheck(Exception):
    """The codec does not have what the promise is about, such as features."""


class NoPieces(AssertionError):
    """There is nothing to examine.

    Attributes
    ----------
    of_domain, of_codec : tuple of str
        The methods that ran and gave nothing, of the domain and of the codec.
    """

    def __init__(self, text: str, of_domain: Sequence[str] = (), of_codec: Sequence[str] = ()):
        super().__init__(text)
        self.of_domain, self.of_codec = tuple(of_domain), tuple(of_codec)


@cache
def subject_of(name: str, codec_name: str, material: Material = DEMO) -> Subject:
    """Return the subject for a codec of a domain; it is made once.

    Raises
    ------
    NoPieces
        If no file can be used, or the codec can encode no piece.
    """
    domain, found = load_domain(name)
    assert isinstance(found.spec, DomainSpec)
    _, codec_class = codec_type(domain, name, codec_name)
    options = options_from(codec_class.options_type, dict(material.options), f"codec {codec_name}")
    try:
        files = find_files(domain, found, list(material.files)).files
    except CorpusError as error:
        raise NoPieces(str(error)) from error
    if not files:
        raise NoPieces("there is no file: demo returned none", ["demo"])
    read, skipped = _read(domain, files)
    if not read:
        raise NoPieces(
            f"none of {counted(len(files), 'file')} can be used:{_listed(skipped)}",
            ["read"] if material.files else ["demo", "read"],
        )
    sources = {source: piece for of_file in read.values() for source, piece in of_file.items()}
    try:
        codec = fitted(codec_class, list(sources.values()), options)
    except DataError as error:
        raise NoPieces(f"fit refuses the pieces: {error}", (), ["fit"]) from error
    refusals = {source: _refusal(codec, piece) for source, piece in sources.items()}
    skipped += [Skipped(source, reason) for source, reason in refusals.items() if reason]
    pieces = [piece for source, piece in sources.items() if not refusals[source]]
    if not pieces:
        raise NoPieces(
            f"the codec {codec_name} can encode no piece of {counted(len(read), 'file')}:"
            f"{_listed(skipped)}",
            (),
            ["fit", "encode"],
        )
    ids = [checked_ids(codec, codec.encode(piece))[:TOKENS] for piece in pieces]
    about = (name, found.spec, domain, codec_name, codec, pieces, ids)
    return Subject(*about, list(read), material, skipped)


def _read(
    domain: Domain, files: Sequence[Path]
) -> tuple[dict[Path, dict[str, Piece]], list[Skipped]]:
    """Return the pieces of `FILES` usable files by their sources, and what was skipped."""
    evenly = np.linspace(0, len(files) - 1, min(FILES, len(files))).round().astype(int)
    first = [files[at] for at in evenly]
    read: dict[Path, dict[str, Piece]] = {}
    skipped: list[Skipped] = []
    # Other files take the place of unusable ones.
    for file in dict.fromkeys([*first, *files]):
        if len(read) == len(first):
            break
        pieces, unusable = _pieces_of(domain, file)
        skipped += unusable
        if pieces:
            read[file] = pieces
    return read, skipped


def _pieces_of(domain: Domain, path: Path) -> tuple[dict[str, Piece], list[Skipped]]:
    """Return the pieces of a file by their sources, and what cannot be used.

    Raises
    ------
    PluginFault
        If `read` raises an exception that the contract does not allow.
    """
    pieces: dict[str, Piece] = {}
    skipped: list[Skipped] = []
    try:
        for piece in checked_pieces(domain, domain.read(path, domain.read_options())):
            if isinstance(piece, Note):
                continue
            number = len(pieces) + len(skipped) + 1
            source = str(path) if number == 1 else f"{path}, piece {number}"
            if isinstance(piece, DataError):
                skipped.append(Skipped(source, str(piece)))
            else:
                pieces[source] = content_of(piece)
    except Exception as error:
        if fault := fault_of(error):
            raise PluginFault(f"{path}: {fault}") from error
        if not isinstance(error, DataError | OSError):
            raise
        return {}, [*skipped, Skipped(str(path), reason_of(error))]
    if not pieces and not skipped:
        skipped.append(Skipped(str(path), "holds no piece"))
    return pieces, skipped


def _listed(skipped: Sequence[Skipped]) -> str:
    """Return lines for what was skipped, `LISTED` at most."""
    lines = [f"\n{entry.source}: {entry.reason}" for entry in skipped[:LISTED]]
    more = f"\nand {len(skipped) - LISTED} more" if len(skipped) > LISTED else ""
    return "".join(lines) + more


def fitted(codec_class: type[Codec], pieces: Sequence[Piece], options: Any) -> Codec:
    """Return a codec that learned from pieces, and its grammar from those that it can encode."""
    codec = codec_class.fit(pieces, options)
    codec.learn_grammar([codec.encode(piece) for piece in pieces if not _refusal(codec, piece)])
    return codec


def usable_pieces(domain: Domain, path: Path) -> list[Piece]:
    """Return the pieces of a file, without the errors that stand for unusable ones."""
    found = checked_pieces(domain, domain.read(path, domain.read_options()))
    return [content_of(piece) for piece in found if not isinstance(piece, DataError | Note)]


def random_ids(codec: Codec) -> Iterator[Ids]:
    """Yield random ids of several lengths, from 0 to 400, that no real piece would have."""
    rng = np.random.default_rng(0)
    for length in (0, 1, 2, 3, 7, 50, 400):
        yield rng.integers(0, len(codec.vocab), length)


def _refusal(codec: Codec, piece: Piece) -> str:
    """Return why a codec refuses a piece; empty if it encodes it."""
    try:
        codec.encode(piece)
    except DataError as error:
        return str(error) or "encode raises DataError without a message"
    return ""
