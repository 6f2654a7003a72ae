import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import seqgen
from seqgen.config import CONTEXTS, ModelConfig, TrainConfig
from seqgen.network.model import SequenceModel
from seqgen.training import autopilot, contexts, trials
from seqgen.training.autopilot import dropout_for, learning_rate_for, plan, weight_decay_for
from seqgen.training.learner import Counts
from seqgen.vocab import Vocab


def test_nothing_stays_open_and_what_is_set_stays(corpus) -> None:
    chosen = plan(corpus, ModelConfig(), TrainConfig(tokens=50_000, device="cpu"))
    assert chosen.model.hidden and chosen.model.dropout is not None
    assert chosen.train.batch_size and chosen.train.window and chosen.train.learning_rate
    assert chosen.train.weight_decay and chosen.train.threads == 1
    model = ModelConfig(hidden=24, output="full", dropout=0.1, context_rows=0, context_dropout=0.0)
    train = TrainConfig(
        tokens=500,
        batch_size=3,
        window=7,
        learning_rate=1e-3,
        weight_decay=0.0,
        most_dropout=0.1,
        evaluation_tokens=100,
        threads=2,
        precision="float32",
        device="cpu",
    )
    chosen = plan(corpus, model, train)
    assert (chosen.model, chosen.train, chosen.reasons) == (model, train, ())


def test_without_a_budget_of_time_the_choice_is_always_the_same(corpus) -> None:
    train = TrainConfig(tokens=400_000, device="cpu")
    first, second = (plan(corpus, ModelConfig(), train) for _ in range(2))
    assert first == second


def test_more_tokens_buy_a_wider_network_and_more_dropout(corpus) -> None:
    chosen = [
        plan(corpus, ModelConfig(), TrainConfig(tokens=tokens, device="cpu")).model
        for tokens in (3_000, 300_000, 3_000_000, 30_000_000)
    ]
    widths = [model.hidden for model in chosen]
    assert widths == sorted(widths) and widths[0] < widths[-1]
    drops = [model.dropout for model in chosen]
    assert drops == sorted(drops) and drops[0] == 0


def test_a_small_corpus_bears_no_wide_network_however_long_the_training(corpus) -> None:
    def chosen(tokens: int) -> autopilot.Plan:
        return plan(corpus, ModelConfig(), TrainConfig(tokens=tokens, device="cpu"))

    size = corpus.size("train")
    most = autopilot.WEIGHTS_BORNE * size**0.5
    assert chosen(10**8).model == chosen(10**9).model
    assert most / 3 < chosen(10**9).forecast.weights < most
    assert f"a wider one would overfit {size:,} tokens" in chosen(10**9).reasons[1]
    assert "7 are wanted" in chosen(10**5).reasons[1]


def test_the_fastest_number_of_threads_is_taken_and_time_ends_before_learning_by_heart(
    corpus, monkeypatch
) -> None:
    speeds = {1: 1_000.0, 2: 3_000.0, 8: 2_000.0}
    monkeypatch.setattr(trials, "_thread_counts", lambda: list(speeds))
    monkeypatch.setattr(trials, "_speed", lambda learner, threads, spend: speeds[threads])
    train = TrainConfig(minutes=1, device="cpu")
    chosen = plan(corpus, ModelConfig(), train)
    assert chosen.train.threads == 2
    assert (
        "threads 2: tokens per second are 1,000 with 1, 3,000 with 2, 2,000 with 8"
        in chosen.reasons
    )
    assert 16 * corpus.size("train") < 60 * 3_000
    assert chosen.train.epochs == chosen.forecast.epochs == 16
    assert plan(corpus, ModelConfig(), replace(train, epochs=99)).train.epochs == 99


def test_a_corpus_of_a_few_tokens_has_a_smaller_batch(tmp_path: Path) -> None:
    few = seqgen.write_corpus(tmp_path / "c", "text", {"train": ["ab" * 300], "valid": ["ab"]})
    chosen = plan(few, ModelConfig(), TrainConfig(tokens=1_000, device="cpu"))
    assert chosen.train.batch_size == 2
    assert any(reason.startswith("batch size 2: ") for reason in chosen.reasons)


def test_a_gpu_gets_as_large_a_batch_as_it_takes_to_read_enough(tmp_path, monkeypatch) -> None:
    data = {"train": ["ab" * 100_000], "valid": ["ab"]}
    large = seqgen.write_corpus(tmp_path / "large", "text", data)
    monkeypatch.setattr(autopilot, "_is_on_gpu", lambda train: True)

    def batch_size(speed, minutes: float = 1.0) -> int:
        monkeypatch.setattr(trials, "_speed", lambda learner, *_: speed(learner.config.batch_size))
        config = TrainConfig(minutes=minutes, device="cpu", threads=1)
        return plan(large, ModelConfig(hidden=16), config).train.batch_size

    # 16 epochs of 200,000 tokens are wanted.
    assert batch_size(lambda batch: 100_000) == 16
    assert batch_size(lambda batch: 1_000 * batch) == 64
    assert batch_size(lambda batch: 10 * batch) == 256
    assert batch_size(lambda batch: 1_000 * min(batch, 40)) == 32
    assert batch_size(lambda batch: 1_000 * batch, minutes=5) == 16


def test_a_codec_that_varies_its_pieces_may_be_read_more_often(chorales, monkeypatch) -> None:
    monkeypatch.setattr(trials, "_speed", lambda learner, threads, spend: 1e6)
    monkeypatch.setattr(trials.Learner, "update", lambda self, learning_rate: 0.0)
    data = chorales.corpus()

    def epochs(varied) -> float:
        monkeypatch.setattr(type(data.codec), "augment", lambda self, ids, rng: varied(ids))
        config = TrainConfig(minutes=3, device="cpu")
        return plan(data, ModelConfig(hidden=16), config).train.epochs

    count = itertools.count()
    assert epochs(lambda ids: ids) == epochs(lambda ids: ids[1:]) == 16
    assert epochs(lambda ids: ids + next(count)) == 16 * 8
    assert epochs(lambda ids: ids + next(count) % 2) == 16 * 2
    # A quarter of the tokens; but all of them where their number changes.
    fourth = epochs(lambda ids: ids + (np.arange(len(ids)) % 4 == 0) * next(count))
    assert fourth == pytest.approx(44, abs=1)
    assert epochs(lambda ids: ids[next(count) % 4 :]) == 16 * 4


@pytest.mark.parametrize(("hidden", "size"), [(64, 6e-3), (256, 6e-3), (512, 4.55e-3)])
def test_wide_networks_have_a_lower_learning_rate(hidden: int, size: float) -> None:
    assert learning_rate_for(hidden, 20_000) == pytest.approx(size, rel=1e-2)


def test_few_updates_have_a_higher_learning_rate() -> None:
    rates = [learning_rate_for(128, steps) for steps in (10, 1_000, 3_000, 6_000, 10**6)]
    assert rates == sorted(rates, reverse=True)
    assert rates[:2] == pytest.approx([12.3e-3, 12.3e-3], rel=1e-2) and rates[3:] == [6e-3, 6e-3]


def test_a_large_corpus_without_features_gets_contexts(corpus, monkeypatch) -> None:
    size = corpus.size("train")

    def chosen(epochs: int = 3, **options: object) -> autopilot.Plan:
        train = TrainConfig(epochs=epochs, device="cpu")
        return plan(corpus, ModelConfig(hidden=8, embedding=4, **options), train)

    without = chosen()
    assert (without.model.context_rows, without.model.context_dropout) == (0, 0.0)
    monkeypatch.setattr(contexts, "ENOUGH", size)
    found = chosen()
    rows = found.model.context_rows
    assert rows <= size / contexts.TOKENS_PER_ROW < 2 * rows
    assert f"context rows {rows:,}: for {size:,} tokens to train on" in found.reasons
    assert "context dropout 0.3: for 3.0 epochs" in found.reasons
    model = SequenceModel(found.model, corpus.vocab)
    assert found.forecast.weights == sum(each.numel() for each in model.parameters())
    drops = [chosen(epochs).model.context_dropout for epochs in (1, 4, 5, 7)]
    assert drops == [0.1, 0.4, 0.5, 0.5]
    assert chosen(8).model.context_rows == 0
    asked = chosen(context_rows=5, context_dropout=0.0)
    assert (asked.model.context_rows, asked.model.context_dropout) == (5, 0.0)
    assert asked.forecast.weights == without.forecast.weights + CONTEXTS * 5 * 4
    monkeypatch.setattr(contexts, "MOST_ROWS", 4)
    assert chosen().model.context_rows == 4
    monkeypatch.setattr(corpus.codec, "feature_sizes", (3,), raising=False)
    assert contexts.with_contexts(corpus, ModelConfig(), 1, []).context_rows == 0


def test_dropout_grows_with_the_epochs() -> None:
    drops = [dropout_for(epochs / 4) for epochs in range(100)]
    assert drops == sorted(drops) and drops[0] == 0 and drops[-1] == 0.5


def test_without_any_budget_three_minutes_end_what_is_read_too_slowly(corpus) -> None:
    chosen = plan(corpus, ModelConfig(hidden=16), TrainConfig(device="cpu")).train
    assert chosen.epochs == 16 and chosen.seconds == 180


def test_an_update_of_one_target_a_sequence_shrinks_the_weights_less(corpus) -> None:
    decays = []
    for framing in ("windows", "many-to-one"):
        train = TrainConfig(tokens=10_000_000, window=32, framing=framing, device="cpu")
        decays.append(plan(corpus, ModelConfig(hidden=16), train).train.weight_decay)
    assert decays[1] == pytest.approx(decays[0] / 32, rel=0.05)


def test_weights_shrink_by_how_often_the_corpus_is_read() -> None:
    def shrinking(epochs: float, learning_rate: float, steps: int) -> float:
        return weight_decay_for(epochs, learning_rate, steps) * learning_rate / 2 * steps

    # In the mean steps are half the largest, so this holds for trainings of all lengths.
    for learning_rate, steps in ((6e-3, 1_500), (2e-3, 90_000)):
        assert shrinking(2, learning_rate, steps) == pytest.approx(0.25, rel=0.05)
        assert shrinking(8, learning_rate, steps) == pytest.approx(1, rel=0.05)
        assert shrinking(96, learning_rate, steps) == pytest.approx(1.3, rel=0.05)
    assert weight_decay_for(16, 6e-3, 2) == 1


def large(folder: Path, symbols: int) -> seqgen.Corpus:
    """Return a corpus of so many different characters, each of which comes twice."""
    text = "".join(map(chr, range(0x4E00, 0x4E00 + symbols)))
    (folder / "a.txt").write_text(text * 2)
    return seqgen.prepare("text", [folder / "a.txt"], folder / "corpus")


def test_a_large_vocabulary_gets_smaller_windows_and_smaller_evaluations(
    tmp_path: Path, monkeypatch
) -> None:
    """So that each takes a small part of the time, by a clock that goes by the logits."""
    corpus = large(tmp_path, 20_000)
    monkeypatch.setattr(autopilot, "LOGITS", 2**23)
    monkeypatch.setattr(trials, "_speed", lambda learner, threads, spend: 100.0)
    budget = TrainConfig(minutes=0.5, device="cpu")
    chosen = plan(corpus, ModelConfig(output="full"), budget)
    assert chosen.train.batch_size * chosen.train.window * corpus.vocab.targets <= 2**23
    assert "each token is predicted among 20,001" in str(chosen.reasons)
    # Evaluations read twice as fast, and all of them take a tenth of thirty seconds.
    read = chosen.train.evaluations * chosen.train.evaluation_tokens
    assert 0 < read <= 0.1 * 30 * 200
    assert 0 < chosen.forecast.ending <= 0.25 * 30
    given = TrainConfig(minutes=0.5, device="cpu", evaluation_tokens=777)
    assert plan(corpus, ModelConfig(), given).train.evaluation_tokens == 777


def test_a_fast_network_is_evaluated_on_as_much_as_ever(corpus, monkeypatch) -> None:
    monkeypatch.setattr(trials, "_speed", lambda learner, threads, spend: 60_000.0)
    chosen = plan(corpus, ModelConfig(), TrainConfig(minutes=3, device="cpu"))
    assert (chosen.train.evaluations, chosen.train.evaluation_tokens) == (10, 131_072)
    assert chosen.forecast.measured == corpus.size("valid")


def test_networks_too_wide_for_the_budget_are_not_tried(corpus, monkeypatch) -> None:
    tried = []

    def slow(learner, threads, spend) -> float:
        tried.append(learner.model.config.hidden)
        return 1.0

    monkeypatch.setattr(trials, "_speed", slow)
    plan(corpus, ModelConfig(), TrainConfig(minutes=1, threads=1, device="cpu"))
    assert tried == [autopilot.WIDTHS[0]]


def test_what_is_computed_once_for_a_piece_does_not_count_in_the_speed(corpus, monkeypatch) -> None:
    """A first update opens the pieces before any speed is taken."""
    monkeypatch.setattr(trials, "_speed", lambda learner, *_: float(learner.counts.tokens))
    config = TrainConfig(minutes=3, threads=1, device="cpu")
    model = ModelConfig(hidden=16)
    chosen = plan(corpus, model, config).train
    tried = trials.try_network(corpus, model, replace(chosen, minutes=3), 1)
    assert 0 < tried.speeds[1] <= chosen.batch_size * chosen.window


@pytest.mark.parametrize(("first", "expected"), [(1.0, 100.0), (2.0, 25.0)])
def test_what_is_done_once_does_not_count_in_the_speed(
    first: float, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first update of up to four trials is not counted; a slower one has to be."""
    clock = [0.0]

    class Learner:
        # Those of an earlier trial.
        counts = SimpleNamespace(tokens=50)

        def update(self, rate: float) -> float:
            clock[0] += 0.5 if self.counts.tokens > 50 else first
            self.counts.tokens += 50
            return 0.0

    monkeypatch.setattr(trials.time, "perf_counter", lambda: clock[0])
    assert trials._speed(Learner(), 1, 0.3) == expected


def test_one_slow_update_is_enough_to_know_the_speed(corpus) -> None:
    class Slow:
        counts = Counts()

        def update(self, learning_rate: float) -> float:
            self.counts.tokens += 50
            return 0.0

    assert trials._speed(Slow(), 1, 0.0) > 0 and Slow.counts.tokens == 50


def test_memory_is_counted_in_the_network_itself(corpus) -> None:
    train = TrainConfig(tokens=500, batch_size=4, window=16, device="cpu")

    def tried(architecture: str, hidden: int = 32) -> trials.Trial:
        model = ModelConfig(architecture, hidden=hidden, embedding=8)
        return trials.try_network(corpus, model, train, 1)

    # h and c; h alone; H of h and 2H of c.
    states = {"lstm": 64, "gru": 32, "projection": 96}
    for architecture, numbers in states.items():
        one, wide = tried(architecture), tried(architecture, hidden=64)
        assert one.state == 4 * numbers and one.kept < wide.kept < 2 * one.kept
        parts = 16 * one.weights + 2 * 4 * one.state + 4 * 16 * one.kept
        assert trials.memory(train, one) == parts
    assert tried("projection").kept > tried("gru").kept


def test_counting_memory_changes_nothing_and_sees_the_output() -> None:
    kept = []
    for size in (50, 150):
        vocab = Vocab.of([f"t{number}" for number in range(size)])
        network = SequenceModel(ModelConfig(hidden=16, embedding=8, dropout=0.5), vocab)
        random = torch.get_rng_state()
        kept.append(trials._kept(network))
        assert torch.equal(random, torch.get_rng_state()) and network.training
    # A probability for each id of each token.
    assert kept[1] - kept[0] == 4 * 100
