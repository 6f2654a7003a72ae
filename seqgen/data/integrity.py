"""Checks that a corpus folder is unaltered; a shared folder may not be.

Opening checks what is cheap: the keys of the description, dtypes and sizes of the arrays, and
offsets and segments. `verify_ids` and `verify_digest` read a file; they run before it is used.

Next: `seqgen.data.corpus` opens a folder with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from seqgen.bounds import LARGEST, MOST_WEIGHT, Seed, Within
from seqgen.conditions.labels import check_labels
from seqgen.data.shards import Shards, shard_names
from seqgen.data.splits import SEGMENT, SPLITS
from seqgen.errors import CorpusError, DataError
from seqgen.files import CORPUS, file_digest, read_description
from seqgen.storage.checked_json import check, parse
from seqgen.vocab import Vocab

#: Corpora of plugin contract 1 have format 1 or 2.
FORMAT = 5

#: Arrays with something about each piece; `seqgen.data.shards` names the files of ids.
OFFSETS, SEGMENTS, WEIGHTS = ARRAYS = ("offsets.npy", "segments.npy", "weights.npy")

#: One line of JSON for each piece: its source, and facts about it.
SOURCES = "sources.jsonl"

#: Bytes of its longest line.
LONGEST_LINE = 2**24

#: Ids compared at a time.
CHUNK = 2**22


#: A number of things, and an amount.
Many: TypeAlias = Annotated[int, Within(0, LARGEST)]
Amount: TypeAlias = Annotated[float, Within(0, 1e18)]


class LabelEntry(TypedDict):
    """A label and its values; a `seqgen.conditions.labels.Label`."""

    name: str
    source: str | None
    values: dict[str, Many]
    rarer: Many
    without: Many


class CodecEntry(TypedDict):
    """The codec with its options, its state, the labels of pieces, and what fitting found out."""

    name: str
    options: dict[str, Any]
    state: dict[str, Any]
    labels: NotRequired[list[LabelEntry]]
    note: NotRequired[str]


class FileEntry(TypedDict):
    """A file that was read, and the SHA-256 of each of its companions by name."""

    name: str
    sha256: str
    companions: NotRequired[dict[str, str]]
    split: NotRequired[Literal["train", "valid", "test"]]


class LeftOut(TypedDict):
    """A source that was skipped, and why."""

    source: str
    reason: str


class NoteEntry(TypedDict):
    """What a reader says about a source."""

    source: str
    text: str


class Description(TypedDict):
    """The keys of ``corpus.json``."""

    seqgen: Literal["corpus"]
    format: Annotated[int, Within(FORMAT, FORMAT)]
    domain: str
    distribution: str
    version: str
    codec: CodecEntry
    reason: str
    read_options: dict[str, Any]
    chosen: list[str]
    vocab: list[str]
    vocab_digest: str
    files: list[FileEntry]
    seed: Seed | None
    pieces: Many
    shards: NotRequired[list[Many]]
    longest: Many
    tokens: dict[str, Many]
    units: dict[str, Amount]
    labels_left_out: dict[str, str]
    duplicates: list[str]
    skipped: list[LeftOut]
    notes: list[NoteEntry]
    unread: dict[str, Many]
    near_duplicates: Many
    near_duplicate_groups: Many
    near_duplicates_across_splits: Many
    digests: dict[str, str]
    key: str


class SourceLine(TypedDict):
    """The keys of a line of `SOURCES`."""

    source: str
    units: dict[str, float]
    facts: dict[str, Any]


def damaged(path: Path, reason: object) -> CorpusError:
    """Return the error for a damaged file of a corpus."""
    return CorpusError(
        f"{path} is damaged: {reason}; prepare the corpus again, with `overwrite=True`"
    )


def read_corpus(folder: Path) -> tuple[dict[str, Any], Vocab]:
    """Return the content of ``corpus.json``, and its vocabulary.

    Raises
    ------
    CorpusError
        If there is none, it has another format, or a key is missing or has an invalid value.
    """
    path = folder / CORPUS
    try:
        info = read_description(path)
        if info.get("format") == FORMAT:
            check(info, Description)
            check_labels(info["codec"].get("labels", ()))
            vocab = Vocab.of(info["vocab"])
    except OSError as error:
        raise CorpusError(
            f"{folder} is not a corpus folder ({error}); make one with seqgen prepare"
        ) from error
    except (ValueError, DataError) as error:
        raise damaged(path, error) from error
    if info.get("format") != FORMAT:
        raise CorpusError(
            f"{folder} has corpus format {info.get('format')}, this seqgen reads "
            f"format {FORMAT}; prepare it again"
        )
    if vocab.digest != info["vocab_digest"]:
        raise damaged(path, "the vocabulary does not match its SHA-256")
    return info, vocab


def open_arrays(
    folder: Path, info: dict[str, Any], vocab: Vocab
) -> tuple[Shards, NDArray[np.int64], NDArray[np.void], NDArray[np.float32]]:
    """Map the arrays into memory, and check offsets, segments and weights.

    Returns
    -------
    shards : Shards
    offsets : int64 array (pieces + 1,)
    segments : array of `SEGMENT`
    weights : float32 array (pieces,)

    Raises
    ------
    CorpusError
        If an array is damaged.
    """
    dtype = np.dtype(vocab.dtype).newbyteorder("<")
    first = _first_pieces(folder / CORPUS, info)
    ids = [_array(folder / name, dtype) for name in shard_names(info)]
    offsets = _array(folder / OFFSETS, np.dtype("<i8"))
    segments = _array(folder / SEGMENTS, SEGMENT)
    _check_offsets(folder / OFFSETS, offsets, info["pieces"], sum(map(len, ids)))
    _check_shards(folder, info, ids, np.diff(offsets[[*first, -1]]).tolist())
    _check_segments(folder / SEGMENTS, segments, np.diff(offsets))
    counts = tokens_by_split(segments)
    found: dict[str, Any] = {"longest": int(np.diff(offsets).max()), "tokens": counts}
    for name, count in found.items():
        if info[name] != count:
            raise damaged(folder / CORPUS, f"{name} must be {count}, found {info[name]}")
    if not counts["train"]:
        raise damaged(folder / SEGMENTS, "no token is in the split 'train'")
    weights = _array(folder / WEIGHTS, np.dtype("<f4"))
    _check_weights(folder / WEIGHTS, weights, info["pieces"], segments)
    return Shards(ids, first, offsets), offsets, segments, weights


def tokens_by_split(segments: NDArray[np.void]) -> dict[str, int]:
    """Return the number of tokens in each split."""
    lengths = segments["stop"] - segments["start"]
    return {
        name: int(lengths[segments["split"] == number].sum()) for number, name in enumerate(SPLITS)
    }


def data_files(info: Mapping[str, Any]) -> list[str]:
    """Return the names of all files beside ``corpus.json``."""
    return [*shard_names(info), *ARRAYS, SOURCES]


def digests(folder: Path, info: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of every file beside ``corpus.json``."""
    return {name: file_digest(folder / name) for name in data_files(info)}


def verify_ids(path: Path, ids: NDArray[Any], vocab: Vocab) -> None:
    """Check the ids of a shard against the vocabulary.

    Raises
    ------
    CorpusError
        If an id is outside.
    """
    for low in range(0, len(ids), CHUNK):
        largest = int(ids[low : low + CHUNK].max())
        if largest >= vocab.end:
            raise damaged(path, f"ids must be below {vocab.end}, found {largest} after {low:,} ids")


def verify_digest(path: Path, info: Mapping[str, Any]) -> None:
    """Check a file beside ``corpus.json`` against its digest.

    Raises
    ------
    CorpusError
        If the file is damaged.
    """
    wanted = info["digests"].get(path.name)
    try:
        found = file_digest(path) if path.is_file() else "no such file"
    except OSError as error:
        raise damaged(path, error) from error
    if found != wanted:
        raise damaged(path, f"SHA-256 must be {wanted}, found {found}")


def source_line(line: bytes) -> dict[str, Any]:
    """Return the content of a line of `SOURCES`.

    Raises
    ------
    ValueError
        If it is not JSON, or a key is missing or has an invalid value.
    """
    found: dict[str, Any] = parse(line)
    check(found, SourceLine)
    for name, fact in found["facts"].items():
        if not isinstance(fact, str | int | float):
            raise ValueError(f"facts.{name} must be a text or a number, found {fact!r}")
    return {name: found[name] for name in SourceLine.__annotations__}


def _array(path: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Map the one-dimensional array of a file into memory."""
    if path.exists() and not path.is_file():
        # Opening a pipe would wait for a writer.
        raise damaged(path, "it is not a file")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy fails in many ways on other files
        raise damaged(path, error) from error
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
        kind = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "several arrays"
        raise damaged(path, f"one dimension of {dtype} was expected, found {kind}")
    return array


def _first_pieces(path: Path, info: Mapping[str, Any]) -> list[int]:
    """Return the first piece of each shard, checked before any shard is opened."""
    first: list[int] = info.get("shards", [0])
    rises = all(low < high for low, high in pairwise([*first, info["pieces"]]))
    if first[:1] != [0] or not rises:
        raise damaged(path, f"shards must rise from 0 to below {info['pieces']}")
    return first


def _check_shards(
    folder: Path, info: Mapping[str, Any], ids: list[NDArray[Any]], lengths: list[int]
) -> None:
    for name, array, length in zip(shard_names(info), ids, lengths, strict=True):
        if len(array) != length:
            raise damaged(folder / name, f"{length:,} ids were expected, found {len(array):,}")


def _check_offsets(path: Path, offsets: NDArray[np.int64], pieces: int, tokens: int) -> None:
    if len(offsets) != pieces + 1:
        raise damaged(path, f"{pieces + 1:,} offsets were expected, found {len(offsets):,}")
    if offsets[0] != 0 or offsets[-1] != tokens:
        raise damaged(
            path, f"offsets must go from 0 to {tokens}, found {offsets[0]} to {offsets[-1]}"
        )
    # Compare, because a difference could overflow.
    if not (back := offsets[1:] > offsets[:-1]).all():
        number = int(back.argmin())
        raise damaged(
            path, f"offsets must rise, found {offsets[number]} before {offsets[number + 1]}"
        )


def _check_segments(path: Path, segments: NDArray[np.void], lengths: NDArray[np.int64]) -> None:
    """Check that segments lie in their pieces, in order, and do not overlap."""
    piece, start, stop = (segments[name] for name in ("piece", "start", "stop"))
    inside = (piece >= 0) & (piece < len(lengths)) & (segments["split"] < len(SPLITS))
    inside &= (start >= 0) & (start < stop)
    inside &= stop <= lengths[np.where(inside, piece, 0)]
    after = np.ones(len(segments), bool)
    after[1:] = (piece[1:] > piece[:-1]) | ((piece[1:] == piece[:-1]) & (start[1:] >= stop[:-1]))
    for fine, wanted in ((inside, "lie in a piece and a split"), (after, "follow the one before")):
        if not fine.all():
            number = int(fine.argmin())
            raise damaged(path, f"segment {number} must {wanted}, found {segments[number]}")


def _check_weights(
    path: Path, weights: NDArray[np.float32], pieces: int, segments: NDArray[np.void]
) -> None:
    if len(weights) != pieces:
        raise damaged(path, f"{pieces:,} weights were expected, found {len(weights):,}")
    fine = (weights >= 0) & (weights <= MOST_WEIGHT)  # false for NaN
    if not fine.all():
        raise damaged(path, f"weights go from 0 to {MOST_WEIGHT}, found {weights[fine.argmin()]}")
    if not weights[segments["piece"][segments["split"] == 0]].all():
        raise damaged(path, "a piece of weight 0 is in the split 'train'")
