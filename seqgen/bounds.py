"""What arguments may be: bounds of numbers, choices, kinds; declared in type hints.

::

    layers: Annotated[int, Within(1, 64)] = 1

A dataclass calls `check_fields` when it is built; a function is decorated with `checked`. It
also refuses a path where a `Run` is wanted: a class with a text ``made_by`` says how to make one.
"""

from __future__ import annotations

import functools
import inspect
import numbers
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    ParamSpec,
    TypeAlias,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from seqgen.errors import ConfigError
from seqgen.wording import brief, meant

P = ParamSpec("P")
R = TypeVar("R")

#: Largest number that 64 bits with a sign hold.
LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Within:
    """The range of a number.

    Attributes
    ----------
    least, most : float
        Smallest and largest value; both are allowed.
    besides : tuple of float
        Allowed values outside the range, such as 0 for a default.
    """

    least: float
    most: float
    besides: tuple[float, ...] = ()

    def __str__(self) -> str:
        others = "".join(f"{_plain(value)}, or " for value in self.besides)
        return f"{others}from {_plain(self.least)} to {_plain(self.most)}"

    def check(self, name: str, value: Any, *, whole: bool) -> None:
        """Check a value.

        Raises
        ------
        ConfigError
            If it is not a number, not finite or out of range.
        """
        kind = numbers.Integral if whole else numbers.Real
        if isinstance(value, bool) or not isinstance(value, kind):
            wanted = "a whole number" if whole else "a number"
            raise ConfigError(f"{name} must be {wanted} ({self}), found {value!r}")
        # `not a <= value` is also true for NaN.
        if not (self.least <= cast(float, value) <= self.most or value in self.besides):
            raise ConfigError(f"{name} must be {self}, found {value}")


#: Largest weight of a piece.
MOST_WEIGHT = 100

#: Bounds of hints without bounds of their own: any finite number.
ANY_FLOAT, ANY_INT = Within(-1e300, 1e300), Within(-LARGEST, LARGEST)

#: A seed that both PyTorch and NumPy accept.
Seed: TypeAlias = Annotated[int, Within(0, LARGEST)]
#: A number of things, at least one.
Count: TypeAlias = Annotated[int, Within(1, 10**9)]
#: A number of things; 0 has a special meaning.
CountOrZero: TypeAlias = Annotated[int, Within(0, 10**9)]
#: A number of processes; -1 means one for each core.
Jobs: TypeAlias = Annotated[int, Within(1, 1024, besides=(-1,))]
#: Time limit in seconds for reading a file; None means the default.
Patience: TypeAlias = Annotated[float | None, Within(0.001, 1e6)]
#: A number of sequences side by side in memory.
Width: TypeAlias = Annotated[int, Within(1, 65_536)]
#: A number of candidates per piece; None lets the codec choose.
Candidates: TypeAlias = Annotated[int | None, Within(1, 65_536)]
#: Pieces that are written for each one that is kept.
Tries: TypeAlias = Annotated[int, Within(1, 10_000)]
#: Width of a beam search; 0 samples instead.
Beam: TypeAlias = Annotated[int, Within(0, 65_536)]
#: A time budget; 0 means none.
Minutes: TypeAlias = Annotated[float, Within(0.001, 1e6, besides=(0,))]


def check_value(name: str, value: Any, hint: Any) -> None:
    """Check a number against its type hint; hints of other types pass.

    Raises
    ------
    ConfigError
        If the hint is a number, and the value is not a number, not finite or out of range. None
        passes where the hint has it.
    """
    metadata = getattr(hint, "__metadata__", ())
    kind = get_args(hint)[0] if metadata else hint
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    is_number = {*kinds} <= {int, float, NoneType} and kinds != (NoneType,)
    if not is_number or (value is None and NoneType in kinds):
        return
    whole = float not in kinds
    fallback = ANY_INT if whole else ANY_FLOAT
    bounds = next((part for part in metadata if isinstance(part, Within)), fallback)
    bounds.check(name, value, whole=whole)


def check_choice(name: str, value: Any, hint: Any) -> None:
    """Check a value against a hint of choices (`Literal`); values of other hints pass.

    Raises
    ------
    ConfigError
        If the value is none of the choices.
    """
    if get_origin(hint) is Literal and value not in get_args(hint):
        choices = ", ".join(map(repr, get_args(hint)))
        raise ConfigError(f"{name} must be one of {choices}, found {value!r}")


def check_fields(config: Any) -> None:
    """Check every number and choice of a dataclass against the hint of its field.

    Raises
    ------
    ConfigError
        With the first field that is outside its bounds.
    """
    for name, hint in bounded_hints(type(config)).items():
        check_value(name, getattr(config, name), hint)
        check_choice(name, getattr(config, name), hint)


def check_kind(name: str, value: Any, hint: Any) -> None:
    """Check a path, a mapping, or an object of a class that says how to make one.

    Raises
    ------
    ConfigError
        If the hint is such a class, alone or with others, and the value is of none of them.
    """
    whole = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    kinds = tuple(get_origin(kind) or kind for kind in whole)
    wanted = [kind for kind in kinds if hasattr(kind, "made_by") or kind in (Path, Mapping)]
    if not wanted or Iterable in kinds:
        # A list is checked where it is read, with what is in it.
        return
    kinds += (os.PathLike,) * (Path in kinds) + (numbers.Real,) * (float in kinds)
    if not isinstance(value, kinds):
        expected, way = _wanted(wanted[0], value)
        raise ConfigError(f"{name} must be {expected}, found {brief(value)}; write {name}={way}")


def _wanted(kind: Any, value: Any) -> tuple[str, str]:
    """Return what an argument should be, and how to write it."""
    if kind is Path:
        return "a path", '"FOLDER"'
    if kind is Mapping:
        return "a mapping", '{"NAME": VALUE}'
    path = repr(os.fspath(value)) if isinstance(value, str | os.PathLike) else "FOLDER"
    return f"a {kind.__name__}", kind.made_by.format(path)


def as_paths(name: str, value: str | os.PathLike[str] | Iterable[Path | str]) -> list[Path]:
    """Return the paths that a caller gives; one path is a list of one.

    Raises
    ------
    ConfigError
        If something in it is no path.
    """
    several = [value] if isinstance(value, str | os.PathLike) else value
    try:
        return [Path(path) for path in several]
    except TypeError:
        raise ConfigError(
            f"{name} must be a path or a list of paths, found {brief(value)}"
        ) from None


def as_texts(value: str | Iterable[str]) -> tuple[str, ...]:
    """Return texts; one text is one of them, not its letters."""
    return (value,) if isinstance(value, str) else tuple(value)


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function to check its arguments against their hints before it runs."""
    signature = inspect.signature(function)
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    several = next((name for name, kind in kinds.items() if kind is kind.VAR_POSITIONAL), None)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        hints = bounded_hints(call)
        try:
            arguments = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            unknown = next((name for name in kwargs if name not in kinds), "")
            way = _place_of(unknown, hints) or meant(unknown, kinds)
            raise TypeError(f"{function.__qualname__}() {error}{way}") from None
        for check in (check_value, check_kind):
            for name, value in arguments.items():
                # The hint of *paths is that of each path.
                for each in value if name == several else (value,):
                    check(name, each, hints.get(name))
        return function(*args, **kwargs)

    return call


def _place_of(setting: str, hints: Mapping[str, Any]) -> str:
    """Return the argument that takes a setting of a dataclass: ``sample={"temperature": 1}``."""
    for name, hint in hints.items():
        for kind in get_args(hint):
            if is_dataclass(kind) and any(field.name == setting for field in fields(kind)):
                return f'; write {name}={{"{setting}": VALUE}}'
    return ""


def _hints_of(owner: Any) -> Mapping[str, Any]:
    """Return the type hints of a class or function, with their bounds."""
    if isinstance(owner, type):
        return get_type_hints(owner, include_extras=True)
    # Names in other hints may stay unresolved.
    return inspect.get_annotations(inspect.unwrap(owner), eval_str=True)


#: Cached `_hints_of`.
bounded_hints: Callable[[Any], Mapping[str, Any]] = functools.cache(_hints_of)


def _plain(number: float) -> str:
    whole = isinstance(number, int) or (abs(number) < 1e16 and number == int(number))
    return f"{int(number):,}" if whole else f"{number:g}"
