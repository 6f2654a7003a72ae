"""Every option against a slow and obvious reference, and properties over nasty logits."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seqgen.config import SampleConfig
from seqgen.drawing.direct import NOT_FINITE, NOTHING_LEFT, draw_directly
from seqgen.drawing.filters import distribution, log_softmax, penalised, temperature_at
from seqgen.drawing.parts import WANTING, Parts, View, join, look, look_again, parts_of
from seqgen.drawing.rules import Positions, Rules, rules_for
from seqgen.drawing.sampling import choose, choose_each
from seqgen.errors import ConfigError
from seqgen.vocab import Vocab

LOGITS = hnp.arrays(np.float32, st.integers(1, 12), elements=st.floats(-60, 60, width=32))
PLAIN = SampleConfig(temperature=1.0, min_p=0.0)
NOTHING = np.zeros(0, np.int64)
CONFIGS = st.builds(
    SampleConfig,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    final_temperature=st.sampled_from([None, 0.0, 0.7]),
    cooling=st.integers(0, 9),
    top_k=st.integers(0, 14),
    typical_p=st.sampled_from([0.05, 0.5, 0.9, 1.0]),
    top_p=st.sampled_from([0.05, 0.5, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    repetition_penalty=st.sampled_from([0.5, 1.0, 1.3, 4.0]),
    no_repeat_ngram=st.integers(0, 4),
    repetition_window=st.sampled_from([0, 3]),
    bias=st.sampled_from([(), ("0=2.5",), ("0=-1", "0=0.5")]),
)


def rules(config: SampleConfig, targets: int) -> Rules:
    return rules_for(config, Vocab.of([str(token) for token in range(max(targets - 1, 1))]), 20)


def draw_one(logits, draw: float, config: SampleConfig = PLAIN, allowed=None, recent=NOTHING):
    """Draw from logits as the engine would, with defaults for the rest."""
    allowed = np.ones(len(logits), bool) if allowed is None else allowed
    everything = np.ones(len(logits), bool)
    these = rules(config, len(logits))
    parts = parts_of((), len(logits))
    return choose(logits, parts, seen(parts), everything, allowed, recent, 0, draw, these)


def seen(parts: Parts) -> View:
    """Return a view of a sequence that sees everything."""
    shape = len(parts.columns) - 1
    return View(*(np.full(shape, value) for value in (True, False, False, True, False)))


def reference(
    logits: list[float], config: SampleConfig, allowed: list[bool], recent: list[int], drawn: int
) -> list[float]:
    """Do what the settings say, one id at a time."""
    ids = [token for token in range(len(logits)) if allowed[token]]
    if len(ids) == 1:
        return [float(token == ids[0]) for token in range(len(logits))]
    total = math.log(sum(math.exp(logit) for logit in logits))
    scores = [logit - total for logit in logits]
    for entry in config.bias:
        scores[0] += float(entry.split("=")[1])
    for token in set(recent):
        scores[token] -= math.log(config.repetition_penalty)
    n = config.no_repeat_ngram
    if n:
        grams = {tuple(recent[at : at + n]) for at in range(len(recent) - n + 1)}
        fresh = [id for id in ids if (*recent[len(recent) - n + 1 :], id)[-n:] not in grams]
        ids = fresh or ids
    temperature = config.temperature
    if config.final_temperature is not None:
        done = min(drawn / (config.cooling or 20), 1.0)
        temperature += done * (config.final_temperature - temperature)
    if temperature == 0:
        best = min(ids, key=lambda token: (-scores[token], token))
        return [float(token == best) for token in range(len(logits))]
    top = max(scores[token] for token in ids)
    kept = {token: math.exp((scores[token] - top) / temperature) for token in ids}

    def normalise() -> None:
        mass = sum(kept.values())
        kept.update({token: p / mass for token, p in kept.items()})

    def keep(ranked: list[int], share: float) -> None:
        mass, chosen = 0.0, []
        for token in ranked:
            if mass >= share:
                break
            chosen.append(token)
            mass += kept[token]
        for token in set(kept) - set(chosen):
            del kept[token]
        normalise()

    normalise()
    if config.top_k:
        keep(sorted(kept, key=lambda token: (-kept[token], token))[: config.top_k], 2.0)
    if config.typical_p < 1:
        surprise = {token: -math.log(max(p, 1e-300)) for token, p in kept.items()}
        mean = sum(p * surprise[token] for token, p in kept.items())
        ranked = sorted(kept, key=lambda token: (abs(surprise[token] - mean), token))
        keep(ranked, config.typical_p)
    if config.top_p < 1:
        keep(sorted(kept, key=lambda token: (-kept[token], token)), config.top_p)
    if config.min_p:
        least = config.min_p * max(kept.values())
        keep([token for token in kept if kept[token] >= least], 2.0)
    return [kept.get(token, 0.0) for token in range(len(logits))]


def drawn_from(logits, config, allowed, recent, drawn) -> np.ndarray:
    """Return the distribution that the sampler draws from."""
    these = rules(config, len(logits))
    if allowed.sum() == 1:
        return allowed.astype(float)
    scores = penalised(log_softmax(logits), these.bias, allowed, recent, these)
    return distribution(scores, temperature_at(drawn, these), these.groups, these)


@st.composite
def situations(draw):
    logits = draw(LOGITS)
    allowed = draw(hnp.arrays(bool, len(logits)))
    allowed[draw(st.integers(0, len(logits) - 1))] = True
    recent = draw(st.lists(st.integers(0, len(logits) - 1), max_size=9))
    return logits, allowed, recent, draw(st.integers(0, 30))


def nearly_tied(logits, config) -> bool:
    """Return whether rounding may decide which of two ids goes first."""
    ordered = np.sort(logits.astype(float))
    return bool((np.diff(ordered) < 1e-4).any())


@given(situations(), CONFIGS)
@settings(max_examples=400, deadline=None)
def test_the_distribution_is_the_reference(situation, config) -> None:
    logits, allowed, recent, drawn = situation
    # Equal ids, and masses that just reach a share, fall either way by rounding.
    assume(not nearly_tied(logits, config))
    got = drawn_from(logits, config, allowed, np.array(recent, np.int64), drawn)
    wanted = np.array(reference(logits.tolist(), config, allowed.tolist(), recent, drawn))
    if not np.array_equal(got > 0, wanted > 1e-300):
        assume(abs(wanted[(got > 0) != (wanted > 1e-300)]).max() > 1e-9)
    np.testing.assert_allclose(got, wanted, atol=1e-9)


@given(situations(), CONFIGS)
@settings(deadline=None)
def test_a_distribution_is_one(situation, config) -> None:
    logits, allowed, recent, drawn = situation
    got = drawn_from(logits, config, allowed, np.array(recent, np.int64), drawn)
    np.testing.assert_allclose(got.sum(), 1)
    assert (got >= 0).all() and not got[~allowed].any()


@given(situations(), CONFIGS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_a_kind_is_as_likely_as_the_model_has_it(situation, config, rng) -> None:
    logits, allowed, recent, drawn = situation
    targets, recent = len(logits), np.array(recent, np.int64)
    groups = [rng.randrange(3) for _ in range(targets - 1)] if targets > 1 else []
    vocab = Vocab.of([str(token) for token in range(max(targets - 1, 1))])
    these = rules_for(config, vocab, 20, groups=groups)
    temperature = temperature_at(drawn, these)
    assume(groups and temperature)
    scores = penalised(log_softmax(logits), these.bias, allowed, recent, these)
    got = distribution(scores, temperature, these.groups, these)
    model = np.exp(log_softmax(scores))
    of_groups = np.array([*groups, max(groups) + 1])
    for group in set(of_groups[model > 0].tolist()):
        mine = of_groups == group
        np.testing.assert_allclose(got[mine].sum(), model[mine].sum())
        only = np.where(mine, scores, -np.inf)
        alone = distribution(only, temperature, NOTHING, rules(config, targets))
        np.testing.assert_allclose(got[mine], model[mine].sum() * alone[mine], atol=1e-12)


def test_the_likeliest_is_taken_whatever_its_kind() -> None:
    these = rules_for(SampleConfig(temperature=0), Vocab.of(["a", "b", "c"]), 20, groups=[0, 0, 1])
    scores = log_softmax(np.array([1, 2, 3, 0], np.float32))
    np.testing.assert_array_equal(distribution(scores, 0.0, these.groups, these), [0, 0, 1, 0])


def test_a_mask_is_never_violated() -> None:
    """A million draws, as many as the lanes times the steps."""
    rng = np.random.default_rng(0)
    lanes, steps, targets = 1000, 1000, 20
    config = SampleConfig(no_repeat_ngram=3, repetition_penalty=1.2, repetition_window=9)
    violations = 0
    for _ in range(steps):
        allowed = rng.random((lanes, targets)) < 0.2
        allowed[np.arange(lanes), rng.integers(0, targets, lanes)] = True
        logits = rng.normal(0, 8, (lanes, targets)).astype(np.float32)
        some = Positions(
            np.zeros(lanes, np.int64),
            np.zeros((lanes, 0), np.int64),
            np.ones((lanes, targets), bool),
            allowed,
            rng.integers(0, targets, (lanes, 12)),
            np.full(lanes, 10),
            np.zeros(lanes, np.int64),
        )
        ids, scores = np.zeros((lanes, 1), np.int64), np.zeros((lanes, 1))
        draws, these, parts = rng.random((lanes, 1)), rules(config, targets), parts_of((), targets)
        views = look(parts, some, these)
        look_again(views, some, 0)
        choose_each(logits, parts, views, some, draws, 0, these, ids, scores)
        violations += int((~allowed[np.arange(lanes), ids[:, 0]]).sum())
    assert violations == 0


def test_draws_have_the_frequencies_of_the_distribution() -> None:
    rng = np.random.default_rng(0)
    logits = np.log(np.array([0.5, 0.25, 0.125, 0.125], np.float32))
    drawn = [draw_one(logits, draw) for draw in rng.random(50_000)]
    counts = np.bincount([token for token, _ in drawn])
    np.testing.assert_allclose(counts / 50_000, [0.5, 0.25, 0.125, 0.125], atol=1e-2)
    assert all(math.isclose(p, math.log(0.25), abs_tol=1e-6) for token, p in drawn if token == 1)


@pytest.mark.parametrize("draw", [0.0, 0.5, np.nextafter(1.0, 0.0)])
def test_extreme_draws_stay_within_what_is_kept(draw: float) -> None:
    token, _ = draw_one(np.array([-1e4, 0.0, -1e4, 0.0, -1e4], np.float32), draw)
    assert token in (1, 3)


def test_a_token_that_alone_is_allowed_is_taken_even_if_banned() -> None:
    logits, allowed = np.zeros(4, np.float32), np.arange(4) == 1
    assert draw_one(logits, 0.9, SampleConfig(ban=("1",)), allowed)[0] == 1


def test_what_cannot_be_drawn_is_told() -> None:
    logits = np.zeros(3, np.float32)
    assert draw_one(logits, 0.5, SampleConfig(ban=("0", "1", "<end>")))[0] == NOTHING_LEFT
    assert draw_one(np.array([0, np.nan, 0], np.float32), 0.5)[0] == NOT_FINITE


def test_bias_and_bans_are_by_name() -> None:
    logits = np.zeros(3, np.float32)
    config = SampleConfig(ban=("<end>",), bias=("0=50",))
    assert {draw_one(logits, draw, config)[0] for draw in np.linspace(0, 0.99, 50)} == {0}
    with pytest.raises(ConfigError, match="no token 'C44' in this model's vocabulary; did you"):
        rules_for(SampleConfig(ban=("C44",)), Vocab.of(["C4", "D4"]), 1)
    with pytest.raises(ConfigError, match="bias must be like NAME=NUMBER, found 'C4'"):
        rules_for(SampleConfig(bias=("C4",)), Vocab.of(["C4", "D4"]), 1)


def test_no_ngram_is_repeated_as_long_as_anything_else_may_come() -> None:
    recent = np.array([0, 1, 2, 0, 1], np.int64)
    logits = np.array([0, 0, 9, 0], np.float32)
    config = SampleConfig(no_repeat_ngram=3)
    drawn = {draw_one(logits, draw, config, recent=recent)[0] for draw in np.linspace(0, 0.99, 50)}
    assert drawn == {0, 1, 3}
    only = np.array([False, False, True, False])
    assert draw_one(logits, 0.5, config, only, recent)[0] == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"typical_p": 0}, "typical_p must be from 1e-06 to 1, found 0"),
        ({"repetition_penalty": 0}, "repetition_penalty must be from 0.001 to 1,000, found 0"),
        ({"final_temperature": -1}, "final_temperature must be 0, or from 0.001"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SampleConfig(**wrong)


@pytest.mark.parametrize(
    ("typed", "name"),
    [(r"\n", "\n"), (r"\t", "\t"), ("\n", "\n"), (r"\\", "\\"), (r"\x41", "A"), (r"\u00e9", "é")],
)
def test_a_token_may_be_named_by_an_escape(typed: str, name: str) -> None:
    vocab = Vocab(("n", name, "x"))
    assert rules_for(SampleConfig(ban=(typed,)), vocab, 9).bias[1] == -np.inf
    assert rules_for(SampleConfig(bias=(f"{typed}=2",)), vocab, 9).bias.tolist() == [0, 2, 0, 0]


def test_the_token_of_that_very_name_comes_first() -> None:
    vocab = Vocab((r"\n", "\n"))
    assert rules_for(SampleConfig(ban=(r"\n",)), vocab, 9).bias.tolist() == [-np.inf, 0, 0]
    with pytest.raises(ConfigError, match=r"there is no token '\\t' in this model's vocabulary"):
        rules_for(SampleConfig(ban=(r"\t",)), vocab, 9)


@given(situations(), CONFIGS, st.integers(0, 10**6))
@settings(deadline=None, max_examples=100)
def test_clusters_that_stay_closed_change_no_draw(situation, config, seed: int) -> None:
    """The same number draws the same id as with all clusters open."""
    logits, allowed, recent, drawn = situation
    rng, targets = np.random.default_rng(seed), len(logits)
    parts, recent = parts_of(rng.integers(0, 4, targets), targets), np.array(recent, np.int64)
    scores = rng.normal(0, 4, parts.columns[-1]).astype(np.float32)
    possible = allowed | (rng.random(targets) < 0.5)
    groups = rng.integers(0, 3, targets - 1).tolist() if rng.random() < 0.3 else []
    vocab = Vocab.of([str(token) for token in range(max(targets - 1, 1))])
    these = rules_for(config, vocab, 20, groups=groups)
    some = Positions(
        *(np.zeros(1, np.int64), np.zeros((1, 0), np.int64), possible[None], allowed[None]),
        *(recent[None], np.array([len(recent)]), np.array([drawn])),
    )
    row = look(parts, some, these)
    for draw in (0.0, *rng.random(3), 1 - 1e-9):
        found = []
        for opened in (np.ones(4, bool), np.arange(4) == 0):
            view = View(row.alive[0], row.mixed[0], row.biased[0], opened, np.zeros(4, bool))
            while True:
                given = possible, allowed, recent, drawn, draw
                token, log_probability = choose(scores, parts, view, *given, these)
                if token != WANTING:
                    break
                assert view.wanted.any() and not (view.wanted & view.opened).any()
                view.opened[:] |= view.wanted
                view.wanted[:] = False
            found.append((token, pytest.approx(log_probability, abs=1e-9)))
        assert found[0] == found[1]


@pytest.mark.parametrize(
    "config",
    [
        SampleConfig(),
        SampleConfig(temperature=0.6, min_p=0.15),
        SampleConfig(temperature=0.8, min_p=0.0, ban=("3",)),
        SampleConfig(top_p=0.7),
    ],
    ids=["plain", "min-p", "ban", "top-p"],
)
def test_draws_from_clusters_have_the_frequencies_of_the_distribution(config) -> None:
    rng = np.random.default_rng(1)
    parts, these = parts_of([0, 1, 2, 0, 3, 1, 1, 2, 3, 3, 0, 1], 12), rules(config, 12)
    scores = rng.normal(0, 1.5, parts.columns[-1]).astype(np.float32)
    allowed = np.arange(12) != 6
    whole = np.zeros(12, np.float32)
    join(scores, parts, np.ones(12, bool), whole)
    weighed = penalised(log_softmax(whole), these.bias, allowed, NOTHING, these)
    wanted = distribution(weighed, temperature_at(0, these), NOTHING, these)
    some = Positions(
        *(np.zeros(1, np.int64), np.zeros((1, 0), np.int64), np.ones((1, 12), bool)),
        *(allowed[None], NOTHING[None], np.zeros(1, np.int64), np.zeros(1, np.int64)),
    )
    counts = np.zeros(12)
    for draw in rng.random(8_000):
        views, token = look(parts, some, these), WANTING
        look_again(views, some, 0)
        while token == WANTING:
            views.opened[:] |= views.wanted
            views.wanted[:] = False
            view = View(*(part[0] for part in views))
            token, _ = choose(
                scores, parts, view, some.possible[0], allowed, NOTHING, 0, draw, these
            )
        counts[token] += 1
    np.testing.assert_allclose(counts / 8_000, wanted, atol=0.02)


@given(
    logits=LOGITS,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    bias=st.sampled_from([(), ("0=2.5",), ("0=-1000", "<end>=999"), ("<end>=-900",)]),
    ban=st.sampled_from([(), ("0",)]),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_drawing_directly_gives_what_the_sampler_gives(
    logits, temperature, min_p, bias, ban, data
) -> None:
    assume(len(logits) > 1)
    masks = st.lists(st.booleans(), min_size=len(logits), max_size=len(logits))
    possible, allowed = np.array(data.draw(masks)), np.array(data.draw(masks))
    possible |= allowed
    if data.draw(st.booleans()):
        logits[0] -= np.float32(2000)
    these = rules(
        SampleConfig(temperature=temperature, min_p=min_p, bias=bias, ban=ban), len(logits)
    )
    assert these.are_direct
    parts = parts_of((), len(logits))
    with np.errstate(over="ignore"):
        scratch = np.exp(these.bias), np.zeros(len(logits))
    masked = possible[None], allowed[None]
    for draw in (0.0, data.draw(st.floats(0, 0.999)), 1 - 1e-9):
        wanted = choose(logits, parts, seen(parts), possible, allowed, NOTHING, 0, draw, these)
        given = logits[None], 0, *masked, draw, temperature, these
        token, log_probability = draw_directly(*given, *scratch)
        assert token == wanted[0]
        if token >= 0:
            assert log_probability == pytest.approx(wanted[1], abs=1e-9)
    for broken in (np.nan, np.inf, -np.inf):
        logits[-1] = broken
        given = logits[None], 0, *masked, 0.5, temperature, these
        assert draw_directly(*given, *scratch)[0] == NOT_FINITE
