"""Frames as tokens: one token for each field of a frame, field by field.

A *frame* is a row of whole numbers, such as loudness, pitch and shape of a hundredth of a second. A
field that may have n values has n tokens. The first field may have a value that stands for silence:
such a frame is one token.

A state is a row of ``1 + 2 * F`` whole numbers: the field that is due, the values of the frame so
far, and those of the frame before. A value is stored as one more; 0 stands for none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.plugin import Ids


class FrameTokens:
    """The tokens of frames with F fields.

    Ids are ordered field by field. Any ids are frames: a frame is complete with its last field, and
    a field that it lacks keeps the value of the frame before.

    Parameters
    ----------
    names : sequence of F str
    sizes : sequence of F int
        Number of values of each field.
    has_silence : bool
        Whether value 0 of the first field completes a frame of zeros.

    Attributes
    ----------
    vocab : tuple of C str
    firsts : int64 array (F + 1,)
        The first token of each field, and C.
    begins, ends : bool array (C,)
        Which tokens begin and which complete a frame.
    feature_sizes : tuple of int
        Sizes of the features: the field that is due; the values of the frame so far, from 1 on, or
        0; the token of the frame before at that field, from 1 on, or 0.
    """

    def __init__(self, names: Sequence[str], sizes: Sequence[int], has_silence: bool) -> None:
        self.sizes, self.has_silence = np.array(sizes, np.int64), has_silence
        self.vocab = tuple(
            f"{name} {value}"
            for name, size in zip(names, sizes, strict=True)
            for value in range(size)
        )
        self.firsts = np.append(0, np.cumsum(self.sizes)).astype(np.int64)  # (F + 1,)
        field = np.repeat(np.arange(len(sizes)), self.sizes)  # (C,)
        self.begins, self.ends = field == 0, field == len(sizes) - 1
        self.ends[0] |= has_silence
        self.feature_sizes = (
            len(sizes),
            *(size + 1 for size in self.sizes[:-1].tolist()),
            len(self.vocab) + 1,
        )

    @property
    def fields(self) -> int:
        """F, the number of fields."""
        return len(self.sizes)

    def spell(self, frames: Ids) -> list[Ids]:
        """Return the ids of each of frames ``(T, F)``."""
        ids = self.firsts[:-1] + frames  # (T, F)
        silent = frames[:, 0] == 0 if self.has_silence else np.zeros(len(frames), bool)
        return [row[:1] if one else row for row, one in zip(ids, silent, strict=True)]

    def frames(self, ids: Ids) -> Ids:
        """Return the frames ``(T, F)`` that any ids ``(N,)`` complete."""
        frames = np.zeros((int(self.completes(ids).sum()), self.fields), np.int64)
        _frames(self.new_state(), np.asarray(ids, np.int64), self.firsts, self.ends, frames)
        return frames

    def completes(self, ids: Ids) -> NDArray[np.bool_]:
        """Return which of ids ``(N,)`` complete a frame."""
        return np.append(self.ends, False)[np.minimum(ids, len(self.ends))]

    @property
    def numbers(self) -> int:
        """The number of whole numbers in a state."""
        return 1 + 2 * self.fields

    def new_state(self) -> Ids:
        """Return the state before the first token."""
        return np.zeros(self.numbers, np.int64)

    def push(self, state: Ids, token: int) -> None:
        """Apply a token to a state; others than C do nothing."""
        advance(state, token, self.firsts, self.ends)

    def row(self, state: Ids) -> list[int]:
        """Return the features of a state ``(K,)``."""
        row = np.zeros(len(self.feature_sizes), np.int64)
        describe(state, self.firsts, row)
        return list(row.tolist())

    def features(self, ids: Ids) -> Ids:
        """Return the features of every position ``(N + 1, K)``."""
        rows = np.zeros((len(ids) + 1, len(self.feature_sizes)), np.int64)
        _features(self.new_state(), np.asarray(ids, np.int64), self.firsts, self.ends, rows)
        return rows

    def may_follow(self) -> NDArray[np.bool_]:
        """Return which tokens are of each field ``(F, C)``."""
        token = np.arange(len(self.vocab))
        return (token >= self.firsts[:-1, None]) & (token < self.firsts[1:, None])


@compiled
def advance(state: Ids, token: int, firsts: Ids, ends: NDArray[np.bool_]) -> None:
    """Apply a token to a state; others than C do nothing."""
    fields = len(firsts) - 1
    if token >= firsts[fields]:
        return
    field = int(np.searchsorted(firsts, token, side="right")) - 1
    if field == 0:
        state[1 : 1 + fields] = 0
    state[1 + field] = token - firsts[field] + 1
    state[0] = field + 1
    if not ends[token]:
        return
    is_silence = field == 0 and fields > 1
    for number in range(fields):
        if state[1 + number] or is_silence:
            state[1 + fields + number] = state[1 + number]
        elif not state[1 + fields + number]:
            # A first frame that lacks a field has value 0 there.
            state[1 + fields + number] = 1
    state[: 1 + fields] = 0


@compiled
def _frames(state: Ids, ids: Ids, firsts: Ids, ends: NDArray[np.bool_], frames: Ids) -> None:
    """Write the frames (T, F) that ids complete."""
    fields, row = len(firsts) - 1, 0
    for token in ids:
        advance(state, token, firsts, ends)
        if token < len(ends) and ends[token]:
            for number in range(fields):
                frames[row, number] = max(state[1 + fields + number] - 1, 0)
            row += 1


@compiled
def describe(state: Ids, firsts: Ids, row: Ids) -> None:
    """Write the features (K,) of a state."""
    fields, due = len(firsts) - 1, state[0]
    row[0] = due
    for number in range(fields - 1):
        row[1 + number] = state[1 + number]
    before = state[1 + fields + due]
    row[fields] = firsts[due] + before if before else 0


@compiled
def _features(state: Ids, ids: Ids, firsts: Ids, ends: NDArray[np.bool_], rows: Ids) -> None:
    """Write the features (N + 1, K) before each id and after the last."""
    describe(state, firsts, rows[0])
    for position in range(len(ids)):
        advance(state, ids[position], firsts, ends)
        describe(state, firsts, rows[position + 1])
