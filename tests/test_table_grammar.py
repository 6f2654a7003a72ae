"""Grammars that are a table: masks, the tracker, and the soonest end."""

import copy
import pickle

import numpy as np
import pytest

from seqgen.errors import PluginError
from seqgen.grammar import TableGrammar, unpacked
from seqgen.plugin import ClosingTracker


def drawn(seed: int) -> TableGrammar:
    """A grammar of few states; some of them may never end."""
    rng = np.random.default_rng(seed)
    states, ids = rng.integers(1, 6), rng.integers(1, 5)
    allowed = rng.random((states, ids + 1)) < 0.4
    allowed[:, -1] &= rng.random(states) < 0.5
    empty = ~allowed.any(axis=1)
    allowed[empty, rng.integers(0, ids, empty.sum())] = True
    return TableGrammar(allowed, rng.integers(0, states, (states, ids)), int(rng.integers(states)))


def soonest(grammar: TableGrammar, state: int, most: int) -> float:
    """Return the least number of ids to an end by trying all, inf beyond `most`."""
    if grammar.allowed[state, -1]:
        return 0
    after = grammar.following[state][grammar.allowed[state, :-1]]
    ahead = [1 + soonest(grammar, int(each), most - 1) for each in after if most]
    return min(ahead, default=np.inf)


@pytest.mark.parametrize("seed", range(40))
def test_the_tracker_follows_the_masks_and_knows_the_soonest_end(seed: int) -> None:
    grammar, rng = drawn(seed), np.random.default_rng(seed)
    count = grammar.following.shape[1]
    states = range(len(grammar.allowed))
    assert grammar.to_the_end.tolist() == [soonest(grammar, state, 6) for state in states]
    ids = rng.integers(0, count, 12)
    rows = unpacked(grammar.masks(ids)[:], count + 1)
    tracker = grammar.tracker()
    assert isinstance(tracker, ClosingTracker)
    state = grammar.start
    for row, token in zip(rows, [*ids.tolist(), None], strict=True):
        np.testing.assert_array_equal(tracker.allowed(), row)
        for room in (0, 1, 2, 9):
            after = [soonest(grammar, int(each), 6) + 1 for each in grammar.following[state]]
            in_time = np.array([*(each <= room for each in after), True]) & row
            if not in_time.any():
                least = min(np.array(after)[row[:-1]])
                in_time = np.array([*(each <= least for each in after), False]) & row
            np.testing.assert_array_equal(tracker.closing(room), in_time)
        if token is not None:
            branch = copy.deepcopy(tracker)
            tracker.push(token)
            state = int(grammar.following[state, token])
            assert branch._grammar is grammar and branch._state != -1


def test_without_states_the_last_id_is_the_state() -> None:
    allowed = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0]], bool)
    grammar = TableGrammar(allowed)
    for copied in (grammar, pickle.loads(pickle.dumps(grammar))):
        rows = unpacked(copied.masks(np.array([1, 0, 0]))[:], 3)
        np.testing.assert_array_equal(rows, allowed[[2, 1, 0, 0]])
    assert grammar.to_the_end.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[True, True]], [[0, 0]]), r"shape \(1, 1\), as allowed has without END; found \(1, 2\)"),
        (([[True, True]], [[1]]), "states from 0 to 0"),
        (([[True, True], [False, False]],), "state 1 allows no id; allow END at least"),
    ],
)
def test_what_is_no_grammar_is_told(arguments: tuple, words: str) -> None:
    with pytest.raises(PluginError, match=words):
        TableGrammar(*arguments)
