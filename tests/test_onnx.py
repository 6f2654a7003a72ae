"""ONNX files, run by ONNX Runtime: the same log-probabilities, states and tokens as here."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import seqgen
from seqgen.config import CLUSTERS, LimitConfig, ModelConfig, SampleConfig
from seqgen.drawing.filters import log_softmax
from seqgen.drawing.parts import Views, parts_of
from seqgen.drawing.rules import Positions, rules_for
from seqgen.drawing.sampling import choose_each
from seqgen.errors import ConfigError, PluginError, RunError
from seqgen.export import onnx_file
from seqgen.export.onnx_graph import Network, step_model
from seqgen.network.model import SequenceModel
from seqgen.stepping.fused import FusedStepper
from seqgen.vocab import Vocab

VOCAB = Vocab.of([f"t{token}" for token in range(37)])
#: Ids of every cluster are spread over the vocabulary.
OF = [(7 * token) % 5 % (CLUSTERS + 1) for token in range(VOCAB.targets)]
#: One cluster has no id.
EMPTY = [token % CLUSTERS for token in range(VOCAB.targets)]


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString())


def both(
    sizes: tuple[int, ...] = (),
    boundaries: tuple[int, ...] = (),
    clusters: list[int] | None = None,
    *,
    masks: bool = False,
    **options,
) -> tuple[FusedStepper, onnxruntime.InferenceSession]:
    """Return the stepper of a random model, and its step in ONNX Runtime."""
    torch.manual_seed(1)
    config = ModelConfig(**{"hidden": 24, "embedding": 12, "context_rows": 0, **options})
    model = SequenceModel(config, VOCAB, sizes, boundaries, clusters or ())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)
        for table in (*model.features, *(model.contexts or ())):
            table.weight.normal_()
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    of = clusters or []
    network = Network(config, VOCAB, sizes, boundaries, of, weights, masks)
    stepper = FusedStepper(config, VOCAB, sizes, weights, boundaries, of)
    return stepper, session(step_model(network, "1"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": 3, "sizes": (5, 9), "skip": True},
        {"sizes": (4,), "embedding": 0},
        {"layers": 2, "tied": True, "skip": True, "hidden": 33},
        {"layers": 2, "boundaries": (3, 30), "skip": True, "context_rows": 101},
        {"embedding": 0, "context_rows": 65536},
        {"output": "adaptive", "clusters": OF},
        {"output": "adaptive", "clusters": EMPTY, "tied": True, "masks": True},
        {"layers": 2, "sizes": (6,), "masks": True, "boundaries": (0,)},
    ],
    ids=str,
)
def test_every_step_is_that_of_the_stepper(options) -> None:
    stepper, made = both(**options)
    rng, lanes, sizes = np.random.default_rng(0), 5, options.get("sizes", ())
    state, theirs = stepper.start(lanes), None
    for _ in range(60):
        # END and START are among them.
        ids = rng.integers(0, VOCAB.size, lanes)
        features = np.stack([rng.integers(0, size, lanes) for size in sizes] or [ids[:0]], -1)
        features = features.reshape(lanes, len(sizes))
        possible = rng.random((lanes, VOCAB.targets)) < 0.2
        possible[:, 5] = True
        possible |= not options.get("masks", False)
        logits, state = stepper.read(ids[:, None], features[:, None], state, possible)
        wanted = np.where(possible, logits, -np.inf)
        wanted = np.stack([log_softmax(row) for row in wanted])
        given = {"ids": ids}
        given |= {"features": features} if sizes else {}
        given |= {"possible": possible} if options.get("masks") else {}
        [found, *theirs] = made.run(None, {**given, **states_of(stepper, made, lanes, theirs)})
        np.testing.assert_allclose(found, wanted, atol=2e-5)
    for mine, other in zip(stepper.export(state), theirs, strict=True):
        np.testing.assert_allclose(other, mine.reshape(other.shape), atol=1e-5)


def states_of(stepper, made, lanes: int, after: list[np.ndarray] | None) -> dict[str, np.ndarray]:
    """Return the state to give, by name: what the last step returned, or that of the start."""
    names = [each.name for each in made.get_inputs() if each.name in ("h", "c", "before")]
    if after is not None:
        return dict(zip(names, after, strict=True))
    start = dict(zip(names, stepper.export(stepper.start(lanes)), strict=True))
    if "before" in start:
        start["before"] = start["before"][0].astype(np.int64)  # (B, N)
    return start


def written_with(
    path: Path, run: seqgen.Run, sample: SampleConfig, seed: int, count: int
) -> list[int]:
    """Return ids drawn from the scores of a file, with nothing else but our sampler."""
    made = onnxruntime.InferenceSession(path)
    about = json.loads(made.get_modelmeta().custom_metadata_map["seqgen"])
    vocab = Vocab.of(about["vocab"])
    rules = rules_for(sample.completed(**about["sampling"]), vocab, run.longest)
    shape = [1 if size == "B" else size for size in made.get_inputs()[1].shape]
    h = c = np.zeros(shape, np.float32)
    random = np.random.Generator(np.random.Philox(key=[seed, 0]))
    parts, ids, token = parts_of((), vocab.targets), list[int](), about["start"]
    every = np.ones((1, vocab.targets), bool)
    for step in range(count):
        found, h, c = made.run(None, {"ids": np.array([token]), "h": h, "c": c})
        recent = np.array([[*ids, 0]])
        counts = np.array([step])
        given = np.zeros((1, 0), np.int64), every, every, recent, counts, counts
        positions = Positions(np.array([token]), *given)
        off, on = np.zeros((1, 1), bool), np.ones((1, 1), bool)
        views = Views(on, off, off, off.copy(), on.copy())
        new, nats = np.zeros((1, 1), np.int64), np.zeros((1, 1))
        drawn = random.random((1, 1))
        assert choose_each(found, parts, views, positions, drawn, 0, rules, new, nats)
        token = int(new[0, 0])
        ids.append(token)
    return ids


@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 1.5, "top_k": 20, "top_p": 0.9, "min_p": 0.02}], ids=str
)
def test_a_thousand_tokens_are_those_of_generate(run, tmp_path: Path, settings) -> None:
    path = seqgen.export_onnx(run, tmp_path / "run.onnx")
    sample = SampleConfig(ban=("<end>",), **settings)
    [piece] = seqgen.generate(run, sample=sample, limit=LimitConfig(length=1000), seed=7)
    assert written_with(path, run, sample, 7, 1000) == piece.ids.tolist()


def test_the_file_says_what_a_program_has_to_know(run, seqgen_command, tmp_path: Path) -> None:
    path = tmp_path / "verses.onnx"
    status, out, _ = seqgen_command("export", run.folder, "--onnx", "--out", path, "--json")
    assert status == 0 and json.loads(out) == {"file": str(path), "bytes": path.stat().st_size}
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    [entry] = model.metadata_props
    about = json.loads(entry.value)
    assert Vocab.of(about["vocab"]) == run.vocab and about["sampling"] == run.sampling
    assert (about["domain"], about["codec"]) == ("text", "characters")
    assert (about["end"], about["start"]) == (run.vocab.end, run.vocab.start)
    assert (model.producer_name, model.producer_version) == ("seqgen", seqgen.__version__)
    assert all(value.doc_string for value in (*model.graph.input, *model.graph.output))


def test_the_default_name_is_in_the_run_folder_and_nothing_is_replaced(run, seqgen_command) -> None:
    path = run.folder / "model.onnx"
    try:
        assert seqgen_command("export", run.folder, "--onnx")[0] == 0
        before = path.read_bytes()
        status, _, error = seqgen_command("export", run.folder, "--onnx")
        assert status == 1 and "model.onnx is already there" in error and "--overwrite" in error
        assert seqgen_command("export", run.folder, "--onnx", "--overwrite")[0] == 0
        assert path.read_bytes() == before  # the same file again
    finally:
        path.unlink()


def test_what_cannot_be_is_refused(run, seqgen_command, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(ConfigError, match=r"ONNX file ends in \.onnx, found .*model\.txt"):
        seqgen.export_onnx(run, tmp_path / "model.txt")
    with pytest.raises(RunError, match="none does not exist; make it first"):
        seqgen.export_onnx(run, tmp_path / "none" / "model.onnx")
    status, _, error = seqgen_command("export", run.folder)
    assert status == 2 and "--onnx" in error
    monkeypatch.setattr(onnx_file, "MOST", 1000)
    with pytest.raises(ConfigError, match=r"at most 2 GB.*smaller `hidden`"):
        seqgen.export_onnx(run, tmp_path / "model.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "seqgen.export.onnx_graph")
    monkeypatch.delattr("seqgen.export.onnx_graph")
    with pytest.raises(PluginError, match=r"pip install 'seqgen-toolkit\[onnx\]'"):
        seqgen.export_onnx(run, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_another_architecture_and_counts_are_refused(run, tmp_path: Path, monkeypatch) -> None:
    mixed = run.with_model(run.model, lambda lanes, int8: None)
    with pytest.raises(ConfigError, match="counts"):
        seqgen.export_onnx(mixed, tmp_path / "model.onnx")
    other = seqgen.load(run.folder, "cpu")
    monkeypatch.setattr(other, "model_config", ModelConfig(architecture="gru", hidden=64))
    with pytest.raises(ConfigError, match='has gru; train with `architecture="lstm"`'):
        seqgen.export_onnx(other, tmp_path / "model.onnx")
