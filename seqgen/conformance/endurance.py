"""Promises about sizes: short and long pieces, long walks, and a state that stays small."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np

from seqgen.conformance.subject import NothingToCheck, Promise, Subject, fitted
from seqgen.errors import DataError
from seqgen.grammar import DerivedTracker
from seqgen.plugins.checks import checked_features, checked_ids, checked_masks, next_mask

#: Largest state of a codec in bytes of JSON: every corpus and run holds it.
LARGEST_STATE = 8_000_000

#: Tokens of a long piece and steps of the walks: in full, and with `Material.fast`.
LONG, STEPS = (100_000, 3_000), (10_000, 500)

#: Most steps of one walk of a derived tracker, which reads the whole walk at each step.
DERIVED_WALK = 250


def takes_short_and_long_pieces(subject: Subject, folder: Path) -> None:
    """A piece of one token and one of 100,000 have features, masks and units, and decode."""
    codec = subject.codec
    long = np.resize(subject.ids[0], LONG[subject.material.fast])
    for ids in (subject.ids[0][:1], long):
        piece = codec.decode(ids)
        # The codec may refuse what it decoded: too little, or too much.
        with suppress(DataError):
            checked_ids(codec, codec.encode(piece))
        if codec.feature_sizes:
            checked_features(codec, codec.features(ids), len(ids) + 1)
        checked_masks(codec, codec.masks(ids), len(ids) + 1)
        codec.passages(ids)
        assert codec.units(ids)
        assert codec.place(ids, len(ids) - 1)


def walks_on(subject: Subject, folder: Path) -> None:
    """Random walks that avoid END for 10,000 steps in all never run out of tokens, and decode.

    A tracker that is derived from masks starts anew after 250 steps.
    """
    codec, rng = subject.codec, np.random.default_rng(1)
    if codec.tracker() is None:
        raise NothingToCheck("the codec has no tracker")
    left = STEPS[subject.material.fast]
    longest = DERIVED_WALK if isinstance(codec.tracker(), DerivedTracker) else left
    while left > 0:
        tracker, ids = codec.tracker(), list[int]()
        assert tracker is not None
        for _ in range(min(left, longest)):
            mask = next_mask(codec, tracker)
            assert mask.any(), f"no token is allowed after {len(ids)} tokens"
            choices = np.flatnonzero(mask[:-1])
            if not len(choices):
                break
            ids.append(int(rng.choice(choices)))
            tracker.push(ids[-1])
        codec.decode(np.array(ids, np.int64))
        # A walk may have to end at once: it counts as one step.
        left -= max(len(ids), 1)


def has_a_small_state(subject: Subject, folder: Path) -> None:
    """The state has at most 8 MB, and stays as it is when the same pieces come more often."""
    codec = subject.codec
    size = state_size(codec.state())
    assert size <= LARGEST_STATE, f"the state has {size:,} bytes"
    some = subject.pieces[:3]
    try:
        # Pieces that are rare at first may count later, so both fits see each piece several times.
        sizes = [state_size(fitted(type(codec), some * n, codec.options).state()) for n in (4, 12)]
    except DataError as error:
        raise NothingToCheck(f"three pieces are too few to fit ({error})") from error
    assert sizes[1] <= sizes[0] * 1.5 + 200, f"the state grew from {sizes[0]} to {sizes[1]} bytes"


def state_size(state: object) -> int:
    """Return the bytes of a state as JSON."""
    return len(json.dumps(state).encode())


PROMISES: tuple[Promise, ...] = (takes_short_and_long_pieces, walks_on, has_a_small_state)
