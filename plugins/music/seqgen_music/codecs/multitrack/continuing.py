"""The rest of a multitrack piece as a piece of its own."""

from __future__ import annotations

import numpy as np

from seqgen.plugin import Ids
from seqgen_music.codecs.multitrack.layout import MultitrackLayout
from seqgen_music.codecs.multitrack.states import States


def continued(ids: Ids, start: int, layout: MultitrackLayout, states: States) -> Ids:
    """Return `MultitrackCodec.continuation` of ids ``(N,)``, which have these states."""
    are = layout.are
    if start and are(ids, "pitch")[start - 1]:
        start -= 1
    rest = ids[start:]
    if not states.lines[start]:
        return ids
    if not len(rest):
        return rest
    last = {
        kind: np.flatnonzero(are(ids[:start], *kind.split()))[-1:]
        for kind in ("tempo", "metre", "bar metre", "position")
    }
    opening = ids[: layout.header.length(ids[:start])]
    header = np.flatnonzero(~are(opening, "tempo", "bars"))
    head = [header, last["tempo"], last["metre"] if len(last["metre"]) else last["bar metre"]]
    next_kind = layout.table.token(int(rest[0]))[0]
    if next_kind == "metre":
        del head[-1]
    elif next_kind == "bar":
        rest = rest[1:]
    elif next_kind != "position" and states.place[start]:
        head.append(last["position"])
    repeated = _repeat(ids, start, len(ids) - len(rest), layout, states)
    return np.concatenate([ids[np.concatenate(head)], repeated])


def _repeat(ids: Ids, start: int, begin: int, layout: MultitrackLayout, states: States) -> Ids:
    """Return the ids from `begin` on, with instrument and velocities from before `start`."""
    are, later = layout.are, np.arange(len(ids)) >= begin
    sources, places = [], []
    uses = np.flatnonzero(later & are(ids, "program", "velocity", "pitch", "drum"))[:1]
    if len(uses) and states.program[start] and not are(ids[uses], "program")[0]:
        places.append(int(uses[0]))
        sources.append(int(states.program_at[start]))
    notes = np.flatnonzero(later & are(ids, "pitch", "drum"))
    at = states.velocity_at[notes]
    old = (at >= 0) & (at < start)
    at, firsts = np.unique(at[old], return_index=True)
    places += notes[old][firsts].tolist()
    sources += at.tolist()
    return np.insert(ids, places, ids[sources])[begin:]
