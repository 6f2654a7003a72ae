"""Opens compressed files as streams, and bounds what is read from them and what memory they take.

All that a compressed file says of itself may be a lie. Next: `seqgen.data.unpacking` reads archives
from these streams.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol

from seqgen.errors import DataError

#: Largest ratio of what is unpacked to the size of an archive.
MOST_RATIO = 200

#: Most bytes of a header in a tar archive, and most memory for the dictionary of xz and zstd.
MOST_HEADER, MOST_MEMORY = 2**20, 2**28

#: Bytes copied at a time.
CHUNK = 2**20


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, and none at the end."""


class Bounded:
    """A stream that fails when more is read than allowed, in all or until the next `allow`.

    Attributes
    ----------
    left : int
        Bytes that may still be read.
    """

    def __init__(self, stream: Stream, most: int) -> None:
        self._stream = stream
        self.left, self._now = most, most

    def allow(self, size: int) -> None:
        """Allow `size` more bytes until the next call."""
        self._now = size

    def read(self, size: int = CHUNK) -> bytes:
        """Return at most `size` bytes.

        Raises
        ------
        DataError
            If more was read than allowed.
        """
        data = self._stream.read(size)
        self.left -= len(data)
        self._now -= len(data)
        if self.left < 0:
            raise DataError(
                f"it unpacks to more than {MOST_RATIO} times its size, as an attack would; unpack "
                f"it yourself if you trust it"
            )
        if self._now < 0:
            raise DataError(f"a header in it has over {MOST_HEADER:,} bytes")
        return data


class _Xz:
    """The content of an xz file, with a bound on the memory that it may ask for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = lzma.LZMADecompressor(memlimit=MOST_MEMORY)

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, and none at the end."""
        while True:
            if self._decoder.eof:
                rest = (self._decoder.unused_data or self._file.read(CHUNK)).lstrip(b"\0")
                if not rest:
                    return b""
                self._decoder = lzma.LZMADecompressor(memlimit=MOST_MEMORY)
                data = rest
            else:
                data = self._file.read(2**16) if self._decoder.needs_input else b""
                if self._decoder.needs_input and not data:
                    raise EOFError("it ends too early")
            if found := self._decoder.decompress(data, size):
                return found


def _zstd(file: BinaryIO) -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise DataError(
            "zstandard is needed to read it: python -m pip install 'seqgen-toolkit[zstd]'"
        ) from error
    decoder = zstandard.ZstdDecompressor(max_window_size=MOST_MEMORY)
    return decoder.stream_reader(file, read_across_frames=True)


#: What opens the content of a compressed file, by suffix.
OPENERS: dict[str, Callable[[BinaryIO], Any]] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".xz": _Xz,
    ".zst": _zstd,
    "": lambda file: file,
}
