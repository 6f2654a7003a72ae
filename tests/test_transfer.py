"""Going on with a new corpus: every symbol keeps what the model knew of it."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from seqgen_text.codecs.characters import CharacterCodec, CharacterOptions

import seqgen
from seqgen.conditions.dictation import Dictation
from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import Label
from seqgen.config import ModelConfig, TrainConfig
from seqgen.data.batches import Batch
from seqgen.errors import ConfigError, PluginError, RunError
from seqgen.evaluation.loss import batch_nats, evaluate
from seqgen.network.model import SequenceModel
from seqgen.run.folder import Run
from seqgen.training.transfer import transfer_weights, with_features_of, with_labels_of
from seqgen.vocab import Vocab

CONFIGS = {
    "embedding": ModelConfig(hidden=8, embedding=6, dropout=0.0),
    "one-hot": ModelConfig(hidden=8, embedding=0, layers=2, dropout=0.0),
    "one-hot, skip": ModelConfig(hidden=8, embedding=0, layers=3, skip=True, dropout=0.0),
    "tied": ModelConfig(hidden=8, embedding=6, tied=True, layers=2, dropout=0.0),
    "skip": ModelConfig(hidden=8, embedding=6, layers=2, skip=True, dropout=0.0),
    "contexts": ModelConfig(hidden=8, embedding=6, dropout=0.0, context_rows=40),
    "contexts, one-hot": ModelConfig(hidden=8, embedding=0, dropout=0.0, context_rows=40),
    "tied, skip": ModelConfig(hidden=8, embedding=6, tied=True, layers=2, skip=True, dropout=0.0),
}
FEATURES = (3, 5)
OLD = Vocab.of("abcdef")
REORDERED = Vocab.of("fbdace")
GROWN = Vocab.of("fxbdyaec")
CHANGED = Vocab.of("fxbdyac")  # without e
NEWCOMERS = [1, 4]
SHORT = TrainConfig(
    tokens=4_000, batch_size=4, window=32, learning_rate=1e-3, evaluations=1, device="cpu"
)


@pytest.fixture(params=CONFIGS)
def config(request: pytest.FixtureRequest) -> ModelConfig:
    return CONFIGS[request.param]


def random_model(config: ModelConfig, sizes: tuple[int, ...]) -> SequenceModel:
    torch.manual_seed(1)
    model = SequenceModel(config, OLD, sizes).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
    return model


def transferred(model: SequenceModel, new: Vocab, sizes: tuple[int, ...]) -> SequenceModel:
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    mapped, _ = transfer_weights(weights, OLD, new, model.config)
    other = SequenceModel(model.config, new, sizes).eval()
    other.load_state_dict({name: torch.from_numpy(value) for name, value in mapped.items()})
    return other


def old_ids(new: Vocab) -> list[int]:
    """Return the old ids of END and the symbols that were kept, in the order of `kept_ids`."""
    return [*(OLD.names.index(name) for name in new.names if name in OLD.names), OLD.end]


def kept_ids(new: Vocab) -> list[int]:
    return [*(number for number, name in enumerate(new.names) if name in OLD.names), new.end]


@torch.no_grad()
@pytest.mark.parametrize("sizes", [(), FEATURES], ids=["plain", "features"])
@pytest.mark.parametrize("new", [REORDERED, GROWN, CHANGED], ids=["reordered", "grown", "changed"])
def test_kept_symbols_are_read_and_predicted_as_before(config, sizes, new: Vocab) -> None:
    if new is CHANGED and not config.embedding:
        # What features and contexts add to the vector of a dropped symbol is lost with it.
        sizes, config = (), replace(config, context_rows=0)
    model = random_model(config, sizes)
    other = transferred(model, new, sizes)
    # Every kept symbol is read, START first and END in the middle.
    order = torch.randperm(len(kept_ids(new)))
    read_old = torch.tensor([[OLD.start, *np.take(old_ids(new), order)]])
    read_new = torch.tensor([[new.start, *np.take(kept_ids(new), order)]])
    features = (
        torch.stack([torch.randint(size, read_old.shape) for size in sizes], 2) if sizes else None
    )
    logits, (h, c, *_) = model(read_old, features)
    moved, (h_moved, c_moved, *_) = other(read_new, features)
    torch.testing.assert_close(moved[:, :, kept_ids(new)], logits[:, :, old_ids(new)])
    torch.testing.assert_close((h_moved, c_moved), (h, c))
    if new is not REORDERED:
        mean = logits[:, :, : OLD.end].mean(2, keepdim=True).expand(-1, -1, len(NEWCOMERS))
        torch.testing.assert_close(moved[:, :, NEWCOMERS], mean)


def test_a_new_symbol_is_read_as_the_mean_of_the_old_ones(config) -> None:
    model = random_model(config, ())
    before, after = model.state_dict(), transferred(model, GROWN, ()).state_dict()
    if config.embedding:
        mean = before["embedding.weight"][: OLD.end].mean(0)
        for newcomer in NEWCOMERS:
            torch.testing.assert_close(after["embedding.weight"][newcomer], mean)
        return
    for layer in range(config.layers if config.skip else 1):
        name, first = f"layers.{layer}.weight_ih", config.hidden if layer else 0
        mean = before[name][:, first : first + OLD.end].mean(1)
        for newcomer in NEWCOMERS:
            torch.testing.assert_close(after[name][:, first + newcomer], mean)


@torch.no_grad()
def test_another_order_of_the_vocabulary_costs_nothing(config) -> None:
    model = random_model(config, ())
    other = transferred(model, REORDERED, ())
    ids = np.random.default_rng(0).integers(0, OLD.end, (2, 30))
    places = np.array([REORDERED.names.index(name) for name in OLD.names])

    def nats(model: SequenceModel, vocab: Vocab, ids: np.ndarray) -> float:
        opening, closing = (np.full((2, 1), end) for end in (vocab.start, vocab.end))
        steps = np.concatenate([opening, ids, closing], 1)
        nothing = np.zeros((2, 31, 0), np.int64)
        batch = Batch(steps[:, :-1], steps[:, 1:], nothing, nothing)
        return batch_nats(model, batch, model.start_state(2))[0].item()

    assert nats(other, REORDERED, places[ids]) == pytest.approx(nats(model, OLD, ids), abs=1e-4)
    # Weights that fit by their shape only would be another model.
    assert abs(nats(model, REORDERED, places[ids]) - nats(model, OLD, ids)) > 0.1


@pytest.mark.parametrize(
    ("new", "counts", "vocabulary"),
    [
        (OLD, (6, 0, 0), "same"),
        (REORDERED, (6, 0, 0), "reordered"),
        (GROWN, (6, 2, 0), "different"),
        (CHANGED, (5, 2, 1), "different"),
        (Vocab.of("uvwxyz"), (0, 6, 6), "different"),
    ],
)
def test_symbols_are_counted_and_vocabularies_told_apart(new, counts, vocabulary) -> None:
    config = CONFIGS["tied"]
    weights = {name: value.numpy() for name, value in random_model(config, ()).state_dict().items()}
    mapped, transfer = transfer_weights(weights, OLD, new, config)
    assert (transfer.kept, transfer.new, transfer.dropped) == counts
    assert transfer.vocabulary == vocabulary
    assert all(value.dtype == np.float32 for value in mapped.values())
    same = all(np.array_equal(mapped[name], weights[name]) for name in weights)
    assert same == (vocabulary == "same")


def codec(*values, state=None) -> SimpleNamespace:
    """Return what transfer looks at in a codec, with what the values of its features mean."""
    sizes = tuple(map(len, values)) or (3,)
    return SimpleNamespace(feature_values=values, feature_sizes=sizes, state=lambda: state)


def test_values_of_features_keep_their_weights_by_what_they_mean() -> None:
    rng = np.random.default_rng(0)
    weights = {f"features.{kind}.weight": rng.random((size, 4)) for kind, size in ((0, 4), (1, 2))}
    old, new = Dictation(2, "abc", (1, 1, 1)), Dictation(2, "bcxa", (1, 1, 1, 1))
    before, after = codec(old.feature_values[0], range(2)), codec(new.feature_values[0], range(3))
    moved = with_features_of(weights, before, after)
    first, second = weights.values()
    np.testing.assert_array_equal(
        moved["features.0.weight"], [first[0], first[2], first[3], first.mean(axis=0), first[1]]
    )
    np.testing.assert_array_equal(moved["features.1.weight"], [*second, second.mean(axis=0)])
    assert [len(values) for values in new.feature_values] == [*new.feature_sizes]


def test_values_without_a_meaning_are_kept_only_if_the_codec_learned_the_same() -> None:
    weights = {"features.0.weight": np.ones((3, 4))}
    assert with_features_of(weights, codec(state="ab"), codec(state="ab")) == weights
    with pytest.raises(RunError, match="SimpleNamespace does not say what the values of its feat"):
        with_features_of(weights, codec(state="ab"), codec(state="bc"))
    with pytest.raises(RunError, match="the model has 1 features, the new corpus has 2; train a"):
        with_features_of(weights, codec(range(3)), codec(range(3), range(2)))
    wrong = codec(range(3))
    wrong.feature_sizes = (4,)
    with pytest.raises(PluginError, match="feature_values must name 4 values, found 3; tell its"):
        with_features_of(weights, wrong, codec(range(3)))


def test_the_same_corpus_begins_where_the_old_run_ended(run, corpus, tmp_path: Path) -> None:
    made = seqgen.create_run(tmp_path / "again", corpus, train=SHORT, start=run)
    assert made.model_config == replace(run.model_config, dropout=made.model_config.dropout)
    assert made.info["from"] == {
        "run": run.folder.name,
        "kept": len(corpus.vocab.names),
        "new": 0,
        "dropped": 0,
    }
    wanted = evaluate(run.model, corpus)
    for opened in (made, Run(tmp_path / "again", "cpu")):
        assert evaluate(opened.model, corpus) == pytest.approx(wanted, abs=1e-6)


@pytest.fixture(scope="module")
def barrels(verses: Path, tmp_path_factory: pytest.TempPathFactory) -> seqgen.Corpus:
    """The verses with barrels of juice, which takes a symbol that they lack."""
    folder = tmp_path_factory.mktemp("barrels")
    for path in verses.iterdir():
        text = path.read_text().replace("bottle", "BARREL").replace("green", "big")
        (folder / path.name).write_text(text)
    return seqgen.prepare("text", [folder])


def test_it_goes_on_better_than_from_nothing(run, barrels, tmp_path: Path) -> None:
    going_on = seqgen.create_run(tmp_path / "on", barrels, train=SHORT, start=run)
    fresh = seqgen.create_run(tmp_path / "fresh", barrels, run.model_config, SHORT)
    assert evaluate(going_on.model, barrels) < evaluate(fresh.model, barrels) - 0.5
    for made in (going_on, fresh):
        for _ in seqgen.train(made, barrels):
            pass
    better, worse = (made.info["result"]["valid_loss"] for made in (going_on, fresh))
    assert better < worse - 0.5
    origin = seqgen.load(tmp_path / "on", "cpu").info["from"]
    assert origin["new"] == len(set("BAREL")) and origin["dropped"] == 0
    # What was trained counts from now on, not what it began with.
    assert evaluate(seqgen.load(tmp_path / "on", "cpu").model, barrels) < better + 0.1


def test_another_network_domain_or_codec_is_refused(run, chorales, corpus, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"has its network, with hidden 64; found hidden 32; leave"
    ):
        seqgen.create_run(tmp_path / "run", corpus, ModelConfig(hidden=32), start=run)
    # A setting that the run has is none of another network.
    made = seqgen.create_run(tmp_path / "same", corpus, ModelConfig(hidden=64), start=run)
    assert made.model_config == replace(run.model_config, dropout=made.model_config.dropout)
    with pytest.raises(ConfigError, match=r"domain 'music', .* has 'text'"):
        seqgen.create_run(tmp_path / "run", corpus, start=chorales)
    other = Run(run.folder, "cpu")
    other.info["codec"]["name"] = "words"
    with pytest.raises(ConfigError, match=r"codec 'words', .* has 'characters'"):
        seqgen.create_run(tmp_path / "run", corpus, start=other)
    assert not (tmp_path / "run").exists()


def test_a_damaged_beginning_is_told(run, corpus, tmp_path: Path) -> None:
    made = seqgen.create_run(tmp_path / "run", corpus, start=run)
    (made.folder / "initial.safetensors").write_bytes(b"half a file")
    with pytest.raises(RunError, match=r"initial.safetensors cannot be read"):
        _ = Run(made.folder, "cpu").model


def test_the_command_goes_on_from_a_run(run, barrels, tmp_path: Path, capsys) -> None:
    from seqgen.cli import app

    out = tmp_path / "on"
    arguments = ["train", "text", str(barrels.folder), "--from", str(run.folder), "--tokens", "500"]
    with pytest.raises(SystemExit) as end:
        app.meta([*arguments, "--out", str(out)])
    assert not end.value.code
    assert "symbols kept, 5 new, 0 dropped" in capsys.readouterr().err
    assert json.loads((out / "run.json").read_text())["model"]["hidden"] == 64
    with pytest.raises(SystemExit) as end:
        app.meta([*arguments, "--out", str(tmp_path / "other"), "--hidden", "32"])
    assert end.value.code == 2 and "or --from" in capsys.readouterr().err


@pytest.mark.parametrize("embedding", [6, 0])
@pytest.mark.parametrize("sites", ["ba", "bc", "abc", ""])
def test_labels_keep_their_values(verses: Path, tmp_path: Path, embedding: int, sites: str) -> None:
    def corpus(name: str, sites: str) -> seqgen.Corpus:
        texts = [path.read_text() for path in sorted(verses.iterdir())]
        pieces = [
            seqgen.Labelled({"site": sites[number % len(sites)]} if sites else {}, text)
            for number, text in enumerate(texts)
        ]
        return seqgen.write_corpus(tmp_path / name, "text", {"train": pieces})

    first, second = corpus("first", "ab"), corpus("second", sites)
    model = ModelConfig(hidden=8, embedding=embedding, dropout=0.0)
    begun = seqgen.create_run(tmp_path / "begun", first, model, SHORT)
    for _ in seqgen.train(begun, first):
        pass
    run = seqgen.load(begun.folder, "cpu")
    made = seqgen.create_run(tmp_path / "made", second, train=SHORT, start=run)
    if not sites:
        assert not made.codec.feature_sizes
        return
    old, new = (each.weights["features.0.weight"] for each in (run, made))  # (values, E)
    values = ["not read", "?", *sorted(set(sites))]
    assert len(new) == len(values) and np.abs(old[2:]).min(1).max() > 0
    count = len(run.codec.codec.vocab) if embedding == 0 else embedding
    known = {"not read": 0, "?": 1, "a": 2, "b": 3, "c": 1}
    for row, value in zip(new, values, strict=True):
        np.testing.assert_array_equal(row[:count], old[known[value]][:count])
    if embedding:
        # So does the token of a value.
        old, new = (each.weights["embedding.weight"] for each in (run, made))  # (V', E)
        for token in (f"site={value}" for value in values[1:]):
            before = token if token in run.vocab.names else "site=?"
            np.testing.assert_array_equal(
                new[made.vocab.names.index(token)], old[run.vocab.names.index(before)]
            )


def test_a_label_that_is_lacking_leaves_what_any_value_adds() -> None:
    plain = CharacterCodec("abc", "", CharacterOptions())
    plain.feature_sizes = (3, 2)
    labelled = LabelledCodec(plain, [Label("site", None, {"a": 1, "b": 1})])
    rng = np.random.default_rng(0)
    first, second, site = (rng.random((size, 4)) for size in labelled.feature_sizes)
    weights = {f"features.{at}.weight": each for at, each in enumerate((first, second, site))}
    moved = with_labels_of(weights, labelled, plain, 4)
    assert [*moved] == ["features.0.weight", "features.1.weight"]
    np.testing.assert_array_equal(moved["features.0.weight"], first + site[1])
    np.testing.assert_array_equal(moved["features.1.weight"], second)
    # The weights that were given stay as they are.
    assert weights["features.0.weight"] is first


def test_a_label_that_is_new_has_no_influence(run, verses: Path, tmp_path: Path) -> None:
    labelled = seqgen.prepare("text", [verses], labels={"number": "{}.txt"}, jobs=1)
    made = seqgen.create_run(tmp_path / "labelled", labelled, train=SHORT, start=run)
    assert not made.weights["features.0.weight"].any()
    assert made.weights["features.0.weight"].shape[0] == labelled.codec.feature_sizes[0]
