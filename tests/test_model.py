"""The network against a plain reference, step by step."""

import itertools
from collections.abc import Iterator

import pytest
import torch

from seqgen.config import ModelConfig
from seqgen.errors import ConfigError
from seqgen.network.layers import State
from seqgen.network.lstm import ResetLSTM
from seqgen.network.model import SequenceModel
from seqgen.vocab import Vocab

VOCAB = Vocab.of([f"t{number}" for number in range(9)])
SIZES = (4, 6)
BOUNDARIES = (2, 7)
RESETS = (*BOUNDARIES, VOCAB.end)

SHAPES = [
    ModelConfig(layers=layers, hidden=24, embedding=embedding, skip=skip, tied=tied, dropout=0.0)
    for layers, embedding, skip, tied in itertools.product(
        (1, 2, 3), (0, 12), (False, True), (False, True)
    )
    if embedding or not tied
]


def build(config: ModelConfig, sizes: tuple[int, ...] = SIZES) -> SequenceModel:
    torch.manual_seed(1)
    model = SequenceModel(config, VOCAB, sizes, BOUNDARIES).eval()
    for table in model.features:
        torch.nn.init.normal_(table.weight)
    return model


def sequence(length: int, lanes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids with START, END and boundaries strewn in, and features."""
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(VOCAB.size, (lanes, length), generator=generator)
    features = torch.stack(
        [torch.randint(size, (lanes, length), generator=generator) for size in SIZES], 2
    )
    return ids, features


@pytest.mark.parametrize("config", SHAPES, ids=str)
@torch.no_grad()
def test_stepping_equals_the_full_pass(config: ModelConfig) -> None:
    model = build(config)
    ids, features = sequence(40)
    full, (h, c) = model(ids, features)
    assert full.shape == (3, 40, VOCAB.targets)
    state, steps = None, []
    for at in range(40):
        logits, state = model(ids[:, at : at + 1], features[:, at : at + 1], state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), full, atol=1e-5, rtol=0)
    torch.testing.assert_close(state, (h, c), atol=1e-5, rtol=0)


@pytest.mark.parametrize("config", SHAPES[::3], ids=str)
@torch.no_grad()
def test_the_state_after_end_and_boundaries_is_exactly_zero(config: ModelConfig) -> None:
    model = build(config)
    ids, features = sequence(20)
    ids[:, -1] = torch.tensor(RESETS)
    _, (h, c) = model(ids, features)
    assert h.shape == (config.layers, 3, config.hidden)
    assert not h.any() and not c.any()


@torch.no_grad()
def test_what_follows_end_or_a_boundary_does_not_know_what_was_before() -> None:
    model = build(ModelConfig(layers=2, hidden=24, embedding=8))
    ids, features = sequence(30)
    ids[:, 14] = torch.tensor(RESETS)
    after, _ = model(ids, features)
    alone, _ = model(ids[:, 15:], features[:, 15:])
    torch.testing.assert_close(after[:, 15:], alone, atol=1e-6, rtol=0)


def cell_of(layer: ResetLSTM) -> torch.nn.LSTMCell:
    cell = torch.nn.LSTMCell(layer.weight_ih.shape[1], layer.weight_hh.shape[1])
    cell.weight_ih.copy_(layer.weight_ih)
    cell.weight_hh.copy_(layer.weight_hh)
    cell.bias_ih.copy_(layer.bias)
    cell.bias_hh.zero_()
    return cell


def normal(outputs: torch.Tensor) -> torch.Tensor:
    centred = outputs - outputs.mean(1, keepdim=True)
    return centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()


def reset_by_hand(
    model: SequenceModel, ids: torch.Tensor, features: torch.Tensor
) -> Iterator[tuple[torch.Tensor, State]]:
    """Yield logits and state after each step of plain cells, zeroed where the model resets."""
    cells = [cell_of(layer) for layer in model.layers]
    states = [(torch.zeros(len(ids), 24), torch.zeros(len(ids), 24)) for _ in cells]
    for at in range(ids.shape[1]):
        kept = ~torch.isin(ids[:, at], torch.tensor(RESETS))[:, None]
        kinds = features[:, at].unbind(1)
        tables = zip(model.features, kinds, strict=True)
        read = model.embedding(ids[:, at]) + sum(table(kind) for table, kind in tables)
        below = read
        for number, cell in enumerate(cells):
            states[number] = tuple(part * kept for part in cell(below, states[number]))
            below = normal(states[number][0])
            below = torch.cat([below, read], 1) if model.config.skip else below
        outputs = [normal(h) for h, _ in states]
        top = torch.cat(outputs, 1) if model.config.skip else outputs[-1]
        yield model.output(top), tuple(torch.stack(parts) for parts in zip(*states, strict=True))


@pytest.mark.parametrize("sizes", [(), SIZES], ids=str)
@pytest.mark.parametrize("skip", [False, True], ids=["plain", "skip"])
@pytest.mark.parametrize("layers", [1, 2])
@torch.no_grad()
def test_the_fused_reset_equals_a_plain_lstm_that_is_reset_by_hand(layers, skip, sizes) -> None:
    model = build(ModelConfig(layers=layers, hidden=24, embedding=8, skip=skip), sizes)
    window, orders = 10, torch.tensor(list(itertools.permutations(RESETS)))
    ids, features = sequence(window * len(orders))
    features = features[:, :, : len(sizes)]
    # END and both boundaries in every order, at the first, a middle and the last place.
    ids[0].view(-1, window)[:, [0, 4, 9]] = orders
    expected, state = reset_by_hand(model, ids, features), None
    for low in range(0, ids.shape[1], window):
        part = slice(low, low + window)
        logits, state = model(ids[:, part], features[:, part], state)
        for at in range(window):
            wanted, wanted_state = next(expected)
            torch.testing.assert_close(logits[:, at], wanted, atol=1e-5, rtol=0)
        torch.testing.assert_close(state, wanted_state, atol=1e-5, rtol=0)


def test_training_never_touches_the_closed_gates() -> None:
    model = build(ModelConfig(layers=2, hidden=24, embedding=8)).train()
    optimizer = torch.optim.AdamW(model.parameters(), 0.1, weight_decay=0.5)
    ids, features = sequence(20)
    for _ in range(5):
        logits, _ = model(ids, features)
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten() % VOCAB.targets
        )
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        optimizer.step()
    ids[:, -1] = torch.tensor(RESETS)
    with torch.no_grad():
        _, (h, c) = model.eval()(ids, features)
    assert not h.any() and not c.any()


def test_one_hot_input_has_no_embedding_to_learn() -> None:
    model = build(ModelConfig(embedding=0, hidden=8), ())
    assert not any("embedding" in name for name, _ in model.named_parameters())
    assert model.layers[0].weight_ih.shape == (32, VOCAB.size)


def test_tied_weights_are_one_tensor() -> None:
    model = build(ModelConfig(tied=True, hidden=8, embedding=5), ())
    shapes = [tuple(p.shape) for p in model.parameters()]
    assert shapes.count((VOCAB.size, 5)) == 1
    assert (VOCAB.targets, 8) not in shapes


@torch.no_grad()
def test_features_reach_the_logits() -> None:
    model = build(ModelConfig(hidden=8, embedding=5))
    ids, features = sequence(5)
    one, _ = model(ids, features)
    features[:, -1, 0] = (features[:, -1, 0] + 1) % SIZES[0]
    two, _ = model(ids, features)
    assert (one[:, -1] != two[:, -1]).any()
    torch.testing.assert_close(one[:, :-1], two[:, :-1])


def test_one_hot_inputs_of_a_large_vocabulary_are_refused_before_they_take_memory() -> None:
    vocab = Vocab.of([str(number) for number in range(50_000)])
    with pytest.raises(ConfigError, match=r"16,384 tokens at most, the vocabulary has 50,002"):
        SequenceModel(ModelConfig(hidden=8, embedding=0), vocab)
