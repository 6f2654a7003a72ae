"""How a command fails: a message on the error stream, JSON for ``--json``, and an exit status.

The JSON has the message, and the parts of it that a program may need::

    {"error": "no device 'gpu' here; choose cpu, cuda, mps or auto", "place": "gpu",
     "hint": "choose cpu, cuda, mps or auto", "exit_status": 1}

``place`` is the option, file or folder that the message names, ``hint`` the way out. They are null
where the message has none. After a signal there is no JSON, since the result may be printed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Literal, NoReturn, get_args, get_origin

import cyclopts

from seqgen.cli.arguments import with_options
from seqgen.cli.printing import complain, print_json
from seqgen.wording import closest, meant

#: The option for which a failure is JSON.
JSON = "--json"

#: Exit status of wrong usage.
WRONG_USAGE = 2

#: What a type of an option is called in a message.
_KINDS = {"float": "a number", "int": "a whole number", "bool": "true or false"}

#: An option in a message, such as ``--top-p``.
_OPTION = re.compile(r"--[a-z][a-z-]*")


def fail(message: str, status: int, tokens: Sequence[str], place: str | None = None) -> NoReturn:
    """End the command with a message.

    Parameters
    ----------
    message : str
        Its last part after a semicolon is the way out.
    status : int
        The exit status.
    tokens : sequence of str
        The command line: with ``--json`` the failure is printed as JSON too.
    place : str or None
        Where it failed, if the caller knows.
    """
    message = with_options(message)
    complain(message)
    if JSON in tokens:
        print_json(failure(message, status, tokens, place))
    sys.exit(status)


def failure(
    message: str, status: int, tokens: Sequence[str], place: str | None = None
) -> dict[str, str | int | None]:
    """Return a failure as JSON; the parameters are those of `fail`."""
    _, semicolon, hint = message.rpartition("; ")
    return {
        "error": message,
        "place": place or _place(message, tokens),
        "hint": hint if semicolon else None,
        "exit_status": status,
    }


def _place(message: str, tokens: Sequence[str]) -> str | None:
    """Return the option or the argument of the command line that a message names first."""
    if option := _OPTION.match(message):
        return option[0]
    # The first word is the command.
    given = [token for token in tokens[1:] if len(token) > 1 and token != JSON]
    found = sorted((message.find(token), -len(token), token) for token in given if token in message)
    if found:
        return found[0][2]
    before, colon, _ = message.partition(": ")
    return before if colon and " " not in before else None


def usage_text(error: cyclopts.CycloptsError) -> str:
    """Return what is wrong with the usage of a command, in the words of other errors."""
    command = " ".join(error.command_chain or ())
    help_of = f"seqgen {command} --help".replace("  ", " ")
    match error:
        case cyclopts.UnknownOptionError():
            typed = error.token.keyword or error.token.value
            names = [name for argument in error.argument_collection for name in argument.names]
            return _unknown(command, typed, names, help_of)
        case cyclopts.UnknownCommandError(unused_tokens=[typed, *_]):
            names = [] if error.app is None else [*error.app, "--config", "--plugin"]
            return _unknown(command, typed, names, help_of)
        case cyclopts.UnusedCliTokensError(unused_tokens=[first, *_]):
            way_out = "put a text of several words into quotation marks"
            return f"{command} has no place for {first!r}; {way_out}"
        case cyclopts.MissingArgumentError(argument=cyclopts.Argument() as argument):
            return _missing(error, argument, help_of)
        case cyclopts.CoercionError(msg=None, token=cyclopts.Token() as token):
            return _wrong_value(token, error.target_type)
    return str(error).strip().rstrip(".")


def _unknown(command: str, typed: str, names: Sequence[str], help_of: str) -> str:
    """Return that a command has no such option or command."""
    typed = typed.partition("=")[0]
    is_option = typed.startswith("-")
    what = f"option {typed}" if is_option else f"command {typed!r}"
    has = f"{command} has no {what}" if command else f"there is no {what}"
    if close := closest(typed, [name for name in names if name.startswith("-") == is_option]):
        return f"{has}; did you mean {close if is_option else repr(close)}?"
    return f"{has}; {help_of}{'-all lists all options' if is_option else ' lists all'}"


def _missing(
    error: cyclopts.MissingArgumentError, argument: cyclopts.Argument, help_of: str
) -> str:
    """Return which argument or value is missing."""
    option = error.keyword or next((each.keyword for each in argument.tokens if each.keyword), None)
    if option is None and argument.index is not None:
        name = argument.name.lstrip("-").upper()
        return f"{name} is missing; {help_of} says what it is"
    return f"{option or argument.name} needs a value; {help_of}-all says which"


def _wrong_value(token: cyclopts.Token, kind: object) -> str:
    """Return which value an option should have."""
    place = "" if token.source in ("", "cli") else f"{token.source}: "
    name = token.keyword or "the argument"
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        *others, last = map(str, choices)
        wanted = f"{', '.join(others)} or {last}" if others else last
        close = meant(token.value, map(str, choices))
        return f"{place}{name} must be {wanted}, found {token.value!r}{close}"
    wanted = _KINDS.get(getattr(kind, "__name__", ""), f"of the type {kind}")
    return f"{place}{name} must be {wanted}, found {token.value!r}"
