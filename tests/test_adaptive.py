import numpy as np
import torch

import seqgen
from seqgen.data.rows import codec_rows
from seqgen.data.spans import Span
from seqgen.evaluation import adaptive
from seqgen.evaluation.adaptive import AdaptiveReader, Follower

OTHERS = "Two plump ducks waddle home. "


def losses(reader: AdaptiveReader, ids: np.ndarray) -> np.ndarray:
    span = Span(reader._run.vocab, ids, codec_rows(reader._run.codec, ids))
    return np.concatenate(list(reader.nats(span)))


def encoded(run: seqgen.Run, text: str) -> np.ndarray:
    return run.codec.encode(run.codec.mend_prompt(text, "skip").piece)


def test_later_tokens_never_change_earlier_losses(run, corpus, monkeypatch) -> None:
    monkeypatch.setattr(adaptive, "CHUNK", 2 * adaptive.SEGMENT)
    ids = encoded(run, "9 green bottles hanging on the wall, and one more. " * 3)
    for given in (None, corpus):
        before = losses(AdaptiveReader(run, given), ids)
        for at in (1, 19, 20, 21, 40, 77, len(ids) - 1):
            changed = ids.copy()
            changed[at:] = (changed[at:] + 1) % len(run.codec.vocab)
            after = losses(AdaptiveReader(run, given), changed)
            assert np.allclose(after[:at], before[:at], rtol=1e-6, atol=0)
            assert after[at] != before[at]


def test_a_longer_piece_begins_with_the_same_losses(run) -> None:
    ids = encoded(run, "there will be wall " * 8)
    whole = losses(AdaptiveReader(run), ids)
    part = losses(AdaptiveReader(run), ids[:70])
    assert np.allclose(whole[:70], part[:70], rtol=1e-5)


def test_what_is_learned_stays_for_the_next_piece(run) -> None:
    text = run.codec.mend_prompt(OTHERS, "skip").piece
    first, second, third = seqgen.score_adaptively(run, [text, text, text])
    assert third.nats < second.nats < first.nats


def test_features_and_units_are_the_codecs(chorales) -> None:
    corpus = chorales.corpus()
    pieces = [chorales.codec.decode(np.asarray(corpus.piece(i), np.int64)) for i in range(2)]
    fixed = list(seqgen.score(chorales, pieces))
    adapted = list(seqgen.score_adaptively(chorales, pieces))
    assert [each.units for each in adapted] == [each.units for each in fixed]
    assert [each.tokens for each in adapted] == [each.tokens for each in fixed]
    assert all(np.isfinite(each.nats) and each.end_nats > 0 for each in adapted)


def test_the_run_stays_as_it_is(run) -> None:
    weights = {name: value.clone() for name, value in run.model.state_dict().items()}
    before = next(seqgen.score(run, ["green bottles"]))
    list(seqgen.score_adaptively(run, ["wall " * 50]))
    seqgen.adapt(run, "wall " * 50)
    for name, value in run.model.state_dict().items():
        assert torch.equal(value, weights[name])
    assert next(seqgen.score(run, ["green bottles"])) == before
    assert run.model.config.dropout == run.model_config.dropout


def test_an_update_is_what_it_says(run, monkeypatch) -> None:
    monkeypatch.setattr(adaptive, "DECAY", 0.0)
    learner, names = Follower(run), [name for name, _ in run.model.named_parameters()]
    ids = encoded(run, "green bottles hangin")
    inputs, targets = adaptive.piece_steps(run.vocab, ids, 0, adaptive.SEGMENT)
    model = seqgen.load(run.folder, "cpu").model
    logits, _ = model(torch.from_numpy(inputs[None]), torch.zeros((1, len(ids), 0), dtype=int))
    torch.nn.functional.cross_entropy(logits[0], torch.from_numpy(targets)).backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    mean = torch.cat([gradient.abs().flatten() for gradient in gradients]).mean()
    nothing = np.zeros((1, len(ids), 0), np.int64)
    learner.read(adaptive.Batch(inputs[None], targets[None], nothing, nothing))
    learned = dict(learner.model.named_parameters())
    for name, before, gradient in zip(names, model.parameters(), gradients, strict=True):
        # After one segment the root of the mean square is the gradient's size.
        step = adaptive.LEARNING_RATE * gradient / (gradient.abs() + mean)
        assert torch.allclose(learned[name], before - step, atol=1e-6)


def test_weights_return_to_the_trained_ones(run, monkeypatch) -> None:
    learner = Follower(run)
    ids = encoded(run, OTHERS * 4)
    inputs, targets = adaptive.piece_steps(run.vocab, ids, 0, len(ids))
    nothing = np.zeros((1, len(inputs), 0), np.int64)
    batch = adaptive.Batch(inputs[None], targets[None], nothing, nothing)
    learner.read(batch)
    away = float((learner._weights - learner._trained).norm())
    monkeypatch.setattr(adaptive, "LEARNING_RATE", 0.0)
    learner.read(batch)
    assert float((learner._weights - learner._trained).norm()) < away


def test_an_adapted_run_predicts_more_of_the_same_better(run) -> None:
    text = run.codec.mend_prompt(OTHERS, "skip").piece * 8
    adapted = seqgen.adapt(run, text)
    (before,), (after,) = seqgen.score(run, [text]), seqgen.score(adapted, [text])
    assert after.nats < 0.9 * before.nats
    known, still = (next(seqgen.score(each, ["9 green bottles"])) for each in (run, adapted))
    assert still.nats < before.nats / before.tokens * still.tokens
    assert known.tokens == still.tokens


def test_an_adapted_run_writes_with_its_own_weights(run) -> None:
    adapted = seqgen.adapt(run, run.codec.mend_prompt(OTHERS, "skip").piece * 8)
    assert run.weights.keys() == adapted.weights.keys()
    assert any((run.weights[name] != adapted.weights[name]).any() for name in run.weights)
    limit = seqgen.LimitConfig(length=80)
    [one] = seqgen.generate(run, prompt="there ", limit=limit)
    [other] = seqgen.generate(adapted, prompt="there ", limit=limit)
    # The same tokens may be drawn, but never with the same probabilities.
    assert one.log_probability != other.log_probability
