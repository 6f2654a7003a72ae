"""Which of several new pieces are kept, and in which order.

Comes from: `seqgen.generation.engine` writes more pieces than are kept. Next:
`seqgen.report.samples` numbers them.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from seqgen.bounds import LARGEST
from seqgen.config import LimitConfig
from seqgen.criticism import Criticism
from seqgen.generation.pieces import Generated

#: Judges a new piece that was written for a condition and within limits.
Critic: TypeAlias = Callable[[Generated, Any, LimitConfig], Criticism]


def best(
    new: Iterable[Generated], badness: Callable[[Generated], Any], most: int = LARGEST
) -> Iterator[Generated]:
    """Yield the best pieces, the best first; of equal ones the first comes first.

    Only `most` pieces are held, and one more. After Ctrl-C the best so far come before it is raised
    again.
    """
    kept: list[Generated] = []
    interrupt = None
    try:
        for piece in new:
            insort(kept, piece, key=badness)
            del kept[most:]
    except KeyboardInterrupt as error:
        interrupt = error
    yield from kept
    if interrupt is not None:
        raise interrupt


def unlikelihood(piece: Generated) -> float:
    """Return a number that is the lower the likelier a piece is per token."""
    return -piece.log_probability_per_token


def fault_count_and_rarity(piece: Generated) -> tuple[int, float]:
    """Return the badness of a piece that a critic has judged."""
    assert piece.criticism is not None
    return piece.criticism.badness
