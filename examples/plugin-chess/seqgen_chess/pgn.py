"""Reads and writes games in PGN, the format of chess programs and collections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import chess
import chess.pgn

from seqgen.errors import DataError
from seqgen_chess.game import MARKS, Game, ending, game_of, result

#: PGN's word for a game that is written but not over, so that it can be continued.
OPEN = "unterminated"

#: PGN's names for the usual chess, in lower case.
USUAL = [name.lower() for name in chess.Board.aliases]


@dataclass
class _Record(chess.pgn.BaseVisitor["_Record"]):
    """Collects the main line of one game; variations and comments are skipped."""

    min_elo: int
    headers: chess.pgn.Headers = field(default_factory=lambda: chess.pgn.Headers({}))
    moves: list[chess.Move] = field(default_factory=list)
    problem: str = ""

    def visit_header(self, tagname: str, tagvalue: str) -> None:
        self.headers[tagname] = tagvalue

    def end_headers(self) -> chess.pgn.SkipType | None:
        return None if self.is_wanted else chess.pgn.SKIP

    def begin_variation(self) -> chess.pgn.SkipType:
        return chess.pgn.SKIP

    def visit_move(self, board: chess.Board, move: chess.Move) -> None:
        self.moves.append(move)

    def visit_result(self, result: str) -> None:
        self.headers.setdefault("Result", result)

    def handle_error(self, error: Exception) -> None:
        self.problem = self.problem or str(error)

    def result(self) -> _Record:
        return self

    @property
    def is_wanted(self) -> bool:
        """Whether both players have the rating that is asked for."""
        ratings = [self.headers.get(f"{side}Elo", "") for side in ("White", "Black")]
        return all((int(text[:9]) if text.isdecimal() else 0) >= self.min_elo for text in ratings)

    def game(self) -> Game:
        """Return the game, or raise `DataError`."""
        if (variant := self.headers.get("Variant", "Standard")).lower() not in USUAL:
            raise DataError(f"it is of the variant {variant[:50]}; leave it out")
        if self.headers.get("FEN", chess.STARTING_FEN) != chess.STARTING_FEN:
            raise DataError("it does not begin from the usual start; leave it out")
        if self.problem:
            raise DataError(f"it cannot be read: {self.problem}")
        if not all(self.moves):
            raise DataError("it has a null move; leave it out")
        is_open = self.headers.get("Termination", "").lower() == OPEN
        if not self.moves and not is_open:
            raise DataError("it has no moves")
        mark = self.headers.get("Result", "*")
        return game_of(self.moves, "" if is_open else mark if mark in MARKS else "*")


def read_games(file: TextIO, min_elo: int) -> Iterator[Game | DataError]:
    """Yield the games of players with a rating; a game that cannot be used is a `DataError`."""
    number = 0
    while (record := chess.pgn.read_game(file, Visitor=lambda: _Record(min_elo))) is not None:
        number += 1
        if record.is_wanted:
            try:
                yield record.game()
            except DataError as error:
                yield DataError(f"game {number}: {error}")
    if not number:
        raise DataError("it has no game")


def pgn(game: Game) -> str:
    """Return a game as PGN."""
    written = chess.pgn.Game()
    written.headers["Result"] = result(game)
    if ending(game) == "open":
        written.headers["Termination"] = OPEN
    written.add_line(game.board().move_stack)
    return f"{written}\n"


def write_pgn(game: Game, path: Path) -> list[Path]:
    """Write a game as PGN."""
    path.write_text(pgn(game), "utf-8")
    return [path]
