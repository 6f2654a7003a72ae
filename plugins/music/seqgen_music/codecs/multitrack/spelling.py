"""How the codec `multitrack` spells the notes of a score, in one compiled pass."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seqgen.compiling import compiled
from seqgen_music.codecs.multitrack.grid import DRUMS
from seqgen_music.codecs.multitrack.values import Numbers
from seqgen_music.codecs.tokens import TokenTable

#: Most tokens of a note: position, tempo, program, velocity, pitch, duration.
MOST_TOKENS = 6


class ValueIds(NamedTuple):
    """Ids of values, as int64 arrays to look up; -1 for unknown values.

    Attributes
    ----------
    position : array (1,)
        The id of the first position in a bar.
    program : array (256,)
        By program; `DRUMS` is last.
    pitch : array (2, 139)
        By whether it is a drum, and the number of `written`.
    velocity, duration : array
    """

    position: Any
    program: Any
    pitch: Any
    velocity: Any
    duration: Any


def ids_of_values(numbers: Numbers, table: TokenTable) -> ValueIds:
    """Return the ids of values by their numbers within each kind."""

    def ids(kind: str, of: Any) -> Any:
        return np.where(of < 0, -1, of + table.start(kind))

    # Compiled code does not check indices: there is an entry for every program of eight bits.
    program = np.full(256, -1)
    program[:128], program[DRUMS] = numbers.program[:128], numbers.program[DRUMS]
    return ValueIds(
        ids("position", np.zeros(1, np.int64)),
        ids("program", program),
        ids("pitch", numbers.pitch),
        ids("velocity", numbers.velocity),
        ids("duration", numbers.duration),
    )


@compiled
def spell(notes: Any, bars: Any, tempos: Any, values: ValueIds) -> Any:
    """Return the ids of the first tempo and of all bars; none if a value is unknown.

    Parameters
    ----------
    notes : tuple of int64 array (N,)
        Step, program, pitch as `written`, duration and velocity.
    bars, tempos : tuple of two int64 arrays
        The steps at which they start, and their ids.
    values : ValueIds
    """
    step, program, pitch, duration, velocity = notes
    starts, lines = bars
    moments, tempo_ids = tempos
    ids = np.empty(1 + len(lines) + MOST_TOKENS * len(step), np.int64)
    bar, tempo = -1, np.searchsorted(moments, step[0], side="right") - 1
    ids[0], count = tempo_ids[tempo], 1
    last_step, last_tempo, last_program = -1, ids[0], -1
    last_velocity = np.full(len(values.program), -1)
    for row in range(len(step)):
        while bar + 1 < len(starts) and starts[bar + 1] <= step[row]:
            bar += 1
            if lines[bar] < 0:
                return ids[:0]
            ids[count] = lines[bar]
            count += 1
        while tempo + 1 < len(moments) and moments[tempo + 1] <= step[row]:
            tempo += 1
        player, drum = values.program[program[row]], program[row] == DRUMS
        sound, loudness = values.pitch[int(drum), pitch[row]], values.velocity[velocity[row]]
        if player < 0 or sound < 0:
            return ids[:0]
        if step[row] != last_step:
            last_step = step[row]
            ids[count] = values.position[0] + last_step - starts[bar]
            count += 1
        if tempo_ids[tempo] != last_tempo:
            ids[count] = last_tempo = tempo_ids[tempo]
            count += 1
        if player != last_program:
            ids[count] = last_program = player
            count += 1
        if loudness != last_velocity[program[row]]:
            ids[count] = last_velocity[program[row]] = loudness
            count += 1
        ids[count] = sound
        count += 1
        if not drum:
            ids[count] = values.duration[duration[row]]
            count += 1
    return ids[:count].copy()
