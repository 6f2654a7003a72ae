"""The codec `moves`: one token for each move, and a mark where the rules do not end the game."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.grammar import unpacked
from seqgen.plugin import Codec, Ids, check_fields
from seqgen_chess.game import MARKS, Game, place_of
from seqgen_chess.moves import END, MARK_IDS, VOCAB
from seqgen_chess.position import FACTS, SQUARE, Position, mask_rows, squares_of
from seqgen_chess.replay import replay

#: The id of each move and mark.
IDS = {name: number for number, name in enumerate(VOCAB)}

#: How many values a square has by the option `board`.
SQUARES = {"none": (), "pieces": (SQUARE // 2,) * 64, "attacks": (SQUARE,) * 64}


@dataclass(frozen=True)
class MoveOptions:
    """Options of the codec `moves`."""

    board: Literal["none", "pieces", "attacks"] = "attacks"
    """What the model sees of the squares: nothing, their pieces, or also which are attacked."""

    def __post_init__(self) -> None:
        check_fields(self)


class MoveCodec(Codec):
    """One token for each move, and one for the mark.

    Lossless. The end may come only where the game is over: by the rules, or after a mark.

    Parameters
    ----------
    options : MoveOptions
    """

    options_type: ClassVar[type[Any]] = MoveOptions
    vocab = VOCAB

    def __init__(self, options: MoveOptions) -> None:
        self.options = options
        self.feature_sizes = (*FACTS, *SQUARES[options.board])

    @classmethod
    def fit(cls, pieces: Iterable[Game], options: MoveOptions) -> Self:
        """Return the codec; there is nothing to learn."""
        return cls(options)

    def state(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: MoveOptions) -> Self:
        """Rebuild the codec."""
        return cls(options)

    def encode(self, piece: Game) -> Ids:
        """Return the ids of the moves and the mark ``(N,)``."""
        names = [*piece.moves, piece.mark] if piece.mark else piece.moves
        return np.array([IDS[name] for name in names], np.int64)

    def decode(self, ids: Ids) -> Game:
        """Return the game of the ids that may come; the others are ignored."""
        names = [VOCAB[token] for token in np.asarray(ids)[replay(ids).kept].tolist()]
        mark = names.pop() if names and names[-1] in MARKS else ""
        return Game(tuple(names), mark)

    def masks(self, ids: Ids) -> NDArray[np.uint8]:
        """Return the legal moves and marks at each position, and END where the game is over."""
        return replay(ids).masks

    def features(self, ids: Ids) -> NDArray[np.int64]:
        """Return facts about each position and its squares ``(N + 1, K)``."""
        found = replay(ids)
        return self.shown(found.squares, found.facts)

    def shown(self, squares: NDArray[np.uint8], facts: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the features ``(N, K)`` of N positions by the option `board`."""
        if self.options.board == "none":
            return facts.astype(np.int64)
        if self.options.board == "pieces":
            squares = squares % (SQUARE // 2)
        return np.concatenate([facts, squares], axis=1).astype(np.int64)

    def tracker(self, condition: Any = None) -> MoveTracker:
        """Return the tracker; games take no condition of their own."""
        if condition is not None:
            raise DataError("chess takes no --given but labels, such as result=1-0")
        return MoveTracker(self)

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the whole game: it cannot begin in the middle."""
        return ids

    def place(self, ids: Ids, position: int) -> str:
        """Return the move number and the side to move."""
        return place_of(int(replay(ids).kept[:position].sum()))

    def units(self, ids: Ids) -> dict[str, float]:
        """Count plies (single moves) and games."""
        return {"plies": float((np.asarray(ids) < MARK_IDS[0]).sum()), "games": 1.0}


class MoveTracker:
    """Follows one game. Copies share the codec and no board."""

    def __init__(self, codec: MoveCodec) -> None:
        self._codec = codec
        self._position = Position()

    def features(self) -> list[int]:
        """Return the features of the next position ``(K,)``."""
        squares = squares_of([self._position.pieces()])
        facts = np.array([self._position.facts()], np.uint8)
        row: list[int] = self._codec.shown(squares, facts)[0].tolist()
        return row

    def allowed(self) -> NDArray[np.bool_]:
        """Return which ids may come next ``(V + 1,)``."""
        mask: NDArray[np.bool_] = unpacked(mask_rows([self._position.next]), END + 1)[0]
        return mask

    def forced(self) -> int | None:
        """Return the id that may come if there is only one."""
        only = self._position.next
        return only[0] if len(only) == 1 else None

    def push(self, token: int) -> None:
        """Play a move or end the game with a mark."""
        self._position.push(token)
