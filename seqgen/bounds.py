"""Bounds of numbers, and choices: declared in a type hint, checked in one place.

::

    layers: Annotated[int, Within(1, 64)] = 1

A dataclass calls `check_fields` when it is built; a function is decorated with `checked`.
"""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    if not {int, float} & {*kinds} or (value is None and NoneType in kinds):
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


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function to check its numbers against their hints before it runs."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        hints = bounded_hints(call)
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            check_value(name, value, hints.get(name))
        return function(*args, **kwargs)

    return call


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
