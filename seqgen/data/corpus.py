"""The corpus folder: encoded pieces on disk, memory-mapped. docs/format.md describes the files.

Comes from: `seqgen.data.preparation`. Next: `seqgen.data.lanes` reads it step by step.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.bounds import checked
from seqgen.conditions.unlabelled import without_labels
from seqgen.data.integrity import (
    ARRAYS,
    LONGEST_LINE,
    OFFSETS,
    SEGMENTS,
    SOURCES,
    WEIGHTS,
    damaged,
    digests,
    open_arrays,
    read_corpus,
    source_line,
    tokens_by_split,
    verify_digest,
    verify_ids,
)
from seqgen.data.near_duplicates import NearDuplicates
from seqgen.data.rows import CodecRows, codec_rows
from seqgen.data.shards import ShardWriter, shard_name
from seqgen.data.splits import (
    SPLITS,
    Segments,
    Split,
    count_near_duplicates,
    read_in_training,
)
from seqgen.errors import DataError
from seqgen.files import CORPUS, write_json
from seqgen.plugin import Codec, Ids
from seqgen.plugins.checks import mask_width
from seqgen.plugins.rebuilding import load_codec, load_read_options
from seqgen.vocab import Vocab

#: Number of ids that are counted at once.
COUNTED_AT_ONCE = 2**20


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of a piece, and facts about it.

    Attributes
    ----------
    source : str
        A file, as in ``book.txt``; or ``book.txt, piece 2`` for its second piece.
    tokens : int
    units : mapping of str to float
        The result of `Codec.units`.
    facts : mapping of str to str, int or float
        The result of `Domain.describe`, and what `Domain.read` says.
    weight : float
        How often an epoch of training reads the piece on average.
    """

    source: str
    tokens: int = 0
    units: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str | int | float] = field(default_factory=dict)
    weight: float = 1.0


class Corpus:
    """A corpus folder, read-only.

    Parameters
    ----------
    folder : Path
        The folder that `seqgen.prepare` or `seqgen.write_corpus` made.

    Attributes
    ----------
    weights : float32 array (pieces,)
        How often an epoch of training reads each piece on average, from 0 to 100.

    Raises
    ------
    CorpusError
        If the folder is not a corpus, has another format, or is damaged.
    """

    made_by = "seqgen.Corpus({})"

    @checked
    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.info, self.vocab = read_corpus(self.folder)
        arrays = open_arrays(self.folder, self.info, self.vocab)
        self.shards, self._offsets, self._segments, self.weights = arrays
        self._verified = set[str]()
        self._rows: tuple[int, CodecRows] | None = None

    def verify(self) -> None:
        """Check all files against their digests, and the ids against the vocabulary, once.

        This reads all files, at about half a gigabyte per second. The first call of `piece` does it
        too, but only for the shard that it reads; call it earlier if the delay would disturb, for
        example before measuring speed.

        Raises
        ------
        CorpusError
            If a file was altered, or has ids outside the vocabulary.
        """
        for shard in range(len(self.shards.arrays)):
            self._verify_shard(shard)

    def _verify_shard(self, shard: int) -> None:
        """Check a shard, and with the first one the files about all pieces."""
        name = shard_name(shard)
        if name in self._verified:
            return
        verify_ids(self.folder / name, self.shards.arrays[shard], self.vocab)
        for file in (name, *ARRAYS, SOURCES):
            if file not in self._verified:
                verify_digest(self.folder / file, self.info)
                self._verified.add(file)

    @cached_property
    def codec(self) -> Codec:
        """The codec that encoded the pieces, rebuilt from its saved state."""
        return load_codec(self.info, self.folder)

    @cached_property
    def read_options(self) -> Any:
        """The options that the files were read with."""
        return load_read_options(self.info, self.folder)

    @cached_property
    def mask_width(self) -> int:
        """Bytes of a packed mask of the codec's grammar; 0 without a grammar."""
        return mask_width(self.codec)

    def piece(self, index: int) -> NDArray[Any]:
        """Return the ids ``(N,)`` of a piece: a read-only view of the verified file."""
        self._verify_shard(self.shards.shard_of(index))
        return self.shards.piece(index)

    def rows(self, index: int) -> CodecRows:
        """Return the features and masks of a piece.

        Those of the last piece are kept: all lanes and spans in a long piece share them.
        """
        if self._rows is None or self._rows[0] != index:
            # Slices of a plain array are several times as fast as those of a memory map.
            self._rows = index, codec_rows(self.codec, np.asarray(self.piece(index)))
        return self._rows[1]

    @cached_property
    def counts(self) -> Ids:
        """How often training has each id to predict, END included: int64 ``(V',)``."""
        counts = np.zeros(self.vocab.targets, np.int64)
        parts, held = list[NDArray[Any]](), 0
        for segment in self.segments("train"):
            part = self.piece(segment.piece)[segment.start : segment.stop]
            parts.append(part)
            held += len(part)
            counts[self.vocab.end] += segment.stop == len(self.piece(segment.piece))
            if held > COUNTED_AT_ONCE:
                counts += np.bincount(np.concatenate(parts), minlength=len(counts))
                parts, held = [], 0
        return counts + np.bincount(
            np.concatenate([*parts, []]).astype(np.int64), minlength=len(counts)
        )

    def source(self, index: int) -> str:
        """Return the source of a piece, such as ``book.txt, piece 2``."""
        return next(self.origins(index)).source

    def origins(self, first: int = 0) -> Iterator[Origin]:
        """Yield the origin of each piece in the order of the corpus.

        Parameters
        ----------
        first : int
            Number of the first piece.

        Raises
        ------
        CorpusError
            If the file of sources, or a line of it, is missing or damaged.
        """
        path = self.folder / SOURCES
        lengths = np.diff(self._offsets[first:]).tolist()
        # Six digits of a weight are exact in 32 bits.
        weights = [round(weight, 6) for weight in self.weights[first:].tolist()]
        rows = enumerate(zip(lengths, weights, strict=True), first + 1)
        if not path.is_file():
            # Opening a pipe would wait for a writer.
            raise damaged(path, "it is missing or no regular file")
        with path.open("rb") as lines:
            for _ in range(first):
                lines.readline(LONGEST_LINE)
            for number, (tokens, weight) in rows:
                try:
                    line = source_line(lines.readline(LONGEST_LINE))
                    yield Origin(**line, tokens=tokens, weight=weight)
                except ValueError as error:
                    raise damaged(path, f"line {number}: {error}") from error

    def segments(self, split: Split) -> Segments:
        """Return the segments of a split in the order of the corpus."""
        return Segments(self._segments[self._segments["split"] == SPLITS.index(split)])

    def size(self, split: Split) -> int:
        """Return the number of tokens in a split, without START and END."""
        return int(self.info["tokens"][split])

    def __repr__(self) -> str:
        sizes = ", ".join(f"{split} {self.size(split):,}" for split in SPLITS)
        return f"Corpus({str(self.folder)!r}: {self.info['codec']['name']} tokens, {sizes})"


class CorpusWriter:
    """Writes pieces one at a time; keeps only length, short digest and passages of each in memory.

    Attributes
    ----------
    lengths : array of int
        Number of tokens of each piece so far.
    weights : array of float
        Weight of each piece so far.
    near_duplicates : NearDuplicates
        Groups the pieces by their passages.
    """

    def __init__(self, folder: Path, codec: Codec, keep_duplicates: bool = False) -> None:
        self.lengths, self.weights = array("q"), array("f")
        self.near_duplicates = NearDuplicates()
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
        self._ids = ShardWriter(self._folder, self._dtype)
        self._sources = (self._folder / SOURCES).open("w", encoding="utf-8")
        return self

    def __exit__(self, *error: object) -> None:
        self._ids.close()
        self._sources.close()

    def add(
        self,
        source: str,
        ids: NDArray[Any],
        facts: Mapping[str, str | int | float] | None = None,
        weight: float = 1.0,
    ) -> bytes | None:
        """Append a piece, unless it is a duplicate.

        Parameters
        ----------
        source : str
        ids : integer array (N,)
            Ids of any dtype.
        facts : mapping, optional
            The result of `Domain.describe`.
        weight : float
            From 0 to 100.

        Returns
        -------
        bytes or None
            The digest of the piece's token names; None for a duplicate.

        Raises
        ------
        DataError
            If the piece is empty, or an id is not in the vocabulary.
        """
        if not len(ids):
            raise DataError(
                f"{source} is empty: codec {type(self._codec).__name__} returned no token"
            )
        if not 0 <= ids.min() <= ids.max() < len(self._vocab.names):
            raise DataError(
                f"codec {type(self._codec).__name__} encoded {source} with ids {ids.min()} to "
                f"{ids.max()}, but its vocabulary has only {len(self._vocab.names)} tokens"
            )
        # Labels change neither what is a duplicate nor the split of a piece.
        digest = self._digest(without_labels(self._codec, ids))
        if not self._keep_duplicates:
            # 64 bits distinguish even a hundred million pieces, in half the memory.
            short = int.from_bytes(digest[:8], "little")
            if short in self._seen:
                self._duplicates.append(source)
                return None
            self._seen.add(short)
        whole = ids.astype(np.int64, copy=False)
        self.near_duplicates.add(len(self.lengths), self._codec.passages(whole))
        self.lengths.append(len(ids))
        self.weights.append(weight)
        units = self._codec.units(whole)
        self._units.update(units)
        self._ids.add(len(self.lengths) - 1, ids)
        line = {"source": source, "units": units, "facts": facts or {}}
        try:
            text = json.dumps(line, allow_nan=False)
            source_line(text.encode())
        except (TypeError, ValueError) as error:
            raise DataError(
                f"the plugin's units or facts of {source} are not texts and finite numbers "
                f"({error}); tell its authors"
            ) from error
        print(text, file=self._sources)
        return digest

    def finish(
        self, info: dict[str, Any], segments: NDArray[np.void], leaders: NDArray[np.int64]
    ) -> None:
        """Let the codec learn its grammar, and write offsets, segments and ``corpus.json``.

        Parameters
        ----------
        info : dict
            The keys of ``corpus.json`` that describe the sources of the pieces.
        segments : array of `SEGMENT`
            The part of each piece that is in each split.
        leaders : int64 array (pieces,)
            The leader of each piece, from `NearDuplicates.leaders`.
        """
        offsets = np.zeros(len(self.lengths) + 1, "<i8")
        np.cumsum(self.lengths, out=offsets[1:])
        weights = np.array(self.weights, "<f4")
        segments = read_in_training(segments, weights)
        for name, values in ((OFFSETS, offsets), (SEGMENTS, segments), (WEIGHTS, weights)):
            np.save(self._folder / name, values)
        # The digests below read the files.
        self._ids.flush()
        self._sources.flush()
        self._codec.learn_grammar(self._trained(offsets, segments))
        learned = {
            "codec": {**info["codec"], "state": self._codec.state()},
            "vocab": list(self._vocab.names),
            "vocab_digest": self._vocab.digest,
            "pieces": len(self.lengths),
            "longest": max(self.lengths),
            "tokens": tokens_by_split(segments),
            "units": dict(self._units),
            "duplicates": self._duplicates,
            **count_near_duplicates(leaders, segments),
        }
        if len(self._ids.first) > 1:
            learned["shards"] = self._ids.first
        learned["digests"] = digests(self._folder, learned)
        write_json(self._folder / CORPUS, info | learned)

    def _trained(self, offsets: Ids, segments: NDArray[np.void]) -> Iterator[Ids]:
        """Yield the training ids ``(N,)`` of each piece, from the file."""
        shards = self._ids.written(offsets)
        for piece, start, stop, split in segments.tolist():
            if split == SPLITS.index("train"):
                yield shards.piece(piece)[start:stop].astype(np.int64)

    def _digest(self, ids: NDArray[Any]) -> bytes:
        digest = hashlib.sha256()
        for low in range(0, len(ids), 2**16):
            digest.update(self._hashes[ids[low : low + 2**16]].data)
        return digest.digest()


def _name_hash(name: str) -> int:
    return int.from_bytes(
        hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "little"
    )
