"""The sustain pedal in MusicXML: a direction where it goes down, and one where it comes up.

music21 writes pedals only from note to note, so its XML is changed afterwards. Source: MusicXML
4.0, element ``pedal``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from seqgen_music.files.notation_grid import GRID
from seqgen_music.joining import DOWN

#: Places on the grid, and what the pedal does there: "start", "change" or "stop".
Moves: TypeAlias = Sequence[tuple[int, str]]


def pedal_signs(moves: Sequence[tuple[int, int]]) -> list[tuple[int, str]]:
    """Return where a pedal goes down and comes up.

    Parameters
    ----------
    moves : sequence of (int, int)
        Places on the grid and values of `Music.pedals`, of one track; those that begin before
        others end at one place are a change.
    """
    signs: list[tuple[int, str]] = []
    down = False
    for at, value in moves:
        if (value >= DOWN) == down:
            continue
        down = not down
        if signs and signs[-1] == (at, "stop"):
            signs[-1] = (at, "change")
        elif signs and signs[-1] == (at, "change"):
            signs[-1] = (at, "stop")
        elif signs and signs[-1] == (at, "start"):
            signs.pop()
        else:
            signs.append((at, "start" if down else "stop"))
    return signs


def with_pedals(score: bytes, parts: Mapping[str, Moves], lines: Sequence[int]) -> bytes:
    """Return MusicXML with the pedals of some parts.

    Parameters
    ----------
    score : bytes
    parts : mapping of str to sequence of (int, str)
        The signs of each part, by its id.
    lines : sequence of int
        The bar lines on the grid, the last one too.
    """
    if not any(parts.values()):
        return score
    at = score.index(b"<score-partwise")
    root = fromstring(score[at:])
    for part in root.findall("part"):
        measures = part.findall("measure")
        divisions = int(part.findtext(".//divisions") or 1)
        staves = int(part.findtext(".//staves") or 1)
        for place, sign in parts.get(part.get("id", ""), ()):
            bar = min(bisect_right(lines, place), len(measures)) - 1
            later = Fraction((min(place, lines[-1]) - lines[bar]) * divisions, GRID)
            _insert(measures[bar], later, sign, staves)
    return score[:at] + bytes(tostring(root, "utf-8"))


def _insert(measure: Element, at: Fraction, sign: str, staves: int) -> None:
    """Insert a direction before the last note of the first voice that begins up to a place.

    Parameters
    ----------
    measure : Element
    at : Fraction
        In divisions from the bar line.
    sign : str
    staves : int
        Staves of the part; the sign is below the last one.
    """
    before, onset, now = len(measure), Fraction(0), Fraction(0)
    for index, child in enumerate(measure):
        if child.tag == "backup" or now > at:
            break
        if child.tag == "note" and child.find("chord") is None:
            before, onset = index, now
        if child.find("chord") is None:
            now += Fraction(child.findtext("duration") or 0)
    direction = Element("direction", placement="below")
    kind = SubElement(direction, "direction-type")
    SubElement(kind, "pedal", type=sign, line="no", sign="yes")
    if at != onset:
        SubElement(direction, "offset").text = str(round(at - onset))
    if staves > 1:
        SubElement(direction, "staff").text = str(staves)
    measure.insert(before, direction)
