"""Instruments by the names of General MIDI."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    ValueError
        If a word names none of the known programs.
    """
    found = []
    for word in words:
        mine = [program for program in known if word.lower() in _names(program)]
        if not mine:
            names = ", ".join(families(known))
            raise ValueError(
                f"{word!r} is not an instrument of this model's corpus; name a family "
                f"({names}), or an instrument or number of General MIDI that it had"
            )
        found.append(frozenset(mine))
    return found


def families(programs: Iterable[int]) -> list[str]:
    """Return the families of programs, each once."""
    return list(dict.fromkeys(map(_family, programs)))


def _names(program: int) -> tuple[str, ...]:
    """Return all names of a program in lower case, its family first."""
    family = _family(program)
    return (family,) if program == DRUMS else (family, program_name(program).lower(), str(program))


def _family(program: int) -> str:
    return "drums" if program == DRUMS else FAMILIES[program // FAMILY]
