"""What compiled code reads of a chorale: the rules in a table, and the fields of a state.

`ChoraleGrammar.constants` makes the table (`seqgen.following.flat`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.following import part
from seqgen.plugin import Ids
from seqgen_music.codecs.chorale.layout import MOST_PHRASES, PARTS
from seqgen_music.codecs.chorale.raster import REST

#: Fields of a state: the number of tokens; of the header the number of the metre, and the upbeat;
#: the steps for which all voices have been silent; the number of tokens of the header, once it has
#: ended; the number of phrases, and that of the present one; for each voice, for how long it has
#: held, for how long it has stayed on its pitch, and what it sang on the last beat; the pitches of
#: the last eight cells, the latest last; the steps at which the phrases end.
PLACE, METRE, UPBEAT, SILENT, HEADER, PHRASES, PRESENT, LASTED = range(8)
STAYED, BEAT, SOUNDING = LASTED + PARTS, LASTED + 2 * PARTS, LASTED + 3 * PARTS
ENDS = SOUNDING + 2 * PARTS
SIZE = ENDS + MOST_PHRASES

Table = NDArray[np.uint8]


class Rules(NamedTuple):
    """What does not change: of the layout, of the grammar, and of a request.

    Attributes
    ----------
    known : int
        The number of tokens in `opening`.
    held, low, high
        As in `ChoraleLayout`.
    first_cell : int
        The row of the first cell in `masks`; those of the plan come before it.
    stillest : int
        Most steps in a row in which something sounds and no note begins.
    steps, measures : int
        The requested length in steps or bars; -1 if none is.
    first_pitch, rest, hold : int
        The ids of the lowest pitch and of what else may stand in a cell.
    parallels : bool
        Whether new pieces may move in parallels.
    is_new, is_planned : bool
        Whether the piece is a new one, which ends with its plan; and whether it needs a plan.
    bars : int64 array (metres,)
        Steps in a bar.
    meaning, metre_of, upbeat_of, phrase_of : int64 array (V,)
        As in `ChoraleLayout`.
    masks : bool array (R, V + 1)
        As `ChoraleGrammar.masks`.
    opening : int64 array (known,)
        The requested tokens of the header, or `NOTHING`.
    given : int64 array (4, steps)
        The tokens of given cells; `NOTHING` in the others.
    tied : int64 array (4, steps)
        For a given cell that holds a note, the id of its pitch, which is due if the voice does not
        sing that pitch; else `NOTHING`.
    plans : int64 array (J, R)
        The rows of `fitting_masks` in `masks`; empty if no plan is requested.
    notes, stays : int64 array (4,)
        As in `VoiceLimits`.
    """

    known: int
    held: bool
    low: int
    high: int
    first_cell: int
    stillest: int
    steps: int
    measures: int
    first_pitch: int
    rest: int
    hold: int
    parallels: bool
    is_new: bool
    is_planned: bool
    bars: Ids
    meaning: Ids
    metre_of: Ids
    upbeat_of: Ids
    phrase_of: Ids
    masks: NDArray[np.bool_]
    opening: Ids
    given: Ids
    tied: Ids
    plans: Ids
    notes: Ids
    stays: Ids


@compiled
def rules_of(table: Table) -> Rules:
    """Return the rules in a table, whose first array has their numbers and the shapes."""
    numbers = part(table, 0).view(np.int64)
    metres, ids, rows, given, phrases, steps = numbers[14:20]
    known = numbers[0]
    return Rules(
        known,
        numbers[1] != 0,
        numbers[2],
        numbers[3],
        numbers[4],
        numbers[5],
        numbers[6],
        numbers[7],
        numbers[8],
        numbers[9],
        numbers[10],
        numbers[11] != 0,
        numbers[12] != 0,
        numbers[13] != 0,
        part(table, 1).view(np.int64)[:metres],
        part(table, 2).view(np.int64)[:ids],
        part(table, 3).view(np.int64)[:ids],
        part(table, 4).view(np.int64)[:ids],
        part(table, 5).view(np.int64)[:ids],
        part(table, 6)[: rows * (ids + 1)].view(np.bool_).reshape(rows, ids + 1),
        part(table, 7).view(np.int64)[:known],
        part(table, 8).view(np.int64)[: PARTS * given].reshape(PARTS, given),
        part(table, 9).view(np.int64)[: PARTS * given].reshape(PARTS, given),
        part(table, 10).view(np.int64)[: phrases * steps].reshape(phrases, steps),
        part(table, 11).view(np.int64)[:PARTS],
        part(table, 12).view(np.int64)[:PARTS],
    )


def new_state() -> Ids:
    """Return the state before the first token ``(SIZE,)``."""
    state = np.zeros(SIZE, np.int64)
    state[BEAT:ENDS] = REST
    return state
