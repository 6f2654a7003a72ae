"""The corpus folder: encoded pieces on disk, memory-mapped; docs/format.md describes the files.

Comes from: `seqgen.preparation`. Next: `seqgen.lanes` reads it step by step.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqgen.discovery import load_codec
from seqgen.errors import CorpusError, DataError
from seqgen.files import CORPUS, read_description, write_json
from seqgen.plugin import Codec
from seqgen.twins import Twins
from seqgen.vocab import Vocab

FORMAT = 1

#: One line of JSON a piece: where it comes from, and what it is.
SOURCES = "sources.jsonl"

Split: TypeAlias = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

#: Share kept for validation and for test: of the pieces, or of each piece's tokens.
HELD_OUT = {"valid": 0.1, "test": 0.05}

#: Pieces of more tokens are held out in part, at their end; shorter ones as a whole or not.
LONG_PIECE = 20_000

#: Larger groups of twins are trained on: too much of a corpus to be held out by chance.
LARGE_GROUP = 20

SEGMENT = np.dtype([("piece", "<i8"), ("start", "<i8"), ("stop", "<i8"), ("split", "u1")])


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of one piece's ids, ``start .. stop``, that belongs to one split."""

    piece: int
    start: int
    stop: int


class Segments(Sequence[Segment]):
    """Segments, held as rows of an array: a million take 25 MB.

    Parameters
    ----------
    rows : array of `SEGMENT`
    """

    def __init__(self, rows: NDArray[np.void]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        """Return the segment of a number, or those of a slice or an array of numbers."""
        chosen = self._rows[index]
        return Segments(chosen) if chosen.ndim else Segment(*chosen.item()[:3])

    @property
    def tokens(self) -> int:
        """How many tokens all have together."""
        return int((self._rows["stop"] - self._rows["start"]).sum())

    def cut(self, longest: int) -> Segments:
        """Return the same with parts of at most so many tokens in the place of longer ones."""
        lengths = self._rows["stop"] - self._rows["start"]
        counts = np.maximum(-(-lengths // longest), 1)
        parts = np.repeat(self._rows, counts)
        number = np.arange(len(parts)) - np.repeat(np.cumsum(counts) - counts, counts)
        parts["start"] += number * longest
        parts["stop"] = np.minimum(parts["stop"], parts["start"] + longest)
        return Segments(parts)

    def sample(self, most: int, seed: int) -> Segments:
        """Return random ones of so many tokens together; the last one is cut to fit."""
        order = np.random.default_rng(seed).permutation(len(self._rows))
        drawn = self._rows[order]
        ends = np.cumsum(drawn["stop"] - drawn["start"])
        count = int(np.searchsorted(ends, most)) + 1
        kept = drawn[:count].copy()
        kept["stop"][-1] -= ends[count - 1] - most
        return Segments(kept)

    def longest_first(self) -> Segments:
        """Return the same by length; those of one length stay in order."""
        lengths = self._rows["stop"] - self._rows["start"]
        return Segments(self._rows[np.argsort(-lengths, kind="stable")])

    def shares(self, lanes: int) -> list[Segments]:
        """Cut all, one after the other, into one share of equal length for every lane."""
        lengths = self._rows["stop"] - self._rows["start"]
        ends, total = np.cumsum(lengths), int(lengths.sum())
        cut = []
        for lane in range(lanes):
            low, high = total * lane // lanes, total * (lane + 1) // lanes
            first, last = np.searchsorted(ends, low, "right"), np.searchsorted(ends, high)
            rows = self._rows[first : last + 1 if high > low else first].copy()
            if len(rows):
                rows["start"][0] += low - (ends[first] - lengths[first])
                rows["stop"][-1] -= ends[last] - high
            cut.append(Segments(rows))
        return cut


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a piece comes from, and what it is.

    Attributes
    ----------
    source : str
        A file, and which of its pieces but for the first.
    tokens : int
    units : mapping of str to float
        What `Codec.units` counts in it; empty in a corpus made before that was written down.
    facts : mapping of str to str, int or float
        What `Domain.describe` says of it.
    """

    source: str
    tokens: int = 0
    units: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


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
        return load_codec(self.info, self.folder)

    def piece(self, index: int) -> NDArray[Any]:
        """Return the ids ``(N,)`` of a piece, a read-only view of the file."""
        ids: NDArray[Any] = self._tokens[self._offsets[index] : self._offsets[index + 1]]
        return ids

    def source(self, index: int) -> str:
        """Return where a piece comes from: a file, and which of its pieces but for the first."""
        path = self.folder / SOURCES
        if not path.exists():
            return f"piece {index + 1}"
        with path.open(encoding="utf-8") as lines:
            return _origin(next(itertools.islice(lines, index, None))).source

    def origins(self) -> Iterator[Origin]:
        """Yield where each piece comes from and what it is, in the order of the corpus."""
        lengths = np.diff(self._offsets).tolist()
        path = self.folder / SOURCES
        if not path.exists():
            yield from (Origin(f"piece {index}", tokens) for index, tokens in enumerate(lengths, 1))
            return
        with path.open(encoding="utf-8") as lines:
            for line, tokens in zip(lines, lengths, strict=True):
                yield replace(_origin(line), tokens=tokens)

    def segments(self, split: Split) -> Segments:
        """Return what belongs to a split, in the order of the corpus."""
        return Segments(self._segments[self._segments["split"] == SPLITS.index(split)])

    def size(self, split: Split) -> int:
        """Return the number of tokens in a split, START and END not counted."""
        return int(self.info["tokens"][split])

    def __repr__(self) -> str:
        sizes = ", ".join(f"{split} {self.size(split):,}" for split in SPLITS)
        return f"Corpus({str(self.folder)!r}: {self.info['codec']['name']} tokens, {sizes})"


class CorpusWriter:
    """Writes ids as they come; of a piece its length, a short digest and passages stay in memory.

    Attributes
    ----------
    lengths : array of int
        Tokens of each piece so far.
    twins : Twins
        What passages they have.
    """

    def __init__(self, folder: Path, codec: Codec, keep_duplicates: bool = False) -> None:
        self.lengths = array("q")
        self.twins = Twins()
        self._folder = folder
        self._codec = codec
        self._vocab = Vocab.of(codec.vocab)
        self._dtype = np.dtype(self._vocab.dtype).newbyteorder("<")
        self._keep_duplicates = keep_duplicates
        self._duplicates: list[str] = []
        self._seen: set[int] = set()
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

    def add(
        self, source: str, ids: NDArray[Any], facts: Mapping[str, str | int | float] | None = None
    ) -> bytes | None:
        """Append a piece, unless the same piece is there already.

        Parameters
        ----------
        source : str
            Where it comes from.
        ids : integer array (N,)
            Its ids, of any dtype.
        facts : mapping, optional
            What `Domain.describe` says of it.

        Returns
        -------
        bytes or None
            The digest of its tokens' names, if it was appended.

        Raises
        ------
        DataError
            If there is no id, or one that is not in the vocabulary.
        """
        if not len(ids):
            raise DataError(f"{source} is empty: codec {type(self._codec).__name__} gave no token")
        if not 0 <= ids.min() <= ids.max() < len(self._vocab.names):
            raise DataError(
                f"codec {type(self._codec).__name__} encoded {source} with ids {ids.min()} to "
                f"{ids.max()}, but its vocabulary has only {len(self._vocab.names)} tokens"
            )
        digest = self._digest(ids)
        if not self._keep_duplicates:
            # Sixty-four bits tell even a hundred million pieces apart, in half the memory.
            short = int.from_bytes(digest[:8], "little")
            if short in self._seen:
                self._duplicates.append(source)
                return None
            self._seen.add(short)
        whole = ids.astype(np.int64, copy=False)
        self.twins.add(len(self.lengths), self._codec.passages(whole))
        self.lengths.append(len(ids))
        units = self._codec.units(whole)
        self._units.update(units)
        self._file.write(np.ascontiguousarray(ids, self._dtype).data)
        line = {"source": source, "units": units, "facts": facts or {}}
        print(json.dumps(line), file=self._sources)
        return digest

    def finish(
        self, info: dict[str, Any], segments: NDArray[np.void], leaders: NDArray[np.int64]
    ) -> None:
        """Write what goes beside the tokens.

        Parameters
        ----------
        info : dict
            What ``corpus.json`` says of where the pieces come from.
        segments : array of `SEGMENT`
            Which run of which piece is in which split.
        leaders : int64 array (pieces,)
            The groups of twins, as `Twins.leaders` gives them.
        """
        self._write_header()
        offsets = np.zeros(len(self.lengths) + 1, "<i8")
        np.cumsum(self.lengths, out=offsets[1:])
        np.save(self._folder / "offsets.npy", offsets)
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
            **_count_twins(leaders, segments),
        }
        write_json(self._folder / CORPUS, info | learned)

    def _digest(self, ids: NDArray[Any]) -> bytes:
        digest = hashlib.sha256()
        for low in range(0, len(ids), 2**16):
            digest.update(self._hashes[ids[low : low + 2**16]].data)
        return digest.digest()

    def _write_header(self) -> None:
        """Write the .npy header, padded by numpy so that the final one fits in its place."""
        self._file.seek(0)
        shape = (sum(self.lengths),)
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)


def _origin(line: str) -> Origin:
    """Return what a line of `SOURCES` says; in older corpora it is only a source."""
    content = json.loads(line)
    return Origin(**content) if isinstance(content, dict) else Origin(content)


def _name_hash(name: str) -> int:
    return int.from_bytes(
        hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "little"
    )


def whole(lengths: Sequence[int], splits: ArrayLike) -> NDArray[np.void]:
    """Put every piece as a whole in its split."""
    rows = np.zeros(len(lengths), SEGMENT)
    rows["piece"] = np.arange(len(lengths))
    rows["stop"], rows["split"] = lengths, splits
    return rows


def draw(digest: bytes, seed: int) -> float:
    """Return the number from 0 to 1 by which a piece of this digest falls into its split."""
    drawn = hashlib.sha256(digest + seed.to_bytes(8, "little")).digest()
    return int.from_bytes(drawn[:8], "little") / 2**64


def assign_splits(
    draws: Sequence[float], lengths: Sequence[int], leaders: NDArray[np.int64]
) -> NDArray[np.void]:
    """Decide group by group, from its content and the seed, which `draw` has made a number of.

    A group of twins, or a piece without, goes into one split as a whole, by the draw of its
    leader; a group of more than `LARGE_GROUP` is trained on. So more files move a piece only if
    its group gains a twin. Of a piece of more than `LONG_PIECE` tokens without a twin the end
    is held out. Where that leaves a split empty, the end of every piece is held out instead.
    """
    bounds = [HELD_OUT["valid"], HELD_OUT["valid"] + HELD_OUT["test"]]
    drawn = np.searchsorted(bounds, np.asarray(draws)[leaders], side="right")
    size = np.bincount(leaders)[leaders]
    splits = np.where(size > LARGE_GROUP, 0, np.array([1, 2, 0])[drawn])
    rows = whole(lengths, splits)
    rows = _hold_out_ends(rows, (rows["stop"] > LONG_PIECE) & (size == 1))
    if len(np.unique(rows["split"])) < len(SPLITS):
        rows = _hold_out_ends(whole(lengths, 0), np.ones(len(lengths), bool))
    return rows


def _count_twins(leaders: NDArray[np.int64], segments: NDArray[np.void]) -> dict[str, int]:
    """Count pieces with twins, their groups, and held-out pieces with a twin in training."""
    trained, held_out = np.zeros((2, len(leaders)), bool)
    trained[segments["piece"][segments["split"] == 0]] = True
    held_out[segments["piece"][segments["split"] != 0]] = True
    size = np.bincount(leaders)[leaders]
    others_trained = np.bincount(leaders, trained)[leaders] - trained
    return {
        "twins": int((size > 1).sum()),
        "twin_groups": len(np.unique(leaders[size > 1])),
        "twins_across_splits": int((held_out & (others_trained > 0)).sum()),
    }


def _hold_out_ends(rows: NDArray[np.void], chosen: NDArray[np.bool_]) -> NDArray[np.void]:
    """Put the rows of training, validation and test in the place of chosen whole pieces."""
    tails = [
        row for piece in rows[chosen] for row in _tails(int(piece["piece"]), int(piece["stop"]))
    ]
    mixed = np.concatenate([rows[~chosen], np.array(tails, SEGMENT)])
    return mixed[np.argsort(mixed["piece"], kind="stable")]


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
