"""How plain Python becomes machine code: compiled when first called, kept on disk, no lock held."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import llvmlite.binding  # type: ignore[import-untyped]
import numba
from numba.core import event


def _use_whole_vectors() -> None:
    """Compile for vectors of 512 bits where there are any, unless the user has settings of his own.

    LLVM takes half of them on Intel's processors, for the older ones became slower in clock. The
    products of many pieces take nearly twice as long then.
    """
    features = llvmlite.binding.get_host_cpu_features()
    if "NUMBA_CPU_FEATURES" not in os.environ and features.get("avx512f"):
        numba.config.CPU_FEATURES = f"{features.flatten()},-prefer-256-bit"  # type: ignore[attr-defined]


_use_whole_vectors()

#: Errors as in NumPy: a division by zero is no exception.
compiled = numba.njit(cache=True, nogil=True, error_model="numpy")

#: The same; a product and a sum may be one operation, but sums keep their order.
compiled_contracting = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract"}
)

#: The same; a sum may also be taken in the order that is fastest, which is always the same one.
compiled_summing = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"}
)


@contextmanager
def told_of_compiling(tell: Callable[[], None]) -> Iterator[None]:
    """Call a function whenever something is compiled that the disk does not keep yet."""

    class Listener(event.Listener):
        def on_start(self, event: event.Event) -> None:
            tell()

        def on_end(self, event: event.Event) -> None:
            pass

    with event.install_listener("numba:compile", Listener()):
        yield
