"""When a piece stops: after END, after a stop sequence, at a length, or when the time is up."""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Iterator, Sequence

import numpy as np

from seqgen.conditions.unlabelled import header_size, without_labels
from seqgen.config import LimitConfig
from seqgen.errors import ConfigError, DataError
from seqgen.generation.pieces import Draft, StoppedBy
from seqgen.plugin import Ids
from seqgen.run.folder import Run

#: Tokens drawn in one call of the stepper, and between two checks of a limit in other units.
STRIDE = 32

#: Longest piece that the default limit allows.
LONGEST_PIECE = 4096


class Limits:
    """The limits of the pieces of one call; a time limit starts now.

    Parameters
    ----------
    run : Run
    limit : LimitConfig
    stop : sequence of int64 array
        Sequences of ids; a piece stops after any of them.
    prompt : int64 array (N,)
    condition : object
        As for `Codec.tracker`.

    Raises
    ------
    ConfigError
        If the codec has no such unit.
    DataError
        If the prompt already reaches the limit.
    """

    def __init__(
        self, run: Run, limit: LimitConfig, stop: Sequence[Ids], prompt: Ids, condition: object
    ) -> None:
        self._codec, self._limit = run.codec, limit
        wanted = [without_labels(run.codec, ids) for ids in stop]
        self._stops = [ids.tolist() for ids in wanted if len(ids)]
        self._most = _most_tokens(run, limit, prompt, condition)
        self._deadline = time.monotonic() + limit.seconds if limit.seconds else math.inf

    @property
    def look_back(self) -> int | None:
        """Number of last tokens that the limits look at; None for all."""
        return max(map(len, self._stops), default=0) if self._limit.unit == "tokens" else None

    def is_late(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() >= self._deadline

    def reached(self, draft: Draft, new: int, ended: bool) -> tuple[int, StoppedBy] | None:
        """Return the first limit that the last `new` tokens reached, or None.

        Parameters
        ----------
        draft : Draft
        new : int
            Number of tokens just added.
        ended : bool
            Whether END follows them.

        Returns
        -------
        count : int
            Number of tokens to keep.
        reason : StoppedBy
        """
        return min(self._cuts(draft, new, ended), key=lambda cut: cut[0], default=None)

    def _cuts(self, draft: Draft, new: int, ended: bool) -> Iterator[tuple[int, StoppedBy]]:
        for stop in self._stops:
            # A stop sequence may begin before the new tokens, but never within the prompt.
            first = max(draft.count - new - len(stop) + 1, draft.prompt)
            tail = draft.ids[len(draft.ids) - (draft.count - first) :]
            for start in range(len(tail) - len(stop) + 1):
                if tail[start : start + len(stop)] == stop:
                    yield first + start + len(stop), "stop"
                    break
        if draft.count >= self._most:
            yield int(self._most), "length"
        due = ended or draft.count // STRIDE > (draft.count - new) // STRIDE
        if self._limit.unit != "tokens" and self._limit.length and due:
            ids = np.array(draft.ids, np.int64)
            if self._measure(ids) >= self._limit.length:
                counts = range(draft.prompt, len(ids) + 1)
                place = bisect.bisect_left(
                    counts, self._limit.length, key=lambda count: self._measure(ids[:count])
                )
                yield counts[place], "length"

    def _measure(self, ids: Ids) -> float:
        """Return the length of ids in the unit of the limit."""
        return float(self._codec.units(ids)[self._limit.unit])


def _most_tokens(run: Run, limit: LimitConfig, prompt: Ids, condition: object) -> float:
    """Return the largest number of tokens in a piece, including the prompt."""
    units = run.codec.units(prompt)
    if limit.unit != "tokens" and limit.unit not in units:
        names = ", ".join(dict.fromkeys(["tokens", *units]))
        raise ConfigError(f"unit must be one of {names}, found {limit.unit!r}")
    if not limit.length:
        needed = run.codec.most_tokens(condition)
        return len(prompt) + (needed or min(2 * run.longest, LONGEST_PIECE))
    header = header_size(run.codec)
    length = len(prompt) - header if limit.unit == "tokens" else units[limit.unit]
    if length >= limit.length:
        raise DataError(
            f"the prompt has {length:g} {limit.unit}, and the limit is {limit.length:g}; raise "
            f"the limit (--length)"
        )
    if limit.length == math.inf:
        return math.inf
    if limit.unit == "tokens":
        return header + math.ceil(limit.length)
    # Ten times the tokens that the corpus has for this length: a model that never reaches the
    # length stops there.
    corpus = run.info["corpus"]
    tokens: float = sum(corpus["tokens"].values()) / max(corpus["units"].get(limit.unit, 0.0), 1.0)
    return len(prompt) + LONGEST_PIECE + math.ceil(10 * limit.length * tokens)
