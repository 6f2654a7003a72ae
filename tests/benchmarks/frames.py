"""A plugin in one file: music as the set of pitches that sound in every frame.

Only the benchmark `polyphonic` uses it, and announces it as an installed plugin would be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Codec, Domain, DomainSpec, Ids, hookimpl

#: Keys of a piano, the lowest first; the token after them closes a frame.
KEYS = 88
CLOSE = KEYS

#: Largest count of notes in a frame, and of frames of a held note; more count the same.
MANY = 15

#: Frames after which the place repeats.
CYCLE = 16


@hookimpl
def seqgen_domains() -> Iterable[DomainSpec]:
    """Announce the domain."""
    return [DomainSpec("frames", "sets of pitches", (".npy",), "frames:Frames", contract=2)]


@dataclass(frozen=True)
class FrameOptions:
    """No options."""


class FrameCodec(Codec):
    """The keys that are down in every frame, highest first, then one token that closes it.

    A piece is a truth value for each frame and key, ``(frames, 88)``. The order is fixed, so the
    probability of a frame's tokens is at most that of its set. Features: how many notes the frame
    has so far, the last of them, the next lower notes of the frame before (the first of which is
    held), how long that one has lasted, and the place in sixteen frames.
    """

    options_type: ClassVar[type[Any]] = FrameOptions
    vocab = (*(f"key {key}" for key in range(KEYS)), "close")
    feature_sizes = (MANY + 1, KEYS + 1, KEYS + 1, KEYS + 1, MANY + 1, CYCLE)

    def __init__(self, options: FrameOptions) -> None:
        self.options = options

    @classmethod
    def fit(cls, pieces: Iterable[NDArray[np.bool_]], options: FrameOptions) -> Self:
        """Learn nothing."""
        return cls(options)

    def encode(self, piece: NDArray[np.bool_]) -> Ids:
        """Return the keys of each frame, highest first, and `CLOSE`."""
        frames, keys = np.nonzero(piece[:, ::-1])
        counts = piece.sum(axis=1)
        ids = np.full(len(piece) + len(keys), CLOSE)
        ids[np.arange(len(keys)) + frames] = KEYS - 1 - keys
        assert len(ids) == counts.sum() + len(piece)
        return ids

    def decode(self, ids: Ids) -> NDArray[np.bool_]:
        """Return the frames; an unclosed one counts."""
        frame = np.cumsum(ids == CLOSE) - (ids == CLOSE)
        piece = np.zeros((int(frame[-1]) + 1 if len(ids) else 0, KEYS), bool)
        played = ids != CLOSE
        piece[frame[played], ids[played]] = True
        return piece

    def state(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: FrameOptions) -> Self:
        """Rebuild the codec."""
        return cls(options)

    def features(self, ids: Ids) -> Ids:
        """Return what the tracker says, step by step."""
        tracker = FrameTracker()
        rows = [tracker.features()]
        for token in ids.tolist():
            tracker.push(token)
            rows.append(tracker.features())
        return np.array(rows, np.int64)

    def tracker(self, condition: Any = None) -> FrameTracker:
        """Return a follower."""
        return FrameTracker()


class FrameTracker:
    """Knows the frame before and the notes of this one; keys only go down."""

    def __init__(self) -> None:
        self._lasted: dict[int, int] = {}
        self._now: list[int] = []
        self._frame = 0

    def features(self) -> Sequence[int]:
        """Return the row of `FrameCodec.features`."""
        last = self._now[-1] if self._now else KEYS
        lower = [key for key in self._lasted if key < last][:2]
        held, after = ([key + 1 for key in lower] + [0, 0])[:2]
        lasted = self._lasted[lower[0]] if lower else 0
        place = self._frame % CYCLE
        return (min(len(self._now), MANY), last % KEYS + 1, held, after, min(lasted, MANY), place)

    def allowed(self) -> NDArray[np.bool_]:
        """Return the lower keys and `CLOSE`, and END after a frame."""
        last = self._now[-1] if self._now else KEYS
        mask = np.arange(KEYS + 2) < last
        mask[CLOSE] = True
        mask[CLOSE + 1] = not self._now
        return mask

    def forced(self) -> None:
        """Force nothing."""

    def push(self, token: int) -> None:
        """Record a token."""
        if token != CLOSE:
            self._now.append(token)
            return
        self._lasted = {key: self._lasted.get(key, 0) + 1 for key in self._now}
        self._now = []
        self._frame += 1


class Frames(Domain):
    """Reads and writes arrays of frames."""

    codecs: ClassVar[Mapping[str, type[Codec]]] = {"frames": FrameCodec}
    formats: ClassVar[tuple[str, ...]] = (".npy",)

    def read(self, path: Path, options: Any) -> list[NDArray[np.bool_]]:
        """Read one piece."""
        return [np.load(path)]

    def write(self, piece: NDArray[np.bool_], path: Path, options: Any) -> list[Path]:
        """Write one piece."""
        np.save(path, piece)
        return [path]
