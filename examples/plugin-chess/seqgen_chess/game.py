"""A game: its moves, and the mark that ends it where the rules do not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import chess

from seqgen.errors import DataError

#: What ends a game that the rules leave open, as in PGN: a resignation (or loss on time) of Black
#: or White, an agreed draw, an adjournment.
MARKS = ("1-0", "0-1", "1/2-1/2", "*")


@dataclass(frozen=True)
class Game:
    """A game from the usual start.

    Attributes
    ----------
    moves : tuple of str
        Legal moves in UCI: ``("e2e4", "e7e5")``.
    mark : str
        One of `MARKS`. It is empty if the rules ended the game, or if it can be continued.
    """

    moves: tuple[str, ...]
    mark: str = ""

    def board(self) -> chess.Board:
        """Return the board after all moves."""
        board = chess.Board()
        for move in self.moves:
            board.push(chess.Move.from_uci(move))
        return board


def is_drawn(board: chess.Board) -> bool:
    """Return whether the rules end the game as a draw although there are legal moves."""
    if board.halfmove_clock >= 150 or board.is_insufficient_material():
        return True
    # Four repetitions take at least 16 moves without a capture; looking back is slow.
    return board.halfmove_clock >= 16 and board.is_fivefold_repetition()


def result(game: Game) -> str:
    """Return the result in PGN's notation; ``*`` for an adjourned or open game."""
    return game.mark or game.board().result()


def ending(game: Game) -> str:
    """Return how a game ended: mate, draw by rule, resigned, draw agreed, adjourned or open."""
    if game.mark:
        return {"*": "adjourned", "1/2-1/2": "draw agreed"}.get(game.mark, "resigned")
    outcome = game.board().outcome()
    if outcome is None:
        return "open"
    return "draw by rule" if outcome.winner is None else "mate"


def place_of(ply: int) -> str:
    """Return the place of a ply, counted from 0, in words: "move 12, black"."""
    return f"move {ply // 2 + 1}, {'black' if ply % 2 else 'white'}"


def game_of(moves: Iterable[chess.Move], mark: str) -> Game:
    """Return the game of legal moves; the mark is dropped if the rules end the game.

    Raises
    ------
    DataError
        If the game goes on after its end.
    """
    board = chess.Board()
    for move in moves:
        if is_drawn(board):
            raise DataError(
                f"it goes on at {place_of(board.ply())}, but the rules have ended it; cut it there"
            )
        board.push(move)
    is_over = is_drawn(board) or not any(board.generate_legal_moves())
    return Game(tuple(move.uci() for move in board.move_stack), "" if is_over else mark)


def typed_game(text: str) -> Game:
    """Return the game of moves such as ``1. e4 e5 2. Nf3`` or ``e2e4 e7e5``, perhaps with a mark.

    Raises
    ------
    DataError
        If a move is not legal, or a mark is not at the end of a game with moves.
    """
    board, mark = chess.Board(), ""
    for word in text.split():
        name = re.sub(r"^[0-9]+(\.+|$)", "", word)  # without the number of a move
        if mark:
            raise DataError(f"expected no move after {mark}, found {word!r}")
        if name in MARKS:
            if not board.move_stack:
                raise DataError(f"expected a move before {name}")
            mark = name
        elif name:
            board.push(_typed_move(board, name))
    return game_of(board.move_stack, mark)


def _typed_move(board: chess.Board, name: str) -> chess.Move:
    for parse in (board.parse_san, board.parse_uci):
        try:
            if move := parse(name):  # a null move is false
                return move
        except ValueError:
            pass
    raise DataError(
        f"expected a legal move at {place_of(board.ply())}, such as Nf3 or g1f3, found {name!r}"
    )
