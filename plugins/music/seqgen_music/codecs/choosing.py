"""Chooses the codec that fits the pieces of a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen_music.music import Music

Kind: TypeAlias = Literal["drums", "parts", "line", "performance", "other"]

#: Predicates for pieces of each kind, in messages.
PHRASES: dict[Kind, str] = {
    "drums": "have drums",
    "parts": "have four monophonic parts",
    "line": "are a single line",
    "performance": "are one player's, off the grid",
    "other": "are for several hands or instruments",
}

#: The codec of each kind that has its own; `ANY` encodes every piece.
CODECS: dict[Kind, str] = {"parts": "chorale", "line": "melody", "performance": "performance"}
ANY = "multitrack"

#: Share of the pieces that must be of a kind to choose its codec; it may refuse the others.
MOST = 0.75

#: In a single line at most this share of the notes overlap the next one by more than `LEGATO`
#: quarters: legato is still one line.
OVERLAPS, LEGATO = 0.05, 1 / 8

#: A note is on the grid if it begins within `TOLERANCE` quarters of a 16th or a 16th triplet. By
#: chance a third of all notes do. In a performance fewer than `ON_GRID` do.
TOLERANCE, ON_GRID = 1 / 48, 0.7

#: Fewest different velocities of a performance.
VELOCITIES = 8


def suggest(pieces: Iterable[Music], codecs: Collection[str]) -> tuple[str, str]:
    """Return the name of the codec for these pieces, and the reason.

    Parameters
    ----------
    pieces : iterable of Music
    codecs : collection of str
        The available codecs; the first is the answer if none fits.
    """
    kinds = Counter(map(kind_of, pieces))
    total = kinds.total()
    for kind, count in kinds.most_common(1):
        name = CODECS.get(kind, "")
        if name in codecs and count >= MOST * total:
            return name, f"{count} of {total} pieces {PHRASES[kind]}"
    if kinds and ANY in codecs:
        # Ties are sorted by name, so that the order of the pieces makes no difference.
        counts = sorted(kinds.items(), key=lambda entry: (-entry[1], entry[0]))
        listed = ", ".join(f"{count} {PHRASES[kind]}" for kind, count in counts)
        return ANY, f"of {total} pieces {listed}"
    return next(iter(codecs)), ""


def kind_of(piece: Music) -> Kind:
    """Return the kind of a piece."""
    tracks = np.unique(piece.notes["track"])
    if any(piece.tracks[track].drums for track in tracks):
        return "drums"
    if len(tracks) <= 2 and _is_performance(piece):
        return "performance"
    lines = all(_is_line(piece, piece.notes[piece.notes["track"] == track]) for track in tracks)
    if lines and len(tracks) == 4:
        return "parts"
    if lines and len(tracks) == 1:
        return "line"
    return "other"


def on_grid(piece: Music) -> float:
    """Return the share of the notes that begin on a 16th or a 16th triplet."""
    quarters = piece.notes["onset"] / piece.ticks_per_quarter
    off = [np.abs(quarters * steps - np.rint(quarters * steps)) / steps for steps in (4, 6)]
    return float((np.minimum(*off) <= TOLERANCE).mean())


def _is_performance(piece: Music) -> bool:
    varied = len(np.unique(piece.notes["velocity"])) >= VELOCITIES
    return varied and on_grid(piece) < ON_GRID


def _is_line(piece: Music, notes: NDArray[np.void]) -> bool:
    """Return whether notes follow each other, with few overlaps."""
    ends = np.maximum.accumulate(notes["onset"] + notes["duration"])
    overlaps = ends[:-1] - notes["onset"][1:] > LEGATO * piece.ticks_per_quarter
    return int(overlaps.sum()) <= OVERLAPS * len(notes)
