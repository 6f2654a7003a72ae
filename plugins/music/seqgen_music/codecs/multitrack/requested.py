"""The chords that a new multitrack piece is given: ``chords=Am | Dm | E7 | Am``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqgen.errors import DataError
from seqgen_music.bars import metre_name
from seqgen_music.chords import Chord
from seqgen_music.codecs.multitrack.bar_chords import number_of
from seqgen_music.codecs.multitrack.layout import MultitrackLayout
from seqgen_music.keys import key_of


def requested_chords(
    requested: dict[str, Any], layout: MultitrackLayout
) -> tuple[tuple[int, int], ...]:
    """Return the chords of the halves of each bar, as numbers of the table.

    What is requested gets a number of bars, that of the chords, and a key, the one that fits the
    chords best, if it has none.

    Raises
    ------
    DataError
        If there are more chords than bars, or a bar has more than it can be divided into.
    """
    progression, bars = requested["chords"], requested.get("bars")
    if bars is not None and bars < len(progression):
        raise DataError(
            f"chords are requested for {len(progression)} bars, and {bars} bars; leave out bars, "
            f"or give fewer chords"
        )
    _refuse_parts(requested, layout)
    requested.setdefault("bars", len(progression))
    requested.setdefault("key", _key_of(progression))
    given = [
        (number_of(bar[0], layout.learned.kinds), number_of(bar[-1], layout.learned.kinds))
        for bar in progression
    ]
    # Chords of fewer bars begin again.
    return tuple(given[bar % len(given)] for bar in range(requested["bars"]))


def _refuse_parts(requested: Mapping[str, Any], layout: MultitrackLayout) -> None:
    """Refuse more than two chords in a bar, and two where a bar has no halves."""
    most = max(map(len, requested["chords"]))
    wanted = requested.get("metre")
    metres = [wanted] if wanted else layout.learned.metres
    uneven = [
        metre
        for metre, half in zip(layout.learned.metres, layout.halves, strict=True)
        if metre in metres and not half
    ]
    if most > 2:
        raise DataError(f"a bar has one chord or two, one for each half; found {most} in a bar")
    if most == 2 and uneven:
        raise DataError(
            f"a bar of {metre_name(uneven[0])} has no halves for two chords; give it one chord, or "
            f"request another metre"
        )


def _key_of(progression: tuple[tuple[Chord | None, ...], ...]) -> int:
    """Return the key that fits some chords best; the first and the last count twice."""
    chords = [chord for bar in progression for chord in bar]
    counts = np.zeros(12, np.int64)
    for chord in (*chords, chords[0], chords[-1]):
        if chord is not None:
            counts[[*chord.pitch_classes]] += 1
            counts[chord.root] += 1
    return key_of(counts)
