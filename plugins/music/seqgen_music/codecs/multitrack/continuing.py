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
    if not states.lines[start]:
        return ids
    start = _after_silence(ids, start, layout)
    rest = ids[start:]
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
    if next_kind not in ("metre", "bar"):
        # The chords of the bar come after its metre.
        line = int(np.flatnonzero(are(ids[:start], "bar", "metre"))[-1])
        chords = line + 1 + np.flatnonzero(are(ids[line + 1 : start], "chord"))
        head.insert(3, chords)
    repeated = _repeat(ids, start, len(ids) - len(rest), layout, states)
    return np.concatenate([ids[np.concatenate(head)], repeated])


def _after_silence(ids: Ids, start: int, layout: MultitrackLayout) -> int:
    """Return where the rest begins without bars of silence: a piece begins with a note."""
    silent = layout.are(ids[start:], "bar", "metre", "chord")
    if silent.all():
        return start
    lines = np.flatnonzero(layout.are(ids[start:], "bar", "metre")[: int(np.argmin(silent))])
    return start + int(lines[-1]) if len(lines) else start


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
