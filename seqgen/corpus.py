"""The corpus folder: encoded pieces on disk, memory-mapped; docs/format.md describes the files.

Comes from: `seqgen.preparation`. Next: `seqgen.lanes` reads it step by step.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.discovery import load_codec
from seqgen.errors import CorpusError, DataError
from seqgen.files import CORPUS, read_description, write_json
from seqgen.plugin import Codec, Ids
from seqgen.vocab import Vocab

FORMAT = 1

#: One line of JSON a piece: where it comes from.
SOURCES = "sources.jsonl"

Split: TypeAlias = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

#: Share kept for validation and for test: of the pieces, or of each piece's tokens.
HELD_OUT = {"valid": 0.1, "test": 0.05}

#: Pieces of more tokens are held out in part, at their end; shorter ones as a whole or not.
LONG_PIECE = 20_000

SEGMENT = np.dtype([("piece", "<i8"), ("start", "<i8"), ("stop", "<i8"), ("split", "u1")])


@dataclass(frozen=True)
class Segment:
    """A run of one piece's ids, ``start .. stop``, that belongs to one split."""

    piece: int
    start: int
    stop: int


class Corpus:
    """A corpus folder, read-only.

    Parameters
    ----------
    folder : Path
        What `seqgen.prepare` or `seqgen.write_corpus` made.

    Raises
    ------
    CorpusError
        If the folder is no corpus, or of another format.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        try:
            self.info = read_description(self.folder / CORPUS)
        except (OSError, ValueError) as error:
            raise CorpusError(
                f"{self.folder} is no corpus folder ({error}); make one with seqgen prepare"
            ) from error
        if self.info.get("format") != FORMAT:
            raise CorpusError(
                f"{self.folder} has corpus format {self.info.get('format')}, this seqgen reads "
                f"format {FORMAT}; prepare it again"
            )
        try:
            self.vocab = Vocab.of(self.info["vocab"])
            self._tokens, self._offsets, self._segments = (
                np.load(self.folder / f"{name}.npy", mmap_mode="r")
                for name in ("tokens", "offsets", "segments")
            )
        except (OSError, ValueError, KeyError) as error:
            raise CorpusError(f"{self.folder} is damaged ({error}); prepare it again") from error
        if self._offsets[-1] != len(self._tokens):
            raise CorpusError(
                f"{self.folder} is damaged: expected {self._offsets[-1]} tokens, "
                f"found {len(self._tokens)}; prepare it again"
            )

    @cached_property
    def codec(self) -> Codec:
        """The codec that encoded the pieces, from its saved state."""
        return load_codec(self.info)

    def piece(self, index: int) -> NDArray[Any]:
        """Return the ids ``(N,)`` of a piece, a read-only view of the file."""
        ids: NDArray[Any] = self._tokens[self._offsets[index] : self._offsets[index + 1]]
        return ids

    def source(self, index: int) -> str:
        """Return where a piece comes from: a file, with the number of the piece if it has more."""
        path = self.folder / SOURCES
        if not path.exists():
            return f"piece {index + 1}"
        with path.open(encoding="utf-8") as lines:
            return str(json.loads(next(itertools.islice(lines, index, None))))

    def segments(self, split: Split) -> list[Segment]:
        """Return what belongs to a split, in the order of the corpus."""
        rows = self._segments[self._segments["split"] == SPLITS.index(split)]
        return [Segment(int(row["piece"]), int(row["start"]), int(row["stop"])) for row in rows]

    def size(self, split: Split) -> int:
        """Return the number of tokens in a split, START and END not counted."""
        return int(self.info["tokens"][split])

    def __repr__(self) -> str:
        sizes = ", ".join(f"{split} {self.size(split):,}" for split in SPLITS)
        return f"Corpus({str(self.folder)!r}: {self.info['codec']['name']} tokens, {sizes})"


class CorpusWriter:
    """Writes ids as they come; only lengths and digests stay in memory."""

    def __init__(self, folder: Path, codec: Codec, keep_duplicates: bool = False) -> None:
        self.lengths: list[int] = []
        self.digests: list[bytes] = []
        self._folder = folder
        self._codec = codec
        self._vocab = Vocab.of(codec.vocab)
        self._dtype = np.dtype(self._vocab.dtype).newbyteorder("<")
        self._keep_duplicates = keep_duplicates
        self._duplicates: list[str] = []
        self._seen: set[bytes] = set()
        #: A hash of each token's name: a piece keeps its digest when the vocabulary grows.
        self._hashes = np.array([_name_hash(name) for name in self._vocab.names], "<u8")
        self._units: Counter[str] = Counter()

    def __enter__(self) -> CorpusWriter:
        self._file: BinaryIO = (self._folder / "tokens.npy").open("wb")
        self._sources = (self._folder / SOURCES).open("w", encoding="utf-8")
        self._write_header()
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._sources.close()

    def add(self, source: str, ids: Ids) -> None:
        """Append a piece, unless the same piece is there already."""
        if not len(ids):
            raise DataError(f"{source} is empty: codec {type(self._codec).__name__} gave no token")
        if not 0 <= ids.min() <= ids.max() < len(self._vocab.names):
            raise DataError(
                f"codec {type(self._codec).__name__} encoded {source} with ids {ids.min()} to "
                f"{ids.max()}, but its vocabulary has only {len(self._vocab.names)} tokens"
            )
        digest = self._digest(ids)
        if digest in self._seen and not self._keep_duplicates:
            self._duplicates.append(source)
            return
        self._seen.add(digest)
        self.digests.append(digest)
        self.lengths.append(len(ids))
        self._units.update(self._codec.units(ids))
        self._file.write(ids.astype(self._dtype).tobytes())
        print(json.dumps(source), file=self._sources)

    def finish(self, info: dict[str, Any], segments: NDArray[np.void]) -> None:
        """Write what goes beside the tokens.

        Parameters
        ----------
        info : dict
            What ``corpus.json`` says of where the pieces come from.
        segments : array of `SEGMENT`
            Which run of which piece is in which split.
        """
        self._write_header()
        np.save(self._folder / "offsets.npy", np.cumsum([0, *self.lengths], dtype="<i8"))
        np.save(self._folder / "segments.npy", segments)
        counts = {
            name: int((segments["stop"] - segments["start"])[segments["split"] == number].sum())
            for number, name in enumerate(SPLITS)
        }
        learned = {
            "codec": {**info["codec"], "state": self._codec.state()},
            "vocab": list(self._vocab.names),
            "vocab_digest": self._vocab.digest,
            "pieces": len(self.lengths),
            "longest": max(self.lengths),
            "tokens": counts,
            "units": dict(self._units),
            "duplicates": self._duplicates,
        }
        write_json(self._folder / CORPUS, info | learned)

    def _digest(self, ids: Ids) -> bytes:
        digest = hashlib.sha256()
        for low in range(0, len(ids), 2**20):
            digest.update(self._hashes[ids[low : low + 2**20]].tobytes())
        return digest.digest()

    def _write_header(self) -> None:
        """Write the .npy header, padded by numpy so that the final one fits in its place."""
        self._file.seek(0)
        shape = (sum(self.lengths),)
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)


def _name_hash(name: str) -> int:
    return int.from_bytes(
        hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "little"
    )


def whole(lengths: list[int], splits: list[int]) -> NDArray[np.void]:
    """Put every piece as a whole in its split."""
    pairs = enumerate(zip(lengths, splits, strict=True))
    return np.array([(index, 0, length, split) for index, (length, split) in pairs], SEGMENT)


def assign_splits(digests: list[bytes], lengths: list[int], seed: int) -> NDArray[np.void]:
    """Decide piece by piece, from its content and the seed.

    A piece of at most `LONG_PIECE` tokens goes into one split as a whole, by a draw from its
    content, so that more files never move it; of a longer one the end is held out. Where that
    leaves a split empty, the end of every piece is held out instead.
    """
    rows: list[tuple[int, int, int, int]] = []
    for index, (digest, length) in enumerate(zip(digests, lengths, strict=True)):
        drawn = hashlib.sha256(digest + seed.to_bytes(8, "little")).digest()
        draw = int.from_bytes(drawn[:8], "little") / 2**64
        valid, test = HELD_OUT["valid"], HELD_OUT["test"]
        split = 1 if draw < valid else 2 if draw < valid + test else 0
        rows += [(index, 0, length, split)] if length <= LONG_PIECE else _tails(index, length)
    if {row[3] for row in rows} != set(range(len(SPLITS))):
        rows = [row for index, length in enumerate(lengths) for row in _tails(index, length)]
    return np.array(rows, SEGMENT)


def _tails(index: int, length: int) -> list[tuple[int, int, int, int]]:
    """Cut a piece into the rows of training, validation and test, the first never empty."""
    kept = 1 - HELD_OUT["test"]
    cuts = (
        0,
        max(round(length * (kept - HELD_OUT["valid"])), 1),
        max(round(length * kept), 1),
        length,
    )
    spans = enumerate(pairwise(cuts))
    return [(index, start, stop, split) for split, (start, stop) in spans if stop > start]
