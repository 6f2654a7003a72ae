"""Splits: each piece, or part of a piece, is for training, validation or test.

Comes from: `seqgen.data.preparation`, which draws them. Next: `seqgen.data.corpus` stores them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqgen.errors import CorpusError, DataError

Split: TypeAlias = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

#: Shares held out for validation and test: of the pieces, or of the tokens of each piece.
HELD_OUT = {"valid": 0.1, "test": 0.05}

#: The end of a longer piece is held out. A shorter piece is held out as a whole, or not at all.
LONG_PIECE = 20_000

#: Larger groups of near-duplicates go into training: too much of a corpus to hold out by chance.
LARGE_GROUP = 20

SEGMENT = np.dtype([("piece", "<i8"), ("start", "<i8"), ("stop", "<i8"), ("split", "u1")])

#: A segment of an epoch, and how many times the epoch has read it before.
READING = np.dtype([*SEGMENT.descr, ("repeat", "<i8")])

#: Third number of the key of draws by weight; augmentation has the number of a piece there.
NO_PIECE = 2**63

#: Words for the splits in the labels of pieces.
WORDS: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclass(frozen=True, slots=True)
class Segment:
    """The ids ``start .. stop`` of one piece, all in one split.

    `repeat` counts the times that the epoch has read them before: weights repeat pieces.
    """

    piece: int
    start: int
    stop: int
    repeat: int = 0


class Segments(Sequence[Segment]):
    """A sequence of segments, stored as rows of an array: a million take 25 MB.

    Parameters
    ----------
    rows : array of `SEGMENT` or `READING`
    """

    def __init__(self, rows: NDArray[np.void]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        """Return one segment for a number, or `Segments` for a slice or an array of numbers."""
        chosen = self._rows[index]
        if chosen.ndim:
            return Segments(chosen)
        piece, start, stop, _, *repeat = chosen.item()
        return Segment(piece, start, stop, *repeat)

    @property
    def tokens(self) -> int:
        """Number of tokens in all segments."""
        return int((self._rows["stop"] - self._rows["start"]).sum())

    def cut(self, longest: int) -> Segments:
        """Return the segments with longer ones cut into parts of at most `longest` tokens."""
        lengths = self._rows["stop"] - self._rows["start"]
        counts = np.maximum(-(-lengths // longest), 1)
        parts = np.repeat(self._rows, counts)
        number = np.arange(len(parts)) - np.repeat(np.cumsum(counts) - counts, counts)
        parts["start"] += number * longest
        parts["stop"] = np.minimum(parts["stop"], parts["start"] + longest)
        return Segments(parts)

    def sample(self, most: int, seed: int) -> Segments:
        """Return random segments, in order, of `most` tokens in total; one is cut to fit."""
        order = np.random.default_rng(seed).permutation(len(self._rows))
        drawn = self._rows[order]
        ends = np.cumsum(drawn["stop"] - drawn["start"])
        count = int(np.searchsorted(ends, most)) + 1
        kept = drawn[:count].copy()
        kept["stop"][-1] -= ends[count - 1] - most
        return Segments(kept[np.argsort(order[:count])])

    def repeated(self, weights: NDArray[np.float32], seed: int, epoch: int) -> Segments:
        """Return the segments of an epoch: each as often as the weight of its piece says.

        A weight of 2.25 gives two readings in three of four epochs and three in the fourth. Seed
        and epoch determine the draw of each segment. An epoch reads at least one segment.

        Parameters
        ----------
        weights : float32 array (pieces,)
        seed, epoch : int
        """
        wanted = weights[self._rows["piece"]]  # (N,)
        if (wanted == 1).all():
            return self
        draws = np.random.default_rng((seed, epoch, NO_PIECE)).random(len(wanted))
        counts = wanted.astype(np.int64)
        counts += draws < wanted - counts
        if not counts.any():
            counts[np.argmin(draws / wanted)] = 1
        ends = np.cumsum(counts)
        chosen = np.repeat(np.arange(len(counts)), counts)
        rows = np.zeros(len(chosen), READING)
        for name in SEGMENT.names or ():
            rows[name] = self._rows[name][chosen]
        rows["repeat"] = np.arange(len(chosen)) - (ends - counts)[chosen]
        return Segments(rows)

    def longest_first(self) -> Segments:
        """Return the segments by falling length; equal lengths stay in order."""
        lengths = self._rows["stop"] - self._rows["start"]
        return Segments(self._rows[np.argsort(-lengths, kind="stable")])

    def shares(self, lanes: int) -> list[Segments]:
        """Cut the sequence of all segments into one share of equal length for each lane."""
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


def whole(lengths: Sequence[int], splits: ArrayLike) -> NDArray[np.void]:
    """Return rows of `SEGMENT` that put each whole piece into its split."""
    rows = np.zeros(len(lengths), SEGMENT)
    rows["piece"] = np.arange(len(lengths))
    rows["stop"], rows["split"] = lengths, splits
    return rows


def named_split(value: str) -> Split:
    """Return the split that a label of a piece names, such as "dev".

    Raises
    ------
    DataError
        If it names none.
    """
    if (split := WORDS.get(value.casefold())) is None:
        raise DataError(f"its split must be one of {', '.join(WORDS)}, found {value!r}")
    return split


def read_in_training(rows: NDArray[np.void], weights: NDArray[np.float32]) -> NDArray[np.void]:
    """Return rows of `SEGMENT` without those of training pieces of weight 0.

    Raises
    ------
    CorpusError
        If none is left for training.
    """
    kept: NDArray[np.void] = rows[(rows["split"] != 0) | (weights[rows["piece"]] > 0)]
    if not (kept["split"] == 0).any():
        raise CorpusError("no piece is left to train on: all training pieces have weight 0")
    return kept


def draw(digest: bytes, seed: int) -> float:
    """Return a number from 0 to 1 that decides the split of a piece with this digest."""
    drawn = hashlib.sha256(digest + seed.to_bytes(8, "little")).digest()
    return int.from_bytes(drawn[:8], "little") / 2**64


def assign_splits(
    draws: Sequence[float],
    lengths: Sequence[int],
    leaders: NDArray[np.int64],
    for_test: NDArray[np.bool_] | None = None,
) -> NDArray[np.void]:
    """Assign splits group by group, from content and seed only.

    A group of near-duplicates goes into one split, chosen by the draw of its leader; a piece
    without near-duplicates is a group of its own. More files therefore move a piece only if its
    group grows. Two exceptions: a group of more than `LARGE_GROUP` pieces goes into training, and
    a single piece of more than `LONG_PIECE` tokens has its end held out.

    If a split stays empty, the end of every piece is held out instead.

    Parameters
    ----------
    draws : sequence of float (pieces,)
        The results of `draw`.
    lengths : sequence of int (pieces,)
    leaders : int64 array (pieces,)
        The result of `NearDuplicates.leaders`.
    for_test : bool array (pieces,), optional
        The pieces that are given for test; then only validation is drawn, from the others.

    Returns
    -------
    array of `SEGMENT`
    """
    given = np.zeros(len(lengths), bool) if for_test is None else for_test
    share = HELD_OUT["test"] if for_test is None else 0.0
    bounds = [HELD_OUT["valid"], HELD_OUT["valid"] + share]
    drawn = np.searchsorted(bounds, np.asarray(draws)[leaders], side="right")
    size = np.bincount(leaders)[leaders]
    splits = np.where(size > LARGE_GROUP, 0, np.array([1, 2, 0])[drawn])
    rows = whole(lengths, np.where(given, 2, splits))
    rows = _hold_out_ends(rows, (rows["stop"] > LONG_PIECE) & (size == 1) & ~given, share)
    if len(np.unique(rows["split"])) < len(SPLITS):
        rows = _hold_out_ends(whole(lengths, np.where(given, 2, 0)), ~given, share)
    return rows


def count_near_duplicates(leaders: NDArray[np.int64], segments: NDArray[np.void]) -> dict[str, int]:
    """Count near-duplicates, their groups, and held-out pieces with one in training."""
    trained, held_out = np.zeros((2, len(leaders)), bool)
    trained[segments["piece"][segments["split"] == 0]] = True
    held_out[segments["piece"][segments["split"] != 0]] = True
    size = np.bincount(leaders)[leaders]
    others_trained = np.bincount(leaders, trained)[leaders] - trained
    return {
        "near_duplicates": int((size > 1).sum()),
        "near_duplicate_groups": len(np.unique(leaders[size > 1])),
        "near_duplicates_across_splits": int((held_out & (others_trained > 0)).sum()),
    }


def _hold_out_ends(
    rows: NDArray[np.void], chosen: NDArray[np.bool_], share: float
) -> NDArray[np.void]:
    """Replace the rows of chosen whole pieces by rows of training, validation and test."""
    tails = [
        row
        for piece in rows[chosen]
        for row in _tails(int(piece["piece"]), int(piece["stop"]), share)
    ]
    mixed = np.concatenate([rows[~chosen], np.array(tails, SEGMENT)])
    return mixed[np.argsort(mixed["piece"], kind="stable")]


def _tails(index: int, length: int, share: float) -> list[tuple[int, int, int, int]]:
    """Return the rows of a piece in training, validation and test; training is never empty.

    `share` is that of test.
    """
    kept = 1 - share
    cuts = (
        0,
        max(round(length * (kept - HELD_OUT["valid"])), 1),
        max(round(length * kept), 1),
        length,
    )
    spans = enumerate(pairwise(cuts))
    return [(index, start, stop, split) for split, (start, stop) in spans if stop > start]
