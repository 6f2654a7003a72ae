"""`Piece`: the type of a domain's pieces, by which type checkers know what a run writes.

``class Go(Domain[Game])`` says that pieces of this domain are games; a bare ``Domain`` leaves it
open. The core never looks inside a piece.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Python has defaults of type variables from 3.13 on; type checkers know them in all versions.
    from typing_extensions import TypeVar

    Piece = TypeVar("Piece", default=Any)
else:
    from typing import TypeVar

    Piece = TypeVar("Piece")
