"""Tokens near another one, by the vectors that a model learned."""

import copy
import json

import pytest
import torch

import seqgen
from seqgen.errors import ConfigError
from seqgen.network.model import SequenceModel


def altered(run: seqgen.Run, *, both: bool = True) -> seqgen.Run:
    """Return the run with `b` like `a`, and `o` unlike it, in what is read and predicted."""
    model = copy.deepcopy(run.model)
    a, b, o = (run.vocab.names.index(name) for name in "abo")
    tables = [model.embedding.weight, model.output.weight] if both else [model.embedding.weight]
    with torch.no_grad():
        for table in tables:
            mean = table[: len(run.vocab.names)].mean(0)
            table[a] = mean + 100 * (table[a] - mean)
            table[b] = table[a] + 0.1
            table[o] = 2 * mean - table[a]
    return run.with_model(model)


def test_like_vectors_are_near_and_unlike_ones_far(run) -> None:
    names = run.vocab.names
    found = seqgen.neighbours(altered(run), "a", 1000)
    assert [found[0].name, found[-1].name] == ["b", "o"]
    assert found[0].similarity == pytest.approx(1, abs=0.01)
    assert found[-1].similarity == pytest.approx(-1, abs=0.2)
    assert sorted([each.name for each in found] + ["a"]) == sorted(names)
    scores = [each.similarity for each in found]
    assert scores == sorted(scores, reverse=True)
    assert seqgen.neighbours(altered(run), "a", 3) == found[:3]
    half = seqgen.neighbours(altered(run, both=False), "a", 1)[0]
    assert half.similarity < 0.9, "the other half is what the token is predicted from"


def test_tied_weights_have_one_vector(run) -> None:
    config = seqgen.ModelConfig(hidden=8, embedding=6, tied=True)
    tied = copy.copy(run)
    tied.model_config = config
    model = SequenceModel(config, run.vocab)
    a, b = (run.vocab.names.index(name) for name in "ab")
    with torch.no_grad():
        model.embedding.weight[b] = model.embedding.weight[a]
    assert seqgen.neighbours(tied.with_model(model), "a", 1)[0] == ("b", pytest.approx(1))


def test_what_has_no_vector_is_refused(run) -> None:
    with pytest.raises(ConfigError, match="there is no token 'ab' in this model's vocabulary"):
        seqgen.neighbours(run, "ab")
    with pytest.raises(ConfigError, match="<end> is no token of the codec"):
        seqgen.neighbours(run, "<end>")
    blind = copy.copy(run)
    blind.model_config = seqgen.ModelConfig(hidden=8, embedding=0)
    with pytest.raises(ConfigError, match="reads tokens as one-hot vectors"):
        seqgen.neighbours(blind, "a")


def test_the_command_prints_them(run, command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("info", run.folder, "--near", "e") == 0
    lines = capsys.readouterr().out.splitlines()
    wanted = seqgen.neighbours(run, "e")
    assert lines == [f"{each.similarity:5.2f}  {each.name}" for each in wanted]
    assert len(lines) == 10
    assert command("info", run.folder, "--near", "e", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == [{"name": each.name, "similarity": each.similarity} for each in wanted]
