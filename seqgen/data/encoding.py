"""The pieces of files for a codec that is fitted already, as for scoring: no corpus is written.

Comes from: `seqgen.data.reading`. Next: `seqgen.evaluation.table`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from seqgen.bounds import Jobs, checked
from seqgen.data.finding import find_files
from seqgen.data.labelling import Labelling
from seqgen.data.reading import Outcome, Progress, Reader, read_options_of
from seqgen.plugin import Codec, Piece
from seqgen.plugins.discovery import load_domain
from seqgen.unknown import OrError


@checked
def encode_files(
    domain: str,
    paths: Iterable[Path | str],
    codec: Codec,
    outcome: Outcome | None = None,
    unknown: OrError = "error",
    *,
    read_options: Mapping[str, Any] | None = None,
    jobs: Jobs = -1,
    progress: Progress | None = None,
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the encoded pieces of files; the files are searched at once.

    Parameters
    ----------
    domain : str
        Name of an installed domain.
    paths : iterable of Path or str
        Files, and folders to search, as for `prepare`.
    codec : Codec
        A fitted codec of this domain.
    outcome : Outcome, optional
        Filled in with what was skipped and changed, when all files are read.
    unknown : {"error", "skip", "nearest"}
        How to treat unknown symbols: skip the piece, drop the symbols, or take the nearest known
        ones.
    read_options, jobs, progress
        As for `prepare`.

    Yields
    ------
    tuple of str and integer array
        The source and the ids of a piece.

    Raises
    ------
    CorpusError
        If there is no file, or no file holds a usable piece.
    """
    reader = _reader(domain, paths, jobs, progress, unknown, read_options, Labelling.of(codec))
    result = outcome or Outcome()

    def encoded() -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield the place of each piece and its ids."""
        usable = False
        for source, piece in reader.encoded(codec):
            usable = True
            result.changes.update(piece.changes)
            yield source, piece.ids
        if not usable:
            raise reader.nothing_usable()
        result.skipped, result.unread = reader.skipped, reader.unread
        result.notes = reader.notes

    return encoded()


@checked
def original_pieces(
    domain: str,
    paths: Iterable[Path | str],
    codec: Codec,
    unknown: OrError = "error",
    *,
    read_options: Mapping[str, Any] | None = None,
) -> Iterator[Piece]:
    """Yield the pieces that `encode_files` encodes, before encoding loses anything.

    Files are read only when the first piece is requested.

    Raises
    ------
    CorpusError
        If there is no file.
    """
    reader = _reader(domain, paths, unknown=unknown, read_options=read_options)
    yield from reader.originals(codec)


def _reader(
    domain: str,
    paths: Iterable[Path | str],
    jobs: int = -1,
    progress: Progress | None = None,
    unknown: OrError = "error",
    read_options: Mapping[str, Any] | None = None,
    labelling: Labelling | None = None,
) -> Reader:
    implementation, found = load_domain(domain)
    reading = read_options_of(implementation, domain, read_options)
    sources = find_files(implementation, found, [Path(path) for path in paths])
    sources.digests()
    return Reader(
        *(implementation, sources, jobs, progress, reading), unknown=unknown, labelling=labelling
    )
