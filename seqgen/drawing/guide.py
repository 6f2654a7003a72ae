"""Follows the trackers of B pieces in compiled code, between the draws of one call.

Comes from: `seqgen.following`, which trackers offer. Next: the steppers call `follow_each`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.drawing.rules import Positions
from seqgen.errors import PluginError
from seqgen.following import UNLIMITED, Followed, array_at, step_at
from seqgen.plugin import Ids


class Guide(NamedTuple):
    """The trackers of B pieces.

    Attributes
    ----------
    rooms : int64 array (B,)
        Most tokens that each piece may still get, or `UNLIMITED`.
    waits : bool array (B,)
        Whether END may not come yet, unless nothing else may.
    states, lengths : int64 array (B,)
        The addresses of the trackers' arrays, and how long these are.
    masks : bool array (B, 2, size + 1)
        Scratch: what is possible and what is allowed.
    has_grammar : bool
        Whether the codec has masks, so that what is not possible has no probability.
    features : int
        Number of features of the codec; those of labels follow.
    step : int
        The address of the step function.
    table, size
        As in `seqgen.following.Followed`.
    """

    rooms: Ids
    waits: NDArray[np.bool_]
    states: Ids
    lengths: Ids
    masks: NDArray[np.bool_]
    has_grammar: bool
    features: int
    step: int
    table: NDArray[np.uint8]
    size: int

    def part(self, rows: slice) -> Guide:
        """Return the guide of some pieces; its arrays are shared."""
        return self._replace(
            rooms=self.rooms[rows],
            waits=self.waits[rows],
            states=self.states[rows],
            lengths=self.lengths[rows],
            masks=self.masks[rows],
        )


def guide_of(
    trackers: Sequence[Followed],
    rooms: Sequence[int | None],
    waits: Sequence[bool],
    has_grammar: bool,
    features: int,
) -> Guide:
    """Return the guide of B trackers, which share step function, table and size.

    It refers to the arrays of the trackers, so it must not outlive them.

    Raises
    ------
    PluginError
        If an array is none that compiled code can change.
    """
    step, table, _, size = trackers[0]
    for each in trackers:
        if each.state.dtype != np.int64 or not each.state.flags.carray:
            raise PluginError(
                f"the state of a tracker that compiled code follows must be a contiguous array of "
                f"int64, found {each.state.dtype} {each.state.shape}; tell the plugin's authors"
            )
    return Guide(
        np.array([UNLIMITED if room is None else room for room in rooms], np.int64),
        np.array(waits, bool),
        np.array([each.state.__array_interface__["data"][0] for each in trackers], np.int64),
        np.array([len(each.state) for each in trackers], np.int64),
        np.ones((len(trackers), 2, size + 1), bool),
        *(has_grammar, features, step.address, table, size),
    )


@compiled
def follow_each(guide: Guide, positions: Positions, drawn: int) -> None:
    """Push the last ids, and write features and masks of the next position.

    Parameters
    ----------
    guide : Guide
    positions : Positions
        Its features and masks are overwritten where a piece has not ended.
    drawn : int
        Number of tokens of this call so far.
    """
    size, follow = guide.size, step_at(guide.step)
    for lane in range(len(positions.ids)):
        token = positions.ids[lane]
        if token < 0 or token >= size:
            continue
        room = guide.rooms[lane]
        room = room if room < 0 else max(room - drawn, 0)
        possible, allowed = guide.masks[lane, 0], guide.masks[lane, 1]
        features = positions.features[lane, : guide.features]
        state = array_at(guide.states[lane], guide.lengths[lane])
        follow(guide.table, state, token, room, features, possible, allowed)
        if guide.has_grammar:
            _spread(possible, positions.possible[lane])
        _spread(allowed, positions.allowed[lane])
        if guide.waits[lane] and allowed[:size].any():
            positions.allowed[lane, -1] = False


@compiled
def _spread(mask: NDArray[np.bool_], row: NDArray[np.bool_]) -> None:
    """Copy a mask ``(size + 1,)`` into a row ``(V',)``: label tokens, before END, may not come."""
    size = len(mask) - 1
    for token in range(size):
        row[token] = mask[token]
    for token in range(size, len(row) - 1):
        row[token] = False
    row[len(row) - 1] = mask[size]
