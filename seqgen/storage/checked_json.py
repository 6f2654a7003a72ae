"""Reads the JSON that describes a folder; a shared folder may have been altered.

`parse` limits size, depth and numbers. `check` compares the content with a table of keys, a
`typing.TypedDict`. Keys that are not in the table pass, because later versions may add some.

::

    class Corpus(TypedDict):
        pieces: Annotated[int, Within(1, 10**9)]
        units: dict[str, float]
        reason: NotRequired[str | None]
"""

from __future__ import annotations

import functools
import json
import math
import reprlib
from collections.abc import Callable
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from seqgen.bounds import check_value
from seqgen.errors import ConfigError

#: Bytes of the largest description; the vocabulary takes most of it.
LARGEST = 256_000_000

#: Most levels of nested objects and lists.
DEEPEST = 64

#: Checks a value; the second argument is its place, such as ``codec.name``.
Checker: TypeAlias = Callable[[Any, str], None]

#: Names of Python types in messages.
NAMES = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


def parse(content: bytes | str) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        If it is not JSON in UTF-8, is too large or nested too deeply, or has a number that is not
        finite.
    """
    if len(content) > LARGEST:
        raise ValueError(f"it has {len(content):,} bytes, and at most {LARGEST:,} are read")
    try:
        # Some editors write a byte-order mark.
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels") from None
    if _is_deep(value):
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    return value


def check(value: Any, hint: Any, place: str = "") -> None:
    """Compare a value with its expected type.

    Parameters
    ----------
    value : object
        Plain JSON.
    hint : type
        A `TypedDict`, ``dict[str, X]``, ``list[X]``, ``X | None``, a Literal, str, bool, int,
        float or Any. Numbers may be ``Annotated`` with their bounds.
    place : str
        The keys that lead to the value, joined by dots.

    Raises
    ------
    ValueError
        With the place, the expected and the found value.
    """
    _checker(hint)(value, place)


@functools.cache
def _checker(hint: Any) -> Checker:
    """Return the check for a type; cached, because there may be millions of values."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value, place: None
    if origin in (Union, UnionType):
        (other,) = (each for each in arguments if each is not NoneType)
        return functools.partial(_check_optional, _checker(other))
    if origin is Literal:
        return functools.partial(_check_choice, arguments)
    kind = arguments[0] if origin is Annotated else dict if is_typeddict(hint) else origin or hint
    inside: Checker | None = None
    if is_typeddict(hint):
        inside = functools.partial(_check_keys, _keys_of(hint))
    elif kind is dict:
        inside = functools.partial(_check_values, _checker(arguments[1]))
    elif kind is list:
        inside = functools.partial(_check_entries, _checker(arguments[0]))
    elif kind in (int, float):
        inside = functools.partial(_check_number, hint)
    return functools.partial(_check_kind, kind, inside)


def _check_kind(kind: Any, inside: Checker | None, value: Any, place: str) -> None:
    """Check the type of a value, then its content."""
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{_named(place)} must be {NAMES[kind]}, found {reprlib.repr(value)}")
    if inside is not None:
        inside(value, place)


def _check_optional(other: Checker, value: Any, place: str) -> None:
    if value is not None:
        other(value, place)


def _check_choice(choices: tuple[Any, ...], value: Any, place: str) -> None:
    if value not in choices:
        expected = " or ".join(map(repr, choices))
        raise ValueError(f"{_named(place)} must be {expected}, found {reprlib.repr(value)}")


def _check_keys(keys: dict[str, tuple[Checker, bool]], value: Any, place: str) -> None:
    for key, (checker, optional) in keys.items():
        if key in value:
            checker(value[key], _below(place, key))
        elif not optional:
            raise ValueError(f"it has no key {_below(place, key)!r}")


def _check_values(checker: Checker, value: Any, place: str) -> None:
    for key, each in value.items():
        checker(each, _below(place, key))


def _check_entries(checker: Checker, value: Any, place: str) -> None:
    for number, each in enumerate(value):
        checker(each, f"{place}[{number}]")


def _check_number(hint: Any, value: Any, place: str) -> None:
    try:
        check_value(_named(place), value, hint)
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _keys_of(table: Any) -> dict[str, tuple[Checker, bool]]:
    """Return for each key of a table its check, and whether the key may be missing."""
    keys = {}
    for key, hint in get_type_hints(table, include_extras=True).items():
        optional = get_origin(hint) is NotRequired
        keys[key] = (_checker(get_args(hint)[0] if optional else hint), optional)
    return keys


def _finite(text: str) -> float:
    """Return the number in a text if it is finite."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is not finite")
    return number


def _is_deep(value: Any) -> bool:
    """Return whether objects and lists are nested more than `DEEPEST` levels deep."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        level = [
            part
            for outer in level
            for part in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(part, dict | list)
        ]
    return bool(level)


def _below(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _named(place: str) -> str:
    return place or "it"
