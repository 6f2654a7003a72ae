"""Every option against a slow and obvious reference, and properties over nasty logits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seqgen.config import SampleConfig
from seqgen.sampling import choose, distribution, log_softmax

LOGITS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 12)),
    elements=st.floats(-60, 60, width=32),
)
PLAIN = SampleConfig(temperature=1.0, min_p=0.0)
CONFIGS = st.builds(
    SampleConfig,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    top_k=st.integers(0, 14),
    top_p=st.sampled_from([0.05, 0.5, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
)


def reference(logits: list[float], config: SampleConfig, allowed: list[bool]) -> list[float]:
    """Do what the settings say, one id at a time."""
    ids = [token for token in range(len(logits)) if allowed[token]]
    if config.temperature == 0:
        best = min(ids, key=lambda token: (-logits[token], token))
        return [float(token == best) for token in range(len(logits))]
    top = max(logits[token] for token in ids)
    weights = {token: math.exp((logits[token] - top) / config.temperature) for token in ids}
    total = sum(weights.values())
    kept = {token: weight / total for token, weight in weights.items()}
    ranked = sorted(kept, key=lambda token: (-kept[token], token))
    if config.top_k:
        ranked = ranked[: config.top_k]
        mass = sum(kept[token] for token in ranked)
        kept = {token: kept[token] / mass for token in ranked}
    if config.top_p < 1:
        nucleus, mass = [], 0.0
        for token in ranked:
            if mass >= config.top_p:
                break
            nucleus.append(token)
            mass += kept[token]
        kept = {token: kept[token] for token in nucleus}
    if config.min_p:
        least = config.min_p * max(kept.values())
        kept = {token: p for token, p in kept.items() if p >= least}
    total = sum(kept.values())
    return [kept.get(token, 0.0) / total for token in range(len(logits))]


@given(LOGITS, CONFIGS, st.data())
def test_the_distribution_is_the_reference(logits, config, data) -> None:
    allowed = data.draw(hnp.arrays(bool, logits.shape))
    allowed[:, data.draw(st.integers(0, logits.shape[1] - 1))] = True
    model = log_softmax(logits.astype(np.float64))
    got = distribution(model, config, allowed)
    for row in range(len(logits)):
        wanted = reference(model[row].tolist(), config, allowed[row].tolist())
        np.testing.assert_allclose(got[row], wanted, atol=1e-9)


@given(LOGITS, CONFIGS, st.data())
def test_a_distribution_is_one(logits, config, data) -> None:
    allowed = data.draw(hnp.arrays(bool, logits.shape))
    allowed[:, -1] = True
    got = distribution(log_softmax(logits.astype(np.float64)), config, allowed)
    np.testing.assert_allclose(got.sum(axis=1), 1)
    assert (got >= 0).all() and not got[~allowed].any()


def test_a_mask_is_never_violated() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        allowed = rng.random((1000, 20)) < 0.2
        allowed[np.arange(1000), rng.integers(0, 20, 1000)] = True
        logits = rng.normal(0, 8, (1000, 20)).astype(np.float32)
        ids, _ = choose(logits, rng.random(1000), PLAIN, allowed)
        assert allowed[np.arange(1000), ids].all()


def test_draws_have_the_frequencies_of_the_distribution() -> None:
    rng = np.random.default_rng(0)
    logits = np.log(np.array([[0.5, 0.25, 0.125, 0.125]], np.float32)).repeat(200_000, 0)
    ids, log_probabilities = choose(logits, rng.random(200_000), PLAIN)
    np.testing.assert_allclose(np.bincount(ids) / 200_000, [0.5, 0.25, 0.125, 0.125], atol=5e-3)
    np.testing.assert_allclose(log_probabilities[ids == 1], math.log(0.25), atol=1e-6)


@pytest.mark.parametrize("draw", [0.0, 0.5, np.nextafter(1.0, 0.0)])
def test_extreme_draws_stay_within_what_is_kept(draw: float) -> None:
    logits = np.array([[-1e4, 0.0, -1e4, 0.0, -1e4]], np.float32)
    [token], _ = choose(logits, np.array([draw]), PLAIN)
    assert token in (1, 3)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    rng = np.random.default_rng(0)
    logits, draws = rng.normal(0, 3, (50, 30)).astype(np.float32), rng.random(50)
    config = SampleConfig(temperature=0.8, top_k=12, top_p=0.9, min_p=0.02)
    together, _ = choose(logits, draws, config)
    alone = [int(choose(logits[i : i + 1], draws[i : i + 1], config)[0][0]) for i in range(50)]
    assert together.tolist() == alone
