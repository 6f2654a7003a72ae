"""The table of tensors: exactly those of the model, and nothing else is read."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from seqgen.config import ModelConfig
from seqgen.errors import ConfigError, DataError, RunError
from seqgen.generation.pieces import Primed
from seqgen.network.model import SequenceModel
from seqgen.stepping.fused import FusedStepper
from seqgen.storage.tensors import MOST_ONE_HOT, Kind, TensorFile, expected, read_weights
from seqgen.vocab import Vocab

VOCAB = Vocab.of(["a", "b", "c", "d", "e"])
CONFIG = ModelConfig(hidden=6, embedding=4)


@pytest.mark.parametrize(
    ("layers", "embedding", "skip", "tied", "sizes"),
    [
        each
        for each in product((1, 3), (0, 4), (False, True), (False, True), ((), (2, 9)))
        if each[1] or not each[3]
    ],
)
def test_the_table_is_that_of_the_model(layers, embedding, skip, tied, sizes) -> None:
    config = ModelConfig(layers=layers, hidden=6, embedding=embedding, skip=skip, tied=tied)
    weights = SequenceModel(config, VOCAB, sizes).state_dict()
    table = expected(config, VOCAB, sizes)
    assert {name: Kind(tuple(value.shape)) for name, value in weights.items()} == table


def test_a_run_with_fewer_tables_of_contexts_is_of_an_older_version(tmp_path: Path) -> None:
    table, path = expected(replace(CONFIG, context_rows=8), VOCAB, ()), tmp_path / "a.safetensors"
    old = {name: np.zeros(kind.shape, np.float32) for name, kind in table.items()}
    del old["contexts.2.weight"], old["contexts.3.weight"]
    path.write_bytes(safetensors.numpy.save(old))
    message = "an older version trained the run, with 2 tables of contexts instead of 4, so"
    with pytest.raises(RunError, match=rf"no tensor contexts.2.weight: {message}"):
        read_weights(path, table)


@pytest.fixture
def weights() -> dict[str, np.ndarray]:
    state = SequenceModel(CONFIG, VOCAB, (3,)).state_dict()
    return {name: value.numpy() for name, value in state.items()}


@pytest.mark.parametrize("name", [*expected(CONFIG, VOCAB, (3,))])
def test_weights_of_another_shape_or_dtype_are_refused(name, weights, tmp_path: Path) -> None:
    table, path = expected(CONFIG, VOCAB, (3,)), tmp_path / "model.safetensors"
    value = weights[name]
    for other in (
        *(value[:-1], value[: len(value) // 2], value[:1], value[:0]),
        *(np.concatenate([value, value]), value[None], value[..., None], value.reshape(-1)[0]),
        *(value.astype(kind) for kind in (np.int64, np.float64, np.uint8)),
    ):
        path.write_bytes(safetensors.numpy.save(weights | {name: np.ascontiguousarray(other)}))
        with pytest.raises(RunError, match=rf"does not fit run.json .* {name} must be F32 \("):
            read_weights(path, table)
        with pytest.raises(ValueError, match=f"{name} must be F32"):
            FusedStepper(CONFIG, VOCAB, (3,), weights | {name: other})
    # A file may hold float16, which the reader widens; a stepper takes float32 alone.
    with pytest.raises(ValueError, match=f"{name} must be F32"):
        FusedStepper(CONFIG, VOCAB, (3,), weights | {name: value.astype(np.float16)})
    path.write_bytes(safetensors.numpy.save({key: weights[key] for key in weights if key != name}))
    with pytest.raises(RunError, match=f"it has no tensor {name}"):
        read_weights(path, table)
    path.write_bytes(safetensors.numpy.save(weights))
    for key, read in read_weights(path, table).items():
        np.testing.assert_array_equal(read, weights[key])


def test_a_tensor_too_much_is_refused(weights, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    more = weights | {"layers.1.bias": weights["layers.0.bias"]}
    path.write_bytes(safetensors.numpy.save(more))
    with pytest.raises(RunError, match=r"it has an unknown tensor 'layers.1.bias'"):
        read_weights(path, expected(CONFIG, VOCAB, (3,)))
    with pytest.raises(ValueError, match=r"layers.1.bias"):
        FusedStepper(CONFIG, VOCAB, (3,), more)


def test_a_file_whose_size_is_not_that_of_its_tensors_is_refused(weights, tmp_path: Path) -> None:
    path, content = tmp_path / "model.safetensors", safetensors.numpy.save(weights)
    for damaged in (b"", content[:-1], content + b"\0", b"\xff" * 100, content[:9]):
        path.write_bytes(damaged)
        with pytest.raises(RunError, match=r"cannot be read .* train again"):
            read_weights(path, expected(CONFIG, VOCAB, (3,)))
    # A header may say anything.
    header = b'{"h":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ValueError, match="header"):
        TensorFile(path)


def test_settings_that_cannot_be_are_refused() -> None:
    large = Vocab.of([str(token) for token in range(MOST_ONE_HOT)])
    with pytest.raises(ConfigError, match="one-hot inputs take 16,384 tokens at most"):
        expected(ModelConfig(hidden=1, embedding=0), large, ())
    with pytest.raises(ConfigError, match="hidden must be above 0"):
        expected(ModelConfig(), VOCAB, ())


def test_a_primed_state_of_another_kind_is_refused(tmp_path: Path) -> None:
    state = np.zeros((2, 1, 6), np.float32)
    good = {"ids": np.zeros(3, np.int64), "state.0": state, "state.1": state[:, :, :2]}
    path, about = tmp_path / "primed.safetensors", {"vocab_digest": "x", "kept": "3"}
    for change in (
        *({"ids": np.zeros(3)}, {"ids": np.zeros((3, 1), np.int64)}, {"state.0": state[:, 0]}),
        *({"state.1": np.zeros((2, 2, 6), np.float32)}, {"state.1": state.astype(np.float64)}),
        *({"more": state}, {"state.3": state}),
    ):
        path.write_bytes(safetensors.numpy.save(good | change, about))
        with pytest.raises(DataError, match="holds no primed state"):
            Primed.load(path)
    path.write_bytes(safetensors.numpy.save(good, about))
    assert [part.shape for part in Primed.load(path).state] == [(2, 1, 6), (2, 1, 2)]
