"""Reads what a page asks for: JSON from a browser, checked as hostile as any file.

A piece is asked for with what `seqgen generate` takes, so every request has its command line.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from seqgen.bounds import Seed, check_value
from seqgen.conditions.kept import Kept, check_kept
from seqgen.conditions.labels import Labelled, content_of
from seqgen.conditions.unlabelled import all_requested, header_size, unlabelled
from seqgen.config import LimitConfig, SampleConfig, from_mapping
from seqgen.data.finding import Noted, Skipped
from seqgen.data.labelling import FileLabels
from seqgen.errors import ConfigError, DataError, reason_of
from seqgen.generation.prompts import mended_prompt
from seqgen.generation.watching import Asked
from seqgen.plugin import Ids, Piece
from seqgen.plugins.discovery import load_domain
from seqgen.run.folder import Run
from seqgen.serve.places import shown_name

#: Settings of drawing and limits that a page may change.
DRAWING = ("temperature", "min_p", "top_p", "top_k", "repetition_penalty", "guidance")
LIMITS = ("length", "least_length", "unit")

#: What a piece can be for a new one: its beginning, what it follows, or the first that it can be.
ROLES = ("prompt", "given", "either")

#: Most characters of a typed prompt and of a condition.
LONGEST_TEXT = 100_000

#: Most characters of a file name, and most conditions.
LONGEST_NAME, MOST_GIVEN = 255, 32

#: Most tokens of a prompt, and of a piece; a page holds no more.
MOST_TOKENS = 20_000

#: Seconds after which the parser of a file counts as hanging.
PATIENCE = 20.0

#: The same for the first file, for which a process starts and the parser may be compiled.
FIRST_PATIENCE = 300.0


@dataclass(frozen=True)
class Prompt:
    """A prompt that was read.

    Attributes
    ----------
    piece : object
    ids : int64 array (N,)
        Its tokens, without labels; none for a piece that a new one follows.
    word : str
        What ``--prompt`` or ``--given`` takes: the text, or the name of the file.
    """

    piece: Any
    ids: Ids
    word: str


def read_prompt_of(
    run: Run,
    body: Mapping[str, Any],
    file_of: Callable[[str], tuple[str, bytes]],
    patience: float,
) -> Prompt:
    """Return the prompt of a request: its "text", a file, or a finished "piece".

    A file is its "content" in base64 with its "name". Its "role" is one of `ROLES`.

    Parameters
    ----------
    run : Run
    body : mapping
    file_of : callable
        Returns a finished piece as a file of the domain, by its name: file name and content.
    patience : float
        Seconds after which the parser of a file counts as hanging.

    Raises
    ------
    DataError
        If it is no text or file of the domain with one piece, or the codec cannot encode it.
    """
    check_names(body, ("text", "name", "content", "piece", "role"))
    if (role := body.get("role", "prompt")) not in ROLES:
        raise DataError(f"role must be {' or '.join(ROLES)}, found {role!r:.40}")
    known = {"prompt": _known, "given": _followed, "either": _known_or_followed}[role]
    if "text" in body:
        text = _text(body, "text", LONGEST_TEXT)
        return known(run, run.domain.from_text(text), text)
    if "piece" in body:
        name, data = file_of(_text(body, "piece", LONGEST_NAME))
    else:
        name, data = _file(run, body)
    with TemporaryDirectory(prefix="seqgen-") as folder:
        path = Path(folder) / f"prompt{Path(name).suffix.lower()}"
        path.write_bytes(data)
        try:
            piece = _own_piece(run, path) if "piece" in body else only_piece(run, path, patience)
            return known(run, piece, Path(name).name)
        except Exception as error:
            # A codec may fail in any way on a strange piece.
            raise DataError(f"{name}: {reason_of(error)}") from error


def _file(run: Run, body: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return name and content of a file."""
    name, content = _text(body, "name", LONGEST_NAME), body.get("content")
    suffix, domain = Path(name).suffix.lower(), run.info["domain"]
    suffixes = load_domain(domain)[1].suffixes
    if suffix not in suffixes:
        raise DataError(f"files of {domain} end in {', '.join(suffixes)}; found {name!r}")
    try:
        data = base64.b64decode(content if isinstance(content, str) else "", validate=True)
    except binascii.Error as error:
        raise DataError(f"content: a file must be in base64 ({error})") from error
    return name, data


def _own_piece(run: Run, path: Path) -> Any:
    """Return the piece of a file that this process has just written."""
    [piece] = run.domain.read(path, run.read_options())
    return content_of(piece)


def only_piece(run: Run, path: Path, patience: float) -> Any:
    """Return the piece of a file, whose parser may crash or hang: another process reads it.

    Raises
    ------
    DataError
        If it holds no piece or several, or its parser fails or takes longer than `patience`.
    """
    from seqgen.data.workers import read_alone

    task = run.domain, path, path.name, FileLabels({}), None, "error", run.read_options()
    pieces = []
    for each in read_alone(task, patience):
        if isinstance(each, Skipped):
            raise DataError(each.reason)
        if not isinstance(each, Noted):
            pieces.append(content_of(each[1]))
    if len(pieces) != 1:
        raise DataError(f"it holds {'several' if pieces else 'no'} pieces; give a file of one")
    return pieces[0]


def _known(run: Run, piece: Piece, word: str) -> Prompt:
    """Return a prompt whose symbols the run knows."""
    mended, ids = mended_prompt(unlabelled(run.codec), piece, "error")
    if not len(ids):
        raise DataError("the prompt is empty; leave it out, or give a text")
    if len(ids) > MOST_TOKENS:
        raise DataError(f"a prompt has at most {MOST_TOKENS:,} tokens here, found {len(ids):,}")
    return Prompt(mended.piece, ids, word)


def _known_or_followed(run: Run, piece: Piece, word: str) -> Prompt:
    """Return a prompt, or where it cannot be one, such as a melody for a chorale, what is given."""
    try:
        return _known(run, piece, word)
    except Exception:
        if not unlabelled(run.codec).rewrites:
            raise
        return _followed(run, piece, word)


def _followed(run: Run, piece: Piece, word: str) -> Prompt:
    """Return a piece that a new one follows; the codec reads it when that begins."""
    return Prompt(piece, np.zeros(0, np.int64), word)


@dataclass(frozen=True)
class Order:
    """A piece that a page asked for.

    Attributes
    ----------
    asked : Asked
    prompt : str or None
        What ``--prompt`` takes.
    given : tuple of str
        What ``--given`` takes.
    keep : str or None
        What ``--keep`` takes.
    command : str
        The command line that writes the same piece; empty if there is none.
    """

    asked: Asked
    prompt: str | None
    given: tuple[str, ...]
    keep: str | None
    command: str


def read_request(
    run: Run,
    body: Mapping[str, Any],
    prompt_of: Callable[[str], Prompt],
    begun: Callable[[str], tuple[list[int], Order]],
) -> Order:
    """Return what a piece is asked to be.

    Parameters
    ----------
    run : Run
    body : mapping
        "prompt" (the name of a prompt that was read) or "from" (a piece, how many of its tokens,
        and the token that goes on), "given", "follow" (the name of a given piece that was read),
        "keep" (what of it stays), "sample", "limit" and "seed".
    prompt_of, begun : callable
        Return a prompt, and the tokens and the order of a piece, by name.

    Raises
    ------
    ConfigError, DataError
        With the first entry that is wrong.
    """
    check_names(body, ("prompt", "from", "given", "follow", "keep", "sample", "limit", "seed"))
    sample = read_sample(body)
    limit = from_mapping(LimitConfig, _settings(body, "limit", LIMITS), "limit")
    check_value("seed", seed := body.get("seed", 0), Seed)
    condition, texts, keep = _condition(run, body, prompt_of)
    prompt = onward = word = None
    stream = run.codec.text_stream()
    if "from" in body:
        onward, before = _onward(run, body["from"], begun)
        condition, texts, keep = before.asked.condition, before.given, before.keep
        if stream is not None:
            word = "".join(map(stream, onward.tolist()))
    elif body.get("prompt") is not None:
        found = prompt_of(_text(body, "prompt", LONGEST_NAME))
        if not len(found.ids):
            raise DataError('this piece was read with the role "given"; name it as "follow"')
        prompt, word = found.piece, found.word
    words = [] if word is None else ["--prompt", word]
    words += [part for text in texts for part in ("--given", text)]
    words += [] if keep is None else ["--keep", keep]
    for settings in (body.get("sample", {}), body.get("limit", {})):
        for name, value in settings.items():
            words += [f"--{name.replace('_', '-')}", f"{value}"]
    command = shlex.join(["seqgen", "generate", shown_name(run), *words, "--seed", str(seed)])
    if onward is not None and stream is None:
        command = ""  # Only a text can be given as its first tokens.
    asked = Asked(prompt, onward, condition, sample, limit, seed)
    return Order(asked, word, texts, keep, command)


def read_sample(body: Mapping[str, Any]) -> SampleConfig:
    """Return the settings of drawing of a request, its "sample".

    Raises
    ------
    ConfigError
        With the first one that is wrong.
    """
    return from_mapping(SampleConfig, _settings(body, "sample", DRAWING), "sample")


def _condition(
    run: Run, body: Mapping[str, Any], prompt_of: Callable[[str], Prompt]
) -> tuple[Any, tuple[str, ...], str | None]:
    """Return what a piece follows, and what ``--given`` and ``--keep`` take."""
    given, keep = body.get("given", []), body.get("keep")
    if not (isinstance(given, list) and len(given) <= MOST_GIVEN):
        raise DataError(f"given must be a list of at most {MOST_GIVEN} texts")
    texts = tuple(_text({"given": text}, "given", LONGEST_TEXT) for text in given)
    condition: Any
    labels, condition = all_requested(run.codec, texts)
    if body.get("follow") is not None:
        if condition is not None:
            raise DataError(
                f"a piece follows a text or another piece, not both; found {condition:.40}"
            )
        found = prompt_of(_text(body, "follow", LONGEST_NAME))
        condition, texts = found.piece, (*texts, found.word)
        if keep is not None:
            condition = Kept(condition, _text(body, "keep", LONGEST_TEXT))
            has_prompt = body.get("prompt") is not None
            rewrites = unlabelled(run.codec).rewrites
            check_kept(condition, rewrites=rewrites, has_prompt=has_prompt)
    elif keep is not None:
        raise DataError("keep names parts of a piece; name the piece as follow")
    return Labelled(labels, condition) if labels else condition, texts, keep


def _onward(
    run: Run, body: Any, begun: Callable[[str], tuple[list[int], Order]]
) -> tuple[Ids, Order]:
    """Return the first tokens of a piece with another token after them, and its order."""
    if not isinstance(body, dict):
        raise DataError(f"from must be an object, found {body!r}")
    ids, order = begun(_text(body, "piece", LONGEST_NAME))
    place, token, least = body.get("tokens"), body.get("token"), header_size(run.codec)
    if type(place) is not int or not least <= place <= len(ids):
        raise DataError(f"from: tokens must be from {least} to {len(ids):,}, found {place!r}")
    if type(token) is not int or not 0 <= token < len(unlabelled(run.codec).vocab):
        raise DataError(f"from: there is no token {token!r}")
    return np.array([*ids[:place], token], np.int64), order


def _settings(body: Mapping[str, Any], name: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    found = body.get(name, {})
    if not isinstance(found, dict):
        raise ConfigError(f"{name} must be an object of settings, found {found!r}")
    check_names(found, known, f"{name}: ")
    return found


def check_names(body: Mapping[str, Any], known: tuple[str, ...], place: str = "") -> None:
    """Refuse a name that is not known."""
    for name in body:
        if name not in known:
            raise ConfigError(f"{place}there is no setting {name!r}; known: {', '.join(known)}")


def _text(body: Mapping[str, Any], name: str, longest: int) -> str:
    text = body.get(name)
    if not isinstance(text, str):
        raise DataError(f"{name} must be text, found {text!r}")
    if len(text) > longest:
        raise DataError(f"{name} has at most {longest:,} characters, found {len(text):,}")
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise DataError(f"{name} holds half a surrogate pair, which is no character")
    return text
