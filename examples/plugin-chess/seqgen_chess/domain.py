"""The domain chess: PGN files, games typed as moves, boards as SVG, and games to learn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Any, ClassVar

import chess.svg
import numpy as np

from seqgen.files import write_atomic
from seqgen.plugin import Codec, Domain, Metric, NoOptions, Within, check_fields
from seqgen_chess import player
from seqgen_chess.codec import MoveCodec
from seqgen_chess.game import MARKS, Game, ending, result, typed_game
from seqgen_chess.pgn import pgn, read_games, write_pgn

#: Files of the demo, and games in each.
FILES, GAMES = 100, 30

#: How a game can end, as bins of a metric.
ENDINGS = ("mate", "draw by rule", "resigned", "draw agreed", "adjourned", "open")


@dataclass(frozen=True)
class ReadOptions:
    """Options of reading."""

    min_elo: Annotated[int, Within(0, 4000)] = 0
    """Take only games of which both players have at least this Elo rating."""

    def __post_init__(self) -> None:
        check_fields(self)


class Chess(Domain[Game]):
    """Reads and writes `Game` as PGN."""

    codecs: ClassVar[Mapping[str, type[Codec]]] = {"moves": MoveCodec}
    formats: ClassVar[tuple[str, ...]] = (".pgn",)
    read_options: ClassVar[type[Any]] = ReadOptions

    def read(self, path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Any]:
        """Yield the games of a file, and a `DataError` for each that cannot be used."""
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            yield from read_games(file, options.min_elo)

    def from_text(self, text: str) -> Game:
        """Return a game of typed moves, such as ``e4 e5 Nf3``."""
        return typed_game(text)

    def write(self, piece: Game, path: Path, options: NoOptions = NoOptions()) -> list[Path]:
        """Write a game as PGN."""
        return write_pgn(piece, path)

    def preview(self, piece: Game) -> dict[str, bytes | str]:
        """Return the board after the last move, and the game as PGN."""
        board = piece.board()
        last = board.move_stack[-1] if board.move_stack else None
        check = board.king(board.turn) if board.is_check() else None
        picture = chess.svg.board(board, lastmove=last, check=check, size=400)
        return {"image/svg+xml": str(picture), "text/plain": pgn(piece)}

    def describe(self, piece: Game) -> dict[str, str | int | float]:
        """Return the number of plies and how the game ended."""
        return {"plies": len(piece.moves), "ending": ending(piece)}

    def labels(self, piece: Game) -> dict[str, str]:
        """Return the result of a game that ended."""
        won = result(piece)
        return {"result": won} if won != "*" else {}

    def demo(self, folder: Path) -> Sequence[Path]:
        """Return games of a simple player against itself, which are made here."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number in range(FILES):
            path = folder / f"games-{number + 1:03}.pgn"
            if not path.exists():
                random = Random(number)
                write_atomic(path, "\n".join(pgn(player.play(random)) for _ in range(GAMES)))
            paths.append(path)
        return paths

    def metrics(self, generated: Sequence[Game], reference: Iterable[Game]) -> dict[str, Metric]:
        """Measure lengths, captures, results and endings."""
        new, real = ([_measured(game) for game in games] for games in (generated, reference))
        bins: dict[str, tuple[str, ...]] = {"results": MARKS, "endings": ENDINGS}
        units = {"length": "plies", "captures": "per ply", "results": "", "endings": ""}
        return {
            name: Metric(
                unit,
                np.array([values[name] for values in new], np.float64),
                np.array([values[name] for values in real], np.float64),
                bins.get(name, ()),
            )
            for name, unit in units.items()
        }


def _measured(game: Game) -> dict[str, Any]:
    """Return plies, captures per ply, and the bins of result and ending, by name of the metric."""
    taken, plies = 32 - game.board().occupied.bit_count(), len(game.moves)
    won, ended = result(game), ending(game)
    return {
        "length": plies,
        "captures": taken / max(plies, 1),
        "results": [won == mark for mark in MARKS],
        "endings": [ended == name for name in ENDINGS],
    }
