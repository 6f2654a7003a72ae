"""A simple player, whose games a model can learn from.

It looks one move ahead: captures by value, pieces that leave or enter danger, checks, the centre.
It then draws a move at random, likelier the better it looks. Its probabilities are known exactly,
and so is the lowest loss that a model of its games can reach.
"""

from __future__ import annotations

import math
from random import Random

import chess

from seqgen_chess.game import Game
from seqgen_chess.moves import END, MARK_IDS, MOVES, VOCAB
from seqgen_chess.position import VALUES, Position, attacked, balance

#: Pawns of score that make a move e times as likely.
TEMPERATURE = 0.3

#: How much of a piece's value counts for leaving danger and for entering it.
FLIGHT, RISK = 0.5, 0.8

#: Scores of a check and of a step towards the centre, in pawns.
CHECK, CENTRE = 0.6, 0.15

#: From this ply on a player who is this many pawns behind resigns with this probability each move.
RESIGNS_FROM, BEHIND, RESIGNS = 40, 8, 0.4

#: From this ply on a draw is agreed with this probability each move, if material is this even.
DRAWS_FROM, EVEN, AGREES = 60, 1, 0.1

#: The ply at which a game is adjourned.
ADJOURNED = 120

WHITE_WINS, BLACK_WINS, DRAW, ADJOURN = MARK_IDS


def _centre(square: int) -> float:
    """Return 0 at the edge to 3 in the centre."""
    return 3 - max(abs(square % 8 - 3.5), abs(square // 8 - 3.5)) + 0.5


CENTRES = [CENTRE * _centre(square) for square in chess.SQUARES]


def probabilities(position: Position) -> dict[int, float]:
    """Return the probability of each id, END included, that the player gives more than 0."""
    board = position.board
    if position.next[0] == END:
        return {END: 1.0}
    ply, ahead = board.ply(), balance(board)
    if ply >= ADJOURNED:
        return {ADJOURN: 1.0}
    ends: dict[int, float] = {}
    if ply >= RESIGNS_FROM and ahead <= -BEHIND:
        ends = {BLACK_WINS if board.turn else WHITE_WINS: RESIGNS}
    elif ply >= DRAWS_FROM and abs(ahead) <= EVEN:
        ends = {DRAW: AGREES}
    moves = [token for token in position.next if token < MARK_IDS[0]]
    weights = [math.exp(score / TEMPERATURE) for score in _scores(board, moves)]
    share = (1 - sum(ends.values())) / sum(weights)
    return {token: share * weight for token, weight in zip(moves, weights, strict=True)} | ends


def _scores(board: chess.Board, moves: list[int]) -> list[float]:
    """Return the score of each move in pawns."""
    danger, kind_at = attacked(board), board.piece_type_at
    checks = _checking_squares(board)
    scores = []
    for token in moves:
        move = MOVES[token]
        start, target, kind = move.from_square, move.to_square, kind_at(move.from_square) or 0
        own = VALUES[kind]
        towards = CENTRES[target] - CENTRES[start]
        score = VALUES[kind_at(target) or 0] + (-towards if kind == chess.KING else towards)
        if danger >> start & 1:
            score += FLIGHT * own
        if danger >> target & 1:
            score -= RISK * own
        if move.promotion:
            score += VALUES[move.promotion] - 1
        if checks[kind] >> target & 1:
            score += CHECK
        scores.append(score)
    return scores


def _checking_squares(board: chess.Board) -> list[int]:
    """Return for each kind of piece the squares from which it gives check, as bits."""
    king, turn = board.king(not board.turn), board.turn
    assert king is not None
    occupied = board.occupied
    rank_file = (
        chess.BB_RANK_ATTACKS[king][chess.BB_RANK_MASKS[king] & occupied]
        | chess.BB_FILE_ATTACKS[king][chess.BB_FILE_MASKS[king] & occupied]
    )
    diagonal = chess.BB_DIAG_ATTACKS[king][chess.BB_DIAG_MASKS[king] & occupied]
    pawns = chess.BB_PAWN_ATTACKS[not turn][king]
    return [0, pawns, chess.BB_KNIGHT_ATTACKS[king], diagonal, rank_file, rank_file | diagonal, 0]


def play(random: Random) -> Game:
    """Return a game of the player against itself."""
    position, names = Position(), []
    while position.next[0] != END:
        chances = probabilities(position)
        [token] = random.choices(list(chances), list(chances.values()))
        position.push(token)
        names.append(VOCAB[token])
    is_marked = not names[-1][0].isalpha()
    return Game(tuple(names[:-1]), names[-1]) if is_marked else Game(tuple(names))


def nats(game_ids: list[int]) -> float:
    """Return minus the log-probability of the ids of a game under the player, END included."""
    position, total = Position(), 0.0
    for token in [*game_ids, END]:
        total -= math.log(probabilities(position)[token])
        position.push(token)
    return total
