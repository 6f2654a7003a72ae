"""Sixteen float32 numbers in a register: arithmetic that writes LLVM's code.

Numba has no type for them, and its loops over sixteen numbers are rarely vectorised, because arrays
might overlap. An intrinsic, which only compiled functions can call, writes the code itself.
Processors with shorter registers use several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending
from numba.core import cgutils

#: Numbers in a register.
COUNT = 16

INT = ir.IntType(32)
INTS = ir.VectorType(INT, COUNT)
FLOATS = ir.VectorType(ir.FloatType(), COUNT)

#: A product and a sum may become one operation, as in `compiled_contracting`.
CONTRACT = ("contract",)

#: Writes the code of an intrinsic, with context, builder, signature and arguments.
Emit = Callable[[Any, Any, Any, Any], Any]


def intrinsic(function: Callable[..., tuple[Any, Emit]]) -> Any:
    """Return a function for compiled code, whose types and code the given one determines."""
    return extending.intrinsic(function)


class Sixteen:
    """Sixteen float32 numbers; a number beside them stands for sixteen equal ones."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def __add__(self, other: Sixteen | float) -> Sixteen:
        return self._made(self.builder.fadd, other)

    def __sub__(self, other: Sixteen | float) -> Sixteen:
        return self._made(self.builder.fsub, other)

    def __mul__(self, other: Sixteen | float) -> Sixteen:
        return self._made(self.builder.fmul, other)

    def __truediv__(self, other: Sixteen | float) -> Sixteen:
        return self._made(self.builder.fdiv, other)

    def at_least(self, other: Sixteen | float) -> Sixteen:
        """Return the greater ones of two; NaN stays."""
        return self._chosen("<", other)

    def at_most(self, other: Sixteen | float) -> Sixteen:
        """Return the smaller ones of two; NaN stays."""
        return self._chosen(">", other)

    def folded(self, operation: Callable[[Sixteen, Sixteen], Sixteen]) -> Any:
        """Return the result of an operation on all sixteen, such as their sum."""
        found = self
        for distance in (8, 4, 2, 1):
            chosen = indices(place ^ distance for place in range(COUNT))
            other = self.builder.shuffle_vector(found.value, found.value, chosen)
            found = operation(found, Sixteen(self.builder, other))
        return self.builder.extract_element(found.value, ir.Constant(INT, 0))

    def times_power_of_two(self, bits: Sixteen) -> Sixteen:
        """Return the numbers times 2 ** n, where n is in the last bits of other numbers."""
        exponent = self.builder.shl(
            self.builder.bitcast(bits.value, INTS), ir.Constant(INTS, [23] * COUNT)
        )
        scaled = self.builder.add(self.builder.bitcast(self.value, INTS), exponent)
        return Sixteen(self.builder, self.builder.bitcast(scaled, FLOATS))

    def _chosen(self, sign: str, other: Sixteen | float) -> Sixteen:
        right = other.value if isinstance(other, Sixteen) else self._of(other)
        beyond = self.builder.fcmp_ordered(sign, self.value, right)
        return Sixteen(self.builder, self.builder.select(beyond, right, self.value))

    def _made(self, operation: Callable[..., Any], other: Sixteen | float) -> Sixteen:
        right = other.value if isinstance(other, Sixteen) else self._of(other)
        return Sixteen(self.builder, operation(self.value, right, flags=CONTRACT))

    def _of(self, number: float) -> Any:
        return ir.Constant(FLOATS, [float(np.float32(number))] * COUNT)


def address(context: Any, builder: Any, kind: Any, given: Any, form: Any) -> Any:
    """Return the address of an element of an array, as that of another form."""
    array, place = given
    start = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(start, [place]), form.as_pointer())


def load(context: Any, builder: Any, kind: Any, given: Any, form: Any = FLOATS) -> Any:
    """Read bits of another form from an element of an array on."""
    return builder.load(address(context, builder, kind, given, form), align=1, typ=form)


def store(context: Any, builder: Any, kind: Any, given: Any, value: Any) -> None:
    """Write bits from an element of an array on."""
    builder.store(value, address(context, builder, kind, given, value.type), align=1)


def repeat(builder: Any, value: Any) -> Any:
    """Return a number sixteen times."""
    form = ir.VectorType(value.type, COUNT)
    first = builder.insert_element(ir.Constant(form, ir.Undefined), value, ir.Constant(INT, 0))
    return builder.shuffle_vector(first, first, indices([0] * COUNT))


def indices(numbers: Iterable[int]) -> Any:
    """Return which elements a shuffle takes."""
    chosen = list(numbers)
    return ir.Constant(ir.VectorType(INT, len(chosen)), chosen)


class Sums:
    """Sixteen numbers that a loop changes."""

    def __init__(self, builder: Any, value: Any) -> None:
        self._builder = builder
        self._place = cgutils.alloca_once_value(builder, value)  # type: ignore[no-untyped-call]

    def get(self) -> Sixteen:
        """Return them."""
        return Sixteen(self._builder, self._builder.load(self._place))

    def put(self, numbers: Sixteen) -> None:
        """Replace them."""
        self._builder.store(numbers.value, self._place)


@contextmanager
def each_sixteen(builder: Any, count: Any) -> Iterator[Any]:
    """Write a loop over places 0, 16, ... below `count`; give the place."""
    first, step = ir.Constant(count.type, 0), ir.Constant(count.type, COUNT)
    with cgutils.for_range_slice(builder, first, count, step) as (place, _):
        yield place
