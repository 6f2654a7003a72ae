"""What a user wants of a piece for many instruments, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seqgen.errors import DataError
from seqgen_music.score import DRUMS, program_name

#: The families of General MIDI, of eight programs each.
FAMILIES = (
    *("piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass"),
    *("reed", "pipe", "synth lead", "synth pad", "synth effects", "ethnic", "percussive"),
    "sound effects",
)

#: What may be wanted, each with an example.
WORDS = {"tempo": "120", "metre": "3/4", "bars": "16", "instruments": "piano+bass+drums"}


@dataclass(frozen=True)
class Condition:
    """What is wanted; None where nothing is.

    Attributes
    ----------
    tempo : float
        Quarters a minute.
    metre : (int, int)
    bars : int
    programs : frozenset of int
        The only ones that may play.
    """

    tempo: float | None = None
    metre: tuple[int, int] | None = None
    bars: int | None = None
    programs: frozenset[int] | None = None


def read_condition(
    text: Any, metres: Sequence[tuple[int, int]], programs: Sequence[int]
) -> Condition:
    """Read a condition such as ``tempo=120, metre=3/4, bars=16, instruments=piano+bass+drums``.

    Parameters
    ----------
    text : str
    metres, programs : sequence
        Those that the model knows.

    Raises
    ------
    DataError
        If it is no such text, or asks for what the model does not know.
    """
    example = ", ".join(f"{word}={value}" for word, value in WORDS.items())
    if not isinstance(text, str):
        raise DataError(f"a piece for many instruments is given words, such as {example!r}")
    wanted: dict[str, Any] = {}
    for part in text.split(","):
        word, _, value = (piece.strip() for piece in part.partition("="))
        try:
            match word:
                case "tempo":
                    wanted["tempo"] = _positive(float(value))
                case "metre":
                    beats, unit = map(int, value.split("/"))
                    wanted["metre"] = _known_metre((beats, unit), metres)
                case "bars":
                    wanted["bars"] = _positive(int(value))
                case "instruments":
                    wanted["programs"] = _programs(value, programs)
                case _:
                    raise DataError(f"{word!r} cannot be wanted; what can is {', '.join(WORDS)}")
        except ValueError:
            raise DataError(f"{part.strip()!r} cannot be read; write it like {example!r}") from None
    return Condition(**wanted)


def _positive(number: Any) -> Any:
    """Return the number; what is not above zero and finite is a ValueError."""
    if not 0 < number < 10**6:
        raise ValueError
    return number


def _known_metre(metre: tuple[int, int], known: Sequence[tuple[int, int]]) -> tuple[int, int]:
    if metre not in known:
        names = ", ".join(f"{beats}/{unit}" for beats, unit in known)
        raise DataError(f"metre {metre[0]}/{metre[1]} is not one of this model's corpus: {names}")
    return metre


def _programs(value: str, known: Sequence[int]) -> frozenset[int]:
    """Return the known programs of families, names or numbers that are joined by ``+``."""
    found: set[int] = set()
    for word in value.split("+"):
        mine = [program for program in known if word.strip().lower() in _names(program)]
        if not mine:
            names = ", ".join(dict.fromkeys(_names(program)[0] for program in known))
            raise DataError(
                f"{word.strip()!r} is no instrument of this model's corpus; name a family "
                f"({names}), or an instrument or number of General MIDI that it had"
            )
        found.update(mine)
    return frozenset(found)


def _names(program: int) -> tuple[str, ...]:
    """Return all names of a program in lower case, that of its family first."""
    if program == DRUMS:
        return ("drums",)
    return FAMILIES[program // 8], program_name(program).lower(), str(program)
