"""Errors that all codecs share: pieces without notes, and values that the corpus did not have."""

from __future__ import annotations

from collections.abc import Collection

from seqgen.errors import DataError
from seqgen.plugin import Ids
from seqgen_music.bars import Metre, metre_name
from seqgen_music.music import Music, pitch_name


def refuse_empty(music: Music) -> None:
    """Refuse a piece without notes."""
    if not len(music.notes):
        raise DataError("the piece has no note")


def refuse_pitches(pitches: Ids, low: int, high: int) -> None:
    """Refuse pitches ``(N,)`` outside the range of the corpus."""
    outside = pitches[(pitches < low) | (pitches > high)]
    if len(outside):
        raise DataError(
            f"pitch {pitch_name(int(outside[0]))} is outside {pitch_name(low)} to "
            f"{pitch_name(high)}, the range of this model's corpus; transpose the piece"
        )


def refuse_metre(metre: Metre, known: Collection[Metre]) -> None:
    """Refuse a metre that the corpus did not have."""
    if metre not in known:
        raise DataError(
            f"metre {metre_name(metre)} is not one of this model's corpus: "
            f"{', '.join(map(metre_name, known))}"
        )
