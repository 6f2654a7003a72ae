"""Codec 2 by David Rowe, through its C interface.

The library comes with the package pycodec2. That package is not imported: its own interface codes
one frame at a call, and the noise of its decoder depends on all that was decoded before.
"""

from __future__ import annotations

import _ctypes
import ctypes
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import PluginError


def encoded(mode: int, samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return the bytes ``(T, B)`` of samples ``(T, S)``, frame by frame.

    Parameters
    ----------
    mode : int
        A mode as codec2.h numbers it.
    samples : int16 array (T, S)
        S is the number of samples of a frame in this mode.

    Raises
    ------
    PluginError
        If pycodec2 is not installed, or has no such library.
    """
    with _coder(mode) as (library, coder, size):
        rows = np.zeros((len(samples), size), np.uint8)
        samples = np.ascontiguousarray(samples)
        for row, part in zip(rows, samples, strict=True):
            library.codec2_encode(coder, row.ctypes.data, part.ctypes.data)
    return rows


def decoded(mode: int, rows: NDArray[np.uint8], size: int) -> NDArray[np.int16]:
    """Return the samples ``(T, S)`` of bytes ``(T, B)``, the same every time; `size` is S.

    Raises
    ------
    PluginError
        As for `encoded`.
    """
    samples = np.zeros((len(rows), size), np.int16)
    with _coder(mode) as (library, coder, _):
        for row, part in zip(np.ascontiguousarray(rows), samples, strict=True):
            library.codec2_decode(coder, part.ctypes.data, row.ctypes.data)
    return samples


@contextmanager
def _coder(mode: int) -> Iterator[tuple[Any, int, int]]:
    """Give the library, a coder in its first state, and the bytes of a frame.

    The decoder draws noise from a generator that the library keeps for the whole process and that
    nobody can seed. A library that is loaded anew begins with the same noise, but a system loads a
    file once, whoever asks for it. So what is loaded is a copy that nobody else has.
    """
    path = _path()
    with TemporaryDirectory(prefix="seqgen-") as folder:
        library = _loaded(Path(shutil.copy(path, folder)))
        try:
            library.codec2_create.restype = ctypes.c_void_p
            for function in (library.codec2_encode, library.codec2_decode):
                function.argtypes = (ctypes.c_void_p,) * 3
            for function in (library.codec2_destroy, library.codec2_bytes_per_frame):
                function.argtypes = (ctypes.c_void_p,)
            coder = library.codec2_create(mode)
            if not coder:
                raise PluginError(f"this build of Codec 2 lacks the mode number {mode}")
            try:
                yield library, coder, library.codec2_bytes_per_frame(coder)
            finally:
                library.codec2_destroy(coder)
        finally:
            unload = "dlclose" if hasattr(_ctypes, "dlclose") else "FreeLibrary"
            getattr(_ctypes, unload)(library._handle)


def _loaded(path: Path) -> ctypes.CDLL:
    """Return the library in a file."""
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise PluginError(
            f"a copy of the library of pycodec2 cannot be loaded ({error}); if code must not run "
            f"from {path.parent.parent}, set TMPDIR to another folder"
        ) from error


def _path() -> Path:
    """Return the library inside pycodec2, without importing it."""
    spec = find_spec("pycodec2")
    if spec is None or spec.origin is None:
        raise PluginError(
            "the codec codec2 needs the library of pycodec2; try: "
            'python -m pip install "seqgen-speech[codec2]"'
        )
    package = Path(spec.origin).parent
    # Where wheels for Linux and Windows, and for macOS, keep libraries.
    for folder in (package.with_name("pycodec2.libs"), package / ".dylibs"):
        for path in sorted(folder.glob("*codec2*")):
            return path
    raise PluginError("this pycodec2 has no library inside; install one of its wheels from PyPI")
