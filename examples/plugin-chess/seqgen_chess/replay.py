"""Replays whole games, and keeps what it found for the next epoch.

A training reads the same games in every epoch. python-chess needs about a tenth of a millisecond a
position, many times what the network needs, so what was found is kept up to a limit of memory.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Ids
from seqgen_chess.position import Position, mask_rows, squares_of

#: Most bytes of replays that are kept: about 12,000 games of 67 plies.
MOST_BYTES = 2**28


@dataclass(frozen=True)
class Replay:
    """What the rules say about ids ``(N,)``.

    Attributes
    ----------
    squares : uint8 array (N + 1, 64)
    facts : uint8 array (N + 1, F)
    masks : uint8 array (N + 1, W)
        Packed masks of the ids that may come.
    kept : bool array (N,)
        Which ids may come; the others are ignored.
    """

    squares: NDArray[np.uint8]
    facts: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    kept: NDArray[np.bool_]

    @property
    def bytes(self) -> int:
        """Size in memory."""
        return self.squares.nbytes + self.facts.nbytes + self.masks.nbytes + self.kept.nbytes


def _played(ids: Ids) -> Replay:
    """Replay a game."""
    position = Position()
    pieces, facts, following = [position.pieces()], [position.facts()], [position.next]
    kept = np.zeros(len(ids), bool)
    rows = np.zeros(len(ids) + 1, np.int64)  # the position that each row is about
    for number, token in enumerate(ids.tolist()):
        if position.push(token):
            kept[number] = True
            pieces.append(position.pieces())
            facts.append(position.facts())
            following.append(position.next)
        rows[number + 1] = len(pieces) - 1
    return Replay(
        squares_of(pieces)[rows], np.array(facts, np.uint8)[rows], mask_rows(following)[rows], kept
    )


class _Recent:
    """The last replays, by their ids."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Replay] = OrderedDict()
        self._bytes = 0

    def replay(self, ids: Ids) -> Replay:
        key = np.asarray(ids, np.int64).tobytes()
        if (found := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return found
        found = self._kept[key] = _played(np.asarray(ids, np.int64))
        self._bytes += found.bytes
        while self._bytes > MOST_BYTES:
            self._bytes -= self._kept.popitem(last=False)[1].bytes
        return found


#: Returns the replay of ids ``(N,)``. It depends on nothing else, so all codecs share it.
replay = _Recent().replay
