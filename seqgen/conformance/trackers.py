"""Promises of features and trackers: they know the past only, and never run out of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.prompted import PromptedTracker
from seqgen.conditions.requests import MOST_LISTED, example
from seqgen.conditions.unlabelled import unlabelled
from seqgen.conformance.subject import NothingToCheck, Promise, Subject, random_ids
from seqgen.drawing.guide import follow_each, guide_of
from seqgen.drawing.rules import Positions
from seqgen.errors import DataError
from seqgen.following import Followed, followed
from seqgen.generation.pieces import branch_tracker
from seqgen.grammar import unpacked
from seqgen.plugin import ClosingTracker, Codec, Ids, Tracker
from seqgen.plugins.checks import allowed_mask, checked_masks, next_mask

Mask: TypeAlias = NDArray[np.bool_]

#: Tokens of a piece that compiled code follows.
MOST_FOLLOWED = 300

#: Most tokens to the end of a piece by the way that `closing` allows.
LONGEST_END = 1000


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
    assert tracker is not None or not codec.feature_sizes, "features, but tracker() is None"
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
    """The tracker allows every demo piece, and its end where it ends.

    One that limits new pieces need not: `masks_allow_real_pieces` checks the masks instead.
    """
    for piece in subject.pieces:
        tracker = subject.codec.tracker()
        if tracker is None:
            raise NothingToCheck("the codec has no tracker")
        ids = subject.codec.encode(piece).tolist()
        for position, token in enumerate([*ids, len(subject.codec.vocab)]):
            possible = _possible(subject.codec, tracker)
            assert token in possible or subject.codec.limited, (position, token)
            if position < len(ids):
                tracker.push(token)


def always_allows_something(subject: Subject, folder: Path) -> None:
    """The tracker always allows a next token, also after a prompt; any sequence decodes."""
    for seed in range(5):
        tracker = subject.codec.tracker()
        if tracker is None:
            raise NothingToCheck("the codec has no tracker")
        subject.codec.decode(np.array(_written(subject.codec, tracker, seed), np.int64))
    for piece, ids in zip(subject.pieces, subject.ids, strict=True):
        for count in (len(ids) // 2, len(ids)):
            tracker = subject.codec.tracker()
            assert tracker is not None
            for token in ids[:count].tolist():
                tracker.push(token)
            if isinstance(tracker, PromptedTracker):
                tracker.prompted(piece)
                mask = next_mask(subject.codec, tracker)
                assert mask.any(), f"prompted() allows nothing after {count} tokens"


def ends_within_a_limit(subject: Subject, folder: Path) -> None:
    """A tracker that closes pieces ends them within every limit that leaves room for it.

    It allows no more than without a limit, and always something.
    """
    codec, end = subject.codec, len(subject.codec.vocab)
    if not isinstance(codec.tracker(), ClosingTracker):
        raise NothingToCheck("the codec has no tracker that closes pieces at a limit")
    prompts = [np.zeros(0, np.int64), *(ids[:40] for ids in [*subject.ids, *random_ids(codec)])]
    for seed, prompt in enumerate(prompts):
        tracker, rng = codec.tracker(), np.random.default_rng(seed)
        assert tracker is not None
        for token in prompt.tolist():
            tracker.push(token)
        least = _least_room(codec, tracker)
        for room in (least, least + 1, least + 20):
            writes = branch_tracker(tracker, codec)
            assert writes is not None
            for left in range(room, 0, -1):
                mask, without = next_mask(codec, writes, left), next_mask(codec, writes)
                more = np.flatnonzero(mask & ~without).tolist()
                assert mask.any() and not more, f"closing({left}) allows ids {more} more, or none"
                if (token := int(rng.choice(np.flatnonzero(mask)))) == end:
                    break
                writes.push(token)
            else:
                assert next_mask(codec, writes)[end], (
                    f"a piece of {len(prompt)} tokens can end after {least} more, but closing "
                    f"did not end it after {room}"
                )


def masks_as_it_tracks(subject: Subject, folder: Path) -> None:
    """An unconditional tracker allows the rows of `Codec.masks`, or less if it is `limited`."""
    codec, count = subject.codec, len(subject.codec.vocab) + 1
    none = np.zeros(0, np.int64)
    if codec.masks(none) is None:
        for ids in [*subject.ids, *random_ids(codec)]:
            assert codec.masks(ids) is None, "masks is None for some pieces only"
        raise NothingToCheck("the codec has no masks")
    cut = [ids[: len(ids) // 2] for ids in subject.ids]
    for ids in [none, *subject.ids, *cut, *random_ids(codec)]:
        rows = checked_masks(codec, codec.masks(ids), len(ids) + 1)
        tracker = codec.tracker()
        assert tracker is not None, "masks, but tracker() is None"
        for position, row in enumerate(unpacked(rows[:], count)):
            given = next_mask(codec, tracker)
            more, less = (np.flatnonzero(each).tolist() for each in (given & ~row, row & ~given))
            assert not more, f"the tracker allows ids {more} more at position {position}"
            assert codec.limited or not less, (
                f"the tracker forbids ids {less} at position {position}, which masks allow; set "
                f"limited = True in the codec if it limits new pieces"
            )
            if position < len(ids):
                tracker.push(int(ids[position]))


def follows_as_it_tracks(subject: Subject, folder: Path) -> None:
    """Compiled code follows a tracker to the same features and masks, for any ids."""
    codec, closes = subject.codec, isinstance(subject.codec.tracker(), ClosingTracker)
    was_followed = False
    for ids in [*subject.ids, *random_ids(codec)]:
        tracker, twin = codec.tracker(), codec.tracker()
        if tracker is None or twin is None:
            raise NothingToCheck("the codec has no tracker")
        for position, token in enumerate(ids[:MOST_FOLLOWED].tolist()):
            room = position % 64 if closes and position % 2 else None
            tracker.push(token)
            about = followed(twin)
            if about is None or token >= about.size:  # in a header, or a label out of place
                twin.push(token)
                continue
            was_followed = True
            features, possible, allowed = _pushed(codec, about, twin.features(), token, room)
            at = f"at position {position + 1}"
            np.testing.assert_array_equal(features, tracker.features(), at)
            np.testing.assert_array_equal(allowed, next_mask(codec, tracker, room), at)
            expected = allowed | allowed_mask(codec, tracker)
            np.testing.assert_array_equal(possible | allowed, expected, at)
        if not was_followed:
            raise NothingToCheck("compiled code does not follow the tracker")


def _pushed(
    codec: Codec, about: Followed, now: Sequence[int], token: int, room: int | None
) -> tuple[Ids, Mask, Mask]:
    """Let compiled code push an id; return features and masks of the next position.

    The features of labels stay what they are `now`.
    """
    count = len(unlabelled(codec).feature_sizes)
    guide = guide_of([about], [None if room is None else room + 1], [False], True, count)
    none = np.zeros(1, np.int64)
    possible, allowed = np.ones((2, 1, len(codec.vocab) + 1), bool)
    features = np.array([now], np.int64).reshape(1, -1)
    given = np.array([token]), features, possible, allowed
    follow_each(guide, Positions(*given, np.zeros((1, 0), np.int64), none, none), 1)
    return features[0], possible[0], allowed[0]


def masks_allow_real_pieces(subject: Subject, folder: Path) -> None:
    """The masks allow every token, and the end, of the pieces that the grammar comes from."""
    codec = subject.codec
    if codec.masks(np.zeros(0, np.int64)) is None:
        raise NothingToCheck("the codec has no masks")
    for number, piece in enumerate(subject.pieces):
        ids = np.append(codec.encode(piece), len(codec.vocab))  # (N + 1,), END last
        rows = checked_masks(codec, codec.masks(ids[:-1]), len(ids))
        allowed = np.take_along_axis(unpacked(rows[:], len(codec.vocab) + 1), ids[:, None], axis=1)
        wrong = np.flatnonzero(~allowed)
        assert not len(wrong), (
            f"masks forbid id {ids[wrong[0]]} at position {wrong[0]} of piece {number}, from which "
            f"the codec learned; a limit on new pieces belongs in the tracker"
        )


def follows_requests(subject: Subject, folder: Path) -> None:
    """The example of every request is followed, alone and with the others.

    Where `Codec.header_values` names it, the piece that is written has exactly this value.
    """
    codec = subject.codec
    if not codec.requests:
        raise NothingToCheck("nothing can be requested of the codec")
    alone = [{name: request} for name, request in codec.requests.items()]
    for requests in [*alone, codec.requests]:
        condition = example(requests)
        tracker = codec.tracker(condition)
        assert tracker is not None, "requests need a tracker"
        found = codec.header_values(np.array(_written(codec, tracker), np.int64))
        assert set(found) <= set(codec.requests), f"{sorted(found)} cannot all be requested"
        for name in sorted(set(found) & set(requests)):
            wanted = requests[name].example
            assert found[name] == wanted, f"{condition!r} gave a piece with {name}={found[name]}"


def refuses_requests(subject: Subject, folder: Path) -> None:
    """Unknown names and values are refused with the known ones."""
    codec, none = subject.codec, "no such value"
    if not codec.requests:
        raise NothingToCheck("nothing can be requested of the codec")
    refused = {f"no_such_name={none}": list(codec.requests)}
    for name, request in codec.requests.items():
        if request.values:
            assert request.example in request.values, f"the example of {name} is not known"
        if request.read is None:
            refused[f"{name}={none}"] = [*request.values][:MOST_LISTED]
    for condition, known in refused.items():
        try:
            codec.tracker(condition)
        except DataError as error:
            lacking = [each for each in known if each not in str(error)]
            assert not lacking, f"the message for {condition!r} does not name {lacking}: {error}"
        else:
            raise AssertionError(f"{condition!r} is not refused")


def copies_its_tracker(subject: Subject, folder: Path) -> None:
    """A copy of a tracker is independent: what is pushed to it does not change the original."""
    codec, ids = subject.codec, subject.ids[0].tolist()
    tracker, twin = codec.tracker(), codec.tracker()
    if tracker is None or twin is None:
        raise NothingToCheck("the codec has no tracker")
    for token in ids[:20]:
        copied = branch_tracker(tracker, codec)
        assert copied is not None
        for other in ids[:20]:
            copied.push(other)
        np.testing.assert_array_equal(next_mask(codec, tracker), next_mask(codec, twin))
        np.testing.assert_array_equal(tracker.features(), twin.features())
        tracker.push(token)
        twin.push(token)


def _written(codec: Codec, tracker: Tracker, seed: int = 0) -> list[int]:
    """Return at most 200 random ids that a tracker allows."""
    rng, ids = np.random.default_rng(seed), list[int]()
    while len(ids) < 200:
        token = int(rng.choice(_possible(codec, tracker)))
        if token == len(codec.vocab):
            break
        tracker.push(token)
        ids.append(token)
    return ids


def _least_room(codec: Codec, tracker: Tracker) -> int:
    """Return the number of tokens to the end where there is room for none."""
    writes = branch_tracker(tracker, codec)
    assert writes is not None
    for count in range(LONGEST_END):
        mask = next_mask(codec, writes, 0)
        assert mask.any(), "closing(0) allows no token"
        if mask[-1]:
            return count
        writes.push(int(np.argmax(mask)))
    raise AssertionError(f"closing(0) leads to no end within {LONGEST_END:,} tokens")


def _possible(codec: Codec, tracker: Tracker) -> list[int]:
    """Return the ids that may come next, END last."""
    mask = next_mask(codec, tracker)
    assert mask.any(), "no token is allowed"
    return [int(token) for token in np.flatnonzero(mask)]


PROMISES: tuple[Promise, ...] = (
    has_features_in_range,
    has_features_of_the_past,
    tracks_its_features,
    allows_real_pieces,
    always_allows_something,
    copies_its_tracker,
    ends_within_a_limit,
    masks_as_it_tracks,
    follows_as_it_tracks,
    masks_allow_real_pieces,
    follows_requests,
    refuses_requests,
)
