"""How the codec `multitrack` spells the notes of a score, in one compiled pass over them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seqgen.compiling import compiled
from seqgen_music.codecs.multitrack.grid import DRUMS
from seqgen_music.codecs.multitrack.values import Numbers
from seqgen_music.codecs.tokens import TokenTable

#: Tokens that a note takes at most: place, tempo, program, velocity, pitch, duration.
MOST_TOKENS = 6


class Tokens(NamedTuple):
    """Ids by what they say, -1 for what has none: int64 arrays.

    Attributes
    ----------
    position : array (1,)
        Of the first place in a bar.
    program : array (256,)
        By program; that of `DRUMS` is last.
    pitch : array (2, 139)
        By whether it is a drum, and what `seqgen_music.codecs.multitrack.header.written` gives.
    velocity, duration : array
    """

    position: Any
    program: Any
    pitch: Any
    velocity: Any
    duration: Any


def tokens_of(numbers: Numbers, table: TokenTable) -> Tokens:
    """Return the ids of a table by the numbers of values within their kind."""

    def ids(kind: str, of: Any) -> Any:
        return np.where(of < 0, -1, of + table.start(kind))

    # Compiled code checks no index: there is a place for every program that eight bits can say.
    program = np.full(256, -1)
    program[:128], program[DRUMS] = numbers.program[:128], numbers.program[DRUMS]
    return Tokens(
        ids("position", np.zeros(1, np.int64)),
        ids("program", program),
        ids("pitch", numbers.pitch),
        ids("velocity", numbers.velocity),
        ids("duration", numbers.duration),
    )


@compiled
def spell(notes: Any, bars: Any, tempos: Any, tokens: Tokens) -> Any:
    """Return the ids of the first tempo and of all bars; none if anything has no token.

    Parameters
    ----------
    notes : tuple of int64 array (N,)
        Step, program, pitch as it is written, duration and velocity of a `GridScore`.
    bars, tempos : tuple of two int64 arrays
        The steps from which they hold, and their tokens.
    tokens : Tokens
    """
    step, program, pitch, duration, velocity = notes
    starts, lines = bars
    moments, tempo_tokens = tempos
    ids = np.empty(1 + len(lines) + MOST_TOKENS * len(step), np.int64)
    bar, tempo = -1, np.searchsorted(moments, step[0], side="right") - 1
    ids[0], count = tempo_tokens[tempo], 1
    said_step, said_tempo, said_program = -1, ids[0], -1
    said_velocity = np.full(len(tokens.program), -1)
    for row in range(len(step)):
        while bar + 1 < len(starts) and starts[bar + 1] <= step[row]:
            bar += 1
            if lines[bar] < 0:
                return ids[:0]
            ids[count] = lines[bar]
            count += 1
        while tempo + 1 < len(moments) and moments[tempo + 1] <= step[row]:
            tempo += 1
        player, drum = tokens.program[program[row]], program[row] == DRUMS
        sound, loudness = tokens.pitch[int(drum), pitch[row]], tokens.velocity[velocity[row]]
        if player < 0 or sound < 0:
            return ids[:0]
        if step[row] != said_step:
            said_step = step[row]
            ids[count] = tokens.position[0] + said_step - starts[bar]
            count += 1
        if tempo_tokens[tempo] != said_tempo:
            ids[count] = said_tempo = tempo_tokens[tempo]
            count += 1
        if player != said_program:
            ids[count] = said_program = player
            count += 1
        if loudness != said_velocity[program[row]]:
            ids[count] = said_velocity[program[row]] = loudness
            count += 1
        ids[count] = sound
        count += 1
        if not drum:
            ids[count] = tokens.duration[duration[row]]
            count += 1
    return ids[:count].copy()
