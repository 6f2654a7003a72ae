"""Which parts of a piece stay, in words: "bars 1-4, 9-; tracks soprano, bass".

`Kept` brings the words, and a codec asks for the `Gap` that they leave: the model rewrites some
tracks in some bars. Next: `seqgen_music.filling` puts what it wrote there into the piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Kept
from seqgen_music.music import Music

#: Some bars: one, the first or the last ones, or those from one to another.
_BARS = re.compile(r"(\d{1,6})?\s*(?:(-)\s*(\d{1,6})?)?", re.ASCII)

#: A note may sound beyond the last bar by this part of a quarter: a sixteenth of it.
OVERHANG = 16

#: An example for messages.
EXAMPLE = "bars 1-4, 9-; tracks soprano, bass"


@dataclass(frozen=True)
class Gap:
    """What a model rewrites: some tracks in some spans of time.

    Attributes
    ----------
    spans : int64 array (S, 2)
        First tick of each span and the first one after it; rising, with time between them.
    tracks : tuple of int
        Tracks of the piece, rising.
    """

    spans: NDArray[np.int64]
    tracks: tuple[int, ...]

    def has(self, tracks: NDArray[np.int64], ticks: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which notes are rewritten ``(N,)``, by their tracks and onsets ``(N,)``."""
        place = np.searchsorted(self.spans.ravel(), ticks, side="right")
        return np.asarray(np.isin(tracks, self.tracks) & (place % 2 == 1))


def gap_of(kept: Kept, names: Mapping[str, Iterable[int]]) -> Gap:
    """Return what is rewritten: all that is neither in a bar nor in a track that stays.

    Bars count from 1 as the bar lines of the piece do; an upbeat belongs to bar 1.

    Parameters
    ----------
    kept : Kept
        A `Music`, and words: parts separated by semicolons, each ``bars`` or ``tracks`` and a list.
    names : mapping of str to iterable of int
        Tracks that may be rewritten by their names in small letters, without quotes. A track may
        have several.

    Raises
    ------
    DataError
        If the words cannot be read, name what the piece does not have, or leave nothing to write.
    """
    music: Music = kept.piece
    edges = _bar_lines(music)
    stays, staying = np.zeros(len(edges) - 1, bool), set[int]()
    for part in _separated(kept.parts, ";"):
        kind, _, listed = part.strip().partition(" ")
        words = [word.strip().replace('"', "").strip() for word in _separated(listed, ",")]
        if kind.lower() not in ("bars", "bar", "tracks", "track") or not all(words):
            raise DataError(
                f"cannot keep {part.strip()!r}: expected bars or tracks and a list, such as "
                f"{EXAMPLE!r}"
            )
        for word in words:
            if kind.lower().startswith("bar"):
                first, last = _bars(word, len(stays))
                stays[first - 1 : last] = True
            else:
                staying.update(_tracks(word, names))
    free = sorted({track for tracks in names.values() for track in tracks} - staying)
    if stays.all() or not free:
        raise DataError(
            f"there is nothing left to write: {kept.parts!r} keeps every "
            f"{'bar' if stays.all() else 'track'} of the piece; keep less"
        )
    steps = np.flatnonzero(np.diff(~stays, prepend=False, append=False))
    return Gap(edges[steps].reshape(-1, 2), tuple(free))


def _bar_lines(music: Music) -> NDArray[np.int64]:
    """Return the tick of each bar line ``(B + 1,)``, and the end of the last bar.

    A note may sound a little beyond the end of the last bar.
    """
    enough = music.length - music.ticks_per_quarter // OVERHANG
    starts = [start for start in music.bar_starts() if start <= enough or not start]
    if music.upbeat and len(starts) > 1:
        del starts[1]
    return np.array([*starts, max(music.length, starts[-1] + 1)], np.int64)


def _bars(word: str, count: int) -> tuple[int, int]:
    """Return the first and the last bar of words such as ``3``, ``1-4``, ``-4`` or ``9-``."""
    match = _BARS.fullmatch(word)
    if match is None or not (match[1] or match[3]):
        raise DataError(f"cannot keep bars {word!r}: expected numbers such as 3, 1-4 or 9-")
    first = int(match[1] or 1)
    last = int(match[3] or count) if match[2] else first
    if not 1 <= first <= last <= count:
        raise DataError(f"cannot keep bars {word!r}: the piece has the bars 1 to {count:,}")
    return first, last


def _separated(text: str, sign: str) -> list[str]:
    """Split a text at a sign that does not stand in quotes."""
    parts, is_quoted = [""], False
    for letter in text:
        is_quoted ^= letter == '"'
        if letter == sign and not is_quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _tracks(word: str, names: Mapping[str, Iterable[int]]) -> Iterable[int]:
    """Return the tracks of a name."""
    if word.lower() not in names:
        quoted = [f'"{name}"' if {*name} & {*",;"} else name for name in names]
        raise DataError(
            f"cannot keep track {word!r}: this model writes the tracks {', '.join(quoted)}"
        )
    return names[word.lower()]


def names_of(music: Music, tracks: Sequence[int]) -> dict[str, list[int]]:
    """Return tracks by their names in small letters; a track without a name has its number."""
    found: dict[str, list[int]] = {}
    for track in tracks:
        label = music.tracks[track].label.replace('"', "").strip()
        name = label.lower() or str(track + 1)
        found.setdefault(name, []).append(track)
    return found
