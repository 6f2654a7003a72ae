import itertools

import numpy as np
import pytest

import seqgen
from seqgen.config import LimitConfig, SampleConfig
from seqgen.errors import ConfigError
from seqgen.stepping.fused import FusedStepper


def test_a_beam_of_one_takes_the_likeliest(run) -> None:
    limit = LimitConfig(length=60)
    [found] = seqgen.search(run, 1, prompt="9", limit=limit)
    [greedy] = seqgen.generate(run, prompt="9", sample=SampleConfig(temperature=0), limit=limit)
    assert found.ids.tolist() == greedy.ids.tolist()
    assert found.log_probability == pytest.approx(greedy.log_probability)


def test_a_wide_beam_finds_what_trying_everything_finds(run) -> None:
    """Two tokens after a prompt, each of all there are."""
    prompt, targets = "1", run.vocab.targets
    found = seqgen.search(run, targets**2, 5, prompt=prompt, limit=LimitConfig(length=2))
    texts = ["".join(pair) for pair in itertools.product(run.vocab.names, repeat=2)]
    whole = list(seqgen.score(run, [prompt, *(prompt + text for text in texts)]))
    gained = np.array([whole[0].nats - score.nats for score in whole[1:]])
    ended = -whole[0].end_nats
    best = sorted([*gained, ended], reverse=True)[:3]
    found_two = [piece.log_probability for piece in found if len(piece.ids) != 2][:3]
    np.testing.assert_allclose(found_two, best, rtol=1e-4)


def test_a_beam_keeps_to_the_tracker(chorales) -> None:
    [found] = seqgen.search(chorales, 3, limit=LimitConfig(length=22))
    tracker = chorales.codec.tracker()
    for token in found.ids.tolist():
        assert tracker.allowed()[token]
        tracker.push(token)


def test_more_pieces_than_candidates_are_refused(run) -> None:
    with pytest.raises(ConfigError, match="a beam of 2 finds 1 to 2 pieces, not 3"):
        list(seqgen.search(run, 2, 3))


def test_what_is_found_is_numbered_and_stops_where_it_is_asked_to(run) -> None:
    limit, letter = LimitConfig(length=60), run.codec.encode("e")
    found = list(seqgen.search(run, 4, 3, prompt="9", limit=limit, stop=[letter]))
    assert [piece.index for piece in found] == [0, 1, 2]
    stopped = [piece for piece in found if piece.stopped_by == "stop"]
    assert stopped and all(
        piece.ids.tolist().index(letter[0]) + 1 == len(piece.ids) for piece in stopped
    )


def test_ctrl_c_keeps_the_candidates(run, monkeypatch) -> None:
    steps = itertools.count()
    read = FusedStepper.read

    def interrupted(self, *arguments):
        if next(steps) == 5:
            raise KeyboardInterrupt
        return read(self, *arguments)

    monkeypatch.setattr(FusedStepper, "read", interrupted)
    found = []
    with pytest.raises(KeyboardInterrupt):
        for piece in seqgen.search(run, 3, 2, prompt="9", limit=LimitConfig(length=60)):
            found.append(piece)
    assert len(found) == 2
    assert any(piece.stopped_by == "interrupt" and len(piece.ids) == 5 for piece in found)
