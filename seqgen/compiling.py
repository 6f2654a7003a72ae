"""How plain Python becomes machine code: compiled when first called, kept on disk, no lock held."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite.binding  # type: ignore[import-untyped]
import numba
from numba.core import event
from numba.core.caching import FunctionCache

from seqgen.files import cache_folder, cache_is_kept

Function = TypeVar("Function", bound=Callable[..., Any])


def _use_whole_vectors() -> None:
    """Compile for vectors of 512 bits where there are any, unless the user has settings of his own.

    LLVM takes half of them on Intel's processors, for the older ones became slower in clock. The
    products of many pieces take nearly twice as long then.
    """
    features = llvmlite.binding.get_host_cpu_features()
    if "NUMBA_CPU_FEATURES" not in os.environ and features.get("avx512f"):
        numba.config.CPU_FEATURES = f"{features.flatten()},-prefer-256-bit"  # type: ignore[attr-defined]


_use_whole_vectors()


#: Seconds to wait for another process that reads or writes machine code.
PATIENCE = 60.0


class _SharedCache(FunctionCache):
    """Machine code on disk which several processes write at once.

    Numba numbers the files of a function by what its index holds, so two that write different ones
    at a time may give both the same name. A cache that cannot be written costs time only.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with self._locked():
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError), self._locked():
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock

        with ExitStack() as held:
            with suppress(OSError):
                place = Path(self.cache_path) / "seqgen.lock"
                held.enter_context(FileLock(place, timeout=PATIENCE, is_singleton=True))
            yield


def _cached(dispatcher: Any) -> Any:
    """Let a function keep its machine code on disk, where anything can be written at all."""
    try:
        dispatcher._cache = _SharedCache(dispatcher.py_func)  # type: ignore[no-untyped-call]
    except RuntimeError:  # neither beside the source nor in the user's cache folder
        if not cache_is_kept():
            return dispatcher  # others could put code into a temporary folder
        numba.config.CACHE_DIR = str(cache_folder() / "compiled")  # type: ignore[attr-defined]
        with suppress(RuntimeError):
            dispatcher._cache = _SharedCache(dispatcher.py_func)  # type: ignore[no-untyped-call]
    return dispatcher


class _Compiler:
    """A decorator: no lock held, errors as in NumPy, a division by zero is no exception."""

    def __init__(self, **options: Any) -> None:
        self._options = options

    def __call__(self, function: Function) -> Function:
        compiler = numba.njit(nogil=True, error_model="numpy", **self._options)
        return cast("Function", _cached(compiler(function)))


compiled = _Compiler()

#: The same; a product and a sum may be one operation, but sums keep their order.
compiled_contracting = _Compiler(fastmath={"contract"})

#: The same; a sum may also be taken in the order that is fastest, which is always the same one.
compiled_summing = _Compiler(fastmath={"contract", "reassoc"})


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
