"""What a program gives where pieces are wanted: the natural thing, or a refusal by name.

A new piece stands for its piece, a path for the piece of its file, and text for itself where pieces
are texts. Comes from: `seqgen.run.piece_files`. Next: `seqgen.generation.engine`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.bounds import check_choice
from seqgen.conditions.kept import Kept
from seqgen.conditions.labels import Labelled
from seqgen.conditions.unlabelled import unlabelled
from seqgen.errors import ConfigError, DataError
from seqgen.generation.pieces import Excerpt, Generated, Place, Primed
from seqgen.plugin import Ids, Piece
from seqgen.run.folder import Run
from seqgen.run.piece_files import is_of_domain, piece_type
from seqgen.unknown import Mended, OrError, changes_text
from seqgen.wording import brief

#: Where a piece stops: one text, or several texts or arrays of ids.
Stop: TypeAlias = str | Sequence[str | NDArray[np.int64]]

#: The beginning of new pieces: one of the domain, or where it comes from.
Prompt: TypeAlias = (
    Piece | Generated[Piece] | Labelled | os.PathLike[str] | str | Excerpt | Primed | None
)

#: Pieces: of the domain, new ones, files; or one of these.
Pieces: TypeAlias = (
    Iterable[Piece | Generated[Piece] | Labelled | os.PathLike[str] | str]
    | Piece
    | Generated[Piece]
    | Labelled
    | os.PathLike[str]
    | str
)

#: What has its piece in it.
_WITH_PIECE = (Generated, Labelled, str, os.PathLike)


def given_piece(run: Run, piece: Any, name: str, unknown: OrError = "error") -> Any:
    """Return the piece that a caller gives, without symbols that the model does not know.

    Parameters
    ----------
    run : Run
    piece : piece, Generated, Labelled, path or text
    name : str
        Of the argument.
    unknown : {"error", "skip", "nearest"}
        What to do with unknown symbols: leave them to the codec, which refuses them; leave them
        out; or take the nearest known ones.

    Raises
    ------
    ConfigError
        If it is no piece of the domain.
    DataError
        If it is a file that cannot be read, or no symbol of it is known.
    """
    check_choice("unknown", unknown, OrError)
    if isinstance(piece, Labelled):
        return replace(piece, content=given_piece(run, piece.content, name, unknown))
    piece = _piece(run, piece, name)
    if unknown == "error":
        return piece
    codec = unlabelled(run.codec)
    mended = codec.mend_prompt(piece, unknown)
    if mended.changes and not len(codec.encode(mended.piece)):
        raise _nothing_left(name, mended)
    return mended.piece


def _nothing_left(name: str, mended: Mended) -> DataError:
    changes = changes_text(mended.changes)
    return DataError(f"{name}: nothing is left of it that the model knows ({changes})")


def _piece(run: Run, piece: Any, name: str) -> Any:
    """Return the piece that a caller gives, as it is."""
    if isinstance(piece, Generated):
        return piece.piece
    if isinstance(piece, os.PathLike):
        return run.read(os.fspath(piece))
    kind = piece_type(run.domain)
    if isinstance(piece, str) and kind is not str:
        return _of_text(run, piece, name)
    if kind is not None and not isinstance(piece, kind):
        raise ConfigError(
            f"{name}: a piece of {run.info['domain']} is of type {kind.__name__}, found "
            f"{brief(piece)}; read one from a file with run.read(PATH)"
        )
    return piece


def _of_text(run: Run, text: str, name: str) -> Any:
    """Return the piece of a file that a text names, or that the text is, such as ABC."""
    if len(text.splitlines()) == 1 and Path(text).is_file():
        return run.read(text)
    try:
        return run.domain.from_text(text)
    except DataError as error:
        raise DataError(f"{name}: there is no file {brief(text)}, and {error}") from error


def given_pieces(
    run: Run, pieces: Any, name: str = "pieces", unknown: OrError = "error"
) -> Iterator[Any]:
    """Yield the pieces that a caller gives; one piece is a list of one.

    Raises
    ------
    ConfigError
        If it is no list of pieces; the error comes at once.
    """
    kind = piece_type(run.domain)
    if isinstance(pieces, _WITH_PIECE) or (kind is not None and isinstance(pieces, kind)):
        pieces = [pieces]
    if not isinstance(pieces, Iterable) or isinstance(pieces, Mapping):
        raise ConfigError(f"{name} must be a list of pieces, found {brief(pieces)}")
    return (given_piece(run, piece, name, unknown) for piece in pieces)


def given_prompt(run: Run, prompt: Any, unknown: OrError = "error") -> Any:
    """Return the prompt that a caller gives: a piece, or what was read of one."""
    if prompt is None or isinstance(prompt, Primed | Place):
        return prompt
    if isinstance(prompt, Excerpt):
        return replace(prompt, piece=given_piece(run, prompt.piece, "prompt", unknown))
    return given_piece(run, prompt, "prompt", unknown)


def given_condition(run: Run, condition: Any, unknown: OrError = "error") -> Any:
    """Return the condition that a caller gives; texts by name are labels, a path names a piece."""
    found = _condition(run, condition)
    if unknown == "error" or isinstance(found, Labelled | Kept | None):
        return found
    mended = unlabelled(run.codec).mend_condition(found, unknown)
    if isinstance(mended.piece, str) and not mended.piece.strip():
        raise _nothing_left("condition", mended)
    return mended.piece


def _condition(run: Run, condition: Any) -> Any:
    """Return the condition that a caller gives, as it is."""
    if (
        isinstance(condition, Mapping)
        and condition
        and all(isinstance(name, str) for name in condition)
    ):
        return Labelled(condition)
    if isinstance(condition, Labelled):
        return replace(condition, content=_condition(run, condition.content))
    if isinstance(condition, Kept):
        return replace(condition, piece=given_piece(run, condition.piece, "condition"))
    if isinstance(condition, Generated | os.PathLike):
        return given_piece(run, condition, "condition")
    is_line = isinstance(condition, str) and len(condition.splitlines()) == 1
    if is_line and is_of_domain(run.info["domain"], Path(condition)) and Path(condition).is_file():
        return run.read(condition)
    return condition


def given_stops(run: Run, stop: Stop, unknown: OrError = "error") -> list[Ids]:
    """Return the ids of stop sequences: of one text, or of several texts or arrays of ids.

    Raises
    ------
    ConfigError
        If something else is given.
    DataError
        If the model does not know a text.
    """
    if isinstance(stop, str):
        stop = [stop]
    if not isinstance(stop, Iterable):
        raise ConfigError(f'stop must be a list such as ["THE END"], found {brief(stop)}')
    return [_stop_ids(run, each, unknown) for each in stop]


def _stop_ids(run: Run, stop: Any, unknown: OrError) -> Ids:
    """Return the ids ``(N,)`` of one stop sequence."""
    if isinstance(stop, str):
        try:
            piece = given_piece(run, run.domain.from_text(stop), "stop", unknown)
            return unlabelled(run.codec).encode(piece)
        except DataError as error:
            raise DataError(f"stop: {str(error).removeprefix('stop: ')}") from error
    ids = np.asarray(stop) if isinstance(stop, Sequence | np.ndarray) else np.zeros(())
    if ids.ndim != 1 or not (np.issubdtype(ids.dtype, np.integer) or not len(ids)):
        raise ConfigError(
            f"stop must be a list of texts or of arrays of ids, found {brief(stop)} in it"
        )
    return ids.astype(np.int64)
