"""The features of the codec `multitrack`; `MultitrackCodec` lists them."""

from __future__ import annotations

import numpy as np

from seqgen.plugin import Ids
from seqgen_music import keys
from seqgen_music.codecs.multitrack import harmony
from seqgen_music.codecs.multitrack.memory import SIZES, expectations
from seqgen_music.codecs.multitrack.states import States, latest
from seqgen_music.codecs.tokens import TokenTable

#: Bars in a phrase, and phrases that features distinguish.
PHRASE, PHRASES = 8, 8


def feature_sizes(table: TokenTable) -> tuple[int, ...]:
    """Return the number of values of every feature."""
    position, metre, program, velocity, pitch, drum, density, composer = (
        len(table.values(kind))
        for kind in (
            *("position", "metre", "program", "velocity", "pitch", "drum", "density"),
            "composer",
        )
    )
    return (
        *(position + 1, PHRASE, PHRASES, metre + 1, program + 1, velocity + 1),
        *(pitch + drum + 1, len(table) + 1, len(keys.MODES) + 1, density + 1, 2, program + 1),
        *harmony.SIZES,
        *(len(table) + 1, len(SIZES) + 1),
        # Without composers the model has no embedding for them.
        *([composer + 1] if composer else []),
    )


def features_of(ids: Ids, states: States, table: TokenTable) -> Ids:
    """Return the features of every position ``(N + 1, K)``."""
    bar = np.maximum(states.lines - 1, 0)
    columns = [
        states.place,
        bar % PHRASE,
        np.minimum(bar // PHRASE, PHRASES - 1),
        states.metre,
        states.program,
        states.velocity,
        states.sound,
        _before(ids, states, table),
        *_header(ids, states, table),
    ]
    kind = table.mask("pitch")[ids] * harmony.PITCH + table.mask("duration")[ids] * harmony.DURATION
    lengths = np.array(table.values("duration"), np.int64)
    heard = harmony.harmony(kind, table.number_of[ids], states.step, lengths)
    composer = _composer(ids, table)[:, None]
    rows = np.concatenate([np.stack(columns, axis=1), heard, expectations(ids), composer], axis=1)
    return rows[:, : len(feature_sizes(table))]


def _before(ids: Ids, states: States, table: TokenTable) -> Ids:
    """Return the token that followed the last equal context, plus one, or 0 ``(N + 1,)``.

    A context is the position, the instrument, the last sound there and the last token.
    """
    sizes = feature_sizes(table)
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


def _composer(ids: Ids, table: TokenTable) -> Ids:
    """Return the number of the composer plus one, or 0 ``(N + 1,)``."""
    return np.append(table.number_of[ids], -1)[latest(table.mask("composer")[ids])] + 1


def _header(ids: Ids, states: States, table: TokenTable) -> tuple[Ids, Ids, Ids, Ids]:
    """Return mode, density, whether the piece is thinned, and the next instrument ``(N + 1,)``."""
    number = np.append(table.number_of[ids], -1)
    key, density = (number[latest(table.mask(kind)[ids])] for kind in ("key", "density"))
    named = np.flatnonzero(table.mask("instrument")[ids])
    programs, firsts = np.unique(number[named], return_index=True)
    following = np.zeros(len(number), np.int64)
    for program, at in zip(programs[::-1].tolist(), named[firsts][::-1].tolist(), strict=True):
        later = slice(at + 1, None)
        following[later][states.program[later] <= program] = program + 1
    thinned = latest(table.mask("thinned")[ids]) >= 0
    return np.where(key < 0, 0, key // 12 + 1), density + 1, thinned.astype(np.int64), following
