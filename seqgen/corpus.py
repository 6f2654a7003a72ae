"""The corpus: encoded pieces on disk, memory-mapped; docs/format.md describes the files.

`prepare` goes the whole way from files to a corpus; `write_corpus` starts from pieces that a
program has already. Next: `seqgen.batches` cuts a corpus into streams.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.config import from_mapping
from seqgen.discovery import Found, codec_type, load_codec, load_domain
from seqgen.errors import CorpusError, DataError
from seqgen.files import cache_folder, file_digest, new_folder, write_json
from seqgen.plugin import Codec, Domain, Piece
from seqgen.vocab import Vocab

FORMAT = 1
MARKER = "corpus.json"
Split: TypeAlias = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

#: Share of the pieces (or of every piece, if there are few) kept for validation and for test.
HELD_OUT = {"valid": 0.1, "test": 0.05}

#: Sources up to this many bytes together stay in memory between fitting and encoding.
KEPT_BYTES = 64 * 2**20

SEGMENT = np.dtype([("piece", "<i8"), ("start", "<i8"), ("stop", "<i8"), ("split", "u1")])

#: Called with the stage ("reading", "encoding"), how many sources are done and how many there are.
Progress: TypeAlias = Callable[[str, int, int], None]

Ids: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Segment:
    """A run of one piece's ids, ``start .. stop``, that belongs to one split."""

    piece: int
    start: int
    stop: int


@dataclass(frozen=True)
class Skipped:
    """A source that was left out, and why."""

    source: str
    reason: str


class Corpus:
    """A corpus folder, read-only.

    Parameters
    ----------
    folder : Path
        What `prepare` or `write_corpus` made.

    Raises
    ------
    CorpusError
        If the folder is no corpus, or of another format.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        try:
            self.info: dict[str, Any] = json.loads((self.folder / MARKER).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise CorpusError(
                f"{self.folder} is no corpus folder ({error}); make one with seqgen prepare"
            ) from error
        if self.info.get("format") != FORMAT:
            raise CorpusError(
                f"{self.folder} has corpus format {self.info.get('format')}, this seqgen reads "
                f"format {FORMAT}; prepare it again"
            )
        self.vocab = Vocab.of(self.info["vocab"])
        self._tokens = np.load(self.folder / "tokens.npy", mmap_mode="r")
        self._offsets = np.load(self.folder / "offsets.npy", mmap_mode="r")
        self._segments = np.load(self.folder / "segments.npy", mmap_mode="r")

    @cached_property
    def codec(self) -> Codec:
        """The codec that encoded the pieces, from its saved state."""
        return load_codec(self.info)

    def piece(self, index: int) -> NDArray[Any]:
        """Return the ids ``(N,)`` of a piece, a read-only view of the file."""
        ids: NDArray[Any] = self._tokens[self._offsets[index] : self._offsets[index + 1]]
        return ids

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


def prepare(
    domain: str,
    paths: Iterable[Path | str] = (),
    out: Path | str | None = None,
    *,
    codec: str | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    jobs: int = -1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Corpus:
    """Read files, encode their pieces and store them; once for the same content.

    Files are read in parallel by joblib, so ``joblib.parallel_config`` chooses where: other
    processes of this machine by default, or a Dask or Ray cluster.

    Parameters
    ----------
    domain : str
        Name of an installed domain.
    paths : iterable of Path or str
        Files, and folders to search; none at all means the domain's demo data.
    out : Path or str, optional
        The corpus folder; by default one in the cache, named by content.
    codec : str, optional
        Name of one of the domain's codecs; by default its first.
    options : mapping, optional
        Values for fields of the codec's options.
    seed : int
        Which pieces are held out.
    jobs : int
        Processes; -1 takes all cores.
    overwrite : bool
        Replace another corpus in `out`.
    progress : callable, optional
        Told how far it is.

    Returns
    -------
    Corpus
        Its ``info["skipped"]`` lists the files that could not be used.

    Raises
    ------
    PluginError, ConfigError
        For an unusable domain, codec or option.
    CorpusError
        If no piece is left.
    RunError
        If `out` is taken.
    """
    implementation, found = load_domain(domain)
    name, codec_class = codec_type(implementation, domain, codec)
    chosen = from_mapping(codec_class.options_type, options or {}, f"options of codec {name!r}")
    files = _find_files(implementation, found, [Path(path) for path in paths])
    info = _description(found, name, chosen) | {
        "seed": seed,
        "files": [{"name": str(file), "sha256": file_digest(file)} for file in files],
    }
    key = hashlib.sha256(json.dumps(info, sort_keys=True).encode()).hexdigest()
    folder = Path(out) if out else cache_folder() / "corpora" / f"{domain}-{key[:16]}"
    if _key_of(folder) == key:
        return Corpus(folder)
    reader = _Reader(implementation, files, jobs, progress or _silent)
    try:
        fitted = codec_class.fit(reader.pieces(), chosen)
        Vocab.of(fitted.vocab)
    except DataError as error:
        raise _nothing_left(len(files), reader.skipped, str(error)) from error
    replace = overwrite or out is None
    with (
        new_folder(folder, marker=MARKER, overwrite=replace) as temporary,
        _Writer(temporary, fitted) as writer,
    ):
        for source, ids in reader.encoded(fitted):
            writer.add(source, ids)
        segments = _assign_splits(writer.digests, writer.lengths, seed)
        writer.finish(info, key, reader.skipped, segments)
    return Corpus(folder)


def write_corpus(
    folder: Path | str,
    domain: str,
    pieces: Mapping[Split, Iterable[Piece]],
    *,
    codec: str | None = None,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Corpus:
    """Encode pieces that are already split and store them.

    The codec is fitted on the training pieces. A piece that it refuses is an error here, and
    nothing is removed: published splits stay as they are.
    """
    implementation, found = load_domain(domain)
    name, codec_class = codec_type(implementation, domain, codec)
    chosen = from_mapping(codec_class.options_type, options or {}, f"options of codec {name!r}")
    listed = {split: list(pieces.get(split, ())) for split in SPLITS}
    fitted = codec_class.fit(listed["train"], chosen)
    with (
        new_folder(Path(folder), marker=MARKER, overwrite=overwrite) as temporary,
        _Writer(temporary, fitted, keep_duplicates=True) as writer,
    ):
        splits = []
        for number, split in enumerate(SPLITS):
            for index, piece in enumerate(listed[split]):
                writer.add(f"{split} {index}", fitted.encode(piece))
                splits.append(number)
        info = _description(found, name, chosen) | {"seed": None, "files": []}
        writer.finish(info, "", [], _whole(writer.lengths, splits))
    return Corpus(folder)


def _description(found: Found, codec: str, options: Any) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "domain": found.name,
        "distribution": found.distribution,
        "version": found.version,
        "codec": {"name": codec, "options": asdict(options)},
    }


def _silent(stage: str, done: int, total: int) -> None:
    pass


def _key_of(folder: Path) -> str | None:
    try:
        key = json.loads((folder / MARKER).read_text("utf-8"))["key"]
    except (OSError, ValueError, KeyError):
        return None
    return str(key)


def _find_files(domain: Domain, found: Found, paths: list[Path]) -> list[Path]:
    """Return the files to read, each once, sorted; a file named outright needs no known suffix."""
    if not paths:
        return list(domain.demo(cache_folder() / "demo" / found.name))
    files: set[Path] = set()
    for path in paths:
        if path.is_dir():
            inside = (file for file in path.rglob("*") if file.is_file())
            files.update(file for file in inside if file.suffix.lower() in found.suffixes)
        elif path.is_file():
            files.add(path)
        else:
            raise CorpusError(f"{path} does not exist")
    if not files:
        raise CorpusError(
            f"no file for the domain {found.name!r} in {', '.join(map(str, paths))}; "
            f"it reads {', '.join(found.suffixes)}"
        )
    return sorted(files)


class _Reader:
    """Reads the pieces of files in parallel, once for fitting and once for encoding.

    Small corpora stay in memory in between, so that slow formats are read only once and
    memory still does not grow with the corpus.
    """

    def __init__(self, domain: Domain, files: list[Path], jobs: int, progress: Progress) -> None:
        self.skipped: list[Skipped] = []
        self._domain = domain
        self._files = files
        # Starting processes costs about a second: not worth it for a file or two.
        self._jobs = jobs if len(files) > 4 else 1
        self._progress = progress
        self._small = sum(file.stat().st_size for file in files) <= KEPT_BYTES
        self._kept: list[tuple[Path, list[Piece]]] | None = None

    def pieces(self) -> Iterator[Piece]:
        kept = []
        for file, pieces in self._read("reading", None):
            if self._small:
                kept.append((file, pieces))
            yield from pieces
        # A codec that has nothing to learn does not read to the end, and nothing is kept.
        self._kept = kept if self._small else None

    def encoded(self, codec: Codec) -> Iterator[tuple[Path, Ids]]:
        if self._kept is None:
            for file, arrays in self._read("encoding", codec):
                yield from ((file, ids) for ids in arrays)
        else:
            for file, pieces in self._kept:
                arrays, reasons = _encode(codec, pieces)
                self.skipped += [Skipped(str(file), reason) for reason in reasons]
                yield from ((file, ids) for ids in arrays)

    def _read(self, stage: str, codec: Codec | None) -> Iterator[tuple[Path, list[Any]]]:
        import joblib

        self.skipped = []
        parallel = joblib.Parallel(n_jobs=self._jobs, return_as="generator")
        task = joblib.delayed(_read_file)
        results = parallel(task(self._domain, file, codec) for file in self._files)
        for done, (file, (content, reasons)) in enumerate(zip(self._files, results, strict=True)):
            self.skipped += [Skipped(str(file), reason) for reason in reasons]
            yield file, content
            self._progress(stage, done + 1, len(self._files))


def _read_file(domain: Domain, file: Path, codec: Codec | None) -> tuple[list[Any], list[str]]:
    """Return the pieces of a file, or their ids if there is a codec, and what was refused."""
    try:
        pieces = list(domain.read(file))
    except Exception as error:
        # A parser may fail in any way on a damaged file; one file never ends the others.
        return [], [_reason(error)]
    if not pieces:
        return [], ["holds no piece"]
    return (pieces, []) if codec is None else _encode(codec, pieces)


def _encode(codec: Codec, pieces: list[Piece]) -> tuple[list[Ids], list[str]]:
    arrays, reasons = [], []
    for piece in pieces:
        try:
            ids = codec.encode(piece)
        except DataError as error:
            reasons.append(_reason(error))
        else:
            arrays.append(ids)
            if not len(ids):
                arrays.pop()
                reasons.append("holds an empty piece")
    return arrays, reasons


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"


class _Writer:
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

    def __enter__(self) -> _Writer:
        self._file: BinaryIO = (self._folder / "tokens.npy").open("wb")
        self._write_header()
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, source: object, ids: Ids) -> None:
        """Append a piece, unless the same piece is there already."""
        if len(ids) and not 0 <= ids.min() <= ids.max() < len(self._vocab.names):
            raise DataError(
                f"codec {type(self._codec).__name__} encoded {source} with ids {ids.min()} to "
                f"{ids.max()}, but its vocabulary has only {len(self._vocab.names)} tokens"
            )
        digest = self._digest(ids)
        if digest in self._seen and not self._keep_duplicates:
            self._duplicates.append(str(source))
            return
        self._seen.add(digest)
        self.digests.append(digest)
        self.lengths.append(len(ids))
        self._units.update(self._codec.units(ids))
        self._file.write(ids.astype(self._dtype).tobytes())

    def finish(
        self,
        info: dict[str, Any],
        key: str,
        skipped: list[Skipped],
        segments: NDArray[np.void],
    ) -> None:
        """Write what goes beside the tokens; `segments` puts every run of ids in its split."""
        if not self.lengths:
            raise _nothing_left(len(info["files"]), skipped)
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
            "skipped": [asdict(entry) for entry in skipped],
            "key": key,
        }
        write_json(self._folder / MARKER, info | learned)

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


def _nothing_left(files: int, skipped: list[Skipped], cause: str = "") -> CorpusError:
    reasons = "".join(f"\n  {entry.source}: {entry.reason}" for entry in skipped[:20])
    more = f"\n  and {len(skipped) - 20} more" if len(skipped) > 20 else ""
    cause = f" ({cause})" if cause else ""
    return CorpusError(
        f"none of {files} files could be used{cause}{':' * bool(reasons)}{reasons}{more}"
    )


def _whole(lengths: list[int], splits: list[int]) -> NDArray[np.void]:
    """Put every piece as a whole in its split."""
    pairs = enumerate(zip(lengths, splits, strict=True))
    return np.array([(index, 0, length, split) for index, (length, split) in pairs], SEGMENT)


def _assign_splits(digests: list[bytes], lengths: list[int], seed: int) -> NDArray[np.void]:
    """Decide piece by piece from content and seed, so that more files never move a piece.

    Where that leaves a split empty, as with one long text, the end of every piece is held out.
    """
    draws = [
        int.from_bytes(hashlib.sha256(digest + seed.to_bytes(8, "little")).digest()[:8], "little")
        / 2**64
        for digest in digests
    ]
    valid, test = HELD_OUT["valid"], HELD_OUT["test"]
    splits = [1 if draw < valid else 2 if draw < valid + test else 0 for draw in draws]
    if len(set(splits)) == len(SPLITS):
        return _whole(lengths, splits)
    rows: list[tuple[int, int, int, int]] = []
    for index, length in enumerate(lengths):
        first, second = round(length * (1 - valid - test)), round(length * (1 - test))
        cuts = (0, max(first, 1), max(second, 1), length)
        rows += [
            (index, start, stop, split)
            for split, (start, stop) in enumerate(pairwise(cuts))
            if stop > start
        ]
    return np.array(rows, SEGMENT)
