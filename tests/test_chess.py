"""The example of a plugin: chess. Every move is checked by an independent replay."""

import math
import re
import sys
from pathlib import Path
from random import Random

import chess
import numpy as np
import pytest
from seqgen_chess import domain, player, replay
from seqgen_chess.codec import MoveCodec, MoveOptions
from seqgen_chess.domain import Chess, ReadOptions
from seqgen_chess.game import MARKS, Game, ending, result
from seqgen_chess.moves import END, MARK_IDS, VOCAB
from seqgen_chess.position import VALUES, Position, attacked, balance

import seqgen
from seqgen.errors import ConfigError, DataError
from seqgen.grammar import unpacked
from seqgen.testing import check_domain

CODEC = MoveCodec(MoveOptions())

#: Games that the rules end: the fool's mate, and the shortest stalemate known (Loyd 1866).
MATE = "f3 e5 g4 Qh4"
STALEMATE = "e3 a5 Qh5 Ra6 Qxa5 h5 h4 Rah6 Qxc7 f6 Qxd7 Kf7 Qxb7 Qd3 Qxb8 Qh7 Qxc8 Kg6 Qe6"

GAMES = [player.play(Random(seed)) for seed in range(12)]
TYPED = [Chess().from_text(text) for text in (MATE, STALEMATE, "e4 e5 1/2-1/2", "d4 *")]


def allowed_by_the_rules(game: Game) -> list[set[str]]:
    """Return the tokens that may come at each position, by python-chess alone; "" is END."""
    board, found = chess.Board(), []
    for move in [*game.moves, None]:
        legal = {legal.uci() for legal in board.legal_moves}
        is_over = board.is_game_over(claim_draw=False)
        found.append({""} if is_over else legal | set(MARKS if board.move_stack else ()))
        if move is not None:
            board.push_uci(move)
    return [*found, {""}] if game.mark else found


def is_legal(game: Game) -> bool:
    tokens = [*game.moves, game.mark] if game.mark else [*game.moves, ""]
    allowed = allowed_by_the_rules(game)
    return all(token in may for token, may in zip(tokens, allowed, strict=False))


def test_the_vocabulary_is_every_move_on_an_empty_board() -> None:
    # 1,456 moves of queens, 336 of knights, 22 promoting moves of two colours to four pieces.
    assert len(VOCAB) == 1456 + 336 + 2 * 22 * 4 + len(MARKS)
    assert len(set(VOCAB)) == len(VOCAB)
    assert {"e1g1", "e7e8q", "h2g1n", "b1c3", "a1h8"} <= set(VOCAB)


@pytest.mark.parametrize("game", [*GAMES[:6], *TYPED], ids=lambda game: str(len(game.moves)))
def test_masks_are_the_legal_moves(game: Game) -> None:
    ids = CODEC.encode(game)
    masks = unpacked(CODEC.masks(ids), END + 1)  # (N + 1, V + 1)
    names = [*VOCAB, ""]
    expected = allowed_by_the_rules(game)
    assert len(masks) == len(expected)
    for mask, may in zip(masks, expected, strict=True):
        assert {names[token] for token in np.flatnonzero(mask)} == may


@pytest.mark.parametrize("game", [*GAMES, *TYPED], ids=lambda game: str(len(game.moves)))
def test_games_survive_ids_and_files(game: Game, tmp_path: Path) -> None:
    ids = CODEC.encode(game)
    assert CODEC.decode(ids) == game
    [path] = Chess().write(game, tmp_path / "game.pgn")
    assert list(Chess().read(path)) == [game]
    assert CODEC.units(ids) == {"plies": len(game.moves), "games": 1}


def test_ids_that_may_not_come_are_ignored() -> None:
    rng = np.random.default_rng(0)
    ids = CODEC.encode(GAMES[0])
    noise = rng.integers(0, len(VOCAB), 400)
    mixed = np.concatenate([ids, ids, noise])
    assert CODEC.decode(mixed) == GAMES[0]
    assert CODEC.decode(np.append(MARK_IDS[0], ids)) == GAMES[0]  # no game begins with its mark
    assert all(is_legal(CODEC.decode(rng.permutation(mixed))) for _ in range(5))


def test_an_open_game_can_be_continued_after_reading(tmp_path: Path) -> None:
    opening = Chess().from_text("1. e4 e5 2. Nf3")
    assert opening == Game(("e2e4", "e7e5", "g1f3")) == Chess().from_text("e2e4 e7e5 g1f3")
    assert ending(opening) == "open" and not Chess().labels(opening)
    [path] = Chess().write(opening, tmp_path / "opening.pgn")
    assert 'Termination "unterminated"' in path.read_text()
    [again] = Chess().read(path)
    assert again == opening and END not in np.flatnonzero(
        unpacked(CODEC.masks(CODEC.encode(again))[-1], END + 1)
    )


def test_wrong_moves_are_named_with_their_place() -> None:
    with pytest.raises(DataError, match="at move 2, black, such as Nf3 or g1f3, found 'Nf4'"):
        Chess().from_text("e4 e5 Nf3 Nf4")
    with pytest.raises(DataError, match="no move after 1-0, found 'e5'"):
        Chess().from_text("e4 1-0 e5")
    with pytest.raises(DataError, match="a move before 1-0"):
        Chess().from_text("1-0")
    assert CODEC.place(CODEC.encode(GAMES[0]), 23) == "move 12, black"


def test_castling_may_be_typed_with_zeros() -> None:
    moves = "1.e4 e5 2.Nf3 Nc6 3.Bc4 Nf6 4."
    assert Chess().from_text(moves + "0-0") == Chess().from_text(moves + "O-O")


def test_results_are_labels() -> None:
    games = {text: Chess().from_text(text) for text in (MATE, STALEMATE, "e4 1-0", "e4 *")}
    expected = [{"result": "0-1"}, {"result": "1/2-1/2"}, {"result": "1-0"}, {}]
    assert [Chess().labels(game) for game in games.values()] == expected
    endings = ["mate", "draw by rule", "resigned", "adjourned"]
    assert [ending(game) for game in games.values()] == endings


PGN = """[Event "?"]
[White "A"]
[Black "B"]
[WhiteElo "2500"]
[BlackElo "2410"]
[Result "1-0"]

1. e4 {best} e5 (1... c5 2. Nf3) 2. Nf3 $1 1-0

[WhiteElo "2500"]
[BlackElo "?"]
[Result "0-1"]

1. d4 d5 0-1

[Result "*"]

1. e4 e5 2. Ke3 *

[FEN "8/8/8/8/8/4k3/4p3/4K3 w - - 0 1"]
[SetUp "1"]

1. Kf1 *

[Result "1-0"]

1-0

[Variant "Atomic"]

1. e4 e5 *

[Variant "Standard"]
[FEN "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"]

1. c4 *
"""


def test_games_that_cannot_be_used_cost_only_themselves(tmp_path: Path) -> None:
    path = tmp_path / "games.pgn"
    path.write_text(PGN)
    found = list(Chess().read(path))
    assert found[0] == Game(("e2e4", "e7e5", "g1f3"), "1-0")
    assert found[1] == Game(("d2d4", "d7d5"), "0-1")
    reasons = [
        "game 3: it cannot be read: illegal san",
        "game 4: it does not begin",
        "game 5: it has no moves",
        "game 6: it is of the variant Atomic",
    ]
    assert found[6] == Game(("c2c4",), "*")
    for error, reason in zip(found[2:6], reasons, strict=True):
        assert isinstance(error, DataError) and str(error).startswith(reason)


def test_games_of_strong_players_alone(tmp_path: Path) -> None:
    path = tmp_path / "games.pgn"
    path.write_text(PGN)
    assert list(Chess().read(path, ReadOptions(min_elo=2400))) == [
        Game(("e2e4", "e7e5", "g1f3"), "1-0")
    ]
    path.write_text(f'[WhiteElo "{"9" * 5000}"]\n[BlackElo "2410"]\n\n1. e4 *\n')
    assert list(Chess().read(path, ReadOptions(min_elo=2400))) == [Game(("e2e4",), "*")]
    with pytest.raises(ConfigError, match="min_elo must be from 0 to 4,000"):
        ReadOptions(min_elo=9000)


def test_a_game_that_goes_on_after_its_end_is_refused(tmp_path: Path) -> None:
    shuffle = "Nf3 Nf6 Ng1 Ng8 " * 5
    assert ending(Chess().from_text(shuffle[:-16])) == "draw by rule"  # fifth repetition
    with pytest.raises(DataError, match="goes on at move 9, white, but the rules have ended it"):
        Chess().from_text(shuffle)


def test_features_show_the_board() -> None:
    position = Position()
    for token in CODEC.encode(GAMES[0])[:25].tolist():
        position.push(token)
    board = position.board
    row = CODEC.features(CODEC.encode(GAMES[0]))[25]
    for square, value in enumerate(row[-64:].tolist()):
        piece = board.piece_at(square)
        kind = 0 if piece is None else piece.piece_type + 6 * (piece.color != board.turn)
        assert value == kind + 13 * board.is_attacked_by(not board.turn, square)
    assert attacked(board) == sum(
        1 << square for square in chess.SQUARES if board.is_attacked_by(not board.turn, square)
    )
    signs = {board.turn: 1, not board.turn: -1}
    pieces = board.piece_map().values()
    assert balance(board) == sum(signs[each.color] * VALUES[each.piece_type] for each in pieces)


@pytest.mark.parametrize("board", ["none", "pieces", "attacks"])
def test_features_fit_their_sizes_for_every_option(board: str) -> None:
    codec = MoveCodec(MoveOptions(board=board))
    rows = codec.features(CODEC.encode(GAMES[1]))
    assert rows.shape[1] == len(codec.feature_sizes) and (rows < codec.feature_sizes).all()


def test_replays_are_kept_within_a_limit(monkeypatch) -> None:
    recent = replay._Recent()
    ids = [CODEC.encode(game) for game in GAMES]
    first = recent.replay(ids[0])
    assert recent.replay(ids[0].copy()) is first
    monkeypatch.setattr(replay, "MOST_BYTES", 2 * first.bytes)
    for each in ids:
        recent.replay(each)
        assert sum(kept.bytes for kept in recent._kept.values()) == recent._bytes <= 2 * first.bytes
    assert recent.replay(ids[0]) is not first


def test_the_player_knows_its_probabilities() -> None:
    for game in GAMES[:3]:
        position, total = Position(), 0.0
        for token in [*CODEC.encode(game).tolist(), END]:
            chances = player.probabilities(position)
            assert math.isclose(sum(chances.values()), 1) and set(chances) <= set(position.next)
            total -= math.log(chances[token])
            position.push(token)
        assert math.isclose(player.nats(CODEC.encode(game).tolist()), total)
    assert [player.play(Random(seed)) for seed in range(2)] == GAMES[:2]


def test_games_of_the_player_end(tmp_path: Path, monkeypatch) -> None:
    assert all(is_legal(game) and ending(game) != "open" for game in GAMES)
    assert {"resigned", "draw agreed"} <= {ending(game) for game in GAMES}
    monkeypatch.setattr(domain, "FILES", 1)
    monkeypatch.setattr(domain, "GAMES", 3)
    [path] = Chess().demo(tmp_path)
    assert [result(game) for game in Chess().read(path)].count("*") < 3


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> seqgen.Run:
    """A small model that has seen a few games with their results as labels."""
    folder = tmp_path_factory.mktemp("chess")
    for number, game in enumerate(GAMES):
        Chess().write(game, folder / f"{number}.pgn")
    corpus = seqgen.prepare(
        "chess", [folder], folder / "corpus", options={"board": "none"}, labels={"result": ""}
    )
    model = seqgen.ModelConfig(hidden=16, embedding=8, dropout=0.0)
    config = seqgen.TrainConfig(tokens=3_000, batch_size=4, window=32, device="cpu", evaluations=1)
    made = seqgen.create_run(folder / "run", corpus, model, config)
    for _ in seqgen.train(made, corpus):
        pass
    return made


def test_a_model_writes_legal_games_only(run: seqgen.Run) -> None:
    for new in seqgen.generate(run, 3, sample=seqgen.SampleConfig(temperature=2.0)):
        assert new.piece.moves and is_legal(new.piece)
        assert (new.stopped_by == "end") == (ending(new.piece) != "open")


def test_openings_are_prompts(run: seqgen.Run) -> None:
    opening = Chess().from_text("e4 e5 Nf3")
    [new] = seqgen.generate(run, 1, prompt=opening)
    assert new.piece.moves[:3] == opening.moves and is_legal(new.piece)


ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "plugin-chess.md").read_text()
FIRST, *QUOTES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

HOOK = """
from seqgen.plugin import DomainSpec, hookimpl

@hookimpl
def seqgen_domains():
    return [DomainSpec("sixty", "games", (".pgn",), "seqgen_sixty.domain:Chess", contract=2)]
"""


def test_the_first_plugin_of_the_page_keeps_the_contract(
    tmp_path: Path, monkeypatch, write_metadata
) -> None:
    package = tmp_path / "seqgen_sixty"
    package.mkdir()
    (package / "__init__.py").write_text(HOOK)
    (package / "domain.py").write_text(FIRST)
    write_metadata(tmp_path, "seqgen-sixty", {"sixty": "seqgen_sixty"})
    monkeypatch.syspath_prepend(str(tmp_path))
    assert check_domain("sixty", tmp_path / "checks") > 20
    for name in ("seqgen_sixty", "seqgen_sixty.domain"):
        sys.modules.pop(name)


@pytest.mark.parametrize("quote", QUOTES, ids=lambda quote: quote.split("\n")[0].strip()[:40])
def test_the_page_quotes_the_example(quote: str) -> None:
    files = sorted((ROOT / "examples" / "plugin-chess").rglob("*.py"))
    assert sum(path.read_text().count(quote) for path in files) == 1
