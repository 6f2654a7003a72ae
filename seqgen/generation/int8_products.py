"""Sums of products of 8-bit numbers, sixteen at once: exact, so the same bits on every processor.

Weights are signed, from -127 to 127; what they are multiplied by is from 0 to 255. Processors with
VNNI have one instruction for 64 of these products. It has no operator in NumPy or numba, so
these functions emit it: they are intrinsics, which only compiled functions can call. Comes from:
`seqgen.generation.int8_step`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic, models, register_model

from seqgen.generation.sixteen import COUNT as OUTPUTS
from seqgen.generation.sixteen import (
    FLOATS,
    INT,
    INTS,
    Emit,
    Sixteen,
    indices,
    load,
    repeat,
    store,
)

#: Inputs of each of sixteen outputs whose products are added at once.
INPUTS = 4


class _Vector(types.Type):  # type: ignore[misc]
    """The type of sixteen 32-bit integers in a register."""


VECTOR = _Vector("sixteen int32")


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: _Vector) -> None:
        super().__init__(manager, kind, INTS)


@intrinsic  # type: ignore[untyped-decorator]
def zeros(typing: Any) -> tuple[Any, Emit]:
    """Return sixteen sums of nothing."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return ir.Constant(INTS, [0] * OUTPUTS)

    return VECTOR(), emit


@intrinsic  # type: ignore[untyped-decorator]
def repeated(typing: Any, numbers: Any, place: Any) -> tuple[Any, Emit]:
    """Return four of the uint8 `numbers`, from `place` on, sixteen times."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return repeat(builder, load(context, builder, signature.args[0], given, INT))

    return VECTOR(numbers, types.intp), emit


def adding(way: str) -> Any:
    """Return the intrinsic that adds products: by VNNI with 512 or 256 bits, or by plain code.

    With the way "best" the processor chooses, for which numba compiles.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def added(typing: Any, sums: Any, weights: Any, place: Any, four: Any) -> tuple[Any, Emit]:
        """Return sums plus products of int8 `weights`, from `place` on: four for each sum."""

        def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            before, array, at, inputs = given
            here = load(context, builder, signature.args[1], (array, at), INTS)
            kind = way if way != "best" else _best(context.codegen().magic_tuple()[2])
            return _WAYS[kind](builder, before, inputs, here)

        return VECTOR(VECTOR, weights, types.intp, VECTOR), emit

    return added


def _best(features: str) -> str:
    """Return the way for a processor, from its features as LLVM writes them."""
    found = features.split(",")
    if "+avx512vnni" in found:
        return "512"
    return "256" if "+avxvnni" in found else "plain"


def _by_512_bits(builder: Any, sums: Any, inputs: Any, weights: Any) -> Any:
    return _call(builder, "llvm.x86.avx512.vpdpbusd.512", INTS, [sums, inputs, weights])


def _by_256_bits(builder: Any, sums: Any, inputs: Any, weights: Any) -> Any:
    halves, kind = [], ir.VectorType(INT, OUTPUTS // 2)
    for first in (0, OUTPUTS // 2):
        chosen = indices(range(first, first + OUTPUTS // 2))
        some = [builder.shuffle_vector(each, each, chosen) for each in (sums, inputs, weights)]
        halves.append(_call(builder, "llvm.x86.avx512.vpdpbusd.256", kind, some))
    return builder.shuffle_vector(*halves, indices(range(OUTPUTS)))


def _by_plain_code(builder: Any, sums: Any, inputs: Any, weights: Any) -> Any:
    """Multiply pairs of bytes as 16 bits, which LLVM knows how to do on most processors.

    A product of bytes fits into 16 bits, the sum of two does not.
    """
    shorts, eight = ir.VectorType(ir.IntType(16), 2 * OUTPUTS), 8
    wide = ir.VectorType(INT, 2 * OUTPUTS)
    shift = ir.Constant(shorts, [eight] * 2 * OUTPUTS)
    low_bits = ir.Constant(shorts, [255] * 2 * OUTPUTS)
    given, taken = builder.bitcast(inputs, shorts), builder.bitcast(weights, shorts)
    # Even bytes, then odd bytes: (inputs, weights), each 16 bits.
    for one, other in (
        (builder.and_(given, low_bits), builder.ashr(builder.shl(taken, shift), shift)),
        (builder.lshr(given, shift), builder.ashr(taken, shift)),
    ):
        products = builder.mul(builder.sext(one, wide), builder.sext(other, wide))
        for first in (0, 1):
            chosen = indices(range(first, 2 * OUTPUTS, 2))
            sums = builder.add(sums, builder.shuffle_vector(products, products, chosen))
    return sums


_WAYS = {"512": _by_512_bits, "256": _by_256_bits, "plain": _by_plain_code}

added = adding("best")


@intrinsic  # type: ignore[untyped-decorator]
def put_scaled(
    typing: Any,
    sums: Any,
    scales: Any,
    shifts: Any,
    place: Any,
    step: Any,
    low: Any,
    table: Any,
    source: Any,
    products: Any,
    target: Any,
) -> tuple[Any, Emit]:
    """Put sixteen float32 into `products`, from `target` on.

    Each is what the `table` has there, from `source` on; plus a sum times its scale, from `place`
    on, and the `step`; plus its shift times `low`.
    """

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        sums, scales, shifts, place, step, low, table, source, products, target = given
        kinds = signature.args
        scale, shift, total = (
            Sixteen(builder, load(context, builder, kind, given))
            for kind, given in zip(
                (kinds[1], kinds[2], kinds[6]),
                ((scales, place), (shifts, place), (table, source)),
                strict=True,
            )
        )
        step, low = (Sixteen(builder, repeat(builder, number)) for number in (step, low))
        whole = Sixteen(builder, builder.sitofp(sums, FLOATS))
        total = total + whole * (scale * step) + shift * low
        store(context, builder, kinds[8], (products, target), total.value)
        return context.get_dummy_value()

    numbers = types.float32, types.float32
    arrays = table, types.intp, products, types.intp
    return types.none(VECTOR, scales, shifts, types.intp, *numbers, *arrays), emit


def _call(builder: Any, name: str, kind: Any, given: list[Any]) -> Any:
    """Call an operation of LLVM, whose operands and result have the same form."""
    function = builder.module.globals.get(name)
    if function is None:
        form = ir.FunctionType(kind, [kind] * len(given))
        function = ir.Function(builder.module, form, name)
    return builder.call(function, given)
