"""Trackers that compiled code follows, so that one call draws many tokens without Python.

Such a tracker keeps what changes in an array of whole numbers and what does not in an array of
bytes; a step function in NumPy's subset that numba compiles moves it. A plugin writes::

    def step(table, state, token, room, features, possible, allowed):
        state[0] = (state[0] + token) % 7
        allowed[:] = possible[:] = ...

    class SevenTracker:
        def followed(self):
            return Followed(step_function(step), self.table, self.state, SIZE)

A step function must not fail: there is no error that leaves it. Floats are kept as
``state.view(np.float64)``. Next: `seqgen.generation.writer` asks trackers for `followed`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from seqgen.compiling import callback, compiled
from seqgen.plugin import Ids, Tracker

#: The room of a piece without a limit.
UNLIMITED = -1

#: Tokens drawn in one call of the stepper, and between two checks of a limit in other units.
#: Trackers that compiled code follows leave room in their arrays for so many.
STRIDE = 32

#: Stands for a token where none is due.
NOTHING = -1

#: Bytes to whose multiples arrays of a table are padded.
ALIGNED = 64

_INTS, _BITS = types.int64[::1], types.boolean[::1]

#: The signature of step functions.
SIGNATURE = types.void(types.uint8[::1], _INTS, types.int64, types.int64, _INTS, _BITS, _BITS)


class Followed(NamedTuple):
    """A tracker as compiled code follows it.

    Attributes
    ----------
    step : object
        What `step_function` returned. It gets the arrays below, an id to push, the `room` of
        `ClosingTracker.closing` or `UNLIMITED`, and arrays to fill for the next position: features
        ``(K,)``, and masks ``(size + 1,)`` of what `Tracker.allowed` allows and of what may come
        within the room. Masks that allow all can be left as they are.
    table : uint8 array (N,)
        Constants, the same for all trackers of a call.
    state : int64 array (M,)
        The tracker's own array, in one piece of memory, so that no call has to copy it. It is
        changed as at most `STRIDE` tokens are drawn.
    size : int
        Number of ids of the codec.
    """

    step: Any
    table: NDArray[np.uint8]
    state: Ids
    size: int


class FollowedTracker(Tracker, Protocol):
    """A tracker that compiled code can follow; it forces no ids."""

    def followed(self) -> Followed | None:
        """Return the arrays to follow, or None where only Python can."""


def flat(*arrays: NDArray[Any]) -> NDArray[np.uint8]:
    """Return arrays as one table of bytes, in which `part` finds each by its number."""
    sizes = [-(-array.nbytes // ALIGNED) * ALIGNED for array in arrays]
    head = -(-8 * (len(arrays) + 1) // ALIGNED) * ALIGNED
    starts = np.cumsum([head, *sizes])  # (A + 1,)
    table = np.zeros(starts[-1], np.uint8)
    table[: starts.nbytes] = starts.astype(np.int64).view(np.uint8)
    for array, start in zip(arrays, starts.tolist(), strict=False):
        table[start : start + array.nbytes] = np.ascontiguousarray(array).view(np.uint8).ravel()
    return table


@compiled
def part(table: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Return the bytes of an array of a table, and at its end zeros up to a multiple of `ALIGNED`.

    ``part(table, 1).view(np.int64)`` are whole numbers.
    """
    starts = table[: 8 * (number + 2)].view(np.int64)
    return table[starts[number] : starts[number + 1]]


@compiled
def fill(
    mask: NDArray[np.bool_],
    due: int,
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
) -> None:
    """Set what is possible, a mask ``(size + 1,)``, and what is allowed: the token that is due.

    If `due` is `NOTHING`, all is allowed that is possible.
    """
    for token in range(len(mask)):
        possible[token] = mask[token]
        allowed[token] = mask[token] and due == NOTHING
    if due != NOTHING:
        possible[due] = allowed[due] = True


@cache
def step_function(function: Callable[..., None]) -> Any:
    """Return a step function that is compiled, at the first call, and cached on disk."""
    return callback(function, SIGNATURE)


def _step_at(context: Any, address: Any) -> Any:
    """Say for numba what `step_at` returns, and how."""
    kind = types.FunctionType(SIGNATURE)

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        proxy = cgutils.create_struct_proxy(kind)  # type: ignore[no-untyped-call]
        function = proxy(context, builder)
        function.c_addr = builder.inttoptr(given[0], cgutils.voidptr_t)
        return function._getvalue()

    return kind(types.int64), emit


#: Returns the step function at an address, in compiled code. A call is half a millisecond faster
#: with an address among its arguments than with a function, of which numba finds the type slowly.
step_at = cast("Callable[[int], Callable[..., None]]", intrinsic(_step_at))


def _pointer_at(context: Any, address: Any) -> Any:
    """Say for numba what `_pointer` returns, and how."""
    kind = types.CPointer(types.int64)  # type: ignore[no-untyped-call]

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.inttoptr(given[0], context.get_value_type(kind))

    return kind(types.int64), emit


#: Returns a pointer to the whole numbers at an address, in compiled code.
_pointer = cast("Callable[[int], Any]", intrinsic(_pointer_at))


@compiled
def array_at(address: int, length: int) -> Ids:
    """Return the array of whole numbers at an address, in compiled code; who owns it must stay."""
    return carray(_pointer(address), (length,))


def followed(tracker: Tracker | None) -> Followed | None:
    """Return what compiled code follows of a tracker, or None."""
    # `isinstance` of a protocol looks for each of its methods, which takes long at every step.
    follow: Callable[[], Followed | None] | None = getattr(tracker, "followed", None)
    return None if follow is None else follow()
