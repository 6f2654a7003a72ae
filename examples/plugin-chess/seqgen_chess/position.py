"""A position: what may come next, and what the model sees of the board.

A token that may not come is ignored: it changes nothing. So every sequence of ids is a game.
"""

from __future__ import annotations

import chess
import numpy as np
from numpy.typing import NDArray

from seqgen.grammar import packed
from seqgen_chess.game import is_drawn
from seqgen_chess.moves import END, MARK_IDS, MOVES, VOCAB, id_of

#: Value of each kind of piece in pawns, by python-chess's numbers from 1 (pawn) to 6 (king).
VALUES = (0, 1, 3, 3, 5, 9, 0)

#: On each square: nothing, one of six pieces of the side to move, or one of six of the opponent;
#: 13 is added if the opponent attacks the square.
SQUARE = 26

#: Largest difference of material that the model sees, in pawns.
MOST_BALANCE = 12

#: Numbers of values of the features beside the squares: side to move, ply / 4, castling rights,
#: file of an en passant capture, check, moves since a capture or pawn move / 10, material, square
#: of the last move.
FACTS = (2, 32, 16, 9, 2, 16, 2 * MOST_BALANCE + 1, 65)


class Position:
    """A game as far as it was played.

    Attributes
    ----------
    board : chess.Board
    next : list of int
        The ids that may come next; `END` alone if the game is over.
    """

    def __init__(self) -> None:
        self.board = chess.Board()
        self.next = self._found()

    def push(self, token: int) -> bool:
        """Play a move or end the game with a mark; return False if the id may not come."""
        if token not in self.next or token == END:
            return False
        if token in MARK_IDS:
            self.next = [END]
        else:
            self.board.push(MOVES[token])
            self.next = self._found()
        return True

    def _found(self) -> list[int]:
        """Return the ids that may come. A game without a move has no mark."""
        if is_drawn(self.board):
            return [END]
        moves = [id_of(move) for move in self.board.generate_legal_moves()]
        if not moves:
            return [END]
        return [*moves, *MARK_IDS] if self.board.move_stack else moves

    def facts(self) -> tuple[int, ...]:
        """Return the features of `FACTS`."""
        board, turn = self.board, self.board.turn
        rights = [
            test(colour)
            for colour in (turn, not turn)
            for test in (board.has_kingside_castling_rights, board.has_queenside_castling_rights)
        ]
        passing = board.ep_square
        return (
            int(turn),
            min(board.ply() // 4, 31),
            sum(right << number for number, right in enumerate(rights)),
            0 if passing is None else 1 + chess.square_file(passing),
            int(board.is_check()),
            min(board.halfmove_clock // 10, 15),
            min(max(balance(board), -MOST_BALANCE), MOST_BALANCE) + MOST_BALANCE,
            1 + board.move_stack[-1].to_square if board.move_stack else 0,
        )

    def pieces(self) -> list[int]:
        """Return 13 sets of squares as bits: six of own pieces, six of others, the attacked."""
        board = self.board
        kinds = (board.pawns, board.knights, board.bishops, board.rooks, board.queens, board.kings)
        sides = (board.occupied_co[board.turn], board.occupied_co[not board.turn])
        return [*(kind & side for side in sides for kind in kinds), attacked(board)]


def balance(board: chess.Board) -> int:
    """Return the material of the side to move minus that of the opponent, in pawns."""
    own, other = board.occupied_co[board.turn], board.occupied_co[not board.turn]
    kinds = (board.pawns, board.knights, board.bishops, board.rooks, board.queens)
    return sum(
        value * ((kind & own).bit_count() - (kind & other).bit_count())
        for value, kind in zip(VALUES[1:], kinds, strict=False)
    )


def attacked(board: chess.Board) -> int:
    """Return the squares that the opponent of the side to move attacks, as bits."""
    found = 0
    for square in chess.scan_forward(board.occupied_co[not board.turn]):
        found |= board.attacks_mask(square)
    return found


def squares_of(pieces: list[list[int]]) -> NDArray[np.uint8]:
    """Return the values on 64 squares ``(N, 64)`` of N positions, from `Position.pieces`."""
    bits = np.array(pieces, "<u8").view(np.uint8).reshape(len(pieces), 13, 8)
    table = np.unpackbits(bits, axis=2, bitorder="little")  # (N, 13, 64)
    return np.tensordot(table, np.arange(1, 14, dtype=np.uint8), (1, 0)).astype(np.uint8)


def mask_rows(following: list[list[int]]) -> NDArray[np.uint8]:
    """Return the packed masks ``(N, W)`` of N positions, from `Position.next`."""
    table = np.zeros((len(following), len(VOCAB) + 1), bool)
    rows = np.repeat(np.arange(len(following)), [len(ids) for ids in following])
    table[rows, np.concatenate(following)] = True
    return packed(table)
