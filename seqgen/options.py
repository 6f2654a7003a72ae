"""Options that a plugin declares, as frozen dataclasses: of a codec, of reading and of writing.

`options_from` makes them of plain values, such as ``rarest=5`` on the command line; `described`
lists them with their sentences, for `seqgen domains NAME`.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import threading
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from itertools import pairwise
from typing import Any, Literal, get_args, get_origin, get_type_hints

from seqgen.config import from_mapping
from seqgen.errors import PluginError

#: In Python 3.11 two threads that parse source at once may fail with a SystemError.
_PARSING = threading.Lock()


@dataclass(frozen=True)
class NoOptions:
    """Options of a reader, writer or codec that has none."""


def options_from(options_type: type[Any], values: Mapping[str, Any], place: str) -> Any:
    """Build options from plain values; the others keep their defaults.

    Raises
    ------
    PluginError
        If the plugin declares no frozen dataclass with defaults.
    ConfigError
        For an unknown name or an invalid value. The message begins with `place`.
    """
    check_options_type(options_type, place)
    return from_mapping(options_type, values, place)


def check_options_type(options_type: object, place: str) -> None:
    """Refuse options that are not a frozen dataclass, or have a field without a default.

    Raises
    ------
    PluginError
        With `place` and the class.
    """
    way_out = "upgrade the plugin, or tell its authors"
    if not (isinstance(options_type, type) and is_dataclass(options_type)):
        raise PluginError(f"{place} must be a frozen dataclass, found {options_type!r}; {way_out}")
    if not options_type.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise PluginError(f"{place} must be frozen, found dataclass {options_type!r}; {way_out}")
    for field in fields(options_type):
        if field.default is MISSING and field.default_factory is MISSING:
            raise PluginError(
                f"{place}: field {field.name!r} of {options_type!r} has no default; {way_out}"
            )


def described(options_type: type[Any]) -> list[dict[str, Any]]:
    """Return name, type or choices, default and sentence of every option, as JSON.

    The sentence is the docstring below the field; it is empty if there is none.
    """
    check_options_type(options_type, "options")
    hints, sentences, options = (
        get_type_hints(options_type),
        _sentences(options_type),
        options_type(),
    )
    return [
        {
            "name": field.name,
            "type": _type_name(hints[field.name]),
            "default": getattr(options, field.name),
            "about": sentences.get(field.name, ""),
        }
        for field in fields(options_type)
    ]


def _type_name(hint: Any) -> str:
    """Return ``int``, or the choices of a Literal: ``a4 | a5``."""
    if get_origin(hint) is Literal:
        return " | ".join(map(str, get_args(hint)))
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _sentences(options_type: type[Any]) -> dict[str, str]:
    """Return the docstrings of a class's fields, also inherited ones, by name."""
    found = {}
    for owner in reversed(options_type.__mro__[:-1]):
        try:
            with _PARSING:
                tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        except (OSError, TypeError, SyntaxError):
            continue  # a class made at run time has no source
        [definition] = tree.body
        body = definition.body if isinstance(definition, ast.ClassDef) else []
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                match text:
                    case ast.Expr(ast.Constant(str(sentence))):
                        found[field.target.id] = " ".join(sentence.split())
    return found
