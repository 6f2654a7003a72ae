"""Chess: nats a ply on held-out games of a simple player, and what new games are like.

The games are the demo of `examples/plugin-chess`. The player draws its moves from probabilities
that are known, so no model can do better than its own nats, the floor. All settings are chosen by
the engine. Losses are under the grammar, on a test split that nothing was chosen on, and count
marks and END. New games are replayed by python-chess, apart from the plugin. This file cannot be
named chess.py, because python-chess is.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import chess
import numpy as np
from harness import BY_TOKENS, Benchmark
from seqgen_chess import player
from seqgen_chess.game import Game, ending

import seqgen
from seqgen.data.lanes import codec_rows
from seqgen.data.spans import Span
from seqgen.evaluation.ngram import baseline
from seqgen.evaluation.scoring import score_ids
from seqgen.files import cache_folder
from seqgen.grammar import unpacked
from seqgen.plugin import Codec, Ids

#: New games.
GAMES = 200


def games_of(corpus: seqgen.Corpus, split: str) -> list[Ids]:
    """Return the ids of the games of a split."""
    pieces = [corpus.piece(segment.piece) for segment in corpus.segments(split)]
    return [np.asarray(ids, np.int64) for ids in pieces]


def even_nats(codec: Codec, games: Sequence[Ids]) -> float:
    """Return the nats of games whose allowed tokens are all as likely."""
    masks = (unpacked(codec.masks(ids), len(codec.vocab) + 1) for ids in games)
    return sum(float(np.log(mask.sum(axis=1)).sum()) for mask in masks)


def legal_plies(game: Game) -> int:
    """Return how many moves are legal, up to the first that is not."""
    board = chess.Board()
    for number, move in enumerate(map(chess.Move.from_uci, game.moves)):
        if board.is_game_over() or not board.is_legal(move):
            return number
        board.push(move)
    return len(game.moves)


def described(games: Sequence[Game]) -> dict[str, float]:
    """Return the mean number of plies and the shares of endings."""
    endings = [ending(game) for game in games]
    names = ("mate", "draw by rule", "resigned", "draw agreed", "adjourned", "open")
    shares = {name: endings.count(name) / len(games) for name in names}
    plies = [len(game.moves) for game in games]
    finished = 1 - shares["adjourned"] - shares["open"]
    return {"mean plies": float(np.mean(plies)), "finished": finished, **shares}


def main() -> None:
    options = {
        **BY_TOKENS,
        "board": {"default": "attacks", "help": "option of the codec"},
        "hidden": {"type": int, "default": 0, "help": "width; by default the engine's choice"},
    }
    benchmark = Benchmark("chess_games", "nats per ply", 5.0, options)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        domain, _ = seqgen.load_domain("chess")
        files = domain.demo(cache_folder() / "demo" / "chess")
        chosen = {"board": benchmark.given.board}
        corpus = seqgen.prepare("chess", files, place / "corpus", options=chosen)
        config = seqgen.TrainConfig(**benchmark.budget, seed=benchmark.seed, device="cpu")
        model = seqgen.ModelConfig(hidden=benchmark.given.hidden)
        run = seqgen.create_run(place / "run", corpus, model, config)
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)
        codec, test = run.codec, games_of(corpus, "test")
        plies = sum(codec.units(ids)["plies"] for ids in test)
        scores = list(score_ids(run, test))
        figure = sum(score.nats + score.end_nats for score in scores) / plies
        counts = baseline(corpus)
        spans = [Span(corpus.vocab, ids, codec_rows(codec, ids)) for ids in test]
        counted = sum(sum(counts.model.span_nats(span)) for span in spans)
        new = [made.piece for made in seqgen.generate(run, GAMES, seed=benchmark.seed)]
        baselines = {
            "even guess among allowed": even_nats(codec, test) / plies,
            f"{counts.order}-gram under the mask": counted / plies,
            "floor: the player itself": sum(player.nats(ids.tolist()) for ids in test) / plies,
        }
        corpus_games = [
            codec.decode(ids)
            for split in ("train", "valid", "test")
            for ids in games_of(corpus, split)
        ]
        benchmark.finish(
            figure,
            baselines,
            test_plies=plies,
            legal=sum(map(legal_plies, new)) / sum(len(game.moves) for game in new),
            generated=described(new),
            corpus=described(corpus_games),
            tokens=report.tokens,
            training_seconds=report.seconds,
            chosen=run.info["plan"]["reasons"],
            load_average=[load, os.getloadavg()[0]],
        )


if __name__ == "__main__":
    main()
