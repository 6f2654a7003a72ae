"""How fast the methods of a codec are, and how large its state is; a report, not a promise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seqgen.conformance.endurance import state_size
from seqgen.conformance.subject import Subject
from seqgen.plugin import Codec

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
    """Measure the methods of a codec, one after the other, on whole pieces.

    Every round has a fresh codec, so one that keeps results in itself looks no faster than it is.
    """
    first, pieces = subject.codec, subject.pieces
    ids = [np.asarray(first.encode(piece), np.int64) for piece in pieces]
    lengths = [len(row) for row in ids]
    calls: dict[str, Callable[[Codec, int], object]] = {
        "encode": lambda codec, at: codec.encode(pieces[at]),
        "decode": lambda codec, at: codec.decode(ids[at]),
    }
    if first.feature_sizes:
        calls["features"] = lambda codec, at: codec.features(ids[at])
    if first.masks(np.zeros(0, np.int64)) is not None:
        calls["masks"] = lambda codec, at: codec.masks(ids[at])
    if first.tracker() is not None:
        calls["tracker"] = lambda codec, at: _follow(codec, ids[at].tolist())
    seconds = FAST_SECONDS if subject.material.fast else SECONDS
    found = {name: _rate(call, first, lengths, seconds) for name, call in calls.items()}
    return Speeds(subject.codec_name, found, state_size(first.state()))


def _rate(
    call: Callable[[Codec, int], object], first: Codec, lengths: list[int], seconds: float
) -> float:
    """Return tokens a second of a call for piece after piece, at least one of them."""
    call(first, 0)  # Compiled code is compiled first.
    done, spent = 0, 0.0
    while spent < seconds:
        codec = type(first).from_state(first.state(), first.options)
        for at, length in enumerate(lengths):
            began = time.perf_counter()
            call(codec, at)
            spent += time.perf_counter() - began
            done += length
            if spent >= seconds:
                break
    return done / spent


def _follow(codec: Codec, ids: list[int]) -> None:
    tracker = codec.tracker()
    assert tracker is not None
    for token in ids:
        tracker.features()
        tracker.forced()
        tracker.allowed()
        tracker.push(token)
