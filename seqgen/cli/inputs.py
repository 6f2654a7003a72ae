"""The inputs of generation: prompt, condition and stop texts, from files, text or a pipe.

All bytes become text in one way (`seqgen.files.text_of`).
"""

from __future__ import annotations

import errno
import mimetypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from seqgen.bounds import CountOrZero, check_fields
from seqgen.cli.settings import named_values
from seqgen.cli.standard_input import all_bytes, standard_input
from seqgen.errors import ConfigError, DataError
from seqgen.files import plain_text, text_of
from seqgen.unknown import Mended, OrError, changes_as_json, changes_text

if TYPE_CHECKING:
    from seqgen.plugin import Codec, Ids, Piece
    from seqgen.run.folder import Run

#: Suffixes of documents that Python's list of text types lacks.
DOCUMENTS = (".doc", ".docx", ".md", ".odt", ".pdf", ".rtf")

#: Seconds of waiting for a pipe after which a remark is printed.
NOTICE_AFTER = 2.0


@Parameter(negative="")
@dataclass(frozen=True)
class Beginning:
    """What the pieces begin with and follow."""

    prompt: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """Beginning of every piece: a file, text for domains whose pieces can be typed, or - for
    standard input, whose last line end does not count."""
    prompt_tokens: CountOrZero = 0
    """Keep only this many tokens of the prompt. 0 keeps all."""
    without_prompt: bool = False
    """Leave the prompt out of the results."""
    unknown: OrError = "error"
    """What to do with symbols of a prompt, a given text or a stop text that the model does not
    know: refuse the text (error), leave them out (skip), or take the nearest known ones (nearest).
    All changes are reported."""
    adapt: bool = False
    """Train a copy of the model on the prompt before it continues it. The run does not change."""
    read_options: Annotated[tuple[str, ...], Parameter(name="--read")] = ()
    """Option of reading a file of --prompt or --given, as NAME=VALUE. May be repeated. The default
    is as the training files were read."""
    given: Annotated[tuple[str, ...], Parameter(allow_leading_hyphen=True)] = ()
    """Condition that the pieces follow: labels such as composer=bach, or a file, text, or - for
    standard input, such as a melody to harmonise. May be repeated."""
    keep: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """Parts of the piece of --given that stay, such as "bars 1-4, 9-" or "tracks piano, drums"; the
    model writes the rest."""

    def __post_init__(self) -> None:
        check_fields(self)

    def check(self) -> None:
        """Refuse options that exclude or lack one another.

        Raises
        ------
        ConfigError
            With the options and the way out.
        """
        if self.prompt == "-" and "-" in self.given:
            raise ConfigError("--prompt and --given cannot both read standard input (-)")
        if self.adapt and self.prompt is None:
            raise ConfigError("--adapt needs a prompt; give one with --prompt")
        if self.keep is not None and not self.given:
            raise ConfigError("--keep names parts of a piece; give the piece with --given")
        if self.keep is not None and self.prompt is not None:
            raise ConfigError("--keep and --prompt exclude one another; --keep says what stays")

    @property
    def reading(self) -> dict[str, str]:
        """The options of reading by name."""
        return named_values("--read", self.read_options)

    def as_settings(self) -> dict[str, Any]:
        """Return the options for the manifest, which has `with_prompt` from `generate`.

        Of files it has the names, not the folders that they are in.
        """
        options = asdict(self) | {
            "prompt": None if self.prompt is None else _without_folder(self.prompt),
            "given": tuple(map(_without_folder, self.given)),
        }
        return {name: value for name, value in options.items() if name != "without_prompt"}

    def read(self, inputs: Inputs) -> tuple[Any, Any]:
        """Return the prompt and the condition; None for each that is not given."""
        from seqgen.generation.pieces import Excerpt

        prompt = None if self.prompt is None else inputs.prompt(self.prompt, self.prompt_tokens)
        if self.prompt_tokens and prompt is not None:
            prompt = Excerpt(prompt, self.prompt_tokens)
        return prompt, inputs.condition(*self.given, keep=self.keep)


def _without_folder(given: str) -> str:
    """Return the name of a file, or a text as it is."""
    try:
        return Path(given).name if given and Path(given).is_file() else given
    except (OSError, ValueError):  # a text that no path can be
        return given


@dataclass
class Inputs:
    """Reads prompts, conditions and stop texts for a run, and records replaced symbols.

    Attributes
    ----------
    run : Run
    unknown : {"error", "skip", "nearest"}
        What to do with symbols that the run does not know.
    reading : mapping
        Options of reading that differ from those of the training files.
    mended : dict
        The changes and their results by option, as JSON.
    """

    run: Run
    unknown: OrError
    reading: Mapping[str, Any] = field(default_factory=dict)
    mended: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._read_options = self.run.read_options(self.reading)

    @property
    def _codec(self) -> Codec:
        """The codec of prompts and texts, which have no labels."""
        from seqgen.conditions.unlabelled import unlabelled

        return unlabelled(self.run.codec)

    def prompt(self, given: str, tokens: int) -> Any:
        """Return the piece of a prompt; its ids are checked, or only so many of the first.

        Raises
        ------
        DataError
            If the prompt cannot be read or encoded, or is empty once mended.
        """
        found = self._found("--prompt", given)
        if given == "-" and isinstance(found, str):
            found = found.removesuffix("\n")  # `echo` adds a line end.
        piece = self._piece(found) if isinstance(found, Path) else self.run.domain.from_text(found)
        piece, ids = self._known("--prompt", piece)
        say_forbidden("--prompt: ", self._codec, ids[:tokens] if tokens else ids)
        return piece

    def condition(self, *given: str, keep: str | None = None) -> Any:
        """Return the condition: requested labels, and what the codec's tracker follows.

        With `keep`, that is a piece of which these parts stay.

        Raises
        ------
        DataError
            If one cannot be read, or is empty once mended, the tracker would follow several, or a
            label has two values.
        """
        from seqgen.conditions.kept import Kept
        from seqgen.conditions.labels import Labelled
        from seqgen.conditions.unlabelled import all_requested

        labels, other = all_requested(self.run.codec, given)
        condition = None if other is None else self._followed(other)
        if keep is not None:
            if condition is None or isinstance(condition, str):
                raise DataError("--keep names parts of a piece; give a file of one with --given")
            condition = Kept(condition, keep)
        return Labelled(labels, condition) if labels else condition

    def _followed(self, given: str) -> Any:
        """Return what a tracker follows: the piece of a file of the domain, or text."""
        found = self._found("--given", given)
        if isinstance(found, Path):
            found = self._piece(found) if self._is_of_domain(found) else self._text(found)
        # The line end of a file is not part of the text.
        condition = found.rstrip("\n") if isinstance(found, str) else found
        if self.unknown == "error":
            return condition
        mended = self._codec.mend_condition(condition, self.unknown)
        if isinstance(mended.piece, str) and not mended.piece.strip():
            raise _nothing_left("--given", mended.changes)
        self._report("--given", mended)
        return mended.piece

    def stop(self, text: str) -> Ids:
        """Return the ids of a stop text.

        Raises
        ------
        DataError
            If it cannot be encoded, or is empty once mended.
        """
        return self._known("--stop", self.run.domain.from_text(text))[1]

    def _known(self, option: str, piece: Piece) -> tuple[Piece, Ids]:
        """Return a piece that the run can encode, and its ids."""
        from seqgen.generation.prompts import mended_prompt

        try:
            mended, ids = mended_prompt(self._codec, piece, self.unknown)
        except DataError as error:
            raise DataError(f"{option}: {error}") from error
        if not len(ids):
            raise _nothing_left(option, mended.changes)
        self._report(option, mended)
        return mended.piece, ids

    def _report(self, option: str, mended: Mended) -> None:
        """Report the changes, and record them for the manifest."""
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
        """Return the path of a file, or the text.

        Raises
        ------
        DataError
            If it is a folder, or looks like a file that does not exist.
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
                # A pipe, such as <(command).
                with _notice(option, path):
                    return self._text(path)
        except ValueError:
            # No path can hold such characters.
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
        # Python's own table of types, without what this machine adds.
        kind = mimetypes.MimeTypes().guess_type(path.name)[0]
        is_known = kind is not None and kind.partition("/")[0] in (
            "text",
            "image",
            "audio",
            "video",
        )
        is_named = is_known or path.suffix.lower() in DOCUMENTS or self._is_of_domain(path)
        return is_named or (path.parent != Path() and path.parent.is_dir())

    def _is_of_domain(self, path: Path) -> bool:
        from seqgen.run.piece_files import is_of_domain

        return is_of_domain(self.run.info["domain"], path)

    def _piece(self, path: Path) -> Any:
        """Return the one piece of a file."""
        from seqgen.run.piece_files import read_piece

        name = self.run.info["domain"]
        return read_piece(self.run.domain, name, path, self._read_options)

    def _text(self, path: Path) -> str:
        try:
            with path.open("rb") as file:
                return text_of(all_bytes(file))
        except DataError as error:
            raise DataError(f"{path} is neither text nor a file of this domain: {error}") from error


@contextmanager
def _notice(option: str, path: Path) -> Iterator[None]:
    """Print a remark if a pipe delivers nothing for two seconds."""
    from seqgen.cli.console import say

    timer = Timer(NOTICE_AFTER, say, [f"{option}: waiting for a process to write to {path}"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def say_forbidden(place: str, codec: Codec, ids: Ids, since: int = 0) -> None:
    """Say which ids ``(N,)`` of a beginning the codec's grammar forbids; it is continued anyway.

    Parameters
    ----------
    place : str
        The beginning of the remark.
    codec : Codec
    ids : int64 array (N,)
    since : int
        The first position that counts.
    """
    from seqgen.cli.console import say
    from seqgen.grammar import forbidden
    from seqgen.plugins.checks import checked_masks, mask_width

    if not mask_width(codec):
        return
    found = forbidden(checked_masks(codec, codec.masks(ids), len(ids) + 1), ids)
    found = found[found >= since]
    if not len(found):
        return
    position = int(found[0])
    where = f"token {position + 1:,}"
    if (named := codec.place(ids, position)) != where:
        where = f"{named} ({where})"
    more = f", and {len(found) - 1:,} more" if len(found) > 1 else ""
    say(
        f"{place}the codec's grammar does not allow {codec.vocab[ids[position]]!r} at "
        f"{where}{more}; the model goes on from there"
    )


def _nothing_left(option: str, changes: Mapping[tuple[str, str], int]) -> DataError:
    if not changes:
        return DataError(f"{option} is empty; leave it out, or give a text")
    changed = changes_text(changes)
    return DataError(f"{option}: nothing is left of it that the model knows ({changed})")
