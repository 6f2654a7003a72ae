"""Instruments by the names of General MIDI."""

from __future__ import annotations

from collections.abc import Sequence

from seqgen.errors import DataError
from seqgen_music.codecs.multitrack.grid import DRUMS
from seqgen_music.codecs.multitrack.score import program_name
from seqgen_music.music import FAMILY

#: The families of General MIDI, `FAMILY` programs each.
FAMILIES = (
    *("piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass"),
    *("reed", "pipe", "synth lead", "synth pad", "synth effects", "ethnic", "percussive"),
    "sound effects",
)


def programs_named(words: Sequence[str], known: Sequence[int]) -> list[frozenset[int]]:
    """Return the programs of each family, instrument name or number of General MIDI.

    Parameters
    ----------
    words : sequence of str
        Such as "piano", "electric bass (finger)" or "33"; "drums" are `DRUMS`.
    known : sequence of int
        Programs to choose from.

    Raises
    ------
    DataError
        If a word names none of the known programs.
    """
    found = []
    for word in words:
        mine = [program for program in known if word.lower() in _names(program)]
        if not mine:
            names = ", ".join(dict.fromkeys(_names(program)[0] for program in known))
            raise DataError(
                f"{word!r} is not an instrument of this model's corpus; name a family "
                f"({names}), or an instrument or number of General MIDI that it had"
            )
        found.append(frozenset(mine))
    return found


def _names(program: int) -> tuple[str, ...]:
    """Return all names of a program in lower case, its family first."""
    if program == DRUMS:
        return ("drums",)
    return FAMILIES[program // FAMILY], program_name(program).lower(), str(program)
