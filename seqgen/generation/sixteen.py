"""Sixteen float32 numbers in a register: arithmetic that writes LLVM's code.

Numba has no type for them, and its loops over sixteen numbers are rarely vectorised, because arrays
might overlap. An intrinsic, which only compiled functions can call, writes the code itself.
Processors with shorter registers use several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]

#: Numbers in a register.
COUNT = 16

INT = ir.IntType(32)
INTS = ir.VectorType(INT, COUNT)
FLOATS = ir.VectorType(ir.FloatType(), COUNT)

#: A product and a sum may become one operation, as in `compiled_contracting`.
CONTRACT = ("contract",)

#: What an intrinsic writes its code with: context, builder, signature and arguments.
Emit = Callable[[Any, Any, Any, Any], Any]


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

    def between(self, low: float, high: float) -> Sixteen:
        """Return the numbers, or the bound that they are beyond; NaN stays."""
        value = self.value
        for sign, bound in (("<", self._of(low)), (">", self._of(high))):
            beyond = self.builder.fcmp_ordered(sign, value, bound)
            value = self.builder.select(beyond, bound, value)
        return Sixteen(self.builder, value)

    def times_power_of_two(self, bits: Sixteen) -> Sixteen:
        """Return the numbers times 2 ** n, where n is in the last bits of other numbers."""
        exponent = self.builder.shl(
            self.builder.bitcast(bits.value, INTS), ir.Constant(INTS, [23] * COUNT)
        )
        scaled = self.builder.add(self.builder.bitcast(self.value, INTS), exponent)
        return Sixteen(self.builder, self.builder.bitcast(scaled, FLOATS))

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
