"""Promises of features and trackers: they know the past only, and never run out of tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seqgen.conformance.subject import NothingToCheck, Promise, Subject, random_ids
from seqgen.plugin import Codec, Tracker


def has_features_in_range(subject: Subject, folder: Path) -> None:
    """Features of any ids are (N + 1, K) and within their sizes."""
    codec = subject.codec
    if not codec.feature_sizes:
        raise NothingToCheck("the codec has no features")
    for ids in [*subject.ids, *random_ids(codec)]:
        rows = codec.features(ids)
        assert rows.shape == (len(ids) + 1, len(codec.feature_sizes)), rows.shape
        assert (rows >= 0).all() and (rows < codec.feature_sizes).all()


def has_features_of_the_past(subject: Subject, folder: Path) -> None:
    """The features of a position depend on the ids before it only."""
    codec = subject.codec
    if not codec.feature_sizes:
        raise NothingToCheck("the codec has no features")
    for ids in [subject.ids[0][:200], *random_ids(codec)]:
        rows = codec.features(ids)
        for position in range(0, len(ids) + 1, 3):
            np.testing.assert_array_equal(codec.features(ids[:position]), rows[: position + 1])


def tracks_its_features(subject: Subject, folder: Path) -> None:
    """The tracker gives the rows of `Codec.features` one at a time, for any ids."""
    codec = subject.codec
    tracker = codec.tracker()
    assert tracker is not None or not codec.feature_sizes, "features need a tracker"
    if tracker is None or not codec.feature_sizes:
        raise NothingToCheck("the codec has no features")
    for ids in [*subject.ids, *random_ids(codec)]:
        tracker = codec.tracker()
        assert tracker is not None
        given = [tracker.features()]
        for token in ids.tolist():
            tracker.push(token)
            given.append(tracker.features())
        np.testing.assert_array_equal(np.array(given), codec.features(ids))


def allows_real_pieces(subject: Subject, folder: Path) -> None:
    """The tracker allows every demo piece, and its end where it ends."""
    for piece in subject.pieces:
        tracker = subject.codec.tracker()
        if tracker is None:
            raise NothingToCheck("the codec has no tracker")
        ids = subject.codec.encode(piece).tolist()
        for position, token in enumerate([*ids, len(subject.codec.vocab)]):
            assert token in _possible(subject.codec, tracker), (position, token)
            if position < len(ids):
                tracker.push(token)


def always_allows_something(subject: Subject, folder: Path) -> None:
    """The tracker always allows a next token, and any allowed sequence decodes."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        tracker = subject.codec.tracker()
        if tracker is None:
            raise NothingToCheck("the codec has no tracker")
        ids: list[int] = []
        while len(ids) < 200:
            token = int(rng.choice(_possible(subject.codec, tracker)))
            if token == len(subject.codec.vocab):
                break
            tracker.push(token)
            ids.append(token)
        subject.codec.decode(np.array(ids, np.int64))


def _possible(codec: Codec, tracker: Tracker) -> list[int]:
    """Return the ids that may come next, END last."""
    forced, mask = tracker.forced(), tracker.allowed()
    if forced is not None:
        return [forced]
    if mask is None:
        return list(range(len(codec.vocab) + 1))
    assert mask.shape == (len(codec.vocab) + 1,) and mask.dtype == bool, (mask.shape, mask.dtype)
    assert mask.any(), "no token is allowed"
    return [int(token) for token in np.flatnonzero(mask)]


PROMISES: tuple[Promise, ...] = (
    has_features_in_range,
    has_features_of_the_past,
    tracks_its_features,
    allows_real_pieces,
    always_allows_something,
)
