"""What a page draws of a piece: notes, strokes or samples as plain JSON.

A domain returns a `View` of a piece (`seqgen.plugin.Domain.view`). The playground sends the view of
a growing piece as differences from the view before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class View:
    """A piece as a page draws it.

    Attributes
    ----------
    kind : {"roll", "ink", "sound"}
        What the parts are.
    parts : sequence
        In the order in which they come, each plain JSON: of a roll notes as (onset in seconds,
        duration in seconds, MIDI pitch, velocity, number of the track), of ink strokes as lists of
        (x, y), y down, of a sound texts of samples as 16-bit integers, little-endian, in base64.
    about : mapping
        What holds for all parts, as plain JSON: of a roll "tracks", each with name, program and
        drums, "bars", the onsets of bars in seconds, and "upbeat", whether the first is one; of a
        sound "rate", samples per second.
    """

    kind: Literal["roll", "ink", "sound"]
    parts: Sequence[Any]
    about: Mapping[str, Any] = field(default_factory=dict)


def difference(before: View | None, after: View) -> dict[str, Any]:
    """Return what makes one view of another: the parts from position "at" on, and "about".

    "about" is left out if it stays as it is. With `before` None all is new.
    """
    if before is None:
        return {"at": 0, "parts": [*after.parts], "about": dict(after.about)}
    at = 0
    for old, new in zip(before.parts, after.parts, strict=False):
        if old != new:
            break
        at += 1
    change: dict[str, Any] = {"at": at, "parts": [*after.parts[at:]]}
    if before.about != after.about:
        change["about"] = dict(after.about)
    return change
