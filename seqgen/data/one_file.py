"""Reads one file: its pieces or their ids, what is skipped, and what its reader says about it.

Comes from: `seqgen.data.reading`, which shares files out to processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import Labelled, content_of
from seqgen.conditions.unlabelled import header_size
from seqgen.data.finding import Noted, Skipped
from seqgen.data.labelling import FileLabels
from seqgen.errors import DataError
from seqgen.note import Note
from seqgen.plugin import Codec, Domain, Piece
from seqgen.plugins.checks import checked_pieces
from seqgen.plugins.faults import reason_for, traceback_of
from seqgen.plugins.guard import guarded, guarded_items
from seqgen.unknown import Mended, OrError

#: Most characters of a note.
LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded piece.

    Attributes
    ----------
    ids : integer array (N,)
        Token ids in the smallest dtype that fits.
    facts : mapping
        The result of `Domain.describe`, and what `Domain.read` says.
    changes : mapping of (str, str) to int
        Replaced symbols, as in `Mended`.
    labels : mapping of str to str
    weight : float
    """

    ids: NDArray[Any]
    facts: Mapping[str, str | int | float]
    changes: Mapping[tuple[str, str], int]
    labels: Mapping[str, str]
    weight: float


#: The source of a piece with the piece or its `Encoded` form, a skipped source, or a note.
Content: TypeAlias = tuple[str, Any] | Skipped | Noted


def read_whole_file(*task: Any) -> list[Content]:
    """Return the result of `read_file` as a list, which another process can send."""
    return list(read_file(*task))


def read_file(
    domain: Domain,
    file: Path,
    name: str,
    labels: FileLabels,
    codec: Codec | None,
    unknown: OrError,
    options: Any,
) -> Iterator[Content]:
    """Yield the pieces of a file, or their ids if there is a codec, skipped sources and notes."""
    number = 0
    try:
        reading = guarded_items(lambda: checked_pieces(domain, domain.read(file, options)))
        for piece in reading:
            if isinstance(piece, Note):
                yield Noted(name, str(piece.text)[:LONGEST_NOTE])
                continue
            number += 1
            source = name if number == 1 else f"{name}, piece {number}"
            if isinstance(piece, DataError):
                yield Skipped(source, str(piece))
                continue
            try:
                with guarded():
                    labelled = labels.attach(domain, piece)
            except DataError as error:
                yield Skipped(source, str(error))
                continue
            if codec is None:
                yield source, labelled
            else:
                yield encode_piece(domain, codec, unknown, source, labelled)
    except Exception as error:
        # A parser may fail in any way on a damaged file; the other files are still read.
        place = f"after piece {number}: " if number else ""
        yield Skipped(name, place + reason_for(error), traceback_of(error))
        return
    if not number:
        yield Skipped(name, "holds no piece")


def encode_piece(
    domain: Domain, codec: Codec, unknown: OrError, source: str, piece: Labelled
) -> Content:
    """Return the source of a piece with its encoded form, or the reason why it is skipped."""
    try:
        with guarded():
            labelled = piece if isinstance(codec, LabelledCodec) else piece.content
            mended = mended_piece(codec, labelled, unknown)
            ids = codec.encode(mended.piece)
            facts = {**domain.describe(content_of(mended.piece)), **piece.facts}
    except Exception as error:
        # As in reading: one bad piece does not stop the others.
        return Skipped(source, reason_for(error), traceback_of(error))
    if len(ids) == header_size(codec):
        left = "nothing is left of its symbols" if mended.changes else "holds an empty piece"
        return Skipped(source, left)
    small = ids.astype(np.min_scalar_type(len(codec.vocab) + 1))
    # Ids that do not fit stay as they are: the writer reports them.
    kept = small if np.array_equal(small, ids) else ids
    return source, Encoded(kept, facts, mended.changes, piece.labels, piece.weight)


def mended_piece(codec: Codec, piece: Piece, unknown: OrError) -> Mended:
    """Return a piece whose unknown symbols are replaced as `unknown` says."""
    return Mended(piece) if unknown == "error" else codec.mend_prompt(piece, unknown)
