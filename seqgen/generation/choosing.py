"""Which of several new pieces are kept, and in which order.

Comes from: `seqgen.generation.engine` writes more pieces than are kept. Next:
`seqgen.report.samples` numbers them.
"""

from __future__ import annotations

import reprlib
from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from inspect import signature
from typing import Any, TypeAlias, get_args

from seqgen.bounds import LARGEST
from seqgen.config import LimitConfig
from seqgen.criticism import Criticism
from seqgen.errors import ConfigError
from seqgen.generation.pieces import Generated
from seqgen.plugins.checks import A_CRITICISM, is_criticism
from seqgen.wording import shown

#: Judges a new piece that was written for a condition and within limits.
Critic: TypeAlias = Callable[[Generated, Any, LimitConfig], Criticism]


def checked_critic(critic: Critic) -> Critic:
    """Return a critic whose answers are checked.

    Raises
    ------
    ConfigError
        If it cannot be called as a `Critic`; when it is called, if it returns no criticism.
    """
    name = getattr(critic, "__qualname__", reprlib.repr(critic))
    try:
        signature(critic).bind(*get_args(Critic)[0])
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"critic must be a function of a new piece, its condition and its limits, found {name} "
            f"({error}); seqgen.learn_critic returns one"
        ) from error

    def judge(new: Generated, condition: Any, limit: LimitConfig) -> Criticism:
        """Return what the critic finds, if it is a criticism."""
        found = critic(new, condition, limit)
        if not is_criticism(found):
            raise ConfigError(f"critic must return {A_CRITICISM}, found {shown(found)} from {name}")
        return found

    return judge


def best(
    new: Iterable[Generated], badness: Callable[[Generated], Any], most: int = LARGEST
) -> Iterator[Generated]:
    """Yield the best pieces, the best first; of equal ones the first comes first.

    Only `most` pieces are held, and one more. After Ctrl-C or an error the best so far come before
    it is raised again.
    """
    kept: list[Generated] = []
    end: BaseException | None = None
    try:
        for piece in new:
            insort(kept, piece, key=badness)
            del kept[most:]
    except (KeyboardInterrupt, Exception) as error:
        end = error
    yield from kept
    if end is not None:
        raise end


def unlikelihood(piece: Generated) -> float:
    """Return a number that is the lower the likelier a piece is per token."""
    return -piece.log_probability_per_token


def fault_count_and_rarity(piece: Generated) -> tuple[int, float]:
    """Return the badness of a piece that a critic has judged."""
    assert piece.criticism is not None
    return piece.criticism.badness
