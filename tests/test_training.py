import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import seqgen
from seqgen.config import FramingName, ModelConfig, TrainConfig
from seqgen.data.batches import FRAMINGS, TrainingStream
from seqgen.data.lanes import Steps
from seqgen.errors import RunError, SeqgenError
from seqgen.evaluation.loss import batch_nats, evaluate
from seqgen.network.model import SequenceModel
from seqgen.training.learner import Counts, Learner
from seqgen.training.loop import learning_rate, spent, train

SMALL = ModelConfig(hidden=32, embedding=8, dropout=0.0)
SHORT = TrainConfig(
    tokens=6_000,
    batch_size=4,
    window=16,
    learning_rate=6e-3,
    weight_decay=0.01,
    evaluations=4,
    device="cpu",
)


def learn(corpus: seqgen.Corpus, config: TrainConfig, model: ModelConfig = SMALL):
    return train(Learner(build(corpus, model), corpus, config), corpus)


def build(corpus: seqgen.Corpus, config: ModelConfig = SMALL) -> SequenceModel:
    torch.manual_seed(0)
    sizes, boundaries = tuple(corpus.codec.feature_sizes), corpus.codec.boundaries
    return SequenceModel(config, corpus.vocab, sizes, boundaries)


def test_fifty_tokens_can_be_memorised(tmp_path: Path) -> None:
    text = "the quick brown fox jumps over the lazy dog 0123456"
    corpus = seqgen.write_corpus(tmp_path / "c", "text", {"train": [text], "valid": [text]})
    config = TrainConfig(
        tokens=30_000, batch_size=1, window=26, learning_rate=1e-2, weight_decay=0.01
    )
    reports = list(learn(corpus, config))
    assert reports[-1].valid_loss < 0.02


def test_the_validation_loss_falls_and_the_last_report_is_an_evaluation(corpus) -> None:
    reports = list(learn(corpus, SHORT))
    losses = [report.valid_loss for report in reports if report.valid_loss is not None]
    assert len(losses) == SHORT.evaluations
    assert losses[-1] < losses[0] < math.log(corpus.vocab.targets)
    assert reports[-1].valid_loss is not None and reports[-1].fraction >= 1
    assert [r.improved for r in reports if r.valid_loss is not None] == [
        loss == min(losses[: at + 1]) for at, loss in enumerate(losses)
    ]


def test_the_same_seed_gives_the_same_weights(corpus) -> None:
    config = ModelConfig(hidden=32, embedding=8, dropout=0.3)

    def weights(seed: int) -> list[torch.Tensor]:
        model = build(corpus, config)
        for _ in train(Learner(model, corpus, replace(SHORT, tokens=3_000, seed=seed)), corpus):
            pass
        return list(model.parameters())

    first, second, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))
    assert not all(torch.equal(one, two) for one, two in zip(first, other, strict=True))


def test_the_state_is_carried_from_window_to_window(corpus) -> None:
    """Two windows with the carried state give the losses of one window twice as long."""
    model = build(corpus).eval()
    short = list(itertools.islice(TrainingStream(corpus, 2, 20, 0), 2))
    long = next(TrainingStream(corpus, 2, 40, 0))
    state, total = model.start_state(2), 0.0
    for batch in short:
        nats, state = batch_nats(model, batch, state)
        total += nats.item()
        assert not state[0].requires_grad and not state[1].requires_grad
    whole, _ = batch_nats(model, long, model.start_state(2))
    assert total == pytest.approx(whole.item(), rel=1e-5)


@pytest.mark.parametrize("name", [name for name in FRAMINGS if name != "carried"])
def test_a_cold_window_does_not_depend_on_the_state_before(name: str, corpus) -> None:
    model = build(corpus).eval()
    batch = next(TrainingStream(corpus, 2, 20, 0, FRAMINGS[name]))
    dirty = tuple(torch.randn(1, 2, SMALL.hidden) for _ in range(2))
    cold, _ = batch_nats(model, batch, model.start_state(2))
    assert batch_nats(model, batch, dirty)[0] == cold
    warm = next(TrainingStream(corpus, 2, 20, 0))
    assert batch_nats(model, warm, dirty)[0] != batch_nats(model, warm, model.start_state(2))[0]


@pytest.mark.parametrize("name", FRAMINGS)
def test_every_framing_learns_and_is_evaluated_as_it_is_and_carried(name: str, corpus) -> None:
    tokens = 400 if name == "many-to-one" else 6_000
    config = replace(SHORT, tokens=tokens, framing=name)
    model = build(corpus)
    learner = Learner(model, corpus, config)
    reports = [r for r in train(learner, corpus) if r.valid_loss is not None]
    assert reports[-1].valid_loss < reports[0].valid_loss < math.log(corpus.vocab.targets)
    assert reports[-1].carried_loss == evaluate(model, corpus)
    own = evaluate(model, corpus, window=16, framing=FRAMINGS[name])
    assert reports[-1].valid_loss == own
    assert (reports[-1].valid_loss == reports[-1].carried_loss) == (name == "carried")


@pytest.mark.parametrize("name", ["carried", "one-to-one"])
@pytest.mark.parametrize("accumulate", [3, 100])
def test_a_batch_in_parts_teaches_what_it_teaches_at_once(
    name: FramingName, accumulate: int, corpus
) -> None:
    """To 1e-4 of a nat: gradients are added up in another order."""
    config = replace(SHORT, tokens=1_500, batch_size=7, framing=name)
    shape = replace(SMALL, context_rows=50)

    def losses(parts: int) -> list[float]:
        learner = Learner(build(corpus, shape), corpus, replace(config, accumulate=parts))
        reports = train(learner, corpus)
        return [report.valid_loss for report in reports if report.valid_loss is not None]

    assert losses(accumulate) == pytest.approx(losses(1), abs=1e-4)


@pytest.mark.parametrize("name", FRAMINGS)
@pytest.mark.parametrize("length", [1, 2, 15, 16, 17])
def test_any_length_of_validation_piece_has_a_loss_under_any_framing(
    name: str, length: int, tmp_path: Path
) -> None:
    pieces = {"train": ["ab" * 40], "valid": ["ab" * length]}
    corpus = seqgen.write_corpus(tmp_path / "c", "text", pieces)
    assert math.isfinite(evaluate(build(corpus), corpus, window=16, framing=FRAMINGS[name]))


def test_one_to_one_is_a_bigram_model(corpus) -> None:
    """What it predicts depends on the last token only, as its loss does."""
    model = build(corpus).eval()
    inputs = torch.tensor([[3, 5], [4, 5]])
    nothing = np.zeros((2, 2, 0), np.int64)
    windows = FRAMINGS["one-to-one"].frame(
        Steps(inputs.numpy(), inputs.numpy(), nothing, nothing), corpus.vocab
    )
    logits, _ = model(torch.from_numpy(windows.inputs), torch.from_numpy(windows.features))
    assert torch.equal(logits[1], logits[3]) and not torch.equal(logits[0], logits[2])
    carried, _ = model(inputs)
    assert not torch.equal(carried[0, 1], carried[1, 1])


def test_dropout_rises_while_pieces_are_recited_and_no_further_than_it_may(tmp_path) -> None:
    """Noise can only be learned by heart: then it costs nothing, and other noise very much."""
    noise = np.random.default_rng(0).choice(list("abcdefgh"), (2, 400))
    train, valid = ("".join(row) for row in noise)
    data = seqgen.write_corpus(tmp_path / "c", "text", {"train": [train], "valid": [valid]})

    def messages(most: float) -> list[str]:
        config = TrainConfig(
            epochs=100, batch_size=2, window=16, device="cpu", learning_rate=1e-2, most_dropout=most
        )
        model = ModelConfig(hidden=64, embedding=16, dropout=0.0)
        run = seqgen.create_run(tmp_path / f"run {most}", data, model, config)
        return [report.message for report in seqgen.train(run, data) if report.message]

    assert messages(0.25) == [
        f"the model overfits: dropout {rate} from now on" for rate in (0.1, 0.25)
    ]
    assert messages(0.0) == []


def test_the_learning_rate_rises_and_falls_to_zero() -> None:
    sizes = [learning_rate(fraction / 1000, 1.0) for fraction in range(1001)]
    top = sizes.index(max(sizes))
    assert top == 20 and max(sizes) == pytest.approx(1.0)
    assert sizes[:21] == sorted(sizes[:21]) and sizes[20:] == sorted(sizes[20:], reverse=True)
    assert sizes[0] > 0 and sizes[-1] == 0


def test_the_learning_rate_rises_where_the_updates_begin() -> None:
    """Realigning may use up a part of the budget before them, in the worst case all of it."""
    for fraction in (0.0, 0.004, 0.02, 0.5, 1.0):
        late = learning_rate(0.3 + 0.7 * fraction, 1.0, 0.3)
        assert late == pytest.approx(learning_rate(fraction, 1.0))
    assert learning_rate(1.0, 1.0, 1.0) == 0


def test_budgets(corpus) -> None:
    assert spent(TrainConfig(minutes=2), corpus, Counts(seconds=30.0, budget=120.0)) == 0.25
    assert spent(TrainConfig(tokens=100), corpus, Counts(tokens=25)) == 0.25
    epoch = corpus.size("train")
    assert spent(TrainConfig(epochs=2), corpus, Counts(tokens=epoch)) == 0.5
    both = TrainConfig(minutes=1, epochs=2)
    assert spent(both, corpus, Counts(seconds=15.0, tokens=epoch, budget=60.0)) == 0.5
    assert spent(both, corpus, Counts(seconds=45.0, tokens=epoch, budget=60.0)) == 0.75


def test_a_budget_of_time_is_kept_and_slow_evaluations_leave_room_to_train(
    corpus, monkeypatch
) -> None:
    """By a clock that ticks a second at a step, and thirty at an evaluation."""
    clock = SimpleNamespace(now=0.0)
    real_nats = batch_nats

    def step(*arguments):
        clock.now += 1
        return real_nats(*arguments)

    def slow(*arguments):
        clock.now += 30
        return 1.0

    time = SimpleNamespace(monotonic=lambda: clock.now)
    monkeypatch.setattr("seqgen.training.loop.time", time)
    monkeypatch.setattr("seqgen.training.learner.batch_nats", step)
    monkeypatch.setattr("seqgen.training.loop.evaluate", slow)
    config = replace(SHORT, minutes=4, tokens=0, threads=1)
    reports = list(learn(corpus, config))
    evaluations = [report for report in reports if report.valid_loss is not None]
    assert evaluations[-1] is reports[-1] and reports[-1].fraction == 1
    assert 240 <= clock.now <= 240 + 31
    steps = np.diff([0, *(report.step for report in evaluations)])
    assert (steps[:-1] >= 15).all(), steps


def test_ctrl_c_ends_with_an_evaluation_that_can_be_saved(corpus, monkeypatch) -> None:
    calls = itertools.count()
    real = batch_nats

    def interrupted(*arguments):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr("seqgen.training.learner.batch_nats", interrupted)
    config = replace(SHORT, epochs=1000, tokens=0, evaluations=1)
    reports = list(learn(corpus, config))
    assert reports[-1].interrupted and reports[-1].improved and reports[-1].step == 3


def test_ctrl_c_during_an_evaluation_keeps_the_model(corpus, tmp_path, monkeypatch) -> None:
    calls = itertools.count()
    real = evaluate

    def interrupted(*arguments):
        if next(calls) == 0:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr("seqgen.training.loop.evaluate", interrupted)
    run = seqgen.create_run(tmp_path / "run", corpus, SMALL, SHORT)
    reports = list(seqgen.train(run, corpus))
    assert reports[-1].interrupted and reports[-1].fraction < 1
    assert seqgen.load(tmp_path / "run", "cpu").info["result"]["interrupted"]


def test_leaving_the_loop_keeps_what_was_learned(corpus, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen.training.loop.REPORT_EVERY", 0.0)
    run = seqgen.create_run(tmp_path / "early", corpus, SMALL, SHORT)
    for report in seqgen.train(run, corpus):
        assert report.valid_loss is None
        break
    assert seqgen.load(tmp_path / "early", "cpu").info["result"]["step"] == 1
    run = seqgen.create_run(tmp_path / "later", corpus, SMALL, SHORT)
    for report in seqgen.train(run, corpus):
        if report.step > 60:
            break
    saved = seqgen.load(tmp_path / "later", "cpu").model
    assert not run.model.training
    for one, two in zip(run.model.parameters(), saved.parameters(), strict=True):
        assert torch.equal(one, two)


def test_some_sequences_begin_a_window_with_the_zero_state(corpus, monkeypatch) -> None:
    monkeypatch.setattr("seqgen.training.learner.FORGETTING", 0.3)
    states = []
    real = batch_nats

    def watch(model, batch, state):
        states.append(state)
        return real(model, batch, state)

    monkeypatch.setattr("seqgen.training.learner.batch_nats", watch)
    learner = Learner(build(corpus), corpus, replace(SHORT, batch_size=64))
    for _ in range(5):
        learner.update(1e-3)
    h, c = (torch.cat(parts, 1) for parts in zip(*states[1:], strict=True))
    zero = (h == 0).all(2) & (c == 0).all(2)
    assert ((h == 0).all(2) == (c == 0).all(2)).all() and 0.15 < zero.float().mean() < 0.45


def test_the_first_window_is_learned_from(corpus, monkeypatch) -> None:
    seen = []
    real = batch_nats

    def watch(model, batch, state):
        seen.append(batch.inputs)
        return real(model, batch, state)

    monkeypatch.setattr("seqgen.training.learner.batch_nats", watch)
    next(learn(corpus, SHORT))
    first = next(TrainingStream(corpus, SHORT.batch_size, SHORT.window, SHORT.seed))
    assert (seen[0] == first.inputs).all()


@pytest.mark.parametrize("length", [1, 2, 3, 254, 255, 256, 257])
def test_any_length_of_validation_piece_has_a_loss(length: int, tmp_path: Path) -> None:
    pieces = {"train": ["ab" * 40], "valid": ["ab" * length]}
    corpus = seqgen.write_corpus(tmp_path / "c", "text", pieces)
    assert math.isfinite(evaluate(build(corpus), corpus))


def test_a_corpus_of_fewer_tokens_than_the_batch_size_can_be_trained_on(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc")
    corpus = seqgen.prepare("text", [tmp_path / "a.txt"])
    config = replace(SHORT, tokens=500, batch_size=8, window=4, evaluations=2)
    assert math.isfinite(list(learn(corpus, config))[-1].valid_loss)


def test_generating_in_the_loop_does_not_end_training_mode(corpus, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen.training.loop.REPORT_EVERY", 0.0)
    modes = []
    real = batch_nats

    def watch(model, batch, state):
        modes.append(model.training)
        return real(model, batch, state)

    monkeypatch.setattr("seqgen.training.learner.batch_nats", watch)
    config = replace(SHORT, tokens=600, evaluations=1)
    run = seqgen.create_run(tmp_path / "run", corpus, SMALL, config)
    for report in seqgen.train(run, corpus):
        if report.valid_loss is None:
            next(seqgen.generate(run, 1, limit=seqgen.LimitConfig(length=3)))
    updates = modes[: report.step]
    assert all(updates) and len(updates) > 5


def test_a_loss_that_is_no_number_is_an_error_with_a_way_out(corpus, monkeypatch) -> None:
    def broken(model, batch, state):
        return sum(p.sum() for p in model.parameters()) * math.nan, state

    monkeypatch.setattr("seqgen.training.learner.batch_nats", broken)
    with pytest.raises(
        SeqgenError, match=r"became nan at step .* smaller learning rate than 0.006"
    ):
        list(learn(corpus, SHORT))


def test_a_run_keeps_the_best_model_and_its_metrics(corpus, tmp_path: Path) -> None:
    run = seqgen.create_run(tmp_path / "run", corpus, SMALL, SHORT)
    reports = list(seqgen.train(run, corpus))
    lines = [json.loads(x) for x in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert len(lines) == len(reports)
    best = min(r.valid_loss for r in reports if r.valid_loss is not None)
    again = seqgen.load(tmp_path / "run", "cpu")
    [kept] = [r for r in reports if r.valid_loss == best]
    assert again.info["result"]["step"] == kept.step
    # Made as sure of itself as it is right, it is better still.
    assert again.info["result"]["valid_loss"] <= best
    for one, two in zip(run.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, two)
    with pytest.raises(RunError, match=r"is finished; .* \(`start`\)"):
        next(seqgen.train(run, corpus))


def test_a_corpus_of_another_vocabulary_is_refused(corpus, tmp_path: Path) -> None:
    other = seqgen.write_corpus(tmp_path / "c", "text", {"train": ["xyz"], "valid": ["x"]})
    run = seqgen.create_run(tmp_path / "run", corpus, SMALL, SHORT)
    with pytest.raises(RunError, match="another vocabulary"):
        next(seqgen.train(run, other))
