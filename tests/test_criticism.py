"""Critics: what counts as rare, which of several pieces are kept, and what is said of them."""

import json
import math
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqgen_text.domain import Text

import seqgen
from seqgen.config import LimitConfig
from seqgen.criticism import FEWEST, RARE, Criticism, Norm, Norms
from seqgen.errors import ConfigError, CorpusError, PluginError
from seqgen.evaluation.criticism import LONGEST
from seqgen.generation.choosing import best, unlikelihood
from seqgen.generation.pieces import Generated
from seqgen.plugin import Kept, Labelled

LIMIT = LimitConfig(length=60)


def of_length(values: list[float], bad: str = "both") -> Norms:
    return Norms({"length": Norm("quarters", bad)}, ({"length": value} for value in values))


def test_the_median_is_not_rare_and_what_no_piece_has_is_a_fault() -> None:
    norms = of_length([float(value) for value in range(1, 200)])
    assert norms.criticise({"length": 100.0}) == Criticism((), 0.0)
    [fault] = norms.criticise({"length": 0.5}).faults
    assert fault == "length 0.5 quarters; 99 % of the pieces of the corpus have at least 2"
    [fault] = norms.criticise({"length": 999.0}).faults
    assert fault == "length 999 quarters; 99 % of the pieces of the corpus have at most 198"
    # One piece in 50 is as far out on this side: twice that share is 1 / 25.
    assert norms.criticise({"length": 3.0}).rarity == pytest.approx(math.log2(200 / 8))


def test_only_the_bad_side_counts() -> None:
    low, high = (of_length([*range(100)], bad) for bad in ("low", "high"))
    assert low.criticise({"length": 1e9}) == high.criticise({"length": -1e9}) == Criticism()
    far, farther = (high.criticise({"length": value}) for value in (100.0, 200.0))
    assert len(far.faults) == len(farther.faults) == 1 and far.rarity < farther.rarity
    assert low.criticise({"length": -1.0}).faults and high.criticise({"length": 100.0}).faults


def test_a_value_that_cannot_be_measured_is_rare_only_if_the_corpus_has_it() -> None:
    [fault] = of_length([*range(50)]).criticise({"length": math.nan}).faults
    assert fault == "length cannot be measured; it can in all pieces of the corpus"
    half = of_length([math.nan, 1.0] * 50)
    assert half.criticise({"length": math.nan}) == half.criticise({"length": 1.0}) == Criticism()
    nothing = of_length([math.nan] * 50)
    assert nothing.criticise({"length": 3.0}) == Criticism()


def test_a_measure_that_few_pieces_have_is_no_norm() -> None:
    values = [math.nan] * 400 + [1.0] * (FEWEST - 1)
    assert of_length(values).criticise({"length": 9.0}) == Criticism()
    assert of_length([*values, 1.0]).criticise({"length": 9.0}).faults
    assert Norms({}, [{}] * FEWEST).criticise({}) == Criticism()


@given(st.integers(0, FEWEST - 1))
def test_a_few_pieces_are_no_norm(count: int) -> None:
    assert of_length([1.0] * count).criticise({"length": 5.0}) == Criticism()


@given(
    st.lists(st.floats() | st.sampled_from([0.0, 1.0, math.nan]), min_size=FEWEST, max_size=300),
    st.floats(),
    st.sampled_from(["low", "high", "both"]),
)
def test_the_order_of_pieces_does_not_count_and_few_of_them_have_faults(values, new, bad) -> None:
    norms, turned = of_length(values, bad), of_length(values[::-1], bad)
    assert norms.criticise({"length": new}) == turned.criticise({"length": new})
    found = [norms.criticise({"length": value}) for value in values]
    assert all(one.rarity >= 0 and math.isfinite(one.rarity) for one in found)
    # Each side, and being without a value, has at most one piece in RARE.
    assert sum(bool(one.faults) for one in found) <= 3 * (len(values) // RARE)


def test_faults_come_before_rarity() -> None:
    ordered = [Criticism((), 0.1), Criticism((), 5.0), Criticism(("a",), 0.0)]
    assert sorted([ordered[at] for at in (2, 0, 1)], key=lambda one: one.badness) == ordered
    assert str(ordered[0]) == "no fault, rarity 0.10 bits"
    assert str(Criticism(("a", "b"), 1.0)) == "2 faults (a; b), rarity 1.00 bits"
    assert str(Criticism((*"abcdefg",))).startswith("7 faults (a; b; c; d; e; and 2 more), ")


# Choosing.


def piece_of(index: int, log_probability: float) -> Generated:
    return Generated(index, np.zeros(1, np.int64), 0, None, "end", log_probability, 0.0)


@given(st.lists(st.integers(-5, 0), max_size=30), st.integers(1, 40))
def test_the_best_are_those_that_sorting_all_would_give(values: list[int], most: int) -> None:
    new = [piece_of(index, value) for index, value in enumerate(values)]
    assert list(best(new, unlikelihood, most)) == sorted(new, key=unlikelihood)[:most]
    assert list(best(new, unlikelihood)) == sorted(new, key=unlikelihood)


def test_the_best_so_far_come_after_ctrl_c() -> None:
    def interrupted() -> Iterator[Generated]:
        yield from (piece_of(index, -index % 3) for index in range(7))
        raise KeyboardInterrupt

    kept = best(interrupted(), unlikelihood, 2)
    assert [next(kept).index for _ in range(2)] == [1, 4]
    with pytest.raises(KeyboardInterrupt):
        next(kept)


def by_letters(new: Generated, condition: object, limit: LimitConfig) -> Criticism:
    """A critic that dislikes "e"."""
    return Criticism(("e",) * str(new.piece).count("e"), float(len(new.ids)))


@pytest.mark.parametrize("batch_size", [1, 5, 32])
@pytest.mark.parametrize("prompt", [None, "9 green"])
def test_the_best_of_all_pieces_are_kept_whatever_the_batch(run, batch_size, prompt) -> None:
    given = {"limit": LIMIT, "seed": 3, "prompt": prompt, "with_prompt": False}
    everything = list(seqgen.generate(run, 12, **given))
    badness = {one.index: by_letters(one, None, LIMIT).badness for one in everything}
    chosen = list(
        seqgen.generate(run, 3, best_of=4, critic=by_letters, batch_size=batch_size, **given)
    )
    wanted = sorted(everything, key=lambda one: (badness[one.index], one.index))[:3]
    assert [(one.index, one.piece) for one in chosen] == [(one.index, one.piece) for one in wanted]
    assert all(one.criticism == by_letters(one, None, LIMIT) for one in chosen)


def test_choosing_needs_a_critic_and_a_beam_does_not_choose(run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pass critic=seqgen.learn_critic\(run\)"):
        next(seqgen.generate(run, best_of=2))
    with pytest.raises(ConfigError, match="a beam search does not sample"):
        seqgen.generate_samples(run, folder=tmp_path / "out", beam=2, best_of=2)


def test_the_time_limit_holds_for_all_pieces_together(run, monkeypatch) -> None:
    clock = count()
    stand_in = SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr("seqgen.generation.limits.time", stand_in)
    # The limit begins at 0, a piece at 1, and 2 is the time after its first step.
    limit = LimitConfig(seconds=1.5, length=10**6)
    [new] = seqgen.generate(run, 1, best_of=4, critic=by_letters, limit=limit, batch_size=1)
    assert new.index == 0 and new.stopped_by == "time"


@pytest.mark.parametrize(("kept", "judged"), [(1, 3), (2, 3), (4, 4)])
def test_the_time_limit_holds_while_pieces_are_judged(run, monkeypatch, kept, judged) -> None:
    clock = SimpleNamespace(now=0.0)
    stand_in = SimpleNamespace(monotonic=lambda: clock.now)
    monkeypatch.setattr("seqgen.generation.limits.time", stand_in)
    seen = []

    def slow(new: Generated, condition: object, limit: LimitConfig) -> Criticism:
        seen.append(new.index)
        clock.now += 1
        return Criticism()

    limit = LimitConfig(length=5, seconds=2.5)
    new = list(seqgen.generate(run, kept, best_of=8 // kept, critic=slow, limit=limit))
    assert seen == [*range(judged)] and [one.index for one in new] == seen[:kept]


def test_pieces_that_are_judged_come_after_ctrl_c(run) -> None:
    seen = []

    def interrupted(new: Generated, condition: object, limit: LimitConfig) -> Criticism:
        seen.append(new.index)
        if len(seen) == 2:
            signal.raise_signal(signal.SIGINT)
        return Criticism()

    new = seqgen.generate(run, 3, best_of=2, critic=interrupted, limit=LIMIT)
    assert [next(new).index for _ in range(2)] == seen == [0, 1]
    with pytest.raises(KeyboardInterrupt):
        next(new)


def failing(new: Generated, condition: object, limit: LimitConfig) -> Criticism:
    """A critic that fails at the fifth piece."""
    if new.index == 4:
        raise ValueError("no more")
    return by_letters(new, condition, limit)


def test_an_error_of_a_critic_loses_no_piece(run, tmp_path: Path) -> None:
    new = seqgen.generate(run, 2, best_of=4, critic=failing, limit=LIMIT)
    first, second = next(new), next(new)
    assert first.index < 4 and second.index < 4
    with pytest.raises(ValueError, match="no more"):
        next(new)
    options = {"best_of": 4, "critic": failing, "limit": LIMIT, "settings": {"most": math.inf}}
    with pytest.raises(ValueError, match="no more") as caught:
        seqgen.generate_samples(run, 2, tmp_path / "out", **options)
    assert caught.value.__notes__ == [f"2 pieces that came before it: {tmp_path / 'out'}"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [entry["index"] for entry in manifest["pieces"]] == [first.index, second.index]
    # JSON has no infinity.
    assert manifest["interrupted"] and manifest["settings"]["most"] == "inf"
    # Without any piece there is no folder.
    options |= {"critic": lambda new, condition, limit: 1 / 0}
    with pytest.raises(ZeroDivisionError):
        seqgen.generate_samples(run, 2, tmp_path / "none", **options)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("critic", "message"),
    [
        (lambda new: Criticism(), "critic must be a function of a new piece, .* found .*lambda"),
        ("a critic", "critic must be a function .* found 'a critic'"),
        (lambda new, condition, limit: None, "critic must return a Criticism .*, found None from"),
        (
            lambda new, condition, limit: Criticism(("a fault of many words",), math.nan),
            r"found Criticism\(faults=\('a fault of many words',\), rarity=nan\) from",
        ),
    ],
)
def test_a_critic_is_called_by_its_contract(run, critic, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        next(seqgen.generate(run, best_of=2, critic=critic, limit=LIMIT))


# The critic of a run.


def test_reciting_and_not_ending_are_faults(run) -> None:
    critic = seqgen.learn_critic(run)
    segment = run.corpus().segments("train")[0]
    ids = np.asarray(run.corpus().piece(segment.piece), np.int64)
    text = run.codec.decode(ids)

    def faults(ids, stopped_by: str, limit: LimitConfig) -> tuple[str, ...]:
        new = Generated(0, ids, 0, run.codec.decode(ids), stopped_by, -1.0, 0.0)
        return critic(new, None, limit).faults

    recited = f"100% of it is one passage of {run.corpus().source(segment.piece)}"
    # Held-out verses are made of the same lines, but none is a whole training piece.
    assert recited in faults(ids, "end", LIMIT) and len(text) > 50
    mixed = np.concatenate([ids[20:35], ids[:12], ids[40:60], ids[5:20]])
    assert not any("passage" in fault for fault in faults(mixed, "end", LIMIT))
    assert "it does not end" in faults(ids, "length", LimitConfig())
    assert "it does not end" in faults(ids, "interrupt", LIMIT)
    assert "it does not end" not in faults(ids, "length", LIMIT)
    kept = Generated(0, ids, 0, run.codec.decode(ids), "end", -1.0, 0.0)
    for condition in (Kept("9", "1-"), Labelled({}, Kept("9", "1-"))):
        assert recited not in critic(kept, condition, LIMIT).faults
    # Only so many tokens after the prompt count, as of held-out pieces.
    prompt = np.resize(ids[::-1], 2 * LONGEST)
    long = np.concatenate([prompt, ids, np.resize(ids[::-1], LONGEST)])
    new = Generated(0, long, len(prompt), "", "end", -1.0, 0.0)
    assert not any("passage" in fault for fault in critic(new, None, LIMIT).faults)
    new = Generated(0, long[: len(prompt) + len(ids)], len(prompt), "", "end", -1.0, 0.0)
    assert recited in critic(new, None, LIMIT).faults


@pytest.mark.parametrize(
    "found", [None, Criticism((), math.nan), Criticism("abc"), Criticism((1,)), Criticism((), "0")]
)
def test_a_critic_that_returns_no_criticism_is_named(run, monkeypatch, found) -> None:
    monkeypatch.setattr(Text, "critic", lambda self, pieces: lambda piece, condition: found)
    critic = seqgen.learn_critic(run)
    new = Generated(0, np.zeros(1, np.int64), 0, "a", "end", -1.0, 0.0)
    message = r"must return a Criticism .*, found .*seqgen-text .*: Text.critic"
    with pytest.raises(PluginError, match=message):
        critic(new, None, LIMIT)


def test_a_domain_without_a_critic_is_judged_by_its_tokens(run, monkeypatch) -> None:
    monkeypatch.setattr(Text, "critic", lambda self, pieces: None)
    monkeypatch.setattr("seqgen.evaluation.criticism.reference_segments", spaced_training_segments)
    critic = seqgen.learn_critic(run)
    new = list(seqgen.generate(run, 4, limit=LIMIT))
    found = [critic(one, None, LIMIT) for one in new]
    assert len({one.rarity for one in found}) > 1
    stuck = Generated(0, np.full(40, 3), 0, "", "end", -500.0, 0.0)
    faults = critic(stuck, None, LIMIT).faults
    assert any(fault.startswith("longest run of one token 40 tokens; all") for fault in faults)
    assert any(fault.startswith("log-probability per token") for fault in faults)


def spaced_training_segments(corpus, most):
    """Verses have few held-out pieces."""
    return list(corpus.segments("train")[:most])


def test_a_critic_needs_the_corpus(run, monkeypatch) -> None:
    monkeypatch.setitem(run.info["corpus"], "folder", "/nowhere")
    monkeypatch.setitem(run.info["corpus"], "key", "0" * 64)
    with pytest.raises(CorpusError, match="is not found: nowhere"):
        seqgen.learn_critic(run)


# The command.


def test_the_manifest_the_page_and_the_command_say_what_the_critic_says(
    seqgen_command, run, tmp_path: Path
) -> None:
    options = ("-n", 2, "--best-of", 3, "--length", 60, "--seed", 5, "--page")
    status, out, _ = seqgen_command("generate", run.folder, *options, "--out", tmp_path / "one")
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert status == 0 and manifest["settings"]["best_of"] == 3
    page = (tmp_path / "one" / "index.html").read_text()
    assert "For each, 3 were written, and those with the fewest faults were kept." in page
    for entry in manifest["pieces"]:
        found = Criticism(tuple(entry["criticism"]["faults"]), entry["criticism"]["rarity"])
        assert f"{entry['files'][0]}: {found}\n" in out and "Criticism: " in page
    badness = [
        (len(e["criticism"]["faults"]), e["criticism"]["rarity"]) for e in manifest["pieces"]
    ]
    assert badness == sorted(badness)
    _, out, _ = seqgen_command("generate", run.folder, *options[:-1], "--json")
    again = json.loads(out)["pieces"]
    assert [e["index"] for e in again] == [e["index"] for e in manifest["pieces"]]


def test_kept_pieces_can_be_numbered_by_likelihood(run, tmp_path: Path) -> None:
    options = {"limit": LIMIT, "best_of": 3}
    chosen = seqgen.generate_samples(run, 3, tmp_path / "chosen", **options)
    ranked = seqgen.generate_samples(run, 3, tmp_path / "ranked", rank=True, **options)
    assert {one.index for one in ranked.pieces} == {one.index for one in chosen.pieces}
    likelihoods = [one.log_probability_per_token for one in ranked.pieces]
    assert likelihoods == sorted(likelihoods, reverse=True)
