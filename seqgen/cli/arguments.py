"""Messages name arguments of Python in backticks; the command names its options instead.

::

    choose another folder, or pass `overwrite=True`    choose another folder, or pass --overwrite
    use `read_options={"encoding": "latin-1"}`         use --read encoding=latin-1
    leave out `batch_size`                             leave out --batch-size

So every message is written once, for programs; whatever prints it for the user of a command
calls `with_options`.
"""

from __future__ import annotations

import ast
import re
import shlex

#: Arguments whose options have other names.
RENAMED = {
    "condition": "given",
    "export_onnx": "onnx",
    "folder": "out",
    "labels": "label",
    "options": "codec-option",
    "read_options": "read",
    "start": "from",
    "suffix": "format",
}

#: An argument in a message, with or without a value: `name` or `name=value`.
ARGUMENT = re.compile(r"(?<![^\s(])`([a-z][a-z0-9_]*)(?:=(.{1,200}?))?`(?!\w)")


def with_options(message: str) -> str:
    """Return a message with options in the place of Python's arguments."""
    return ARGUMENT.sub(_option, message)


def _option(found: re.Match[str]) -> str:
    """Return an argument as an option, with its value as a shell takes it."""
    name, value = found[1], found[2]
    option = "--" + RENAMED.get(name, name).replace("_", "-")
    if value in (None, "True"):
        return option
    try:
        given = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        given = value
    pairs = given.items() if isinstance(given, dict) else [(given, "")]
    texts = [f"{key}={each}" if each else str(key) for key, each in pairs]
    return " ".join(f"{option} {shlex.quote(text)}" for text in texts)
