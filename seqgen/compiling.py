"""Compiling with numba: at the first call, cached on disk, without Python's lock."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite.binding  # type: ignore[import-untyped]
import numba
from numba.core import event
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc

from seqgen.files import cache_folder, cache_is_kept

Function = TypeVar("Function", bound=Callable[..., Any])


def _use_whole_vectors() -> None:
    """Compile for 512-bit vectors where the processor has them, unless the user chose otherwise.

    LLVM uses half of them on Intel's processors, because older ones lowered their clock. With half,
    the products of many pieces take nearly twice as long.
    """
    features = llvmlite.binding.get_host_cpu_features()
    if "NUMBA_CPU_FEATURES" not in os.environ and features.get("avx512f"):
        numba.config.CPU_FEATURES = f"{features.flatten()},-prefer-256-bit"  # type: ignore[attr-defined]


_use_whole_vectors()


def multiplies_bfloat16() -> bool:
    """Return whether the processor has instructions for products of 16-bit numbers (bfloat16)."""
    features = llvmlite.binding.get_host_cpu_features()
    return any(features.get(name) for name in ("avx512bf16", "amx-bf16"))


#: Seconds to wait for another process that reads or writes machine code.
PATIENCE = 60.0


class _SharedCache(FunctionCache):
    """A cache of machine code on disk that several processes may write.

    Numba numbers the files of a function by its index, so two processes that write at the same time
    could choose the same name: a lock prevents it. A cache that cannot be written only costs time.

    Numba compiles a function again if its own file changes. Functions that it calls may be in other
    files of the package, and so may the types in the index, so a change of any file counts here.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        package = function.__module__.partition(".")[0]
        # Numba compares the version before it reads the rest of the index.
        self._cache_file._version = f"{numba.__version__} {_stamp(package)}"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the machine code for a signature, or None to compile it."""
        with self._locked():
            try:
                return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
            except (AttributeError, ImportError):
                # The index names a type that another module holds since an upgrade.
                with suppress(OSError):
                    self.flush()  # type: ignore[no-untyped-call]
                return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the machine code for a signature, if the folder can be written."""
        with suppress(OSError, AttributeError, ImportError), self._locked():
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock

        with ExitStack() as held:
            with suppress(OSError):
                place = Path(self.cache_path) / "seqgen.lock"
                held.enter_context(FileLock(place, timeout=PATIENCE, is_singleton=True))
            yield


@functools.cache
def _stamp(package: str) -> tuple[int, int]:
    """Return the size of all sources of a package in bytes, and the time of the last change."""
    size, changed = 0, 0
    for place in getattr(sys.modules[package], "__path__", ()):
        for source in Path(place).rglob("*.py"):
            about = source.stat()
            size, changed = size + about.st_size, max(changed, about.st_mtime_ns)
    return size, changed


def _cached(dispatcher: Any, function: Callable[..., Any]) -> Any:
    """Give a compiled function a cache on disk, if a folder can be written."""
    try:
        dispatcher._cache = _SharedCache(function)
    except RuntimeError:  # neither beside the source nor in the user's cache folder
        if not cache_is_kept():
            return dispatcher  # others could put code into a temporary folder
        numba.config.CACHE_DIR = str(cache_folder() / "compiled")  # type: ignore[attr-defined]
        with suppress(RuntimeError):
            dispatcher._cache = _SharedCache(function)
    return dispatcher


class _Compiler:
    """A decorator: releases Python's lock; division by zero gives inf or NaN, as in NumPy."""

    def __init__(self, **options: Any) -> None:
        # `callback` makes what compiled functions call as a value.
        self._options = {"no_cfunc_wrapper": True, **options}

    def __call__(self, function: Function) -> Function:
        compiler = numba.njit(nogil=True, error_model="numpy", **self._options)
        return cast("Function", _cached(compiler(function), function))


compiled = _Compiler()

#: The same; a product and a sum may become one operation, but sums keep their order.
compiled_contracting = _Compiler(fastmath={"contract"})

#: The same, as a part of what calls it: passing all weights would take as long as a short loop.
compiled_inside = _Compiler(fastmath={"contract"}, forceinline=True)

#: The same; a sum may also run in the fastest order, which is always the same.
compiled_summing = _Compiler(fastmath={"contract", "reassoc"})

#: The same for extremes of numbers, among which NaN does not count.
compiled_choosing = _Compiler(fastmath={"nnan", "nsz", "reassoc"})


@compiled_inside
def copy(values: Any, target: Any) -> None:
    """Copy an array (N,) or (N, M) into another of the same shape.

    Numba compiles an assignment to a slice three seconds longer, for the text of its error.
    """
    if values.ndim == 1:
        for place in range(len(target)):
            target[place] = values[place]
    else:
        for row in range(len(target)):
            for column in range(target.shape[1]):
                target[row, column] = values[row, column]


def callback(function: Callable[..., Any], signature: Any) -> Any:
    """Return a function as a value that compiled functions take as an argument and call.

    All functions of one signature are of one type, so what calls them is compiled once. An
    exception does not leave it.
    """
    made = CFunc(function, (signature.args, signature.return_type), {}, {"error_model": "numpy"})
    _cached(made, function)
    made.compile()
    return made


@contextmanager
def told_of_compiling(tell: Callable[[], None]) -> Iterator[None]:
    """Call a function whenever code is compiled that the cache lacks."""

    class Listener(event.Listener):
        def on_start(self, event: event.Event) -> None:
            tell()

        def on_end(self, event: event.Event) -> None:
            pass

    with event.install_listener("numba:compile", Listener()):
        yield
