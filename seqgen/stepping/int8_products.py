"""Sums of products of 8-bit numbers, sixteen at once: exact, so the same bits on every processor.

Weights are signed, from -127 to 127; what they are multiplied by is from 0 to 255. Processors with
VNNI have one instruction for 64 of these products. It has no operator in NumPy or numba, so
these functions emit it: they are intrinsics, which only compiled functions can call. Comes from:
`seqgen.stepping.int8_step`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import models, register_model

from seqgen.stepping.sixteen import (
    COUNT,
    FLOATS,
    INT,
    INTS,
    Emit,
    Sixteen,
    Sums,
    each_sixteen,
    indices,
    intrinsic,
    load,
    repeat,
    store,
)

#: Inputs of each of sixteen outputs whose products are added at once.
INPUTS = 4


class _Vector(types.Type):
    """The type of sixteen 32-bit integers in a register."""


VECTOR = _Vector("sixteen int32")


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: _Vector) -> None:
        super().__init__(manager, kind, INTS)  # type: ignore[no-untyped-call]


@intrinsic
def zeros(typing: Any) -> tuple[Any, Emit]:
    """Return sixteen sums of nothing."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        """Write the instructions of the intrinsic."""
        return ir.Constant(INTS, [0] * COUNT)

    return VECTOR(), emit


@intrinsic
def repeated(typing: Any, numbers: Any, place: Any) -> tuple[Any, Emit]:
    """Return four of the uint8 `numbers`, from `place` on, sixteen times."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        """Write the instructions of the intrinsic."""
        return repeat(builder, load(context, builder, signature.args[0], given, INT))

    return VECTOR(numbers, types.intp), emit


def adding(way: str) -> Any:
    """Return the intrinsic that adds products: by VNNI with 512 or 256 bits, or by plain code.

    With the way "best" the processor chooses, for which numba compiles.
    """

    @intrinsic
    def added(typing: Any, sums: Any, weights: Any, place: Any, four: Any) -> tuple[Any, Emit]:
        """Return sums plus products of int8 `weights`, from `place` on: four for each sum."""

        def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            """Write the instructions of the intrinsic."""
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
    halves, kind = [], ir.VectorType(INT, COUNT // 2)
    for first in (0, COUNT // 2):
        chosen = indices(range(first, first + COUNT // 2))
        some = [builder.shuffle_vector(each, each, chosen) for each in (sums, inputs, weights)]
        halves.append(_call(builder, "llvm.x86.avx512.vpdpbusd.256", kind, some))
    return builder.shuffle_vector(*halves, indices(range(COUNT)))


def _by_plain_code(builder: Any, sums: Any, inputs: Any, weights: Any) -> Any:
    """Multiply pairs of bytes as 16 bits, which LLVM knows how to do on most processors.

    A product of bytes fits into 16 bits, the sum of two does not.
    """
    shorts, eight = ir.VectorType(ir.IntType(16), 2 * COUNT), 8
    wide = ir.VectorType(INT, 2 * COUNT)
    shift = ir.Constant(shorts, [eight] * 2 * COUNT)
    low_bits = ir.Constant(shorts, [255] * 2 * COUNT)
    given, taken = builder.bitcast(inputs, shorts), builder.bitcast(weights, shorts)
    # Even bytes, then odd bytes: (inputs, weights), each 16 bits.
    for one, other in (
        (builder.and_(given, low_bits), builder.ashr(builder.shl(taken, shift), shift)),
        (builder.lshr(given, shift), builder.ashr(taken, shift)),
    ):
        products = builder.mul(builder.sext(one, wide), builder.sext(other, wide))
        for first in (0, 1):
            chosen = indices(range(first, 2 * COUNT, 2))
            sums = builder.add(sums, builder.shuffle_vector(products, products, chosen))
    return sums


_WAYS = {"512": _by_512_bits, "256": _by_256_bits, "plain": _by_plain_code}

added = adding("best")


@intrinsic
def extent(typing: Any, h: Any, place: Any, count: Any) -> tuple[Any, Emit]:
    """Return lowest, highest and sum of `count` numbers, a multiple of 16, from `place` on."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        """Write the instructions of the intrinsic."""
        h, first, count = given
        start = load(context, builder, signature.args[0], (h, first))
        low, high = Sums(builder, start), Sums(builder, start)
        total = Sums(builder, ir.Constant(FLOATS, [0.0] * COUNT))
        with each_sixteen(builder, count) as place:
            at = h, builder.add(first, place)
            some = Sixteen(builder, load(context, builder, signature.args[0], at))
            low.put(low.get().at_most(some))
            high.put(high.get().at_least(some))
            total.put(total.get() + some)
        found = (
            low.get().folded(Sixteen.at_most),
            high.get().folded(Sixteen.at_least),
            total.get().folded(Sixteen.__add__),
        )
        return context.make_tuple(builder, signature.return_type, found)

    found: Any = types.UniTuple(types.float32, 3)  # type: ignore[no-untyped-call]
    return found(h, types.intp, types.intp), emit


@intrinsic
def round_off(
    typing: Any, h: Any, place: Any, count: Any, low: Any, density: Any, mean: Any, numbers: Any
) -> tuple[Any, Emit]:
    """Put (h - low) * density, rounded, at the same places of uint8 `numbers`.

    Return the sum of the squares of h - mean.
    """

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        """Write the instructions of the intrinsic."""
        h, first, count, low, density, mean, numbers = given
        low, density, mean = (
            Sixteen(builder, repeat(builder, number)) for number in (low, density, mean)
        )
        squares = Sums(builder, ir.Constant(FLOATS, [0.0] * COUNT))
        with each_sixteen(builder, count) as place:
            at = builder.add(first, place)
            some = Sixteen(builder, load(context, builder, signature.args[0], (h, at)))
            whole = builder.fptosi(((some - low) * density + 0.5).value, INTS)
            bytes_ = builder.trunc(whole, ir.VectorType(ir.IntType(8), COUNT))
            store(context, builder, signature.args[6], (numbers, at), bytes_)
            distance = some - mean
            squares.put(squares.get() + distance * distance)
        return squares.get().folded(Sixteen.__add__)

    numbers_of = types.float32, types.float32, types.float32
    return types.float32(h, types.intp, types.intp, *numbers_of, numbers), emit


@intrinsic
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
        """Write the instructions of the intrinsic."""
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
