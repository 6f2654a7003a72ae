"""Contexts: rows of the last tokens, the same however a piece is cut into calls."""

import copy
import zlib
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqgen.config import CONTEXTS, ModelConfig, TrainConfig
from seqgen.data.batches import Batch
from seqgen.evaluation import adaptive
from seqgen.evaluation.adaptive import Follower
from seqgen.evaluation.loss import batch_nats
from seqgen.network.contexts import keys_of
from seqgen.network.model import SequenceModel
from seqgen.training.optimizer import ROW_DECAY, ROW_RATE, Optimizer
from seqgen.vocab import Vocab

VOCAB = Vocab.of("abcdefghi")
BOUNDARIES = (2, 7)
ROWS = 31
CONFIG = ModelConfig(layers=2, hidden=12, embedding=6, dropout=0.0, context_rows=ROWS)


@pytest.fixture
def model() -> SequenceModel:
    torch.manual_seed(1)
    model = SequenceModel(CONFIG, VOCAB, (), BOUNDARIES).eval()
    for table in model.contexts or ():
        torch.nn.init.normal_(table.weight)
    return model


def sequence(length: int, lanes: int = 3) -> torch.Tensor:
    """Return ids (B, T) with START, END and boundaries strewn in."""
    return torch.randint(VOCAB.size, (lanes, length), generator=torch.Generator().manual_seed(2))


def row(tokens: Sequence[int | None]) -> int:
    """Return the row of a context, from the newest token to the oldest, with plain integers."""
    code = 0
    for token in tokens:
        key = (
            0
            if token is None
            else (*(zlib.crc32(name.encode()) + 1 for name in VOCAB.names), 1 << 33, 1 << 34)[token]
        )
        code = (code + key) * 0x1E3779B97F4A7C15 % 2**64
        code = code if code < 2**63 else code - 2**64
        code ^= code >> 32
    return code % 2**63 % ROWS


def added_by_hand(model: SequenceModel, ids: list[int]) -> torch.Tensor:
    """Return what contexts add to each input of a piece (T, E); None stands before a piece."""
    resets, rows = VOCAB.resets(BOUNDARIES), []
    last: list[int | None] = [None] * CONTEXTS
    for token in ids:
        rows.append([row([token, *last[:count]]) for count in range(1, CONTEXTS + 1)])
        last = [None] * CONTEXTS if resets[token] else [token, *last[:-1]]
    return torch.stack(
        [
            sum(table.weight[one] for table, one in zip(model.contexts, each, strict=True))
            for each in rows
        ]
    )


@torch.no_grad()
def test_rows_are_those_of_the_last_tokens_of_the_piece(model: SequenceModel) -> None:
    ids = sequence(200)
    added, _ = model.contexts(ids.T, model.contexts.start(3))  # (T, B, E)
    for lane, tokens in enumerate(ids.tolist()):
        torch.testing.assert_close(added[:, lane], added_by_hand(model, tokens))


@torch.no_grad()
def test_a_piece_may_be_cut_into_calls_anywhere(model: SequenceModel) -> None:
    ids = sequence(40)
    full, after = model(ids)
    for size in (1, 2, 3, 7):
        state, steps = None, []
        for some in ids.split(size, 1):
            logits, state = model(some, None, state)
            steps.append(logits)
        torch.testing.assert_close(torch.cat(steps, 1), full, atol=1e-5, rtol=0)
        torch.testing.assert_close(state, after, atol=1e-5, rtol=0)


@torch.no_grad()
def test_nothing_is_known_of_what_was_before_end_or_a_boundary(model: SequenceModel) -> None:
    ids = sequence(30)
    ids[:, 14] = torch.tensor([*BOUNDARIES, VOCAB.end])
    after, _ = model(ids)
    alone, _ = model(ids[:, 15:])
    torch.testing.assert_close(after[:, 15:], alone, atol=1e-6, rtol=0)
    _, state = model(ids[:, :15])
    torch.testing.assert_close(state, model.start_state(3))


@torch.no_grad()
def test_new_tables_change_nothing(model: SequenceModel) -> None:
    for table in model.contexts:
        torch.nn.init.zeros_(table.weight)
    plain = SequenceModel(
        ModelConfig(layers=2, hidden=12, embedding=6), VOCAB, (), BOUNDARIES
    ).eval()
    plain.load_state_dict(
        {name: value for name, value in model.state_dict().items() if "contexts" not in name}
    )
    ids = sequence(20)
    torch.testing.assert_close(model(ids)[0], plain(ids)[0])
    fresh = SequenceModel(CONFIG, VOCAB)
    assert not any(table.weight.any() for table in fresh.contexts)


def test_whole_rows_are_left_out_in_training_only(model: SequenceModel) -> None:
    model.contexts.dropout = 0.5
    first, *others = model.contexts
    torch.nn.init.ones_(first.weight)
    for table in others:
        torch.nn.init.zeros_(table.weight)
    ids = sequence(1000, 1).T  # (T, B)
    whole, _ = model.contexts(ids, model.contexts.start(1))
    assert (whole == 1).all()
    some, _ = model.train().contexts(ids, model.contexts.start(1))
    assert ((some == 0).all(2) | (some == 2).all(2)).all()
    assert 0.4 < (some == 0).float().mean() < 0.6


def test_ids_have_different_keys_that_follow_their_names() -> None:
    names = [f"{number}" for number in range(5_000)]
    keys = keys_of(Vocab.of(names))
    assert len(set(keys)) == len(names) + 3
    assert keys_of(Vocab.of(names[::-1])) == [*keys[: len(names)][::-1], *keys[len(names) :]]


@pytest.mark.parametrize("sparse", [True, False])
def test_adagrad_changes_the_rows_that_were_read(model: SequenceModel, sparse: bool) -> None:
    """With dense gradients too, which several processes add up."""
    config = TrainConfig(batch_size=3, window=9, learning_rate=1e-3, weight_decay=0.0, clip=0.1)
    optimizer = Optimizer(model, config)
    before = [table.weight.detach().clone() for table in model.contexts]
    expected, sums = [each.clone() for each in before], [torch.zeros(ROWS) for _ in before]
    for ids in sequence(18).split(9, 1):
        optimizer.zero_grad()
        model(ids)[0].square().sum().backward()
        dense = [table.weight.grad.to_dense() for table in model.contexts]
        others = [each.grad for each in model.parameters() if not each.grad.is_sparse]
        norm = sum(each.square().sum() for each in (*dense, *others)).sqrt()
        assert norm > 0.1
        if not sparse:
            for table in model.contexts:
                table.weight.grad = table.weight.grad.to_dense()
        optimizer.step(0.01)
        for number, gradient in enumerate(dense):
            clipped = gradient * 0.1 / norm
            sums[number] += clipped.square().mean(1)
            steps = clipped / (sums[number] + 1e-30).sqrt()[:, None]
            read = gradient.any(1)[:, None]
            steps += ROW_DECAY * read * expected[number]
            expected[number] -= ROW_RATE * 0.01 * steps
    for table, first, wanted in zip(model.contexts, before, expected, strict=True):
        torch.testing.assert_close(table.weight.detach(), wanted, atol=1e-5, rtol=1e-4)
        moved = (table.weight != first).any(1)
        assert moved.any() and not moved.all()


def one_lane(length: int) -> Batch:
    ids = sequence(length, 1).numpy()
    nothing = np.zeros((1, length, 0), np.int64)
    return Batch(ids, ids % VOCAB.targets, nothing, nothing.astype(np.uint8))


def test_dynamic_evaluation_moves_the_rows_that_were_read(model: SequenceModel) -> None:
    batch, before = one_lane(20), copy.deepcopy(model)
    follower = Follower(SimpleNamespace(model=model))
    moved = follower.read(batch)
    nats, _ = batch_nats(before, batch, before.start_state(1))
    (nats / batch.counted).backward()
    for table, learned, trained in zip(
        before.contexts, follower.model.contexts, model.contexts, strict=True
    ):
        gradient = table.weight.grad.coalesce()
        typical = gradient.values().square().mean().sqrt()
        expected = table.weight - adaptive.ROW_RATE / (2 * typical) * gradient.to_dense()
        assert torch.allclose(learned.weight, expected, atol=1e-6)
        read = set(gradient.indices()[0].tolist())
        rest = [row for row in range(ROWS) if row not in read]
        assert read and rest and torch.equal(learned.weight[rest], trained.weight[rest])
        assert torch.equal(trained.weight, table.weight)
        assert trained.weight.requires_grad
    # What was learned helps where it comes again.
    follower.open()
    assert follower.read(batch).sum() > moved.sum()


def test_rows_return_to_the_trained_ones(model: SequenceModel, monkeypatch) -> None:
    follower, batch = Follower(SimpleNamespace(model=model)), one_lane(60)

    def distance() -> float:
        pairs = zip(follower.model.contexts, model.contexts, strict=True)
        return sum(float((a.weight - b.weight).detach().norm()) for a, b in pairs)

    follower.read(batch)
    away = distance()
    monkeypatch.setattr(adaptive, "ROW_RATE", 0.0)
    follower.read(batch)
    assert 0 < distance() < away


def test_dynamic_evaluation_draws_no_random_numbers(model: SequenceModel) -> None:
    batch = one_lane(60)
    assert model.contexts is not None
    plain = Follower(SimpleNamespace(model=model)).read(batch)
    model.dropout = model.contexts.dropout = 0.5
    for seed in (1, 2):
        torch.manual_seed(seed)
        follower = Follower(SimpleNamespace(model=model))
        np.testing.assert_array_equal(follower.read(batch), plain)
