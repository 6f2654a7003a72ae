"""When a piece stops: after END, after a stop sequence, at a length, or when the time is up."""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seqgen.config import LimitConfig
from seqgen.errors import ConfigError
from seqgen.following import STRIDE
from seqgen.generation.pieces import Draft, StoppedBy
from seqgen.generation.stops import Stops
from seqgen.plugin import Ids
from seqgen.run.folder import Run

#: Share of the tokens that a length in another unit takes on average, for which a tracker can count
#: on having room; and how many times the rest is looked at while it halves, or so.
CAUTION, LOOKS = 0.5, 8

#: Tokens drawn in one call for one long piece, where no limit has to be looked at before.
FAR = 4 * STRIDE

#: Longest piece that the default limit allows.
LONGEST_PIECE = 4096


@dataclass(frozen=True)
class Cut:
    """Where and why a piece stops.

    Attributes
    ----------
    count : int
        Number of its tokens to keep.
    reason : StoppedBy
    last : sequence of int
        Ids in place of the last one of these; none if it stays.
    """

    count: int
    reason: StoppedBy
    last: Sequence[int] = ()


class Limits:
    """The limits of the pieces of one call; a time limit starts now.

    Parameters
    ----------
    run : Run
    limit : LimitConfig
    stop : sequence of int64 array
        As for `seqgen.generate`.
    prompt : int64 array (N,)
    condition : object
        As for `Codec.tracker`.

    Raises
    ------
    ConfigError
        If the codec has no such unit.

    Attributes
    ----------
    closes : bool
        Whether pieces close what is open before they stop (`ClosingTracker`).
    closing : StoppedBy or None
        Why all pieces have to close what is open and then stop.
    """

    closes = False
    closing: StoppedBy | None = None

    def __init__(
        self, run: Run, limit: LimitConfig, stop: Sequence[Ids], prompt: Ids, condition: object
    ) -> None:
        self._codec, self._limit = run.codec, limit
        self._stops = Stops(run.codec, stop)
        self._before = _length_of(run, limit, prompt)
        self._per_unit = _tokens_per_unit(run, limit.unit)
        self._most = _most_tokens(run, limit, condition)
        self._deadline = time.monotonic() + limit.seconds if limit.seconds else math.inf

    @property
    def look_back(self) -> int | None:
        """Number of last tokens that the limits look at; None for all."""
        return self._stops.look_back if self._counts_tokens else None

    @property
    def _counts_tokens(self) -> bool:
        """Whether the lengths are in tokens."""
        return self._limit.unit == "tokens"

    @property
    def _counts_units(self) -> bool:
        """Whether there is a length in another unit than tokens."""
        return not self._counts_tokens and 0 < self._limit.length < math.inf

    def missing(self, draft: Draft) -> int:
        """Return a number of tokens that a draft lacks to its least length, 0 if it has it.

        In another unit than tokens it is 1 until the draft has it, because nobody knows how many
        tokens that takes.
        """
        least = self._limit.least_length
        if not least:
            return 0
        if self._counts_tokens:
            return max(math.ceil(least) - (draft.count - draft.prompt), 0)
        return int(self._measure(np.array(draft.ids, np.int64)) < least)

    def is_late(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() >= self._deadline

    def room(self, draft: Draft) -> int | None:
        """Return the most tokens that a draft may still get; None if they are not limited.

        For a length in another unit it is a cautious estimate; for a draft that is late it is 0.
        """
        if self._is_closing(draft):
            return 0
        room = self._most - (draft.count - draft.prompt)
        if self._counts_units:
            room = min(room, self._estimated(draft))
        return None if room == math.inf else int(room)

    def _estimated(self, draft: Draft) -> int:
        """Return how many tokens fit into a length in another unit, cautiously; 0 at the length.

        Measuring takes long in a long piece, so it is done the more often the less is left.
        """
        count, room = draft.looked
        passed = draft.count - count
        if passed < room // LOOKS:
            return room - passed
        units = self._limit.length - self._measure(np.array(draft.ids, np.int64))
        room = max(math.ceil(CAUTION * units * self._per_unit), 0)
        draft.looked = draft.count, room
        return room

    def unseen(self, draft: Draft) -> int:
        """Return how many tokens may come before the length of a draft is measured again."""
        if self._is_closing(draft):
            return 1
        if self.closes and self._counts_units:
            return max(self._estimated(draft) // LOOKS, 1)
        drawn = draft.count - draft.prompt
        is_long = drawn >= FAR and self._most - drawn >= FAR
        return FAR if is_long and not self._counts_units and self._deadline == math.inf else STRIDE

    def over(self, draft: Draft) -> StoppedBy | None:
        """Return why a draft has to close what is open, if it has to."""
        if self._is_closing(draft):
            return draft.closing or self.closing
        return "length" if self._counts_units and self._estimated(draft) == 0 else None

    def _is_closing(self, draft: Draft) -> bool:
        return draft.closing is not None or self.closing is not None

    def settled(self, draft: Draft) -> int:
        """Return how many tokens of a draft no limit takes back: a length in units is late."""
        if draft.stopped_by is not None or self._counts_tokens or not self._limit.length:
            return draft.count
        return max(draft.count // STRIDE * STRIDE, draft.prompt)

    def reached(self, draft: Draft, new: int, ended: bool) -> Cut | None:
        """Return the first limit that the last `new` tokens reached, or None.

        Parameters
        ----------
        draft : Draft
        new : int
            Number of tokens just added.
        ended : bool
            Whether END follows them.
        """
        return min(self._cuts(draft, new, ended), key=lambda cut: cut.count, default=None)

    def _cuts(self, draft: Draft, new: int, ended: bool) -> Iterator[Cut]:
        if stop := self._stops.found(draft, new, lambda count: self._is_long(draft, count)):
            yield Cut(stop.count, "stop", stop.last)
        if draft.count - draft.prompt >= self._most:
            yield Cut(draft.prompt + int(self._most), "length")
        due = ended or draft.count // STRIDE > (draft.count - new) // STRIDE
        if self._counts_units and due and not self.closes:
            ids = np.array(draft.ids, np.int64)
            if self._measure(ids) >= self._limit.length:
                counts = range(draft.prompt, len(ids) + 1)
                place = bisect.bisect_left(
                    counts, self._limit.length, key=lambda count: self._measure(ids[:count])
                )
                yield Cut(counts[place], "length")

    def _is_long(self, draft: Draft, count: int) -> bool:
        """Return whether the first `count` tokens of a draft have the least length."""
        least = self._limit.least_length
        if not least or self._counts_tokens:
            return count - draft.prompt >= least
        return self._measure(np.array(draft.ids[:count], np.int64)) >= least

    def _measure(self, ids: Ids) -> float:
        """Return the length of what ids ``(N,)`` add to the prompt, in a unit of the codec."""
        return float(self._codec.units(ids)[self._limit.unit]) - self._before


def _length_of(run: Run, limit: LimitConfig, prompt: Ids) -> float:
    """Return the length of the prompt in the unit of the limit."""
    if limit.unit == "tokens":
        return float(len(prompt))
    units = run.codec.units(prompt)
    if limit.unit not in units:
        names = ", ".join(dict.fromkeys(["tokens", *units]))
        raise ConfigError(f"unit must be one of {names}, found {limit.unit!r}")
    return units[limit.unit]


def _most_tokens(run: Run, limit: LimitConfig, condition: object) -> float:
    """Return the largest number of tokens in a piece after its prompt."""
    if not limit.length:
        needed = run.codec.most_tokens(condition)
        most = needed or min(2 * run.longest, LONGEST_PIECE)
        least = math.ceil(limit.least_length * _tokens_per_unit(run, limit.unit))
        return max(most, least)
    if limit.length == math.inf:
        return math.inf
    if limit.unit == "tokens":
        return math.ceil(limit.length)
    # Ten times the tokens that the corpus has for this length: a model that never reaches the
    # length stops there.
    tokens = limit.length * _tokens_per_unit(run, limit.unit)
    return LONGEST_PIECE + math.ceil(10 * tokens)


def _tokens_per_unit(run: Run, unit: str) -> float:
    """Return how many tokens of the corpus make a unit."""
    if unit == "tokens":
        return 1.0
    corpus = run.info["corpus"]
    tokens: float = sum(corpus["tokens"].values())
    units: float = corpus["units"].get(unit, 0.0)
    return tokens / max(units, 1.0)
