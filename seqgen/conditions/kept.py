"""A condition: a piece of which parts stay, and the model writes the rest.

The core only carries it to the codec, which reads the words: "bars 1-4, 9-" is music's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from seqgen.conditions.labels import content_of
from seqgen.errors import DataError


@dataclass(frozen=True)
class Kept:
    """A piece of which only parts stay in the new piece.

    Attributes
    ----------
    piece : object
        A piece of the domain.
    parts : str
        The parts that stay, in words of the domain, such as "bars 1-4, 9-".
    """

    piece: Any = field(repr=False)
    parts: str


def check_kept(condition: Any, *, rewrites: bool, has_prompt: bool) -> None:
    """Refuse a `Kept` for a codec that does not rewrite pieces, or beside a prompt.

    Parameters
    ----------
    condition : object
    rewrites : bool
        As `Codec.rewrites`.
    has_prompt : bool
        Whether the new pieces begin with a prompt.

    Raises
    ------
    DataError
        With the reason.
    """
    if not isinstance(kept := content_of(condition), Kept):
        return
    if not rewrites:
        raise DataError(
            f"this model's codec cannot keep parts of a piece ({kept.parts!r}) and write the rest; "
            f"give the beginning as a prompt instead"
        )
    if has_prompt:
        raise DataError(
            f"a piece of which parts stay ({kept.parts!r}) takes no prompt; leave out the prompt"
        )
