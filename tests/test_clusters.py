"""The adaptive output: exact probabilities, in training, scoring and generation alike."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import seqgen
from seqgen.config import CLUSTERS, ModelConfig, SampleConfig, TrainConfig
from seqgen.data.lanes import IGNORE
from seqgen.data.spans import evaluated, spans_of
from seqgen.drawing.rules import Positions, rules_for
from seqgen.errors import ConfigError, RunError
from seqgen.evaluation import loss
from seqgen.evaluation.loss import evaluate
from seqgen.evaluation.nats import choices, nats_of
from seqgen.evaluation.predictor import NetworkPredictor
from seqgen.grammar import packed
from seqgen.network.clusters import choose_clusters
from seqgen.network.model import Part, SequenceModel
from seqgen.stepping.fused import FusedStepper
from seqgen.stepping.torch_stepper import TorchStepper
from seqgen.training.defaults import affordable
from seqgen.training.transfer import transfer_weights
from seqgen.vocab import Vocab

VOCAB = Vocab.of([f"t{token}" for token in range(60)])
#: Ids of every cluster are spread over the vocabulary.
OF = [(7 * token) % 5 % (CLUSTERS + 1) for token in range(VOCAB.targets)]
SHORT = TrainConfig(
    tokens=20_000, batch_size=4, window=32, evaluations=2, learning_rate=0.006, device="cpu"
)
ADAPTIVE = ModelConfig(hidden=24, embedding=12, dropout=0.0, output="adaptive")


def network(of: list[int] = OF, *, tied: bool = False) -> SequenceModel:
    torch.manual_seed(0)
    config = ModelConfig(hidden=16, embedding=12, layers=2, tied=tied, output="adaptive")
    model = SequenceModel(config, VOCAB, (), (), of).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)
    return model


def masks(rows: int) -> np.ndarray:
    """Return bool masks (rows, V'), among them some without any id of a cluster."""
    rng = np.random.default_rng(3)
    drawn = rng.random((rows, VOCAB.targets)) < rng.random((rows, 1))
    drawn[::3, np.array(OF) == 2] = False
    drawn[:, 5] = True
    return drawn[rng.integers(0, rows // 2, rows)]  # some are equal


def by_hand(model: SequenceModel, top: torch.Tensor, row: int, possible: np.ndarray) -> np.ndarray:
    """Return the probabilities (V',) of one row: that of the cluster times that in the cluster."""
    inputs = (model.project(top) if model.config.tied else top)[row]
    weight, bias = model._output
    ids = np.exp((inputs @ weight.T + bias).double().numpy()) * possible
    of = model.clusters.of.numpy()
    heads = np.exp(model.clusters(inputs).double().numpy())
    found = np.where(of == 0, ids, 0.0)
    for cluster in range(1, CLUSTERS + 1):
        inside = np.where(of == cluster, ids, 0.0)
        if inside.any():
            found += heads[cluster - 1] * inside / inside.sum()
    alive = [heads[cluster - 1] for cluster in range(1, CLUSTERS + 1) if ids[of == cluster].any()]
    return found / (ids[of == 0].sum() + sum(alive))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("grammar", [False, True])
@torch.no_grad()
def test_the_loss_and_the_logits_are_the_product_of_two_choices(tied: bool, grammar: bool) -> None:
    model, rows = network(tied=tied), 40
    top = torch.randn(rows, 16)
    possible = masks(rows) if grammar else np.ones((rows, VOCAB.targets), bool)
    rng = np.random.default_rng(1)
    targets = np.array([rng.choice(np.flatnonzero(row)) for row in possible])
    allowed = torch.from_numpy(packed(possible) if grammar else np.zeros((rows, 0), np.uint8))
    nats = nats_of(choices(model, top, torch.from_numpy(targets), allowed))
    logits = model.predict(top, torch.from_numpy(possible)).masked_fill(
        ~torch.from_numpy(possible), -torch.inf
    )
    assert set(np.array(OF)[targets]) == {0, 1, 2, 3}
    for row in range(rows):
        wanted = by_hand(model, top, row, possible[row])
        assert wanted.sum() == pytest.approx(1)
        np.testing.assert_allclose(logits[row].softmax(0).numpy(), wanted, rtol=1e-4, atol=1e-9)
        assert float(nats[row]) == pytest.approx(-np.log(wanted[targets[row]]), abs=1e-5)
    total = nats_of(choices(model, top, torch.from_numpy(targets), allowed), "sum")
    assert float(total) == pytest.approx(float(nats.sum()), rel=1e-6)


@torch.no_grad()
def test_guessing_costs_at_most_two_even_choices() -> None:
    model = network()
    for weight in model.parameters():
        weight.zero_()
    allowed = torch.ones(1, VOCAB.targets, dtype=torch.bool)
    nats = -model.predict(torch.randn(1, 16), allowed).log_softmax(1)
    assert float(nats.max()) == pytest.approx(model.guess(), abs=1e-5)
    assert model.guess() > np.log(VOCAB.targets)


@pytest.mark.parametrize("tied", [False, True])
def test_gradients_are_those_of_the_logits(tied: bool) -> None:
    model = network(tied=tied)
    top, targets = torch.randn(30, 16), torch.randint(VOCAB.targets, (30,))
    nothing = torch.zeros((30, 0), dtype=torch.uint8)
    found = []
    for nats in (
        nats_of(choices(model, top, targets, nothing), "sum"),
        torch.nn.functional.cross_entropy(model.predict(top), targets, reduction="sum"),
    ):
        model.zero_grad()
        nats.backward()
        found.append({name: value.grad for name, value in model.named_parameters()})
    for name, gradient in found[0].items():
        if gradient is not None:
            torch.testing.assert_close(gradient, found[1][name], rtol=1e-4, atol=1e-5)
    assert found[0]["clusters.weight"].abs().sum() > 0


@torch.no_grad()
def test_ignored_targets_cost_nothing_and_forbidden_ones_what_the_model_says() -> None:
    model, top = network(), torch.randn(3, 16)
    rare = OF.index(3)
    mask = np.ones((3, VOCAB.targets), bool)
    mask[:, rare] = False
    mask[2] = np.arange(VOCAB.targets) == OF.index(2)
    targets = torch.tensor([rare, IGNORE, OF.index(2)])
    nats = nats_of(choices(model, top, targets, torch.from_numpy(packed(mask))))
    free = nats_of(choices(model, top, targets, torch.zeros((3, 0), dtype=torch.uint8)))
    assert nats[0] == free[0] > 0
    assert nats[1] == free[1] == 0
    assert nats[2] == 0 < free[2], "a forced id costs nothing"


@torch.no_grad()
def test_with_all_ids_in_the_shortlist_it_is_the_full_softmax() -> None:
    model, top = network([0] * VOCAB.targets), torch.randn(20, 16)
    targets, nothing = torch.randint(VOCAB.targets, (20,)), torch.zeros((20, 0), dtype=torch.uint8)
    full = torch.nn.functional.cross_entropy(model.output(top), targets, reduction="none")
    torch.testing.assert_close(nats_of(choices(model, top, targets, nothing)), full)
    torch.testing.assert_close(model.predict(top), model.output(top))


@pytest.mark.parametrize("tied", [False, True])
@torch.no_grad()
def test_a_temperature_divides_all_scores(tied: bool) -> None:
    model, top = network(tied=tied), torch.randn(20, 16)
    targets, nothing = torch.randint(VOCAB.targets, (20,)), torch.zeros((20, 0), dtype=torch.uint8)
    scaled = [choice.scaled(1 / 1.7) for choice in choices(model, top, targets, nothing)]
    model.temper(1.7)
    torch.testing.assert_close(
        nats_of(choices(model, top, targets, nothing)), nats_of(scaled), rtol=1e-5, atol=1e-5
    )


def both(model: SequenceModel, *, int8: bool = False) -> tuple[TorchStepper, FusedStepper]:
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    fused = FusedStepper(model.config, VOCAB, (), weights, (), OF, int8=int8)
    return TorchStepper(model), fused


@pytest.mark.parametrize("tied", [False, True])
def test_both_steppers_have_the_same_logits_under_any_mask(tied: bool) -> None:
    reference, fused = both(network(tied=tied))
    ids = np.random.default_rng(0).integers(0, VOCAB.size, (6, 50))
    nothing, possible = np.zeros((6, 50, 0), np.int64), masks(6)
    for mask in (None, possible):
        wanted, one = reference.read(ids, nothing, reference.start(6), mask)
        got, two = fused.read(ids, nothing, fused.start(6), mask)
        shown = np.ones_like(possible) if mask is None else mask
        np.testing.assert_allclose(got[shown], wanted[shown], atol=1e-4)
        for mine, theirs in zip(fused.export(two), reference.export(one), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-4)
    coarse, _ = both(network(tied=tied), int8=True)[1].read(ids, nothing, fused.start(6))
    assert 0 < np.abs(coarse - fused.read(ids, nothing, fused.start(6))[0]).max() < 0.3


@pytest.mark.parametrize(
    "config",
    [
        SampleConfig(),
        SampleConfig(temperature=0.7, top_k=20, top_p=0.9, typical_p=0.95, min_p=0.01),
        SampleConfig(repetition_penalty=1.3, repetition_window=8, ban=("t3",), bias=("t4=2",)),
    ],
    ids=["default", "filters", "history"],
)
def test_both_steppers_draw_the_same_tokens(config: SampleConfig) -> None:
    drawn, lanes, steps = [], 5, 100
    possible = masks(lanes)
    for stepper in both(network()):
        positions = Positions(
            np.full(lanes, VOCAB.start),
            np.zeros((lanes, 0), np.int64),
            possible.copy(),
            possible.copy(),
            np.zeros((lanes, steps), np.int64),
            np.zeros(lanes, np.int64),
            np.zeros(lanes, np.int64),
        )
        draws = np.random.default_rng(0).random((lanes, steps))
        rules = rules_for(config, VOCAB, 100)
        drawn.append(stepper.write(positions, draws, rules, stepper.start(lanes))[:2])
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])
    np.testing.assert_allclose(drawn[0][1], drawn[1][1], atol=1e-4)


def test_clusters_are_by_frequency_and_save_work() -> None:
    rng = np.random.default_rng(0)
    counts = rng.permutation((1e6 / np.arange(1, 5_001)).astype(np.int64))
    of = np.array(choose_clusters(counts))
    assert set(of) == set(range(CLUSTERS + 1))
    for cluster in range(CLUSTERS):
        assert counts[of == cluster].min() >= counts[of == cluster + 1].max()
    shares = np.bincount(of, counts) / counts.sum()
    sizes = np.bincount(of)
    assert sizes[0] + (shares[1:] * sizes[1:]).sum() < len(counts) / 5
    assert sorted(choose_clusters(np.array([3, 9, 1, 5]))) == [0, 1, 2, 3]
    with pytest.raises(ConfigError, match="needs more than 3 ids to predict, found 3"):
        choose_clusters(np.array([3, 9, 1]))


@pytest.fixture(scope="module")
def clustered(corpus: seqgen.Corpus, tmp_path_factory: pytest.TempPathFactory) -> seqgen.Run:
    """A run with an adaptive output, trained on the verses."""
    folder = tmp_path_factory.mktemp("clustered") / "run"
    run = seqgen.create_run(folder, corpus, ADAPTIVE, SHORT)
    for _ in seqgen.train(run, corpus):
        pass
    return seqgen.load(folder, "cpu")


def test_a_run_trains_scores_and_writes(clustered: seqgen.Run, corpus: seqgen.Corpus) -> None:
    assert clustered.clusters == choose_clusters(corpus.counts)
    reached = clustered.info["result"]["valid_loss"]
    assert reached < 0.7 * np.log(corpus.vocab.targets)
    assert evaluate(clustered.model, corpus) == pytest.approx(reached, rel=1e-5)
    text = "7 green bottles hanging on the wall"
    [scored] = seqgen.score(clustered, [text])
    ids = clustered.codec.encode(text)
    [rows] = NetworkPredictor(clustered).log_probabilities([ids])
    assert -rows[np.arange(len(ids)), ids].sum() == pytest.approx(scored.nats, rel=1e-5)
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1, rtol=1e-6)
    [piece] = seqgen.search(clustered, 2, limit=seqgen.LimitConfig(length=40))
    [again] = seqgen.score(clustered, [piece.piece])
    ended = again.end_nats if piece.stopped_by == "end" else 0.0
    assert -piece.log_probability == pytest.approx(again.nats + ended, rel=1e-4)
    [adaptive] = seqgen.score_adaptively(clustered, [text])
    assert 0 < adaptive.nats < 2 * scored.nats


def test_a_group_of_spans_is_predicted_with_one_copy_of_the_output_layer(
    clustered: seqgen.Run, corpus: seqgen.Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    split, made = SequenceModel.split_output, []

    def counted(model: SequenceModel) -> list[Part]:
        made.append(1)
        return split(model)

    whole = evaluate(clustered.model, corpus)
    monkeypatch.setattr(SequenceModel, "split_output", counted)
    # A few targets at once, as with a large vocabulary.
    monkeypatch.setattr(loss, "LOGITS", 8 * corpus.vocab.targets)
    spans = list(spans_of(corpus, evaluated(corpus)))
    assert evaluate(clustered.model, corpus) == pytest.approx(whole, rel=1e-6)
    assert len(made) == len(list(loss.grouped(spans))) < sum(map(len, spans)) / 8


def test_less_is_drawn_to_choose_the_sampling() -> None:
    few, many = (affordable(10**5, 10**4, 10**5, adaptive=adaptive) for adaptive in (True, False))
    assert 0 < few < many


def test_counts_are_of_training_with_ends(corpus: seqgen.Corpus) -> None:
    wanted = np.zeros(corpus.vocab.targets, np.int64)
    for segment in corpus.segments("train"):
        ids = corpus.piece(segment.piece)
        np.add.at(wanted, ids[segment.start : segment.stop], 1)
        wanted[-1] += segment.stop == len(ids)
    np.testing.assert_array_equal(corpus.counts, wanted)
    assert wanted.sum() > corpus.size("train") and wanted[-1] > 0


def test_going_on_keeps_the_clusters_of_known_symbols(
    clustered: seqgen.Run, verses: Path, tmp_path: Path
) -> None:
    (tmp_path / "more.txt").write_text("0 purple bottles & 3 ~ jars " * 30)
    corpus = seqgen.prepare("text", [verses, tmp_path / "more.txt"], tmp_path / "corpus")
    assert corpus.vocab.names != clustered.vocab.names
    alike = ModelConfig(hidden=24, embedding=12)
    made = seqgen.create_run(tmp_path / "run", corpus, alike, SHORT, start=clustered)
    before = dict(zip(clustered.vocab.names, clustered.clusters, strict=False))
    for name, cluster in zip(corpus.vocab.names, made.clusters, strict=False):
        assert cluster == before.get(name, CLUSTERS)
    assert made.clusters[corpus.vocab.end] == clustered.clusters[clustered.vocab.end]
    measured = evaluate(made.model, corpus)
    assert measured < np.log(corpus.vocab.targets)


@torch.no_grad()
def test_another_order_of_the_vocabulary_changes_no_probability() -> None:
    model = network()
    order = np.random.default_rng(0).permutation(len(VOCAB.names))
    new = Vocab.of([VOCAB.names[token] for token in order])
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    mapped, _ = transfer_weights(weights, VOCAB, new, model.config)
    moved = [*(OF[token] for token in order), OF[VOCAB.end]]
    other = SequenceModel(model.config, new, (), (), moved).eval()
    other.load_state_dict({name: torch.from_numpy(value) for name, value in mapped.items()})
    top = torch.randn(10, 16)
    wanted = model.predict(top).softmax(-1)[:, [*order, VOCAB.end]]
    torch.testing.assert_close(other.predict(top).softmax(-1), wanted)


def change(run: seqgen.Run, folder: Path, clusters: object) -> Path:
    """Return a copy of a run with other clusters."""
    folder.mkdir()
    info = json.loads((run.folder / "run.json").read_text()) | {"clusters": clusters}
    (folder / "run.json").write_text(json.dumps(info))
    (folder / "model.safetensors").write_bytes((run.folder / "model.safetensors").read_bytes())
    return folder


@pytest.mark.parametrize(
    "damage", [lambda of: of[:-1], lambda of: [*of[:-1], 4], lambda of: [], lambda of: ["a", *of]]
)
def test_altered_clusters_are_refused(clustered: seqgen.Run, damage, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"run.json is damaged: .*clusters"):
        seqgen.Run(change(clustered, tmp_path / "run", damage(clustered.clusters)))


def test_it_is_chosen_for_many_tokens(tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(4_100)]
    text = " ".join([*words, *words[:500] * 4])
    options = {"form": "ptb"}
    corpus = seqgen.write_corpus(
        tmp_path / "corpus", "text", {"train": [text]}, codec="words", options=options
    )
    config = TrainConfig(tokens=1_000, device="cpu")
    shape = ModelConfig(hidden=8, embedding=4)
    run = seqgen.create_run(tmp_path / "run", corpus, shape, config)
    assert run.model_config.output == "adaptive" and len(run.clusters) == corpus.vocab.targets
    assert any("output adaptive" in reason for reason in run.info["plan"]["reasons"])
    # Only weights that every token needs limit the width.
    weights, ids = run.info["plan"]["weights"], corpus.vocab
    assert run.model.idle == 4 * ids.size + 9 * ids.targets
    assert 0 < weights - run.model.idle < 1_000
    full = seqgen.create_run(
        tmp_path / "full", corpus, ModelConfig(hidden=8, embedding=4, output="full"), config
    )
    assert full.model_config.output == "full" and "clusters" not in full.info
