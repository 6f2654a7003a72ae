"""The open end of a prompt: text whose tokens depend on what follows, such as "hel" of "hello"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class OpenEnd:
    """What is open at the end of a prompt.

    Attributes
    ----------
    kept : int
        Number of ids at the beginning that stay, whatever follows.
    text : str
        The text of the others. New pieces go on with any tokens that begin with it.
    spellings : callable
        Returns the text that each id of the codec would add after ids ``(N,)``, as bytes of UTF-8,
        because an id may be a part of a character.
    """

    kept: int
    text: str
    spellings: Callable[[NDArray[np.int64]], Sequence[bytes]]
