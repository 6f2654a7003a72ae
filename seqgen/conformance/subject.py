"""What a check examines: a domain and one of its codecs, fitted on a few demo pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from seqgen.conditions.labels import content_of
from seqgen.data.finding import find_files
from seqgen.errors import DataError
from seqgen.note import Note
from seqgen.options import options_from
from seqgen.plugin import Codec, Domain, DomainSpec, Ids, Piece
from seqgen.plugins.checks import checked_ids, checked_pieces
from seqgen.plugins.discovery import codec_type, load_domain

#: Demo files that are read, and tokens kept of each piece.
FILES, TOKENS = 6, 600


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
    """

    name: str
    spec: DomainSpec
    domain: Domain
    codec_name: str
    codec: Codec
    pieces: list[Piece]
    ids: list[Ids]
    files: list[Path] = field(default_factory=list)
    material: Material = DEMO

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


@cache
def subject_of(name: str, codec_name: str, material: Material = DEMO) -> Subject:
    """Return the subject for a codec of a domain; it is made once."""
    domain, found = load_domain(name)
    assert isinstance(found.spec, DomainSpec)
    files = find_files(domain, found, list(material.files)).files
    assert files, "there is no file: `demo` returned none"
    chosen = [files[round(at)] for at in np.linspace(0, len(files) - 1, min(FILES, len(files)))]
    _, codec_class = codec_type(domain, name, codec_name)
    options = options_from(codec_class.options_type, dict(material.options), f"codec {codec_name}")
    pieces = [piece for file in chosen for piece in usable_pieces(domain, file)]
    codec = fitted(codec_class, pieces, options)
    pieces = [piece for piece in pieces if _encodes(codec, piece)]
    assert pieces, f"the codec {codec_name} can encode no piece of {len(chosen)} files"
    ids = [checked_ids(codec, codec.encode(piece))[:TOKENS] for piece in pieces]
    about = (name, found.spec, domain, codec_name, codec, pieces, ids)
    return Subject(*about, list(chosen), material)


def fitted(codec_class: type[Codec], pieces: Sequence[Piece], options: Any) -> Codec:
    """Return a codec that learned from pieces, and its grammar from those that it can encode."""
    codec = codec_class.fit(pieces, options)
    codec.learn_grammar([codec.encode(piece) for piece in pieces if _encodes(codec, piece)])
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


def _encodes(codec: Codec, piece: Piece) -> bool:
    try:
        codec.encode(piece)
    except DataError:
        return False
    return True
