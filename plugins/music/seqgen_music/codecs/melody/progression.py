"""Requested chords: ``Am | Dm | E7 | Am``, bar by bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from seqgen_music.chords import KINDS, Chord, chord_named

#: The chords of each bar, which share it evenly; None is no chord.
Progression: TypeAlias = tuple[tuple[Chord | None, ...], ...]

#: Most bars of requested chords.
MOST_BARS = 4096

#: Stands for the chords of the bar before.
AGAIN = "%"


def progression_reader(kinds: Sequence[str]) -> Callable[[str], Progression]:
    """Return what reads requested chords of some kinds."""

    def read(text: str) -> Progression:
        """Read chords, with ``|`` between bars and spaces between the chords of a bar.

        Raises
        ------
        ValueError
            If a bar has no chord, or one that is no chord or of another kind.
        """
        bars: list[tuple[Chord | None, ...]] = []
        parts = text.strip().strip("|").split("|")
        if len(parts) > MOST_BARS:
            raise ValueError(f"expected at most {MOST_BARS:,} bars, found {len(parts):,}")
        for number, part in enumerate(parts, 1):
            words = part.split()
            if words == [AGAIN] and bars:
                bars.append(bars[-1])
                continue
            if not words:
                raise ValueError(f"bar {number} has no chord; write {AGAIN} to repeat a bar")
            bars.append(tuple(_known(word, kinds, number) for word in words))
        return tuple(bars)

    return read


def _known(text: str, kinds: Sequence[str], bar: int) -> Chord | None:
    """Return a chord of known kind, without its bass."""
    chord = chord_named(text)
    if chord is not None and chord.kind not in kinds:
        known = ", ".join(f"C{KINDS[kind].suffix}" for kind in kinds)
        raise ValueError(f"this model knows chords such as {known}; found {text} in bar {bar}")
    return None if chord is None else Chord(chord.root, chord.kind)
