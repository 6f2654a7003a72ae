import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from seqgen.ngram import NgramModel
from seqgen.vocab import Vocab


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
        assert scored.units == {"characters": len(piece), "bytes": len(piece.encode())}


def test_a_piece_scores_the_same_beside_any_other(run) -> None:
    alone = next(seqgen.score(run, ["green"]))
    together, _ = seqgen.score(run, ["green", "wall " * 200])
    assert together.nats == pytest.approx(alone.nats, rel=1e-5)


def test_what_was_read_scores_better_than_noise(run) -> None:
    known, noise = seqgen.score(run, ["green bottles", "nsg lteeb rto"])
    assert known.nats < noise.nats


VOCAB = Vocab.of("abc")
PIECES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=4)


def reference(train: list[list[int]], order: int, context: list[int], target: int) -> float:
    """Interpolate Witten-Bell counts, one n-gram at a time."""
    if order == 0:
        return 1 / VOCAB.targets
    followers = []
    for piece in train:
        padded = [VOCAB.start] * (order - 1) + piece + [VOCAB.end]
        for at in range(order - 1, len(padded)):
            if padded[at - order + 1 : at] == context:
                followers.append(padded[at])
    shorter = reference(train, order - 1, context[1:], target)
    if not followers:
        return shorter
    different = len(set(followers))
    return (followers.count(target) + different * shorter) / (len(followers) + different)


@given(PIECES, PIECES, st.integers(1, 4))
def test_the_ngram_model_is_the_reference(train, held_out, order) -> None:
    model = NgramModel(VOCAB, order).fit([np.array(piece) for piece in train])
    for piece in held_out:
        got = model.log_probabilities(np.array(piece))
        padded = [VOCAB.start] * (order - 1) + piece + [VOCAB.end]
        for at, log_probability in enumerate(got):
            context = padded[at : at + order - 1]
            wanted = reference(train, order, context, padded[at + order - 1])
            assert math.exp(log_probability) == pytest.approx(wanted)
