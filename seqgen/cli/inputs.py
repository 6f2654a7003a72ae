"""What a user gives to generate from: prompt, condition and stop texts, in files, words or a pipe.

Bytes become text in one way, wherever they come from (`seqgen.files.text_of`).
"""

from __future__ import annotations

import errno
import mimetypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from seqgen.errors import DataError, reason_of
from seqgen.files import plain_text, text_of
from seqgen.unknown import Mended, OrError, changes_as_json, changes_text

if TYPE_CHECKING:
    from seqgen.plugin import Ids, Piece
    from seqgen.run.folder import Run

#: Suffixes of writings that Python does not count as text.
WRITINGS = (".doc", ".docx", ".md", ".odt", ".pdf", ".rtf")

#: Bytes that are read of a text, a pipe or a device.
LONGEST_TEXT = 64 << 20


@dataclass
class Inputs:
    """Reads what a user gives for a run, and keeps what was changed of it.

    Attributes
    ----------
    run : Run
    unknown : {"error", "skip", "nearest"}
        What to do about symbols that the run does not know.
    mended : dict
        By option, what was changed and what came of it, as JSON.
    """

    run: Run
    unknown: OrError
    mended: dict[str, Any] = field(default_factory=dict)

    def prompt(self, given: str, tokens: int) -> Piece:
        """Return the piece that a prompt means, or the beginning of it.

        Raises
        ------
        DataError
            If it cannot be read or encoded, or nothing is left of it.
        """
        found = self._found("--prompt", given)
        piece = self._piece(found) if isinstance(found, Path) else self.run.domain.from_text(found)
        piece, ids = self._known("--prompt", piece)
        return self.run.codec.decode(ids[:tokens]) if tokens else piece

    def condition(self, given: str) -> Any:
        """Return what a tracker is to follow: the piece of a file of the domain, or text.

        Raises
        ------
        DataError
            If it cannot be read, or nothing is left of it.
        """
        found = self._found("--given", given)
        if isinstance(found, Path):
            found = self._piece(found) if self._is_of_domain(found) else self._text(found)
        # The line end of a file is not part of what is given.
        condition = found.rstrip("\n") if isinstance(found, str) else found
        if self.unknown == "error":
            return condition
        mended = self.run.codec.mend_condition(condition, self.unknown)
        if isinstance(mended.piece, str) and not mended.piece.strip():
            raise _nothing_left("--given", mended.changes)
        self._tell("--given", mended)
        return mended.piece

    def stop(self, text: str) -> Ids:
        """Return the ids of a text to stop at.

        Raises
        ------
        DataError
            If it cannot be encoded, or nothing is left of it.
        """
        return self._known("--stop", self.run.domain.from_text(text))[1]

    def _known(self, option: str, piece: Piece) -> tuple[Piece, Ids]:
        """Return a piece that the run can encode, and its ids."""
        codec = self.run.codec
        try:
            if self.unknown == "error":
                # A codec may leave out of a text what is rare in its corpus: that is told as well.
                ids = codec.encode(piece)
                mended = (
                    codec.mend_prompt(piece, "skip") if isinstance(piece, str) else Mended(piece)
                )
            else:
                mended = codec.mend_prompt(piece, self.unknown)
                ids = codec.encode(mended.piece)
        except DataError as error:
            raise DataError(f"{option}: {error}") from error
        if not len(ids):
            raise _nothing_left(option, mended.changes)
        self._tell(option, mended)
        return mended.piece, ids

    def _tell(self, option: str, mended: Mended) -> None:
        """Say what was changed, and keep it for the manifest."""
        from seqgen.cli.console import say

        if not mended.changes:
            return
        say(f"{option}: {changes_text(mended.changes)}")
        piece = mended.piece
        is_text = isinstance(piece, str)
        kept = piece if is_text else dict(self.run.domain.describe(piece))
        change = {"became": kept, "changes": changes_as_json(mended.changes)}
        self.mended.setdefault(option.removeprefix("--"), []).append(change)

    def _found(self, option: str, given: str) -> Path | str:
        """Return the file that is meant, or the text.

        Raises
        ------
        DataError
            If it is a folder, or looks like a file and there is none.
        """
        if given == "-":
            return standard_input(option)
        text = plain_text(given)
        if not text:
            return text
        path = Path(given)
        try:
            if path.is_file():
                return path
            if path.is_dir():
                raise DataError(
                    f"{option} takes a file or text, and {given} is a folder; name one of its "
                    f"files, or pipe the word in (-)"
                )
            if path.exists():
                # A pipe, as of <(command).
                return self._text(path)
        except ValueError:
            # It holds what no name can.
            return text
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return text
            raise DataError(f"{option}: {given} cannot be read ({error.strerror})") from error
        if self._looks_like_a_file(given):
            raise DataError(
                f"{option}: there is no file {given}; text that looks like one can be piped in (-)"
            )
        return text

    def _looks_like_a_file(self, given: str) -> bool:
        if len(given.split()) != 1:
            return False
        path = Path(given)
        # What comes with Python, not what this machine has in addition.
        kind = mimetypes.MimeTypes().guess_type(path.name)[0]
        is_known = kind is not None and kind.partition("/")[0] in (
            "text",
            "image",
            "audio",
            "video",
        )
        is_named = is_known or path.suffix.lower() in WRITINGS or self._is_of_domain(path)
        return is_named or (path.parent != Path() and path.parent.is_dir())

    def _is_of_domain(self, path: Path) -> bool:
        from seqgen.discovery import load_domain

        return path.suffix.lower() in load_domain(self.run.info["domain"])[1].suffixes

    def _piece(self, path: Path) -> Piece:
        """Return the one piece of a file."""
        try:
            pieces = list(islice(self.run.domain.read(path), 2))
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
        except Exception as error:
            # A parser may fail in any way on a damaged file.
            raise DataError(f"{path} cannot be read ({reason_of(error)})") from error
        for piece in pieces:
            if isinstance(piece, DataError):
                raise DataError(f"{path}: {piece}") from piece
        if len(pieces) != 1:
            raise DataError(
                f"{path} holds {'several' if pieces else 'no'} pieces; give a file of one"
            )
        return pieces[0]

    def _text(self, path: Path) -> str:
        try:
            with path.open("rb") as file:
                return text_of(_all_bytes(file))
        except DataError as error:
            raise DataError(f"{path} is no text, and no file of this domain: {error}") from error


def standard_input(option: str) -> str:
    """Return all text of standard input.

    Raises
    ------
    DataError
        If there is no input, nothing in it, or no text.
    """
    # There is none in a process that was started without.
    if sys.stdin is None or sys.stdin.closed:
        raise DataError(f"{option} - reads standard input, which is closed; pipe the text in")
    binary = getattr(sys.stdin, "buffer", None)
    try:
        text = plain_text(sys.stdin.read()) if binary is None else text_of(_all_bytes(binary))
    except DataError as error:
        raise DataError(f"{option} -: {error}") from error
    if not text:
        raise DataError(f"{option} - reads standard input, which is empty; pipe the text in")
    return text


def _all_bytes(file: BinaryIO) -> bytes:
    """Return what a file holds that may be a pipe or a device, which need not end."""
    content = file.read(LONGEST_TEXT + 1)
    if len(content) > LONGEST_TEXT:
        raise DataError(f"more than {LONGEST_TEXT >> 20} MB came; give a shorter text")
    return content


def _nothing_left(option: str, changes: Mapping[tuple[str, str], int]) -> DataError:
    if not changes:
        return DataError(f"{option} is empty; leave it out, or give a text")
    changed = changes_text(changes)
    return DataError(f"{option}: nothing is left of it that the model knows ({changed})")
