"""How fast the methods of a codec are, and how large its state is; a report, not a promise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seqgen.conformance.endurance import state_size
from seqgen.conformance.subject import Subject

#: Seconds that each method is called for.
SECONDS, FAST_SECONDS = 0.3, 0.03


@dataclass(frozen=True)
class Speeds:
    """Speeds of a codec on its pieces.

    Attributes
    ----------
    codec : str
    tokens_per_second : dict of str to float
        Of each method that the codec has: "encode", "decode", "features", "masks", and "tracker",
        whose figure is steps: features, allowed ids and a push.
    state : int
        Bytes of the state as JSON.
    """

    codec: str
    tokens_per_second: dict[str, float]
    state: int


def speeds_of(subject: Subject) -> Speeds:
    """Measure the methods of a codec, one after the other, on whole pieces."""
    codec, pieces = subject.codec, subject.pieces
    ids = [np.asarray(codec.encode(piece), np.int64) for piece in pieces]
    lengths = [len(row) for row in ids]
    calls: dict[str, Callable[[int], object]] = {
        "encode": lambda at: codec.encode(pieces[at]),
        "decode": lambda at: codec.decode(ids[at]),
    }
    if codec.feature_sizes:
        calls["features"] = lambda at: codec.features(ids[at])
    if codec.masks(np.zeros(0, np.int64)) is not None:
        calls["masks"] = lambda at: codec.masks(ids[at])
    if codec.tracker() is not None:
        calls["tracker"] = lambda at: _follow(subject, ids[at].tolist())
    seconds = FAST_SECONDS if subject.material.fast else SECONDS
    found = {name: _rate(call, lengths, seconds) for name, call in calls.items()}
    return Speeds(subject.codec_name, found, state_size(codec.state()))


def _rate(call: Callable[[int], object], lengths: list[int], seconds: float) -> float:
    """Return tokens a second of a call for piece after piece, at least one of them."""
    call(0)  # Compiled code is compiled first.
    done, at, began = 0, 0, time.perf_counter()
    while not done or time.perf_counter() - began < seconds:
        call(at % len(lengths))
        done += lengths[at % len(lengths)]
        at += 1
    return done / (time.perf_counter() - began)


def _follow(subject: Subject, ids: list[int]) -> None:
    tracker = subject.codec.tracker()
    assert tracker is not None
    for token in ids:
        tracker.features()
        tracker.forced()
        tracker.allowed()
        tracker.push(token)
