"""What a check examines: a domain and one of its codecs, fitted on a few demo pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from seqgen.discovery import load_domain
from seqgen.errors import DataError
from seqgen.files import cache_folder
from seqgen.labels import content_of
from seqgen.plugin import Codec, Domain, DomainSpec, Ids, Piece

#: Demo files that are read, and tokens kept of each piece.
FILES, TOKENS = 6, 600


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
        Fitted on `pieces` with its default options, as `fitted` does.
    pieces : list
        Demo pieces that the codec can encode.
    ids : list of int64 array (N,)
        The encoded pieces, cut to `TOKENS`.
    """

    name: str
    spec: DomainSpec
    domain: Domain
    codec_name: str
    codec: Codec
    pieces: list[Piece]
    ids: list[Ids]

    def read(self, path: Path) -> list[Piece]:
        """Read a file with default options; raise the first error that stands for a piece.

        Labels are left out.
        """
        pieces = list(self.domain.read(path, self.domain.read_options()))
        for piece in pieces:
            if isinstance(piece, DataError):
                raise piece
        return [content_of(piece) for piece in pieces]

    def write(self, piece: Piece, path: Path) -> list[Path]:
        """Write a piece with default options."""
        return self.domain.write(piece, path, self.domain.write_options())


#: A check: it gets a subject and an empty folder, and raises AssertionError if it fails.
Promise: TypeAlias = Callable[[Subject, Path], None]


class NothingToCheck(Exception):
    """The codec does not have what the promise is about, such as features."""


@cache
def subject_of(name: str, codec_name: str) -> Subject:
    """Return the subject for a codec of a domain; it is made once."""
    domain, found = load_domain(name)
    assert found.spec is not None
    files = domain.demo(cache_folder() / "demo" / name)
    chosen = [files[round(at)] for at in np.linspace(0, len(files) - 1, min(FILES, len(files)))]
    codec_class = domain.codecs[codec_name]
    pieces = [piece for file in chosen for piece in usable_pieces(domain, file)]
    codec = fitted(codec_class, pieces, codec_class.options_type())
    pieces = [piece for piece in pieces if _encodes(codec, piece)]
    assert pieces, f"the codec {codec_name} can encode none of {len(chosen)} demo files"
    ids = [np.asarray(codec.encode(piece), np.int64)[:TOKENS] for piece in pieces]
    return Subject(name, found.spec, domain, codec_name, codec, pieces, ids)


def fitted(codec_class: type[Codec], pieces: Sequence[Piece], options: Any) -> Codec:
    """Return a codec that learned from pieces, and its grammar from those that it can encode."""
    codec = codec_class.fit(pieces, options)
    codec.learn_grammar([codec.encode(piece) for piece in pieces if _encodes(codec, piece)])
    return codec


def usable_pieces(domain: Domain, path: Path) -> list[Piece]:
    """Return the pieces of a file, without the errors that stand for unusable ones."""
    found = domain.read(path, domain.read_options())
    return [content_of(piece) for piece in found if not isinstance(piece, DataError)]


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
