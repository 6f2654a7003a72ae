"""What the information fields of ABC say: key, metre, unit length, tempo, voice.

Source: The abc music standard 2.1, sections 3.1, 4.6 and 7.
"""

from __future__ import annotations

import re
from fractions import Fraction

from seqgen.errors import DataError
from seqgen_music.bars import NOTE_VALUES, Metre
from seqgen_music.files.assembling import MOST_BEATS
from seqgen_music.files.score_bars import FIFTHS, Key, signature

#: Sharps that a mode adds to those of the major key on the same tonic.
MODES = {
    "maj": 0,
    "ion": 0,
    "mix": -1,
    "dor": -2,
    "min": -3,
    "m": -3,
    "aeo": -3,
    "phr": -4,
    "loc": -5,
    "lyd": 1,
}

#: Semitones of the accidentals.
ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}

#: Range of tempos in quarters per minute.
TEMPOS = (4, 4000)

_KEY = re.compile(
    r"(?P<pipes>HP|Hp)|(?P<none>none)"
    r"|(?P<tonic>[A-G])(?P<alter>[#b]?)\s*"
    r"(?P<mode>(?i:maj|min|mix|dor|phr|lyd|loc|ion|aeo)[a-z]*|[mM](?![a-z]))?"
)
_ALTERED = re.compile(r"(?<![A-Za-z=])(\^\^|\^|__|_|=)([A-Ga-g])(?![A-Za-z])")
_PROPERTY = re.compile(r'\b([A-Za-z]+)\s*=\s*(?:"([^"]*)"|(\S+))')
_CLEF = re.compile(r"(?:^|\s)((?:treble|alto|tenor|bass|perc|soprano|none)\S*)")


def key_named(text: str) -> Key | None:
    """Read a ``K:`` field; None if it names no key, as ``K:clef=bass``.

    Both keys of the bagpipe, ``HP`` and ``Hp``, have F sharp and C sharp.
    """
    found = _KEY.match(text.strip())
    altered = {
        letter.upper(): ACCIDENTALS[sign]
        for sign, letter in _ALTERED.findall(_PROPERTY.sub("", text))
    }
    if found is None:
        return None if not altered else Key(_sharps(altered), False, signature(0) | altered)
    if found["pipes"]:
        return Key(2, False, signature(2))
    if found["none"]:
        return Key(0, False, signature(0) | altered)
    mode = (found["mode"] or "maj")[:3]
    # A lone M is major and a lone m is minor.
    mode = "maj" if mode == "M" else mode.lower()
    sharps = FIFTHS.index(found["tonic"]) - 1 + MODES[mode]
    sharps += {"": 0, "#": 7, "b": -7}[found["alter"]]
    if re.match(r"\s*exp\b", text.strip()[found.end() :]):
        return Key(_sharps(altered), mode in ("m", "min", "aeo"), signature(0) | altered)
    return Key(sharps, mode in ("m", "min", "aeo"), signature(sharps) | altered)


def _sharps(altered: dict[str, int]) -> int:
    return sum(altered.values())


def metre_of_field(text: str) -> Metre | None:
    """Read an ``M:`` field such as ``6/8``, ``C|`` or ``(2+3)/8``; None is free metre.

    Raises
    ------
    DataError
        If it is no metre, or has more than 255 beats.
    """
    plain = text.strip().split(" ")[0] if "+" not in text else text.replace(" ", "")
    if plain.lower() in ("", "none"):
        return None
    if plain in ("C", "c"):
        return 4, 4
    if plain in ("C|", "c|"):
        return 2, 2
    found = re.fullmatch(r"\(?(\d{1,3}(?:\+\d{1,3})*)\)?/(\d{1,2})", plain)
    beats, unit = (sum(map(int, found[1].split("+"))), int(found[2])) if found else (0, 0)
    if not 0 < beats <= MOST_BEATS or unit not in NOTE_VALUES:
        raise DataError(
            f"M:{text.strip()[:40]} is no metre that can be read; expected one such as 6/8, of at "
            f"most {MOST_BEATS} beats"
        )
    return beats, unit


def unit_of_field(text: str) -> Fraction:
    """Read an ``L:`` field, in whole notes.

    Raises
    ------
    DataError
        If it is no length.
    """
    found = re.match(r"(\d{1,3})(?:/(\d{1,3}))?", text.strip())
    if found is None or not int(found[1]) or (found[2] and not int(found[2])):
        raise DataError(f"L:{text.strip()[:40]} is no length; expected one such as 1/8")
    return Fraction(int(found[1]), int(found[2] or 1))


def default_unit(metre: Metre | None) -> Fraction:
    """Return the unit length of a tune without ``L:``."""
    return Fraction(1, 16 if metre is not None and Fraction(*metre) < Fraction(3, 4) else 8)


def tempo_of_field(text: str, unit: Fraction) -> float | None:
    """Read a ``Q:`` field, in quarters per minute; None if it has only words.

    Parameters
    ----------
    text : str
    unit : Fraction
        The unit length, in whole notes: ``Q:120`` counts such notes, and ``Q:C3=40`` three.
    """
    words = re.sub(r'"[^"]*"?', " ", text).strip()
    beat, equals, rate = words.rpartition("=")
    number = re.match(r"\s*(\d{1,4}(?:\.\d{1,6})?)", rate)
    if number is None:
        return None
    whole = unit
    if equals and (old := re.match(r"\s*C(\d{0,2})", beat)):
        whole = unit * int(old[1] or 1)
    elif equals:
        parts = re.findall(r"(\d{1,3})/(\d{1,3})", beat)
        if not parts or not all(int(below) for _, below in parts):
            return None
        whole = sum((Fraction(int(above), int(below)) for above, below in parts), Fraction(0))
    tempo = float(4 * whole) * float(number[1])
    return tempo if TEMPOS[0] <= tempo <= TEMPOS[1] else None


def voice_of_field(text: str) -> tuple[str, dict[str, str]]:
    """Read a ``V:`` field: the id of the voice, and its properties by name."""
    name, _, rest = text.strip().partition(" ")
    return name, properties(rest)


def properties(text: str) -> dict[str, str]:
    """Return what stands behind the name of a voice or key, such as ``clef=bass octave=-1``."""
    found = {name: quoted or plain for name, quoted, plain in _PROPERTY.findall(text)}
    clef = _CLEF.search(_PROPERTY.sub(" ", text))
    return {"clef": clef[1], **found} if clef else found


def whole_number(text: str) -> int:
    """Return a number with up to two digits, such as ``-2``; 0 if it is none."""
    found = re.match(r"[+-]?\d{1,2}(?!\d)", text.strip())
    return int(found[0]) if found else 0


def transposition(given: dict[str, str]) -> int | None:
    """Return the semitones of ``octave=``, ``transpose=`` and clefs such as ``treble-8``.

    None means that no property says anything about it.
    """
    clef = re.search(r"([+-])(8|15)$", given.get("clef", ""))
    if not clef and not {"octave", "transpose"} & given.keys():
        return None
    octaves = whole_number(given.get("octave", "0"))
    if clef:
        octaves += int(clef[1] + {"8": "1", "15": "2"}[clef[2]])
    return 12 * octaves + whole_number(given.get("transpose", "0"))
