"""The features of the codec `multitrack`; `MultitrackCodec` lists them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqgen.conditions.header import Header
from seqgen.plugin import Ids
from seqgen_music import keys
from seqgen_music.codecs import lengths
from seqgen_music.codecs.multitrack import chording, harmony
from seqgen_music.codecs.multitrack.memory import SIZES, expectations
from seqgen_music.codecs.multitrack.states import States
from seqgen_music.codecs.tokens import TokenTable

#: Bars in a phrase, and phrases that features distinguish.
PHRASE, PHRASES = 8, 8


def feature_values(table: TokenTable) -> tuple[Sequence[Any], ...]:
    """Return what the values of every feature mean; None is nothing."""
    position, metre, program, velocity, pitch, drum, density = (
        (None, *table.values(kind))
        for kind in ("position", "metre", "program", "velocity", "pitch", "drum", "density")
    )
    sounds = table.names[table.start("pitch") :][: len(pitch) + len(drum) - 2]
    token = None, *table.names
    chord = None, *table.values("chord")
    return (
        *(position, range(PHRASE), range(PHRASES), metre, program, velocity),
        *((None, *sounds), token, range(len(keys.MODES) + 1), density, range(2), program),
        *map(range, harmony.SIZES),
        *(token, range(len(SIZES) + 1), *map(range, lengths.SIZES)),
        *((chord, chord) if len(chord) > 1 else ()),
    )


def features_of(ids: Ids, states: States, table: TokenTable, header: Header, halves: Ids) -> Ids:
    """Return the features of every position ``(N + 1, K)``; `halves` has half a bar by metre."""
    bar, told = np.maximum(states.lines - 1, 0), header.features(ids).T  # (fields, N + 1)
    columns = [
        states.place,
        bar % PHRASE,
        np.minimum(bar // PHRASE, PHRASES - 1),
        states.metre,
        states.program,
        states.velocity,
        states.sound,
        _before(ids, states, table),
        *header_features(*told[:3]),
        _following(ids, states, table),
    ]
    kind = table.mask("pitch")[ids] * harmony.PITCH + table.mask("duration")[ids] * harmony.DURATION
    durations = np.array(table.values("duration"), np.int64)
    heard = harmony.harmony(kind, table.number_of[ids], states.step, durations)
    planned = np.array([0, *table.values("bars")])[told[3]]
    left = lengths.countdown(planned, states.lines)
    blocks = [np.stack(columns, axis=1), heard, expectations(ids), left]
    if table.values("chord"):
        blocks.append(chording.chord_features(ids, states, table, halves))
    return np.concatenate(blocks, axis=1)


def header_features(key: Any, density: Any, thinned: Any) -> tuple[Any, Any, Any]:
    """Return mode, density and whether the piece is thinned, from features of the header."""
    return (key + 11) // 12, density, thinned


def _before(ids: Ids, states: States, table: TokenTable) -> Ids:
    """Return the token that followed the last equal context, plus one, or 0 ``(N + 1,)``.

    A context is the position, the instrument, the last sound there and the last token.
    """
    sizes = [len(values) for values in feature_values(table)]
    token = np.append(len(table), ids)
    context = np.zeros(len(token), np.int64)
    for size, value in (
        (sizes[0], states.place),
        (sizes[4], states.program),
        (sizes[6], states.here),
        (sizes[7], token),
    ):
        context = context * size + value
    order = np.argsort(context, kind="stable")
    same = context[order[1:]] == context[order[:-1]]
    before = np.zeros(len(token), np.int64)
    before[order[1:][same]] = ids[order[:-1][same]] + 1
    return before


def _following(ids: Ids, states: States, table: TokenTable) -> Ids:
    """Return the next instrument of the header after the present one, or 0 ``(N + 1,)``."""
    number = np.append(table.number_of[ids], -1)
    named = np.flatnonzero(table.mask("instrument")[ids])
    programs, firsts = np.unique(number[named], return_index=True)
    following = np.zeros(len(number), np.int64)
    for program, at in zip(programs[::-1].tolist(), named[firsts][::-1].tolist(), strict=True):
        later = slice(at + 1, None)
        following[later][states.program[later] <= program] = program + 1
    return following
