import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import seqgen
from seqgen.errors import ConfigError
from seqgen.evaluation import loss as evaluation
from seqgen.evaluation import predictor
from seqgen.network.model import SequenceModel


def test_scores_are_the_losses_step_by_step(run) -> None:
    pieces = ["one green bottle", "wall", "2 green bottles hanging on the wall" * 20]
    for piece, scored in zip(pieces, seqgen.score(run, pieces), strict=True):
        ids = run.codec.encode(piece)
        state, nats = None, []
        for before, after in zip([run.vocab.start, *ids], [*ids, run.vocab.end], strict=True):
            features = torch.zeros((1, 1, 0), dtype=torch.int64)
            with torch.no_grad():
                logits, state = run.model.eval()(torch.tensor([[before]]), features, state)
            nats.append(-float(torch.log_softmax(logits[0, 0], 0)[after]))
        assert scored.tokens == len(ids)
        assert scored.nats == pytest.approx(sum(nats[:-1]), rel=1e-4)
        assert scored.end_nats == pytest.approx(nats[-1], rel=1e-4)
        size = {"characters": len(piece), "bytes": len(piece.encode())}
        assert scored.units == {"words": len(piece.split()), **size}


def test_a_piece_scores_the_same_beside_any_other(run) -> None:
    alone = next(seqgen.score(run, ["green"]))
    together, _ = seqgen.score(run, ["green", "wall " * 200])
    assert together.nats == pytest.approx(alone.nats, rel=1e-5)


def test_what_was_read_scores_better_than_noise(run) -> None:
    known, noise = seqgen.score(run, ["green bottles", "nsg lteeb rto"])
    assert known.nats < noise.nats


def test_windows_and_batches_change_no_score(run, chorales, monkeypatch) -> None:
    notes = chorales.corpus()
    bach = [chorales.codec.decode(np.asarray(notes.piece(i), np.int64)) for i in range(3)]
    for trained, pieces in ((run, ["wall " * 70, "a", "green " * 9]), (chorales, bach)):
        whole = list(seqgen.score(trained, pieces))
        monkeypatch.setattr(evaluation, "WINDOW", 7)
        monkeypatch.setattr(evaluation, "LANES", 2)
        for one, other in zip(whole, seqgen.score(trained, pieces), strict=True):
            assert one.nats == pytest.approx(other.nats, rel=1e-5)
            assert one.end_nats == pytest.approx(other.end_nats, rel=1e-4)
        monkeypatch.undo()


def test_no_call_has_more_logits_than_allowed(run, monkeypatch) -> None:
    seen = []
    real = SequenceModel.predict

    def watched(model, top):
        seen.append(len(top) * model.targets)
        return real(model, top)

    monkeypatch.setattr(SequenceModel, "predict", watched)
    monkeypatch.setattr(evaluation, "LOGITS", 5000)
    (scored,) = seqgen.score(run, ["wall " * 400])
    assert scored.tokens == 2000 and len(seen) > 1 and max(seen) <= 5000


def test_pieces_that_have_ended_are_not_read_on(run, monkeypatch) -> None:
    steps = []
    real = SequenceModel.read

    def watched(model, ids, features, state):
        steps.append(ids.numel())
        return real(model, ids, features, state)

    monkeypatch.setattr(SequenceModel, "read", watched)
    list(seqgen.score(run, ["green"] * 31 + ["wall " * 400]))
    assert sum(steps) < 2001 + 32 * 256


def test_a_model_can_be_trained_after_it_was_scored(run, tmp_path: Path) -> None:
    """In whatever mode its weights are loaded first."""
    shutil.copytree(run.folder, tmp_path / "run")
    for load_first in (
        lambda opened: list(seqgen.score(opened, ["green"])),
        torch.inference_mode()(lambda opened: opened.model),
    ):
        opened = seqgen.load(tmp_path / "run", "cpu")
        load_first(opened)
        ids = torch.zeros((1, 4), dtype=torch.int64)
        logits, _ = opened.model(ids, torch.zeros((1, 4, 0), dtype=torch.int64))
        logits.sum().backward()
        assert opened.model.output.bias.grad is not None


def test_a_predictor_gives_the_probabilities_that_are_scored(chorales, run, monkeypatch) -> None:
    """Features and windows included, and whatever is read beside a piece."""
    notes = chorales.corpus()
    bach = [np.asarray(notes.piece(i), np.int64) for i in range(3)]
    texts = [run.codec.encode(text) for text in ("wall " * 70, "a", "green " * 9)]
    for trained, pieces in ((chorales, bach), (run, texts)):
        whole = list(seqgen.NetworkPredictor(trained).log_probabilities(iter(pieces)))
        scored = seqgen.score(trained, map(trained.codec.decode, pieces))
        for ids, found, score in zip(pieces, whole, scored, strict=True):
            assert found.shape == (len(ids) + 1, trained.vocab.targets)
            assert np.exp(found).sum(axis=1) == pytest.approx(1)
            costs = -found[np.arange(len(found)), np.append(ids, trained.vocab.end)]
            assert costs[:-1].sum() == pytest.approx(score.nats, rel=1e-6)
            assert costs[-1] == pytest.approx(score.end_nats, rel=1e-4)
        monkeypatch.setattr(evaluation, "WINDOW", 7)
        monkeypatch.setattr(evaluation, "LANES", 2)
        again = seqgen.NetworkPredictor(trained).log_probabilities(iter(pieces))
        for one, other in zip(whole, again, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        monkeypatch.undo()


def test_a_predictor_holds_few_pieces(run, monkeypatch) -> None:
    monkeypatch.setattr(predictor, "HELD", 50 * run.vocab.targets)
    ahead = []

    def pieces():
        for number in range(40):
            ahead.append(number)
            yield run.codec.encode("green " * 4)

    found = seqgen.NetworkPredictor(run).log_probabilities(pieces())
    for number, _ in enumerate(found):
        assert len(ahead) - number <= 3
    assert number == 39


def test_a_table_has_a_column_for_each_model_and_the_worst_piece_first(run, tmp_path) -> None:
    texts = {"known.txt": "9 green bottles hanging on the wall", "noise.txt": "gnigd nno bltoe"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "unknown.txt").write_text("naïve green")
    said: list[str] = []
    table = seqgen.score_table(run, [tmp_path], adaptive=True, tell=said.append)
    assert [Path(row.source).name for row in table.rows] == ["noise.txt", "known.txt"]
    known = table.rows[1]
    [scored] = seqgen.score(run, [texts["known.txt"]])
    assert list(known.nats) == ["network", "baseline", "adaptive"]
    assert known.nats["network"] == pytest.approx(scored.nats, rel=1e-5)
    assert known.loss("network") == pytest.approx((scored.nats + scored.end_nats) / 36, rel=1e-5)
    assert known.loss_per("characters") == pytest.approx(scored.nats / 35 / np.log(2), rel=1e-5)
    assert known.loss_per("words") == pytest.approx(np.exp(scored.nats / 7), rel=1e-4)
    for column in known.nats:
        assert table.total.nats[column] == sum(row.nats[column] for row in table.rows)
    assert table.total.tokens == sum(map(len, texts.values())) and table.total.ends == 2
    assert [Path(entry.source).name for entry in table.outcome.skipped] == ["unknown.txt"]
    assert said == [
        f"baseline: {table.baseline.order}-gram counts of {table.baseline.tokens:,} training tokens"
    ]


def test_a_table_of_a_split_reads_the_corpus_of_the_run(run) -> None:
    said: list[str] = []
    table = seqgen.score_table(run, split="valid", tell=said.append)
    assert table.total.tokens == run.corpus().size("valid")
    assert said[0] == f"scoring the split 'valid' of {run.corpus().folder}"
    with pytest.raises(ConfigError, match="`split` is for a corpus"):
        seqgen.score_table(run, ["a.txt"], split="valid")
    with pytest.raises(ConfigError, match="`unknown` is for files"):
        seqgen.score_table(run, unknown="skip")
