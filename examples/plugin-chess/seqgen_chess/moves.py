"""The tokens: every move that a piece can make on an empty board, and the marks."""

from __future__ import annotations

import chess

from seqgen_chess.game import MARKS


def _all_moves() -> list[chess.Move]:
    """Return the moves of queens and knights, which include all others, and promotions."""
    empty, found = chess.Board(None), set()
    for square in chess.SQUARES:
        for kind in (chess.QUEEN, chess.KNIGHT):
            empty.set_piece_at(square, chess.Piece(kind, chess.WHITE))
            found |= {chess.Move(square, target) for target in empty.attacks(square)}
            empty.remove_piece_at(square)
    for move in list(found):
        ranks = (chess.square_rank(move.from_square), chess.square_rank(move.to_square))
        if ranks in ((6, 7), (1, 0)) and chess.square_distance(*move_squares(move)) == 1:
            found |= {chess.Move(*move_squares(move), kind) for kind in range(2, 6)}
    return sorted(found, key=lambda move: (*move_squares(move), move.promotion or 0))


def move_squares(move: chess.Move) -> tuple[int, int]:
    """Return where a move begins and ends."""
    return move.from_square, move.to_square


def _place(move: chess.Move) -> int:
    return move.from_square | move.to_square << 6 | (move.promotion or 0) << 12


#: The move of each id.
MOVES = _all_moves()

#: The names of all ids: moves in UCI, then the marks.
VOCAB = (*(move.uci() for move in MOVES), *MARKS)

#: Ids of the marks, and END.
MARK_IDS = tuple(range(len(MOVES), len(VOCAB)))
END = len(VOCAB)

_IDS = [-1] * (6 << 12)
for _number, _move in enumerate(MOVES):
    _IDS[_place(_move)] = _number


def id_of(move: chess.Move) -> int:
    """Return the id of a move."""
    return _IDS[_place(move)]
