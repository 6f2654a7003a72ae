"""Token files of a corpus: one, or several shards where one would be too large.

A piece lies in one shard. The first shard is `TOKENS`; a corpus of one shard has only this file.

Next: `seqgen.data.corpus` writes and reads them, `seqgen.data.integrity` checks them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

TOKENS = "tokens.npy"

#: Bytes of ids after which a shard ends; a longer piece has a shard of its own.
SHARD = 2**28


def shard_name(number: int) -> str:
    """Return the file name of a shard."""
    return f"tokens-{number}.npy" if number else TOKENS


def shard_names(info: Mapping[str, Any]) -> list[str]:
    """Return the file names of all shards of a described corpus."""
    return [shard_name(number) for number in range(len(info.get("shards", (0,))))]


class Shards:
    """The ids of all pieces, in one array for each shard.

    Parameters
    ----------
    arrays : sequence of unsigned array (N,)
    first : sequence of int
        Number of the first piece of each shard.
    offsets : int64 array (pieces + 1,)
        Place of each piece among the ids of all shards.
    """

    def __init__(
        self,
        arrays: Sequence[NDArray[Any]],
        first: Sequence[int],
        offsets: NDArray[np.int64],
    ) -> None:
        self.arrays = arrays
        self._first = first
        self._offsets = offsets

    def of(self, arrays: Sequence[NDArray[Any]]) -> Shards:
        """Return the same pieces in other arrays, such as those of a copy."""
        return Shards(arrays, self._first, self._offsets)

    def shard_of(self, piece: int) -> int:
        """Return the number of the shard that has a piece."""
        return bisect_right(self._first, piece) - 1

    def piece(self, index: int) -> NDArray[Any]:
        """Return the ids ``(N,)`` of a piece: a view of its shard."""
        shard = self.shard_of(index)
        begin = int(self._offsets[self._first[shard]])
        start, stop = int(self._offsets[index]) - begin, int(self._offsets[index + 1]) - begin
        return self.arrays[shard][start:stop]


class ShardWriter:
    """Writes ids piece by piece, and begins a shard when the next piece would exceed `SHARD`.

    Attributes
    ----------
    first : list of int
        Number of the first piece of each shard so far.
    """

    def __init__(self, folder: Path, dtype: np.dtype[Any]) -> None:
        self.first = [0]
        self._folder = folder
        self._dtype = dtype
        self._begin()

    def add(self, piece: int, ids: NDArray[Any]) -> None:
        """Append the ids ``(N,)`` of the piece with this number."""
        if self._held and (self._held + len(ids)) * self._dtype.itemsize > SHARD:
            self.close()
            self.first.append(piece)
            self._begin()
        self._file.write(np.ascontiguousarray(ids, self._dtype).data)
        self._held += len(ids)

    def flush(self) -> None:
        """Complete the last file, so that it can be read; no piece follows."""
        self._write_header()
        self._file.flush()

    def close(self) -> None:
        """Complete and close the last file."""
        self._write_header()
        self._file.close()

    def written(self, offsets: NDArray[np.int64]) -> Shards:
        """Map the completed files into memory; `offsets` are as for `Shards`."""
        names = map(shard_name, range(len(self.first)))
        arrays = [np.load(self._folder / name, mmap_mode="r") for name in names]
        return Shards(arrays, self.first, offsets)

    def _begin(self) -> None:
        self._held = 0
        self._file: BinaryIO = (self._folder / shard_name(len(self.first) - 1)).open("wb")
        self._write_header()

    def _write_header(self) -> None:
        """Write the .npy header; NumPy pads it, so the final one has the same size."""
        self._file.seek(0)
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self._held,)}
        np.lib.format.write_array_header_1_0(self._file, header)
